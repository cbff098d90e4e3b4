import { describe, expect, test } from "bun:test";
import { countsOf, joined } from "./compare.ts";

const chunk = (id: string) => ({ file_id: "file-1", chunk_id: id });
const passage = (file: string, start: number, end: number) => ({
  file_id: file,
  chunk_id: `${file} ${start} ${end}`,
  start_offset: start,
  end_offset: end,
});

describe("two lists of hits", () => {
  test("are joined by chunk, in whatever places they stand", () => {
    const found = joined(["a", "b", "c", "d"].map(chunk), ["a", "c", "e", "b"].map(chunk));
    expect(found).toEqual({ left: [0, 3, 1, null], right: [0, 2, null, 1] });
    expect(countsOf(found)).toEqual({ same: 1, moved: 2, lost: 1, isNew: 1 });
  });

  test("cut in different ways are joined where passages have most in common", () => {
    const left = [passage("f", 0, 100), passage("f", 100, 200), passage("g", 0, 100)];
    const right = [passage("f", 90, 190), passage("f", 0, 60), passage("h", 0, 100)];
    expect(joined(left, right)).toEqual({ left: [1, 0, null], right: [1, 0, null] });
  });

  test("join each hit once, the best fit first", () => {
    const left = [passage("f", 0, 60), passage("f", 0, 100)];
    const right = [passage("f", 0, 95), passage("f", 300, 400)];
    expect(joined(left, right)).toEqual({ left: [0, null], right: [0, null] });
    expect(joined([chunk("a"), chunk("a")], [chunk("a")])).toEqual({ left: [0, null], right: [0] });
  });

  test("that are empty, or without places, have nothing in common", () => {
    expect(joined([], [chunk("a")])).toEqual({ left: [], right: [null] });
    expect(joined([{ file_id: "f" }], [{ file_id: "f" }])).toEqual({ left: [null], right: [null] });
  });
});
