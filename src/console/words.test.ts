/** Words that depend on what they are about. */
import { expect, test } from "bun:test";
import { ApiError } from "./api.ts";
import { OPERATE } from "./operate-words.ts";
import { COMPARE_WORDS } from "./words-model.ts";
import { WORDS } from "./words.ts";

test("what went wrong is said in the server's words, or that it does not answer", () => {
  const of = (status: number) => new ApiError("No such store", { status, code: "", requestId: "" });
  expect([of(404), of(0), new Error("cut"), "odd"].map(WORDS.errorText)).toEqual([
    "No such store",
    "The server does not answer.",
    "cut",
    "odd",
  ]);
});

test("counts are said as one or as many", () => {
  expect([1, 2].map(WORDS.files.removeTitle)).toEqual(["Remove this file?", "Remove 2 files?"]);
  expect([1, 2].map(WORDS.playground.hits)).toEqual(["1 hit", "2 hits"]);
  expect([WORDS.document.page(3, 3), WORDS.document.page(3, 4)]).toEqual(["page 3", "pages 3–4"]);
  expect([WORDS.store.counts(3, 0, 0), WORDS.store.counts(3, 1, 2)]).toEqual([
    "3 done",
    "3 done, 1 in progress, 2 failed",
  ]);
  expect([1, 30].map(OPERATE.keys.inDays)).toEqual(["in a day", "in 30 days"]);
  expect([OPERATE.loaded(50, true), OPERATE.loaded(7, false)]).toEqual(["The first 50 are shown.", "7 in all."]);
  expect([1, 2].map((count) => COMPARE_WORDS.column("Left", count))).toEqual(["Left: 1 hit", "Left: 2 hits"]);
  expect(COMPARE_WORDS.summary({ same: 1, moved: 2, isNew: 3, lost: 4 })).toBe(
    "1 in the same place, 2 moved, 4 only on the left, 3 only on the right",
  );
});
