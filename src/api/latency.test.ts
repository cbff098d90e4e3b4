import { expect, test } from "bun:test";
import { addHistogram, bucketOf, type Histogram, percentile } from "./latency.ts";

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
