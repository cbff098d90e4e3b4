import { decodeWords } from "../parse/mail/mime.ts";
import { normalized } from "../stream-safe.ts";

const MAX_NAME_BYTES = 512;
const MAX_EXTENSION_BYTES = 32;
/** Characters of a name in encoded words. */
const MAX_ENCODED = 8192;

export interface NameOptions {
  /** Folders before the name stay, all but those that climb or root (`..`, `/`, `C:`). */
  keepsFolders?: boolean | undefined;
}

/**
 * A client's file name as display text. It never becomes a path on this machine, but clients show it and save under it:
 * control characters go, the extension survives shortening, accents are composed. A path is that of the client's
 * machine, and nobody else's business (RFC 7578, 4.2): its last part is the name, unless folders are to be kept.
 */
export function displayName(sent: string | undefined, { keepsFolders = false }: NameOptions = {}): string {
  const clean = normalized(decoded(sent ?? "").toWellFormed(), "NFC")
    .replaceAll("%22", '"')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "");
  const parts = clean
    .replaceAll("\\", "/")
    .split("/")
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "." && part !== ".." && !/^[A-Za-z]:$/.test(part));
  const name = keepsFolders ? parts.join("/") : parts.at(-1);
  return name === undefined || name === "" ? "upload" : shortened(name);
}

/** Java's and older mail libraries write names as in a mail's header (RFC 2047). */
function decoded(sent: string): string {
  return sent.includes("=?") && sent.length <= MAX_ENCODED ? decodeWords(sent) : sent;
}

/** The value of a `Content-Disposition` header that saves under the last part of `name` (RFC 6266, RFC 5987). */
export function attachment(name: string): string {
  const last = name.split("/").at(-1) ?? name;
  const ascii = last.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(last.toWellFormed()).replace(
    /['()*!]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const extension = /\.[^./]+$/.exec(name)?.[0] ?? "";
  const kept = Buffer.byteLength(extension) <= MAX_EXTENSION_BYTES ? extension : "";
  return cut(name.slice(0, name.length - kept.length), MAX_NAME_BYTES - Buffer.byteLength(kept)) + kept;
}

/** At most `bytes` bytes of UTF-8, cut between characters. */
function cut(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}

/** The type and subtype of a content type as sent, or null where it is not well-formed: it becomes a header of answers. */
export function safeMime(sent: string): string | null {
  const mime = sent.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return mime.length <= 127 && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(mime) ? mime : null;
}
