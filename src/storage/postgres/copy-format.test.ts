import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../test/helpers/random.ts";
import { COPY_BEGIN, COPY_END, CopyDecoder, CopyEncoder, type CopyType } from "./copy-format.ts";

const TYPES: readonly CopyType[] = ["bigint", "text", "bytea"];
const ROWS: readonly unknown[][] = [
  [0, "", new Uint8Array()],
  [1, "a", Uint8Array.of(0, 255)],
  [-1, "Łódź \u{1F4DA}", Uint8Array.of(1)],
  [null, null, null],
  [2 ** 32, "x".repeat(200_000), new Uint8Array(100_000).fill(7)],
  [Number.MAX_SAFE_INTEGER, "\n\t\\N", Uint8Array.of(255, 255)],
  [Number.MIN_SAFE_INTEGER, "end", Uint8Array.of(2)],
];

function encoded(rows: readonly unknown[][]): Buffer {
  const encoder = new CopyEncoder(TYPES);
  for (const row of rows) encoder.add(row);
  return Buffer.concat([COPY_BEGIN, encoder.take(), COPY_END]);
}

/** A row read by the format's description. */
function valuesOf(row: Uint8Array): unknown[] {
  const data = Buffer.from(row);
  const values: unknown[] = [];
  let at = 2;
  for (let i = 0; i < data.readInt16BE(0); i++) {
    const length = data.readInt32BE(at);
    at += 4;
    if (length < 0) values.push(null);
    else {
      const field = data.subarray(at, at + length);
      values.push(
        TYPES[i] === "bigint"
          ? Number(field.readBigInt64BE())
          : TYPES[i] === "text"
            ? field.toString()
            : new Uint8Array(field),
      );
      at += length;
    }
  }
  expect(at).toBe(data.length);
  return values;
}

describe("rows in COPY's binary form", () => {
  test("are what they were, cut wherever the pieces end", () => {
    const all = encoded(ROWS);
    const random = seededRandom(3);
    for (const most of [1, 7, 5000, all.length]) {
      const decoder = new CopyDecoder();
      const rows: unknown[][] = [];
      // Of single bytes the first few hundred are enough.
      const rest = most === 1 ? encoded(ROWS.slice(0, 4)) : all;
      for (let at = 0; at < rest.length;) {
        const end = Math.min(rest.length, at + 1 + random.below(most));
        for (const row of decoder.rows(new Uint8Array(rest.subarray(at, end)))) rows.push(valuesOf(row));
        at = end;
      }
      decoder.end();
      expect(rows).toEqual(most === 1 ? ROWS.slice(0, 4) : [...ROWS]);
    }
  });

  test("a text has no U+0000, which the database would not keep", () => {
    const [row = new Uint8Array()] = new CopyDecoder().rows(encoded([[1, "a\0b", null]]));
    expect(valuesOf(new Uint8Array(row))).toEqual([1, "a\uFFFDb", null]);
  });

  test("that end in the middle are an error", () => {
    const all = encoded(ROWS);
    for (const bytes of [all.subarray(0, 10), all.subarray(0, -1), all.subarray(0, 40)]) {
      const decoder = new CopyDecoder();
      expect(Array.from(decoder.rows(bytes)).length).toBeLessThanOrEqual(ROWS.length);
      expect(() => decoder.end()).toThrow("not whole");
    }
    expect(() => Array.from(new CopyDecoder().rows(Buffer.from("something else than that")))).toThrow("something else");
  });

  test.each([
    ["a number with a fraction", [1.5, "", null]],
    ["a number that is no whole one any more", [2 ** 60, "", null]],
    ["a text for a number", ["1", "", null]],
    ["a number for a text", [1, 1, null]],
    ["a text for bytes", [1, "", "x"]],
  ])("%s is refused", (_, row) => {
    expect(() => new CopyEncoder(TYPES).add(row)).toThrow();
  });
});
