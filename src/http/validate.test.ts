import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { nullable, oneOf } from "./openai.ts";
import { compileValidator } from "./validate.ts";

const strict = { additionalProperties: false };
const Chunking = Type.Union([
  Type.Object({ type: Type.Literal("auto") }, strict),
  Type.Object(
    {
      type: Type.Literal("static"),
      static: Type.Object(
        { max_chunk_size_tokens: Type.Integer({ minimum: 100, maximum: 4096 }), chunk_overlap_tokens: Type.Integer() },
        strict,
      ),
    },
    strict,
  ),
]);
const Filter = Type.Recursive(
  (This) =>
    Type.Union([
      Type.Object(
        {
          type: oneOf(["eq", "in"]),
          key: Type.String(),
          value: Type.Union([Type.String(), Type.Number(), Type.Array(Type.String())]),
        },
        strict,
      ),
      Type.Object({ type: oneOf(["and", "or"]), filters: Type.Array(This) }, strict),
    ]),
  { $id: "TestFilter" },
);
const Body = Type.Object(
  {
    query: Type.Union([Type.String(), Type.Array(Type.String({ minLength: 1 }))]),
    name: Type.Optional(nullable(Type.String({ maxLength: 5 }))),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
    weight: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    flag: Type.Optional(Type.Boolean()),
    ids: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 3 })),
    purpose: Type.Optional(oneOf(["assistants", "batch", "vision"])),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: 2 })),
    chunking: Type.Optional(Chunking),
    filters: Type.Optional(Filter),
    input: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String()), Type.Array(Type.Integer())])),
  },
  strict,
);
const validator = compileValidator(Body);

