import { looksEbcdic } from "./text/ebcdic.ts";
import { guessWide } from "./text/encoding.ts";
import { sevenBitEncoding } from "./text/encoding-seven-bit.ts";
import { imageFrames } from "./image.ts";

/** What a file is by its first bytes, whatever it is called; "binary" is anything that is known to hold no text or not known at all. */
export type Container = "pdf" | "zip" | "ole" | "rtf" | "gzip" | "image" | "binary" | "text";

const MAGIC: readonly [Container, string, number][] = [
  ["zip", "PK\x03\x04", 0],
  ["zip", "PK\x05\x06", 0],
  ["zip", "PK\x07\x08", 0],
  ["ole", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0],
  ["gzip", "\x1f\x8b\x08", 0],
  ["binary", "BZh", 0],
  ["binary", "ustar", 257],
];

const PDF_SEARCH = 1024;

export function containerOf(bytes: Uint8Array): Container {
  const head = Buffer.from(bytes.subarray(0, PDF_SEARCH)).toString("latin1");
  for (const [container, magic, at] of MAGIC)
    if (head.startsWith(magic, at) && (magic !== "BZh" || /[\x80-\xff]/.test(head))) return container;
  if (/^\s*\{\\rtf/.test(head.replace(/^\xef\xbb\xbf/, ""))) return "rtf";
  // A PDF may have rubbish before its header, but a text that speaks of "%PDF-" is none.
  const pdf = head.indexOf("%PDF-");
  if (
    pdf === 0 ||
    (pdf > 0 && (/[\0-\x08\x80-\xff]/.test(head.slice(0, pdf + 40)) || /^\s*$/.test(head.slice(0, pdf))))
  )
    return "pdf";
  if (imageFrames(bytes) !== null) return "image";
  return isBinary(bytes) ? "binary" : "text";
}

const SAMPLE = 65_536;

/** Control characters that no text has, apart from the zero bytes of UTF-16 and UTF-32 and strewn NULs. */
function isBinary(bytes: Uint8Array): boolean {
  if (startsWithWideMark(bytes) || guessWide(bytes) !== null || looksEbcdic(bytes)) return false;
  if (bytes.includes(0x0e) && sevenBitEncoding(bytes.subarray(0, SAMPLE), null) !== null) return false;
  const sample =
    bytes.length <= 2 * SAMPLE
      ? bytes
      : Buffer.concat([bytes.subarray(0, SAMPLE), bytes.subarray(bytes.length - SAMPLE)]);
  const { length, controls, nuls } = countControls(sample);
  if (length === 0 || nuls > length * 0.3) return true;
  if (controls <= length * 0.01 + 2) return false;
  return controls > length * MOST_CONTROLS || !isPlainText(sample);
}

/** Text with marks of a terminal or of a transmission among its words has fewer control characters. */
const MOST_CONTROLS = 0.25;
/** Text that was cut by a crash is padded with as many NULs or more. */
const PADDING = 8;

/** Control characters that say something, which overstrikes ("N\bN") and the padding of a log do not. */
function countControls(sample: Uint8Array): { length: number; controls: number; nuls: number } {
  let controls = 0;
  let nuls = 0;
  let padding = 0;
  let run = 0;
  for (let i = 0; i <= sample.length; i++) {
    const byte = sample[i];
    if (byte === 0) {
      run++;
      continue;
    }
    if (run >= PADDING) padding += run;
    else nuls += run;
    run = 0;
    if (byte === undefined || (byte === 0x08 && isOverstrike(sample, i))) continue;
    if (byte < 9 || (byte > 13 && byte < 32 && byte !== 0x1a && byte !== 0x1b) || byte === 0x7f) controls++;
  }
  return { length: sample.length - padding, controls, nuls };
}

function isOverstrike(sample: Uint8Array, at: number): boolean {
  const before = sample[at - 1] ?? 0;
  const after = sample[at + 1] ?? 0;
  if (before <= 0x20 || after <= 0x20) return false;
  return before === after || before === 0x5f || after === 0x5f || before === 0x2b || after === 0x2b || after > 0x7f;
}

/** Many letters and blanks, in ASCII or sound UTF-8: no format of bytes looks like that. */
function isPlainText(sample: Uint8Array): boolean {
  let plain = 0;
  let high = 0;
  for (const byte of sample) {
    if (byte > 0x7f) high++;
    else if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || isAlphanumeric(byte)) plain++;
  }
  if (plain + high < 0.3 * sample.length) return false;
  if (high === 0) return true;
  // The sample's edges may cut a character in two.
  const text = new TextDecoder().decode(sample);
  return (text.match(/\ufffd/g)?.length ?? 0) <= 4;
}

function isAlphanumeric(byte: number): boolean {
  const lower = byte | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39);
}

function startsWithWideMark(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

/** Extension in lower case without its dot; "" where there is none. */
export function extensionOf(filename: string): string {
  const base = filename.split(/[\\/]/).at(-1) ?? "";
  return /\.([^.\s]{1,12})$/.exec(base)?.[1]?.toLowerCase() ?? "";
}
