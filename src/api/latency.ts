/**
 * Latencies as counts per bucket: bucket `b` holds times up to 0.01 ms x 1.08^b, so that a percentile read from them is
 * right to 4 % and a store's hour takes a few dozen numbers at most.
 */
const SMALLEST_MS = 0.01;
const RATIO = 1.08;
const LOG_RATIO = Math.log(RATIO);

/** Buckets of whole searches, and beside them those of their stages, named `stage:bucket`. */
export type Histogram = Record<string, number>;

/** Of a search, as they are logged. */
export const STAGES = ["embed", "vector", "keyword", "fetch"] as const;
export type Stage = (typeof STAGES)[number];

/** Counts one search. A stage that took no time was none of it: a search by keywords embeds nothing. */
export function countSearch(sum: Histogram, latency: Readonly<Record<Stage | "total", number>>): void {
  const count = (bucket: string) => (sum[bucket] = (sum[bucket] ?? 0) + 1);
  count(String(bucketOf(latency.total)));
  for (const stage of STAGES) if (latency[stage] > 0) count(`${stage}:${bucketOf(latency[stage])}`);
}

export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
}

/** Of the whole, or of a stage among the searches that had it. */
export function percentilesOf(histogram: Histogram, stage?: Stage): Percentiles {
  const own = Object.entries(histogram).flatMap(([key, count]) => {
    const [name, bucket] = key.includes(":") ? key.split(":") : [undefined, key];
    return name === stage && bucket !== undefined ? [[bucket, count] as const] : [];
  });
  const times = Object.fromEntries(own);
  return { p50: percentile(times, 0.5), p95: percentile(times, 0.95), p99: percentile(times, 0.99) };
}

export function bucketOf(ms: number): number {
  return Math.max(0, Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / LOG_RATIO));
}

export function addHistogram(sum: Histogram, more: Histogram): void {
  for (const [bucket, count] of Object.entries(more)) sum[bucket] = (sum[bucket] ?? 0) + count;
}

/** The time that a share of `share` of the searches did not exceed, in milliseconds; 0 where there are none. */
export function percentile(histogram: Histogram, share: number): number {
  const buckets = Object.entries(histogram)
    .filter(([bucket]) => !bucket.includes(":"))
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