const CASES: [body: unknown, code: string, param: string | null, message: string][] = [
  [{}, "missing_required_parameter", "query", "Missing required parameter: 'query'."],
  [[], "invalid_type", null, "Invalid type for the request body: expected an object, but got an array instead."],
  ["x", "invalid_type", null, "Invalid type for the request body: expected an object, but got a string instead."],
  [null, "invalid_type", null, "Invalid type for the request body: expected an object, but got null instead."],
  [
    { query: 5 },
    "invalid_type",
    "query",
    "Invalid type for 'query': expected one of a string or array of strings, but got an integer instead.",
  ],
  [
    { query: ["a", 1.5] },
    "invalid_type",
    "query[1]",
    "Invalid type for 'query[1]': expected a string, but got a decimal instead.",
  ],
  [
    { query: ["a", ""] },
    "string_below_min_length",
    "query[1]",
    "Invalid 'query[1]': empty string. Expected a string with minimum length 1, but got an empty string instead.",
  ],
  [
    { query: "q", name: 7 },
    "invalid_type",
    "name",
    "Invalid type for 'name': expected one of a string or null, but got an integer instead.",
  ],
  [
    { query: "q", name: "longer" },
    "string_above_max_length",
    "name",
    "Invalid 'name': string too long. Expected a string with maximum length 5, but got a string with length 6 instead.",
  ],
  [
    { query: "q", count: "5" },
    "invalid_type",
    "count",
    "Invalid type for 'count': expected an integer, but got a string instead.",
  ],
  [
    { query: "q", count: 1.5 },
    "invalid_type",
    "count",
    "Invalid type for 'count': expected an integer, but got a decimal instead.",
  ],
  [
    { query: "q", count: true },
    "invalid_type",
    "count",
    "Invalid type for 'count': expected an integer, but got a boolean instead.",
  ],
  [
    { query: "q", count: 101 },
    "integer_above_max_value",
    "count",
    "Invalid 'count': integer above maximum value. Expected a value <= 50, but got 101 instead.",
  ],
  [
    { query: "q", count: 0 },
    "integer_below_min_value",
    "count",
    "Invalid 'count': integer below minimum value. Expected a value >= 1, but got 0 instead.",
  ],
  [
    { query: "q", weight: 1.5 },
    "decimal_above_max_value",
    "weight",
    "Invalid 'weight': decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
  ],
  [
    { query: "q", weight: -0.1 },
    "decimal_below_min_value",
    "weight",
    "Invalid 'weight': decimal below minimum value. Expected a value >= 0, but got -0.1 instead.",
  ],
  [
    { query: "q", flag: "true" },
    "invalid_type",
    "flag",
    "Invalid type for 'flag': expected a boolean, but got a string instead.",
  ],
  [
    { query: "q", ids: ["a", "b", "c", "d"] },
    "array_above_max_length",
    "ids",
    "Invalid 'ids': array too long. Expected an array with maximum length 3, but got an array with length 4 instead.",
  ],
  [
    { query: "q", ids: [] },
    "array_below_min_length",
    "ids",
    "Invalid 'ids': empty array. Expected an array with minimum length 1, but got an empty array instead.",
  ],
  [
    { query: "q", ids: "a" },
    "invalid_type",
    "ids",
    "Invalid type for 'ids': expected an array of strings, but got a string instead.",
  ],
  [
    { query: "q", purpose: "foo" },
    "invalid_value",
    "purpose",
    "Invalid value: 'foo'. Supported values are: 'assistants', 'batch', and 'vision'.",
  ],
  [
    { query: "q", purpose: 3 },
    "invalid_type",
    "purpose",
    "Invalid type for 'purpose': expected one of 'assistants', 'batch', or 'vision', but got an integer instead.",
  ],
  [
    { query: "q", metadata: { a: 1 } },
    "invalid_type",
    "metadata.a",
    "Invalid type for 'metadata.a': expected a string, but got an integer instead.",
  ],
  [
    { query: "q", metadata: { a: "", b: "", c: "" } },
    "object_above_max_properties",
    "metadata",
    "Invalid 'metadata': too many properties. Expected an object with at most 2 properties, but got an object with 3 properties instead.",
  ],
  [{ query: "q", filter: {} }, "unknown_parameter", "filter", "Unknown parameter: 'filter'."],
  [{ quer: "q" }, "unknown_parameter", "quer", "Unknown parameter: 'quer'."],
  [
    JSON.parse('{"query":"q","__proto__":{"a":1}}'),
    "unknown_parameter",
    "__proto__",
    "Unknown parameter: '__proto__'.",
  ],
  [{ query: "q", constructor: 1 }, "unknown_parameter", "constructor", "Unknown parameter: 'constructor'."],
  [
    { query: "q", chunking: {} },
    "missing_required_parameter",
    "chunking.type",
    "Missing required parameter: 'chunking.type'.",
  ],
  [
    { query: "q", chunking: { type: "dynamic" } },
    "invalid_value",
    "chunking.type",
    "Invalid value: 'dynamic'. Supported values are: 'auto' and 'static'.",
  ],
  [
    { query: "q", chunking: { type: "static" } },
    "missing_required_parameter",
    "chunking.static",
    "Missing required parameter: 'chunking.static'.",
  ],
  [
    { query: "q", chunking: { type: "static", static: { max_chunk_size_tokens: 50, chunk_overlap_tokens: 1 } } },
    "integer_below_min_value",
    "chunking.static.max_chunk_size_tokens",
    "Invalid 'chunking.static.max_chunk_size_tokens': integer below minimum value. Expected a value >= 100, but got 50 instead.",
  ],
  [
    { query: "q", chunking: { type: "auto", x: 1 } },
    "unknown_parameter",
    "chunking.x",
    "Unknown parameter: 'chunking.x'.",
  ],
  [
    { query: "q", filters: { type: "eq", key: "a" } },
    "missing_required_parameter",
    "filters.value",
    "Missing required parameter: 'filters.value'.",
  ],
  [
    { query: "q", filters: { type: "and", filters: [{ type: "eq", key: 1, value: "x" }] } },
    "invalid_type",
    "filters.filters[0].key",
    "Invalid type for 'filters.filters[0].key': expected a string, but got an integer instead.",
  ],
  [
    { query: "q", input: [1, "a"] },
    "invalid_type",
    "input[1]",
    "Invalid type for 'input[1]': expected an integer, but got a string instead.",
  ],
];

describe("the first problem of a body", () => {
  test.each(CASES)("%j is %s at %s", (body, code, param, message) => {
    expect(validator.problem(body)).toEqual({ code, param, message } as never);
  });

  test("is the first in the order of the document, and what is missing comes last", () => {
    expect(validator.problem({ flag: 1, count: "x" })?.param).toBe("flag");
    expect(validator.problem({ count: "x", flag: 1 })?.param).toBe("count");
    expect(validator.problem({ zzz: 1 })?.code).toBe("unknown_parameter");
  });

  test("does not repeat long or unprintable text of the client", () => {
    const problem = validator.problem({ query: "q", [`k\u0000${"x".repeat(500)}`]: 1 });
    expect(problem?.message.length).toBeLessThan(120);
    expect(problem?.message).not.toContain("\u0000");
  });
});

test.each([
  [{ query: "q" }],
  [
    {
      query: ["a", "b"],
      name: null,
      count: 50,
      weight: 1,
      flag: false,
      ids: ["x"],
      purpose: "batch",
      metadata: { a: "b" },
    },
  ],
  [{ query: "q", chunking: { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 } } }],
  [
    {
      query: "q",
      filters: {
        type: "or",
        filters: [
          { type: "in", key: "a", value: ["x"] },
          { type: "and", filters: [] },
        ],
      },
    },
  ],
  [{ query: "q", input: [1, 2] }],
])("%j is valid", (body) => {
  expect(validator.problem(body)).toBeNull();
});
