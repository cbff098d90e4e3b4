/**
 * OpenAI's published specification, by a validating proxy and by the official client, in dialect `openai-strict`.
 * Success paths go through the proxy, which refuses any request and any answer that does not fit. The specification
 * declares 200 and 429 only and the proxy corrupts binary uploads, so error paths and binary uploads go direct, and
 * their bodies are held against its schemas here.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";
import type { ClientOptions } from "openai";
import { ROOT, TEST_KEY, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { findSpec, readSpec } from "./openai-spec.ts";
import type { Spec, SpecOperation } from "./openai-spec.ts";
import { startPrism } from "./prism.ts";
import type { Prism } from "./prism.ts";

type ClientResponse = Awaited<ReturnType<NonNullable<ClientOptions["fetch"]>>>;

const OPERATIONS = 29;
const file = findSpec();

const dir = tempDir();
const done = { success: new Map<string, number>(), error: new Map<string, number>() };
let spec: Spec;
let server: TestServer;
let prism: Prism;
let client: OpenAI;
let direct: OpenAI;
let violationsSeen: number | null = null;

beforeAll(async () => {
  spec = readSpec(file);
  // A model of its own, so that one can be deleted.
  mkdirSync(dir.join("data", "models"), { recursive: true });
  cpSync(join(ROOT, "models/lectern-embed-en"), dir.join("data", "models", "added-model"), { recursive: true });
  server = await startServer({ dataDir: dir.join("data") });
  prism = await startPrism(file, `${server.url}/v1`);
  const options = { apiKey: TEST_KEY, maxRetries: 0, defaultHeaders: { "x-vector-dialect": "openai-strict" } };
  client = new OpenAI({ ...options, baseURL: prism.url, fetch: watched(prism.url, true) });
  direct = new OpenAI({ ...options, baseURL: `${server.url}/v1`, fetch: watched(`${server.url}/v1`, false) });
}, 180_000);

afterAll(async () => {
  await prism?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

/** `fetch` that notes which operation was called with what success, and holds the answer against the schemas. */
function watched(base: string, proxied: boolean): NonNullable<ClientOptions["fetch"]> {
  return async (input, init) => {
    const response = await fetch(input as string, init as RequestInit);
    const url = new URL(input instanceof Request ? input.url : (input as string | URL));
    const operation = spec.find(
      init?.method ?? "GET",
      url.pathname.slice(new URL(base).pathname.replace(/\/$/, "").length),
    );
    if (operation !== null) await note(operation, response.clone() as Response, proxied);
    // The client's types are those of Node's fetch.
    return response as unknown as ClientResponse;
  };
}

