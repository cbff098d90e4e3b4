/**
 * Nobody waits for somebody else's worst request: the largest bodies that each operation takes are sent to the compiled
 * binary, and the thread that serves everybody must never be held long, nor memory or disk grow beyond a bound. The thread's
 * time on a core is measured, not the clock's, so that what else the machine does is not counted.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { allOperations } from "../../src/api/testing/all-operations.ts";
import type { JsonLimit } from "../../src/http/body-limit.ts";
import type { Schema } from "../../src/http/json-schema.ts";
import type { OperationSpec } from "../../src/http/operation.ts";
import { addText, json, newStore } from "../helpers/api.ts";
import { memoryOf, resetPeak } from "../helpers/process-memory.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { floods, worstBodies } from "./worst-body.ts";
import type { Accepted, WorstBody } from "./worst-body.ts";

const MIB = 1024 * 1024;
const MAX_STALL_MS = 100;
const MAX_MEMORY = 256 * MIB;
const MAX_READ_DISK = MIB;
/** Of the server, without what reads documents, which is bounded for itself. */
const MAX_RESIDENT = 2048 * MIB;
let mostResident = 0;

/** Disk that an operation holds back on purpose while it works. */
const KEPT_BACK: Readonly<Record<string, number>> = {
  migrateVectorStore: 9 * MIB,
  // Rows, jobs and attributes of each of the files, and what indexing them writes meanwhile.
  createVectorStoreFileBatch: 16 * MIB,
};

/** What goes on in the background after it is no other's doing. */
const LAST = "createVectorStoreFileBatch";

const operations = allOperations().flatMap(({ spec }) => (spec.bodyLimit.kind === "json" ? [spec] : []));
const named = operations.map((spec) => [spec.operationId, spec] as const);

let server: TestServer;
let other: TestServer;
let keys: Record<"read" | "write" | "admin", TestServer>;
let ids: Record<string, string>;

