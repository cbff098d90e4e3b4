/**
 * The documents that the dialects come from, walked through over HTTP as a client of each would: their requests in
 * their order, to their base address, with the dialect chosen in every way there is.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import OpenAI4 from "openai-v4";
import { addText, newStore, settled, upload } from "../helpers/api.ts";
import { either, expectGolden, is } from "../helpers/golden.ts";
import { startServer } from "../helpers/server.ts";
import type { StartOptions, TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

type Json = Record<string, unknown>;
interface Answer {
  status: number;
  retry: string | null;
  body: Json;
}

/** A server of the describe around it, and how its document sends. */
function session(options: StartOptions, headers: Record<string, string> = {}) {
  const state: { server: TestServer } = { server: undefined as unknown as TestServer };
  beforeAll(async () => {
    state.server = await startServer(options);
  });
  afterAll(async () => {
    await state.server[Symbol.asyncDispose]();
  });
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const init: RequestInit = { method, headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await state.server.fetch(path, init);
    return {
      status: response.status,
      retry: response.headers.get("x-should-retry"),
      body: (await response.json()) as Json,
    };
  };
  const ok = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const answer = await call(method, path, body);
    expect([method, path, answer.status, answer.body["error"]]).toEqual([method, path, 200, undefined]);
    return answer.body;
  };
  return { state, call, ok };
}

const COUNTS = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };

