import { expect, test } from "bun:test";
import { localText, secondsOf } from "./format.ts";

test("a time of a field is the same again, in the reader's own time", () => {
  for (const seconds of ["0", "1764481500", "1780000020"]) {
    const minute = String(Math.floor(Number(seconds) / 60) * 60);
    expect(secondsOf(localText(seconds))).toBe(minute);
  }
});

test("what is no time is empty both ways", () => {
  expect([undefined, "", "-5", "1.5", "soon"].map(localText)).toEqual(["", "", "", "", ""]);
  expect(["", "soon"].map(secondsOf)).toEqual(["", ""]);
});
