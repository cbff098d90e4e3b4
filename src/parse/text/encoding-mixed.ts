import { guessCodePage } from "./encoding-guess.ts";

/** Text of which some lines are UTF-8 and others are in a code page, as logs of several programs are. */
export interface MixedLines {
  /** Places of the lines that are not UTF-8, ascending: from, to, from, to … */
  places: number[];
  /** What those lines are read as. */
  encoding: string;
}

/** Share of a line's characters above ASCII that are no UTF-8, from which it is taken for another encoding. */
const FOREIGN = 0.2;
/** Share of the lines with such characters that are UTF-8; fewer may be so by accident. */
const LEAST_SOUND = 0.1;
const SAMPLE = 65_536;
const TWO_BYTES = new Set(["shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"]);

export interface MixedReading {
  /** How far a line is from UTF-8. */
  share: (line: Uint8Array) => number;
  decode: (part: Uint8Array, encoding: string) => string;
}

/** Null for text in one encoding. */
export function mixedLines(bytes: Uint8Array, { share, decode }: MixedReading): MixedLines | null {
  const places: number[] = [];
  let sound = 0;
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(0x0a, from);
    const to = end < 0 ? bytes.length : end + 1;
    const line = bytes.subarray(from, to);
    if (line.some((byte) => byte > 0x7f)) {
      if (share(line) < FOREIGN) sound++;
      else places.push(from, to);
    }
    from = to;
  }
  if (places.length === 0 || sound < Math.max(1, LEAST_SOUND * (sound + places.length / 2))) return null;
  const sample = foreignSample(bytes, places);
  const guess = guessCodePage(sample, null);
  if (TWO_BYTES.has(guess.encoding) || (guess.doubtful && !looksWestern(sample))) return null;
  const encoding = guess.doubtful ? "windows-1252" : guess.encoding;
  return isWords(decode(sample, encoding)) ? { places, encoding } : null;
}

/** Whether most of what is above ASCII are letters beside letters; bytes that were broken on the way are not. */
function isWords(text: string): boolean {
  const above = text.match(/[^\x00-\x7f]/gu)?.length ?? 0;
  const inWords = text.match(/(?<=\p{L}\p{M}*)[^\P{L}\x00-\x7f]|[^\P{L}\x00-\x7f](?=\p{M}*\p{L})/gu)?.length ?? 0;
  return inWords > above / 2;
}

/** Letters with accents stand singly amid plain ones; rubbish does not. */
function looksWestern(sample: Uint8Array): boolean {
  let amidLetters = 0;
  let all = 0;
  for (let i = 0; i < sample.length; i++) {
    if (sample[i]! < 0x80) continue;
    all++;
    if (isLetter(sample[i - 1] ?? 0) || isLetter(sample[i + 1] ?? 0)) amidLetters++;
  }
  return amidLetters > 0.7 * all;
}

function isLetter(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}

function foreignSample(bytes: Uint8Array, places: readonly number[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = 0, length = 0; i < places.length && length < SAMPLE; i += 2) {
    const part = bytes.subarray(places[i], places[i + 1]);
    parts.push(part);
    length += part.length;
  }
  return Buffer.concat(parts);
}

/** Reads each stretch in its own encoding. */
export function decodeMixed(
  bytes: Uint8Array,
  { places, encoding }: MixedLines,
  decode: (part: Uint8Array, encoding: string) => string,
): string {
  const parts: string[] = [];
  let done = 0;
  for (let i = 0; i < places.length; i += 2) {
    if (places[i]! > done) parts.push(decode(bytes.subarray(done, places[i]), "utf-8"));
    // Neighbours are read together.
    const from = places[i]!;
    while (places[i + 2] === places[i + 1] && i + 2 < places.length) i += 2;
    parts.push(decode(bytes.subarray(from, places[i + 1]), encoding));
    done = places[i + 1]!;
  }
  if (done < bytes.length) parts.push(decode(bytes.subarray(done), "utf-8"));
  return parts.join("");
}
