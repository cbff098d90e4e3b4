import { expect, test } from "bun:test";
import { scoresOf } from "./measures.ts";

test("a perfect ranking scores 1 everywhere", () => {
  const judged = new Map([
    ["a", 2],
    ["b", 1],
  ]);
  expect(scoresOf(["a", "b", "c"], judged)).toEqual({ ndcg: 1, recall: 1, mrr: 1 });
});

test("grades weigh linearly and ranks logarithmically", () => {
  const judged = new Map([
    ["a", 2],
    ["b", 1],
  ]);
  const { ndcg, recall, mrr } = scoresOf(["x", "b", "a"], judged);
  const ideal = 2 + 1 / Math.log2(3);
  expect(ndcg).toBeCloseTo((1 / Math.log2(3) + 2 / 2) / ideal, 10);
  expect({ recall, mrr }).toEqual({ recall: 1, mrr: 0.5 });
});

test("what lies beyond k does not count", () => {
  const ranked = Array.from({ length: 10 }, (_, i) => `x${i}`).concat("a");
  expect(scoresOf(ranked, new Map([["a", 1]]))).toEqual({ ndcg: 0, recall: 0, mrr: 0 });
});
