import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { readQuery, unknownKey } from "./query-string.ts";

const Query = Type.Object({
  limit: Type.Optional(Type.Integer()),
  share: Type.Optional(Type.Number()),
  deep: Type.Optional(Type.Boolean()),
  after: Type.Optional(Type.String()),
  include: Type.Optional(Type.Array(Type.String())),
});

test.each([
  ["limit=5&after=file-1", { limit: 5, after: "file-1" }],
  ["limit=five", { limit: "five" }],
  ["limit=5.5", { limit: "5.5" }],
  ["limit=", {}],
  ["share=.5&deep=true", { share: 0.5, deep: true }],
  ["deep=false", { deep: false }],
  ["deep=maybe", { deep: "maybe" }],
  ["include[]=a&include[]=b", { include: ["a", "b"] }],
  ["include=a&include=b", { include: ["a", "b"] }],
  ["include=a,b", { include: ["a", "b"] }],
  ["include%5B%5D=a", { include: ["a"] }],
  ["unknown=1&__proto__=2", {}],
])("%s is read as %j", (text, query) => {
  expect(readQuery(new URLSearchParams(text), Query)).toEqual(query as never);
});

test.each([
  ["limit=5&include[]=a&dialect=legacy&api-version=preview", null],
  ["", null],
  ["limit=5&lmit=6", "lmit"],
  ["filter[]=x", "filter"],
  ["__proto__=2", "__proto__"],
  ["constructor=2", "constructor"],
])("in %s the unknown key is %p", (text, key) => {
  expect(unknownKey(new URLSearchParams(text), Query)).toBe(key);
});
