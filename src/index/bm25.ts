/** BM25 (Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework"): saturation and length normalisation. */
export const BM25_K1 = 0.9;
export const BM25_B = 0.6;

/** Lucene's form, which never goes below zero. */
export function inverseDocumentFrequency(df: number, chunks: number): number {
  return Math.log(1 + (chunks - df + 0.5) / (df + 0.5));
}

/** A term that stands so often in a chunk scores weight * frequency / (frequency + fixed + perLength * length) there. */
export interface Norms {
  readonly fixed: number;
  readonly perLength: number;
}

/** @param average length of all chunks, in terms; above zero */
export function normsAt(average: number): Norms {
  return { fixed: BM25_K1 * (1 - BM25_B), perLength: (BM25_K1 * BM25_B) / average };
}