beforeAll(async () => {
  server = await startServer({ args: ["--log-level", "warn", "--min-free-disk-mb", "64"] });
  const tenantId = await newTenant(server, "asks much");
  const key = async (role: string) => as(server, (await newKey(server, { tenant_id: tenantId, role })).key);
  keys = { read: await key("read"), write: await key("write"), admin: server };
  other = as(server, (await newKey(server, { tenant_id: await newTenant(server, "asks little"), role: "write" })).key);
  const store = await newStore(keys.write);
  const attributes = (i: number) => ({ number: i, word: `w${i}` });
  const embeddings = Array.from({ length: 1000 }, (_, i) => ({
    content: `Text ${i} of words.`,
    attributes: attributes(i),
  }));
  await json(keys.write, "POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings });
  const file = await addText(keys.write, store, "a.txt", "word after word. ".repeat(2000), attributes(1));
  ids = { vector_store_id: store, file_id: file, deployment: "lectern-embed-en" };
  // Administrators change one that asks nothing: its quotas would stop the others.
  addFiles(file);
  ids["tenant_id"] = await newTenant(server, "is changed");
  ids["key_id"] = (await newKey(server, { tenant_id: ids["tenant_id"] })).id;
  const upload = { filename: "a", purpose: "assistants", bytes: 1, mime_type: "text/plain" };
  ids["upload_id"] = (await json<{ id: string }>(keys.write, "POST", "/v1/uploads", upload)).id;
  ids["otherStore"] = await newStore(other);
  await addText(other, ids["otherStore"], "b.txt", "what the other tenant asks for");
}, 120_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test.each(named.filter(([id]) => id !== LAST))("%s", (_, spec) => worstOf(spec), 240_000);

const limits = new Map(operations.map((spec) => [(spec.bodyLimit as JsonLimit).bytes, spec]));

test.each(
  [...limits.values()].map((spec) => [spec.bodyLimit.kind === "json" ? spec.bodyLimit.bytes : 0, spec] as const),
)(
  "what is none of an operation's, in bodies of %d bytes",
  async (_, spec) => {
    await hold(spec, floods(spec.bodyLimit as JsonLimit), spec.role === "admin" ? "admin" : "write");
  },
  240_000,
);

test.each(named.filter(([id]) => id === LAST))("%s", (_, spec) => worstOf(spec), 240_000);

test("all of it leaves most of a machine of 4 GiB to others", () => {
  console.log(`the server had ${Math.round(mostResident / MIB)} MiB at most`);
  expect(mostResident).toBeLessThan(MAX_RESIDENT);
});

async function worstOf(spec: OperationSpec): Promise<void> {
  const bodies = worstBodies(spec.body as Schema, spec.bodyLimit as JsonLimit, accepted(spec));
  // A key that may not ask is refused before the body is read.
  if (spec.role !== "read") await hold(spec, bodies.slice(0, 1), "read");
  await hold(spec, bodies, spec.role === "admin" ? "admin" : spec.role === "write" ? "write" : "read");
}

/** Thousands of files for a batch, without their bytes (nor those of a file that was read before), and as many for when it is asked for again. */
const [MANY, OTHERS] = ["file-many-", "file-others-"];
const MANY_FILES = 2000;

function addFiles(like: string): void {
  using database = new Database(join(server.dataDir, "meta.sqlite"), { readwrite: true });
  database.run("PRAGMA busy_timeout = 10000");
  const columns = "tenant_id, filename, bytes, purpose, mime, created_at";
  const insert = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${MANY_FILES})
    INSERT INTO file (id, sha256, ${columns}) SELECT ?1 || i, lower(hex(randomblob(32))), ${columns} FROM n JOIN file f WHERE f.id = ?2`;
  for (const prefix of [MANY, OTHERS]) database.run(insert, [prefix, like]);
}

async function hold(spec: OperationSpec, bodies: readonly WorstBody[], role: keyof typeof keys): Promise<void> {
  const found: string[] = [];
  for (const body of bodies) {
    let fault = await measured(spec, body, role);
    if (fault !== null) fault = await measured(spec, { ...body, text: body.again.replaceAll(MANY, OTHERS) }, role);
    if (fault !== null) found.push(fault);
  }
  expect(found).toEqual([]);
}

/** Values that get a body past what only the handler can say, so that its work is done. */
function accepted(spec: OperationSpec): Accepted {
  const { file_id } = ids;
  const attributes = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key${i}`, "x".repeat(512)]));
  const everywhere = {
    ...without(
      "dimensions output_dimension task metadata limit query_vector ranking_options chunk_id top_k rank_fields",
    ),
    ...without("texts vector_store_ids filters expires_after quotas md5 files user"),
    file_id,
    attributes,
    model: "lectern-embed-en",
    embedding_model: "lectern-embed-en",
    chunking_strategy: { type: "auto" },
    tenant_id: ids["tenant_id"],
    max_num_results: 50,
    file_ids: Array.from({ length: 500 }, () => file_id),
  };
  switch (spec.operationId) {
    case "rerank":
      return { ...everywhere, model: "lectern-rank", documents: Array.from({ length: 1000 }, () => words(8000)) };
    case "createVectorStore":
    case "modifyVectorStore":
      return { ...everywhere, name: "large", metadata: { text: "x".repeat(4000) } };
    case "createEmbedding":
      return { ...everywhere, input: Array.from({ length: 200 }, () => words(40_000)) };
    case "createDeploymentEmbedding":
      // What answers is the same: once is enough of a minute's embedding.
      return { ...everywhere, input: Array.from({ length: 10 }, () => words(40_000)) };
    case "embedAsTei":
    case "embedAsTeiAtRoot":
      return { ...everywhere, inputs: Array.from({ length: 10 }, () => words(40_000)) };
    case "embedAsCohere":
    case "embedAsOlderCohere":
      return { ...everywhere, texts: Array.from({ length: 10 }, () => words(40_000)) };
    case "embedAsOllama":
      return { ...everywhere, input: Array.from({ length: 10 }, () => words(40_000)) };
    case "embedPromptAsOllama":
      return { ...everywhere, prompt: words(40_000) };
    case "retrieveForDify":
      return { ...everywhere, knowledge_id: ids["vector_store_id"] };
    case "insertVectorStoreEmbeddings": {
      const embedding = Array.from({ length: 256 }, () => 0.0625);
      const one = { content: words(4190), embedding, attributes };
      return { ...everywhere, embeddings: Array.from({ length: 1000 }, () => one) };
    }
    case "insertVectorStoreEmbedding":
      return { ...everywhere, embedding: undefined };
    case "createVectorStoreFileBatch":
      return {
        ...everywhere,
        file_ids: Array.from({ length: MANY_FILES }, (_, i) => `${MANY}${i}`),
        attributes: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key${i}`, "x".repeat(40)])),
      };
    default:
      return everywhere;
  }
}

function without(names: string): Accepted {
  return Object.fromEntries(names.split(" ").map((name) => [name, undefined]));
}

function words(characters: number): string {
  return "word ".repeat(characters / 5);
}

/** What is wrong with what one request cost, or null. */
async function measured(spec: OperationSpec, body: WorstBody, role: keyof typeof keys): Promise<string | null> {
  await settle();
  const path = spec.path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "none");
  resetPeak(server.pid);
  const before = { memory: memoryOf(server.pid).residentBytes, disk: diskBytes(server.dataDir) };
  longestMs = 0;
  const probe = probing();
  const init = { method: spec.method, body: body.text, headers: { "content-type": "application/json" } };
  const answer = await keys[role].fetch(path, init).then(
    async (response) => `${response.status} (${(await response.arrayBuffer()).byteLength} bytes)`,
    (error: unknown) => String(error),
  );
  const waitedMs = await probe.end();
  await settle();
  const { peakBytes } = memoryOf(server.pid);
  mostResident = Math.max(mostResident, peakBytes);
  const memory = peakBytes - before.memory;
  const disk = diskBytes(server.dataDir) - before.disk;
  const mostDisk =
    spec.role === "read" ? MAX_READ_DISK : 2 * body.text.length + MIB + (KEPT_BACK[spec.operationId] ?? 0);
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;
  const what = `${body.name} (${mib(body.text.length)}, ${role}) ${answer}: held ${Math.round(longestMs)} ms, memory +${mib(memory)}, disk +${mib(disk)}, others waited ${Math.round(waitedMs)} ms`;
  if (process.env["LECTERN_SHOW_COSTS"] !== undefined) console.log(`${spec.operationId}: ${what}`);
  return longestMs > MAX_STALL_MS || memory > MAX_MEMORY || disk > mostDisk ? what : null;
}

/** Asks as another tenant until it is told to end: what it waited at most, for a person who reads the figures. */
function probing() {
  const ended = new AbortController();
  let longest = 0;
  const path = `/v1/vector_stores/${ids["otherStore"]}/search`;
  const body = JSON.stringify({ query: "other tenant" });
  const headers = { "content-type": "application/json" };
  const asking = (async () => {
    while (!ended.signal.aborted) {
      const startedAt = performance.now();
      await other.fetch(path, { method: "POST", body, headers }).then((response) => response.arrayBuffer());
      longest = Math.max(longest, performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    async end() {
      ended.abort();
      await asking;
      return longest;
    },
  };
}

/** Milliseconds of the longest piece of work of the serving thread; reading the metrics begins the count anew there. */
let longestMs = 0;

async function metrics(): Promise<string> {
  const text = await (await server.fetch("/metrics")).text();
  const seconds = Number(/^lectern_event_loop_stall_seconds (\S+)$/m.exec(text)?.[1]);
  longestMs = Math.max(longestMs, seconds * 1000);
  return text;
}

/** Until what the last request left to be done in the background is done, or does not get less. */
async function settle(): Promise<void> {
  for (let last = Infinity; ;) {
    const text = await metrics();
    const busy = [...text.matchAll(/^lectern_(?:jobs_running|jobs_waiting|query_log_waiting|lane_busy)\S* (\d+)$/gm)];
    const now = busy.reduce((sum, [, count]) => sum + Number(count), 0);
    if (now === 0 || now === last) return;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Without what the journal of the database takes meanwhile: it is used again. */
function diskBytes(dir: string): number {
  using database = new Database(join(dir, "meta.sqlite"), { readonly: true });
  const pragma = (name: string) => database.query<Record<string, number>, []>(`PRAGMA ${name}`).get()?.[name] ?? 0;
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.reduce(
    (sum, entry) => {
      if (!entry.isFile() || entry.name.startsWith("meta.sqlite")) return sum;
      return sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0);
    },
    pragma("page_count") * pragma("page_size"),
  );
}
