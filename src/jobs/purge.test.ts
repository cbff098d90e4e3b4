import { SEARCHED } from "./testing/logged-search.ts";
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { newId } from "../platform/ids.ts";
import { deleteFile, deleteStore } from "../storage/removal.ts";
import { createFinishDeletionHandler, type FinishDeletionDeps } from "./finish-deletion.ts";
import { createPurgeStoreHandler } from "./purge.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";

const TEXT = Array.from({ length: 6000 }, (_, i) => `word${i}`).join(" ");

async function setUp() {
  const shop = new Workshop();
  const generation = await shop.store();
  const file = await shop.ingested("file-1", TEXT);
  return { shop, generation, file };
}

const rowsOf = (shop: Workshop) => ["chunk", "chunk_terms", "vector"].map((table) => shop.count(table));

const CLEAN = {
  inMemory: () => false,
  imaged: () => false,
  onDisk: () => false,
  elsewhere: null,
  renewImages: async () => {},
};

function finish(shop: Workshop, more: Partial<FinishDeletionDeps> = {}) {
  const { storage, blobs, parsed, clock } = shop;
  return createFinishDeletionHandler({ storage, blobs, parsed, clock, ...CLEAN, ...more });
}

const deletionOf = async ({ storage }: Workshop) =>
  (await storage.deletions.list(TENANT, { limit: 1, order: "asc" })).rows[0]!;

describe("the purge of a file", () => {
  test("removes older revisions of one that is attached anew, and keeps the new one", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    await shop.storage.storeFiles.reindex(TENANT, file.seq, { maxTokens: 1000, overlapTokens: 0 });
    expect(await shop.run(shop.handler("purge_file"), String(file.seq))).toEqual({ type: "done" });
    expect(rowsOf(shop)).toEqual([0, 0, 0]);
    await shop.run(shop.ingest(), String(file.seq));
    expect(await shop.run(shop.handler("purge_file"), String(file.seq))).toEqual({ type: "done" });
    expect(rowsOf(shop)).toEqual([6, 6, 6]);
  });

  test("removes everything of one that failed, was cancelled or is gone", async () => {
    for (const end of ["failed", "gone"] as const) {
      const { shop, file } = await setUp();
      await using _shop = shop;
      if (end === "gone") await shop.storage.storeFiles.remove(TENANT, file.seq);
      else shop.db.raw.run("UPDATE store_file SET status = 'failed'");
      await shop.run(shop.handler("purge_file"), String(file.seq));
      expect(rowsOf(shop)).toEqual([0, 0, 0]);
    }
  });

  test("goes on after a stop where it was", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    await shop.storage.storeFiles.remove(TENANT, file.seq);
    const run = (signal?: AbortSignal) =>
      shop.run(shop.handler("purge_file"), String(file.seq), signal === undefined ? {} : { signal });
    expect(await run(AbortSignal.abort())).toEqual({ type: "interrupted" });
    expect(shop.count("chunk")).toBe(600);
    expect(await run()).toEqual({ type: "done" });
    expect(rowsOf(shop)).toEqual([0, 0, 0]);
  });
});

describe("the deletion of a file", () => {
  async function remove(shop: Workshop) {
    const gone = await shop.storage.transaction((tables) => deleteFile(tables, TENANT, "file-1", 5));
    expect(gone?.detached).toHaveLength(1);
  }

  test("is recorded when nothing is left: rows, bytes, the parsed form and kept vectors", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    shop.isCached = true;
    await shop.ingested("file-2", "another text");
    await shop.storage.storeFiles.reindex(TENANT, file.seq, { maxTokens: 10, overlapTokens: 0 });
    await shop.run(shop.ingest(), String(file.seq));
    const upload = await shop.storage.files.get(TENANT, "file-1");
    const subject = { tenantId: TENANT, sha256: upload?.sha256 ?? "", filename: "file-1.txt" };
    await Bun.write(shop.parsed.path(subject), "parsed");
    // As a parse leaves it that was killed while it wrote.
    await Bun.write(`${shop.parsed.path(subject)}.1.tmp`, "pars");
    await remove(shop);
    const { id } = await deletionOf(shop);
    expect(await shop.run(finish(shop), id)).toEqual({ type: "retry", inMs: 100 });
    await shop.drain(["purge_file"]);
    expect(await shop.run(finish(shop), id)).toEqual({ type: "done" });
    const row = await deletionOf(shop);
    expect(row).toMatchObject({
      completed_at: 1_800_000_000,
      verified_at: 1_800_000_000,
      files: 1,
      cache_entries: 601,
    });
    expect([row.chunks, existsSync(shop.blobs.path("file-1"))]).toEqual([600, false]);
    expect(readdirSync(dirname(shop.parsed.path(subject)))).toEqual([]);
    expect(shop.count("embedding_cache")).toBe(1);
    expect([await shop.run(finish(shop), id), await shop.run(finish(shop), "del_unknown")]).toEqual([
      { type: "done" },
      { type: "done" },
    ]);
  });

  test("is looked at again, more and more seldom, while something is left", async () => {
    const { shop } = await setUp();
    await using _shop = shop;
    await remove(shop);
    await shop.drain(["purge_file"]);
    const { id } = await deletionOf(shop);
    const handler = finish(shop, { inMemory: () => true });
    expect(await shop.run(handler, id)).toEqual({ type: "retry", inMs: 2_000 });
    expect(await shop.run(handler, id, { attempt: 99 })).toEqual({ type: "retry", inMs: 60_000 });
    const row = await deletionOf(shop);
    expect([row.completed_at, row.remaining]).toMatchObject([null, { cache_entries: 1 }]);
    expect(await shop.run(finish(shop), id, { attempt: 3 })).toEqual({ type: "done" });
  });

  test("forgets no more after a stop, and is not complete then", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    shop.isCached = true;
    await shop.storage.storeFiles.reindex(TENANT, file.seq, { maxTokens: 10, overlapTokens: 0 });
    await shop.run(shop.ingest(), String(file.seq));
    await remove(shop);
    await shop.drain(["purge_file"]);
    const { id } = await deletionOf(shop);
    expect(await shop.run(finish(shop), id, { signal: AbortSignal.abort() })).toEqual({ type: "retry", inMs: 2_000 });
    expect(await shop.run(finish(shop), id)).toEqual({ type: "done" });
  });
});

