import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import type { LoggedSearch } from "./logged-search.ts";
import { ALL_SEARCHES, type NewQueryLogRow, type WantedSearches } from "./query-log.ts";
import type { Storage } from "./storage.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";

let open: TestStorage;
let storage: Storage;

const BODY: LoggedSearch = {
  search_mode: "hybrid",
  filters: null,
  max_num_results: 7,
  results: [{ file_id: "file-1", chunk_id: "chunk_1", score: 0.5 }],
  latency_ms: { total: 2, embed: 1, vector: 0.5, keyword: 0, fetch: 0.5 },
  key_id: "key_1",
  model: "m",
  generation: 1,
  source: "search",
  source_id: null,
};

function row(query: string, more: Partial<NewQueryLogRow> = {}): NewQueryLogRow {
  return { tenantId: "ten_a", storeId: "vs_1", createdAt: 100, query: [query], sha256: "0", body: BODY, ...more };
}

const list = async (limit: number, order: "asc" | "desc" = "asc", at: { after?: number; before?: number } = {}) =>
  await storage.queryLog.list("ten_a", "vs_1", { limit, order, ...at }, ALL_SEARCHES);
const texts = (rows: readonly { query: string[] | null }[]) => rows.map(({ query }) => query?.[0]?.slice(0, 4));
const size = async () => (await open.db.get<{ bytes: number }>("SELECT bytes FROM query_log_size"))?.bytes;
const BIG = "x".repeat(1_500_000);

