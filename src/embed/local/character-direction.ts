/**
 * A direction for a text that a model knows nothing of: blanks, or tokens that all are unknown to it. Made of the text's
 * characters, so that equal texts have one direction, texts that share stretches of characters have near ones, and others
 * have nothing to do with each other. It says nothing beside what the model does know: its cosine with a vector of the
 * model is that of chance.
 */
import { normalized } from "../../stream-safe.ts";
import { normaliseRow } from "../vectors.ts";

/** Characters that are read, in UTF-16 units: what differs only after them has one direction. */
const READ = 16_384;
/** Characters of a stretch, at most. */
const LONGEST = 3;

/** Unit length in every prefix too: no value is zero but by a chance of one in millions. */
export function characterDirection(text: string, dimensions: number): Float32Array {
  const sum = new Float64Array(dimensions);
  for (const [stretch, count] of stretchesOf(text)) {
    // What is repeated says more than once, but not so many times more.
    const weight = Math.sqrt(count) * Math.max(1, stretch.length);
    let state = hashOf(stretch);
    for (let d = 0; d < dimensions; d++) {
      state = (state + 0x6d2b79f5) | 0;
      sum[d] = (sum[d] as number) + weight * uniform(state);
    }
  }
  const direction = Float32Array.from(sum);
  normaliseRow(direction, 0, dimensions);
  return direction;
}

/** How often each stretch of one to three characters occurs; the empty one where there is nothing but blanks. */
function stretchesOf(text: string): Map<string, number> {
  const read = normalized(text.slice(0, READ).toWellFormed(), "NFKC").toLowerCase();
  const characters = Array.from(read.trim().replace(/\s+/g, " "));
  const counts = new Map<string, number>();
  const count = (stretch: string) => counts.set(stretch, (counts.get(stretch) ?? 0) + 1);
  for (let i = 0; i < characters.length; i++) {
    let stretch = "";
    for (let j = i; j < characters.length && j < i + LONGEST && characters[j] !== " "; j++) {
      stretch += characters[j];
      count(stretch);
    }
  }
  return counts.size === 0 ? new Map([["", 1]]) : counts;
}

/** FNV-1a over the UTF-16 units. */
function hashOf(stretch: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < stretch.length; i++) hash = Math.imul(hash ^ stretch.charCodeAt(i), 0x01000193);
  return hash;
}

/** In (-1, 1), never 0: the output step of mulberry32 (Tommy Ettinger, public domain). */
function uniform(state: number): number {
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 31 - 1;
}
