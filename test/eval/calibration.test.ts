import { expect, test } from "bun:test";
import { calibrationOf, quantile } from "./calibration.ts";

const results = (score: number, relevant: number, others: number, weight = 1) =>
  Array.from({ length: relevant + others }, (_, i) => ({ score, isRelevant: i < relevant, weight }));

test("scores that are shares of answers have no error", () => {
  const { error, bins } = calibrationOf([...results(0.25, 1, 3), ...results(0.75, 3, 1)]);
  expect(error).toBe(0);
  expect(bins).toEqual([
    { from: 0.2, share: 0.5, shown: 0.25, relevant: 0.25 },
    { from: 0.7, share: 0.5, shown: 0.75, relevant: 0.75 },
  ]);
});

test("the error is the distance, by the weight of the results", () => {
  expect(calibrationOf([...results(0.95, 0, 1, 3), ...results(0.05, 0, 1)]).error).toBeCloseTo(0.725, 10);
  expect(calibrationOf(results(1, 0, 4)).error).toBe(1);
  expect(calibrationOf([])).toEqual({ error: 0, bins: [] });
});

test("a quantile is one of the scores", () => {
  expect([0, 0.5, 1].map((place) => quantile([0.3, 0.1, 0.2], place))).toEqual([0.1, 0.2, 0.3]);
  expect(quantile([], 0.5)).toBe(0);
});
