import { looksEnglish } from "../../index/language.ts";
import type { IndexAnswer, IndexCandidate } from "../../index/store-index.ts";
import type { SearchMode } from "./schema.ts";

/**
 * From the two legs of a search, vectors and keywords, to one ranking with scores in [0, 1].
 *
 * Order. Hybrid is the convex combination of the cosine as it is and the keyword score divided by the best one of this
 * query (after Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval"). On the development
 * sets this did as well as min-max normalised legs at their best, and it leaves text of a language that the model does
 * not know to the keywords, because its cosines are small. Every candidate has both scores, so nothing is lost where
 * only one leg found it. On request it is weighted reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
 *
 * Scores. Each leg has a scale that means the same for every query. Vectors: the cosine. Keywords: the share of the
 * highest possible BM25 score (how much of the question is there), times how much that is (few or common words are
 * weak evidence, however well they match), measured in words as rare as words can be in this store. Roots spread both
 * over [0, 1]. The best result's score is the weighted mean of its two; the others keep their proportion to it. So a
 * threshold cuts off whole answers that are not about the question as well as the tails of good ones. On the
 * development sets the best score of a question about the store is above that of one about another subject in 96 of
 * 100 pairs; 0.5 is a fair threshold (questions about the store: 10 % below 0.52; about another: 10 % above 0.50).
 */
export const RANKING = {
  /** Share of vectors in the combination; keywords have the rest. Measured on the development sets. */
  vectorWeight: 0.4,
  /** The same for a question in another language than the model's. */
  foreignVectorWeight: 0.1,
  /** The constant of reciprocal rank fusion. */
  rrfConstant: 60,
  /** Rare words matched at which keyword evidence counts half. */
  halfEvidence: 0.6,
  /** Candidates that each leg gives, at least; more where more results are asked for. */
  minDepth: 200,
  depthPerResult: 3,
} as const;

export interface Weights {
  vector: number;
  text: number;
}

export type Fusion = { type: "convex"; vectorWeight: number } | { type: "rrf"; weights: Weights; constant: number };

export interface Ranked {
  chunkId: number;
  fileKey: number;
  /** In [0, 1]. */
  score: number;
  vector: number | null;
  keyword: number | null;
  fused: number;
}

/** The usual combination, with less weight for vectors where an English model meets a question that is not English. */
export function forEnglishModel(fusion: Fusion, query: string): Fusion {
  if (fusion.type !== "convex" || fusion.vectorWeight !== RANKING.vectorWeight) return fusion;
  const letters = query.match(/\p{L}/gu)?.length ?? 0;
  const latin = query.match(/\p{sc=Latin}/gu)?.length ?? 0;
  const isEnglish = latin * 2 >= letters && looksEnglish(query);
  return isEnglish ? fusion : { ...fusion, vectorWeight: RANKING.foreignVectorWeight };
}

/** Candidates of each leg that are enough for this many results. */
export function depthFor(results: number): number {
  return Math.max(RANKING.minDepth, results * RANKING.depthPerResult);
}

/** One query's answer from a store of `chunks` chunks, best first. The order is total, so that an answer never varies. */
export function rank(answer: IndexAnswer, mode: SearchMode, fusion: Fusion, chunks: number): Ranked[] {
  const { candidates } = answer;
  const keyword = keywordConfidence(answer, chunks);
  const fused =
    mode === "vector"
      ? candidates.map(({ vectorScore }) => vectorScore ?? 0)
      : mode === "keyword"
        ? candidates.map(keyword)
        : fuse(answer, fusion);
  const ranked = candidates
    .map((candidate, i) => ({ candidate, fused: fused[i] ?? 0 }))
    .filter((one) => mode !== "keyword" || one.fused > 0)
    .sort((a, b) => b.fused - a.fused || nearer(a.candidate, b.candidate));
  const [best] = ranked;
  if (best === undefined) return [];
  const confidence = mode === "hybrid" ? hybridConfidence(best.candidate, keyword, fusion) : best.fused;
  return ranked.map(({ candidate, fused: value }) => ({
    chunkId: candidate.chunkId,
    fileKey: candidate.fileKey,
    score: best.fused > 0 ? round(clip((confidence * value) / best.fused)) : 0,
    vector: candidate.vectorScore,
    keyword: candidate.keywordScore,
    fused: value,
  }));
}

