/** From ranked passages to what is quoted of them: each says something that those before it do not. */
import { countCodePoints } from "../platform/code-points.ts";
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import { ANSWER } from "./limits.ts";
import { type Fit, windowsOf } from "./windows.ts";

export interface Quotation {
  passage: KeptResult;
  /** An exact slice of the file's content. */
  quote: string;
  /** Code points into the file's content. */
  start: number;
  end: number;
  /** 1-based line on which it begins and ends; null where the file has pages. */
  line: number | null;
  lineEnd: number | null;
}

/** How certain a passage must be. */
export interface Bounds {
  minScore: number;
  weakScore: number;
}

export type Choice =
  | { kind: "answer"; quotations: Quotation[] }
  | { kind: "weak"; quotations: [Quotation] }
  | { kind: "nothing" };

/** `passages` best first. */
export async function chooseQuotations(
  passages: readonly KeptResult[],
  question: string,
  { minScore, weakScore }: Bounds,
  fit: Fit,
): Promise<Choice> {
  const good = passages.filter(({ score }) => score >= minScore).slice(0, ANSWER.candidates);
  if (good.length === 0) {
    const nearest = passages.filter(({ score }) => score >= weakScore).slice(0, 1);
    const [first] = await quotationsOf(nearest, question, fit);
    return first === undefined ? { kind: "nothing" } : { kind: "weak", quotations: [first] };
  }
  // More are read only where some of the best say the same.
  let quotations = withoutRepeats(await quotationsOf(good.slice(0, ANSWER.passages), question, fit));
  const rest = good.slice(ANSWER.passages);
  if (quotations.length < ANSWER.passages && rest.length > 0)
    quotations = withoutRepeats([...quotations, ...(await quotationsOf(rest, question, fit))]);
  if (quotations.length === 0) return { kind: "nothing" };
  return { kind: "answer", quotations: quotations.slice(0, ANSWER.passages) };
}

async function quotationsOf(passages: readonly KeptResult[], question: string, fit: Fit): Promise<Quotation[]> {
  const windows = await windowsOf(
    passages.map(({ text }) => text),
    question,
    fit,
  );
  const someFit = windows.some((window) => window !== null && window.fit > 0);
  return passages.flatMap((passage, i) => {
    const window = windows[i];
    const addsNothing = window == null || (someFit && window.fit === 0);
    return addsNothing ? [] : [quotationOf(passage, window.start, window.end)];
  });
}

/** A piece of a passage; UTF-16 units of its text. */
export function quotationOf(passage: KeptResult, start: number, end: number): Quotation {
  const { text } = passage;
  const quote = text.slice(start, end);
  const before = text.slice(0, start);
  const from = passage.start_offset + countCodePoints(before);
  const line = passage.line === null ? null : passage.line + linesIn(before);
  return {
    passage,
    quote,
    start: from,
    end: from + countCodePoints(quote),
    line,
    lineEnd: line === null ? null : line + linesIn(quote),
  };
}

/** A citation of it that stands after `index` code points of the answer's text. */
export function citationOf(
  { passage, quote, start, end }: Quotation,
  { index, citedBy }: { index: number; citedBy: KeptCitation["cited_by"] },
): KeptCitation {
  return {
    type: "file_citation",
    index,
    file_id: passage.file_id,
    filename: passage.filename,
    quote,
    start_offset: start,
    end_offset: end,
    vector_store_id: passage.vector_store_id,
    chunk_id: passage.chunk_id,
    page: passage.page,
    cited_by: citedBy,
  };
}

/** Its beginning, in UTF-16 units of the quote. */
export function shortenedTo(quotation: Quotation, units: number): Quotation {
  const { line, start } = quotation;
  const quote = quotation.quote.slice(0, units);
  return {
    ...quotation,
    quote,
    end: start + countCodePoints(quote),
    lineEnd: line === null ? null : line + linesIn(quote),
  };
}

/** Those that say the same as a better one go; those of one file that overlap become one, in the place of the better. */
function withoutRepeats(quotations: readonly Quotation[]): Quotation[] {
  const kept: Quotation[] = [];
  const said = new Set<string>();
  for (const one of quotations) {
    const plain = spaced(one.quote).toLowerCase();
    if (said.has(plain)) continue;
    said.add(plain);
    const at = kept.findIndex((other) => isSameText(other, one) && one.start < other.end && other.start < one.end);
    const other = kept[at];
    if (other === undefined) kept.push(one);
    else kept[at] = joined(other, one);
  }
  return kept;
}

function isSameText(a: Quotation, b: Quotation): boolean {
  return a.passage.file_id === b.passage.file_id && a.passage.vector_store_id === b.passage.vector_store_id;
}

/** Two pieces of one text that overlap, as one, if that is no longer than a quotation may be; else the better one. */
function joined(better: Quotation, other: Quotation): Quotation {
  const [first, second] = better.start <= other.start ? [better, other] : [other, better];
  if (second.end <= first.end) return first;
  const rest = [...second.quote].slice(first.end - second.start).join("");
  const quote = first.quote + rest;
  if (quote.length > ANSWER.characters) return better;
  return { ...better, quote, start: first.start, end: second.end, line: first.line, lineEnd: second.lineEnd };
}

/** Runs of white space as one space, as a quotation is shown. */
export function spaced(text: string): string {
  return text.replaceAll(/\s+/gu, " ").trim();
}

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
