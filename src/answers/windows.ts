/**
 * Which sentences of a passage are quoted: the one that fits the question best, with neighbours that do as well, within
 * the bounds of a quotation. Pure: what fits is told by a function.
 */
import { CONTINUES, contentWords } from "../search/question-words.ts";
import { sentencesOf, type Span } from "../search/sentences.ts";
import { ANSWER } from "./limits.ts";

/** How well each of some texts fits the question, in [0, 1]; in order. */
export type Fit = (texts: readonly string[]) => Promise<readonly number[]>;

/** The piece of a passage to be quoted, and how well its best sentence fits. */
export interface Window extends Span {
  fit: number;
}

/** For each passage the piece to be quoted; null where it has no words. */
export async function windowsOf(texts: readonly string[], question: string, fit: Fit): Promise<(Window | null)[]> {
  const passages = texts.map((text) => ({ text, spans: sentencesOf(text) }));
  const words = contentWords(question);
  // Of one sentence there is nothing to choose.
  const compared = passages.map(({ text, spans }) => (spans.length < 2 ? [] : comparable(text, spans, words)));
  const asked = passages.flatMap(({ text, spans }, i) => (compared[i] ?? []).map((at) => sliceOf(text, spans[at])));
  const fits = asked.length === 0 ? [] : await fit(asked);
  let next = 0;
  return passages.map(({ text, spans }, i) => {
    const scores = spans.map((): number => (spans.length < 2 ? 1 : 0));
    for (const at of compared[i] ?? []) scores[at] = fits[next++] ?? 0;
    return spans.length === 0 ? null : windowAround(text, spans, scores);
  });
}

/** The places of the sentences that are worth a comparison: those with most words of the question, else the first. */
function comparable(text: string, spans: readonly Span[], words: ReadonlySet<string>): number[] {
  const shared = spans.map((span) => {
    let count = 0;
    for (const word of contentWords(sliceOf(text, span))) if (words.has(word)) count++;
    return count;
  });
  return spans
    .map((_, at) => at)
    .sort((a, b) => (shared[b] ?? 0) - (shared[a] ?? 0) || a - b)
    .slice(0, ANSWER.comparedSentences)
    .sort((a, b) => a - b);
}

function windowAround(text: string, spans: readonly Span[], scores: readonly number[]): Window {
  let best = 0;
  for (const [at, score] of scores.entries()) if (score > (scores[best] ?? 0)) best = at;
  let [from, to] = [best, best];
  const fits = (first: number, last: number) =>
    first >= 0 &&
    last < spans.length &&
    last - first < ANSWER.sentences &&
    lengthOf(spans, first, last) <= ANSWER.characters;
  const least = (scores[best] ?? 0) * ANSWER.neighbourShare;
  const isWorth = (at: number) => (scores[at] ?? 0) > 0 && (scores[at] ?? 0) >= least;
  // A heading says what comes; "It …" says nothing without what was before.
  if (isHeading(sliceOf(text, spans[best])) && fits(from, to + 1)) to++;
  if (CONTINUES.test(sliceOf(text, spans[best])) && fits(from - 1, to)) from--;
  for (;;) {
    const [before, after] = [isWorth(from - 1) && fits(from - 1, to), isWorth(to + 1) && fits(from, to + 1)];
    if (!before && !after) break;
    if (after && (!before || (scores[to + 1] ?? 0) >= (scores[from - 1] ?? 0))) to++;
    else from--;
  }
  return { start: spans[from]?.start ?? 0, end: spans[to]?.end ?? 0, fit: scores[best] ?? 0 };
}

function isHeading(sentence: string): boolean {
  if (/^[-*+•|>]|\t|[;{}]$/.test(sentence)) return false;
  return (
    /^#|:$/.test(sentence) || (!/[.!?。！？…]["'”’»)\]」』]*$/u.test(sentence) && sentence.split(/\s+/).length <= 6)
  );
}

function lengthOf(spans: readonly Span[], first: number, last: number): number {
  return (spans[last]?.end ?? 0) - (spans[first]?.start ?? 0);
}

function sliceOf(text: string, span: Span | undefined): string {
  return span === undefined ? "" : text.slice(span.start, span.end);
}
