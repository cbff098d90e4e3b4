/** The part of a chunk that shows why it was found. */
import { printable, segmenter, wrap } from "./terminal.ts";

const BOLD = "\x1b[1;33m";
const PLAIN = "\x1b[0m";
/** Words that say nothing about what is sought; only for marking, the server has its own way of searching. */
const FILLER = new Set(
  "a an and are as at be by do does for from how i in is it of on or that the to was what when where which who why with".split(
    " ",
  ),
);

/** At most `lines` lines of `columns` cells around the densest group of the query's words, those in bold if `color`. */
export function passage(
  text: string,
  query: string,
  { lines, columns, color }: { lines: number; columns: number; color: boolean },
): string[] {
  const clean = printable(text);
  const pattern = wordPattern(query);
  const rows = wrap(clean, columns);
  const found = rows.map((row) =>
    pattern ? [...row.matchAll(pattern)].map(([word]) => stem(word.toLowerCase())) : [],
  );
  let start = 0;
  let best = -1;
  for (let i = 0; i + 1 <= Math.max(1, rows.length - lines + 1); i++) {
    // Different words count most, the same word again a little: a passage about it repeats it.
    const counts = new Map<string, number>();
    for (const word of found.slice(i, i + lines).flat()) counts.set(word, (counts.get(word) ?? 0) + 1);
    const score = [...counts.values()].reduce((sum, count) => sum + Math.sqrt(count), 0);
    if (score > best + 1e-9) [start, best] = [i, score];
  }
  const shown = rows.slice(start, start + lines);
  if (start > 0 && shown[0] !== undefined) shown[0] = `… ${shown[0]}`;
  if (start + lines < rows.length && shown.length > 0) shown[shown.length - 1] += " …";
  return color && pattern ? shown.map((row) => row.replace(pattern, `${BOLD}$&${PLAIN}`)) : shown;
}

/** The query's words with any ending, at the start of a word; null if it has none worth marking. */
function wordPattern(query: string): RegExp | null {
  const words = [...segmenter("word").segment(query.toLowerCase())]
    .filter(({ isWordLike, segment }) => isWordLike && !FILLER.has(segment))
    .map(({ segment }) => stem(segment).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return words.length === 0
    ? null
    : new RegExp(
        `(?<![\\p{L}\\p{N}])(?:${words.join("|")})[\\p{L}\\p{M}]{0,4}(?![\\p{L}\\p{N}])|${wholeWords(words)}`,
        "giu",
      );
}

/** Scripts without spaces have no word boundaries to look for. */
const wholeWords = (words: string[]) =>
  words
    .filter((word) => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(word))
    .join("|") || "(?!)";

const stem = (word: string) =>
  word.length > 4 && /^[a-z]+$/.test(word) ? word.replace(/(ies|ing|ed|es|s|e|y)$/, "") : word;
