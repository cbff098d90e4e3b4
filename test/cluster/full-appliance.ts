/** A data directory in which every table has rows: what may get lost on a way is there to be lost. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { addText, json, newStore, search, settled, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, makeText, migrationEnd, QUESTIONS, SECOND_MODEL } from "../migrate/corpus.ts";

export interface Appliance {
  dataDir: string;
  stores: string[];
  files: string[];
  response: string;
  thread: string;
  deletion: string;
  chunk: string;
  tenantKey: string;
}

const SMALL = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 } };
const FILES = 8;

/** A server makes it, and is stopped. */
export async function fullAppliance(dataDir: string): Promise<Appliance> {
  await addSecondModel(dataDir);
  await using server = await startServer({ dataDir });
  const store = await newStore(server, { name: "Ünïcode \u{1F4DA}", metadata: { of: "the test" } });
  const files: string[] = [];
  for (let i = 0; i < FILES; i++) files.push(await upload(server, `base-${i}.md`, makeText(i, 6)));
  const batch = { file_ids: files, attributes: { n: 1, even: false, name: "zero" }, chunking_strategy: SMALL };
  await json(server, "POST", `/v1/vector_stores/${store}/file_batches`, batch);
  for (const id of files) await settled(server, store, id);
  await searchAll(server, store);
  const notes = await inlineChunks(server);
  // One generation that searches read, one that is kept for a rollback, with vectors of windows that chunks share.
  const migration = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${store}/migrate`, {
    embedding_model: SECOND_MODEL,
  });
  await migrationEnd(server, store, migration.id, (status) => status === "completed" || status === "failed");
  await judge(server, store, files[0] ?? "");
  const response = await answers(server, store);
  const thread = await threads(server, store);
  await pendingUpload(server);
  const gone = await addText(server, store, "gone.md", makeText(99, 4));
  await json(server, "DELETE", `/v1/files/${gone}`);
  const tenantKey = await otherTenant(server);
  const first = async (path: string) => (await json<{ data: { id: string }[] }>(server, "GET", path)).data[0]?.id ?? "";
  const deletion = await first("/v1/admin/deletions");
  const chunk = await first(`/v1/vector_stores/${store}/chunks`);
  await waitFor("the deletion is done", async () => {
    const path = `/v1/admin/deletions/${deletion}`;
    return (await json<{ completed_at: number | null }>(server, "GET", path)).completed_at ?? undefined;
  });
  await server.stop();
  fillTheRest(dataDir);
  return { dataDir, stores: [store, notes], files, response, thread, deletion, chunk, tenantKey };
}

async function searchAll(server: TestServer, store: string): Promise<void> {
  for (const query of QUESTIONS) await search(server, store, { query });
}

async function inlineChunks(server: TestServer): Promise<string> {
  const store = await newStore(server, { name: "notes" });
  const embeddings = Array.from({ length: 20 }, (_, i) => ({
    content: `note ${i} says ${makeText(i, 1)}`,
    embedding: Array.from({ length: 256 }, (_, d) => Math.fround(Math.sin(i * 31 + d) / 16)),
    attributes: { n: i },
  }));
  await json(server, "POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings });
  return store;
}

async function judge(server: TestServer, store: string, file: string): Promise<void> {
  const judgments = QUESTIONS.map((query) => ({ query, relevant: [{ file_id: file }] }));
  await json(server, "POST", `/v1/vector_stores/${store}/judgments`, { judgments });
  const { id } = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${store}/evals`, {});
  await waitFor("the evaluation ends", async () => {
    const { status } = await json<{ status: string }>(server, "GET", `/v1/vector_stores/${store}/evals/${id}`);
    return status === "completed" ? true : undefined;
  });
}

