import type { Answer } from "../answering.ts";
import type { KeptResult } from "../../storage/response-items.ts";

/** A passage that was found, for tests. */
export function passage(text: string, more: Partial<KeptResult> = {}): KeptResult {
  const start = more.start_offset ?? 0;
  return {
    file_id: "file-a",
    filename: "handbook.pdf",
    score: 0.5,
    text,
    attributes: {},
    vector_store_id: "vs_a",
    chunk_id: "chunk_1",
    chunk_index: 0,
    page: 12,
    page_end: 12,
    line: null,
    line_end: null,
    heading: [],
    start_offset: start,
    end_offset: start + [...text].length,
    ...more,
  };
}

/** Fits as the share of the question's words that a text has. */
export function wordFit(question: string): (texts: readonly string[]) => Promise<number[]> {
  const words = (text: string) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const asked = [...words(question)];
  return (texts) =>
    Promise.resolve(
      texts.map((text) => asked.filter((word) => words(text).has(word)).length / Math.max(1, asked.length)),
    );
}

/** An answer that found nothing, for tests. */
export const EMPTY_ANSWER: Answer = {
  queries: ["When are refunds paid?"],
  results: [],
  text: "Nothing.",
  citations: [],
  isCut: false,
  warnings: ["w"],
  tokens: { input: 1, output: 2 },
};
