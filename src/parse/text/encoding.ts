import { isAscii, isUtf8 } from "node:buffer";
import iconv from "iconv-lite";

import { decodeEbcdic, ebcdicName, looksEbcdic } from "./ebcdic.ts";
import { guessCodePage } from "./encoding-guess.ts";
import type { MixedLines } from "./encoding-mixed.ts";
import { decodeMixed, mixedLines } from "./encoding-mixed.ts";
import { decodeSevenBit, sevenBitEncoding } from "./encoding-seven-bit.ts";

/**
 * Bytes -> text, whatever wrote them. In this order: a byte order mark; the zero bytes of UTF-16 and
 * UTF-32; sound UTF-8; what is declared, unless the text it gives is worse than a guess; nearly
 * sound UTF-8, line by line where others are mixed in; a guess from what languages look like. Whatever is doubtful is said in `warnings`.
 */
export interface DecodedText {
  /** Lines end with "\n", no byte order mark, no NUL. */
  text: string;
  encoding: string;
  /** Whether the text looks like none that its encoding, a guessed one, is used for. */
  doubtful: boolean;
  warnings: string[];
}

export function decodeText(bytes: Uint8Array, declared: string | null = null): DecodedText {
  const warnings: string[] = [];
  const { encoding, skip, doubtful = false, mixed } = chooseEncoding(bytes, declared, warnings);
  const body = skip > 0 ? bytes.subarray(skip) : bytes;
  const raw = mixed === undefined ? decodeAs(body, encoding) : decodeMixed(body, mixed, decodeAs);
  return { text: soundLines(raw, warnings), encoding, doubtful, warnings };
}

interface Choice {
  encoding: string;
  doubtful?: boolean;
  mixed?: MixedLines;
}

function chooseEncoding(file: Uint8Array, declared: string | null, warnings: string[]): Choice & { skip: number } {
  const mark = byteOrderMark(file);
  // Some tools add a mark to text in another encoding; only UTF-8 can be checked.
  if (mark !== null && (mark.encoding !== "utf-8" || keepsMark(file.subarray(mark.skip)))) {
    if (mark.encoding === "utf-8") warnAboutUtf8(file, warnings);
    return mark;
  }
  const skip = mark?.skip ?? 0;
  return { ...withoutMark(file.subarray(skip), skip === 0 ? declared : (declared ?? "utf-8"), warnings), skip };
}

function keepsMark(bytes: Uint8Array): boolean {
  const { broken, share } = brokenUtf8(bytes);
  return broken === 0 || (share < 0.3 && mixedLines(bytes, { share: lineShare, decode: decodeAs }) === null);
}

function lineShare(line: Uint8Array): number {
  return brokenUtf8(line).share;
}

function withoutMark(bytes: Uint8Array, declared: string | null, warnings: string[]): Choice {
  const wide = guessWide(bytes);
  if (wide !== null) return { encoding: wide };
  const label = declared === null ? null : canonicalEncoding(declared);
  if (isAscii(bytes)) return { encoding: sevenBitEncoding(bytes, label) ?? "utf-8" };
  if (label !== null && ebcdicName(label) !== null && (looksEbcdic(bytes) || isPlain(decodeEbcdic(bytes, label))))
    return { encoding: label };
  if (isUtf8(bytes)) return { encoding: "utf-8" };
  if (looksEbcdic(bytes)) {
    warnings.push("The text encoding is not declared; it was read as EBCDIC (code page 037).");
    return { encoding: "ibm037" };
  }
  const broken = brokenUtf8(bytes);
  const mixed = label === null || label === "utf-8" ? mixedLines(bytes, { share: lineShare, decode: decodeAs }) : null;
  if (mixed !== null) {
    const lines = mixed.places.length / 2;
    const what = lines === 1 ? "1 line is" : `${lines} lines are`;
    warnings.push(`The text is in two encodings: ${what} not UTF-8 and read as ${mixed.encoding}.`);
    return { encoding: "utf-8", mixed };
  }
  if (broken.share < 0.2) {
    warnAboutUtf8(bytes, warnings);
    return { encoding: "utf-8" };
  }
  return eightBit(bytes, { declared, label }, warnings);
}

