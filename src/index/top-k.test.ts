import { expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { bestPositive, likelyFloor, TopK } from "./top-k.ts";

/** Best first, equal scores by place. */
function naive(scores: Float32Array, count: number, k: number): number[] {
  return [...scores.subarray(0, count).keys()]
    .filter((i) => scores[i]! > 0)
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, k);
}

const random = seededRandom(5);
const SCORES: [name: string, score: (i: number) => number][] = [
  ["random scores", () => random() + 1e-3],
  ["mostly zeros", () => Math.max(0, random() - 0.99)],
  ["many equal scores", () => 1 + random.below(3)],
  ["rising scores", (i) => i + 1],
  ["falling scores", (i) => 1e6 - i],
  ["the best where a sample looks", (i) => (i % 16 === 0 ? 1000 : 1) + random()],
  ["the best where no sample looks", (i) => (i % 16 === 0 ? 1 : 1000) + random()],
  ["nothing above zero", () => 0],
];

test.each(SCORES)("the best of %s are those of sorting all", (_, score) => {
  const scores = Float32Array.from({ length: 10_000 }, (_, i) => score(i));
  for (const [count, k] of [
    [10_000, 200],
    [10_000, 1],
    [9999, 3000],
    [3000, 10],
    [50, 200],
    [0, 5],
  ] as const) {
    const found = bestPositive(scores, count, k).sorted();
    expect([...found.ids]).toEqual(naive(scores, count, k));
    expect([...found.scores]).toEqual([...found.ids].map((i) => scores[i]!));
  }
});

test("a likely floor leaves more than were asked for, and few more", () => {
  const scores = Float32Array.from({ length: 50_000 }, () => random());
  const floor = likelyFloor([{ scores, count: 50_000 }], 200);
  const above = scores.filter((score) => score > floor).length;
  expect(above).toBeGreaterThan(200);
  expect(above).toBeLessThan(2000);
});

test("a heap of no places keeps nothing", () => {
  const top = new TopK(0);
  top.offer(1, 1);
  expect(top.floor).toBe(Infinity);
  expect(top.sorted()).toEqual({ ids: new Int32Array(), scores: new Float64Array() });
});
