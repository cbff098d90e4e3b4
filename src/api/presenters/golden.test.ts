import { describe, expect, test } from "bun:test";
import type { Answer, StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";
import { expectGolden, is } from "../../../test/helpers/golden.ts";

/**
 * The examples of the documents that the dialects come from, as tests: every key that a document shows is there with
 * the same type, and with the same value where the request determines it (`is`). Ids in requests are
 * those of the test, not the documents' `vs_abc123`.
 */
const FILE_COUNTS = { in_progress: 0, completed: 3, failed: 0, cancelled: 0, total: 3 };

/** Sends as the documents do, in the dialect, to the base address that they use. */
function client(f: StoreApp, dialect: string, base: string, headers: Record<string, string> = {}) {
  return async (method: string, path: string, body?: unknown): Promise<Answer> =>
    await f.call(method, `${base}${path}`, body, { "x-vector-dialect": dialect, ...headers });
}

async function ok(answer: Promise<Answer>): Promise<Answer["json"]> {
  const { status, json } = await answer;
  expect([status, json.error]).toEqual([200, undefined]);
  return json;
}

describe("legacy: OpenAI's documents of 2024", () => {
  const send = (f: StoreApp) => client(f, "legacy", "/v1", { "openai-beta": "assistants=v2" });
  const STORE = { id: "vs_abc123", object: is("vector_store"), created_at: 1, bytes: 139920, file_counts: FILE_COUNTS };
  const FILE = {
    id: "file-abc123",
    object: is("vector_store.file"),
    created_at: 1699061776,
    vector_store_id: "vs_abc123",
  };
  const counts = (in_progress: number, total: number) =>
    is({ in_progress, completed: 0, failed: 0, cancelled: 0, total });

  test("stores", async () => {
    await using f = await storeApp();
    const call = send(f);
    const first = await ok(call("POST", "/vector_stores", { name: "Support FAQ" }));
    expectGolden(first, { ...STORE, name: is("Support FAQ") });
    const second = await ok(call("POST", "/vector_stores", { name: "Support FAQ v2" }));
    expectGolden(await ok(call("GET", "/vector_stores")), {
      object: is("list"),
      data: [
        { ...STORE, id: is(second.id), name: is("Support FAQ v2") },
        { ...STORE, id: is(first.id), name: is("Support FAQ") },
      ],
      first_id: is(second.id),
      last_id: is(first.id),
      has_more: is(false),
    });
    expectGolden(await ok(call("GET", `/vector_stores/${first.id}`)), {
      id: is(first.id),
      object: is("vector_store"),
      created_at: is(first.created_at),
    });
    expectGolden(await ok(call("POST", `/vector_stores/${first.id}`, { name: "Support FAQ" })), {
      ...STORE,
      id: is(first.id),
      name: is("Support FAQ"),
    });
    expect(await ok(call("DELETE", `/vector_stores/${first.id}`))).toEqual({
      id: first.id,
      object: "vector_store.deleted",
      deleted: true,
    });
  });

  test("file batches, under both spellings of their address", async () => {
    await using f = await storeApp();
    const call = send(f);
    const { id } = await ok(call("POST", "/vector_stores", {}));
    const files = [await f.file(), await f.file()];
    const batch = await ok(call("POST", `/vector_stores/${id}/file_batches`, { file_ids: files }));
    const documented = {
      id: batch.id,
      object: is("vector_store.file_batch"),
      created_at: 1699061776,
      vector_store_id: is(id),
      status: is("in_progress"),
      file_counts: counts(2, 2),
    };
    expectGolden(batch, documented);
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files_batches/${batch.id}`)), documented);
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files_batches/${batch.id}/files`)), {
      object: is("list"),
      data: [
        { ...FILE, id: is(files[1]), vector_store_id: is(id) },
        { ...FILE, id: is(files[0]), vector_store_id: is(id) },
      ],
      first_id: is(files[1]),
      last_id: is(files[0]),
      has_more: is(false),
    });
    const cancelled = await ok(call("POST", `/vector_stores/${id}/files_batches/${batch.id}/cancel`));
    expectGolden(cancelled, { ...documented, status: "cancelling", file_counts: { ...FILE_COUNTS, total: is(2) } });
    expect(["cancelling", "cancelled"]).toContain(cancelled.status);
  });

  test("files", async () => {
    await using f = await storeApp();
    const call = send(f);
    const { id } = await ok(call("POST", "/vector_stores", {}));
    const file = await f.file();
    const shown = { ...FILE, id: is(file), vector_store_id: is(id), status: "completed", last_error: null };
    expectGolden(await ok(call("POST", `/vector_stores/${id}/files`, { file_id: file })), {
      ...shown,
      usage_bytes: 1234,
    });
    await f.finish(id, file, ["text"]);
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files/${file}`)), { ...shown, status: is("completed") });
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files`)), {
      object: is("list"),
      data: [{ ...FILE, id: is(file) }],
      first_id: is(file),
      last_id: is(file),
      has_more: is(false),
    });
    expect(await ok(call("DELETE", `/vector_stores/${id}/files/${file}`))).toEqual({
      id: file,
      object: "vector_store.file.deleted",
      deleted: true,
    });
  });
});

