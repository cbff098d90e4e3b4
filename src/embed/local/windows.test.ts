import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../test/helpers/random.ts";
import { cutWindows, planBatches } from "./windows.ts";

describe("cutWindows", () => {
  const always = () => true;
  const cases: [count: number, capacity: number, ends: number[]][] = [
    [0, 10, [0]],
    [1, 10, [1]],
    [10, 10, [10]],
    [11, 10, [6, 11]],
    [800, 254, [200, 400, 600, 800]],
    [30, 10, [10, 20, 30]],
  ];
  for (const [count, capacity, ends] of cases) {
    test(`cuts ${count} tokens for a window of ${capacity} evenly`, () => {
      expect(cutWindows(count, capacity, { startsWord: always, sentences: [] })).toEqual(ends);
    });
  }

  test("moves a cut left to the beginning of a word, if one is near", () => {
    const cut = (word: number) => cutWindows(100, 60, { startsWord: (i) => i === word, sentences: [] });
    expect(cut(47)).toEqual([47, 100]);
    expect(cut(20)).toEqual([50, 100]);
  });

  test("cuts between sentences where one begins near the even place and no window more is needed", () => {
    const cut = (sentences: number[], count = 100) => cutWindows(count, 60, { startsWord: always, sentences });
    expect(cut([20, 44, 58, 90])).toEqual([44, 100]);
    expect(cut([20, 90])).toEqual([50, 100]);
    expect(cut([30], 119)).toEqual([60, 119]);
    // Many windows: one more is allowed.
    const every = Array.from({ length: 60 }, (_, i) => (i + 1) * 17);
    const ends = cut(every, 600);
    expect(ends.slice(0, -1).every((end) => end % 17 === 0)).toBe(true);
    expect(ends.length).toBeLessThanOrEqual(12);
  });

  test("leaves no token out and no window too long, whatever the words and sentences", () => {
    const random = seededRandom(3);
    for (let round = 0; round < 500; round++) {
      const capacity = 1 + Math.floor(random() * 40);
      const count = Math.floor(random() * 500);
      const density = random();
      const starts = Array.from({ length: count + 1 }, () => random() < density);
      const rarity = random() / 4;
      const sentences = Array.from({ length: count }, (_, i) => i).filter((i) => i > 0 && random() < rarity);
      const ends = cutWindows(count, capacity, { startsWord: (i) => starts[i] === true, sentences });
      const lengths = ends.map((end, w) => end - (ends[w - 1] ?? 0));
      expect(ends.at(-1)).toBe(count);
      expect(Math.max(...lengths)).toBeLessThanOrEqual(capacity);
      if (count > 0) expect(Math.min(...lengths)).toBeGreaterThan(0);
      const fewest = Math.max(1, Math.ceil(count / capacity));
      if (fewest < 4) expect(ends.length).toBe(fewest);
    }
  });
});

describe("planBatches", () => {
  test("puts every row into exactly one batch within the budget, with little padding", () => {
    const random = seededRandom(5);
    const lengths = Array.from({ length: 400 }, () => 1 + Math.floor(random() ** 2 * 256));
    const batches = planBatches(lengths, { maxTokens: 1024, rows: null });
    expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    let padded = 0;
    for (const batch of batches) {
      const cells = batch.length * Math.max(...batch.map((i) => lengths[i] ?? 0));
      expect(cells).toBeLessThanOrEqual(1024);
      padded += cells;
    }
    const real = lengths.reduce((a, b) => a + b, 0);
    expect(padded / real).toBeLessThan(1.03);
  });

  test("gives a row above the budget a run of its own, and keeps to a graph's fixed number of rows", () => {
    expect(planBatches([3000, 10, 10], { maxTokens: 1024, rows: null })).toEqual([[1, 2], [0]]);
    expect(planBatches([5, 5, 5], { maxTokens: 1024, rows: 2 })).toEqual([[0, 1], [2]]);
  });
});
