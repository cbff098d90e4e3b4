import type { IndexCandidate } from "../index/legs.ts";
import type { IndexAnswer } from "../index/store-index.ts";
import { sortedPlaces } from "../platform/sorted-places.ts";
import {
  type Calibration,
  type Factors,
  KEYWORD_FACTORS,
  LITTLE_FOUND,
  type Scale,
  SMALL,
  TABLE_SCALE,
} from "./scale.ts";

export const SEARCH_MODES = ["hybrid", "vector", "keyword"] as const;
export type SearchMode = (typeof SEARCH_MODES)[number];

/**
 * From the two legs of a search, vectors and keywords, to one ranking with scores in [0, 1].
 *
 * Order. Hybrid is the convex combination of the cosine as it is and the keyword score divided by the best one of this
 * query (after Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval"). On the development
 * sets this did as well as min-max normalised legs at their best, and it leaves text of a language that the model does
 * not know to the keywords, because its cosines are small. Every candidate has both scores, so nothing is lost where
 * only one leg found it. On request it is weighted reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
 *
 * The cosines of a model whose unrelated texts are near each other are spread first, so that they begin at 0 as those of
 * the bundled one do: as they are, none of its differences would count beside the keywords.
 *
 * To that comes the evidence that a chunk is the one meant: how much of what is rare in the question it has to the letter
 * (index/coverage.ts). A code, an identifier or a surname says nothing to the vectors, and the only file that has it is
 * what was asked for. To reciprocal ranks it is one more list, in which those that have everything are first.
 *
 * Scores. What is shown is the estimated probability that a result answers the question, so that a threshold means the
 * same from query to query: a logistic function of the combination, of how much of what was asked the best result has
 * (its keyword score as a share of what all words of the question could give, words that the store lacks included), and
 * of the best cosine. Fitted on the development sets, and on their questions put to the wrong store; `make eval` prints
 * how well it holds. Within one query it rises with the combination, so it never reorders. A vector search shows the
 * cosine itself.
 *
 * In a store of few chunks what the best result has cannot be told by rarities there: what the store is about stands in
 * every chunk and weighs nothing, and a word that none has outweighs all others. So the odds are corrected by what it has
 * with rarities as in a larger store, the more the fewer the chunks.
 */
export const RANKING = {
  /** What whole evidence adds to the combination. */
  evidenceWeight: 0.5,
  /** The constant of reciprocal rank fusion. */
  rrfConstant: 60,
  /** Candidates that each leg gives, at least; more where more results are asked for. */
  minDepth: 200,
  depthPerResult: 3,
} as const;

/** The best cosine of so many best results counts. */
const JUDGED_TOGETHER = 20;

export interface Weights {
  vector: number;
  text: number;
}

type Reciprocal = { type: "rrf"; weights: Weights; constant: number };

/** `vectorWeight` null: as the model and the question say. */
export type Fusion = { type: "convex"; vectorWeight: number | null } | Reciprocal;

/** One with all its weights. */
type Weighted = { type: "convex"; vectorWeight: number } | Reciprocal;

/** Of a search that chooses none. */
export const DEFAULT_FUSION: Fusion = { type: "convex", vectorWeight: null };

export interface Ranked {
  chunkId: number;
  fileKey: number;
  /** In [0, 1]. */
  score: number;
  vector: number | null;
  keyword: number | null;
  fused: number;
  /** A reranker's score, where one has read it. */
  rescored?: number | undefined;
}

/** Candidates of each leg that are enough for this many results. */
export function depthFor(results: number): number {
  return Math.max(RANKING.minDepth, results * RANKING.depthPerResult);
}

/**
 * One query's answer, best first. The order is total, so that an answer never varies.
 *
 * @param scale of the model whose vectors were asked, for this question
 */
export function rank(found: IndexAnswer, mode: SearchMode, wish: Fusion, scale: Scale = TABLE_SCALE): Ranked[] {
  const candidates = mode === "vector" ? found.candidates : spread(found.candidates, scale.unrelatedCosine);
  const keywordTop = keywordTopOf(candidates);
  const share = Math.min(1, shareOf(keywordTop, found.attainableKeywordScore));
  const fusion = weighted(wish, scale, share);
  const keyword = (candidate: IndexCandidate) => shareOf(candidate.keywordScore ?? 0, keywordTop);
  const fused =
    mode === "vector"
      ? candidates.map(({ vectorScore }) => vectorScore ?? 0)
      : mode === "keyword"
        ? candidates.map(keyword)
        : fusion.type === "rrf"
          ? reciprocalRanks(found, fusion.weights, fusion.constant)
          : candidates.map((candidate) => convex(candidate, fusion.vectorWeight, keyword));
  const places = sortedPlaces(
    candidates.length,
    (a, b) => fused[b]! - fused[a]! || nearer(candidates[a]!, candidates[b]!),
  );
  const at = (place: number): Fused => ({ candidate: candidates[place]!, fused: fused[place]! });
  const top = Array.from(places.subarray(0, JUDGED_TOGETHER), at);
  const scoreOf =
    mode === "vector"
      ? (_: IndexCandidate, cosine: number) => clip(cosine)
      : calibrated({ top, mode, fusion, keywordTop, found: share, small: found.small, scale });
  const ranked: Ranked[] = [];
  for (const place of places) {
    const candidate = candidates[place]!;
    const combined = fused[place]!;
    // By words alone: from here on none has any.
    if (mode === "keyword" && !(combined > 0)) break;
    ranked.push({
      chunkId: candidate.chunkId,
      fileKey: candidate.fileKey,
      score: round(scoreOf(candidate, combined)),
      vector: found.candidates[place]!.vectorScore,
      keyword: candidate.keywordScore,
      fused: combined,
    });
  }
  return ranked;
}