describe("aqueduct", () => {
  const STRATEGY = { type: "static", static: { max_chunk_size_tokens: 1200, chunk_overlap_tokens: 200 } };
  const STORE = {
    id: "vs_123",
    object: is("vector_store"),
    name: "my_vector_store",
    description: null,
    created_at: 1698107661,
    usage_bytes: 123456,
    file_counts: { in_progress: 0, completed: 100, cancelled: 0, failed: 0, total: 100 },
    last_active_at: 1698107661,
    expires_after: null,
    expires_at: null,
    last_used_at: 1698107661,
    status: "completed",
    metadata: {},
  };
  const FILE = {
    id: "file-abc123",
    object: is("vector_store.file"),
    usage_bytes: 1234,
    created_at: 1698107661,
    vector_store_id: "vs_abc123",
    status: "completed",
    last_error: null,
    chunking_strategy: { type: is("static"), static: is({ max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 }) },
    attributes: {},
  };

  for (const base of ["", "/v1"]) {
    test(`stores under '${base}/vector_stores'`, async () => {
      await using f = await storeApp();
      const call = client(f, "aqueduct", base);
      const made = await ok(call("POST", "/vector_stores", { name: "Support FAQ" }));
      expectGolden(made, { ...STORE, name: is("Support FAQ"), status: is("completed"), metadata: is({}) });
      expectGolden(await ok(call("GET", "/vector_stores?limit=20")), { data: [{ ...STORE, id: is(made.id) }] });
      expectGolden(await ok(call("GET", `/vector_stores/${made.id}`)), { ...STORE, id: is(made.id) });
      const update = {
        name: "Updated Product Documentation",
        description: "Comprehensive product documentation",
        metadata: { category: "support" },
      };
      expectGolden(await ok(call("POST", `/vector_stores/${made.id}`, update)), {
        ...STORE,
        name: is(update.name),
        description: is(update.description),
        metadata: is(update.metadata),
      });
      expect((await ok(call("DELETE", `/vector_stores/${made.id}`))).deleted).toBe(true);
    });
  }

  test("files and their batches", async () => {
    await using f = await storeApp();
    const call = client(f, "aqueduct", "");
    const [a, b, c] = [await f.file(), await f.file(), await f.file()];
    const { id } = await ok(call("POST", "/vector_stores", { name: "Documentation", file_ids: [a] }));
    expectGolden(await ok(call("POST", `/vector_stores/${id}/files`, { file_id: a })), {
      ...FILE,
      id: is(a),
      vector_store_id: is(id),
      attributes: is({}),
    });
    const batch = await ok(
      call("POST", `/vector_stores/${id}/file_batches`, {
        files: [
          { file_id: b, attributes: { category: "getting-started" } },
          { file_id: c, chunking_strategy: STRATEGY },
        ],
      }),
    );
    expectGolden(batch, {
      id: "vsfb_abc",
      status: is("in_progress"),
      file_counts: { in_progress: is(2), total: is(2) },
    });
    await f.finish(id, b, ["x"]);
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files?limit=20&filter=completed`)), {
      data: [{ ...FILE, id: is(b), status: is("completed"), attributes: is({ category: "getting-started" }) }],
    });
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files/${c}`)), {
      ...FILE,
      chunking_strategy: is(STRATEGY),
    });
    const attributes = { category: "finance", priority: "high" };
    expectGolden(await ok(call("POST", `/vector_stores/${id}/files/${b}`, { attributes })), {
      ...FILE,
      attributes: is(attributes),
    });
    expectGolden(await ok(call("GET", `/vector_stores/${id}/file_batches/${batch.id}/files`)), {
      data: [{ id: is(c) }, { id: is(b) }],
    });
    expectGolden(await ok(call("POST", `/vector_stores/${id}/file_batches/${batch.id}/cancel`)), {
      status: is("cancelled"),
      file_counts: { completed: is(1), cancelled: is(1) },
    });
  });

  test("a search with a plain filter, answered with one string", async () => {
    await using f = await storeApp();
    const call = client(f, "aqueduct", "");
    const { id } = await ok(call("POST", "/vector_stores", {}));
    for (const category of ["support", "other"]) {
      const file = await f.file(`${category}.pdf`);
      await call("POST", `/vector_stores/${id}/files`, { file_id: file, attributes: { category } });
      await f.finish(id, file, ["How to reset a password"]);
    }
    const found = await ok(
      call("POST", `/vector_stores/${id}/search`, {
        query: "How do I reset my password?",
        filters: { category: "support" },
      }),
    );
    expectGolden(found, {
      object: is("vector_store.search_results.page"),
      search_query: is("How do I reset my password?"),
      data: [
        {
          file_id: "file_123",
          filename: is("support.pdf"),
          score: 0.95,
          attributes: is({ category: "support" }),
          content: is([{ type: "text", text: "How to reset a password" }]),
        },
      ],
      has_more: is(false),
      next_page: null,
    });
    expect(found.data).toHaveLength(1);
    const rewritten = { query: "How do I reset my password?", max_num_results: 10, rewrite_query: true };
    expect((await ok(call("POST", `/vector_stores/${id}/search`, rewritten))).search_query).toBe("reset password");
  });

  test("limits", async () => {
    await using f = await storeApp({ maxStores: 1, maxFilesPerStore: 1 });
    const call = client(f, "aqueduct", "");
    const { id } = await ok(call("POST", "/vector_stores", { file_ids: [await f.file()] }));
    expect((await call("POST", "/vector_stores", {})).status).toBe(403);
    expect((await call("POST", `/vector_stores/${id}/files`, { file_id: await f.file() })).status).toBe(403);
  });
});

