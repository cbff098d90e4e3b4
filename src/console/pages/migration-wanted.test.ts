import { expect, test } from "bun:test";
import { addressOf, parseRoute, type Route } from "../route.ts";
import { bodyOf, type Wanted, wantedOf, wantedQuery } from "./migration-wanted.ts";

const CASES: [string, Wanted, Record<string, unknown>][] = [
  ["a model as it is", { model: "m", dimensions: null, chunking: null }, { embedding_model: "m" }],
  ["other dimensions", { model: "m", dimensions: 64, chunking: null }, { embedding_model: "m", dimensions: 64 }],
  [
    "other chunks",
    { model: "a/b c", dimensions: null, chunking: { size: 300, overlap: 0 } },
    {
      embedding_model: "a/b c",
      chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 300, chunk_overlap_tokens: 0 } },
    },
  ],
];

test.each(CASES)("%s is found again in the address, and asked for", (_, wanted, body) => {
  const route = parseRoute("#/stores/vs_1/model");
  const again = parseRoute(addressOf({ ...route, query: wantedQuery(wanted) } as Route));
  expect(wantedOf(again)).toEqual(wanted);
  expect(bodyOf(wanted)).toEqual(body);
});

test("nothing is wanted where no model is chosen", () => {
  expect(wantedOf(parseRoute("#/stores/vs_1/model"))).toBeNull();
  expect(wantedQuery(null)).toEqual({ model: "", dimensions: "", size: "", overlap: "" });
});
