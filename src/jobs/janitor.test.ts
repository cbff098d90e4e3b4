import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../platform/log.ts";
import { createBlobs } from "../storage/blobs.ts";
import { remainingOf } from "../storage/deletion-check.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import { createParsedCache } from "../storage/parsed.ts";
import type { LoggedSearch } from "../storage/query-log.ts";
import { deleteFile, deleteStore } from "../storage/removal.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import { createFinishDeletionHandler } from "./finish-deletion.ts";
import { Janitor } from "./janitor.ts";
import { createPurgeFileHandler, createPurgeStoreHandler } from "./purge.ts";
import type { JobHandler } from "./runner.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";

const T = "ten_a";
const SEARCHED: LoggedSearch = {
  search_mode: "hybrid",
  filters: null,
  max_num_results: 10,
  results: [],
  latency_ms: { total: 1, embed: 0, vector: 1, keyword: 0, fetch: 0 },
  key_id: "key_a",
  model: "m",
  generation: 1,
};
let dir: string;
let db: SqliteDatabase;
let storage: Storage;
const time = { seconds: 1_800_000_000 };
const clock = { nowMs: () => time.seconds * 1000, nowSeconds: () => time.seconds };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lectern-janitor-"));
  db = openSqlite(join(dir, "meta.sqlite"));
  storage = createStorage(db);
});
afterEach(async () => {
  await db.close();
  rmSync(dir, { recursive: true, force: true });
});

function deps() {
  return {
    storage,
    blobs: createBlobs(dir),
    parsed: createParsedCache(dir),
    clock,
    log: silentLog,
    graceSeconds: () => 3600,
    queryLog: () => ({ days: 1, rows: 1000 }),
    embeddingCacheBytes: () => 0,
    detached: () => {},
    wakeJobs: () => {},
    removeIndexFiles: () => Promise.resolve(),
    cancelStore: () => {},
    inMemory: () => false,
  };
}

async function addStore(id: string): Promise<number> {
  await insertStore(storage, { id, tenantId: T, createdAt: time.seconds });
  const generation = await insertGeneration(storage, { tenantId: T, storeId: id });
  await storage.stores.setLiveGeneration(T, id, generation.id);
  return generation.id;
}

async function addFile(id: string): Promise<void> {
  const row = { id, tenant_id: T, filename: "a.txt", bytes: 5, purpose: "assistants", mime: null, sha256: id };
  await storage.files.insert({ ...row, created_at: time.seconds, expires_at: null });
}

async function attach(storeId: string, fileId: string): Promise<StoreFileRow> {
  const file = { tenantId: T, storeId, fileId, filename: "a.txt", fileBytes: 5, createdAt: 1, attributes: null };
  return await storage.storeFiles.insert({ ...file, maxTokens: 800, overlapTokens: 400 });
}

/** Three chunks with vectors. */
async function fill(row: StoreFileRow, generation: number): Promise<void> {
  const owner = { storeFile: row.seq, chunkSet: generation, revision: row.revision };
  const chunk = {
    tokens: 1,
    start: 0,
    end: 1,
    page: null,
    pageEnd: null,
    line: null,
    lineEnd: null,
    heading: [],
    terms: new Uint8Array([1]),
  };
  const texts = ["one", "two", "three"];
  await storage.chunks.add(
    { tenantId: T, storeId: row.store_id, ...owner },
    texts.map((text, idx) => ({ ...chunk, idx, text })),
  );
  const rows = await storage.chunks.withoutVector(T, owner, generation, 10);
  await storage.chunks.addVectors(
    T,
    generation,
    rows.map(({ id }) => ({ chunkId: id, data: new Float32Array([1, 0]) })),
  );
  await storage.storeFiles.complete(T, row.seq, row.revision, { usageBytes: 9, chunks: 3, vectors: 3 });
}

/** Runs every due job until none is left, as the runner would. */
async function work(): Promise<void> {
  const handlers: JobHandler[] = [
    createPurgeFileHandler(deps()),
    createPurgeStoreHandler(deps()),
    createFinishDeletionHandler(deps()),
  ];
  const never = new AbortController().signal;
  for (let busy = true; busy;) {
    busy = false;
    for (const handler of handlers) {
      const job = await storage.jobs.claim(handler.kind, T, Number.MAX_SAFE_INTEGER, "me", 1e15);
      if (job === null) continue;
      busy = true;
      const outcome = await handler.run(job, never);
      if (outcome.type === "done") await storage.jobs.finish(job.id, "me");
      else await storage.jobs.retry(job.id, "me", 0);
    }
  }
}

describe("the watchdog", () => {
  test("puts a file in progress that nothing works on back to work, and no other", async () => {
    await addStore("vs_1");
    for (const id of ["file-1", "file-2", "file-3"]) await addFile(id);
    const [lost, queued, done] = [
      await attach("vs_1", "file-1"),
      await attach("vs_1", "file-2"),
      await attach("vs_1", "file-3"),
    ];
    await storage.jobs.insert({
      tenantId: T,
      kind: "ingest",
      storeId: "vs_1",
      subject: String(queued.seq),
      priority: 0,
      dueMs: 5,
    });
    await storage.storeFiles.complete(T, done.seq, 1, { usageBytes: 0, chunks: 0, vectors: 0 });
    await new Janitor(deps()).tick();
    const subjects = [];
    for (;;) {
      const job = await storage.jobs.claim("ingest", T, clock.nowMs(), "me", 1e15);
      if (job === null) break;
      subjects.push(job.subject);
    }
    expect(subjects.toSorted()).toEqual([String(lost.seq), String(queued.seq)].toSorted());
  });
});

