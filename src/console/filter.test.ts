import { describe, expect, test } from "bun:test";
import { type Filter, filterJson, filterOf, parsedJson, scalarOf, typedText } from "./filter.ts";

const year = { key: "year", comparison: "gte", value: "2024" } as const;
const tags = { key: "tag", comparison: "in", value: 'a, b, 3, "4"' } as const;

describe("a filter of rows", () => {
  const cases: [string, Filter, object | undefined][] = [
    ["none", { join: "and", rows: [] }, undefined],
    ["rows without an attribute", { join: "or", rows: [{ key: " ", comparison: "eq", value: "x" }] }, undefined],
    ["one", { join: "or", rows: [year] }, { type: "gte", key: "year", value: 2024 }],
    [
      "several",
      { join: "or", rows: [year, tags] },
      {
        type: "or",
        filters: [
          { type: "gte", key: "year", value: 2024 },
          { type: "in", key: "tag", value: ["a", "b", 3, "4"] },
        ],
      },
    ],
  ];
  test.each(cases)("is sent as JSON: %s", (_, filter, expected) => {
    expect(filterJson(filter)).toEqual(expected);
  });

  test("is read back from what it sends", () => {
    const filter: Filter = { join: "or", rows: [year, tags] };
    expect(filterOf(filterJson(filter))).toEqual(filter);
    expect(filterOf(undefined)).toEqual({ join: "and", rows: [] });
  });

  test.each([
    [{ type: "and", filters: [{ type: "or", filters: [] }] }],
    [{ category: "support" }],
    [{ type: "eq", key: "a", value: { b: 1 } }],
    [{ type: "in", key: "a", value: "b" }],
    [{ type: "in", key: "a", value: ["b,c"] }],
    [{ type: "and", filters: "x" }],
    [[1]],
  ])("cannot say %j", (json) => {
    expect(filterOf(json)).toBeNull();
  });
});

test.each([
  ["2024", 2024],
  ["-1.5", -1.5],
  ["true", true],
  ['"2024"', "2024"],
  ['"true"', "true"],
  ["007", "007"],
  ["1e3", "1e3"],
  ["12345678901234567890", "12345678901234567890"],
  ["words ", "words "],
  ["", ""],
] as const)("%j is the value %p, and is typed so that it is read again", (text, value) => {
  expect(scalarOf(text)).toBe(value);
  expect(scalarOf(typedText(value))).toBe(value);
});

test("JSON of a filter is an object or nothing", () => {
  expect(parsedJson(" ")).toEqual({ ok: true, json: undefined });
  expect(parsedJson('{"a":1}')).toEqual({ ok: true, json: { a: 1 } });
  for (const text of ["{", "[]", "1", '"x"']) expect(parsedJson(text)).toEqual({ ok: false });
});
