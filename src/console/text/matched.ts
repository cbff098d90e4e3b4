import { normalized } from "../../stream-safe.ts";
import type { Range } from "./pieces.ts";

/** Words that say little: they are not marked where others are. */
const SMALL = new Set(
  "a an and are as at be by de der die das do does el en for from has how in is it la le of on or the to und was what when where which who why with".split(
    " ",
  ),
);
const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** Of a word; what is longer is compared in its beginning. */
const STEM = 5;

/** Where words of the query, or words that begin alike, stand in a passage; in code points. */
export function matchedWords(passage: string, queries: readonly string[]): Range[] {
  const asked = queries.flatMap((query) => [...query.matchAll(WORD)].map(([word]) => folded(word)));
  const telling = asked.filter((word) => !SMALL.has(word));
  const wanted = new Set((telling.length > 0 ? telling : asked).map(stemOf));
  const found: Range[] = [];
  let [unit, point] = [0, 0];
  for (const { 0: word, index } of passage.matchAll(WORD)) {
    if (!wanted.has(stemOf(folded(word)))) continue;
    point += lengthOf(passage.slice(unit, index));
    found.push({ start: point, end: point + lengthOf(word) });
    unit = index;
  }
  return found;
}

function folded(word: string): string {
  return normalized(word, "NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/** Endings differ: `return` and `returns`, `policy` and `policies`. */
function stemOf(word: string): string {
  return word.length <= STEM ? word.replace(/s$/, "") : word.slice(0, STEM);
}

function lengthOf(text: string): number {
  return [...text].length;
}
