/**
 * Windows of a file, for models in which a word's part in a vector depends on the words around it: stretches of about
 * equal length, cut between sentences and where chunks begin and end, so that each chunk is a run of whole windows and
 * what chunks share is embedded, and kept, once.
 *
 * - A chunk brings the windows that no chunk before it contains; the others are the last ones of what stood before.
 * - How a stretch is cut depends on its own text alone, so chunks that share it count the same windows in it, each by
 *   itself: they can be embedded in any order, and again after an interruption.
 */
import { sentenceStarts } from "./local/sentences.ts";
import { type PlacedText, widened } from "./blocks.ts";
import { unitsOf } from "../platform/code-points.ts";

/**
 * Tokens of a window, about, for a model that runs here: a stretch is cut into as many as come nearest to this, so that
 * they are between two thirds and four thirds of it.
 */
export const WINDOW_TOKENS = 256;

/** UTF-8 bytes of a token in vocabularies of many languages, about; a stretch must be cut alike whatever is beside it. */
const BYTES_PER_TOKEN = 4;
/** A shorter window says too little alone: it takes words from beside it. */
const SHORTEST_BYTES = 200;
/** How far from its even place a cut between sentences may lie, as a share of a window. */
const SENTENCE_REACH = 0.35;
/** UTF-16 units in which a space is looked for where no sentence ends. */
const WORD_REACH = 64;

/** Where a chunk stands in its file, in code points; `length` is that of its text. */
export interface ChunkPlace {
  idx: number;
  start: number;
  end: number;
  length: number;
}

export interface WindowedChunk {
  /** The texts of the windows that it brings, in order. */
  own: string[];
  /** How many of the windows before these, in chunks before it, are its too. */
  shared: number;
}

/**
 * The windows of one chunk.
 * @param places of the file's chunks, in order; all that reach into the chunk are among them, and itself
 */
export function windowsOf(
  chunk: PlacedText & { idx: number },
  places: readonly ChunkPlace[],
  windowTokens: number,
): WindowedChunk {
  const { text, start } = chunk;
  const { cuts, sharedUntil } = cutsOf(places, chunk);
  const windows: WindowedChunk = { own: [], shared: 0 };
  cuts.forEach((cut, i) => {
    const from = i === 0 ? 0 : unitsOf(text, (cuts[i - 1] ?? start) - start);
    const to = i === cuts.length - 1 ? text.length : unitsOf(text, cut - start);
    const ranges = rangesOf(text.slice(from, to), windowTokens);
    if (cut <= sharedUntil) windows.shared += ranges.length;
    else for (const range of ranges) windows.own.push(textOf(text, from + range.start, from + range.end));
  });
  if (windows.own.length === 0 && windows.shared === 0) windows.own.push(text);
  return windows;
}

/** The text that is embedded for a window. */
function textOf(text: string, from: number, to: number): string {
  const own = text.slice(from, to);
  return (Buffer.byteLength(own) < SHORTEST_BYTES ? widened(text, from, to) : own).trim();
}

/** The ends of the stretches of a chunk, rising, and up to where they are those of chunks before it. */
function cutsOf(places: readonly ChunkPlace[], chunk: PlacedText & { idx: number }) {
  const { start, end } = chunk;
  const at = places.findIndex(({ idx }) => idx === chunk.idx);
  const inside = new Set([end]);
  for (let i = at; i > 0; i--) {
    const before = places[i - 1];
    if (!overlap(before, places[i]) || before === undefined || before.end <= start) break;
    inside.add(before.end);
  }
  for (let i = at + 1; i > 0 && i < places.length; i++) {
    const after = places[i];
    if (!overlap(places[i - 1], after) || after === undefined || after.start >= end) break;
    inside.add(after.start);
  }
  const cuts = [...inside].filter((place) => place > start && place <= end).sort((a, b) => a - b);
  const before = places[at - 1];
  return { cuts, sharedUntil: before !== undefined && overlap(before, places[at]) ? before.end : start };
}

/** Whether two places are of chunks next to each other that have the end of one, and the beginning of the other, in common. */
function overlap(one: ChunkPlace | undefined, next: ChunkPlace | undefined): boolean {
  if (one === undefined || next === undefined || next.idx !== one.idx + 1 || !fits(one) || !fits(next)) return false;
  return one.start <= next.start && one.end <= next.end && next.start < one.end;
}

/** Whether its text is what stands at its place. */
function fits({ start, end, length }: ChunkPlace): boolean {
  return length === end - start;
}

interface Range {
  start: number;
  end: number;
}

/** Where the windows of a stretch begin and end, in UTF-16 units; none of blanks. */
function rangesOf(text: string, windowTokens: number): Range[] {
  const count = Math.max(1, Math.round(Buffer.byteLength(text) / BYTES_PER_TOKEN / windowTokens));
  const sentences = count === 1 ? [] : sentenceStarts(text);
  const ranges: Range[] = [];
  let start = 0;
  for (let left = count; left > 0 && start < text.length; left--) {
    const end = left === 1 ? text.length : cutNear(text, sentences, { start, size: (text.length - start) / left });
    if (text.slice(start, end).trim() !== "") ranges.push({ start, end });
    start = end;
  }
  return ranges;
}

/** The beginning of the sentence that is nearest to the even place, else of a word, never within a character. */
function cutNear(text: string, sentences: readonly number[], { start, size }: { start: number; size: number }): number {
  const even = Math.round(start + size);
  let best: number | null = null;
  for (const place of sentences) {
    if (place > even + size * SENTENCE_REACH) break;
    if (place <= start || place < even - size * SENTENCE_REACH) continue;
    if (best === null || Math.abs(place - even) < Math.abs(best - even)) best = place;
  }
  if (best !== null) return best;
  for (let i = even; i > Math.max(start, even - WORD_REACH); i--) if (/\s/.test(text[i - 1] ?? "")) return i;
  const unit = text.charCodeAt(even);
  return Math.max(start + 1, unit >= 0xdc00 && unit <= 0xdfff ? even + 1 : even);
}
