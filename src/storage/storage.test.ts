import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { createDiskTrust } from "../platform/disk-trust.ts";
import { createBlobs } from "./blob-directory.ts";
import { NewerSchemaError } from "./migrations/newer-schema.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import { createStorage, type Storage } from "./storage.ts";
import { deleteFile } from "./removal.ts";
import { insertGeneration, insertStore, insertStoreFile } from "./testing/rows.ts";
import { ALL_STORES } from "./stores.ts";

const T = "ten_a";
let storage: Storage;

async function addStore(id: string, tenantId = T) {
  await insertStore(storage, { id, tenantId, name: id });
  const generation = await insertGeneration(storage, { tenantId, storeId: id });
  await storage.stores.setLiveGeneration(tenantId, id, generation.id);
  return generation;
}

async function addFile(id: string, tenantId = T) {
  return await storage.files.insert({
    id,
    tenant_id: tenantId,
    filename: id,
    bytes: 10,
    purpose: "assistants",
    mime: null,
    sha256: "00",
    created_at: 1,
    expires_at: null,
  });
}

async function attach(storeId: string, fileId: string, tenantId = T) {
  return await insertStoreFile(storage, { tenantId, storeId, fileId, filename: fileId, fileBytes: 10 });
}

const chunk = (idx: number, text = `text ${idx}`) => ({
  idx,
  text,
  tokens: 2,
  start: 0,
  end: text.length,
  page: null,
  pageEnd: null,
  line: null,
  lineEnd: null,
  heading: [],
  terms: new Uint8Array([idx]),
});

