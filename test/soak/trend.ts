/**
 * Whether a series stays flat. The slope is that of Theil and Sen, the median of the slopes between all pairs of points,
 * which single peaks do not move; its 95 % interval is Sen's (Journal of the American Statistical Association 63, 1968), from
 * the variance of Kendall's statistic.
 */
export interface Trend {
  /** Of the values. */
  median: number;
  /** Over the whole window, in the values' unit: slope times length. */
  rise: number;
  /** 95 % interval of the rise. */
  low: number;
  high: number;
}

/** More points than that are thinned: the pairs grow as the square. */
const MOST_POINTS = 800;

export function trendOf(times: readonly number[], values: readonly number[]): Trend | null {
  const step = Math.max(1, Math.ceil(values.length / MOST_POINTS));
  const points = values.flatMap((value, i): [number, number][] =>
    i % step === 0 && Number.isFinite(value) ? [[times[i] ?? 0, value]] : [],
  );
  const n = points.length;
  if (n < 8) return null;
  const slopes: number[] = [];
  for (const [i, [t, v]] of points.entries())
    for (const [later, value] of points.slice(i + 1)) if (later > t) slopes.push((value - v) / (later - t));
  slopes.sort((a, b) => a - b);
  const length = (points.at(-1)?.[0] ?? 0) - (points[0]?.[0] ?? 0);
  const middle = slopes.length / 2;
  const spread = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (i: number) => slopes[Math.max(0, Math.min(slopes.length - 1, Math.round(i)))] ?? 0;
  return {
    median: medianOf(points.map(([, value]) => value)),
    rise: at(middle) * length,
    low: at(middle - spread / 2) * length,
    high: at(middle + spread / 2) * length,
  };
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** What a series may rise over the window and still be flat: a part of its median, or so much, whichever is more. */
export interface Bound {
  part: number;
  least: number;
}

/** `beside`: the rise of what it holds by design, in its unit; a fall takes nothing away. */
export const mayRise = ({ median }: Pick<Trend, "median">, { part, least }: Bound, beside = 0): number =>
  Math.max(least, part * Math.abs(median)) + Math.max(0, beside);

export const isFlat = (trend: Trend, bound: Bound, beside = 0): boolean => trend.rise <= mayRise(trend, bound, beside);
