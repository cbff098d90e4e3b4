import { expect, test } from "bun:test";
import { meanOf, percentilesOf, scoresOf } from "./measures.ts";

const JUDGED = new Map([
  ["a", 2],
  ["b", 1],
]);

test("a perfect ranking scores 1 everywhere", () => {
  expect(scoresOf(["a", "b", "c"], JUDGED)).toEqual({ ndcg: 1, recall: 1, mrr: 1 });
});

test("grades weigh linearly and ranks logarithmically", () => {
  const { ndcg, recall, mrr } = scoresOf(["x", "b", "a"], JUDGED);
  const ideal = 2 + 1 / Math.log2(3);
  expect(ndcg).toBeCloseTo((1 / Math.log2(3) + 2 / 2) / ideal, 10);
  expect({ recall, mrr }).toEqual({ recall: 1, mrr: 0.5 });
});

test("what lies beyond k does not count, neither found nor in the ideal", () => {
  const ranked = Array.from({ length: 10 }, (_, i) => `x${i}`).concat("a");
  expect(scoresOf(ranked, new Map([["a", 1]]))).toEqual({ ndcg: 0, recall: 0, mrr: 0 });
  expect(scoresOf(["a", "b"], JUDGED, 1)).toEqual({ ndcg: 1, recall: 0.5, mrr: 1 });
});

test("a grade of 0 is no answer", () => {
  const judged = new Map([
    ["a", 0],
    ["b", 1],
  ]);
  expect(scoresOf(["a", "b"], judged)).toEqual({ ndcg: 1 / Math.log2(3), recall: 1, mrr: 0.5 });
});

test("means and percentiles of nothing are 0", () => {
  expect(meanOf([])).toEqual({ ndcg: 0, recall: 0, mrr: 0 });
  expect(percentilesOf([])).toEqual({ p50: 0, p95: 0 });
  expect(percentilesOf([5, 1, 4, 2, 3])).toEqual({ p50: 3, p95: 5 });
});
