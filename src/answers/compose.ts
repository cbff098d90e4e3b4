/** From quotations to the text of an answer, with a citation after each. The same input gives the same text. */
import { countTokens } from "../chunk/tokens.ts";
import { countCodePoints } from "../platform/code-points.ts";
import { sentencesOf } from "../search/sentences.ts";
import type { KeptCitation } from "../storage/response-items.ts";
import { type Choice, citationOf, type Quotation, shortenedTo, spaced } from "./quotations.ts";

/** The fixed sentences of answers, in the operator's words. An empty one is left out. */
export interface Sentences {
  lead: string;
  weak: string;
  nothing: string;
}

export interface Composed {
  text: string;
  /** Sorted by their place. */
  citations: KeptCitation[];
  /** cl100k_base */
  tokens: number;
  /** Something was left out because of `maxTokens`. */
  isCut: boolean;
}

/** `maxTokens`: fewer passages then, at least one, cut at a sentence. */
export function compose(choice: Choice, sentences: Sentences, maxTokens: number | null): Composed {
  const lead = spaced(choice.kind === "answer" ? sentences.lead : sentences[choice.kind]);
  const quotations = choice.kind === "nothing" ? [] : choice.quotations;
  const whole = written(lead, quotations);
  if (maxTokens === null || whole.tokens <= maxTokens) return whole;
  for (const shorter of shortened(lead, quotations)) {
    if (shorter.tokens <= maxTokens) return { ...shorter, isCut: true };
  }
  // Less than a word of a quotation and its source: the smallest answer there is.
  const [first] = quotations;
  return { ...written("", first === undefined ? [] : [shortenedTo(first, firstWord(first.quote))]), isCut: true };
}

/** Ever shorter answers. */
function* shortened(lead: string, quotations: readonly Quotation[]): Generator<Composed> {
  for (let kept = quotations.length - 1; kept > 0; kept--) yield written(lead, quotations.slice(0, kept));
  const [first] = quotations;
  if (first === undefined) return;
  const cuts = [...sentencesOf(first.quote).map(({ end }) => end)].reverse().slice(1);
  for (const end of cuts) yield written(lead, [shortenedTo(first, end)]);
  for (const end of [first.quote.length, ...cuts]) yield written("", [shortenedTo(first, end)]);
  const words = [...first.quote.matchAll(/\S+/gu)].map((word) => word.index + word[0].length);
  for (const end of words.reverse()) yield written("", [shortenedTo(first, end)]);
}

function written(lead: string, quotations: readonly Quotation[]): Composed {
  const paragraphs = lead === "" ? [] : [lead];
  const citations: KeptCitation[] = [];
  for (const quotation of quotations) {
    paragraphs.push(`“${spaced(quotation.quote)}” — ${sourceOf(quotation)}`);
    const index = countCodePoints(paragraphs.join(BETWEEN));
    citations.push(citationOf(quotation, { index, citedBy: "quote" }));
  }
  const text = paragraphs.join(BETWEEN);
  return { text, citations, tokens: countTokens(text), isCut: false };
}

/** An empty line separates paragraphs, and stands nowhere else. */
export const BETWEEN = "\n\n";

/** The file's name and the page, lines or heading, as far as known. */
function sourceOf({ passage, line, lineEnd }: Quotation): string {
  const { filename, page, page_end: pageEnd, heading } = passage;
  const name = spaced(filename);
  if (page !== null) return `${name}, ${rangeOf("page", page, pageEnd ?? page)}`;
  if (line !== null) return `${name}, ${rangeOf("line", line, lineEnd ?? line)}`;
  const last = heading.at(-1);
  return last === undefined ? name : `${name}, ${spaced(last)}`;
}

function rangeOf(word: string, from: number, to: number): string {
  return to > from ? `${word}s ${from}–${to}` : `${word} ${from}`;
}

function firstWord(quote: string): number {
  return /^\s*\S+/u.exec(quote)?.[0].length ?? quote.length;
}
