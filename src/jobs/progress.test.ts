import { expect, test } from "bun:test";
import { ProgressBoard } from "./progress.ts";

test("a file's progress is shown until it ends", () => {
  const board = new ProgressBoard();
  expect(board.get(1)).toBeNull();
  board.set(1, { stage: "embed", done: 3, total: 7 });
  board.set(2, { stage: "parse", done: 0, total: 1 });
  expect(board.get(1)).toEqual({ stage: "embed", done: 3, total: 7 });
  board.end(1);
  expect([board.get(1), board.get(2)]).toEqual([null, { stage: "parse", done: 0, total: 1 }]);
});

test("the time of every stage is told once, when the next one begins or the file ends", () => {
  const told: string[] = [];
  const board = new ProgressBoard((stage, seconds) => told.push(seconds >= 0 ? stage : "negative"));
  board.set(1, { stage: "parse", done: 0, total: 1 });
  board.set(1, { stage: "embed", done: 0, total: 2 });
  board.set(1, { stage: "embed", done: 2, total: 2 });
  expect(told).toEqual(["parse"]);
  board.end(1);
  expect(told).toEqual(["parse", "embed"]);
  board.end(1);
  expect(told).toEqual(["parse", "embed"]);
});

test("a store's time left follows from what was done of its files, not from what was found done", () => {
  let nowMs = 0;
  const board = new ProgressBoard(undefined, () => nowMs);
  expect(board.secondsLeft("vs_1", 3)).toBeNull();
  // Half of it was embedded by a run that was interrupted.
  board.set(1, { stage: "embed", done: 50, total: 100 }, "vs_1");
  nowMs = 10_000;
  expect(board.secondsLeft("vs_1", 1)).toBeNull();
  board.set(1, { stage: "embed", done: 75, total: 100 }, "vs_1");
  const left = board.secondsLeft("vs_1", 1) ?? 0;
  expect(left).toBeGreaterThanOrEqual(9);
  expect(left).toBeLessThanOrEqual(13);
  // Two more wait.
  expect((board.secondsLeft("vs_1", 3) ?? 0) > 6 * left).toBe(true);
  expect(board.secondsLeft("vs_2", 1)).toBeNull();
});

test("a store of which nothing ran for a while begins anew", () => {
  let nowMs = 0;
  const board = new ProgressBoard(undefined, () => nowMs);
  board.set(1, { stage: "embed", done: 0, total: 100 }, "vs_1");
  nowMs = 5000;
  board.set(1, { stage: "index", done: 100, total: 100 }, "vs_1");
  board.end(1);
  expect(board.secondsLeft("vs_1", 1)).toBeGreaterThanOrEqual(5);
  nowMs = 200_000;
  board.set(2, { stage: "parse", done: 0, total: 1 }, "vs_1");
  expect(board.secondsLeft("vs_1", 1)).toBeNull();
});
