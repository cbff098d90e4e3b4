import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../test/helpers/random.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";

const DAY = 86_400;

async function store(f: StoreApp, body: object = {}): Promise<string> {
  const { status, json } = await f.call("POST", "/v1/vector_stores", body);
  expect([status, json.error]).toEqual([200, undefined]);
  return json.id as string;
}

describe("POST /v1/vector_stores", () => {
  test("makes a store of an empty body, with every field", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", "/v1/vector_stores", {});
    expect(status).toBe(200);
    expect(json).toEqual({
      id: expect.stringMatching(/^vs_\w{24}$/),
      object: "vector_store",
      created_at: 1_800_000_000,
      name: "",
      description: null,
      usage_bytes: 0,
      file_counts: { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 },
      status: "completed",
      expires_after: null,
      expires_at: null,
      last_active_at: 1_800_000_000,
      metadata: {},
      bytes: 0,
      embedding_model: "words-64",
      embedding_dimensions: null,
      last_used_at: 1_800_000_000,
      lifecycle: "active",
      index: {
        generation: 1,
        type: "exact",
        model: "words-64",
        model_revision: "r1",
        dimensions: 64,
        chunks: 0,
        vectors: 0,
      },
    });
  });

  test("takes over what is asked for, names the model as asked and shows the one that runs", async () => {
    await using f = await storeApp();
    const body = {
      name: "FAQ",
      description: "for support",
      metadata: { team: { id: 7 } },
      expires_after: { anchor: "last_active_at", days: 7 },
      embedding_model: "text-embedding-3-small",
      dimensions: 32,
    };
    const { json } = await f.call("POST", "/v1/vector_stores", body);
    expect(json).toMatchObject({
      name: "FAQ",
      description: "for support",
      metadata: { team: '{"id":7}' },
      expires_after: { anchor: "last_active_at", days: 7 },
      expires_at: 1_800_000_000 + 7 * DAY,
      embedding_model: "text-embedding-3-small",
      embedding_dimensions: 32,
      index: { model: "words-64", dimensions: 32 },
    });
  });

  test("finds the model that some clients name in the metadata, and ignores one that it does not know", async () => {
    await using f = await storeApp();
    const known = await f.call("POST", "/v1/vector_stores", {
      metadata: { embedding_model: "text-embedding-3-large" },
    });
    expect(known.json.embedding_model).toBe("text-embedding-3-large");
    const unknown = await f.call("POST", "/v1/vector_stores", { metadata: { embedding_model: "all-MiniLM-L6-v2" } });
    expect(unknown.json.embedding_model).toBe("words-64");
  });

  test("accepts the keys that other servers' clients send", async () => {
    await using f = await storeApp();
    await store(f, { provider_id: "faiss", embedding_dimension: 384 });
  });

  test("attaches file_ids in progress and says when to ask again", async () => {
    await using f = await storeApp();
    const ids = [await f.file(), await f.file()];
    const strategy = { type: "static", static: { max_chunk_size_tokens: 400, chunk_overlap_tokens: 100 } };
    const { json, headers } = await f.call("POST", "/v1/vector_stores", { file_ids: ids, chunking_strategy: strategy });
    expect(json).toMatchObject({ status: "in_progress", file_counts: { in_progress: 2, total: 2 } });
    expect(headers.get("openai-poll-after-ms")).toBe("110");
    const files = await f.call("GET", `/v1/vector_stores/${json.id}/files`);
    expect(files.json.data.map((file: { chunking_strategy: unknown }) => file.chunking_strategy)).toEqual([
      strategy,
      strategy,
    ]);
    expect(await f.storage.jobs.depth()).toEqual([{ kind: "ingest", waiting: 2, running: 0 }]);
  });

  test("makes nothing where one file is unknown", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", "/v1/vector_stores", { file_ids: [await f.file(), "file-nope"] });
    expect(status).toBe(404);
    expect(json.error).toEqual({
      message: "No such File object: file-nope",
      type: "invalid_request_error",
      param: "file_ids",
      code: "file_not_found",
    });
    expect((await f.call("GET", "/v1/vector_stores")).json.data).toEqual([]);
    expect(await f.storage.jobs.depth()).toEqual([]);
  });

  test.each<[body: object, status: number, code: string, param: string | null]>([
    [{ nam: "x" }, 400, "unknown_parameter", "nam"],
    [{ name: 7 }, 400, "invalid_type", "name"],
    [{ name: "ü".repeat(129) }, 400, "name_too_long", "name"],
    [{ metadata: [] }, 400, "invalid_type", "metadata"],
    [{ metadata: { a: "x".repeat(4096) } }, 400, "metadata_too_large", "metadata"],
    [{ expires_after: { anchor: "created_at", days: 1 } }, 400, "invalid_value", "expires_after.anchor"],
    [{ expires_after: { anchor: "last_active_at", days: 366 } }, 400, "integer_above_max_value", "expires_after.days"],
    [{ expires_after: { anchor: "last_active_at" } }, 400, "missing_required_parameter", "expires_after.days"],
    [{ file_ids: Array.from({ length: 501 }, () => "file-x") }, 400, "array_above_max_length", "file_ids"],
    [{ embedding_model: "gpt-4o" }, 400, "invalid_embedding_model", "embedding_model"],
    [{ dimensions: 0 }, 400, "invalid_dimensions", "dimensions"],
    [{ dimensions: 10_000 }, 400, "invalid_dimensions", "dimensions"],
    [{ chunking_strategy: { type: "static" } }, 400, "missing_required_parameter", "chunking_strategy.static"],
  ])("refuses %j", async (body, status, code, param) => {
    await using f = await storeApp();
    const answer = await f.call("POST", "/v1/vector_stores", body);
    expect([answer.status, answer.json.error?.code, answer.json.error?.param]).toEqual([status, code, param]);
  });

  test("refuses one store too many", async () => {
    await using f = await storeApp({ maxStores: 1 });
    await store(f);
    const { status, json, headers } = await f.call("POST", "/v1/vector_stores", {});
    expect([status, json.error.code]).toEqual([403, "vector_store_limit_reached"]);
    expect(headers.get("x-should-retry")).toBe("false");
  });
});

