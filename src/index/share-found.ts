/**
 * How much of a question the best chunk has, in a store of few chunks. How rare a word is there says little: what the store
 * is about stands in every chunk and weighs next to nothing beside a word that no chunk has. So each word weighs as if the
 * store had {@link FEW_CHUNKS} chunks, the others without it; with as many the share is the one of BM25 as it is.
 */
import type { Bitset } from "./bitset.ts";
import { normsAt } from "./bm25.ts";
import type { Postings } from "./postings.ts";

/** A store of fewer chunks is one of few. */
export const FEW_CHUNKS = 200;

/** Words that some chunk has, by their weight in so many chunks, and the weight of those that none has. */
export interface Weighed {
  readonly weighted: readonly { readonly term: number; readonly idf: number }[];
  readonly missing: number;
}

export interface FewChunks {
  readonly postings: Postings;
  /** By ordinal; `average` is above zero. */
  readonly lengths: Float32Array;
  readonly average: number;
  /** Chunks that count; null: all. */
  readonly allowed: Bitset | null;
}

/** 0 … 1: the best chunk's BM25 score as a share of what all words of the question could give. */
export function shareFound({ weighted, missing }: Weighed, { postings, lengths, average, allowed }: FewChunks): number {
  const { fixed, perLength } = normsAt(average);
  const norms = lengths.map((length) => fixed + perLength * length);
  const scores = new Float32Array(lengths.length);
  let attainable = missing;
  for (const { term, idf } of weighted) {
    attainable += idf;
    postings.accumulate(term, idf, norms, scores);
  }
  let best = 0;
  scores.forEach((score, ordinal) => {
    if (score > best && (allowed === null || allowed.has(ordinal))) best = score;
  });
  return attainable === 0 ? 0 : best / attainable;
}
