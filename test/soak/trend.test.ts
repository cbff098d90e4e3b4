import { expect, test } from "bun:test";
import { seededRandom } from "../helpers/random.ts";
import { isFlat, trendOf } from "./trend.ts";

const times = Array.from({ length: 300 }, (_, i) => i * 5);
const BOUND = { part: 0.1, least: 1 };

test("a line has its slope, noise has none, and peaks do not make one", () => {
  const random = seededRandom(7);
  const line = trendOf(
    times,
    times.map((t) => 100 + 0.1 * t),
  );
  expect(line?.rise).toBeCloseTo(0.1 * 299 * 5, 6);
  const noise = trendOf(
    times,
    times.map(() => 100 + random.gauss()),
  );
  expect([Math.abs(noise?.rise ?? 9) < 1, (noise?.low ?? 1) < 0, (noise?.high ?? -1) > 0]).toEqual([true, true, true]);
  const peaks = trendOf(
    times,
    times.map((_, i) => (i % 50 === 49 ? 1000 : 100)),
  );
  expect(peaks?.rise).toBe(0);
});

test("flat is a rise within the bound, or a fall", () => {
  const of = (by: number) => {
    const trend = trendOf(
      times,
      times.map((t) => 100 + (by * t) / (299 * 5)),
    );
    return trend !== null && isFlat(trend, BOUND);
  };
  expect([of(0), of(9), of(12), of(-50)]).toEqual([true, true, false, true]);
});

test("what rises beside it by design is added to its bound, and a fall of that takes nothing away", () => {
  const trend = { median: 100, rise: 25, low: 20, high: 30 };
  expect([isFlat(trend, BOUND), isFlat(trend, BOUND, 20), isFlat(trend, BOUND, 10)]).toEqual([false, true, false]);
  expect(isFlat({ ...trend, rise: 9 }, BOUND, -50)).toBe(true);
});

test("few points have no trend", () => {
  expect(trendOf([1, 2, 3], [1, 2, 3])).toBeNull();
});
