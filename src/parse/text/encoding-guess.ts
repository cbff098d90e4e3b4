import iconv from "iconv-lite";
import type * as jschardet from "jschardet";

/**
 * Tells code pages apart by what languages look like in them, on a sample of what lies outside ASCII. The library knows
 * the languages; which of its answers to believe, and how far, is settled here.
 */
export interface CodePageGuess {
  encoding: string;
  /** How well the declared encoding fits, against the guess: 1 is as well; null where none that can be decoded is given. */
  declaredShare: number | null;
  doubtful: boolean;
  /** Bytes above ASCII that the guess rests on. */
  evidence: number;
}

/** The library's names of the code pages that are considered, and their names here. */
const PAGES: Record<string, string> = {
  cp1252: "windows-1252",
  cp1250: "windows-1250",
  "iso8859-2": "iso-8859-2",
  cp1254: "windows-1254",
  cp1257: "windows-1257",
  "iso8859-13": "iso-8859-13",
  "iso8859-4": "iso-8859-4",
  cp1258: "windows-1258",
  cp1251: "windows-1251",
  "koi8-r": "koi8-r",
  "koi8-u": "koi8-u",
  cp866: "ibm866",
  "iso8859-5": "iso-8859-5",
  "mac-cyrillic": "x-mac-cyrillic",
  cp1253: "windows-1253",
  "iso8859-7": "iso-8859-7",
  cp1255: "windows-1255",
  "iso8859-8": "iso-8859-8",
  cp1256: "windows-1256",
  "iso8859-6": "iso-8859-6",
  cp874: "windows-874",
  "mac-roman": "macintosh",
  cp850: "cp850",
  cp437: "cp437",
  cp852: "cp852",
  cp932: "shift_jis",
  euc_jis_2004: "euc-jp",
  gb18030: "gb18030",
  big5hkscs: "big5",
  euc_kr: "euc-kr",
};

const SAMPLE_BYTES = 6144;
/** Confidence below which a guess is none. */
const LEAST_CONFIDENCE = 0.02;
const LEAST_WITH_EVIDENCE = 0.05;
/** Bytes above ASCII from which the better of two readings is trusted, however little better it is. */
const ENOUGH_EVIDENCE = 24;
/** Bytes above ASCII below which nothing but the commonest code pages is believed. */
const LITTLE_EVIDENCE = 10;
/** As few as a word or two have. */
const LEAST_EVIDENCE = 4;
const CLOSE = 0.85;
const RARE = /^(?:mac|x-mac|cp|iso|ibm)/;

export function guessCodePage(bytes: Uint8Array, declared: string | null): CodePageGuess {
  const sample = sampleAround(bytes);
  const readings = readingsOf(sample);
  let evidence = 0;
  for (const byte of sample) if (byte > 0x7f) evidence++;
  const letters = asciiLetters(sample);
  let best = readings[0] ?? { encoding: "windows-1252", confidence: 0, text: "" };
  const weakest = evidence < ENOUGH_EVIDENCE ? LEAST_CONFIDENCE : LEAST_WITH_EVIDENCE;
  const isWeak = best.confidence < weakest;
  // A word or two among plain ASCII say little; then the commonest page of the West is the best bet.
  const western = readings.find((reading) => reading.encoding === "windows-1252");
  const isBet = letters > 2 * evidence && (isWeak || evidence < LEAST_EVIDENCE) && western !== undefined;
  if (isBet && (isWeak || western.confidence > CLOSE * best.confidence)) best = western;
  else best = commonest(readings, best);
  const rival = readings.find((reading) => reading.text !== best.text && (isBet || !RARE.test(reading.encoding)));
  const isClose = evidence < ENOUGH_EVIDENCE && (rival?.confidence ?? 0) > CLOSE * best.confidence;
  const isRare = evidence < LITTLE_EVIDENCE && RARE.test(best.encoding);
  return {
    encoding: best.encoding,
    declaredShare: declared === null ? null : shareOf(declared, sample, readings),
    doubtful: isWeak || isClose || isRare,
    evidence,
  };
}

/** Of the pages that read the sample alike the first one named above. */
function commonest(readings: readonly Reading[], best: Reading): Reading {
  const order = Object.values(PAGES);
  const alike = readings.filter((reading) => reading.text === best.text);
  return alike.toSorted((a, b) => order.indexOf(a.encoding) - order.indexOf(b.encoding))[0] ?? best;
}

interface Reading {
  encoding: string;
  confidence: number;
  text: string;
}