describe("the purge of a store", () => {
  function purge(shop: Workshop, cancelled: string[] = [], removed: string[] = []) {
    return createPurgeStoreHandler({
      storage: shop.storage,
      removeIndexFiles: async (storeId) => void removed.push(storeId),
      cancelStore: (storeId) => void cancelled.push(storeId),
    });
  }

  test("removes a deleted one with everything that was in it, and says so", async () => {
    const { shop } = await setUp();
    await using _shop = shop;
    const { storage } = shop;
    await storage.queryLog.add([
      { tenantId: TENANT, storeId: STORE, createdAt: 1, query: null, sha256: "x", body: SEARCHED },
    ]);
    const owner = { tenantId: TENANT, storeId: STORE, evaluation: 0 };
    await storage.judgments.put(owner, { id: newId("q_"), query: "q", relevant: [] }, 1);
    await storage.transaction((tables) => deleteStore(tables, TENANT, STORE, 5_000));
    const removed: string[] = [];
    expect(await shop.run(purge(shop, [], removed), STORE)).toEqual({ type: "done" });
    expect([await storage.stores.get(TENANT, STORE), ...rowsOf(shop), shop.count("query_log")]).toEqual([
      null,
      0,
      0,
      0,
      0,
    ]);
    expect([shop.count("judgment"), shop.count("ingest_hour"), removed]).toEqual([0, 0, [STORE]]);
    expect(await deletionOf(shop)).toMatchObject({ files: 1, chunks: 600, subject_type: "vector_store" });
    expect(await shop.run(purge(shop), STORE)).toEqual({ type: "done" });
    await storage.jobs.drop(TENANT, "purge_store", STORE);
    expect(await shop.run(finish(shop), (await deletionOf(shop)).id)).toEqual({ type: "done" });
  });

  test("leaves to the deletion of a file what that began while the store was being purged", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    const { storage } = shop;
    await storage.transaction((tables) => deleteStore(tables, TENANT, STORE, 5_000));
    // Deleted after the purge has taken it up, and before its row goes.
    const removeSome: typeof storage.chunks.removeSome = async (...args) => {
      const removed = await storage.chunks.removeSome(...args);
      if ((await storage.files.get(TENANT, "file-1")) !== null)
        await storage.transaction((tables) => deleteFile(tables, TENANT, "file-1", 6));
      return removed;
    };
    const between = { ...storage, chunks: { ...storage.chunks, removeSome } };
    const handler = createPurgeStoreHandler({
      storage: between,
      removeIndexFiles: async () => {},
      cancelStore: () => {},
    });
    expect(await shop.run(handler, STORE)).toEqual({ type: "done" });
    await storage.jobs.drop(TENANT, "purge_store", STORE);
    await shop.drain(["purge_file"]);
    const { rows } = await storage.deletions.list(TENANT, { limit: 9, order: "asc" });
    expect(rows.map((row) => row.subject_type)).toEqual(["vector_store", "file"]);
    const due = (await storage.deletions.unended(9)).map(({ id }) => id);
    expect([due, await storage.deletions.storeFiles(rows[1]?.seq ?? 0)]).toEqual([
      [],
      [{ store_file: file.seq, store_id: STORE }],
    ]);
    for (const { id } of rows) expect(await shop.run(finish(shop), id)).toEqual({ type: "done" });
  });

  test("leaves an expired one its row", async () => {
    const { shop } = await setUp();
    await using _shop = shop;
    expect(await shop.run(purge(shop), STORE)).toEqual({ type: "done" });
    expect(await shop.storage.stores.get(TENANT, STORE)).toMatchObject({ lifecycle: "active", n_completed: 0 });
    expect(rowsOf(shop)).toEqual([0, 0, 0]);
  });

  test("waits until who writes to it has ended, and drops what has not begun", async () => {
    const { shop, file } = await setUp();
    await using _shop = shop;
    const { jobs } = shop.storage;
    for (const subject of [String(file.seq), "77"])
      await jobs.insert({ tenantId: TENANT, kind: "ingest", storeId: STORE, subject, priority: 1, dueMs: 0 });
    const running = await jobs.claim("ingest", TENANT, 1, "this run", 2);
    const cancelled: string[] = [];
    expect(await shop.run(purge(shop, cancelled), STORE)).toEqual({ type: "retry", inMs: 50 });
    expect([cancelled, await jobs.depth()]).toEqual([[STORE], [{ kind: "ingest", waiting: 0, running: 1 }]]);
    await jobs.finish(running?.id ?? 0, "this run");
    expect(await shop.run(purge(shop), STORE)).toEqual({ type: "done" });
  });

  test("is interrupted and goes on", async () => {
    const { shop } = await setUp();
    await using _shop = shop;
    expect(await shop.run(purge(shop), STORE, { signal: AbortSignal.abort() })).toEqual({ type: "interrupted" });
    expect(await shop.run(purge(shop), STORE)).toEqual({ type: "done" });
  });
});
