import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { nullable, oneOf } from "./openai.ts";
import { compileValidator } from "./validate.ts";

const strict = { additionalProperties: false };
const Inner = Type.Object({ id: Type.String(), note: Type.Optional(Type.String()) }, strict);
const Tree = Type.Recursive(
  (This) => Type.Object({ name: Type.Optional(Type.String()), parts: Type.Optional(Type.Array(This)) }, strict),
  { $id: "NullTree" },
);
const Body = Type.Object(
  {
    query: Type.String(),
    count: Type.Optional(Type.Integer({ minimum: 1 })),
    kind: Type.Optional(oneOf(["a", "b"])),
    clears: Type.Optional(nullable(Inner)),
    inner: Type.Optional(Inner),
    list: Type.Optional(Type.Array(Inner)),
    either: Type.Optional(
      Type.Union([Type.String(), Inner, Type.Object({ other: Type.Optional(Type.Number()) }, strict)]),
    ),
    map: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()]))),
    objects: Type.Optional(Type.Record(Type.String(), Inner)),
    free: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    tree: Type.Optional(Tree),
  },
  strict,
);
const validator = compileValidator(Body);

function read(body: unknown): unknown {
  const value = validator.read(body).value;
  const problem = validator.problem(value);
  return problem === null ? value : `${problem.code} ${problem.param}`;
}

describe("null at an optional member means that it is not given", () => {
  test.each<[string, object, object]>([
    ["a number", { query: "q", count: null }, { query: "q" }],
    ["one of several words", { query: "q", kind: null }, { query: "q" }],
    ["an object", { query: "q", inner: null }, { query: "q" }],
    ["a list", { query: "q", list: null }, { query: "q" }],
    ["one of several kinds", { query: "q", either: null }, { query: "q" }],
    ["a map", { query: "q", map: null, free: null }, { query: "q" }],
    ["inside an object", { query: "q", inner: { id: "1", note: null } }, { query: "q", inner: { id: "1" } }],
    [
      "inside an object that may be null",
      { query: "q", clears: { id: "1", note: null } },
      { query: "q", clears: { id: "1" } },
    ],
    [
      "inside a list",
      {
        query: "q",
        list: [
          { id: "1", note: null },
          { id: "2", note: "x" },
        ],
      },
      { query: "q", list: [{ id: "1" }, { id: "2", note: "x" }] },
    ],
    ["inside one of several objects", { query: "q", either: { other: null } }, { query: "q", either: {} }],
    [
      "inside a map of objects",
      { query: "q", objects: { k: { id: "1", note: null } } },
      { query: "q", objects: { k: { id: "1" } } },
    ],
    [
      "deep in a tree",
      { query: "q", tree: { parts: [{ name: null, parts: [{ parts: null }] }] } },
      { query: "q", tree: { parts: [{ parts: [{}] }] } },
    ],
    [
      "all of them",
      Object.fromEntries(Object.keys(Body.properties).map((key) => [key, key === "query" ? "q" : null])),
      { query: "q", clears: null },
    ],
  ])("%s", (_name, body, wanted) => {
    expect(read(body)).toEqual(wanted);
  });
});

describe("null keeps its meaning", () => {
  test.each<[string, object, unknown]>([
    ["where the schema has it", { query: "q", clears: null }, { query: "q", clears: null }],
    ["where it has it, beside one that goes", { query: "q", clears: null, count: null }, { query: "q", clears: null }],
    [
      "in a free map",
      { query: "q", free: { a: null, b: { c: null } }, count: null },
      { query: "q", free: { a: null, b: { c: null } } },
    ],
    ["at a required member", { query: null }, "invalid_type query"],
    ["in a map of values", { query: "q", map: { a: null } }, "invalid_type map.a"],
    ["as an item of a list", { query: "q", list: [null] }, "invalid_type list[0]"],
    ["under a name that is unknown", { query: "q", nope: null }, "unknown_parameter nope"],
    ["at a required member inside", { query: "q", inner: { id: null } }, "invalid_type inner.id"],
    ["as the key __proto__", JSON.parse('{"query":"q","__proto__":null}'), "unknown_parameter __proto__"],
  ])("%s", (_name, body, wanted) => {
    expect(read(body)).toEqual(wanted);
  });
});
