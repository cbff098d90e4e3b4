import { describe, expect, test } from "bun:test";
import { isForeign, type Result, toParam, toRows, translate } from "./values.ts";

test.each([
  ["SELECT ?1, ?2, ?1", "SELECT $1, $2, $1"],
  ["SELECT ?12 /* ?1 */ -- ?2\n, ?3", "SELECT $12 /* ?1 */ -- ?2\n, $3"],
  [`SELECT '?1', 'it''s ?2', "a?1", ?1`, `SELECT '?1', 'it''s ?2', "a?1", $1`],
  ["SELECT j ? 'a', ?1", "SELECT j ? 'a', $1"],
  ["DO $$ SELECT ?1 $$; DO $x$ ?1 $$ $x$", "DO $$ SELECT ?1 $$; DO $x$ ?1 $$ $x$"],
])("placeholders of %s", (text, expected) => {
  expect(translate(text)).toBe(expected);
});

describe("a parameter", () => {
  test("is what SQLite would keep", () => {
    expect([true, false, -0, 1.5, 2 ** 40, "a", null].map(toParam)).toEqual([1, 0, 0, 1.5, 2 ** 40, "a", null]);
    expect(Object.is(toParam(-0), 0)).toBe(true);
    expect(toParam("a\0b")).toBe("a\uFFFDb");
    expect(() => toParam(2n ** 63n)).toThrow("64 bits");
  });

  test("of bytes is what they were at the call", () => {
    const bytes = new Uint8Array([1, 2]);
    const param = toParam(bytes);
    bytes[0] = 9;
    expect(param).toEqual(new Uint8Array([1, 2]));
  });
});

test("rows have numbers, plain bytes, 1 and 0, and the text of JSON", () => {
  const pool = Buffer.from(new Uint8Array(32));
  const row = {
    n: 5n,
    sum: "12",
    yes: true,
    json: { a: 1 },
    bytes: pool.subarray(3, 5),
    text: "t",
    none: null,
  } as Record<string, unknown>;
  const types = { n: 20, sum: 1700, yes: 16, json: 3802, bytes: 17, text: 25, none: 20 };
  const columns = Object.entries(types).map(([name, type]) => ({ name, type }));
  const result = Object.assign([row], { count: 1, affectedRows: 0, command: "SELECT", columns }) as Result;
  const [read] = toRows(result);
  expect(toRows(Object.assign([], { columns: null }) as unknown as Result)).toEqual([]);
  expect(read).toEqual({ n: 5, sum: 12, yes: 1, json: '{"a":1}', bytes: new Uint8Array(2), text: "t", none: null });
  const { bytes } = read as { bytes: Uint8Array };
  expect(Buffer.isBuffer(bytes)).toBe(false);
  expect(bytes.byteOffset % 8).toBe(0);
  const large = Object.assign([{ n: 2n ** 60n }], { columns }) as unknown as Result;
  expect(() => toRows(large)).toThrow("2^53");
});

test("rows of another tenant than the one asked for are noticed", () => {
  const columns = [{ name: "tenant_id", type: 25 }];
  const result = Object.assign([{ tenant_id: "ten_a" }, { tenant_id: "ten_a" }], { columns }) as unknown as Result;
  expect(isForeign(result, ["ten_a", 1])).toBe(false);
  expect(isForeign(result, ["ten_b", 1])).toBe(true);
  expect(isForeign(result, [1, "ten_b"])).toBe(false);
});