describe("fightclub, as the server's own dialect", () => {
  const { state, call, ok } = session({ args: ["--dialect", "fightclub"] });
  const NEW = { name: "acme-handbook", embedding_model: "text-embedding-3-small" };
  const STORE = {
    id: "vs_abc",
    object: is("vector_store"),
    name: is("acme-handbook"),
    embedding_model: is("text-embedding-3-small"),
    embedding_dimensions: is(null),
    status: is("active"),
    file_counts: { total: 0 },
    bytes: 0,
    metadata: {},
    created_at: 0,
  };

  test("its requests, one after another", async () => {
    const made = await ok("POST", "/v1/vector_stores", NEW);
    expectGolden(made, STORE);
    const path = `/v1/vector_stores/${made["id"]}`;
    expectGolden(await ok("GET", "/v1/vector_stores"), { data: [{ ...STORE, id: is(made["id"]) }] });
    expectGolden(await ok("GET", path), { ...STORE, id: is(made["id"]) });
    const owner = { owner: "support-team" };
    expectGolden(await ok("PATCH", path, { metadata: owner }), { ...STORE, metadata: is(owner) });

    const file = await upload(state.server, "handbook.md", "Employees may work from home on three days a week.");
    const attached = await ok("POST", `${path}/files`, { file_id: file });
    expect(await ok("POST", `${path}/files`, { file_id: file })).toMatchObject({ id: attached["id"] });
    expectGolden(await ok("GET", `${path}/files`), { data: [{ id: is(file), vector_store_id: is(made["id"]) }] });
    expect((await settled(state.server, String(made["id"]), file)).status).toBe("completed");
    expectGolden(await ok("GET", path), { ...STORE, file_counts: { total: is(1) }, bytes: is(50) });
    const cancelled = await call("POST", `${path}/files/${file}/cancel`);
    expect(cancelled).toMatchObject({ status: 409, retry: "false", body: { error: { code: "file_not_cancellable" } } });
    const retried = await call("POST", `${path}/files/${file}/retry`);
    expect(retried).toMatchObject({ status: 409, retry: "false", body: { error: { code: "file_not_retryable" } } });

    const file_ids = [file, await upload(state.server, "a.md", "a b c"), await upload(state.server, "b.md", "d e f")];
    const batch = await ok("POST", `${path}/file_batches`, { file_ids });
    expectGolden(await ok("GET", `${path}/file_batches/${batch["id"]}`), { id: is(batch["id"]) });
    await ok("POST", `${path}/file_batches/${batch["id"]}/cancel`);

    await ok("POST", `${path}/search`, { query: "how many days from home" });
    expectGolden(await ok("GET", `${path}/queries?limit=50`), {
      object: is("list"),
      data: [{ id: "q_1", object: is("vector_store.query"), query: is(["how many days from home"]), created_at: 0 }],
      has_more: is(false),
    });
    expectGolden(await ok("GET", `${path}/queries?limit=50&since=2999-01-01T00:00:00Z`), { data: is([]) });
    for (const window of ["24h", "7d", "30d"]) {
      expectGolden(await ok("GET", `${path}/stats?window=${window}`), {
        object: is("vector_store.stats"),
        window: is(window),
        queries: { count: is(1) },
      });
    }
    expectGolden(await ok("GET", `${path}/stats`), { window: is("24h") });

    const migration = await ok("POST", `${path}/migrate`, { embedding_model: "text-embedding-3-large" });
    expectGolden(migration, {
      id: "mig_1",
      object: is("vector_store.migration"),
      vector_store_id: is(made["id"]),
      status: "queued",
      to: { embedding_model: is("text-embedding-3-large") },
    });
    const one = `${path}/migrations/${migration["id"]}`;
    await waitFor("the migration is done", async () =>
      (await ok("GET", one))["status"] === "completed" ? true : undefined,
    );
    expectGolden(await ok("GET", `${path}/migrations`), { data: [{ id: is(migration["id"]) }] });
    expectGolden(await ok("GET", path), { ...STORE, embedding_model: is("text-embedding-3-large") });
    await ok("POST", `${one}/rollback`);
    await waitFor("it is rolled back", async () =>
      (await ok("GET", one))["status"] === "rolled_back" ? true : undefined,
    );
    expectGolden(await ok("GET", path), { ...STORE, metadata: is(owner) });

    const operator = `/v1/admin/vector_stores/${made["id"]}`;
    await ok("POST", `${operator}/suspend`);
    expectGolden(await ok("GET", path), { ...STORE, status: is("suspended") });
    const suspended = await call("POST", `${path}/search`, { query: "x" });
    expect(suspended).toMatchObject({
      status: 402,
      retry: "false",
      body: { error: { code: "vector_store_suspended" } },
    });
    await ok("POST", `${operator}/resume`);

    expect(await ok("DELETE", `${path}/files/${file}`)).toMatchObject({ id: file, deleted: true });
    expect(await ok("DELETE", path)).toMatchObject({ id: made["id"], deleted: true });
    for (const [method, where, body] of [
      ["GET", path],
      ["POST", `${path}/files`, { file_id: file }],
    ] as const) {
      expect(await call(method, where, body)).toMatchObject({
        status: 409,
        retry: "false",
        body: { error: { code: "vector_store_unavailable" } },
      });
    }
  });

  test.each([
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "embed-english-v3.0",
    "embed-multilingual-v3.0",
    "voyage-3-large",
    "voyage-3-lite",
    "mistral-embed",
    "text-embedding-004",
  ])("a store of %s", async (embedding_model) => {
    expectGolden(await ok("POST", "/v1/vector_stores", { name: "x", embedding_model }), {
      ...STORE,
      name: is("x"),
      embedding_model: is(embedding_model),
    });
  });

  test("its error codes", async () => {
    const store = (await ok("POST", "/v1/vector_stores", NEW))["id"];
    const path = `/v1/vector_stores/${store}`;
    const rows: [status: number, code: string, method: string, path: string, body?: unknown][] = [
      [400, "invalid_name", "POST", "/v1/vector_stores", { ...NEW, name: "" }],
      [400, "name_too_long", "POST", "/v1/vector_stores", { ...NEW, name: "ü".repeat(129) }],
      [400, "invalid_embedding_model", "POST", "/v1/vector_stores", { ...NEW, embedding_model: "gpt" }],
      [400, "invalid_dimensions", "POST", "/v1/vector_stores", { ...NEW, dimensions: -1 }],
      [400, "invalid_metadata", "POST", "/v1/vector_stores", { ...NEW, metadata: [1] }],
      [400, "metadata_too_large", "POST", "/v1/vector_stores", { ...NEW, metadata: { a: "x".repeat(4096) } }],
      [404, "vector_store_not_found", "GET", "/v1/vector_stores/vs_other"],
      [404, "vector_store_file_not_found", "GET", `${path}/files/file_other`],
      [404, "file_not_found", "POST", `${path}/files`, { file_id: "file_other" }],
      [400, "invalid_file_ids", "POST", `${path}/file_batches`, { file_ids: [] }],
      [400, "too_many_files", "POST", `${path}/file_batches`, { file_ids: Array(501).fill("file_1") }],
      [404, "file_batch_not_found", "GET", `${path}/file_batches/vsfb_other`],
      [400, "missing_embedding_model", "POST", `${path}/migrate`, {}],
    ];
    for (const [status, code, method, where, body] of rows) {
      const answer = await call(method, where, body);
      expect([code, answer.status, answer.body["error"]]).toMatchObject([code, status, { code }]);
    }
    const stranger = await fetch(`${state.server.url}/v1/vector_stores`, { headers: { authorization: "Bearer fc_x" } });
    expect([stranger.status, await stranger.json()]).toMatchObject([401, { error: { code: "invalid_api_key" } }]);
  });
});

