import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { decodeCalendar, looksLikeCalendar, writeCalendar } from "../text/calendar.ts";
import { decodeText } from "../text/encoding.ts";
import { parseHtml } from "../text/html.ts";
import { htmlCharset } from "../text/markup-text.ts";
import type { ParseLimits } from "../limits.ts";
import { chosenAlternatives } from "./alternatives.ts";
import { unwrapFlowed } from "./flowed.ts";
import type { MimePart } from "./mime.ts";
import { bodyBytes, decodeWords, parseMime } from "./mime.ts";

/** Reads a file found inside another one; null where it is none that can be read. */
export type ParseNested = (
  bytes: Uint8Array,
  filename: string,
  contentType: string | null,
) => Promise<ParsedDocument | null>;

/** Messages, web archives and mailboxes: head lines, the best of the alternative bodies, attachments as text. */
export async function parseMail(bytes: Uint8Array, limits: ParseLimits, nested: ParseNested): Promise<ParsedDocument> {
  const out = new DocumentBuilder(limits.maxTextLength);
  const message = parseMime(bytes);
  const isArchive = isWebArchive(message);
  if (!isArchive) writeHead(message, out, 1);
  await writeBody(message, 1, { out, limits, nested: isArchive ? null : nested });
  return out.build(isArchive ? "mhtml" : "eml");
}

export async function parseMailbox(
  bytes: Uint8Array,
  limits: ParseLimits,
  nested: ParseNested,
): Promise<ParsedDocument> {
  const out = new DocumentBuilder(limits.maxTextLength);
  for (const slice of splitMailbox(bytes)) {
    const message = parseMime(slice);
    writeHead(message, out, 1);
    await writeBody(message, 1, { out, limits, nested });
  }
  out.title = null;
  return out.build("mbox");
}

interface Output {
  out: DocumentBuilder;
  limits: ParseLimits;
  /** Null where attachments are left out. */
  nested: ParseNested | null;
}

const HEAD = ["from", "to", "cc", "bcc", "date", "subject"] as const;

function writeHead(message: MimePart, out: DocumentBuilder, level: number): void {
  const value = (name: string): string =>
    decodeWords(message.headers.get(name) ?? "")
      .replace(/\s+/g, " ")
      .trim();
  const subject = value("subject");
  out.heading(level, subject === "" ? "(no subject)" : subject);
  const lines = HEAD.filter((name) => name !== "subject" && value(name) !== "").map(
    (name) => `${name[0]!.toUpperCase()}${name.slice(1)}: ${value(name)}`,
  );
  out.block(lines.join("\n"));
  if (level > 1) return;
  if (subject !== "") out.title ??= subject;
  if (value("from") !== "") out.metadata["author"] ??= value("from").slice(0, 500);
  if (value("to") !== "") out.metadata["to"] ??= value("to").slice(0, 500);
  const date = new Date(value("date"));
  if (!Number.isNaN(date.getTime())) out.metadata["created"] ??= date.toISOString();
}

/** What became of a message, in lines of text. */
const STATUS = new Set(["message/delivery-status", "message/disposition-notification"]);

async function writeBody(part: MimePart, level: number, output: Output): Promise<void> {
  const { out, limits } = output;
  if (part.parts.length > 0) {
    const isChoice = part.type === "multipart/alternative";
    for (const child of isChoice ? chosenAlternatives(part.parts, limits.maxTextLength) : relevant(part))
      await writeBody(child, level, output);
    return;
  }
  const isAttachment = part.disposition === "attachment" || (part.filename !== "" && !part.type.startsWith("text/"));
  if (part.type === "message/rfc822" && level < 5) {
    const inner = parseMime(bodyBytes(part));
    writeHead(inner, out, level + 1);
    await writeBody(inner, level + 1, output);
  } else if (!isAttachment && part.type === "text/html") {
    const bytes = bodyBytes(part);
    const title = out.title;
    parseHtml(decodeText(bytes, part.parameters.get("charset") ?? htmlCharset(bytes)).text, out);
    out.title = title ?? out.title;
    out.gap();
  } else if (!isAttachment && (STATUS.has(part.type) || (part.type.startsWith("text/") && part.type !== "text/css"))) {
    writeText(part, out);
  } else if (output.nested !== null && part.body.length > 0) {
    await writeAttachment(part, level, { out, nested: output.nested });
  }
}

