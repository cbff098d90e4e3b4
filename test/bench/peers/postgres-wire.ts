/**
 * As much of PostgreSQL's protocol (version 3.0, its documentation's "Message Formats") as a search needs: bytes that can
 * be made before they are measured, and an end of an answer.
 */
import type { Answer } from "../connection.ts";

const PROTOCOL_3 = 196_608;
const [READY, FAILED, ROW] = [0x5a, 0x45, 0x44];
const HEAD = 5;

/** An answer is all up to ReadyForQuery; it has status 500 when one of its messages is an error. */
export function postgresAnswer(bytes: Uint8Array): Answer | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let status = 200;
  for (let at = 0; at + HEAD <= view.length; at += 1 + view.readInt32BE(at + 1)) {
    if (view[at] === FAILED) status = 500;
    if (view[at] === READY && at + 1 + view.readInt32BE(at + 1) <= view.length) return { status, body: bytes };
  }
  return null;
}

/** The first column of every row of an answer, as text. */
export function firstColumn(body: Uint8Array): string[] {
  const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const found: string[] = [];
  for (let at = 0; at + HEAD <= view.length; at += 1 + view.readInt32BE(at + 1)) {
    if (view[at] !== ROW) continue;
    const from = at + HEAD + 2 + 4;
    found.push(view.toString("utf8", from, from + view.readInt32BE(from - 4)));
  }
  return found;
}

/** Opens a session of a user who needs no password; `options` as on the server's command line. */
export function startup(user: string, database: string, options: string): Buffer {
  const settings = ["user", user, "database", database, ...(options === "" ? [] : ["options", options])];
  const content = Buffer.concat([int32(PROTOCOL_3), ...settings.map(text), Buffer.of(0)]);
  return Buffer.concat([int32(content.length + 4), content]);
}

/** Prepares a statement under a name. */
export function prepare(name: string, sql: string): Buffer {
  return Buffer.concat([message("P", text(name), text(sql), int16(0)), SYNC]);
}

/** Executes a prepared statement with one parameter, given and answered as text. */
export function execute(name: string, parameter: string): Buffer {
  const value = Buffer.from(parameter);
  const bind = [text(""), text(name), int16(0), int16(1), int32(value.length), value, int16(0)];
  return Buffer.concat([message("B", ...bind), message("E", text(""), int32(0)), SYNC]);
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, "latin1"), int32(content.length + 4), content]);
}

const SYNC = message("S");

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