describe("ragwalla", () => {
  async function withFile(f: StoreApp) {
    const call = client(f, "ragwalla", "/v1");
    const file = await f.file("handbook.md");
    const { id } = await ok(call("POST", "/vector_stores", {}));
    await call("POST", `/vector_stores/${id}/files`, { file_id: file, metadata: { document_type: "handbook" } });
    await f.finish(id, file, [
      "What is the policy on remote work: three days a week",
      "requests for fully remote work arrangements",
    ]);
    return { call, file, id };
  }

  test("a store is modified", async () => {
    await using f = await storeApp();
    const { call, id } = await withFile(f);
    const body = {
      name: "Updated Store Name",
      metadata: { client_id: "client-5678", environment: "production" },
      expires_after: { anchor: "last_active_at", days: 30 },
    };
    expectGolden(await ok(call("POST", `/vector_stores/${id}`, body)), {
      id: is(id),
      object: is("vector_store"),
      created_at: 1699061776,
      name: is("Updated Store Name"),
      usage_bytes: 123456,
      file_counts: is({ in_progress: 0, completed: 1, failed: 0, cancelled: 0, total: 1 }),
      status: is("completed"),
      expires_after: is(body.expires_after),
      expires_at: is(1_800_000_000 + 30 * 86_400),
      last_active_at: 1699061776,
      metadata: is(body.metadata),
    });
  });

  test("a file's metadata is updated and its content read", async () => {
    await using f = await storeApp();
    const { call, file, id } = await withFile(f);
    const metadata = { user_id: "user-abcd", source: "manual_upload" };
    expectGolden(await ok(call("POST", `/vector_stores/${id}/files/${file}`, { metadata })), {
      id: is(file),
      object: is("vector_store.file"),
      usage_bytes: 12345,
      created_at: 1699061776,
      vector_store_id: is(id),
      status: is("completed"),
      last_error: null,
      metadata: is(metadata),
    });
    expectGolden(await ok(call("GET", `/vector_stores/${id}/files/${file}/content`)), {
      object: is("vector_store.file_content.page"),
      data: [{ type: is("text"), text: "This is the full text content of the file..." }],
      has_more: is(false),
      next_page: null,
    });
  });

  test("a batch is cancelled", async () => {
    await using f = await storeApp();
    const { call, file, id } = await withFile(f);
    const batch = await ok(call("POST", `/vector_stores/${id}/file_batches`, { file_ids: [file, await f.file()] }));
    const cancelled = await ok(call("POST", `/vector_stores/${id}/file_batches/${batch.id}/cancel`));
    expectGolden(cancelled, {
      id: is(batch.id),
      object: is("vector_store.file_batch"),
      created_at: 1699061776,
      vector_store_id: is(id),
      status: "cancelled",
      file_counts: { in_progress: 0, completed: is(1), failed: is(0), cancelled: 12, total: is(2) },
    });
    expect(["cancelling", "cancelled"]).toContain(cancelled.status);
  });

  test("a search answers with strings", async () => {
    await using f = await storeApp();
    const { call, file, id } = await withFile(f);
    const body = {
      query: "What is the new company policy on remote work?",
      max_num_results: 5,
      filters: { document_type: "handbook" },
    };
    const hit = {
      object: is("vector_store.search_result"),
      type: is("file_content"),
      file_id: is(file),
      chunk_id: "chunk_def456",
      content: "...employees...",
      score: 0.912,
    };
    expectGolden(await ok(call("POST", `/vector_stores/${id}/search`, body)), {
      object: is("vector_store.search_results.page"),
      search_query: is(body.query),
      data: [hit, hit],
      has_more: is(false),
    });
  });
});