onEachDatabase((kind) => {
  let open: TestStorage;

  beforeEach(async () => {
    open = await kind.open();
    ({ storage } = open);
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
  });
  afterEach(() => open[Symbol.asyncDispose]());

  describe("lists", () => {
    test("pages forwards and backwards meet every row once, also while rows come and go", async () => {
      for (let i = 0; i < 25; i++) await addFile(`file-${i}`);
      const seen: string[] = [];
      let after: number | undefined;
      for (;;) {
        const page = await storage.files.list(T, { limit: 4, order: "desc", after });
        seen.push(...page.rows.map((row) => row.id));
        await addFile(`file-new-${seen.length}`);
        if (seen.length === 8) await storage.files.remove(T, "file-20");
        if (!page.hasMore) break;
        after = page.rows.at(-1)?.seq;
      }
      expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `file-${24 - i}`));
    });

    test("`before` gives the rows nearest to the cursor in list order", async () => {
      for (let i = 0; i < 6; i++) await addFile(`file-${i}`);
      const cursor = (await storage.files.get(T, "file-1"))?.seq;
      const page = await storage.files.list(T, { limit: 2, order: "desc", before: cursor });
      expect({ ids: page.rows.map((row) => row.id), more: page.hasMore }).toEqual({
        ids: ["file-3", "file-2"],
        more: true,
      });
    });

    test("another tenant's rows are never in them", async () => {
      await storage.tenants.insert({ id: "ten_b", name: "b", createdAt: 1 });
      await addFile("file-b", "ten_b");
      await addStore("vs_b", "ten_b");
      expect(await storage.files.get(T, "file-b")).toBeNull();
      expect((await storage.files.list(T, { limit: 10, order: "asc" })).rows).toEqual([]);
      expect(await storage.stores.get(T, "vs_b")).toBeNull();
      expect((await storage.stores.list(T, { limit: 10, order: "asc" }, ALL_STORES)).rows).toEqual([]);
    });
  });

  describe("files in stores", () => {
    test("the store's counts follow every change of its files", async () => {
      await addStore("vs_1");
      await addFile("file-1");
      await addFile("file-2");
      const [one, two] = [await attach("vs_1", "file-1"), await attach("vs_1", "file-2")];
      const counts = async () => {
        const row = await storage.stores.get(T, "vs_1");
        return [row?.n_in_progress, row?.n_completed, row?.n_failed, row?.n_cancelled, row?.usage_bytes, row?.n_chunks];
      };
      expect(await counts()).toEqual([2, 0, 0, 0, 0, 0]);
      await storage.storeFiles.complete(T, one.seq, 1, { usageBytes: 70, chunks: 3, vectors: 3 });
      await storage.storeFiles.fail(T, two.seq, 1, "invalid_file", "no");
      expect(await counts()).toEqual([0, 1, 1, 0, 70, 3]);
      await storage.storeFiles.reindex(T, one.seq, { maxTokens: 100, overlapTokens: 0 });
      expect(await counts()).toEqual([1, 0, 1, 0, 0, 0]);
      await deleteFile(storage, T, "file-2", 5);
      expect(await counts()).toEqual([1, 0, 0, 0, 0, 0]);
    });

    test("a run of an older revision changes nothing", async () => {
      await addStore("vs_1");
      await addFile("file-1");
      const row = await attach("vs_1", "file-1");
      await storage.storeFiles.reindex(T, row.seq, { maxTokens: 100, overlapTokens: 0 });
      expect(await storage.storeFiles.complete(T, row.seq, 1, { usageBytes: 1, chunks: 1, vectors: 1 })).toBe(false);
      expect(await storage.storeFiles.fail(T, row.seq, 1, "server_error", "late")).toBe(false);
      expect((await storage.storeFiles.bySeq(T, row.seq))?.status).toBe("in_progress");
    });

    test("a chunk that shares vectors with those before it counts as embedded, and its vectors count once", async () => {
      const generation = await addStore("vs_1");
      await addFile("file-1");
      const row = await attach("vs_1", "file-1");
      const owner = { tenantId: T, storeId: "vs_1", chunkSet: generation.chunk_set, storeFile: row.seq, revision: 1 };
      const [first = 0, second = 0] = await storage.chunks.add(owner, [chunk(0), chunk(1), chunk(2)]);
      await storage.chunks.addVectors(T, generation.id, [
        { chunkId: first, data: Float32Array.of(1, 0, 0, 1) },
        { chunkId: second, data: new Float32Array(), shared: 2 },
      ]);
      const left = await storage.chunks.withoutVector(T, owner, generation.id, 10);
      expect(left.map(({ idx }) => idx)).toEqual([2]);
      expect(await storage.chunks.fileTotals(T, owner, generation)).toMatchObject({ chunks: 3, vectors: 2 });
      const loaded = await storage.chunks.forIndex(T, owner, generation.id, 0, 10);
      expect(loaded.map(({ shared, data }) => [shared, data.byteLength])).toEqual([
        [0, 16],
        [2, 0],
      ]);
      const places = await storage.chunks.places(T, owner, 0, 1);
      expect(places.map(({ idx, length }) => [idx, length])).toEqual([
        [0, chunk(0).text.length],
        [1, chunk(1).text.length],
      ]);
    });

    test("a sample of chunks is spread evenly over the store, in any set of chunks", async () => {
      const generation = await addStore("vs_1");
      const other = generation.chunk_set + 1;
      // 30 chunks in three files; twice as many in another set.
      const places = new Map<number, number>();
      for (const [i, size] of [5, 20, 5].entries()) {
        await addFile(`file-${i}`);
        const row = await attach("vs_1", `file-${i}`);
        for (const [chunkSet, count] of [
          [generation.chunk_set, size],
          [other, size * 2],
        ] as const) {
          const owner = { tenantId: T, storeId: "vs_1", chunkSet, storeFile: row.seq, revision: 1 };
          await storage.chunks.add(
            owner,
            Array.from({ length: count }, (_, idx) => chunk(idx)),
          );
          for (const { id } of await storage.chunks.withoutVector(T, owner, generation.id, 100))
            places.set(id, places.size);
        }
        await storage.storeFiles.complete(T, row.seq, 1, { usageBytes: 1, chunks: size, vectors: size });
      }
      const sizesOf = (ids: number[]) => new Set(ids.map((id) => places.get(id))).size;
      for (const set of [generation.chunk_set, other]) {
        for (const count of [1, 7, 10, 30])
          expect(sizesOf(await storage.chunks.sampleIds(T, "vs_1", set, count))).toBe(count);
        expect(sizesOf(await storage.chunks.sampleIds(T, "vs_1", set, 1000))).toBe(30);
        const files = (await storage.chunks.hits(T, await storage.chunks.sampleIds(T, "vs_1", set, 6))).map(
          (hit) => hit.file_id,
        );
        expect(files.filter((file) => file === "file-1")).toHaveLength(4);
      }
      expect(await storage.chunks.sampleIds(T, "vs_2", generation.chunk_set, 6)).toEqual([]);
    });

    test("chunks of a removed file are in no answer at once and reclaimed in steps", async () => {
      const generation = await addStore("vs_1");
      await addFile("file-1");
      const row = await attach("vs_1", "file-1");
      const owner = { tenantId: T, storeId: "vs_1", chunkSet: generation.chunk_set, storeFile: row.seq, revision: 1 };
      await storage.chunks.add(owner, [chunk(0), { ...chunk(1), attributes: { n: 1 } }, chunk(2)]);
      const ids = (await storage.chunks.withoutVector(T, owner, generation.id, 10)).map(({ id }) => id);
      await storage.chunks.addVectors(
        T,
        generation.id,
        ids.map((chunkId) => ({ chunkId, data: new Float32Array([0.6, 0.8]) })),
      );
      await storage.storeFiles.complete(T, row.seq, 1, { usageBytes: 1, chunks: 3, vectors: 3 });
      expect(await storage.chunks.hits(T, ids)).toHaveLength(3);
      const page = { limit: 10, order: "asc" } as const;
      const listed = (await storage.chunks.list(T, "vs_1", generation.chunk_set, page, null)).rows;
      const hits = (await storage.chunks.hits(T, ids)).toSorted((a, b) => a.id - b.id);
      for (const rows of [listed, await storage.chunks.listed(T, ids), hits])
        expect(rows.map(({ attributes }) => attributes)).toEqual([null, { n: 1 }, null]);
      expect(await storage.chunks.attributesBefore(generation, ids[2] ?? 0, 5)).toEqual([
        { chunk_id: ids[1] ?? 0, attributes: { n: 1 } },
      ]);
      expect([...(await storage.chunks.texts(T, ids))]).toEqual(ids.map((id, i) => [id, `text ${i}`]));
      expect((await storage.chunks.texts("ten_b", ids)).size).toBe(0);
      expect((await storage.chunks.forIndex(T, owner, generation.id, 1, 10)).map(({ terms }) => terms[0])).toEqual([
        1, 2,
      ]);

      await deleteFile(storage, T, "file-1", 5);
      expect(await storage.chunks.hits(T, ids)).toEqual([]);
      expect((await storage.chunks.texts(T, ids)).size).toBe(0);
      expect(await storage.chunks.completedFiles(T, "vs_1", 0, 10)).toEqual([]);
      const found = [{ tenant_id: T, store_file: row.seq }];
      expect(await storage.chunks.filesWithGarbage(0, 10)).toEqual({ found, last: row.seq });
      expect(await storage.chunks.filesWithGarbage(row.seq, 10)).toEqual({ found: [], last: null });
      expect(await storage.chunks.removeSome(row.seq, Number.MAX_SAFE_INTEGER, 2)).toBe(2);
      expect(await storage.chunks.removeSome(row.seq, Number.MAX_SAFE_INTEGER, 2)).toBe(1);
      for (const table of ["chunk", "chunk_terms", "chunk_attributes", "vector"]) {
        expect(await open.db.get(`SELECT count(*) AS n FROM ${table}`)).toEqual({ n: 0 });
      }
    });
  });

  describe("jobs", () => {
    const job = (subject: string, priority: 0 | 1 = 1, tenantId = T) => ({
      tenantId,
      kind: "ingest" as const,
      storeId: null,
      subject,
      priority,
      dueMs: 10,
    });

    test("are claimed by priority, then in order, and once", async () => {
      await storage.jobs.insert(job("batch"));
      await storage.jobs.insert(job("single", 0));
      expect(await storage.jobs.claim("ingest", T, 5, "me", 100)).toBeNull();
      expect((await storage.jobs.claim("ingest", T, 10, "me", 100))?.subject).toBe("single");
      expect((await storage.jobs.claim("ingest", T, 10, "me", 100))?.subject).toBe("batch");
      expect(await storage.jobs.claim("ingest", T, 10, "me", 100)).toBeNull();
    });

    test("of a dead process, or past their lease, are due again", async () => {
      await storage.jobs.insert(job("1"));
      await storage.jobs.claim("ingest", T, 10, "dead", 1_000);
      expect(await storage.jobs.releaseLost("me", 20)).toBe(1);
      const claimed = await storage.jobs.claim("ingest", T, 20, "me", 600_020);
      expect(claimed?.attempt).toBe(2);
      expect(await storage.jobs.releaseLost("me", 600_019)).toBe(0);
      // There it is the database's clock that passes.
      if (kind.name === "PostgreSQL") await open.db.run("UPDATE job SET lease_ms = lectern_now_ms() - 1");
      expect(await storage.jobs.releaseLost("me", 600_021)).toBe(1);
    });

    test("an interruption is not counted as a try", async () => {
      await storage.jobs.insert(job("1"));
      const first = await storage.jobs.claim("ingest", T, 10, "me", 100);
      await storage.jobs.giveBack(first?.id ?? 0, "me");
      expect((await storage.jobs.claim("ingest", T, 10, "me", 100))?.attempt).toBe(1);
    });
  });
});