describe("aqueduct, by LECTERN_DIALECT, with its limits under its names", () => {
  const { state, call } = session({
    env: { LECTERN_DIALECT: "aqueduct", MAX_USER_VECTOR_STORES: "3", MAX_VECTOR_STORE_FILES: "4" },
  });
  const STORE = {
    id: "vs_123",
    object: is("vector_store"),
    name: "my_vector_store",
    description: null,
    created_at: 0,
    usage_bytes: 0,
    file_counts: COUNTS,
    last_active_at: 0,
    expires_after: null,
    expires_at: null,
    last_used_at: 0,
    status: "completed",
    metadata: {},
  };
  const FILE = {
    id: "file-abc123",
    object: is("vector_store.file"),
    usage_bytes: 0,
    created_at: 0,
    vector_store_id: "vs_abc123",
    status: "completed",
    last_error: null,
    chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } },
    attributes: {},
  };

  test("its example for OpenAI's client, whose base address has no version", async () => {
    const { server } = state;
    const client = new OpenAI({ apiKey: server.key, baseURL: server.url });
    const stores = client.vectorStores;
    const ids = [
      await upload(server, "start.md", "Reset your password in the settings."),
      await upload(server, "money.md", "Invoices are paid within thirty days."),
    ] as const;
    const store = await stores.create({ name: "Support FAQ" });
    expectGolden(store, { ...STORE, name: is("Support FAQ"), metadata: is({}), file_counts: is(COUNTS) });
    const withFiles = await stores.create({ name: "Documentation", file_ids: [...ids] });
    expectGolden(withFiles, { ...STORE, name: is("Documentation"), file_counts: { ...COUNTS, total: is(2) } });
    expect((await stores.list({ limit: 20 })).data.map(({ name }) => name)).toEqual(["Documentation", "Support FAQ"]);
    expectGolden(await stores.retrieve(store.id), STORE);
    const changes = {
      name: "Updated Product Documentation",
      description: "Comprehensive product documentation",
      metadata: { category: "support" },
    };
    expectGolden(await stores.update(store.id, changes), {
      ...STORE,
      name: is(changes.name),
      description: is(changes.description),
      metadata: is(changes.metadata),
    });

    const added = await stores.files.createAndPoll(store.id, { file_id: ids[0] });
    expectGolden(added, { ...FILE, id: is(ids[0]), vector_store_id: is(store.id), attributes: is({}) });
    expectGolden((await stores.files.list(store.id, { limit: 20, filter: "completed" })).data, [FILE]);
    const at = { vector_store_id: store.id };
    expectGolden(await stores.files.retrieve(ids[0], at), FILE);
    const attributes = { category: "finance", priority: "high" };
    expectGolden(await stores.files.update(ids[0], { ...at, attributes }), { ...FILE, attributes: is(attributes) });
    const files = [
      { file_id: ids[0], attributes: { category: "getting-started" } },
      {
        file_id: ids[1],
        chunking_strategy: {
          type: "static" as const,
          static: { max_chunk_size_tokens: 1200, chunk_overlap_tokens: 200 },
        },
      },
    ];
    const batch = await stores.fileBatches.createAndPoll(store.id, { files } as never);
    expectGolden(batch, { status: is("completed"), file_counts: is({ ...COUNTS, completed: 2, total: 2 }) });
    expectGolden(await stores.files.retrieve(ids[1], at), {
      ...FILE,
      chunking_strategy: is({ type: "static", static: { max_chunk_size_tokens: 1200, chunk_overlap_tokens: 200 } }),
    });
    expectGolden(await stores.fileBatches.retrieve(batch.id, at), { file_counts: { total: is(2) } });
    expect((await stores.fileBatches.listFiles(batch.id, at)).data.map(({ id }) => id).toSorted()).toEqual(
      ids.toSorted(),
    );
    await stores.fileBatches.cancel(batch.id, at);

    const query = "How do I reset my password?";
    const page = await call("POST", `/vector_stores/${store.id}/search`, {
      query,
      filters: { category: "getting-started" },
    });
    expectGolden(page.body, {
      object: is("vector_store.search_results.page"),
      search_query: is(query),
      data: [
        {
          file_id: is(ids[0]),
          filename: is("start.md"),
          score: 0,
          attributes: is({ category: "getting-started" }),
          content: [{ type: is("text"), text: "Relevant chunk" }],
        },
      ],
      has_more: is(false),
      next_page: is(null),
    });
    // The client's page of results keeps no `search_query`, Python's prints it.
    const rewritten = await call("POST", `/vector_stores/${store.id}/search`, {
      query,
      max_num_results: 10,
      rewrite_query: true,
    });
    expect(rewritten.body["search_query"]).toBe("reset password");
    expect(await stores.files.delete(ids[0], at)).toMatchObject({ deleted: true });
    expect(await stores.delete(store.id)).toMatchObject({ deleted: true });
  });

  test("its limits are 403s that are not tried again", async () => {
    const { server } = state;
    const full = { status: 403, retry: "false" };
    for (;;) {
      const answer = await call("POST", "/vector_stores", {});
      if (answer.status === 200) continue;
      expect(answer).toMatchObject({ ...full, body: { error: { code: "vector_store_limit_reached" } } });
      break;
    }
    const { data } = (await call("GET", "/vector_stores")).body as { data: { id: string }[] };
    expect(data).toHaveLength(3);
    const path = `/vector_stores/${data[0]?.id}`;
    const file_ids: string[] = [];
    for (let i = 0; i < 5; i++) file_ids.push(await upload(server, "x.txt", `x${i}`));
    // Whole or not at all.
    const whole = await call("POST", `${path}/file_batches`, { file_ids });
    expect(whole).toMatchObject({ ...full, body: { error: { code: "file_limit_reached" } } });
    expect(((await call("GET", path)).body as { file_counts: object }).file_counts).toEqual(COUNTS);
  });
});

