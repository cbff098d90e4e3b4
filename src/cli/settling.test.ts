import { expect, test } from "bun:test";
import { Settling } from "./settling.ts";

const settling = () => new Settling({ quietMs: 250, mostMs: 5000 });

test("what has just changed is kept back until it was left alone for long enough", () => {
  const s = settling();
  expect([s.isAtRest("a", "1", 0), s.endRound(0)]).toEqual([false, 1]);
  expect([s.isAtRest("a", "1", 249), s.endRound(249)]).toEqual([false, 1]);
  expect([s.isAtRest("a", "1", 250), s.endRound(250)]).toEqual([true, 0]);
});

test("a change begins it anew, but what never comes to rest is taken after a while", () => {
  const s = settling();
  for (let now = 0; now < 5000; now += 200)
    expect([s.isAtRest("log", String(now), now), s.endRound(now)]).toEqual([false, 1]);
  expect(s.isAtRest("log", "x", 5000)).toBe(true);
});

test("what is not asked for in a round is forgotten", () => {
  const s = settling();
  s.isAtRest("a", "1", 0);
  s.endRound(0);
  expect(s.endRound(300)).toBe(0);
  expect(s.isAtRest("a", "1", 300)).toBe(false);
});
