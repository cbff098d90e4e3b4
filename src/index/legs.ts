import type { VectorHit } from "./exact.ts";

export type LegHit = { readonly chunkId: number; readonly fileKey: number; readonly score: number };

export type IndexCandidate = {
  readonly chunkId: number;
  readonly fileKey: number;
  /** Cosine of the chunk's best window, -1 … 1; null without a query vector. */
  readonly vectorScore: number | null;
  /** BM25, >= 0; null without query terms. */
  readonly keywordScore: number | null;
  /** How much of what is rare in the question it has, 0 … 1: see coverage.ts. */
  readonly evidence: number;
};

/** A leg's hits as they are called outside: the candidates are those of the nearest, then what the keywords add, in order. */
export function legOf(
  hits: readonly VectorHit[],
  nearest: readonly VectorHit[],
  candidates: readonly IndexCandidate[],
): LegHit[] {
  const byOwner = new Map(nearest.map(({ owner }, i) => [owner, candidates[i]]));
  let next = nearest.length;
  return hits.map(({ owner, score }) => {
    const { chunkId, fileKey } = byOwner.get(owner) ?? candidates[next++]!;
    return { chunkId, fileKey, score };
  });
}
