/** Which sentences of a passage a statement rests on, and which passages a statement rests on that names none. */
import { contentWords } from "../search/question-words.ts";
import { sentencesOf } from "../search/sentences.ts";
import { countCodePoints } from "../platform/code-points.ts";
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import { citationOf, type Quotation, quotationOf } from "./quotations.ts";

const SUPPORT = {
  /** Sentences of one quotation at most. */
  sentences: 3,
  /** Share of a statement's words that a passage must have, and how many there must be at least. */
  share: 0.6,
  words: 4,
  /** Of a long text the end is looked at for the last statement. */
  lookBack: 4_000,
  /** Sentences of an answer that are compared at most. */
  compared: 400,
} as const;

/** A citation of the passage behind this much of the text. */
export function supportOf(
  passage: KeptResult,
  said: string,
  { question, ...place }: { index: number; citedBy: "model" | "overlap"; question: string },
): KeptCitation {
  return citationOf(supportIn(passage, lastSentence(said), question), place);
}

/** For each sentence the passage that has most of its words and all of its numbers, if one has enough of them. */
export function citationsByOverlap(text: string, passages: readonly KeptResult[], question: string): KeptCitation[] {
  const known = passages.map((passage) => ({
    passage,
    words: contentWords(passage.text),
    numbers: numbersOf(passage.text),
  }));
  const citations: KeptCitation[] = [];
  let at = 0;
  let index = 0;
  for (const { start, end } of sentencesOf(text).slice(0, SUPPORT.compared)) {
    const sentence = text.slice(start, end);
    index += countCodePoints(text.slice(at, end));
    at = end;
    const words = [...contentWords(sentence)];
    if (words.length < SUPPORT.words) continue;
    const numbers = [...numbersOf(sentence)];
    let best: { passage: KeptResult; shared: number } | null = null;
    for (const one of known) {
      const shared = words.filter((word) => one.words.has(word)).length;
      if (shared < SUPPORT.share * words.length || !numbers.every((number) => one.numbers.has(number))) continue;
      if (best === null || shared > best.shared) best = { passage: one.passage, shared };
    }
    if (best !== null) citations.push(supportOf(best.passage, sentence, { index, citedBy: "overlap", question }));
  }
  return citations;
}

/** One to three sentences in a row with most words of the statement, else of the question. */
function supportIn(passage: KeptResult, statement: string, question: string): Quotation {
  const spans = sentencesOf(passage.text);
  const sentences = spans.map(({ start, end }) => contentWords(passage.text.slice(start, end)));
  const window = bestWindow(sentences, contentWords(statement)) ??
    bestWindow(sentences, contentWords(question)) ?? { from: 0, to: 0 };
  return quotationOf(passage, spans[window.from]?.start ?? 0, spans[window.to]?.end ?? passage.text.length);
}

/** Null where no sentence has one of the words. */
function bestWindow(
  sentences: readonly ReadonlySet<string>[],
  words: ReadonlySet<string>,
): { from: number; to: number } | null {
  let best: { from: number; to: number; shared: number } | null = null;
  for (let from = 0; from < sentences.length; from++) {
    const shared = new Set<string>();
    for (let to = from; to < Math.min(sentences.length, from + SUPPORT.sentences); to++) {
      for (const word of sentences[to] ?? []) if (words.has(word)) shared.add(word);
      const isShorter = best !== null && shared.size === best.shared && to - from < best.to - best.from;
      if (shared.size > (best?.shared ?? 0) || (isShorter && shared.size > 0)) best = { from, to, shared: shared.size };
    }
  }
  return best;
}

function lastSentence(said: string): string {
  const end = said.slice(-SUPPORT.lookBack);
  const span = sentencesOf(end).at(-1);
  return span === undefined ? "" : end.slice(span.start, span.end);
}

/** Numbers as they are written, without what may separate thousands or end a sentence. */
function numbersOf(text: string): Set<string> {
  const numbers = text.match(/\d+(?:[.,]\d+)*/gu) ?? [];
  return new Set(numbers.map((number) => number.replaceAll(/[.,](?=\d{3}(?:\D|$))/g, "")));
}