/**
 * The library's tables take longer to load than most documents to be parsed, and most are UTF-8: they are loaded by the
 * first document that is not. `require`, since whoever decodes does not wait.
 */
function guesser(): (typeof jschardet)["chardet"] {
  return (require("jschardet") as typeof jschardet).chardet;
}

/** Ways to read the sample, best first. */
function readingsOf(sample: Uint8Array): Reading[] {
  // Signs with which a text declares its own encoding are no evidence here; no character of two bytes holds them.
  const plain = sample.map((byte) => (byte === 0x3a || byte === 0x3c || byte === 0x3d ? 0x20 : byte));
  const found = guesser().detectAll(plain, {
    maxBytes: SAMPLE_BYTES,
    compatNames: false,
    ignoreThreshold: true,
    includeEncodings: Object.keys(PAGES),
  });
  const out: Reading[] = [];
  for (const { encoding, confidence } of found) {
    const name = encoding === null ? undefined : PAGES[encoding];
    if (name === undefined) continue;
    const text = decode(sample, name);
    if (text !== null) out.push({ encoding: name, confidence: confidence * soundness(text), text });
  }
  return out.sort((a, b) => b.confidence - a.confidence);
}

const WORD = /[\p{L}\p{M}]+/gu;
const LATIN_LETTER = /[a-zA-Z\u00c0-\u024f]/;
const OTHER_LETTER = /[\u0370-\u0eff]/;
const CASE_BREAK = /\p{Ll}\p{Lu}/u;
/** Marks that no word has inside. */
const MARK_IN_WORD = /(?<=\p{L})[\u201a\u201c-\u201e\u2022\u2122«»°€§©®¿¡´£¤¦¨¬¯±¶¸\u2026\u2500-\u25ff](?=\p{L})/gu;

/** What the library, which counts pairs of bytes, does not see: words of two scripts, or with signs or capitals inside. */
function soundness(text: string): number {
  let words = 0;
  let wrong = 0;
  for (const [word] of text.matchAll(WORD)) {
    if (!OUTSIDE.test(word)) continue;
    words++;
    if ((LATIN_LETTER.test(word) && OTHER_LETTER.test(word)) || CASE_BREAK.test(word)) wrong++;
  }
  const marks = text.match(MARK_IN_WORD)?.length ?? 0;
  const share = (wrong + marks) / Math.max(1, words + marks);
  return (1 - share) ** 2;
}

const OUTSIDE = /[^\x00-\x7f]/;

/** A declared page that is not considered here is taken at its word where it can be decoded. */
function shareOf(declared: string, sample: Uint8Array, readings: readonly Reading[]): number | null {
  const text = decode(sample, declared);
  if (text === null) return null;
  const best = readings[0]?.confidence ?? 0;
  const own = readings.find((reading) => reading.encoding === declared || reading.text === text);
  if (own === undefined) return Object.values(PAGES).includes(declared) ? 0 : 1;
  return best === 0 ? 1 : own.confidence / best;
}

/** Stretches of the file that hold bytes above ASCII, cut where no multi-byte character can be split. */
function sampleAround(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(SAMPLE_BYTES);
  let length = 0;
  let at = 0;
  let done = 0;
  while (at < bytes.length && length < SAMPLE_BYTES) {
    while (at < bytes.length && bytes[at]! < 0x80) at++;
    let from = at;
    while (from > done && at - from < 24 && bytes[from - 1]! !== 0x0a) from--;
    let to = Math.min(bytes.length, at + 200);
    while (to < bytes.length && to - at < SAMPLE_BYTES && bytes[to]! >= 0x30) to++;
    const part = bytes.subarray(from, Math.min(to, from + SAMPLE_BYTES - length));
    out.set(part, length);
    length += part.length;
    at = to;
    done = to;
  }
  return out.subarray(0, length);
}

function asciiLetters(sample: Uint8Array): number {
  let count = 0;
  for (const byte of sample) if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) count++;
  return count;
}

const DECODE_ERROR = /\ufffd/g;

function decode(sample: Uint8Array, encoding: string): string | null {
  let text: string;
  try {
    text = new TextDecoder(encoding as Bun.Encoding).decode(sample);
  } catch {
    if (!iconv.encodingExists(encoding)) return null;
    text = iconv.decode(Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength), encoding);
  }
  // The sample's edges may cut a character; more errors than that rule the encoding out.
  const errors = text.match(DECODE_ERROR)?.length ?? 0;
  return errors > 2 + text.length * 0.002 ? null : text;
}
