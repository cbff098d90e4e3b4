/** What the database tells of changes that searches see, on real PostgreSQL; SQLite tells nothing. */
import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { cutOver, retireGeneration } from "./cutover.ts";
import type { GenerationRow } from "./generations.ts";
import type { Storage } from "./storage.ts";
import type { StoreFileRow } from "./store-files.ts";
import {
  type DatabaseKind,
  POSTGRES,
  readyPostgres,
  SERVER_STARTS_MS,
  SQLITE,
  type TestStorage,
} from "./testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "./testing/rows.ts";

// A thousand rows are written one by one, and a busy machine takes its time.
setDefaultTimeout(60_000);

const T = "ten_a";
const S = "vs_1";
const TOTALS = { usageBytes: 1, chunks: 1, vectors: 1 };
const IDENTITY = {
  model: "m",
  model_revision: "r",
  dimensions: 2,
  embedding_model: "m",
  embedding_dimensions: null,
  number: null,
};
const STRATEGY = { maxTokens: 800, overlapTokens: 400 };

let open: TestStorage;
let storage: Storage;
let generation: GenerationRow;
let seen: number;

async function begin(kind: DatabaseKind): Promise<void> {
  open = await kind.open();
  ({ storage } = open);
  await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
  await insertStore(storage, { id: S, tenantId: T });
  generation = await insertGeneration(storage, { tenantId: T, storeId: S });
  await storage.stores.setLiveGeneration(T, S, generation.id);
  seen = await versionNow();
}

async function versionNow(): Promise<number> {
  return (await storage.stores.get(T, S))?.version ?? -1;
}

/** What was told since this was asked last: each change one version. */
async function told(of = generation): Promise<(string | number | null)[][]> {
  const to = await versionNow();
  const changes = await storage.storeChanges.since(of, { from: seen, to, limit: 10_000 });
  expect(changes.reduce((sum, { n }) => sum + n, 0)).toBe(to - seen);
  seen = to;
  return changes.map(({ kind, store_file: seq, generation: id }) => [kind, seq ?? id]);
}

