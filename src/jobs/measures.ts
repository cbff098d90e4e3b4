/**
 * Retrieval measures as trec_eval and BEIR compute them: linear gains (a grade of 2 is worth twice a grade of 1), ranks
 * discounted by log2(rank + 1), what nobody judged counts as not relevant.
 */

/** Grades by id; those above 0 are answers. */
export type Grades = ReadonlyMap<string, number>;

export interface Scores {
  /** Normalised discounted cumulative gain, in [0, 1]. */
  ndcg: number;
  /** Share of the answers that were found. */
  recall: number;
  /** One divided by the rank of the first answer; 0 where none was found. */
  mrr: number;
}

export interface Percentiles {
  p50: number;
  p95: number;
}

/** `ranked`: ids, best first. `k`: how many of them count. */
export function scoresOf(ranked: readonly string[], grades: Grades, k = 10): Scores {
  const top = ranked.slice(0, k);
  const gains = top.map((id) => grades.get(id) ?? 0);
  const relevant = [...grades.values()].filter((grade) => grade > 0);
  const first = gains.findIndex((gain) => gain > 0);
  const ideal = discounted(relevant.toSorted((a, b) => b - a).slice(0, k));
  return {
    ndcg: ideal === 0 ? 0 : discounted(gains) / ideal,
    recall: relevant.length === 0 ? 0 : gains.filter((gain) => gain > 0).length / relevant.length,
    mrr: first < 0 ? 0 : 1 / (first + 1),
  };
}

/** 0 everywhere for none. */
export function meanOf(scores: readonly Scores[]): Scores {
  const mean = (pick: (scores: Scores) => number) =>
    scores.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, scores.length);
  return { ndcg: mean((one) => one.ndcg), recall: mean((one) => one.recall), mrr: mean((one) => one.mrr) };
}

/** The value that half, and that 95 % of the values do not exceed; 0 for none. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p95: at(0.95) };
}

/** Four digits: more than the figures mean. */
export function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, rank) => sum + gain / Math.log2(rank + 2), 0);
}
