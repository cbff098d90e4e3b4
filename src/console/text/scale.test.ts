import { expect, test } from "bun:test";
import { linePath, ticksUpTo } from "./scale.ts";

test.each([
  [0, [0, 1]],
  [Number.NaN, [0, 1]],
  [1, [0, 0.25, 0.5, 0.75, 1]],
  [0.9, [0, 0.25, 0.5, 0.75, 1]],
  [3, [0, 1, 2, 3]],
  [97, [0, 25, 50, 75, 100]],
  [12_000, [0, 5000, 10_000, 15_000]],
])("an axis up to %d has round numbers", (most, ticks) => {
  expect(ticksUpTo(most)).toEqual(ticks);
});

test("a line is broken where there is no value", () => {
  const points = [
    [0, 1],
    [1, 2],
    [2, null],
    [3, 4],
  ] as const;
  expect(linePath(points)).toBe("M0.0 1.0L1.0 2.0M3.0 4.0");
  expect(linePath([])).toBe("");
});
