import { closeSync, createReadStream, fsyncSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { messageOf } from "../errors.ts";
import { readBackup, type BackupManifest } from "../platform/backup-archive.ts";
import { createAnew, syncPath, writeAll } from "../platform/replace-file.ts";
import { TarError } from "../platform/tar.ts";
import { parseArguments } from "./arguments.ts";
import { ErrorBody, RequestFailed } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { formatBytes, printable, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const BACKUP_FLAGS = CONNECTION_FLAGS;

/** `lectern backup FILE`: one consistent file, taken while the server works; whole or absent. */
export async function backup(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, BACKUP_FLAGS);
  const [path, ...more] = args.words;
  if (path === undefined || more.length > 0) throw new UsageError("Say where to: lectern backup FILE.");
  await using connection = await connect(args, terminal, { mayCreate: false });
  const { url, key } = connection.client.server;
  const response = await fetch(`${url}/v1/admin/backup`, {
    headers: { authorization: `Bearer ${key}` },
    signal: terminal.signal,
    redirect: "manual",
  }).catch((error: unknown) => {
    throw new RequestFailed(`${url} cannot be reached; is the server running?`, 0, null, { cause: error });
  });
  if (!response.ok || response.body === null)
    throw new RequestFailed(`the server refused: ${await answerOf(response)}`, response.status, null);
  const partial = `${path}.partial`;
  let bytes = 0;
  const file = openPartial(partial);
  try {
    for await (const piece of response.body) {
      writeAll(file, piece);
      bytes += piece.byteLength;
    }
    fsyncSync(file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new RequestFailed("the backup broke off", 0, null, { cause: error });
  } finally {
    closeSync(file);
  }
  try {
    await checkBackup(partial);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  try {
    renameSync(partial, path);
    syncPath(dirname(resolve(path)));
  } catch (error) {
    rmSync(partial, { force: true });
    throw new VerbFailed(`${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
  terminal.err(`Backup of ${formatBytes(bytes)} written to ${path}\n`);
  return 0;
}

/** Reads every byte; throws the reason where something is wrong. */
export async function checkBackup(path: string): Promise<BackupManifest> {
  try {
    return await readBackup(createReadStream(path), async (_name, content) => {
      for await (const _ of content);
    });
  } catch (error) {
    throw refusal(path, error);
  }
}

/** What is wrong with a backup, or with the disk, as a person reads it; anything else is thrown as it is. */
export function refusal(path: string, error: unknown): unknown {
  const ofSystem = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
  if (!(error instanceof TarError) && ofSystem === null) return error;
  const reason = error instanceof TarError ? error.message : `the system says ${ofSystem}`;
  return new VerbFailed(`${path} cannot be restored: ${printable(reason)}. Nothing was changed.`, { cause: error });
}

async function answerOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const answer: unknown = JSON.parse(text);
    if (Value.Check(ErrorBody, answer)) return answer.error.message;
  } catch {
    // Not even JSON: something else than the server answered.
  }
  return `status ${response.status}`;
}

/** What a killed run left goes; whatever lies there is never written through. */
function openPartial(path: string): number {
  try {
    return createAnew(path);
  } catch (error) {
    throw new VerbFailed(`${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
}