describe("fightclub", () => {
  const send = (f: StoreApp) => client(f, "fightclub", "/v1");
  const NEW = { name: "acme-handbook", embedding_model: "text-embedding-3-small" };

  test("stores: a model is named, status is a lifecycle", async () => {
    await using f = await storeApp();
    const call = send(f);
    const store = {
      id: "vs_abc",
      object: is("vector_store"),
      name: is("acme-handbook"),
      embedding_model: is("text-embedding-3-small"),
      embedding_dimensions: null,
      status: is("active"),
      file_counts: { total: is(0) },
      bytes: is(0),
      metadata: {},
      created_at: is(1_800_000_000),
    };
    const made = await ok(call("POST", "/vector_stores", NEW));
    expectGolden(made, store);
    expectGolden(await ok(call("POST", "/vector_stores", { ...NEW, dimensions: 32 })), {
      ...store,
      embedding_dimensions: is(32),
    });
    expect((await ok(call("GET", "/vector_stores"))).data).toHaveLength(2);
    expectGolden(await ok(call("GET", `/vector_stores/${made.id}`)), store);
    const metadata = { owner: "support-team" };
    expectGolden(await ok(call("PATCH", `/vector_stores/${made.id}`, { metadata })), {
      ...store,
      metadata: is(metadata),
    });
    expect((await ok(call("DELETE", `/vector_stores/${made.id}`))).deleted).toBe(true);
  });

  test("files and batches", async () => {
    await using f = await storeApp();
    const call = send(f);
    const { id } = await ok(call("POST", "/vector_stores", NEW));
    const files = [await f.file(), await f.file(), await f.file()];
    await ok(call("POST", `/vector_stores/${id}/files`, { file_id: files[0] }));
    await ok(call("POST", `/vector_stores/${id}/files`, { file_id: files[0] }));
    expect((await ok(call("GET", `/vector_stores/${id}/files`))).data).toHaveLength(1);
    expect((await ok(call("GET", `/vector_stores/${id}/files/${files[0]}`))).status).toBe("in_progress");
    expect((await ok(call("POST", `/vector_stores/${id}/files/${files[0]}/cancel`))).status).toBe("cancelled");
    expect((await ok(call("POST", `/vector_stores/${id}/files/${files[0]}/retry`))).status).toBe("in_progress");
    expect((await ok(call("DELETE", `/vector_stores/${id}/files/${files[0]}`))).deleted).toBe(true);
    const batch = await ok(call("POST", `/vector_stores/${id}/file_batches`, { file_ids: files }));
    expect((await ok(call("GET", `/vector_stores/${id}/file_batches/${batch.id}`))).file_counts.total).toBe(3);
    expect((await ok(call("POST", `/vector_stores/${id}/file_batches/${batch.id}/cancel`))).status).toBe("cancelled");
  });

  test.each<[method: string, path: string, body: object | undefined, status: number, code: string]>([
    ["POST", "", { embedding_model: NEW.embedding_model }, 400, "invalid_name"],
    ["POST", "", { ...NEW, name: "" }, 400, "invalid_name"],
    ["POST", "", { ...NEW, name: 7 }, 400, "invalid_name"],
    ["POST", "", { ...NEW, name: "x".repeat(257) }, 400, "name_too_long"],
    ["POST", "", { name: "x" }, 400, "invalid_embedding_model"],
    ["POST", "", { ...NEW, embedding_model: "gpt-4o" }, 400, "invalid_embedding_model"],
    ["POST", "", { ...NEW, dimensions: 0 }, 400, "invalid_dimensions"],
    ["POST", "", { ...NEW, dimensions: "8" }, 400, "invalid_dimensions"],
    ["POST", "", { ...NEW, metadata: [] }, 400, "invalid_metadata"],
    ["POST", "", { ...NEW, metadata: "x" }, 400, "invalid_metadata"],
    ["POST", "", { ...NEW, metadata: { a: "x".repeat(4096) } }, 400, "metadata_too_large"],
    ["GET", "/vs_nope", undefined, 404, "vector_store_not_found"],
    ["GET", "/ID/files/file_nope", undefined, 404, "vector_store_file_not_found"],
    ["POST", "/ID/files", { file_id: "file_nope" }, 404, "file_not_found"],
    ["POST", "/ID/file_batches", { file_ids: [] }, 400, "invalid_file_ids"],
    ["POST", "/ID/file_batches", { file_ids: "file_1" }, 400, "invalid_file_ids"],
    ["POST", "/ID/file_batches", { file_ids: Array.from({ length: 501 }, () => "file_1") }, 400, "too_many_files"],
    ["GET", "/ID/file_batches/vsfb_nope", undefined, 404, "file_batch_not_found"],
  ])("%s %s %j is %d %s", async (method, path, body, status, code) => {
    await using f = await storeApp();
    const { id } = await ok(send(f)("POST", "/vector_stores", NEW));
    const answer = await send(f)(method, `/vector_stores${path.replace("ID", id)}`, body);
    expect([answer.status, answer.json.error?.code]).toEqual([status, code]);
  });
});

