import iconv from "iconv-lite";

import { COMMON_CHARACTERS, LETTER_PAIRS } from "./encoding-model.ts";

/**
 * Tells code pages apart by reading a sample in each of them and asking how much of what lies
 * outside ASCII is what some language of that code page commonly writes: 1 is perfect text, below
 * 0.3 is probably none of it.
 */
export interface CodePageGuess {
  encoding: string;
  score: number;
  /** Score of the declared encoding; null where none is given or it cannot be decoded that way. */
  declaredScore: number | null;
  doubtful: boolean;
  /** Bytes above ASCII that the guess rests on. */
  evidence: number;
}

/** Languages that each code page serves. The small handicap decides between pages that read a text alike. */
const PAGES: readonly [encoding: string, handicap: number, languages: readonly string[]][] = [
  ["windows-1252", 0, ["de", "fr", "es", "pt", "it", "sv", "da", "nb", "is", "fi", "nl", "ca"]],
  ["windows-1250", 0.03, ["pl", "cs", "sk", "hu", "hr", "sl", "ro"]],
  ["iso-8859-2", 0.04, ["pl", "cs", "sk", "hu", "hr", "sl", "ro"]],
  ["windows-1254", 0.03, ["tr"]],
  ["windows-1257", 0.03, ["lt", "lv", "et"]],
  ["iso-8859-13", 0.05, ["lt", "lv", "et"]],
  ["iso-8859-4", 0.06, ["lt", "lv", "et"]],
  ["windows-1258", 0.04, ["vi"]],
  ["windows-1251", 0, ["ru", "uk", "bg", "sr", "mk", "be"]],
  ["koi8-r", 0.02, ["ru", "bg"]],
  ["koi8-u", 0.021, ["uk", "be"]],
  ["ibm866", 0.02, ["ru", "uk", "bg", "be"]],
  ["iso-8859-5", 0.03, ["ru", "uk", "bg", "sr", "mk", "be"]],
  ["x-mac-cyrillic", 0.035, ["ru", "uk", "bg"]],
  ["windows-1253", 0, ["el"]],
  ["iso-8859-7", 0.01, ["el"]],
  ["windows-1255", 0, ["he"]],
  ["iso-8859-8", 0.02, ["he"]],
  ["windows-1256", 0, ["ar", "fa"]],
  ["iso-8859-6", 0.02, ["ar"]],
  ["windows-874", 0.02, ["th"]],
  ["macintosh", 0.06, ["de", "fr", "es", "pt", "it", "sv", "da", "nb", "is", "nl"]],
  ["cp850", 0.06, ["de", "fr", "es", "pt", "it", "sv", "da", "nb", "is", "nl"]],
  ["cp437", 0.08, ["de", "fr", "es", "sv"]],
  ["cp852", 0.08, ["pl", "cs", "sk", "hu", "hr", "sl", "ro"]],
  ["shift_jis", 0, ["ja"]],
  ["euc-jp", 0, ["ja"]],
  ["gb18030", 0, ["zh"]],
  ["big5", 0, ["zht"]],
  ["euc-kr", 0, ["ko"]],
];

const SAMPLE_BYTES = 6144;
const DOUBTFUL_SCORE = 0.45;
/** Bytes above ASCII from which the better of two readings is trusted, however little better it is. */
const ENOUGH_EVIDENCE = 24;
const CLOSE_SCORE = 0.1;
/** Bytes above ASCII below which nothing but the commonest code pages is believed. */
const LITTLE_EVIDENCE = 10;
const RARE = /^(?:mac|x-mac|cp|iso)/;