function writeText(part: MimePart, out: DocumentBuilder): void {
  const bytes = bodyBytes(part);
  const charset = part.parameters.get("charset") ?? null;
  if (looksLikeCalendar(bytes)) {
    out.gap();
    writeCalendar(decodeCalendar(bytes, charset).text, out);
    return;
  }
  const { text } = decodeText(bytes, charset);
  const isFlowed = part.parameters.get("format")?.toLowerCase() === "flowed" && part.type === "text/plain";
  out.block((isFlowed ? unwrapFlowed(text, part.parameters.get("delsp")?.toLowerCase() === "yes") : text).trim());
}

async function writeAttachment(
  part: MimePart,
  level: number,
  { out, nested }: { out: DocumentBuilder; nested: ParseNested },
): Promise<void> {
  const name = part.filename.replace(/\s+/g, " ").trim();
  if (name === "" || part.type.startsWith("image/")) return;
  const document = await nested(bodyBytes(part), name, part.type);
  if (document === null) {
    out.block(`[Attachment: ${name}]`);
    return;
  }
  out.heading(level + 1, `Attachment: ${name}`);
  out.append(document, level + 1);
}

/** Of related parts the root; the others are what it shows. */
function relevant(part: MimePart): MimePart[] {
  if (part.type !== "multipart/related") return part.parts;
  const start = part.parameters.get("start");
  const root =
    part.parts.find((child) => start !== undefined && child.headers.get("content-id") === start) ?? part.parts[0]!;
  return [root, ...part.parts.filter((child) => child !== root && child.disposition === "attachment")];
}

function isWebArchive(message: MimePart): boolean {
  if (message.headers.has("snapshot-content-location") || /saved by/i.test(message.headers.get("from") ?? ""))
    return true;
  return message.type === "multipart/related" && !message.headers.has("to") && !message.headers.has("received");
}

const MAIL_HEADERS = new Set([
  "from",
  "to",
  "subject",
  "date",
  "message-id",
  "received",
  "mime-version",
  "return-path",
  "delivered-to",
  "content-type",
  "x-mailer",
  "reply-to",
]);

/** Whether a file begins with the headers of a message. */
export function looksLikeMail(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 65_536))
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "");
  const block = head.split(/\r?\n\r?\n/, 1)[0]!;
  const lines = block.split(/\r?\n/);
  let known = 0;
  for (const line of lines) {
    if (/^[ \t]/.test(line)) continue;
    const name = /^([!-9;-~]+):/.exec(line)?.[1];
    if (name === undefined) return false;
    if (MAIL_HEADERS.has(name.toLowerCase())) known++;
  }
  return known >= 2;
}

const MAILBOX_LINE = /^From \S+ .*\d{4}/;

export function looksLikeMailbox(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 4096)).toString("latin1");
  if (!MAILBOX_LINE.test(head)) return false;
  return looksLikeMail(bytes.subarray(head.indexOf("\n") + 1));
}

function* splitMailbox(bytes: Uint8Array): Generator<Uint8Array> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = file.indexOf(0x0a) + 1;
  for (let at = file.indexOf("\nFrom ", start); at >= 0; at = file.indexOf("\nFrom ", at + 1)) {
    const line = file.subarray(at + 1, at + 200).toString("latin1");
    if (!MAILBOX_LINE.test(line.split("\n", 1)[0]!)) continue;
    yield bytes.subarray(start, at);
    const end = file.indexOf(0x0a, at + 1);
    start = end < 0 ? bytes.length : end + 1;
  }
  if (start < bytes.length) yield bytes.subarray(start);
}