describe("OpenAI's own objects (the Ruby client's document)", () => {
  const STORE = {
    id: "vs_1",
    created_at: 1,
    file_counts: FILE_COUNTS,
    last_active_at: 1,
    metadata: {},
    name: "x",
    object: is("vector_store"),
    status: "completed",
    usage_bytes: 1,
  };

  for (const dialect of ["openai", "openai-strict"]) {
    test(`in dialect ${dialect}`, async () => {
      await using f = await storeApp();
      const call = client(f, dialect, "/v1");
      const expires_after = { anchor: "last_active_at", days: 3 };
      const store = await ok(call("POST", "/vector_stores", { name: "x", expires_after, metadata: { a: "b" } }));
      expectGolden(store, {
        ...STORE,
        expires_after: is(expires_after),
        expires_at: is(1_800_000_000 + 3 * 86_400),
        metadata: is({ a: "b" }),
      });
      const file = await f.file();
      const batch = await ok(call("POST", `/vector_stores/${store.id}/file_batches`, { file_ids: [file] }));
      expectGolden(batch, {
        id: "vsfb_1",
        created_at: 1,
        file_counts: FILE_COUNTS,
        object: is("vector_store.files_batch"),
        status: is("in_progress"),
        vector_store_id: is(store.id),
      });
      expectGolden(await ok(call("GET", `/vector_stores/${store.id}/files/${file}`)), {
        id: is(file),
        created_at: 1,
        last_error: null,
        object: is("vector_store.file"),
        status: is("in_progress"),
        usage_bytes: is(0),
        vector_store_id: is(store.id),
        attributes: is({}),
        chunking_strategy: is({ type: "static", static: { max_chunk_size_tokens: 800, chunk_overlap_tokens: 400 } }),
      });
    });
  }

  test("openai-strict shows no key beyond OpenAI's schemas and keeps to its limits", async () => {
    await using f = await storeApp();
    const call = client(f, "openai-strict", "/v1");
    const file = await f.file("a.md");
    const store = await ok(call("POST", "/vector_stores", { file_ids: [file] }));
    const keys = (object: object) => Object.keys(object).toSorted();
    const STORE_KEYS = [
      "created_at",
      "expires_at",
      "file_counts",
      "id",
      "last_active_at",
      "metadata",
      "name",
      "object",
      "status",
      "usage_bytes",
    ];
    expect(keys(store)).toEqual(STORE_KEYS);
    await f.finish(store.id, file, ["some text"]);
    expect(keys(await ok(call("GET", `/vector_stores/${store.id}/files/${file}`)))).toEqual([
      "attributes",
      "chunking_strategy",
      "created_at",
      "id",
      "last_error",
      "object",
      "status",
      "usage_bytes",
      "vector_store_id",
    ]);
    expect(keys(await ok(call("GET", `/vector_stores/${store.id}/files/${file}/content`)))).toEqual([
      "data",
      "has_more",
      "next_page",
      "object",
    ]);
    const page = await ok(call("POST", `/vector_stores/${store.id}/search`, { query: "text" }));
    expect(keys(page.data[0])).toEqual(["attributes", "content", "file_id", "filename", "score"]);
    expect(keys((await ok(call("GET", "/models"))).data[0])).toEqual(["created", "id", "object", "owned_by"]);
    expect(await ok(call("GET", `/vector_stores/${store.id}/files?filter=failed`))).toEqual({
      object: "list",
      data: [],
      first_id: "",
      last_id: "",
      has_more: false,
    });
    const refused = async (metadata: object) => (await call("POST", "/vector_stores", { metadata })).json.error?.param;
    expect(await refused({ a: 1 })).toBe("metadata.a");
    expect(await refused({ a: "x".repeat(513) })).toBe("metadata.a");
    expect(await refused(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, "v"])))).toBe("metadata");
    // What another dialect stored free-form is shown as strings.
    await f.call("POST", `/v1/vector_stores/${store.id}`, { metadata: { team: { id: 7 }, name: "x" } });
    expect((await ok(call("GET", `/vector_stores/${store.id}`))).metadata).toEqual({ team: '{"id":7}', name: "x" });
  });
});