describe("a store", () => {
  test("is changed by POST and PATCH, one field at a time", async () => {
    await using f = await storeApp();
    const id = await store(f, {
      name: "a",
      metadata: { x: "1" },
      expires_after: { anchor: "last_active_at", days: 1 },
    });
    const renamed = await f.call("PATCH", `/v1/vector_stores/${id}`, { name: "b" });
    expect(renamed.json).toMatchObject({ name: "b", metadata: { x: "1" }, expires_after: { days: 1 } });
    const cleared = await f.call("POST", `/v1/vector_stores/${id}`, {
      metadata: null,
      expires_after: null,
      description: "d",
    });
    expect(cleared.json).toMatchObject({
      name: "b",
      metadata: {},
      expires_after: null,
      expires_at: null,
      description: "d",
    });
  });

  test("is gone for clients once deleted, its files stay", async () => {
    await using f = await storeApp();
    const fileId = await f.file();
    const id = await store(f, { file_ids: [fileId] });
    expect((await f.call("DELETE", `/v1/vector_stores/${id}`)).json).toEqual({
      id,
      object: "vector_store.deleted",
      deleted: true,
    });
    const { status, json } = await f.call("GET", `/v1/vector_stores/${id}`);
    expect([status, json.error.message]).toEqual([404, `No vector store found with id '${id}'`]);
    expect((await f.call("GET", "/v1/vector_stores")).json).toMatchObject({
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
    expect(await f.storage.files.get("ten_a", fileId)).not.toBeNull();
    const fightclub = await f.call("GET", `/v1/vector_stores/${id}?dialect=fightclub`);
    expect([fightclub.status, fightclub.json.error.code]).toEqual([409, "vector_store_unavailable"]);
    expect(fightclub.headers.get("x-should-retry")).toBe("false");
  });

  test("still says 409 in that dialect when its row is gone too", async () => {
    await using f = await storeApp();
    const id = await store(f);
    await f.call("DELETE", `/v1/vector_stores/${id}`);
    await f.storage.stores.remove("ten_a", id);
    expect((await f.call("GET", `/v1/vector_stores/${id}?dialect=fightclub`)).status).toBe(409);
    expect((await f.call("GET", `/v1/vector_stores/${id}`)).status).toBe(404);
  });

  test("of another tenant, outside the key's list or never made are the same to a client", async () => {
    await using f = await storeApp();
    const id = await store(f);
    await f.addKey("sk-one-store", { storeIds: ["vs_other"] });
    for (const key of ["sk-test-other-0123456789", "sk-one-store"]) {
      for (const [method, path, body] of [
        ["GET", ""],
        ["POST", "", { name: "x" }],
        ["DELETE", ""],
        ["POST", "/search", { query: "x" }],
        ["GET", "/files"],
        ["GET", "/chunks"],
      ] as const) {
        const { status, json } = await f.call(method, `/v1/vector_stores/${id}${path}`, body, {
          authorization: `Bearer ${key}`,
        });
        expect([status, json.error.message]).toEqual([404, `No vector store found with id '${id}'`]);
      }
      expect(
        (await f.call("GET", "/v1/vector_stores", undefined, { authorization: `Bearer ${key}` })).json.data,
      ).toEqual([]);
    }
  });

  test("that an operator suspended answers 402 to its use and can still be seen", async () => {
    await using f = await storeApp();
    const id = await store(f);
    await f.storage.stores.setLifecycle("ten_a", id, "suspended");
    const { status, json, headers } = await f.call("POST", `/v1/vector_stores/${id}/search`, { query: "x" });
    expect([status, json.error.code, headers.get("x-should-retry")]).toEqual([402, "vector_store_suspended", "false"]);
    expect((await f.call("GET", `/v1/vector_stores/${id}`)).json).toMatchObject({
      status: "completed",
      lifecycle: "suspended",
    });
  });

  test("of a suspended tenant answers 402 to its use, and no other can be made", async () => {
    await using f = await storeApp();
    const id = await store(f);
    await f.storage.tenants.update("ten_a", { status: "suspended" });
    for (const [path, body] of [
      ["", {}],
      [`/${id}/search`, { query: "x" }],
      [`/${id}/files`, { file_id: await f.file() }],
    ] as const) {
      const { status, json } = await f.call("POST", `/v1/vector_stores${path}`, body);
      expect([status, json.error.code]).toEqual([402, "vector_store_suspended"]);
    }
    expect((await f.call("GET", "/v1/vector_stores")).json.data).toHaveLength(1);
  });

  test("expires after its days without activity, and says so to searches and attaches", async () => {
    await using f = await storeApp();
    const id = await store(f, { expires_after: { anchor: "last_active_at", days: 1 } });
    f.clock.seconds += DAY - 10;
    expect((await f.call("POST", `/v1/vector_stores/${id}/search`, { query: "x" })).status).toBe(200);
    f.clock.seconds += DAY - 10;
    expect((await f.call("GET", `/v1/vector_stores/${id}`)).json.status).toBe("completed");
    f.clock.seconds += 10;
    expect((await f.call("GET", `/v1/vector_stores/${id}`)).json.status).toBe("expired");
    for (const [path, body] of [
      ["search", { query: "x" }],
      ["files", { file_id: await f.file() }],
      ["file_batches", { file_ids: [await f.file()] }],
    ] as const) {
      const { status, json } = await f.call("POST", `/v1/vector_stores/${id}/${path}`, body);
      expect([status, json.error.message]).toEqual([400, `Vector store '${id}' has expired`]);
    }
  });
});

describe("lists of stores", () => {
  test("never skip or repeat while stores come and go, in either order", async () => {
    const random = seededRandom(11);
    for (const order of ["asc", "desc"] as const) {
      await using f = await storeApp();
      for (let i = 0; i < 60; i += 1) await store(f);
      const all = async () =>
        (await f.call("GET", "/v1/vector_stores?limit=100&order=asc")).json.data.map(
          (one: { id: string }) => one.id,
        ) as string[];
      const before = await all();
      const removed = new Set<string>();
      const seen: string[] = [];
      let after = "";
      for (;;) {
        const { json } = await f.call("GET", `/v1/vector_stores?limit=7&order=${order}${after}`);
        seen.push(...json.data.map((one: { id: string }) => one.id));
        if (!json.has_more) break;
        after = `&after=${json.last_id}`;
        // The cursor itself, one already seen, one not seen yet, and new ones.
        for (const id of [json.last_id, before[Math.floor(random() * before.length)]]) {
          if (id === undefined || removed.has(id) || random() < 0.3) continue;
          removed.add(id);
          await f.call("DELETE", `/v1/vector_stores/${id}`);
        }
        await store(f);
      }
      expect(new Set(seen).size).toBe(seen.length);
      const stayed = before.filter((id) => !removed.has(id));
      expect(stayed.filter((id) => !seen.includes(id))).toEqual([]);
      const old = seen.filter((id) => before.includes(id));
      expect(old).toEqual((order === "asc" ? before : before.toReversed()).filter((id) => old.includes(id)));
    }
  });

  test("go back with before", async () => {
    await using f = await storeApp();
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift(await store(f));
    const { json } = await f.call("GET", `/v1/vector_stores?limit=2&before=${ids[3]}`);
    expect(json.data.map((one: { id: string }) => one.id)).toEqual([ids[1], ids[2]]);
  });

  test.each<[query: string, status: number, code: string, param: string]>([
    ["limit=101", 400, "integer_above_max_value", "limit"],
    ["limit=0", 400, "integer_below_min_value", "limit"],
    ["order=up", 400, "invalid_value", "order"],
    ["after=vs_nope", 400, "invalid_value", "after"],
  ])("refuse %s", async (query, status, code, param) => {
    await using f = await storeApp();
    const { status: got, json } = await f.call("GET", `/v1/vector_stores?${query}`);
    expect([got, json.error.code, json.error.param]).toEqual([status, code, param]);
  });
});

test("a store whose files are being indexed tells how many are left, and for how long", async () => {
  await using f = await storeApp();
  const file = await f.file();
  const { id } = (await f.call("POST", "/v1/vector_stores", { file_ids: [file] })).json;
  const shown = async (headers: Record<string, string> = {}) =>
    (await f.call("GET", `/v1/vector_stores/${id}`, undefined, headers)).json.progress;
  expect(await shown()).toEqual({ files_left: 1, eta_seconds: null });
  await f.finish(id, file, ["one"]);
  expect(await shown()).toBeUndefined();
});