async function answers(server: TestServer, store: string): Promise<string> {
  const conversation = await json<{ id: string }>(server, "POST", "/v1/conversations", {
    items: [{ role: "user", content: "before" }],
  });
  const body = { input: QUESTIONS[0], tools: [{ type: "file_search", vector_store_ids: [store] }] };
  await json(server, "POST", "/v1/responses", { ...body, conversation: conversation.id });
  const { id } = await json<{ id: string }>(server, "POST", "/v1/responses", body);
  return id;
}

async function threads(server: TestServer, store: string): Promise<string> {
  const assistant = await json<{ id: string }>(server, "POST", "/v1/assistants", {
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  const run = await json<{ id: string; thread_id: string }>(server, "POST", "/v1/threads/runs", {
    assistant_id: assistant.id,
    thread: { messages: [{ role: "user", content: QUESTIONS[1] }] },
  });
  await waitFor("the run ends", async () => {
    const path = `/v1/threads/${run.thread_id}/runs/${run.id}`;
    return (await json<{ status: string }>(server, "GET", path)).status === "completed" ? true : undefined;
  });
  return run.thread_id;
}

async function pendingUpload(server: TestServer): Promise<void> {
  const whole = { filename: "x.txt", purpose: "assistants", bytes: 6, mime_type: "text/plain" };
  const { id } = await json<{ id: string }>(server, "POST", "/v1/uploads", whole);
  const form = new FormData();
  form.set("data", new Blob(["abc"]), "part");
  expectOk(await server.fetch(`/v1/uploads/${id}/parts`, { method: "POST", body: form }));
}

function expectOk(response: Response): void {
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
}

async function otherTenant(server: TestServer): Promise<string> {
  const tenant = await newTenant(server, "other");
  const { key } = await newKey(server, { tenant_id: tenant, role: "write", name: "theirs" });
  const other = as(server, key);
  await addText(
    other,
    await newStore(other, { name: "theirs" }),
    "theirs.md",
    "Their own words about \u0141\u00f3d\u017a.",
  );
  return key;
}

/**
 * Rows of tables that a test's server leaves empty, and values that no server of a test makes: work that its process was
 * ended in, a text with U+0000, an empty one, numbers of more than 32 bits, gaps in numbers.
 */
export function fillTheRest(dataDir: string): void {
  using db = new Database(join(dataDir, "meta.sqlite"), { strict: true });
  const tenant = db.query<{ id: string }, []>("SELECT id FROM tenant ORDER BY rowid").get()?.id ?? "";
  const deletion = db.query<{ seq: number }, []>("SELECT seq FROM deletion").get()?.seq ?? 0;
  db.query(
    "INSERT INTO job (tenant_id, kind, subject, due_ms, lease_owner, lease_ms, attempt, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1)",
  ).run(tenant, "purge_file", "4000000000", 5_000_000_000_000, "a process that is gone", 1);
  db.query("INSERT INTO job (tenant_id, kind, subject, due_ms, created_at) VALUES (?1, 'write_image', '1', 1, 1)").run(
    tenant,
  );
  for (const file of ["file-one", "file-two"])
    db.query(
      "INSERT INTO embedding_cache (tenant_id, file_id, revision, dimensions, sha256, vectors) VALUES (?1, ?2, 'r', 2, ?3, ?4)",
    ).run(
      tenant,
      file,
      new Uint8Array(32).fill(file.length + file.charCodeAt(5)),
      Uint8Array.of(1, 2, 3, 0, 255, 254, 9, 8),
    );
  db.query(
    "INSERT OR IGNORE INTO deletion_file (store_file, deletion, tenant_id, store_id) VALUES (5000000000, ?1, ?2, 'vs_x')",
  ).run(deletion, tenant);
  db.query(
    "INSERT OR IGNORE INTO deletion_range (deletion, first_id, last_id, tenant_id) VALUES (?1, 900000, 900001, ?2)",
  ).run(deletion, tenant);
  db.query(
    "INSERT INTO query_log (tenant_id, store_id, created_at, query, query_sha256, body) VALUES (?1, 'vs_x', 1, ?2, '', '{}')",
  ).run(tenant, "a\u0000b");
}
