import { canonicalEncoding, decodeText } from "../text/encoding.ts";
import { decodeQuotedPrintable } from "../text/escapes.ts";

/** MIME parts of a message (RFC 2045–2047, 2231), read leniently and without recursion limits to hit. */
export interface MimePart {
  headers: Map<string, string>;
  type: string;
  parameters: Map<string, string>;
  disposition: string;
  filename: string;
  /** Undecoded body; empty for multiparts. */
  body: Uint8Array;
  parts: MimePart[];
}

const MAX_DEPTH = 20;
const MAX_PARTS = 2000;

export function parseMime(bytes: Uint8Array): MimePart {
  return readPart(bytes, 0, { left: MAX_PARTS });
}

function readPart(bytes: Uint8Array, depth: number, budget: { left: number }): MimePart {
  const split = headerEnd(bytes);
  const headers = readHeaders(bytes.subarray(0, split.end));
  const [type, parameters] = readValue(headers.get("content-type") ?? "text/plain");
  const [disposition, dispositionParameters] = readValue(headers.get("content-disposition") ?? "");
  const part: MimePart = {
    headers,
    type: type.includes("/") ? type : "text/plain",
    parameters,
    disposition,
    filename: decodeWords(dispositionParameters.get("filename") ?? parameters.get("name") ?? ""),
    body: bytes.subarray(split.body),
    parts: [],
  };
  const boundary = parameters.get("boundary");
  if (!part.type.startsWith("multipart/") || boundary === undefined || boundary === "" || depth >= MAX_DEPTH)
    return part;
  for (const slice of splitParts(part.body, boundary)) {
    if (budget.left-- <= 0) break;
    part.parts.push(readPart(slice, depth + 1, budget));
  }
  if (part.parts.length > 0) part.body = new Uint8Array();
  return part;
}

/** Where the headers end and the body begins: the first empty line. */
function headerEnd(bytes: Uint8Array): { end: number; body: number } {
  if (bytes[0] === 0x0a) return { end: 0, body: 1 };
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return { end: 0, body: 2 };
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at + 1] === 0x0a) return { end: at, body: at + 2 };
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return { end: at, body: at + 3 };
  }
  return { end: bytes.length, body: bytes.length };
}

function readHeaders(bytes: Uint8Array): Map<string, string> {
  const out = new Map<string, string>();
  const text = decodeText(bytes).text.replace(/\n[ \t]+/g, " ");
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!out.has(name)) out.set(name, line.slice(colon + 1).trim());
  }
  return out;
}

/** "text/plain; charset=utf-8" -> value and parameters, continued and encoded parameters put together. */
function readValue(header: string): [string, Map<string, string>] {
  const parameters = new Map<string, string>();
  const value = (/^[^;]*/.exec(header)?.[0] ?? "").trim().toLowerCase();
  const pieces = new Map<string, string>();
  for (const match of header.matchAll(/;\s*([\w!#$%&'+.^`{|}~*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g)) {
    const name = match[1]!.toLowerCase();
    const content = match[2]?.replace(/\\(.)/g, "$1") ?? match[3] ?? "";
    const star = /^(.*?)\*(?:\d+\*?)?$/.exec(name)?.[1];
    if (star === undefined) parameters.set(name, content);
    else pieces.set(star, (pieces.get(star) ?? "") + content);
  }
  for (const [name, content] of pieces) {
    const [, charset, encoded] = /^([\w-]*)'[^']*'(.*)$/.exec(content) ?? [];
    parameters.set(name, encoded === undefined ? content : decodeBytes(percentBytes(encoded), charset ?? "utf-8"));
  }
  return [value, parameters];
}

function percentBytes(text: string): Uint8Array {
  const binary = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Uint8Array.from(Buffer.from(binary, "latin1"));
}

function splitParts(body: Uint8Array, boundary: string): Uint8Array[] {
  const file = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const mark = Buffer.from(`--${boundary}`, "utf8");
  const out: Uint8Array[] = [];
  let start = -1;
  for (let at = file.indexOf(mark); at >= 0; at = file.indexOf(mark, at + mark.length)) {
    if (at > 0 && file[at - 1] !== 0x0a) continue;
    if (start >= 0) out.push(body.subarray(start, Math.max(start, at - 1)));
    const lineEnd = file.indexOf(0x0a, at + mark.length);
    start = lineEnd < 0 ? body.length : lineEnd + 1;
    if (file[at + mark.length] === 0x2d && file[at + mark.length + 1] === 0x2d) return out;
  }
  if (start >= 0 && start < body.length) out.push(body.subarray(start));
  return out;
}

/** Body without its transfer encoding. */
export function bodyBytes(part: MimePart): Uint8Array {
  const encoding = (part.headers.get("content-transfer-encoding") ?? "").toLowerCase().trim();
  if (encoding === "base64") return Uint8Array.from(Buffer.from(Buffer.from(part.body).toString("latin1"), "base64"));
  if (encoding === "quoted-printable") return decodeQuotedPrintable(part.body);
  return part.body;
}

/** Encoded words of a header ("=?utf-8?B?…?=") in plain text. */
export function decodeWords(header: string): string {
  return header
    .replace(/(=\?[^?\s]+\?[bqBQ]\?[^?]*\?=)\s+(?==\?)/g, "$1")
    .replace(/(?:=\?([^?\s*]+)(?:\*[^?]*)?\?([bqBQ])\?([^?]*)\?=)+/g, (run) => decodeRun(run));
}

/** Adjacent words of one charset are decoded together: senders cut characters between them. */
function decodeRun(run: string): string {
  let out = "";
  let bytes: Uint8Array[] = [];
  let current = "";
  for (const [, charset, kind, content] of run.matchAll(/=\?([^?\s*]+)(?:\*[^?]*)?\?([bqBQ])\?([^?]*)\?=/g)) {
    if (charset!.toLowerCase() !== current && bytes.length > 0) {
      out += decodeBytes(Buffer.concat(bytes), current);
      bytes = [];
    }
    current = charset!.toLowerCase();
    bytes.push(
      kind!.toLowerCase() === "b"
        ? Buffer.from(content!, "base64")
        : decodeQuotedPrintable(Buffer.from(content!.replace(/_/g, "=20"), "latin1")),
    );
  }
  return out + decodeBytes(Buffer.concat(bytes), current);
}

function decodeBytes(bytes: Uint8Array, charset: string): string {
  return decodeText(bytes, canonicalEncoding(charset) === null ? null : charset).text;
}
