/** Cuts token sequences into windows of a model, and windows into batches. */

/** How far a cut between words may lie from its even place, in tokens. */
const WORD_REACH = 16;
/** How far a cut between sentences may, as a share of a window. */
const SENTENCE_REACH = 0.35;
/** From so many windows on, one more is a fair price for ending them between sentences. */
const MANY = 4;

export interface Boundaries {
  /** Whether token `i` begins a word. */
  startsWord: (i: number) => boolean;
  /** Tokens that begin a sentence, rising. */
  sentences: readonly number[];
}

/**
 * Cuts `count` tokens into windows of nearly equal length, none longer than `capacity`, every token in exactly one: at
 * the end of a sentence where one is near, else between words. An overlap would only embed tokens twice: search takes
 * the best window of a chunk, and finds it more often where windows hold whole sentences.
 * @returns the ends of the windows; the last one is `count`
 */
export function cutWindows(count: number, capacity: number, { startsWord, sentences }: Boundaries): number[] {
  const ends: number[] = [];
  let start = 0;
  let sentence = 0;
  while (count - start > capacity) {
    const windows = Math.ceil((count - start) / capacity);
    const even = start + (count - start) / windows;
    // A window that begins later than this leaves more to the others than they hold.
    const lowest = windows < MANY ? count - (windows - 1) * capacity : start + 1;
    while ((sentences[sentence] ?? count) <= start) sentence++;
    const range = { lowest: Math.max(start + 1, lowest), highest: start + capacity };
    const cut =
      nearestSentence(sentences, sentence, even, range) ?? wordBefore(Math.round(even), startsWord, range.lowest);
    ends.push(cut);
    start = cut;
  }
  ends.push(count);
  return ends;
}

function nearestSentence(
  sentences: readonly number[],
  from: number,
  even: number,
  range: { lowest: number; highest: number },
): number | null {
  const reach = SENTENCE_REACH * (range.highest - range.lowest + 1);
  let best: number | null = null;
  for (let i = from; i < sentences.length; i++) {
    const place = sentences[i] as number;
    if (place > range.highest || place > even + reach) break;
    if (place < range.lowest || place < even - reach) continue;
    if (best === null || Math.abs(place - even) < Math.abs(best - even)) best = place;
  }
  return best;
}

function wordBefore(even: number, startsWord: (i: number) => boolean, lowest: number): number {
  for (let i = even; i >= Math.max(lowest, even - WORD_REACH); i--) if (startsWord(i)) return i;
  return even;
}

export interface BatchLimits {
  /** Tokens of one run, padding included. A longer single row makes a run of its own. */
  maxTokens: number;
  /** Rows that a graph of fixed shape takes, or null. */
  rows: number | null;
}

/** A run this small costs no less with fewer tokens, so padding is free in it. */
const FREE_TOKENS = 128;
/** Above it, rows are put together only while at most this share of the run is padding. */
const PADDING_SHARE = 0.03;

/** Groups rows of near-equal length. Returns indexes into `lengths`, shortest rows first. */
export function planBatches(lengths: ArrayLike<number>, limits: BatchLimits): number[][] {
  const order = Array.from({ length: lengths.length }, (_, i) => i).sort((a, b) => at(lengths, a) - at(lengths, b));
  const batches: number[][] = [];
  let batch: number[] = [];
  let real = 0;
  for (const row of order) {
    const length = at(lengths, row);
    const padded = (batch.length + 1) * length;
    const tooMuch = padded > limits.maxTokens || (limits.rows !== null && batch.length >= limits.rows);
    const wasteful = padded > FREE_TOKENS && padded - real - length > PADDING_SHARE * padded;
    if (batch.length > 0 && (tooMuch || wasteful)) {
      batches.push(batch);
      batch = [];
      real = 0;
    }
    batch.push(row);
    real += length;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function at(list: ArrayLike<number>, index: number): number {
  return list[index] as number;
}
