import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../../test/helpers/temp-dir.ts";
import { createLog } from "../../platform/log.ts";
import { openSqlite, type SqliteDatabase } from "../../storage/sqlite.ts";
import { ALL_SEARCHES } from "../../storage/query-log.ts";
import { createStorage, type Storage } from "../../storage/storage.ts";
import type { SearchRecord } from "../../search/record.ts";
import { QueryRecorder } from "./recorder.ts";
import { insertStore } from "../../storage/testing/rows.ts";

let temp: TempDir;
let dir: string;
let db: SqliteDatabase;
let storage: Storage;
let mode: "on" | "hash" | "off";
let free: boolean;
let lines: string[];
let recorder: QueryRecorder;

beforeEach(async () => {
  temp = tempDir();
  dir = temp.path;
  db = openSqlite(join(dir, "meta.sqlite"));
  storage = createStorage(db);
  mode = "on";
  lines = [];
  free = true;
  recorder = new QueryRecorder({
    storage,
    log: createLog({ level: "info", format: "json", write: (line) => void lines.push(line) }),
    mode: () => mode,
    hasRoom: () => Promise.resolve(free),
  });
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
  (await storage.queryLog.list(tenantId, storeId, { limit: 1000, order: "asc" }, ALL_SEARCHES)).rows;

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
    // The whole, embedding, ranking and reading; nothing was ranked by keywords alone.
    expect(Object.values(hours[0]?.latency ?? {})).toEqual([3, 3, 3, 3]);
  });
});

describe("the log", () => {
  test("forgets what is too old, and what is too much", async () => {
    for (let i = 0; i < 10; i++) recorder.record(search([`q${i}`], { createdAt: 1000 + i }));
    await recorder.flush();
    expect(await storage.queryLog.trim({ since: 1003, rows: 1_000, bytes: 1e9 }, 2)).toBe(2);
    expect(await storage.queryLog.trim({ since: 1003, rows: 1_000, bytes: 1e9 }, 2)).toBe(1);
    expect(await storage.queryLog.trim({ since: 1003, rows: 1_000, bytes: 1e9 }, 2)).toBe(0);
    expect(await storage.queryLog.trim({ since: 0, rows: 4, bytes: 1e9 }, 100)).toBe(3);
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

describe("the filters of a search", () => {
  const filtersOf = async (filters: unknown) => {
    recorder.record(search(["q"], { filters }));
    await recorder.flush();
    const body = (await logged()).at(-1)?.body;
    return { filters: body?.filters, cut: body?.filters_cut };
  };

  test("are kept as they are up to 2 KiB, and longer ones as the beginning of their text and a hash", async () => {
    const ofBytes = (bytes: number) => ({ a: "x".repeat(bytes - 8) });
    for (const filters of [null, {}, { a: 1 }, ofBytes(2048)])
      expect(await filtersOf(filters)).toEqual({ filters, cut: undefined });
    const long = JSON.stringify(ofBytes(2049));
    const sha256 = new Bun.CryptoHasher("sha256").update(long).digest("hex").slice(0, 16);
    expect(await filtersOf(ofBytes(2049))).toEqual({ filters: long.slice(0, 2048), cut: { bytes: 2049, sha256 } });
    const wide = { a: "\u{1f600}".repeat(1000) };
    const kept = await filtersOf(wide);
    expect(JSON.stringify(wide).startsWith(String(kept.filters))).toBe(true);
    expect(Buffer.byteLength(String(kept.filters))).toBeLessThanOrEqual(2048);
    expect(kept.cut?.bytes).toBe(4008);
  });

  test("are not held while a search waits to be written", async () => {
    for (let i = 0; i < 20; i++) recorder.record(search([`q${i}`], { filters: { a: `${i}${"x".repeat(1_000_000)}` } }));
    await recorder.flush();
    expect(db.raw.query("SELECT max(length(body)) < 4096 AS short FROM query_log").get()).toEqual({ short: 1 });
  });
});

test("below the least free disk space nothing is logged, said once; counts go on, and so does the log after it", async () => {
  const say = async (text: string) => {
    recorder.record(search([text]));
    await recorder.flush();
  };
  await say("before");
  free = false;
  await say("lost");
  await say("lost too");
  free = true;
  await say("after");
  expect((await logged()).map(({ query }) => query?.[0])).toEqual(["before", "after"]);
  expect(lines.map((line) => [JSON.parse(line).level, JSON.parse(line).message])).toEqual([
    ["warn", "searches are not logged: there is too little free disk space"],
    ["info", "searches are logged again"],
  ]);
  expect((await storage.statistics.queryHours("ten_a", "vs_1", 0)).map(({ queries }) => queries)).toEqual([4]);
});