/** Several queries' answers as one: a chunk counts with its best. */
export function mergeRanked(answers: readonly Ranked[][]): Ranked[] {
  const [only] = answers;
  if (answers.length === 1 && only !== undefined) return only;
  const best = new Map<number, Ranked>();
  for (const ranked of answers.flat()) {
    const known = best.get(ranked.chunkId);
    if (known === undefined || ranked.score > known.score) best.set(ranked.chunkId, ranked);
  }
  return [...best.values()].sort((a, b) => b.score - a.score || a.chunkId - b.chunkId);
}

/** Of equal scores (zero, mostly) the nearer vector, then the older chunk. */
function nearer(a: IndexCandidate, b: IndexCandidate): number {
  return (b.vectorScore ?? 0) - (a.vectorScore ?? 0) || a.chunkId - b.chunkId;
}

function fuse(answer: IndexAnswer, fusion: Fusion): number[] {
  return fusion.type === "rrf"
    ? reciprocalRanks(answer, fusion.weights, fusion.constant)
    : convex(answer, fusion.vectorWeight);
}

function convex({ candidates }: IndexAnswer, vectorWeight: number): number[] {
  const keywordTop = Math.max(0, ...candidates.map((candidate) => candidate.keywordScore ?? 0));
  return candidates.map(
    ({ vectorScore, keywordScore }) =>
      vectorWeight * (vectorScore ?? 0) + (1 - vectorWeight) * share(keywordScore ?? 0, keywordTop),
  );
}

function reciprocalRanks({ candidates, vector, keyword }: IndexAnswer, weights: Weights, constant: number): number[] {
  const ranks = (leg: readonly { chunkId: number }[]) => new Map(leg.map((hit, i) => [hit.chunkId, i + 1]));
  const byVector = ranks(vector);
  const byKeyword = ranks(keyword);
  const part = (weight: number, rank: number | undefined) => (rank === undefined ? 0 : weight / (constant + rank));
  return candidates.map(
    ({ chunkId }) => part(weights.vector, byVector.get(chunkId)) + part(weights.text, byKeyword.get(chunkId)),
  );
}

function hybridConfidence(
  best: IndexCandidate,
  keyword: (candidate: IndexCandidate) => number,
  fusion: Fusion,
): number {
  const weights =
    fusion.type === "convex" ? { vector: fusion.vectorWeight, text: 1 - fusion.vectorWeight } : fusion.weights;
  // Without a vector (the model knows no word of the query) keywords alone decide, and the other way round.
  const vector = best.vectorScore === null ? 0 : weights.vector;
  const text = best.keywordScore === null ? 0 : weights.text;
  if (vector + text === 0) return 0;
  return (vector * Math.sqrt(clip(best.vectorScore ?? 0)) + text * keyword(best)) / (vector + text);
}

function keywordConfidence({ maxKeywordScore }: IndexAnswer, chunks: number): (candidate: IndexCandidate) => number {
  const rarest = Math.log(1 + chunks);
  return ({ keywordScore }) => {
    const evidence = share(keywordScore ?? 0, rarest);
    return clip((Math.cbrt(share(keywordScore ?? 0, maxKeywordScore)) * evidence) / (evidence + RANKING.halfEvidence));
  };
}

function share(value: number, top: number): number {
  return top > 0 ? Math.max(0, value) / top : 0;
}

function clip(score: number): number {
  return score > 0 ? Math.min(1, score) : 0;
}

/** Six digits are more than the scores mean; what a client is shown is what its threshold is compared with. */
function round(score: number): number {
  return Math.round(score * 1e6) / 1e6;
}