/** Hardly anything but the letters, digits and marks of a keyboard. */
function isPlain(text: string): boolean {
  const plain = text.match(/[A-Za-z0-9\s.,;:!?'"()/-]/g)?.length ?? 0;
  return plain > 0.9 * text.length;
}

/** Encodings of one byte a character in which ASCII is ASCII. */
const CODE_PAGE = /^(?:windows-\d|iso-8859-|koi8-|ibm866|macintosh|x-mac-|cp(?:437|8\d\d)$)/;
/** A few letters are no reason to disbelieve a declaration. */
const ENOUGH_EVIDENCE = 24;
/** Shares of the guess's confidence below which a declaration is not believed, and below which its text looks like none. */
const MISFIT = 0.5;
const HOPELESS = 0.1;

function eightBit(
  bytes: Uint8Array,
  { declared, label }: { declared: string | null; label: string | null },
  warnings: string[],
): { encoding: string; doubtful: boolean } {
  // Short strings, of which messages hold thousands, would not be believed against it anyway.
  if (label !== null && CODE_PAGE.test(label) && isShort(bytes) && !decodeAs(bytes, label).includes("\ufffd"))
    return { encoding: label, doubtful: false };
  const guess = guessCodePage(bytes, label === "utf-8" ? null : label);
  if (label === null || label === "utf-8" || guess.declaredShare === null) {
    if (declared !== null) {
      warnings.push(`The declared text encoding ${shown(declared)} does not fit; it was read as ${guess.encoding}.`);
    } else if (guess.doubtful) {
      warnings.push(`The text encoding is uncertain; it was read as ${guess.encoding}.`);
    }
    return { encoding: guess.encoding, doubtful: guess.doubtful };
  }
  const isBetter = guess.declaredShare < MISFIT && guess.evidence >= ENOUGH_EVIDENCE;
  if (guess.encoding !== label && isBetter && !guess.doubtful) {
    warnings.push(`The declared text encoding ${shown(label)} does not fit; it was read as ${guess.encoding}.`);
    return { encoding: guess.encoding, doubtful: false };
  }
  return { encoding: label, doubtful: guess.declaredShare < HOPELESS };
}

function isShort(bytes: Uint8Array): boolean {
  let evidence = 0;
  for (let i = 0; i < bytes.length && evidence < ENOUGH_EVIDENCE; i++) if (bytes[i]! > 0x7f) evidence++;
  return evidence < ENOUGH_EVIDENCE;
}

function shown(label: string): string {
  return label.replace(/[^\w.:-]/g, "").slice(0, 40);
}

/** WHATWG or iconv name of a declared encoding in lower case, or null where nothing here decodes it. */
export function canonicalEncoding(label: string): string | null {
  const clean = label
    .trim()
    .toLowerCase()
    .replace(/^["']|["']$/g, "");
  if (clean === "" || clean === "unicode") return null;
  const ebcdic = ebcdicName(clean);
  if (ebcdic !== null && !["ibm866", "ibm819"].includes(clean)) return ebcdic;
  if (clean === "utf-7" || clean === "hz-gb-2312" || clean === "iso-2022-kr") return clean;
  const decoder = decoderOf(clean);
  if (decoder !== null) return decoder.encoding.toLowerCase();
  return iconv.encodingExists(clean) ? clean : null;
}

/** Decoders by what they were asked for as: a file of many parts asks thousands of times. */
const decoders = new Map<string, TextDecoder | null>();
const MOST_DECODERS = 200;

/** Null for an encoding that it does not know. */
function decoderOf(encoding: string): TextDecoder | null {
  const known = decoders.get(encoding);
  if (known !== undefined) return known;
  if (decoders.size >= MOST_DECODERS) decoders.clear();
  let decoder: TextDecoder | null = null;
  try {
    decoder = new TextDecoder(encoding as Bun.Encoding, { ignoreBOM: false });
  } catch {
    // A label that the standard does not have.
  }
  decoders.set(encoding, decoder);
  return decoder;
}

/** Decodes without a check; bytes that mean nothing become U+FFFD. */
export function decodeAs(bytes: Uint8Array, encoding: string): string {
  if (ebcdicName(encoding) !== null) return decodeEbcdic(bytes, encoding);
  if (encoding === "utf-7" || encoding === "hz-gb-2312" || encoding === "iso-2022-kr")
    return decodeSevenBit(bytes, encoding);
  const decoder = decoderOf(encoding);
  if (decoder !== null) return decoder.decode(bytes);
  return iconv.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), encoding);
}

function byteOrderMark(b: Uint8Array): { encoding: string; skip: number } | null {
  if (b[0] === 0xef && b[1] === 0xbb && b[2] === 0xbf) return { encoding: "utf-8", skip: 3 };
  if (b[0] === 0xff && b[1] === 0xfe) {
    if (b.length >= 4 && b[2] === 0 && b[3] === 0 && b.length % 4 === 0) return { encoding: "utf-32le", skip: 4 };
    return { encoding: "utf-16le", skip: 2 };
  }
  if (b[0] === 0xfe && b[1] === 0xff) return { encoding: "utf-16be", skip: 2 };
  if (b[0] === 0 && b[1] === 0 && b[2] === 0xfe && b[3] === 0xff) return { encoding: "utf-32be", skip: 4 };
  return null;
}

const SAMPLE = 65_536;

/** UTF-16 or UTF-32 without a mark: text in them has zero and control bytes where no other text has. */
export function guessWide(bytes: Uint8Array): string | null {
  const sample = bytes.subarray(0, SAMPLE);
  if (!sample.includes(0)) return guessScript(sample);
  for (const encoding of ["utf-32le", "utf-32be"]) {
    if (isUtf32(sample, encoding === "utf-32le")) return encoding;
  }
  if (sample.length < 4) return null;
  const [le, be] = [wideQuality(sample, true), wideQuality(sample, false)];
  const best = le.ascii >= be.ascii ? le : be;
  // A short text must show more, or a strewn zero byte would make UTF-16 of it.
  const enough = sample.length < 256 || sample.length % 2 === 1 ? 0.3 : 0.004;
  if (best.bad > 0.01 || best.ascii < enough) return guessScript(sample);
  return best === le ? "utf-16le" : "utf-16be";
}

function isUtf32(sample: Uint8Array, little: boolean): boolean {
  const units = sample.length >> 2;
  if (units < 2) return false;
  const view = new DataView(sample.buffer, sample.byteOffset, units * 4);
  for (let i = 0; i < units; i++) {
    const point = view.getUint32(i * 4, little);
    if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return true;
}

const CONTROL_SHARE = 0.03;
const OF_A_SCRIPT =
  /[\t\n\r -~\u00a0-\u00ff\u0370-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u1e00-\u1fff\u2000-\u206f\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]/g;

/** UTF-16 of scripts that need no zero byte: it is full of control bytes, but made of letters when read as such. */
function guessScript(sample: Uint8Array): string | null {
  if (sample.length < 8 || sample.length % 2 === 1) return null;
  let controls = 0;
  for (const byte of sample) if (byte !== 0 && (byte < 9 || (byte > 13 && byte < 32))) controls++;
  if (controls < CONTROL_SHARE * sample.length) return null;
  for (const encoding of ["utf-16le", "utf-16be"] as const) {
    const text = new TextDecoder(encoding).decode(sample);
    const known = text.match(OF_A_SCRIPT)?.length ?? 0;
    if (known >= 0.97 * text.length && !/[\0-\x08\x0e-\x1f]/.test(text)) return encoding;
  }
  return null;
}

const NO_CHARACTER = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd\p{Cn}\p{Co}]/gu;

function wideQuality(sample: Uint8Array, little: boolean): { bad: number; ascii: number } {
  const even = sample.subarray(0, sample.length & ~1);
  const text = new TextDecoder(little ? "utf-16le" : "utf-16be").decode(even);
  let ascii = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit >= 0x20 && unit < 0x7f) || (unit >= 9 && unit <= 13)) ascii++;
  }
  const bad = text.match(NO_CHARACTER)?.length ?? 0;
  return { bad: bad / text.length, ascii: ascii / text.length };
}

