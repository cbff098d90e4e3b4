import type { ModelInfo } from "../embed/provider.ts";
import { normalized } from "../stream-safe.ts";

/** Characters of a search's question that are embedded; nobody writes more, and the keywords read more of it. */
const MOST_CHARACTERS = 8192;
/** The first half of a character outside the basic plane. */
const HALF_AT_END = /[\ud800-\udbff]$/;

/**
 * The beginning of a question that a model reads. What counts are the characters that tokenizers make of it: a ligature
 * may stand for eighteen letters (U+FDFA), and would else be eighteen times the work that a question may be.
 */
export function questionText(query: string): string {
  const text = upTo(query, MOST_CHARACTERS);
  if (lengthOf(text) <= MOST_CHARACTERS) return text;
  let [fits, tooLong] = [0, text.length];
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1;
    if (lengthOf(text.slice(0, middle)) <= MOST_CHARACTERS) fits = middle;
    else tooLong = middle;
  }
  return upTo(text, fits);
}

function upTo(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(HALF_AT_END, "");
}

const lengthOf = (text: string) => normalized(text, "NFKC").length;

/** A quarter of a model's window: some fifty milliseconds of a model that reads context. */
const QUICK_CHARACTERS = 1024;

/**
 * Whether a question may have the lane for questions. A longer one takes its turn among passages, for the others would
 * wait for it: a model that reads context takes a second for the longest. Providers answer side by side.
 */
export function isQuick(text: string, { location }: Pick<ModelInfo, "location">): boolean {
  return location === "remote" || text.length <= QUICK_CHARACTERS;
}