/** With its weight: the one asked for, or the one that the model has for this question and what was found. */
function weighted(wish: Fusion, scale: Scale, found: number): Weighted {
  if (wish.type !== "convex") return wish;
  return { type: "convex", vectorWeight: wish.vectorWeight ?? scale.vectorWeight(found) };
}

/** Cosines from `beginning` to 1 made to reach from 0 to 1. */
function spread(candidates: readonly IndexCandidate[], beginning: number): readonly IndexCandidate[] {
  if (beginning <= 0) return candidates;
  return candidates.map((candidate) => {
    const { chunkId, fileKey, vectorScore, keywordScore, evidence } = candidate;
    if (vectorScore === null) return candidate;
    return {
      chunkId,
      fileKey,
      vectorScore: Math.max(0, vectorScore - beginning) / (1 - beginning),
      keywordScore,
      evidence,
    };
  });
}

type Fused = { readonly candidate: IndexCandidate; readonly fused: number };

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

function withEvidence(combination: number, { evidence }: IndexCandidate): number {
  return combination + RANKING.evidenceWeight * evidence;
}

function convex(
  candidate: IndexCandidate,
  vectorWeight: number,
  keyword: (candidate: IndexCandidate) => number,
): number {
  return withEvidence(vectorWeight * (candidate.vectorScore ?? 0) + (1 - vectorWeight) * keyword(candidate), candidate);
}

function keywordTopOf(candidates: readonly IndexCandidate[]): number {
  let top = 0;
  for (const { keywordScore } of candidates) top = Math.max(top, keywordScore ?? 0);
  return top;
}

function reciprocalRanks({ candidates, vector, keyword }: IndexAnswer, weights: Weights, constant: number): number[] {
  const ranks = (leg: readonly { chunkId: number }[]) => new Map(leg.map((hit, i) => [hit.chunkId, i + 1]));
  const byVector = ranks(vector);
  const byKeyword = ranks(keyword);
  const part = (weight: number, rank: number | undefined) => (rank === undefined ? 0 : weight / (constant + rank));
  return candidates.map(
    ({ chunkId, evidence }) =>
      part(weights.vector, byVector.get(chunkId)) +
      part(weights.text, byKeyword.get(chunkId)) +
      part(weights.text, 1) * evidence,
  );
}

interface Calibrating {
  /** The best, best first. */
  top: readonly Fused[];
  mode: SearchMode;
  fusion: Weighted;
  /** The best keyword score, and its share of what a chunk with every word of the question would have. */
  keywordTop: number;
  found: number;
  small: IndexAnswer["small"];
  scale: Scale;
}

/** What to show for a result, by what it is and its combination. */
type Shown = (candidate: IndexCandidate, fused: number) => number;

/** Of a hybrid or keyword search. */
function calibrated({ top, mode, fusion, keywordTop, found, small, scale }: Calibrating): Shown {
  const [best] = top;
  if (best === undefined) return () => 0;
  let cosine = 0;
  for (const { candidate } of top) cosine = Math.max(cosine, candidate.vectorScore ?? 0);
  if (keywordTop === 0) {
    // Nothing but cosines, whatever their share; a question that neither leg knows anything of gets nothing.
    const { cosine: factor, constant } = scale.calibration.vector;
    return (candidate) => {
      const own = candidate.vectorScore ?? 0;
      return own > 0 ? logistic(factor * own + constant) : 0;
    };
  }
  const hasVectors = mode === "hybrid" && best.candidate.vectorScore !== null;
  const vectorShare = hasVectors ? vectorShareOf(fusion) : 0;
  const { hybrid } = scale.calibration;
  const part = Math.min(1, vectorShare / hybrid.share);
  const mixed = (name: keyof Factors) => part * hybrid[name] + (1 - part) * KEYWORD_FACTORS[name];
  const factor = mixed("fused");
  const foreign = Math.max(0, 1 - found / LITTLE_FOUND);
  const fixed =
    mixed("found") * found +
    mixed("cosine") * cosine +
    mixed("foreign") * foreign +
    mixed("constant") +
    part * correctionOf(small, vectorShare, scale.calibration);
  const scoreOf = (fused: number) => logistic(factor * fused + fixed);
  if (mode === "keyword" || fusion.type === "convex") return (_, fused) => scoreOf(fused);
  // Sums of reciprocal ranks say nothing by themselves: the best result is judged by its scores, the others keep their
  // proportion to it.
  const confidence = scoreOf(
    convex(best.candidate, vectorShare, ({ keywordScore }) => shareOf(keywordScore ?? 0, keywordTop)),
  );
  return (_, fused) => (best.fused > 0 ? (confidence * fused) / best.fused : 0);
}

/** What is added to the log odds in a store of few chunks; nothing in a larger one. */
function correctionOf(small: IndexAnswer["small"], vectorShare: number, { small: factors }: Calibration): number {
  if (small === null || factors === null) return 0;
  const { chunks, found } = small;
  const { from, whole } = SMALL;
  const share = Math.min(1, Math.max(0, Math.log(from / chunks) / Math.log(from / whole)));
  return share * (factors.found * found + factors.share * vectorShare + factors.constant);
}

function vectorShareOf(fusion: Weighted): number {
  if (fusion.type === "convex") return fusion.vectorWeight;
  const { vector, text } = fusion.weights;
  return vector / (vector + text);
}

function logistic(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

function shareOf(value: number, top: number): number {
  return top > 0 ? Math.max(0, value) / top : 0;
}

function clip(score: number): number {
  return score > 0 ? Math.min(1, score) : 0;
}

/** Six digits are more than the scores mean; what a client is shown is what its threshold is compared with. */
function round(score: number): number {
  return Math.round(score * 1e6) / 1e6;
}
