import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { NOTHING_LEFT } from "../../test/helpers/api.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { silentLog } from "../platform/log.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { remainingOf } from "../storage/deletion-check.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { ALL_SEARCHES } from "../storage/query-log.ts";
import type { KeptIdentity } from "../storage/migration-table.ts";
import { deleteFile, deleteStore } from "../storage/removal.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import { createFinishDeletionHandler } from "./finish-deletion.ts";
import { Janitor } from "./janitor.ts";
import { createPurgeFileHandler, createPurgeStoreHandler } from "./purge.ts";
import type { JobHandler } from "./runner.ts";
import { SEARCHED } from "./testing/logged-search.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";

const T = "ten_a";
const IDENTITY: KeptIdentity = {
  model: "m",
  model_revision: "r1",
  dimensions: 2,
  embedding_model: "m",
  embedding_dimensions: null,
  number: 1,
};
let temp: TempDir;
let dir: string;
let db: SqliteDatabase;
let storage: Storage;
const time = { seconds: 1_800_000_000 };
const clock = { nowMs: () => time.seconds * 1000, nowSeconds: () => time.seconds };

beforeEach(() => {
  temp = tempDir();
  dir = temp.path;
  db = openSqlite(join(dir, "meta.sqlite"));
  storage = createStorage(db);
});
afterEach(async () => {
  await db.close();
  temp[Symbol.dispose]();
});