/** How far text is from UTF-8: bytes above ASCII that are not part of a sound sequence. */
function brokenUtf8(bytes: Uint8Array): { broken: number; share: number } {
  let high = 0;
  let broken = 0;
  for (let i = 0; i < bytes.length;) {
    const byte = bytes[i]!;
    if (byte < 0x80) {
      i++;
      continue;
    }
    const length =
      byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 1;
    let good = length > 1;
    for (let k = 1; k < length && good; k++) good = (bytes[i + k] ?? 0) >> 6 === 2;
    high += good ? length : 1;
    if (!good) broken++;
    i += good ? length : 1;
  }
  return { broken, share: high === 0 ? 0 : broken / high };
}

function warnAboutUtf8(bytes: Uint8Array, warnings: string[]): void {
  const { broken } = brokenUtf8(bytes);
  if (broken === 0) return;
  const what = broken === 1 ? "1 byte is" : `${broken} bytes are`;
  warnings.push(`${what} not valid UTF-8; each was replaced by the replacement character.`);
}

function soundLines(raw: string, warnings: string[]): string {
  let text = raw.charCodeAt(0) === 0xfeff ? raw.slice(1) : raw;
  if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
  if (text.includes("\0")) {
    warnings.push("NUL characters were removed from the text.");
    text = text.replaceAll("\0", "");
  }
  return text.isWellFormed() ? text : text.toWellFormed();
}