describe("deletions", () => {
  test("are recorded with what went and what is left", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    await fill(await attach("vs_1", "file-1"), generation);
    await deleteFile(storage, T, "file-1", time.seconds);
    const [open] = (await storage.deletions.list(T, { limit: 1, order: "desc" })).rows;
    expect(open).toMatchObject({ subject_type: "file", subject_id: "file-1", completed_at: null, files: 1, bytes: 5 });
    if (open === undefined) throw new Error("no deletion");
    expect(await remainingOf(deps(), open)).toMatchObject({ chunks: 3 });
    await work();
    const closed = await storage.deletions.get(open.id);
    expect(closed).toMatchObject({
      completed_at: time.seconds,
      chunks: 3,
      vectors: 3,
      keyword_postings: 3,
      remaining: { files: 0, chunks: 0, vectors: 0, keyword_postings: 0, cache_entries: 0, bytes: 0 },
    });
  });

  test("find vectors that were left behind", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    await fill(await attach("vs_1", "file-1"), generation);
    await deleteFile(storage, T, "file-1", time.seconds);
    await work();
    const [row] = (await storage.deletions.list(T, { limit: 1, order: "desc" })).rows;
    if (row === undefined) throw new Error("no deletion");
    // As a bug would: past every check that keeps it from happening.
    db.raw.run("INSERT INTO vector (tenant_id, generation, chunk_id, data) VALUES (?, ?, 2, x'00')", [T, generation]);
    expect(await remainingOf(deps(), row)).toMatchObject({ chunks: 0, vectors: 1 });
  });

  test("of a store take its files, its log and its statistics; the row is the last to go", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    await fill(await attach("vs_1", "file-1"), generation);
    const entry = { tenantId: T, storeId: "vs_1", createdAt: 1, query: ["q"], sha256: "0" };
    await storage.queryLog.add([{ ...entry, body: SEARCHED }]);
    await storage.statistics.addIngest({
      tenantId: T,
      storeId: "vs_1",
      at: 1,
      status: "completed",
      bytes: 1,
      chunks: 1,
    });
    await deleteStore(storage, T, "vs_1", clock.nowMs());
    await work();
    expect(await storage.stores.get(T, "vs_1")).toBeNull();
    for (const table of [
      "chunk",
      "chunk_terms",
      "vector",
      "store_file",
      "query_log",
      "ingest_hour",
      "job",
      "job_count",
    ])
      expect([table, db.raw.query(`SELECT count(*) AS n FROM ${table}`).get()]).toEqual([table, { n: 0 }]);
    expect((await storage.deletions.list(T, { limit: 1, order: "desc" })).rows[0]).toMatchObject({
      subject_id: "vs_1",
      files: 1,
      chunks: 3,
      completed_at: time.seconds,
    });
  });

  test("wait for an ingest that still writes to the store", async () => {
    await addStore("vs_1");
    await addFile("file-1");
    const row = await attach("vs_1", "file-1");
    const subject = String(row.seq);
    await storage.jobs.insert({ tenantId: T, kind: "ingest", storeId: "vs_1", subject, priority: 0, dueMs: 0 });
    const running = await storage.jobs.claim("ingest", T, 1, "me", 1e15);
    await deleteStore(storage, T, "vs_1", 0);
    const cancelled: string[] = [];
    const purge = createPurgeStoreHandler({ ...deps(), cancelStore: (storeId) => cancelled.push(storeId) });
    const job = await storage.jobs.claim("purge_store", T, 1, "me", 1e15);
    if (job === null || running === null) throw new Error("no job");
    const never = new AbortController().signal;
    expect(await purge.run(job, never)).toMatchObject({ type: "retry" });
    expect(cancelled).toEqual(["vs_1"]);
    await storage.jobs.finish(running.id, "me");
    expect(await purge.run(job, never)).toEqual({ type: "done" });
  });
});

describe("what comes too late for a file that is gone", () => {
  test("leaves neither chunks nor vectors", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    const row = await attach("vs_1", "file-1");
    await fill(row, generation);
    const ids = await storage.chunks.sampleIds(T, "vs_1", generation, 10);
    await deleteFile(storage, T, "file-1", 1);
    await storage.chunks.removeSome(row.seq, 99, 100);
    const chunk = {
      idx: 0,
      text: "late",
      tokens: 1,
      start: 0,
      end: 4,
      page: null,
      pageEnd: null,
      line: null,
      lineEnd: null,
      heading: [],
    };
    const owner = { tenantId: T, storeId: "vs_1", chunkSet: generation, storeFile: row.seq, revision: 1 };
    await storage.chunks.add(owner, [{ ...chunk, terms: new Uint8Array([1]) }]);
    await storage.chunks.addVectors(
      T,
      generation,
      ids.map((chunkId) => ({ chunkId, data: new Float32Array([1, 0]) })),
    );
    for (const table of ["chunk", "chunk_terms", "vector"])
      expect([table, db.raw.query(`SELECT count(*) AS n FROM ${table}`).get()]).toEqual([table, { n: 0 }]);
  });
});
