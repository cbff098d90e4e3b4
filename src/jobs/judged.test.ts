import { describe, expect, test } from "bun:test";
import type { Relevant } from "../storage/judgments.ts";
import { byFile, yardstick } from "./judged.ts";

const file = (id: string, grade = 1): Relevant => ({ file: id, chunk: null, grade });
const chunk = (id: number, of: string, grade = 1): Relevant => ({ file: of, chunk: id, grade });
/** Chunks 1 and 2 are of file a, 3 of b. */
const HITS = [
  { file: "a", chunk: 1 },
  { file: "a", chunk: 2 },
  { file: "b", chunk: 3 },
];

describe("hits are held against", () => {
  test("files, each of which counts once, with its best chunk", () => {
    const { grades, onePerFile, results, rank } = yardstick([file("a"), file("b", 2)]);
    expect([[...grades], onePerFile, results(10), rank(HITS)]).toEqual([
      [
        ["a", 1],
        ["b", 2],
      ],
      true,
      10,
      ["a", "b"],
    ]);
  });

  test("chunks, each of which is a result of its own", () => {
    const { grades, onePerFile, results, rank } = yardstick([chunk(3, "b")]);
    const ranked = rank(HITS);
    expect([onePerFile, results(10), ranked.length]).toEqual([false, 10, 3]);
    expect(ranked.map((id) => grades.get(id))).toEqual([undefined, undefined, 1]);
  });

  test("both: a judged chunk as itself, every other one as its file", () => {
    const { grades, onePerFile, rank } = yardstick([chunk(2, "a", 3), file("a")]);
    expect(onePerFile).toBe(false);
    expect(rank(HITS).map((id) => grades.get(id))).toEqual([1, 3, undefined]);
  });
});

test("what was judged twice has its higher grade", () => {
  expect([...yardstick([file("a", 3), file("a")]).grades.values()]).toEqual([3]);
});

test("a chunk of a file that is not known still counts as an answer", () => {
  expect(yardstick([{ file: null, chunk: 9, grade: 1 }]).grades.size).toBe(1);
});

test("across generations a chunk stands for its file", () => {
  expect(byFile([chunk(3, "b", 2), file("a")])).toEqual([file("b", 2), file("a")]);
});
