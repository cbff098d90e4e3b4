import { afterEach, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { createBlobs } from "./blob-directory.ts";
import { checkDatabase } from "./check.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { openSqlite } from "./sqlite.ts";
import { createStorage } from "./storage.ts";
import { insertGeneration, insertStore, insertStoreFile } from "./testing/rows.ts";

const T = "ten_a";
const KNOWN = MIGRATIONS.at(-1)?.version ?? 0;
let temp: TempDir;

beforeEach(async () => {
  temp = tempDir();
  const db = openSqlite(temp.join("meta.sqlite"), { flush: false });
  const storage = createStorage(db);
  await storage.tenants.insert({ id: T, name: T, createdAt: 1 });
  await insertStore(storage, { tenantId: T, id: "vs_a" });
  await insertGeneration(storage, { tenantId: T, storeId: "vs_a" });
  for (const fileId of ["file-a", "file-b"]) {
    const row = { id: fileId, tenant_id: T, filename: "a", bytes: 3, purpose: "assistants", mime: null, sha256: "0" };
    await storage.files.insert({ ...row, created_at: 1, expires_at: null });
    await insertStoreFile(storage, { tenantId: T, storeId: "vs_a", fileId });
    const path = pathOf(fileId);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "abc");
  }
  await db.close();
});
afterEach(() => temp[Symbol.dispose]());

const pathOf = (fileId: string) => createBlobs(temp.path).path(fileId);
const report = (full = false) => checkDatabase(temp.path, { pathOf, blobs: createBlobs(temp.path).list(), full });
const WHOLE = { integrity: "ok", schema: { found: KNOWN, known: KNOWN }, wrongCounts: 0, missingBytes: 0 };
const FOUND = {
  orphans: 0,
  newestAt: 1,
  hashes: ["file-a", "file-b"].map((id) => ({ id, sha256: "0" })),
  models: [{ model: expect.any(String), revision: expect.any(String) }],
};

function plant(sql: string): void {
  using db = new Database(temp.join("meta.sqlite"));
  db.run(sql);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

test("nothing is wrong with a directory as the server leaves it, and the look changes nothing", () => {
  const before = readFileSync(temp.join("meta.sqlite"));
  expect(report()).toEqual({ ...WHOLE, stores: 1, files: 2, ...FOUND });
  expect(readFileSync(temp.join("meta.sqlite"))).toEqual(before);
});

test("a store whose counts are not those of its files is found", () => {
  plant(`UPDATE vector_store SET n_completed = n_completed + 1`);
  expect(report()).toEqual({ ...WHOLE, wrongCounts: 1, stores: 1, files: 2, ...FOUND });
});

test("an uploaded file whose bytes are gone is found", () => {
  rmSync(pathOf("file-b"));
  expect(report()).toEqual({ ...WHOLE, missingBytes: 1, stores: 1, files: 2, ...FOUND });
});

test("a schema of a newer version is told as such", () => {
  plant(`UPDATE schema_version SET version = ${KNOWN + 1}`);
  const told = () => {
    try {
      return report().schema;
    } catch (error) {
      return String(error);
    }
  };
  expect(JSON.stringify(told())).toContain(String(KNOWN + 1));
});

test("a page that was overwritten is found", () => {
  const path = temp.join("meta.sqlite");
  const bytes = readFileSync(path);
  const pageBytes = bytes.readUInt16BE(16);
  using db = new Database(path, { readonly: true });
  const root = db
    .query<{ rootpage: number }, []>(
      `SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'store_file'`,
    )
    .get()?.rootpage;
  db.close();
  bytes.fill(0xff, ((root ?? 1) - 1) * pageBytes, (root ?? 1) * pageBytes);
  writeFileSync(path, bytes);
  const told = () => {
    try {
      return report().integrity;
    } catch (error) {
      return String(error);
    }
  };
  expect(told()).not.toBe("ok");
});

test("what has SQL of somebody else is refused, and what is no database throws", () => {
  plant(`CREATE TRIGGER strange AFTER INSERT ON file BEGIN DELETE FROM tenant; END`);
  expect(report).toThrow("strange");
  writeFileSync(temp.join("meta.sqlite"), "no database at all, but longer than nothing");
  rmSync(temp.join("meta.sqlite-wal"), { force: true });
  expect(report).toThrow();
});

test("bytes that no row has, bytes that are too few and the newest row are told; a full look agrees", () => {
  expect(report(true)).toEqual({ ...WHOLE, stores: 1, files: 2, ...FOUND });
  mkdirSync(dirname(pathOf("file-lost")), { recursive: true });
  writeFileSync(pathOf("file-lost"), "x");
  writeFileSync(pathOf("file-b"), "ab");
  plant("UPDATE vector_store SET created_at = 99");
  expect(report()).toMatchObject({ orphans: 1, missingBytes: 1, newestAt: 99 });
});