async function note(operation: SpecOperation, response: Response, proxied: boolean): Promise<void> {
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  if (response.ok) {
    if (isJson)
      expect([operation.id, spec.answerProblem(operation, await response.json())]).toEqual([operation.id, null]);
    if (proxied) count(done.success, operation.id);
  } else {
    const body = await response.text();
    expect([operation.id, body]).toEqual([operation.id, expect.stringMatching(/^\{"error":/)]);
    expect([operation.id, spec.errorProblem(JSON.parse(body))]).toEqual([operation.id, null]);
    count(done.error, operation.id);
  }
}

function count(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

const text = (content: string, name: string, type = "text/plain") => toFile(Buffer.from(content), name, { type });
const MODEL = "text-embedding-3-small";
const STATIC = { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 100 } } as const;
const TIDES = "Tides follow the moon. The range is largest at new moon and at full moon.";
const BREAD = "Bread needs flour, water, salt and time. Overnight is better than an hour.";

async function uploaded(content: string, name: string): Promise<string> {
  return (await client.files.create({ file: await text(content, name), purpose: "assistants" })).id;
}

async function settled(storeId: string): Promise<void> {
  await waitFor("the store is done", async () => {
    const { file_counts } = await client.vectorStores.retrieve(storeId);
    return file_counts.in_progress === 0 || undefined;
  });
}

describe("through the proxy", () => {
  test("files", async () => {
    const made = await client.files.create({
      file: await text(TIDES, "tides.md", "text/markdown"),
      purpose: "user_data",
      expires_after: { anchor: "created_at", seconds: 3600 },
    });
    expect(made.expires_at).toBe(made.created_at + 3600);
    // Not `evals`: the specification takes it in requests and knows no such purpose in answers.
    for (const purpose of ["assistants", "batch", "fine-tune", "vision"] as const) {
      expect((await client.files.create({ file: await text("{}", "x.jsonl"), purpose })).purpose).toBe(purpose);
    }
    expect((await client.files.retrieve(made.id)).id).toBe(made.id);
    const page = await client.files.list({ limit: 2, order: "asc", purpose: "assistants" });
    expect(page.data.map((one) => one.purpose)).toEqual(["assistants"]);
    await client.files.list({ after: made.id, limit: 10_000, order: "asc" });
    expect((await client.files.list()).data).toHaveLength(5);
    // The specification calls a file's content a JSON string, so the file is one.
    const string = await client.files.create({
      file: await text('"a text"', "string.json", "application/json"),
      purpose: "assistants",
    });
    expect(await (await client.files.content(string.id)).text()).toBe('"a text"');
    expect(await client.files.delete(made.id)).toEqual({ id: made.id, object: "file", deleted: true });
  });

  test("uploads", async () => {
    const parts = ["first ", "second"];
    const bytes = parts.join("").length;
    const base = { filename: "parts.txt", purpose: "assistants", bytes, mime_type: "text/plain" } as const;
    const upload = await client.uploads.create({ ...base, expires_after: { anchor: "created_at", seconds: 3600 } });
    const ids: string[] = [];
    for (const part of parts) {
      ids.push((await client.uploads.parts.create(upload.id, { data: await text(part, "part") })).id);
    }
    const md5 = createHash("md5").update(parts.join("")).digest("hex");
    const whole = await client.uploads.complete(upload.id, { part_ids: ids, md5 });
    expect(whole).toMatchObject({ status: "completed", file: { bytes, filename: "parts.txt", purpose: "assistants" } });
    const other = await client.uploads.create(base);
    expect(await client.uploads.cancel(other.id)).toMatchObject({ id: other.id, status: "cancelled" });
  });

  test("models", async () => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    expect(ids).toContain("added-model");
    expect((await client.models.retrieve("added-model")).id).toBe("added-model");
    expect(await client.models.delete("added-model")).toEqual({ id: "added-model", object: "model", deleted: true });
  });

  test.each<[name: string, input: OpenAI.EmbeddingCreateParams["input"]]>([
    ["a string", TIDES],
    ["strings", [TIDES, BREAD]],
    ["tokens", [1212, 318, 257, 1332, 13]],
    [
      "lists of tokens",
      [
        [1212, 318],
        [257, 1332, 13],
      ],
    ],
  ])("embeddings of %s", async (_, input) => {
    const wanted = Array.isArray(input) && typeof input[0] !== "number" ? input.length : 1;
    for (const encoding_format of ["float", "base64", undefined] as const) {
      const params = { input, model: MODEL, ...(encoding_format && { encoding_format }) };
      expect((await client.embeddings.create(params)).data).toHaveLength(wanted);
    }
    const short = await client.embeddings.create({ input, model: MODEL, dimensions: 64, user: "somebody" });
    expect(short.data[0]?.embedding).toHaveLength(64);
  });

  test("vector stores", async () => {
    const empty = await client.vectorStores.create({});
    expect(empty).toMatchObject({ name: "", status: "completed" });
    const ids = [await uploaded(TIDES, "tides.txt"), await uploaded(BREAD, "bread.md")];
    const store = await client.vectorStores.create({
      name: "everything",
      description: "with every parameter",
      file_ids: ids,
      expires_after: { anchor: "last_active_at", days: 7 },
      chunking_strategy: STATIC,
      metadata: { team: "harbour" },
    });
    await client.vectorStores.create({ file_ids: ids, chunking_strategy: { type: "auto" } });
    const pages = await client.vectorStores.list({ limit: 1, order: "asc" });
    expect(pages.has_more).toBe(true);
    await client.vectorStores.list({ after: empty.id, limit: 100, order: "desc" });
    await client.vectorStores.list({ before: store.id });
    await client.vectorStores.update(store.id, { name: "renamed", metadata: { team: "pier" } });
    const cleared = await client.vectorStores.update(store.id, { name: null, expires_after: null, metadata: null });
    expect(cleared.expires_after).toBeUndefined();
    await settled(store.id);
    expect((await client.vectorStores.retrieve(store.id)).file_counts).toMatchObject({ completed: 2, total: 2 });
    expect(await client.vectorStores.delete(store.id)).toMatchObject({ deleted: true });
  });

  test("the files of a store", async () => {
    const store = await client.vectorStores.create({ name: "files" });
    const [tides, bread] = [await uploaded(TIDES, "tides.txt"), await uploaded(BREAD, "bread.md")];
    const attributes = { topic: "sea", year: 2024, depth: 3.5, draft: false };
    await client.vectorStores.files.create(store.id, { file_id: tides, attributes, chunking_strategy: STATIC });
    await client.vectorStores.files.create(store.id, { file_id: bread, chunking_strategy: { type: "auto" } });
    await settled(store.id);
    const at = { vector_store_id: store.id };
    expect(await client.vectorStores.files.retrieve(tides, at)).toMatchObject({ status: "completed", attributes });
    for (const filter of ["in_progress", "completed", "failed", "cancelled"] as const) {
      const { data } = await client.vectorStores.files.list(store.id, { filter, limit: 100 });
      expect([filter, data.length]).toEqual([filter, filter === "completed" ? 2 : 0]);
    }
    await client.vectorStores.files.list(store.id, { order: "asc", after: tides, limit: 1 });
    await client.vectorStores.files.list(store.id, { before: bread });
    await client.vectorStores.files.update(tides, { ...at, attributes: { topic: "moon" } });
    await client.vectorStores.files.update(bread, { ...at, attributes: null });
    expect((await client.vectorStores.files.content(tides, at)).data).toMatchObject([{ type: "text", text: TIDES }]);
    expect(await client.vectorStores.files.delete(tides, at)).toMatchObject({ deleted: true });
  });

  test("batches", async () => {
    const store = await client.vectorStores.create({ name: "batches" });
    const [tides, bread] = [await uploaded(TIDES, "tides.txt"), await uploaded(BREAD, "bread.md")];
    const at = { vector_store_id: store.id };
    const first = await client.vectorStores.fileBatches.create(store.id, {
      file_ids: [tides],
      attributes: { topic: "sea" },
      chunking_strategy: STATIC,
    });
    expect(first).toMatchObject({ object: "vector_store.files_batch", vector_store_id: store.id });
    const second = await client.vectorStores.fileBatches.create(store.id, {
      files: [{ file_id: bread, attributes: { topic: "kitchen" }, chunking_strategy: { type: "auto" } }],
    });
    await settled(store.id);
    expect(await client.vectorStores.fileBatches.retrieve(first.id, at)).toMatchObject({ status: "completed" });
    const listed = await client.vectorStores.fileBatches.listFiles(second.id, { ...at, filter: "completed", limit: 1 });
    expect(listed.data.map(({ id }) => id)).toEqual([bread]);
    await client.vectorStores.fileBatches.listFiles(second.id, { ...at, order: "asc", after: bread });
    const third = await client.vectorStores.fileBatches.create(store.id, {
      file_ids: [await uploaded("late", "l.txt")],
    });
    await client.vectorStores.fileBatches.cancel(third.id, at);
  });

  test("searches", async () => {
    const store = await client.vectorStores.create({ name: "search" });
    const attributes = { topic: "sea", year: 2024 };
    const files = [
      { file_id: await uploaded(TIDES, "tides.txt"), attributes },
      { file_id: await uploaded(BREAD, "bread.md") },
    ];
    await client.vectorStores.fileBatches.create(store.id, { files });
    await settled(store.id);
    const sea = { type: "eq", key: "topic", value: "sea" } as const;
    const found = await client.vectorStores.search(store.id, { query: "when is the tide largest" });
    expect(found.data[0]).toMatchObject({
      filename: "tides.txt",
      attributes,
      content: [{ type: "text", text: TIDES }],
    });
    await client.vectorStores.search(store.id, { query: ["tides", "bread"], max_num_results: 1, rewrite_query: true });
    for (const ranker of ["none", "auto", "default-2024-11-15"] as const) {
      const ranking_options = { ranker, score_threshold: 0.01 };
      await client.vectorStores.search(store.id, { query: "moon", ranking_options });
    }
    for (const type of ["eq", "ne", "gt", "gte", "lt", "lte"] as const) {
      await client.vectorStores.search(store.id, { query: "moon", filters: { type, key: "year", value: 2024 } });
    }
    for (const type of ["in", "nin"] as const) {
      await client.vectorStores.search(store.id, {
        query: "moon",
        filters: { type, key: "year", value: [2024, 2025] },
      });
    }
    // Past the proxy, which does not know the `$recursiveRef` that compound filters are specified with.
    const both = { type: "and", filters: [sea, { type: "or", filters: [sea, sea] }] } as const;
    // The client's type knows one level of nesting, the specification any.
    const filters = both as unknown as OpenAI.CompoundFilter;
    expect((await direct.vectorStores.search(store.id, { query: "moon", filters })).data).toHaveLength(1);
  });

  test("violates nothing, and would be told so if it did", async () => {
    const violations = prism.violations();
    expect(violations).toEqual([]);
    violationsSeen = violations.length;
    // The default dialect says more in a search than the specification knows.
    const store = await client.vectorStores.create({ file_ids: [await uploaded(TIDES, "tides.txt")] });
    await settled(store.id);
    const answer = await fetch(`${prism.url}/vector_stores/${store.id}/search`, {
      method: "POST",
      headers: { authorization: `Bearer ${TEST_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ query: "moon" }),
    });
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining("additionalProperties")]);
  });
});

describe("direct", () => {
  test("binary files come back byte by byte", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(200_000));
    const made = await direct.files.create({ file: await toFile(bytes, "noise.bin"), purpose: "user_data" });
    expect(made.bytes).toBe(bytes.length);
    expect(Buffer.compare(Buffer.from(await (await direct.files.content(made.id)).arrayBuffer()), bytes)).toBe(0);
    const half = bytes.length / 2;
    const upload = await direct.uploads.create({
      filename: "noise.bin",
      purpose: "user_data",
      bytes: bytes.length,
      mime_type: "application/octet-stream",
    });
    const parts = await Promise.all(
      [bytes.slice(0, half), bytes.slice(half)].map(async (data) =>
        direct.uploads.parts.create(upload.id, { data: await toFile(data, "part") }),
      ),
    );
    const whole = await direct.uploads.complete(upload.id, { part_ids: parts.map(({ id }) => id) });
    expect(
      Buffer.compare(Buffer.from(await (await direct.files.content(whole.file?.id ?? "")).arrayBuffer()), bytes),
    ).toBe(0);
  });

  const none = { vector_store_id: "vs_none" };
  const ERRORS: [id: string, status: number, call: () => Promise<unknown>][] = [
    ["createEmbedding", 400, () => direct.embeddings.create({ model: MODEL, input: ["x", ""] })],
    ["createEmbedding", 404, () => direct.embeddings.create({ model: "no-such-model", input: "x" })],
    ["listFiles", 400, () => direct.files.list({ limit: 10_001 })],
    ["createFile", 400, async () => direct.files.create({ file: await text("x", "x.txt"), purpose: "none" as never })],
    ["deleteFile", 404, () => direct.files.delete("file-none")],
    ["retrieveFile", 404, () => direct.files.retrieve("file-none")],
    ["downloadFile", 404, () => direct.files.content("file-none")],
    ["listModels", 401, () => direct.withOptions({ apiKey: "sk-wrong" }).models.list()],
    ["retrieveModel", 404, () => direct.models.retrieve("none/such:model")],
    ["deleteModel", 403, () => direct.models.delete("lectern-embed-en")],
    ["createUpload", 400, () => direct.uploads.create({ bytes: 1, filename: "x" } as never)],
    ["cancelUpload", 404, () => direct.uploads.cancel("upload_none")],
    ["completeUpload", 404, () => direct.uploads.complete("upload_none", { part_ids: [] })],
    ["addUploadPart", 404, async () => direct.uploads.parts.create("upload_none", { data: await text("x", "p") })],
    ["listVectorStores", 400, () => direct.vectorStores.list({ limit: 101 })],
    ["createVectorStore", 404, () => direct.vectorStores.create({ file_ids: ["file-none"] })],
    ["createVectorStore", 400, () => direct.vectorStores.create({ nmae: "mistyped" } as never)],
    ["getVectorStore", 404, () => direct.vectorStores.retrieve("vs_none")],
    ["modifyVectorStore", 404, () => direct.vectorStores.update("vs_none", { name: "x" })],
    ["deleteVectorStore", 404, () => direct.vectorStores.delete("vs_none")],
    ["searchVectorStore", 400, () => direct.vectorStores.search("vs_none", {} as never)],
    ["searchVectorStore", 404, () => direct.vectorStores.search("vs_none", { query: "x" })],
    ["createVectorStoreFileBatch", 404, () => direct.vectorStores.fileBatches.create("vs_none", { file_ids: ["f"] })],
    ["getVectorStoreFileBatch", 404, () => direct.vectorStores.fileBatches.retrieve("vsfb_none", none)],
    ["cancelVectorStoreFileBatch", 404, () => direct.vectorStores.fileBatches.cancel("vsfb_none", none)],
    ["listFilesInVectorStoreBatch", 404, () => direct.vectorStores.fileBatches.listFiles("vsfb_none", none)],
    ["listVectorStoreFiles", 404, () => direct.vectorStores.files.list("vs_none")],
    ["createVectorStoreFile", 404, () => direct.vectorStores.files.create("vs_none", { file_id: "file-none" })],
    ["getVectorStoreFile", 404, () => direct.vectorStores.files.retrieve("file-none", none)],
    ["deleteVectorStoreFile", 404, () => direct.vectorStores.files.delete("file-none", none)],
    [
      "updateVectorStoreFileAttributes",
      404,
      () => direct.vectorStores.files.update("f", { ...none, attributes: null }),
    ],
    ["retrieveVectorStoreFileContent", 404, () => direct.vectorStores.files.content("file-none", none)],
  ];
  test.each(ERRORS)("%s answers %d in OpenAI's envelope", async (id, status, call) => {
    const before = done.error.get(id) ?? 0;
    const thrown = await call().then(
      () => null,
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(OpenAI.APIError);
    expect((thrown as InstanceType<typeof OpenAI.APIError>).status).toBe(status);
    expect(done.error.get(id)).toBe(before + 1);
  });
});

test("every operation was exercised, in success and in error", () => {
  const width = Math.max(...spec.operations.map(({ method, path }) => `${method} ${path}`.length));
  const mark = (counts: Map<string, number>, id: string) => String(counts.get(id) ?? "-").padStart(5);
  const rows = spec.operations.map(
    ({ id, method, path }) =>
      `${`${method} ${path}`.padEnd(width)}  ${mark(done.success, id)}  ${mark(done.error, id)}`,
  );
  const covered = spec.operations.filter(({ id }) => done.success.has(id) && done.error.has(id)).length;
  console.log(
    [
      `${"operation".padEnd(width)}  proxy  error`,
      ...rows,
      `${covered} of ${spec.operations.length}`,
      `violations of OpenAI's specification: ${violationsSeen ?? "not known"}`,
    ].join("\n"),
  );
  expect([covered, spec.operations.length]).toEqual([OPERATIONS, OPERATIONS]);
});