onEachDatabase((kind) => {
  beforeEach(async () => {
    open = await kind.open();
    ({ storage } = open);
  });
  afterEach(() => open[Symbol.asyncDispose]());

  test("a page ends where it has enough bytes, and the next begins there", async () => {
    await storage.queryLog.add([...Array(7).keys()].map((i) => row(`q${i}: ${BIG}`)));
    const first = await list(100);
    expect([texts(first.rows), first.hasMore]).toEqual([["q0: ", "q1: "], true]);
    const second = await list(100, "asc", { after: first.rows.at(-1)!.seq });
    expect([texts(second.rows), second.hasMore]).toEqual([["q2: ", "q3: "], true]);
    const last = await list(100, "asc", { after: second.rows.at(-1)!.seq + 2 });
    expect([texts(last.rows), last.hasMore]).toEqual([["q6: "], false]);
    const newest = await list(100, "desc");
    expect([texts(newest.rows), newest.hasMore]).toEqual([["q6: ", "q5: "], true]);
    // Backwards the rows nearest to the cursor are kept.
    const before = await list(100, "asc", { before: second.rows[1]!.seq });
    expect([texts(before.rows), before.hasMore]).toEqual([["q1: ", "q2: "], true]);
    expect(texts((await list(1)).rows)).toEqual(["q0: "]);
  });

  test("one entry that alone is more than a page is a page", async () => {
    await storage.queryLog.add([row(`a: ${"x".repeat(6_000_000)}`), row("b")]);
    const first = await list(10);
    expect([first.rows.length, first.hasMore]).toEqual([1, true]);
    expect(texts((await list(10, "asc", { after: first.rows[0]!.seq })).rows)).toEqual(["b"]);
  });

  test.each<[name: string, filters: unknown]>([
    ["a text", { type: "eq", key: "a", value: "\u{1f600}é".repeat(200_000) }],
    ["a list", { a: Array.from({ length: 50_000 }, (_, i) => i) }],
    ["keys that are called like the rest", { a: "x".repeat(70_000), max_num_results: 1, results: 2, generation: 9 }],
    ["values that look like the rest", { a: `${"x".repeat(70_000)}"},"max_num_results":9,"generation":8}` }],
  ])("an entry of an earlier version with filters of any length is shown without them: %s", async (_name, filters) => {
    await storage.queryLog.add([row("old", { body: { ...BODY, filters } }), row("new")]);
    const json = JSON.stringify(filters);
    const [old, fresh] = (await list(10)).rows;
    expect(old).toMatchObject({
      query: ["old"],
      body: {
        ...BODY,
        filters: json.slice(0, 2048).toWellFormed(),
        filters_cut: { bytes: Buffer.byteLength(json), sha256: null },
      },
    });
    expect(fresh?.body).toEqual(BODY);
  });

  test("an entry whose body is not as expected is shown as far as it is", async () => {
    await storage.queryLog.add([row("odd", { body: "y".repeat(100_000) as unknown as LoggedSearch })]);
    expect((await list(10)).rows[0]).toMatchObject({ query: ["odd"], body: { results: [], max_num_results: 0 } });
  });

  test("the log knows its bytes, and the oldest entries go until they are within the bound", async () => {
    await storage.queryLog.add([...Array(10).keys()].map((i) => row(`q${i}`)));
    const one = Buffer.byteLength(JSON.stringify(BODY) + '["q0"]');
    expect(await size()).toBe(10 * one);
    const bounds = { since: 0, rows: 1000, bytes: 4 * one };
    expect(await storage.queryLog.trim(bounds, 2)).toBe(2);
    expect(await storage.queryLog.trim(bounds, 100)).toBe(4);
    expect(await storage.queryLog.trim(bounds, 100)).toBe(0);
    expect([texts((await list(10)).rows), await size()]).toEqual([["q6", "q7", "q8", "q9"], 4 * one]);
    expect(await storage.queryLog.trim({ ...bounds, bytes: 0 }, 100)).toBe(4);
    expect(await storage.queryLog.trim({ ...bounds, bytes: 0 }, 100)).toBe(0);
    expect(await size()).toBe(0);
  });

  test("entries that are too old are looked for among the oldest, as many as may go", async () => {
    const at = (createdAt: number) => row(`q${createdAt}`, { createdAt });
    await storage.queryLog.add([at(1), at(9), at(9), at(1)]);
    const bounds = { since: 5, rows: 1000, bytes: 10 ** 9 };
    expect(await storage.queryLog.trim(bounds, 2)).toBe(1);
    expect(texts((await list(10)).rows)).toEqual(["q9", "q9", "q1"]);
    expect(await storage.queryLog.trim(bounds, 2)).toBe(0);
    expect([await storage.queryLog.trim({ ...bounds, since: 10 }, 2), texts((await list(10)).rows)]).toEqual([
      2,
      ["q1"],
    ]);
  });

  test("questions are the newest texts, without those that nobody would ask again", async () => {
    await storage.queryLog.add([row("one"), row("x".repeat(9000)), row("two"), row("", { query: null }), row("three")]);
    expect(await storage.queryLog.questions("ten_a", "vs_1", 2)).toEqual([
      { query: "three", seq: 5, place: 0 },
      { query: "two", seq: 3, place: 0 },
    ]);
    expect(await storage.queryLog.asked("ten_a", "vs_1", 3)).toEqual(["two"]);
    expect(await storage.queryLog.asked("ten_a", "vs_1", 4)).toBeNull();
    expect(await storage.queryLog.asked("ten_b", "vs_1", 3)).toBeNull();
    expect(await storage.queryLog.questions("ten_b", "vs_1", 2)).toEqual([]);
    expect([await storage.queryLog.newest("ten_a", "vs_1"), await storage.queryLog.newest("ten_b", "vs_1")]).toEqual([
      5,
      null,
    ]);
  });

  test.each<[name: string, wanted: Partial<WantedSearches>, found: string[]]>([
    ["nothing wished", {}, ["Ümla", "slow", "none", "two ", "hash"]],
    ["a part of the query, whatever its case", { text: "ÜMLAUT" }, ["Ümla"]],
    ["signs of patterns and of JSON", { text: '*"[x]' }, ["slow"]],
    ["one of several queries", { text: "second" }, ["two "]],
    ["empty answers", { empty: true }, ["none"]],
    ["a least time", { leastMs: 200 }, ["slow"]],
    ["a key", { keyId: "key_2" }, ["two "]],
    ["a time", { since: 110, until: 130 }, ["slow", "none"]],
    ["several at once", { empty: true, text: "two" }, []],
  ])("searches are chosen by %s", async (_, wanted, found) => {
    await storage.queryLog.add([
      row("Ümlaut"),
      row('slow *"[x] one', { createdAt: 110, body: { ...BODY, latency_ms: { ...BODY.latency_ms, total: 250.5 } } }),
      row("none", { createdAt: 120, body: { ...BODY, results: [] } }),
      row("", { createdAt: 130, query: ["two first", "a second"], body: { ...BODY, key_id: "key_2" } }),
      row("", { createdAt: 140, query: null }),
    ]);
    const page = { limit: 10, order: "asc" } as const;
    const { rows } = await storage.queryLog.list("ten_a", "vs_1", page, { ...ALL_SEARCHES, ...wanted });
    expect(rows.map(({ query }) => query?.[0]?.slice(0, 4) ?? "hash")).toEqual(found);
  });

  test("chosen searches come in pages in both orders, however far apart they are", async () => {
    const empty = { ...BODY, results: [] };
    await storage.queryLog.add([...Array(1000).keys()].map((i) => row(`${i}`, i % 250 === 7 ? { body: empty } : {})));
    for (const [order, expected] of [
      ["asc", ["7", "257", "507", "757"]],
      ["desc", ["757", "507", "257", "7"]],
    ] as const) {
      const seen: (string | undefined)[] = [];
      for (let after: number | undefined; ;) {
        const page = { limit: 3, order, after };
        const { rows, hasMore } = await storage.queryLog.list("ten_a", "vs_1", page, { ...ALL_SEARCHES, empty: true });
        seen.push(...rows.map(({ query }) => query?.[0]));
        if (!hasMore) break;
        after = rows.at(-1)?.seq;
      }
      expect(seen).toEqual([...expected]);
    }
  });
});

test("an older database's log is counted, whatever is in it", async () => {
  const raw = new Database(":memory:", { strict: true });
  migrate(raw, MIGRATIONS.slice(0, 8));
  raw.run(`INSERT INTO query_log (tenant_id, store_id, created_at, query, query_sha256, body)
    VALUES ('ten_a', 'vs_1', 1, '["é"]', '', '{}'), ('ten_a', 'vs_1', 2, NULL, '', '{"filters":{}}')`);
  migrate(raw);
  expect(raw.query("SELECT bytes FROM query_log_size").get()).toEqual({ bytes: 6 + 2 + 14 });
});
