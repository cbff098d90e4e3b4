import { describe, expect, test } from "bun:test";
import type { TObject, TSchema } from "@sinclair/typebox";
import { compileValidator } from "../http/validate.ts";
import { allOperations } from "./testing/all-operations.ts";
import { storeApp } from "../app/testing/store-app.ts";

const withBody = allOperations().flatMap(({ spec }) =>
  // A list of texts has no members.
  spec.body === undefined || spec.body["type"] === "array" ? [] : [{ spec, body: spec.body as TObject }],
);

/** Every object somewhere in a schema, with the way to put a value of it where it stands. */
function* objects(schema: TSchema, place: (value: object) => object): Generator<[TObject, (value: object) => object]> {
  if (schema["type"] === "object" && schema["properties"] !== undefined) {
    yield [schema as TObject, place];
    for (const [key, inner] of Object.entries((schema as TObject).properties))
      yield* objects(inner, (value) => place({ [key]: value }));
  } else if (schema["type"] === "array") yield* objects(schema["items"], (value) => place([value]));
  for (const branch of (schema["anyOf"] ?? []) as TSchema[]) yield* objects(branch, place);
}

const allowsNull = (schema: TSchema) => compileValidator(schema).problem(null) === null;

describe("in the body of every operation, null at an optional member that cannot be null is the same as none", () => {
  test.each(withBody.map((one) => [one.spec.operationId, one] as const))("%s", (_, { spec, body }) => {
    const validator = compileValidator(body);
    const example = spec.examples?.body ?? {};
    const absent = Object.keys(body.properties).filter(
      (key) =>
        body.required?.includes(key) !== true &&
        !Object.hasOwn(example as object, key) &&
        !allowsNull(body.properties[key] as TSchema),
    );
    const all = { ...(example as object), ...Object.fromEntries(absent.map((key) => [key, null])) };
    expect(validator.read(all).value).toEqual(example);
    for (const key of absent) expect(validator.read({ ...(example as object), [key]: null }).value).toEqual(example);
    // Inside: whatever the rest is like, the null is gone from where it cannot be.
    for (const [schema, place] of objects(body, (value) => value)) {
      for (const [key, inner] of Object.entries(schema.properties)) {
        if (schema.required?.includes(key) === true || allowsNull(inner)) continue;
        const sent = { ...place({ [key]: null }), " ": 0 };
        expect([key, validator.read(sent).value]).toEqual([key, { ...place({}), " ": 0 }]);
      }
    }
  });
});

describe("what clients write who fill in every member", () => {
  test("searches, creates, attaches, embeds and ranks", async () => {
    await using f = await storeApp();
    const { json: store } = await f.call("POST", "/v1/vector_stores", {
      name: "a",
      file_ids: null,
      expires_after: null,
      chunking_strategy: null,
      metadata: null,
      embedding_model: null,
      dimensions: null,
      index_type: null,
    });
    const at = `/v1/vector_stores/${store.id}`;
    const file = await f.file();
    f.rankers.present = [];
    const nothing = { attributes: null, metadata: null, chunking_strategy: null };
    const bodies: [path: string, body: object][] = [
      [
        `${at}/search`,
        { query: "x", filters: null, max_num_results: null, ranking_options: null, rewrite_query: null },
      ],
      [`${at}/search`, { query: "x", ranking_options: { ranker: null, score_threshold: null, hybrid_search: null } }],
      [`${at}/search`, { query: "x", query_vector: null, search_mode: null, context_window: null, explain: null }],
      [`${at}/files`, { file_id: file, ...nothing }],
      [`${at}/files`, { file_id: file, chunking_strategy: { type: "auto", static: null } }],
      [`${at}/file_batches`, { file_ids: [file], files: null, ...nothing }],
      [`${at}/file_batches`, { files: [{ file_id: file, ...nothing }], file_ids: null, ...nothing }],
      [`${at}/embeddings`, { content: "x", embedding: null, file_id: null, attributes: null, metadata: null }],
      [
        "/v1/embeddings",
        { model: "words-64", input: "x", dimensions: null, encoding_format: null, user: null, input_type: null },
      ],
      [
        "/v1/rerank",
        { query: "x", documents: ["x"], model: null, top_n: null, return_documents: null, rank_fields: null },
      ],
    ];
    for (const [path, body] of bodies) {
      const { status, json } = await f.call("POST", path, body);
      expect([path, status, json.error?.message]).toEqual([path, 200, undefined]);
    }
  });

  test("loses nothing that was there: a name, or attributes of a file attached again", async () => {
    await using f = await storeApp();
    const { json: store } = await f.call("POST", "/v1/vector_stores", { name: "kept", description: "d" });
    const at = `/v1/vector_stores/${store.id}`;
    for (const method of ["POST", "PATCH"])
      expect((await f.call(method, at, { name: null, index_type: null })).json).toMatchObject({
        name: "kept",
        description: "d",
      });
    const file = await f.file();
    await f.call("POST", `${at}/files`, { file_id: file, attributes: { a: 1 } });
    const again = await f.call("POST", `${at}/files`, { file_id: file, attributes: null, metadata: null });
    expect(again.json.attributes).toEqual({ a: 1 });
    const other = await f.call("POST", `${at}/files/${file}`, { attributes: null, metadata: { b: 2 } });
    expect(other.json.attributes).toEqual({ b: 2 });
  });

  test("clears what an update says that null clears", async () => {
    await using f = await storeApp();
    const made = { expires_after: { anchor: "last_active_at", days: 1 }, metadata: { a: "b" } };
    const { json: store } = await f.call("POST", "/v1/vector_stores", made);
    const at = `/v1/vector_stores/${store.id}`;
    const cleared = (await f.call("POST", at, { name: null, expires_after: null, metadata: null })).json;
    expect(cleared).toMatchObject({ expires_after: null, metadata: {} });
    const file = await f.file();
    await f.call("POST", `${at}/files`, { file_id: file, attributes: { a: 1 } });
    expect((await f.call("POST", `${at}/files/${file}`, { attributes: null })).json.attributes).toEqual({});
  });

  test.each<[path: string, body: object, param: string]>([
    ["/v1/embeddings", { model: null, input: "x" }, "model"],
    ["/v1/embeddings", { model: "words-64", input: null }, "input"],
    ["/v1/rerank", { query: "x", documents: null }, "documents"],
    ["/v1/embeddings", { model: "words-64", input: [null] }, "input[0]"],
  ])("is refused where something is needed: POST %s %j", async (path, body, param) => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", path, body);
    expect([status, json.error.param]).toEqual([400, param]);
  });
});
