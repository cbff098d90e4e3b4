import type { EngineAnswer } from "../index/engine.ts";
import type { IndexCandidate } from "../index/legs.ts";
import { firstPlaces } from "../platform/sorted-places.ts";
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
 * @param most so many of the best at least, as far as there are any: of others nothing is made
 */
export function rank(
  found: EngineAnswer,
  mode: SearchMode,
  wish: Fusion,
  scale: Scale = TABLE_SCALE,
  most = Infinity,
): Ranked[] {
  const { candidates } = found;
  const beginning = mode === "vector" ? 0 : scale.unrelatedCosine;
  const keywordTop = keywordTopOf(candidates);
  const share = Math.min(1, shareOf(keywordTop, found.attainableKeywordScore));
  const fusion = weighted(wish, scale, share);
  const near = nearnessOf(candidates, beginning);
  const fused = fusedOf(found, { mode, fusion, keywordTop, near });
  // Of equal scores (zero, mostly) the nearer vector, then the older chunk.
  const places = firstPlaces(
    fused,
    Math.max(most, JUDGED_TOGETHER),
    (a, b) => fused[b]! - fused[a]! || near[b]! - near[a]! || candidates[a]!.chunkId - candidates[b]!.chunkId,
  );
  const at = (place: number): Fused => ({ candidate: spread(candidates[place]!, beginning), fused: fused[place]! });
  const top = Array.from(places.subarray(0, JUDGED_TOGETHER), at);
  const scoreOf =
    mode === "vector"
      ? (_: number, cosine: number) => clip(cosine)
      : calibrated({ top, mode, fusion, keywordTop, found: share, small: found.small, scale });
  const ranked: Ranked[] = [];
  for (const place of places) {
    const { chunkId, fileKey, vectorScore, keywordScore } = candidates[place]!;
    const combined = fused[place]!;
    // By words alone: from here on none has any.
    if (mode === "keyword" && !(combined > 0)) break;
    const score = round(scoreOf(near[place]!, combined));
    ranked.push({ chunkId, fileKey, score, vector: vectorScore, keyword: keywordScore, fused: combined });
  }
  return ranked;
}

/** Of each candidate its cosine, made to reach from 0 to 1 where cosines of unrelated texts begin at `beginning`; 0 without one. */
function nearnessOf(candidates: readonly IndexCandidate[], beginning: number): Float64Array {
  const near = new Float64Array(candidates.length);
  for (let i = 0; i < near.length; i++) near[i] = nearness(candidates[i]!.vectorScore ?? 0, beginning);
  return near;
}

function nearness(cosine: number, beginning: number): number {
  return beginning <= 0 ? cosine : Math.max(0, cosine - beginning) / (1 - beginning);
}

function spread(candidate: IndexCandidate, beginning: number): IndexCandidate {
  const { vectorScore } = candidate;
  if (beginning <= 0 || vectorScore === null) return candidate;
  return { ...candidate, vectorScore: nearness(vectorScore, beginning) };
}

interface Fusing {
  mode: SearchMode;
  fusion: Weighted;
  /** The best keyword score. */
  keywordTop: number;
  near: Float64Array;
}

/** What orders the candidates, in their order. */
function fusedOf(found: EngineAnswer, { mode, fusion, keywordTop, near }: Fusing): Float64Array {
  if (mode === "vector") return near;
  if (mode === "hybrid" && fusion.type === "rrf") return reciprocalRanks(found, fusion.weights, fusion.constant);
  const { candidates } = found;
  const fused = new Float64Array(candidates.length);
  for (let i = 0; i < fused.length; i++) {
    const { keywordScore, evidence } = candidates[i]!;
    const keyword = shareOf(keywordScore ?? 0, keywordTop);
    fused[i] =
      mode === "keyword" || fusion.type !== "convex"
        ? keyword
        : convex(near[i]!, keyword, fusion.vectorWeight, evidence);
  }
  return fused;
}

/** With its weight: the one asked for, or the one that the model has for this question and what was found. */
function weighted(wish: Fusion, scale: Scale, found: number): Weighted {
  if (wish.type !== "convex") return wish;
  return { type: "convex", vectorWeight: wish.vectorWeight ?? scale.vectorWeight(found) };
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

function convex(nearness: number, keyword: number, vectorWeight: number, evidence: number): number {
  return vectorWeight * nearness + (1 - vectorWeight) * keyword + RANKING.evidenceWeight * evidence;
}

function keywordTopOf(candidates: readonly IndexCandidate[]): number {
  let top = 0;
  for (const { keywordScore } of candidates) top = Math.max(top, keywordScore ?? 0);
  return top;
}

function reciprocalRanks(
  { candidates, vector, keyword }: EngineAnswer,
  weights: Weights,
  constant: number,
): Float64Array {
  const ranks = (leg: readonly { chunkId: number }[]) => new Map(leg.map((hit, i) => [hit.chunkId, i + 1]));
  const byVector = ranks(vector);
  const byKeyword = ranks(keyword);
  const part = (weight: number, rank: number | undefined) => (rank === undefined ? 0 : weight / (constant + rank));
  return Float64Array.from(
    candidates,
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
  small: EngineAnswer["small"];
  scale: Scale;
}

/** What to show for a result, by its nearness and its combination. */
type Shown = (near: number, fused: number) => number;

/** Of a hybrid or keyword search. */
function calibrated({ top, mode, fusion, keywordTop, found, small, scale }: Calibrating): Shown {
  const [best] = top;
  if (best === undefined) return () => 0;
  let cosine = 0;
  for (const { candidate } of top) cosine = Math.max(cosine, candidate.vectorScore ?? 0);
  if (keywordTop === 0) {
    // Nothing but cosines, whatever their share; a question that neither leg knows anything of gets nothing.
    const { cosine: factor, constant } = scale.calibration.vector;
    return (near) => (near > 0 ? logistic(factor * near + constant) : 0);
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
  const { vectorScore, keywordScore, evidence } = best.candidate;
  const keyword = shareOf(keywordScore ?? 0, keywordTop);
  const confidence = scoreOf(convex(vectorScore ?? 0, keyword, vectorShare, evidence));
  return (_, fused) => (best.fused > 0 ? (confidence * fused) / best.fused : 0);
}

/** What is added to the log odds in a store of few chunks; nothing in a larger one. */
function correctionOf(small: EngineAnswer["small"], vectorShare: number, { small: factors }: Calibration): number {
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
