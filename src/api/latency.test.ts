import { expect, test } from "bun:test";
import { addHistogram, bucketOf, countSearch, type Histogram, percentile, percentilesOf } from "./latency.ts";

function histogram(times: readonly number[]): Histogram {
  const counts: Histogram = {};
  for (const ms of times) counts[bucketOf(ms)] = (counts[bucketOf(ms)] ?? 0) + 1;
  return counts;
}

test.each([0.1, 0.5, 1, 3.7, 42, 999, 60_000])("a time of %d ms is right to 4 %%", (ms) => {
  const read = percentile(histogram([ms]), 0.5);
  expect(Math.abs(read - ms) / ms).toBeLessThan(0.04);
});

test("percentiles are those of the times", () => {
  const times = Array.from({ length: 1000 }, (_, i) => 1 + i / 10);
  for (const share of [0.5, 0.95, 0.99]) {
    const exact = times[Math.ceil(share * times.length) - 1] ?? 0;
    expect(Math.abs(percentile(histogram(times), share) - exact) / exact).toBeLessThan(0.05);
  }
});

test("histograms add up; of nothing every percentile is 0", () => {
  const sum = histogram([1, 1, 1]);
  addHistogram(sum, histogram([100]));
  expect(percentile(sum, 0.5)).toBeCloseTo(1, 1);
  expect(percentile(sum, 1)).toBeGreaterThan(95);
  expect(percentile({}, 0.5)).toBe(0);
  expect([bucketOf(0), bucketOf(-1)]).toEqual([0, 0]);
});

test("stages are counted beside the whole, each among the searches that had it", () => {
  const counts: Histogram = {};
  for (let i = 0; i < 9; i++) countSearch(counts, { total: 10, embed: 6, vector: 3, keyword: 0, fetch: 1 });
  countSearch(counts, { total: 1, embed: 0, vector: 0, keyword: 0.5, fetch: 0.5 });
  const near = (ms: number) => expect.closeTo(ms, ms < 2 ? 1 : 0);
  expect(percentilesOf(counts)).toEqual({ p50: near(10), p95: near(10), p99: near(10) });
  expect(percentilesOf(counts, "embed")).toEqual({ p50: near(6), p95: near(6), p99: near(6) });
  expect(percentilesOf(counts, "keyword")).toEqual({ p50: near(0.5), p95: near(0.5), p99: near(0.5) });
  expect(percentilesOf(counts, "fetch").p50).toBeCloseTo(1, 1);
  // What earlier versions counted has no stages.
  expect([percentile(counts, 1) > 9, percentilesOf({ 100: 3 }, "embed").p50]).toEqual([true, 0]);
});