describe("ragwalla, by a key of its own", () => {
  const headers: Record<string, string> = {};
  const { state, ok } = session({}, headers);

  test("its five examples", async () => {
    const { key } = await ok("POST", "/v1/admin/keys", { name: "ragwalla", role: "write", dialect: "ragwalla" });
    headers["authorization"] = `Bearer ${key}`;
    const id = await newStore(state.server);
    const path = `/v1/vector_stores/${id}`;
    const changes = {
      name: "Updated Store Name",
      metadata: { client_id: "client-5678", environment: "production" },
      expires_after: { anchor: "last_active_at", days: 30 },
    };
    const store = await ok("POST", path, changes);
    expectGolden(store, {
      id: is(id),
      object: is("vector_store"),
      created_at: 0,
      name: is(changes.name),
      usage_bytes: 0,
      file_counts: is(COUNTS),
      status: is("completed"),
      expires_after: is(changes.expires_after),
      expires_at: is(Number(store["last_active_at"]) + 30 * 86_400),
      last_active_at: 0,
      metadata: is(changes.metadata),
    });
    const text = "Employees work from the office at least three days a week. Remote work must be approved.";
    const file = await addText(state.server, id, "handbook.md", text, { document_type: "handbook" });
    await addText(state.server, id, "menu.md", "Remote islands are worth a visit.", { document_type: "menu" });
    const query = "What is the new company policy on remote work?";
    const page = await ok("POST", `${path}/search`, {
      query,
      max_num_results: 5,
      filters: { document_type: "handbook" },
    });
    expectGolden(page, {
      object: is("vector_store.search_results.page"),
      search_query: is(query),
      data: [
        {
          object: is("vector_store.search_result"),
          type: is("file_content"),
          file_id: is(file),
          chunk_id: "chunk_def456",
          content: is(text),
          score: 0,
        },
      ],
      has_more: is(false),
    });
    expect(page["data"]).toHaveLength(1);
    expectGolden(await ok("GET", `${path}/files/${file}/content`), {
      object: is("vector_store.file_content.page"),
      data: [{ type: is("text"), text: is(text) }],
      has_more: is(false),
      next_page: is(null),
    });
    const metadata = { user_id: "user-abcd", source: "manual_upload" };
    expectGolden(await ok("POST", `${path}/files/${file}`, { metadata }), {
      id: is(file),
      object: is("vector_store.file"),
      usage_bytes: 0,
      created_at: 0,
      vector_store_id: is(id),
      status: is("completed"),
      last_error: is(null),
      metadata: is(metadata),
    });
    const batch = await ok("POST", `${path}/file_batches`, { file_ids: [file] });
    await settled(state.server, id, file);
    expectGolden(await ok("POST", `${path}/file_batches/${batch["id"]}/cancel`), {
      id: is(batch["id"]),
      object: is("vector_store.file_batch"),
      created_at: 0,
      vector_store_id: is(id),
      status: "cancelled",
      file_counts: { ...COUNTS, total: is(1) },
    });
  });
});

