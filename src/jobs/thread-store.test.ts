/** What a run finds of its thread's store. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createChanges } from "../platform/changes.ts";
import type { RunRow } from "../storage/runs.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";
import { threadStoreOf } from "./thread-store.ts";

const TENANT = "ten_a";
const STORE = "vs_1";
const RUN = { tenant_id: TENANT, thread_id: "thread_1" } as RunRow;
const never = new AbortController().signal;

let db: SqliteDatabase;
let storage: Storage;
const changes = createChanges();
beforeEach(() => {
  db = openSqlite(":memory:");
  storage = createStorage(db);
});
afterEach(() => db.close());

const found = (signal = never, seconds = 100) =>
  threadStoreOf({ storage, changes, clock: { nowMs: () => seconds * 1000, nowSeconds: () => seconds } }, RUN, signal);

async function thread(stores: string[] = [STORE]): Promise<void> {
  await storage.threads.insert({
    id: "thread_1",
    tenant_id: TENANT,
    key_id: "key_1",
    created_at: 1,
    used_at: 1,
    metadata: {},
    tool_resources: stores.length === 0 ? {} : { file_search: { vector_store_ids: stores } },
  });
}

async function store(expiresAt: number | null = null): Promise<void> {
  await insertStore(storage, { tenantId: TENANT, id: STORE, expiresDays: expiresAt === null ? null : 1, expiresAt });
  await insertGeneration(storage, { tenantId: TENANT, storeId: STORE });
}

test("a thread without one, or that is gone, is searched nowhere", async () => {
  expect(await found()).toEqual({ storeId: null, warnings: [] });
  await thread([]);
  expect(await found()).toEqual({ storeId: null, warnings: [] });
});

test("one that is gone or has expired is not searched, which is said", async () => {
  await thread();
  const gone = { storeId: null, warnings: [`The thread's vector store ${STORE} is gone: it was not searched.`] };
  expect(await found()).toEqual(gone);
  await store(99);
  expect(await found()).toEqual({
    storeId: null,
    warnings: [`The thread's vector store ${STORE} has expired: it was not searched.`],
  });
  expect(await found(never, 98)).toEqual({ storeId: STORE, warnings: [] });
  await storage.stores.setLifecycle(TENANT, STORE, "deleting");
  expect(await found()).toEqual(gone);
});

test("files that are being indexed are waited for; those that failed are named", async () => {
  await thread();
  await store();
  const ids = ["file-1", "file-2", "file-3"];
  for (const fileId of ids) await insertStoreFile(storage, { tenantId: TENANT, storeId: STORE, fileId });
  let isOver = false;
  const asked = found().finally(() => (isOver = true));
  // It has looked, and waits.
  changes.notify(STORE);
  await storage.stores.get(TENANT, STORE);
  expect(isOver).toBe(false);
  db.raw.run("UPDATE store_file SET status = 'completed' WHERE file_id = 'file-1'");
  db.raw.run("UPDATE store_file SET status = 'failed', error_message = 'It is damaged.' WHERE file_id = 'file-2'");
  db.raw.run("UPDATE store_file SET status = 'failed' WHERE file_id = 'file-3'");
  changes.notify(STORE);
  expect(await asked).toEqual({
    storeId: STORE,
    warnings: ["a.txt (file-3) was not searched: it failed.", "a.txt (file-2) was not searched: It is damaged."],
  });
});

test("the wait ends with the run", async () => {
  await thread();
  await store();
  await insertStoreFile(storage, { tenantId: TENANT, storeId: STORE, fileId: "file-1" });
  const stop = new AbortController();
  const asked = found(stop.signal).catch((error: unknown) => error);
  stop.abort(new Error("the stop"));
  expect(await asked).toEqual(new Error("the stop"));
});
