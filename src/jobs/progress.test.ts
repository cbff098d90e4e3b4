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
