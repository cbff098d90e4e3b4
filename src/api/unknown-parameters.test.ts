import { expect, test } from "bun:test";
import { storeApp } from "../app/testing/store-app.ts";

const STRATEGY = { type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } };
const EXPIRY = { anchor: "last_active_at", days: 1 };
const FILTER = {
  type: "and",
  filters: [
    { type: "eq", key: "a", value: 1 },
    { type: "or", filters: [{ type: "ne", key: "b", value: 2 }] },
  ],
};
/** Maps whose keys are the client's own. */
const FREE = ["metadata", "attributes"];

const BODIES: [path: string, body: object][] = [
  ["/vector_stores", { name: "x", expires_after: EXPIRY, chunking_strategy: STRATEGY, metadata: { a: "b" } }],
  ["/vector_stores/ID", { name: "x", expires_after: EXPIRY }],
  ["/vector_stores/ID/files", { file_id: "FILE", chunking_strategy: STRATEGY, attributes: { a: 1 } }],
  ["/vector_stores/ID/files/FILE", { attributes: { a: 1 } }],
  ["/vector_stores/ID/file_batches", { files: [{ file_id: "FILE", chunking_strategy: STRATEGY }] }],
  ["/vector_stores/ID/file_batches", { file_ids: ["FILE"], chunking_strategy: STRATEGY }],
  [
    "/vector_stores/ID/search",
    {
      query: "x",
      filters: FILTER,
      ranking_options: { ranker: "auto", hybrid_search: { embedding_weight: 1, text_weight: 1 } },
    },
  ],
  ["/vector_stores/ID/embeddings", { content: "x" }],
  ["/vector_stores/ID/embeddings/batch", { embeddings: [{ content: "x" }] }],
  ["/embeddings", { model: "words-64", input: "x" }],
];

test.each(BODIES)("an unknown parameter anywhere in the body of POST %s is a 400 that names it", async (path, body) => {
  await using f = await storeApp();
  const id = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const file = await f.file();
  await f.call("POST", `/v1/vector_stores/${id}/files`, { file_id: file });
  const send = (given: unknown) =>
    f.call(
      "POST",
      `/v1${path.replace("ID", id).replace("FILE", file)}`,
      JSON.parse(JSON.stringify(given).replaceAll("FILE", file)),
    );
  expect((await send(body)).status).toBe(200);
  const places = [...mutations(body, "")];
  expect(places.length).toBeGreaterThan(0);
  for (const [param, mutated] of places) {
    const { status, json } = await send(mutated);
    expect([status, json.error?.code, json.error?.param]).toEqual([400, "unknown_parameter", param]);
  }
});

/** The body with an unknown key in each of its objects in turn, and where that key then is. */
function* mutations(value: unknown, path: string): Generator<[param: string, mutated: unknown]> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      for (const [param, mutated] of mutations(item, `${path}[${i}]`)) yield [param, value.with(i, mutated)];
    }
  } else if (typeof value === "object" && value !== null) {
    yield [path === "" ? "zzz" : `${path}.zzz`, { ...value, zzz: 1 }];
    for (const [key, inner] of Object.entries(value)) {
      if (FREE.includes(key)) continue;
      const at = path === "" ? key : `${path}.${key}`;
      for (const [param, mutated] of mutations(inner, at)) yield [param, { ...value, [key]: mutated }];
    }
  }
}
