/** Whether a score means what it says: the share of results shown with it that are answers. */

/** One result: the score that was shown, and whether it answers the question. `weight`: of one result of its set. */
export interface Judged {
  score: number;
  isRelevant: boolean;
  weight: number;
}

export interface Calibration {
  /** By tenths of the score. `share`: of all results, `relevant`: of the bin's. */
  bins: { from: number; share: number; shown: number; relevant: number }[];
  /** Expected calibration error: mean distance between what was shown and what was found, over the bins. */
  error: number;
}

const BINS = 10;

export function calibrationOf(results: readonly Judged[]): Calibration {
  const sums = Array.from({ length: BINS }, () => ({ weight: 0, shown: 0, relevant: 0 }));
  for (const { score, isRelevant, weight } of results) {
    const bin = sums[Math.min(BINS - 1, Math.floor(score * BINS))];
    if (bin === undefined) continue;
    bin.weight += weight;
    bin.shown += weight * score;
    bin.relevant += isRelevant ? weight : 0;
  }
  const total = sums.reduce((sum, bin) => sum + bin.weight, 0) || 1;
  return {
    error: sums.reduce((sum, bin) => sum + Math.abs(bin.shown - bin.relevant), 0) / total,
    bins: sums.flatMap(({ weight, shown, relevant }, i) =>
      weight === 0
        ? []
        : [{ from: i / BINS, share: weight / total, shown: shown / weight, relevant: relevant / weight }],
    ),
  };
}

/** The score at a place among others: 0 the lowest, 1 the highest. 0 for none. */
export function quantile(scores: readonly number[], place: number): number {
  return scores.toSorted((a, b) => a - b)[Math.floor(place * (scores.length - 1))] ?? 0;
}
