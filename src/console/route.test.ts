import { expect, test } from "bun:test";
import { addressOf, numberOf, parseRoute } from "./route.ts";

test.each([
  ["", { page: "stores", store: "", file: "", query: {} }],
  ["#/", { page: "stores", store: "", file: "", query: {} }],
  ["#/stores?name=a+b", { page: "stores", store: "", file: "", query: { name: "a b" } }],
  ["#/stores/vs_1", { page: "files", store: "vs_1", file: "", query: {} }],
  ["#/stores/vs_1/files/file-1?chunk=12", { page: "document", store: "vs_1", file: "file-1", query: { chunk: "12" } }],
  ["#/stores/vs_1/playground?q=%26%3F", { page: "playground", store: "vs_1", file: "", query: { q: "&?" } }],
  ["#/stores/vs_1/answers", { page: "answers", store: "vs_1", file: "", query: {} }],
  ["#/stores/vs_1/quality?mode=keyword", { page: "quality", store: "vs_1", file: "", query: { mode: "keyword" } }],
  ["#/stores/vs_1/model?step=cost", { page: "model", store: "vs_1", file: "", query: { step: "cost" } }],
  ["#/keys", { page: "keys", store: "", file: "", query: {} }],
  ["#/keys/more", { page: "unknown", store: "", file: "", query: {} }],
  ["#/nothing", { page: "unknown", store: "", file: "", query: {} }],
  ["#/stores/vs_1/nothing", { page: "unknown", store: "", file: "", query: {} }],
  ["#/stores/vs_1/files/a/b", { page: "unknown", store: "", file: "", query: {} }],
  ["#/stores/%E0%A4%A", { page: "files", store: "%E0%A4%A", file: "", query: {} }],
] as const)("%j is read as a route", (hash, expected) => {
  expect(parseRoute(hash)).toEqual(expected);
});

test.each([
  { page: "stores", store: "", file: "", query: { name: "ü&=#" } },
  { page: "files", store: "vs_/..?#", file: "", query: {} },
  { page: "document", store: "vs_1", file: "file-1", query: { start: "1", end: "9" } },
  { page: "keys", store: "", file: "", query: {} },
  { page: "playground", store: "vs_1", file: "", query: { q: "what is + ?" } },
  { page: "quality", store: "vs_1", file: "", query: { eval: "eval_1" } },
  { page: "queries", store: "vs_1", file: "", query: { text: "?", empty: "1" } },
  { page: "model", store: "vs_1", file: "", query: { report: "mig_1" } },
] as const)("the address of %j leads back to it", (route) => {
  expect(parseRoute(addressOf(route))).toEqual(route);
});

test("what is empty in a query is left out of the address", () => {
  expect(addressOf({ page: "files", store: "vs_1", query: { name: "", state: "failed" } })).toBe(
    "#/stores/vs_1/files?state=failed",
  );
});

test("only whole numbers are numbers of the query", () => {
  expect(["7", "-1", "1.5", "", undefined, "1e3", "9999999999"].map(numberOf)).toEqual([
    7,
    null,
    null,
    null,
    null,
    null,
    null,
  ]);
});