export function guessCodePage(bytes: Uint8Array, declared: string | null): CodePageGuess {
  const sample = sampleAround(bytes);
  let best = { encoding: "windows-1252", score: -Infinity };
  let declaredScore: number | null = null;
  /** Best score of each way to read the sample. */
  const readings = new Map<string, number>();
  for (const [encoding, handicap, languages] of PAGES) {
    const text = decode(sample, encoding);
    if (text === null) continue;
    const reading = read(encoding === "windows-1258" ? text.normalize("NFC") : text);
    const worth = Math.max(...languages.map((language) => score(reading, language))) - handicap;
    if (encoding === declared) declaredScore = worth;
    readings.set(text, Math.max(worth, readings.get(text) ?? -Infinity));
    if (worth > best.score) best = { encoding, score: worth };
  }
  if (declared !== null && declaredScore === null && decode(sample, declared) !== null) declaredScore = best.score;
  let evidence = 0;
  for (const byte of sample) if (byte > 0x7f) evidence++;
  // A word or two among plain ASCII say little; then the commonest page of the West is the best bet.
  if (best.score < DOUBTFUL_SCORE && asciiLetters(sample) > 2 * evidence) best = { ...best, encoding: "windows-1252" };
  const chosen = decode(sample, best.encoding);
  const rival = Math.max(...[...readings].map(([text, worth]) => (text === chosen ? -Infinity : worth)));
  const isClose = evidence < ENOUGH_EVIDENCE && rival > best.score - CLOSE_SCORE * (evidence < LITTLE_EVIDENCE ? 2 : 1);
  const isRare =
    evidence < LITTLE_EVIDENCE &&
    (RARE.test(best.encoding) || asciiLetters(sample) > evidence) &&
    best.encoding !== "windows-1252";
  return { ...best, declaredScore, doubtful: best.score < DOUBTFUL_SCORE || isClose || isRare, evidence };
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

const ranked = new Map<string, Map<number, number>>();

/** Weight of a language's pairs or characters: 1 for the commonest down to 0.6. */
function weightsOf(language: string): Map<number, number> {
  const known = ranked.get(language);
  if (known !== undefined) return known;
  const weights = new Map<number, number>();
  const pairs = LETTER_PAIRS[language];
  const source = pairs ?? COMMON_CHARACTERS[language] ?? "";
  const step = pairs === undefined ? 1 : 2;
  for (let i = 0; i < source.length; i += step) {
    weights.set(step === 2 ? pairKey(source, i) : source.charCodeAt(i), 1 - (0.4 * i) / source.length);
  }
  ranked.set(language, weights);
  return weights;
}

function pairKey(text: string, at: number): number {
  return text.charCodeAt(at) * 65_536 + text.charCodeAt(at + 1);
}

const WORD = /[\p{L}\p{M}]+/gu;
const OUTSIDE = /[^\x00-\x7f]/gu;
const QUIET_SYMBOL = /[\u00a0\u2018-\u201e\u2013\u2014\u2026«»°€№§©®·\u2022\u2122¿¡´£\u200c-\u200f]/u;
/** Marks that no word has inside. */
const MARK_IN_WORD = /(?<=\p{L})[\u201a\u201c-\u201e\u2022\u2122«»°€§©®¿¡´£\u2026\u3001-\u301f](?=\p{L})/gu;
/** One character of another script amid Latin letters. */
const STRAY_CHARACTER = /(?<=[A-Za-z])[\u3000-\u9fff\uac00-\ud7a3\uff00-\uffef](?=[A-Za-z])/gu;
const LATIN_LETTER = /[a-zA-Z\u00c0-\u024f]/;
const OTHER_LETTER = /[\u0370-\u0eff]/;
const CASE_BREAK = /\p{Ll}\p{Lu}/gu;

/** What can be said of a reading before a language is supposed. */
interface Reading {
  text: string;
  /** How often each pair with a letter outside ASCII stands in its words (lower case, between blanks). */
  pairs: Map<number, number>;
  pairCount: number;
  /** Mixed scripts and capitals inside words. */
  wrong: number;
  symbols: number;
  symbolWorth: number;
}

function read(text: string): Reading {
  const pairs = new Map<number, number>();
  let pairCount = 0;
  let wrong = 0;
  for (const [word] of text.matchAll(WORD)) {
    if (!isOutside(word)) continue;
    const lower = ` ${word.toLowerCase()} `;
    for (let i = 0; i + 1 < lower.length; i++) {
      if (lower.charCodeAt(i) < 0x80 && lower.charCodeAt(i + 1) < 0x80) continue;
      const pair = pairKey(lower, i);
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      pairCount++;
    }
    wrong += (LATIN_LETTER.test(word) && OTHER_LETTER.test(word) ? 1 : 0) + (word.match(CASE_BREAK)?.length ?? 0);
  }
  let symbols = 0;
  let symbolWorth = 0;
  for (const [symbol] of text.replace(WORD, " ").matchAll(OUTSIDE)) {
    symbols++;
    symbolWorth += QUIET_SYMBOL.test(symbol) ? 0.4 : -1;
  }
  symbolWorth -= 1.4 * (text.match(MARK_IN_WORD)?.length ?? 0);
  return { text, pairs, pairCount, wrong, symbols, symbolWorth };
}

function score(reading: Reading, language: string): number {
  if (LETTER_PAIRS[language] === undefined) return scoreCharacters(reading.text, language);
  const weights = weightsOf(language);
  const units = reading.symbols + reading.pairCount;
  let worth = reading.symbolWorth - reading.wrong;
  for (const [pair, count] of reading.pairs) worth += count * (weights.get(pair) ?? -0.3);
  return units === 0 ? 0 : worth / units;
}

const COMMON_KANA = /[\u3041-\u3096\u30a1-\u30fa\u30fc]/;
const CJK_PUNCTUATION =
  /[\u3000-\u3011\uff01\uff08\uff09\uff0c\uff0e\uff10-\uff1f\uff21-\uff5a\u201c\u201d\u2018\u2019\u2014\u2026\u00b7]/;
const EAST_ASIAN = /[\u3400-\u9fff\uac00-\ud7a3]/;

/** For a script of many characters: the share of the common ones, against an expectation of two in three. */
function scoreCharacters(text: string, language: string): number {
  const weights = weightsOf(language);
  let worth = 0;
  let units = 0;
  for (const [character] of text.matchAll(OUTSIDE)) {
    units++;
    if (language === "ja" && COMMON_KANA.test(character)) worth += 1;
    else if (weights.has(character.charCodeAt(0))) worth += 1;
    else if (CJK_PUNCTUATION.test(character)) worth += 0.7;
    else if (EAST_ASIAN.test(character)) worth += 0.1;
    else worth -= 1;
  }
  worth -= 1.5 * (text.match(STRAY_CHARACTER)?.length ?? 0);
  return units === 0 ? 0 : Math.min(1, (worth / units) * 1.3);
}

function isOutside(word: string): boolean {
  for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) > 0x7f) return true;
  return false;
}
