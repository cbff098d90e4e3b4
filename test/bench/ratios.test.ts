import { describe, expect, test } from "bun:test";
import { interval, ratios, rotated } from "./ratios.ts";

describe("ratios of things measured in turns", () => {
  test("the mean is geometric: twice and half come to one", () => {
    expect(interval([2, 0.5]).mean).toBeCloseTo(1, 12);
  });

  test("the interval is Student's t over the logarithms", () => {
    // Logarithms 0, 0.1, 0.2: mean 0.1, deviation 0.1, t of 2 degrees of freedom 4.3.
    const { mean, low, high } = interval([1, Math.exp(0.1), Math.exp(0.2)]);
    expect(Math.log(mean)).toBeCloseTo(0.1, 12);
    expect(Math.log(high) - Math.log(mean)).toBeCloseTo((4.3 * 0.1) / Math.sqrt(3), 12);
    expect(Math.log(mean) - Math.log(low)).toBeCloseTo((4.3 * 0.1) / Math.sqrt(3), 12);
  });

  test("equal ratios have no width, and neither has one alone", () => {
    expect(interval([1.5, 1.5, 1.5]).high).toBeCloseTo(1.5, 12);
    expect(interval([3]).low).toBeCloseTo(3, 12);
  });

  test("a turn that one of them did not finish counts for none", () => {
    expect(ratios([2, 4, 6], [1, 0, 3])).toEqual([2, 2]);
    expect(ratios([2, 4, 6], [1])).toEqual([2]);
  });

  test("in as many turns as there are things each is first once, and then in the other direction", () => {
    const turns = Array.from({ length: 6 }, (_, turn) => rotated(["a", "b", "c"], turn).join(""));
    expect(turns).toEqual(["abc", "bca", "cab", "cba", "acb", "bac"]);
    expect(rotated([], 3)).toEqual([]);
  });
});
