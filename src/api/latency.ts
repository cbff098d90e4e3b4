/**
 * Latencies as counts per bucket: bucket `b` holds times up to 0.01 ms x 1.08^b, so that a percentile read from them is
 * right to 4 % and a store's hour takes a few dozen numbers at most.
 */
const SMALLEST_MS = 0.01;
const RATIO = 1.08;
const LOG_RATIO = Math.log(RATIO);

export type Histogram = Record<string, number>;

export function bucketOf(ms: number): number {
  return Math.max(0, Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / LOG_RATIO));
}

export function addHistogram(sum: Histogram, more: Histogram): void {
  for (const [bucket, count] of Object.entries(more)) sum[bucket] = (sum[bucket] ?? 0) + count;
}

/** The time that a share of `share` of the searches did not exceed, in milliseconds; 0 where there are none. */
export function percentile(histogram: Histogram, share: number): number {
  const buckets = Object.entries(histogram)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort((a, b) => a[0] - b[0]);
  const rank = share * buckets.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen >= rank) return Math.round(SMALLEST_MS * RATIO ** (bucket - 0.5) * 1000) / 1000;
  }
  return 0;
}
