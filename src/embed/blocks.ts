/**
 * Chunks that overlap, cut where others begin and end: what several of them share is then one text, which is embedded
 * once, and each chunk has the vectors of its blocks.
 */
import { countCodePoints, unitsOf } from "../platform/code-points.ts";

/** A stretch of a document: `text` is what stands between the two places, in code points from its beginning. */
export interface PlacedText {
  text: string;
  start: number;
  end: number;
}

/** A shorter block (UTF-16 units) says too little alone: it takes words from beside it. */
const SHORTEST_BLOCK = 200;

/**
 * The blocks of a chunk, in order, none blank: together they are all of it.
 * @param places where the document's chunks begin and end, in any order
 * @returns the chunk itself where no place lies in it, or where its own do not fit its text
 */
export function blocksOf({ text, start, end }: PlacedText, places: readonly number[]): string[] {
  if (countCodePoints(text) !== end - start) return [text];
  const inside = new Set(places.filter((place) => place > start && place < end).map((p) => unitsOf(text, p - start)));
  const cuts = [0, ...[...inside].sort((a, b) => a - b), text.length];
  const blocks: string[] = [];
  for (let i = 1; i < cuts.length; i++) {
    const [from, to] = [cuts[i - 1] ?? 0, cuts[i] ?? 0];
    if (text.slice(from, to).trim() !== "") blocks.push(widened(text, from, to).trim());
  }
  return blocks.length < 2 ? [text] : blocks;
}

/** The stretch from `from` to `to`; one that says too little alone with whole words from before it, the first from behind it. */
export function widened(text: string, from: number, to: number): string {
  if (to - from >= SHORTEST_BLOCK) return text.slice(from, to);
  if (from > 0) {
    const space = text.slice(Math.max(0, to - SHORTEST_BLOCK), from).search(/\s/);
    return text.slice(space < 0 ? from : Math.max(0, to - SHORTEST_BLOCK) + space, to);
  }
  const words = /^.*\s/s.exec(text.slice(to, SHORTEST_BLOCK))?.[0] ?? "";
  return text.slice(0, to + words.length);
}