describe("legacy, by query parameter", () => {
  const { state } = session({});
  const STORE = { id: "vs_abc123", object: is("vector_store"), created_at: 0, bytes: 0, file_counts: COUNTS };
  const FILE = { id: "file-abc123", object: is("vector_store.file"), created_at: 0, vector_store_id: "vs_abc123" };

  test("its examples, through the client of their time", async () => {
    const { server } = state;
    const client = new OpenAI4({
      apiKey: server.key,
      baseURL: `${server.url}/v1`,
      defaultQuery: { dialect: "legacy" },
      defaultHeaders: { "openai-beta": "assistants=v2" },
    });
    const { vectorStores } = client;
    const made = await vectorStores.create({ name: "Support FAQ" });
    expectGolden(made, { ...STORE, name: is("Support FAQ") });
    const newer = await vectorStores.create({ name: "Support FAQ v2" });
    const listed = (await client.get("/vector_stores")) as Json;
    expectGolden(listed, {
      object: is("list"),
      data: [
        { ...STORE, id: is(newer.id), name: is("Support FAQ v2") },
        { ...STORE, id: is(made.id), name: is("Support FAQ") },
      ],
      first_id: is(newer.id),
      last_id: is(made.id),
      has_more: is(false),
    });
    expectGolden(await vectorStores.retrieve(made.id), { ...STORE, created_at: is(made.created_at) });
    expectGolden(await vectorStores.update(made.id, { name: "FAQ" }), { ...STORE, name: is("FAQ") });

    const ids = [await upload(server, "a.txt", "Tides."), await upload(server, "b.txt", "Bread.")] as const;
    const batch = await vectorStores.fileBatches.create(made.id, { file_ids: [...ids] });
    const shown = {
      id: is(batch.id),
      object: is("vector_store.file_batch"),
      created_at: 0,
      vector_store_id: is(made.id),
      status: "in_progress",
      file_counts: { ...COUNTS, total: is(2) },
    };
    expectGolden(batch, shown);
    const where = `/vector_stores/${made.id}/files_batches/${batch.id}`;
    expectGolden(await client.get(where), shown);
    expectGolden(await client.get(`${where}/files`), {
      object: is("list"),
      data: [
        { ...FILE, id: is(ids[1]) },
        { ...FILE, id: is(ids[0]) },
      ],
      first_id: is(ids[1]),
      last_id: is(ids[0]),
      has_more: is(false),
    });
    expectGolden(await client.post(`${where}/cancel`), shown);

    const file = await upload(server, "c.txt", "Ropes.");
    const attached = await vectorStores.files.create(made.id, { file_id: file });
    const row = { ...FILE, id: is(file), vector_store_id: is(made.id), status: "completed", last_error: is(null) };
    expectGolden(attached, { ...row, usage_bytes: 0 });
    expectGolden(await vectorStores.files.poll(made.id, file), { ...row, status: is("completed") });
    expectGolden((await vectorStores.files.list(made.id)).data[0], { ...FILE, id: is(file) });
    expectGolden(await vectorStores.files.del(made.id, file), {
      id: is(file),
      object: is("vector_store.file.deleted"),
      deleted: is(true),
    });
    expectGolden(await vectorStores.del(made.id), {
      id: is(made.id),
      object: is("vector_store.deleted"),
      deleted: is(true),
    });
  });
});

