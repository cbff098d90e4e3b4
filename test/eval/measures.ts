/** Retrieval measures as trec_eval computes them: linear gains, unjudged documents count as not relevant. */
export type Judgments = ReadonlyMap<string, number>;

export interface Scores {
  ndcg: number;
  recall: number;
  mrr: number;
}

/** `ranked`: ids, best first. `k`: how many of them count. */
export function scoresOf(ranked: readonly string[], judgments: Judgments, k = 10): Scores {
  const top = ranked.slice(0, k);
  const gains = top.map((id) => judgments.get(id) ?? 0);
  const relevant = [...judgments.values()].filter((grade) => grade > 0);
  const first = gains.findIndex((gain) => gain > 0);
  const ideal = discounted(relevant.toSorted((a, b) => b - a).slice(0, k));
  return {
    ndcg: ideal === 0 ? 0 : discounted(gains) / ideal,
    recall: relevant.length === 0 ? 0 : gains.filter((gain) => gain > 0).length / relevant.length,
    mrr: first < 0 ? 0 : 1 / (first + 1),
  };
}

export function meanOf(scores: readonly Scores[]): Scores {
  const mean = (pick: (scores: Scores) => number) =>
    scores.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, scores.length);
  return { ndcg: mean((one) => one.ndcg), recall: mean((one) => one.recall), mrr: mean((one) => one.mrr) };
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, rank) => sum + gain / Math.log2(rank + 2), 0);
}
