/** Every error of Fightclub's table by its code, and every status of Aqueduct's, on a running server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, errorOf, json, newStore, refusal, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";

let server: TestServer;
const ids = { store: "", file: "", completed: "", deleted: "", suspended: "" };

beforeAll(async () => {
  server = await startServer();
  ids.store = await newStore(server);
  ids.completed = await addText(server, ids.store, "done.txt", "done");
  ids.file = await upload(server, "loose.txt", "loose");
  ids.deleted = await newStore(server);
  await json(server, "DELETE", `/v1/vector_stores/${ids.deleted}`);
  ids.suspended = await newStore(server);
  await json(server, "POST", `/v1/admin/vector_stores/${ids.suspended}/suspend`);
});
afterAll(async () => await server?.[Symbol.asyncDispose]());

const MODEL = "text-embedding-3-small";
const NEW = "/v1/vector_stores";
const store = () => `${NEW}/${ids.store}`;

type Case = [status: number, code: string, method: string, path: () => string, body?: () => unknown];

describe("Fightclub's table", () => {
  const cases: Case[] = [
    [400, "invalid_name", "POST", () => NEW, () => ({ embedding_model: MODEL })],
    [400, "invalid_name", "POST", () => NEW, () => ({ name: "", embedding_model: MODEL })],
    [400, "name_too_long", "POST", () => NEW, () => ({ name: "ü".repeat(129), embedding_model: MODEL })],
    [400, "invalid_embedding_model", "POST", () => NEW, () => ({ name: "a" })],
    [400, "invalid_embedding_model", "POST", () => NEW, () => ({ name: "a", embedding_model: "no-such-model" })],
    [400, "invalid_dimensions", "POST", () => NEW, () => ({ name: "a", embedding_model: MODEL, dimensions: 0 })],
    [400, "invalid_dimensions", "POST", () => NEW, () => ({ name: "a", embedding_model: MODEL, dimensions: "many" })],
    [400, "invalid_metadata", "POST", () => NEW, () => ({ name: "a", embedding_model: MODEL, metadata: [] })],
    [400, "invalid_metadata", "POST", () => NEW, () => ({ name: "a", embedding_model: MODEL, metadata: "x" })],
    [
      400,
      "metadata_too_large",
      "POST",
      () => NEW,
      () => ({ name: "a", embedding_model: MODEL, metadata: { a: "x".repeat(4096) } }),
    ],
    [404, "vector_store_not_found", "GET", () => `${NEW}/vs_unknown`],
    [409, "vector_store_unavailable", "GET", () => `${NEW}/${ids.deleted}`],
    [409, "vector_store_unavailable", "POST", () => `${NEW}/${ids.deleted}/search`, () => ({ query: "x" })],
    [402, "vector_store_suspended", "POST", () => `${NEW}/${ids.suspended}/search`, () => ({ query: "x" })],
    [402, "vector_store_suspended", "GET", () => `${NEW}/${ids.suspended}/files`],
    [404, "vector_store_file_not_found", "GET", () => `${store()}/files/${ids.file}`],
    [404, "file_not_found", "POST", () => `${store()}/files`, () => ({ file_id: "file-unknown" })],
    [409, "file_not_cancellable", "POST", () => `${store()}/files/${ids.completed}/cancel`],
    [409, "file_not_retryable", "POST", () => `${store()}/files/${ids.completed}/retry`],
    [400, "invalid_file_ids", "POST", () => `${store()}/file_batches`, () => ({ file_ids: [] })],
    [400, "invalid_file_ids", "POST", () => `${store()}/file_batches`, () => ({ file_ids: "file-a" })],
    [
      400,
      "too_many_files",
      "POST",
      () => `${store()}/file_batches`,
      () => ({ file_ids: Array.from({ length: 501 }, () => ids.file) }),
    ],
    [404, "file_batch_not_found", "GET", () => `${store()}/file_batches/vsfb_unknown`],
    [400, "missing_embedding_model", "POST", () => `${store()}/migrate`, () => ({})],
  ];

  test.each(cases)("%d %s: %s", async (status, code, method, path, body) => {
    const error = await refusal(server, method, path(), body?.(), { "x-vector-dialect": "fightclub" });
    expect([error.status, error.code]).toEqual([status, code]);
  });

  test.each([
    ["no key", ""],
    ["a wrong one", "Bearer sk-nobody-has-this-key"],
  ])("401 invalid_api_key: %s", async (_, authorization) => {
    const response = await fetch(`${server.url}${NEW}`, {
      headers: { "x-vector-dialect": "fightclub", ...(authorization && { authorization }) },
    });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    const { status, code } = await errorOf(response);
    expect([status, code]).toEqual([401, "invalid_api_key"]);
  });

  test("what cannot help to send again says so, and what can, when", async () => {
    for (const path of [`${NEW}/${ids.deleted}`, `${NEW}/${ids.suspended}/files`, `${NEW}/vs_unknown`]) {
      const response = await server.fetch(`${path}?dialect=fightclub`);
      await response.body?.cancel();
      expect([path, response.headers.get("x-should-retry")]).toEqual([path, "false"]);
    }
  });
});

describe("Aqueduct's table", () => {
  test("400, 403 with both limits, 404, 503", async () => {
    await using own = await startServer({
      args: ["--no-default-aliases", "--dialect", "aqueduct"],
      env: { MAX_USER_VECTOR_STORES: "1", MAX_TEAM_VECTOR_STORES: "1", MAX_VECTOR_STORE_FILES: "1" },
    });
    const ask = async (method: string, path: string, body?: unknown) => {
      const { status, code, type } = await refusal(own, method, path, body);
      return [status, type, code];
    };
    const request = "invalid_request_error";
    const one = await newStore(own);
    expect(await ask("POST", "/vector_stores", {})).toEqual([403, request, "vector_store_limit_reached"]);
    const files = [await upload(own, "a.txt", "a"), await upload(own, "b.txt", "b")];
    await json(own, "POST", `/vector_stores/${one}/files`, { file_id: files[0] });
    expect(await ask("POST", `/vector_stores/${one}/files`, { file_id: files[1] })).toEqual([
      403,
      request,
      "file_limit_reached",
    ]);
    expect(await ask("POST", `/vector_stores/${one}/search`, {})).toEqual([400, request, "missing_required_parameter"]);
    expect(await ask("GET", "/vector_stores/vs_unknown")).toEqual([404, request, "vector_store_not_found"]);
    expect(await ask("GET", `/vector_stores/${one}/files/file-unknown`)).toEqual([
      404,
      request,
      "vector_store_file_not_found",
    ]);
    await json(own, "DELETE", `/vector_stores/${one}`);
    expect(await ask("POST", "/vector_stores", { embedding_model: MODEL })).toEqual([
      503,
      "server_error",
      "embedding_model_unavailable",
    ]);
  });
});