describe("on SQLite alone", () => {
  let temp: TempDir;
  let dir: string;
  let db: SqliteDatabase;

  beforeEach(async () => {
    temp = tempDir();
    dir = temp.path;
    db = openSqlite(join(dir, "meta.sqlite"));
    storage = createStorage(db);
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
  });
  afterEach(async () => {
    await db.close();
    temp[Symbol.dispose]();
  });

  describe("schema", () => {
    test("a file of a newer version with a higher minimum is refused and left alone", async () => {
      const path = join(dir, "newer.sqlite");
      const db = openSqlite(path);
      db.raw.run("UPDATE schema_version SET version = 99, min_safe_version = 99");
      await db.close();
      expect(() => openSqlite(path)).toThrow(NewerSchemaError);
    });

    test("a file of a newer version that older binaries may open is opened", async () => {
      const path = join(dir, "newer.sqlite");
      const db = openSqlite(path);
      db.raw.run("UPDATE schema_version SET version = 99");
      await db.close();
      await openSqlite(path).close();
    });

    test("a migration that fails leaves the version before it", () => {
      const { raw } = db;
      const broken = [
        ...MIGRATIONS,
        { version: 1000, sql: "CREATE TABLE half (x INTEGER) STRICT; SELECT nonsense;", minSafeVersion: 1 },
      ];
      expect(() => migrate(raw, broken)).toThrow();
      expect(raw.query("SELECT name FROM sqlite_master WHERE name = 'half'").get()).toBeNull();
      expect(migrate(raw)).toEqual({
        ok: true,
        from: MIGRATIONS.at(-1)?.version ?? 0,
        to: MIGRATIONS.at(-1)?.version ?? 0,
      });
    });

    test("every table of a tenant's data carries the tenant", () => {
      const counts = ["embedding_cache_size", "query_log_size"];
      const ofNobody = [
        "schema_version",
        "instance",
        "tenant",
        ...counts,
        "shown_id",
        "replica",
        "duty",
        "commit_mark",
      ];
      const tables = db.raw
        .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .all()
        .map(({ name }) => name)
        .filter((name) => !ofNobody.includes(name));
      for (const table of tables) {
        const columns = db.raw.query<{ name: string }, []>(`PRAGMA table_info(${table})`).all();
        expect({ table, tenant: columns.some(({ name }) => name === "tenant_id") }).toEqual({ table, tenant: true });
      }
    });
  });

  test("vectors and terms come in the order asked, with null for what is gone", async () => {
    const generation = await addStore("vs_1");
    await addFile("file-1");
    const row = await attach("vs_1", "file-1");
    const owner = { tenantId: T, storeId: "vs_1", chunkSet: generation.chunk_set, storeFile: row.seq, revision: 1 };
    await storage.chunks.add(owner, [chunk(0), chunk(1), chunk(2)]);
    const ids = (await storage.chunks.withoutVector(T, owner, generation.id, 10)).map(({ id }) => id);
    const [first = 0, second = 0, third = 0] = ids;
    const vectors = [first, third].map((chunkId) => ({ chunkId, data: new Float32Array([chunkId, 0.5]) }));
    await storage.chunks.addVectors(T, generation.id, vectors);
    const asked = [third, 999, first, second, third];
    expect(storage.indexReads.vectors(asked, generation.id).map((vector) => vector && [...vector])).toEqual([
      [third, 0.5],
      null,
      [first, 0.5],
      null,
      [third, 0.5],
    ]);
    expect(storage.indexReads.vectors(asked, generation.id + 1)).toEqual([null, null, null, null, null]);
    expect(storage.indexReads.terms(asked).map((terms) => terms?.[0])).toEqual([2, undefined, 0, 1, 2]);
    expect(storage.indexReads.vectors([], generation.id)).toEqual([]);
  });

  describe("blobs", () => {
    test("are whole or absent, and nothing is left of a discarded one", async () => {
      const blobs = createBlobs(dir);
      const writer = await blobs.writer();
      await writer.write(new TextEncoder().encode("hello "));
      expect(await blobs.size("file-1")).toBeNull();
      await writer.write(new TextEncoder().encode("world"));
      const { bytes, sha256, md5 } = await writer.commit("file-1");
      expect({ bytes, sha256, md5 }).toEqual({
        bytes: 11,
        sha256: "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
        md5: "5eb63bbbe01eeed093cb22bb8f5acdc3",
      });
      expect(await Bun.file(blobs.path("file-1")).text()).toBe("hello world");

      const other = await blobs.writer();
      await other.write(new Uint8Array(10));
      await other.discard();
      expect(blobs.list()).toEqual(["file-1"]);
      expect(Array.from(new Bun.Glob("*").scanSync({ cwd: join(dir, "tmp") }))).toEqual([]);
      writeFileSync(join(dir, "blobs", "stray"), "not in a directory");
      expect(blobs.list()).toEqual(["file-1"]);
    });

    test("that cannot be put in their place leave nothing under their temporary name", async () => {
      const blobs = createBlobs(dir);
      const writer = await blobs.writer();
      await writer.write(new Uint8Array(10));
      // What lies where the folder would be.
      writeFileSync(join(blobs.path("file-2"), ".."), "in the way");
      expect(await writer.commit("file-2").catch((error: unknown) => error)).toBeInstanceOf(Error);
      expect(Array.from(new Bun.Glob("*").scanSync({ cwd: join(dir, "tmp") }))).toEqual([]);
    });

    test("are neither taken nor removed once a sync has failed: which rows there are is not known before the next start", async () => {
      const trust = createDiskTrust();
      const blobs = createBlobs(dir, trust);
      const writer = await blobs.writer();
      await writer.write(new Uint8Array(10));
      await writer.commit("file-3");
      trust.lose("the database", new Error("EIO"));
      await blobs.remove("file-3");
      expect(await blobs.size("file-3")).toBe(10);
      expect(await blobs.writer().catch((error: unknown) => error)).toMatchObject({ code: "storage_unavailable" });
    });
  });
});