describe.each(["openai", "openai-strict"])(
  "OpenAI's classes as its Ruby client lists them, in dialect %s",
  (dialect) => {
    const { state, ok } = session({}, { "x-vector-dialect": dialect });
    const INTEGERS = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
    const STATES = ["in_progress", "completed", "failed", "cancelled"];

    test("every field of every class", async () => {
      const store = await ok("POST", "/v1/vector_stores", {
        name: "x",
        expires_after: { anchor: "last_active_at", days: 365 },
        metadata: { k: "v" },
      });
      expectGolden(store, {
        id: "",
        created_at: 0,
        file_counts: INTEGERS,
        last_active_at: either("number", "null"),
        metadata: is({ k: "v" }),
        name: is("x"),
        object: is("vector_store"),
        status: is("completed"),
        usage_bytes: is(0),
        expires_after: is({ anchor: "last_active_at", days: 365 }),
        expires_at: is(Number(store["last_active_at"]) + 365 * 86_400),
      });
      const path = `/v1/vector_stores/${store["id"]}`;
      const good = await upload(state.server, "a.txt", "Tides follow the moon.");
      const bad = await upload(state.server, "a.mp4", new Uint8Array([0, 0, 0, 24, 102, 116, 121, 112]));
      const strategy = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 } };
      const attributes = { text: "x", number: 1.5, truth: true };
      const files = [{ file_id: good, attributes, chunking_strategy: strategy }, { file_id: bad }];
      const batch = await ok("POST", `${path}/file_batches`, { files });
      expectGolden(batch, {
        id: "",
        created_at: 0,
        file_counts: { ...INTEGERS, total: is(2) },
        object: is("vector_store.files_batch"),
        status: "",
        vector_store_id: is(store["id"]),
      });
      expect(STATES).toContain(String(batch["status"]));
      for (const id of [good, bad]) await settled(state.server, String(store["id"]), id);
      const file = {
        id: is(good),
        created_at: 0,
        last_error: is(null),
        object: is("vector_store.file"),
        status: is("completed"),
        usage_bytes: 0,
        vector_store_id: is(store["id"]),
        attributes: is(attributes),
        chunking_strategy: is(strategy),
      };
      expectGolden(await ok("GET", `${path}/files/${good}`), file);
      expectGolden(await ok("GET", `${path}/files/${bad}`), {
        ...file,
        id: is(bad),
        status: is("failed"),
        last_error: { code: is("unsupported_file"), message: "" },
        usage_bytes: is(0),
        attributes: is({}),
        chunking_strategy: is({ type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } }),
      });
      expectGolden(await ok("POST", `${path}/search`, { query: "moon" }), {
        data: [
          {
            attributes: is(attributes),
            content: [{ text: "", type: is("text") }],
            file_id: is(good),
            filename: is("a.txt"),
            score: 0,
          },
        ],
        has_more: is(false),
        next_page: is(null),
      });
      expectGolden(await ok("GET", `${path}/files/${good}/content`), { data: [{ text: "", type: is("text") }] });
      expectGolden(await ok("DELETE", `${path}/files/${good}`), {
        id: is(good),
        deleted: is(true),
        object: is("vector_store.file.deleted"),
      });
      expectGolden(await ok("DELETE", path), {
        id: is(store["id"]),
        deleted: is(true),
        object: is("vector_store.deleted"),
      });
    });
  },
);