function deps() {
  return {
    storage,
    blobs: createBlobs(dir),
    parsed: createParsedCache(dir),
    clock,
    log: silentLog,
    graceSeconds: () => 3600,
    queryLog: () => ({ days: 1, rows: 1000, bytes: 1e9 }),
    embeddingCacheBytes: () => 0,
    responseDays: () => 30,
    threadDays: () => null as number | null,
    runExpired: () => {},
    detached: () => {},
    wakeJobs: () => {},
    removeIndexFiles: () => Promise.resolve(),
    cancelStore: () => {},
    inMemory: () => false,
    imaged: () => false,
    onDisk: () => false,
    elsewhere: null,
    renewImages: async () => {},
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
      remaining: NOTHING_LEFT,
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

describe("what has a time goes when it has come:", () => {
  async function upload(id: string): Promise<void> {
    const writer = await createBlobs(dir).writer();
    await writer.write(new TextEncoder().encode(id));
    await writer.commit(id);
  }

  const onDisk = () => createBlobs(dir).list().toSorted();

  test("a file leaves every store, with its bytes", async () => {
    await addStore("vs_1");
    const row = { id: "file-old", tenant_id: T, filename: "a.txt", bytes: 5, purpose: "assistants", mime: null };
    await storage.files.insert({ ...row, sha256: "x", created_at: 1, expires_at: time.seconds });
    await storage.files.insert({ ...row, id: "file-new", sha256: "y", created_at: 1, expires_at: time.seconds + 1 });
    for (const id of ["file-old", "file-new"]) await upload(id);
    const { seq } = await attach("vs_1", "file-old");
    const told: unknown[] = [];
    await using janitor = new Janitor({ ...deps(), detached: (files) => told.push(...files) });
    await janitor.tick();
    expect([await storage.files.get(T, "file-old"), await storage.storeFiles.bySeq(T, seq), onDisk()]).toEqual([
      null,
      null,
      ["file-new"],
    ]);
    expect(told).toEqual([{ storeId: "vs_1", storeFile: seq }]);
  });

  test("a file that somebody deletes first is left to them", async () => {
    const row = { id: "file-old", tenant_id: T, filename: "a.txt", bytes: 5, purpose: "assistants", mime: null };
    await storage.files.insert({ ...row, sha256: "x", created_at: 1, expires_at: time.seconds });
    const files = { ...storage.files, expired: () => Promise.resolve([{ tenant_id: T, id: "file-gone" }]) };
    await using janitor = new Janitor({ ...deps(), storage: { ...storage, files } });
    await janitor.tick();
    expect(await storage.files.get(T, "file-old")).not.toBeNull();
  });

  test("an upload that has ended is known for a day after its hour, one that goes on for as long as it does", async () => {
    const open = { tenant_id: T, filename: "a", bytes: 3, purpose: "assistants", mime: "text/plain", created_at: 1 };
    for (const id of ["ended", "pending", "left"])
      await storage.uploads.insert({ ...open, id, expires_at: time.seconds, file_expires_s: null });
    // As a crash leaves it between the end and the removal of the parts.
    await storage.uploads.addPart({ id: "part_left", upload_id: "left", tenant_id: T, bytes: 3, created_at: 1 });
    for (const id of ["ended", "left"]) await storage.uploads.end(T, id, "completed", "file-1");
    db.raw.run("UPDATE upload SET expires_at = 9e9 WHERE id = 'pending'");
    const known = () =>
      db.raw
        .query<{ id: string }, []>("SELECT id FROM upload ORDER BY id")
        .all()
        .map((row) => row.id);
    await using janitor = new Janitor(deps());
    time.seconds += 86_400;
    await janitor.tick();
    expect(known()).toEqual(["ended", "left", "pending"]);
    time.seconds += 1;
    await janitor.tick();
    expect([known(), await storage.uploads.allPartIds()]).toEqual([["pending"], []]);
  });

  test("an upload that was never completed loses its parts", async () => {
    const open = { tenant_id: T, filename: "a", bytes: 3, purpose: "assistants", mime: "text/plain", created_at: 1 };
    await storage.uploads.insert({ ...open, id: "upload_1", expires_at: time.seconds, file_expires_s: null });
    await upload("part_1");
    await storage.uploads.addPart({ id: "part_1", upload_id: "upload_1", tenant_id: T, bytes: 3, created_at: 1 });
    await using janitor = new Janitor(deps());
    await janitor.tick();
    expect([(await storage.uploads.get(T, "upload_1"))?.status, onDisk()]).toEqual(["expired", []]);
  });

  test("an expired store loses its data after the time of grace, and no sooner", async () => {
    await addStore("vs_1");
    await storage.stores.update(T, "vs_1", { expiresAt: time.seconds - 3599 });
    await using janitor = new Janitor(deps());
    await janitor.tick();
    expect(await storage.jobs.depth()).toEqual([]);
    time.seconds += 1;
    await janitor.tick();
    await janitor.tick();
    expect(await storage.jobs.depth()).toEqual([{ kind: "purge_store", waiting: 1, running: 0 }]);
    expect((await storage.stores.get(T, "vs_1"))?.data_removed_at).toBe(time.seconds);
  });

  test("a generation kept for a rollback is retired when the time for one is over", async () => {
    for (const state of ["retained", "live"] as const) {
      const id = `vs_${state}`;
      const from = await addStore(id);
      await storage.generations.setState(T, from, state);
      const asked = { tenantId: T, storeId: id, createdAt: 1, fromGeneration: from, fromIdentity: IDENTITY };
      const plain = { toIdentity: IDENTITY, maxTokens: null, overlapTokens: null, gate: null, dryRun: false };
      await storage.migrations.insert({ ...asked, ...plain, id: `mig_${state}`, retainHours: 1 });
      await storage.migrations.update(T, `mig_${state}`, { status: "completed", rollback_until: time.seconds });
      await using janitor = new Janitor(deps());
      await janitor.tick();
      expect((await storage.migrations.ofJob(T, `mig_${state}`))?.rollback_until).toBeNull();
      expect((await storage.generations.byId(from))?.state).toBe(state === "retained" ? "retired" : "live");
    }
    expect(await storage.jobs.depth()).toEqual([{ kind: "retire", waiting: 1, running: 0 }]);
  });

  test("log entries and cached vectors, beyond what may be kept", async () => {
    await addFile("file-1");
    const entry = { tenantId: T, storeId: "vs_1", query: null, sha256: "x", body: SEARCHED };
    await storage.queryLog.add([
      { ...entry, createdAt: time.seconds - 86_401 },
      { ...entry, createdAt: time.seconds },
    ]);
    const scope = { tenantId: T, fileId: "file-1", revision: "r", dimensions: 2 };
    const vectors = new Float32Array([1, 0]);
    await storage.embeddingCache.add(scope, [{ sha256: new Uint8Array([1]), vectors }]);
    await using janitor = new Janitor(deps());
    await janitor.tick();
    expect((await storage.queryLog.list(T, "vs_1", { limit: 9, order: "asc" }, ALL_SEARCHES)).rows).toHaveLength(1);
    expect(await storage.embeddingCache.size()).toEqual({ entries: 0, bytes: 0 });
    // A size that nothing can lower is not waited for.
    const embeddingCache = { ...storage.embeddingCache, size: () => Promise.resolve({ entries: 1, bytes: 9 }) };
    await using stuck = new Janitor({ ...deps(), storage: { ...storage, embeddingCache } });
    await stuck.tick();
  });

  test("at start, bytes that no row points to and rows that no file owns", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    for (const id of ["file-1", "file-orphan"]) await upload(id);
    const row = await attach("vs_1", "file-1");
    await fill(row, generation);
    await storage.storeFiles.remove(T, row.seq);
    const swept = Promise.withResolvers<void>();
    let wakes = 0;
    await using janitor = new Janitor({
      ...deps(),
      wakeJobs: () => {
        // After the sweep, and after the first round.
        if (++wakes === 2) swept.resolve();
      },
    });
    janitor.start();
    await swept.promise;
    expect(onDisk()).toEqual(["file-1"]);
    expect(await storage.jobs.depth()).toEqual([{ kind: "purge_file", waiting: 1, running: 0 }]);
  });

  test("at start, a deletion that no job looks at gets one", async () => {
    await addFile("file-1");
    await upload("file-1");
    await storage.transaction((tables) => deleteFile(tables, T, "file-1", 5));
    const [lost] = (await storage.deletions.list(T, { limit: 1, order: "asc" })).rows;
    await storage.jobs.drop(T, "finish_deletion", lost?.id ?? "");
    const swept = Promise.withResolvers<void>();
    await using janitor = new Janitor({ ...deps(), wakeJobs: swept.resolve });
    janitor.start();
    await swept.promise;
    expect(await storage.jobs.depth()).toEqual([{ kind: "finish_deletion", waiting: 1, running: 0 }]);
    expect(await storage.deletions.unended(1)).toEqual([]);
  });

  test("a round that fails is said, and does not stop the rest", async () => {
    const said = Promise.withResolvers<unknown>();
    const files = { ...storage.files, exists: () => Promise.reject(new Error("the disk is gone")) };
    await upload("file-orphan");
    await using janitor = new Janitor({
      ...deps(),
      storage: { ...storage, files },
      log: { ...silentLog, error: (message, fields) => said.resolve([message, fields]) },
    });
    janitor.start();
    expect(await said.promise).toEqual(["janitor round failed", { error: "the disk is gone" }]);
  });

  test("nothing any more once it is stopped", async () => {
    await upload("file-orphan");
    const janitor = new Janitor(deps());
    janitor.start();
    await janitor[Symbol.asyncDispose]();
    expect(onDisk()).toEqual(["file-orphan"]);
  });
});
