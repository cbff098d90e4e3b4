import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../../test/helpers/temp-dir.ts";
import { silentLog } from "../../platform/log.ts";
import { openSqlite, type SqliteDatabase } from "../../storage/sqlite.ts";
import { createStorage, type Storage } from "../../storage/storage.ts";
import type { SearchRecord } from "../../search/record.ts";
import { QueryRecorder } from "./recorder.ts";
import { insertStore } from "../../storage/testing/rows.ts";

let temp: TempDir;
let dir: string;
let db: SqliteDatabase;
let storage: Storage;
let mode: "on" | "hash" | "off";
let recorder: QueryRecorder;

beforeEach(async () => {
  temp = tempDir();
  dir = temp.path;
  db = openSqlite(join(dir, "meta.sqlite"));
  storage = createStorage(db);
  mode = "on";
  recorder = new QueryRecorder({ storage, log: silentLog, mode: () => mode });
  for (const id of ["vs_1", "vs_2"]) {
    await insertStore(storage, { id, tenantId: "ten_a" });
  }
});
afterEach(async () => {
  await recorder[Symbol.asyncDispose]();
  await db.close();
  temp[Symbol.dispose]();
});

function search(queries: string[], more: Partial<SearchRecord> = {}): SearchRecord {
  return {
    tenantId: "ten_a",
    storeId: "vs_1",
    keyId: "key_1",
    createdAt: 7200,
    queries,
    searchMode: "hybrid",
    filters: null,
    maxNumResults: 10,
    results: [{ file_id: "file-1", chunk_id: "chunk_1", score: 0.5 }],
    latencyMs: { total: 2, embed: 1, vector: 0.5, keyword: 0, fetch: 0.5 },
    model: "m",
    generation: 1,
    source: { type: "search", id: null },
    ...more,
  } as SearchRecord;
}

const logged = async (storeId = "vs_1", tenantId = "ten_a") =>
  (await storage.queryLog.list(tenantId, storeId, { limit: 1000, order: "asc" }, 0)).rows;

describe("the recorder", () => {
  test("writes searches in groups, in order, each to its store", async () => {
    recorder.record(search(["one"]));
    recorder.record(search(["two"], { storeId: "vs_2" }));
    recorder.record(search(["three", "four"]));
    expect([recorder.waiting, (await logged()).length]).toEqual([3, 0]);
    await recorder.flush();
    expect(recorder.waiting).toBe(0);
    expect((await logged()).map(({ query }) => query)).toEqual([["one"], ["three", "four"]]);
    expect(await logged("vs_2")).toHaveLength(1);
    expect(await logged("vs_1", "ten_b")).toEqual([]);
  });

  test("writes by itself soon after the first search", async () => {
    recorder.record(search(["one"]));
    const deadline = performance.now() + 5000;
    while ((await logged()).length === 0 && performance.now() < deadline)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await logged()).toHaveLength(1);
  });

  test("writes what is waiting at the stop", async () => {
    recorder.record(search(["one"]));
    await recorder[Symbol.asyncDispose]();
    expect(await logged()).toHaveLength(1);
  });

  test("leaves out searches of stores that are gone or going", async () => {
    recorder.record(search(["one"]));
    recorder.record(search(["two"], { storeId: "vs_unknown" }));
    await storage.stores.setLifecycle("ten_a", "vs_1", "deleting");
    await recorder.flush();
    expect([await logged(), await storage.statistics.queryHours("ten_a", "vs_1", 0)]).toEqual([[], []]);
  });

  test("keeps counts by the hour, whatever is logged", async () => {
    mode = "off";
    recorder.record(search(["one"]));
    recorder.record(search(["two"], { results: [] }));
    await recorder.flush();
    recorder.record(search(["three"]));
    recorder.record(search(["later"], { createdAt: 10_800 }));
    await recorder.flush();
    expect(await logged()).toEqual([]);
    const hours = await storage.statistics.queryHours("ten_a", "vs_1", 0);
    expect(hours.map(({ hour, queries, empty }) => ({ hour, queries, empty }))).toEqual([
      { hour: 2, queries: 3, empty: 1 },
      { hour: 3, queries: 1, empty: 0 },
    ]);
    expect(Object.values(hours[0]?.latency ?? {})).toEqual([3]);
  });
});

describe("the log", () => {
  test("forgets what is too old, and what is too much", async () => {
    for (let i = 0; i < 10; i++) recorder.record(search([`q${i}`], { createdAt: 1000 + i }));
    await recorder.flush();
    expect(await storage.queryLog.trim(1003, 1_000, 2)).toBe(2);
    expect(await storage.queryLog.trim(1003, 1_000, 2)).toBe(1);
    expect(await storage.queryLog.trim(1003, 1_000, 2)).toBe(0);
    expect(await storage.queryLog.trim(0, 4, 100)).toBe(3);
    expect((await logged()).map(({ query }) => query)).toEqual([["q6"], ["q7"], ["q8"], ["q9"]]);
  });

  test("counts the most frequent queries, one of several for itself", async () => {
    for (const queries of [["a"], ["b", "a"], ["c"], ["b"], ["a"]]) recorder.record(search(queries));
    await recorder.flush();
    const top = await storage.queryLog.top("ten_a", "vs_1", 0, 2);
    expect(top.map(({ query, count }) => [query, count])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
  });
});
