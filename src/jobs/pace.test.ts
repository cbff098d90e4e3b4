import { expect, test } from "bun:test";
import { Pace } from "./pace.ts";

test("nothing is said before something was done, and for a while", () => {
  const pace = new Pace(0);
  expect(pace.secondsFor(10, 10_000)).toBeNull();
  const quick = new Pace(0);
  quick.add(1, 500);
  expect(quick.secondsFor(10, 1000)).toBeNull();
});

test("the rest takes as long as what was done took", () => {
  const pace = new Pace(0);
  for (let second = 1; second <= 10; second++) pace.add(2, second * 1000);
  const left = pace.secondsFor(100, 10_000) ?? 0;
  expect(left).toBeGreaterThan(45);
  expect(left).toBeLessThan(55);
  expect(pace.secondsFor(0, 10_000)).toBe(0);
});

test("what was done long ago is forgotten, and a pause is not work", () => {
  const pace = new Pace(0);
  for (let second = 1; second <= 60; second++) pace.add(10, second * 1000);
  for (let second = 61; second <= 660; second++) pace.add(1, second * 1000);
  expect(Math.abs((pace.secondsFor(60, 660_000) ?? 0) - 60)).toBeLessThan(6);
  const before = pace.secondsFor(60, 660_000) ?? 0;
  expect(pace.secondsFor(60, 760_000) ?? 0).toBeGreaterThan(2 * before);
});