async function completed(fileId: string): Promise<StoreFileRow> {
  const file = await insertStoreFile(storage, { tenantId: T, storeId: S, fileId });
  expect(await storage.storeFiles.complete(T, file.seq, 1, TOTALS)).toBe(true);
  return file;
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("changes that searches see", () => {
  beforeAll(readyPostgres, SERVER_STARTS_MS);
  beforeEach(() => begin(POSTGRES));
  afterEach(() => open[Symbol.asyncDispose]());

  test("of a file: when it is found, grows, is described anew, and goes; nothing before and nothing after", async () => {
    const { storeFiles } = storage;
    const { seq } = await insertStoreFile(storage, { tenantId: T, storeId: S, fileId: "file-1" });
    await storeFiles.setAttributes(T, seq, { early: true });
    await storeFiles.setChunked(T, seq, 1, []);
    expect(await told()).toEqual([]);
    await storeFiles.complete(T, seq, 1, TOTALS);
    expect(await told()).toEqual([["completed", seq]]);
    await storeFiles.setAttributes(T, seq, { n: 1 });
    await storeFiles.setAttributesOfAll(T, [seq], { n: 1 });
    expect(await told()).toEqual([["attributes", seq]]);
    await storage.transaction(async (tables) => {
      await tables.storeFiles.addContent(T, seq, 10);
      await tables.storeFiles.addTotals(T, seq, TOTALS);
    });
    expect(await told()).toEqual([["grown", seq]]);
    await storeFiles.reindex(T, seq, STRATEGY);
    expect(await told()).toEqual([["removed", seq]]);
    await storeFiles.fail(T, seq, 2, "server_error", "no");
    await storeFiles.remove(T, seq);
    const other = await completed("file-2");
    await storeFiles.remove(T, other.seq);
    expect(await told()).toEqual([
      ["completed", other.seq],
      ["removed", other.seq],
    ]);
  });

  test("of many files at once each is named, and more than a thousand are not", async () => {
    const many = async (count: number, prefix: string) => {
      const owned = { tenantId: T, createdAt: 1 };
      await storage.transaction(async ({ files }) => {
        for (let i = 0; i < count; i++) {
          const plain = { filename: "a.txt", bytes: 1, purpose: "assistants", mime: null, sha256: "" };
          await files.insert({ ...plain, tenant_id: T, id: `${prefix}${i}`, created_at: 1, expires_at: null });
        }
      });
      const fileIds = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
      const rows = await storage.storeFiles.insertAll({ ...owned, storeId: S, attributes: null, ...STRATEGY, fileIds });
      await open.db.run(`UPDATE store_file SET status = 'completed' WHERE status = 'in_progress'`);
      return rows.map(({ seq }) => seq);
    };
    const few = await many(3, "file-a");
    expect(await told()).toEqual(few.map((seq) => ["completed", seq]));
    await storage.storeFiles.setAttributesOfAll(T, few, { n: 1 });
    expect(await told()).toEqual(few.map((seq) => ["attributes", seq]));
    await many(1001, "file-b");
    expect(await told()).toEqual([["everything", null]]);
  });

  test("of a generation: what enters it while it is not live, when it may soon be live, is, and is retired", async () => {
    const { seq } = await completed("file-1");
    await storage.generationFiles.setDone(generation, { seq, revision: 1 }, STRATEGY, TOTALS);
    await told();
    const next = await insertGeneration(storage, { tenantId: T, storeId: S, state: "building" });
    const migration = await storage.migrations.insert({
      tenantId: T,
      id: "mig_1",
      storeId: S,
      createdAt: 1,
      fromGeneration: generation.id,
      fromIdentity: IDENTITY,
      toIdentity: IDENTITY,
      maxTokens: null,
      overlapTokens: null,
      gate: null,
      dryRun: false,
      retainHours: 1,
    });
    await storage.migrations.update(T, migration.id, { status: "building", to_generation: next.id });
    await storage.generationFiles.setChunked(next, { seq, revision: 1 }, STRATEGY);
    expect(await told()).toEqual([]);
    await storage.generationFiles.setDone(next, { seq, revision: 1 }, STRATEGY, TOTALS);
    // Of the others it is told that something entered one, and not what.
    expect(await told()).toEqual([["entered", next.id]]);
    seen--;
    expect(await told(next)).toEqual([["entered", seq]]);
    await storage.migrations.update(T, migration.id, { status: "verifying" });
    await storage.migrations.update(T, migration.id, { status: "verifying" });
    expect(await told()).toEqual([["next", next.id]]);
    const identity = { embeddingModel: "m", embeddingDimensions: null };
    expect(await storage.transaction((tables) => cutOver(tables, generation, next, identity))).toBe(true);
    expect(await told()).toEqual([["live", next.id]]);
    await storage.transaction((tables) => retireGeneration(tables, generation));
    expect(await told()).toEqual([["retired", generation.id]]);
    expect(await storage.storeChanges.retiredFor(T, generation.id)).toBeWithin(0, 100);
    expect(await storage.storeChanges.retiredFor(T, next.id)).toBeNull();
  });

  test("of the kind of the index, and of terms that are made anew", async () => {
    await storage.stores.update(T, S, { indexMode: "auto", name: "x" });
    await storage.stores.update(T, S, { indexMode: "exact" });
    expect(await told()).toEqual([["mode", null]]);
    const { seq } = await completed("file-1");
    await told();
    await storage.chunkTerms.replace([], null);
    expect(await told()).toEqual([]);
    await storage.chunkTerms.replace([], { tenantId: T, seq });
    expect(await told()).toEqual([["terms", seq]]);
  });

  test("is in the transaction that changes it, and versions have no gaps", async () => {
    const failed = storage.transaction(async (tables) => {
      const { seq } = await insertStoreFile(tables, { tenantId: T, storeId: S, fileId: "file-1" });
      await tables.storeFiles.complete(T, seq, 1, TOTALS);
      expect((await tables.stores.get(T, S))?.version).toBe(seen + 1);
      throw new Error("no");
    });
    expect(await failed.catch(String)).toBe("Error: no");
    expect(await versionNow()).toBe(seen);
    const files = await Promise.all(["file-2", "file-3", "file-4"].map((id) => completed(id)));
    expect((await told()).map(([kind]) => kind)).toEqual(files.map(() => "completed"));
  });

  test("is not told of a store that is being deleted, and goes with it", async () => {
    const { seq } = await completed("file-1");
    await storage.stores.setLifecycle(T, S, "deleting");
    const before = await versionNow();
    await storage.storeFiles.remove(T, seq);
    expect(await versionNow()).toBe(before);
    expect(await storage.stores.remove(T, S)).toBe(true);
    expect(await open.db.all("SELECT version FROM store_change")).toEqual([]);
    expect(await storage.storeChanges.versions([S])).toEqual([]);
  });

  test("is kept for a time, and missed where it is not any more", async () => {
    await completed("file-1");
    await completed("file-2");
    await open.db.run("UPDATE store_change SET at = at - 4000 WHERE version = (SELECT min(version) FROM store_change)");
    expect(await storage.storeChanges.trim(3600, 100)).toBe(1);
    expect(await storage.storeChanges.trim(3600, 100)).toBe(0);
    const to = await versionNow();
    expect(await storage.storeChanges.since(generation, { from: seen, to, limit: 100 })).toHaveLength(to - seen - 1);
  });
});

test("a database that one server has for itself tells nothing", async () => {
  await begin(SQLITE);
  const { seq } = await completed("file-1");
  await storage.storeFiles.setAttributes(T, seq, { n: 1 });
  await storage.transaction((tables) => retireGeneration(tables, generation));
  expect(await told()).toEqual([]);
  expect(await versionNow()).toBe(0);
  expect(await storage.storeChanges.retiredFor(T, generation.id)).toBeNull();
  expect(await storage.storeChanges.trim(0, 10)).toBe(0);
  await open[Symbol.asyncDispose]();
});
