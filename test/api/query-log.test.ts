/** The query log and the statistics of a store, on a running server whose clock is moved. */
import { createHash } from "node:crypto";
import { expect, test } from "bun:test";
import { addText, json, newStore, refusal, search, settled, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

interface Logged {
  id: string;
  object: string;
  created_at: number;
  query: string[] | null;
  query_sha256: string;
  search_mode: string;
  filters: unknown;
  max_num_results: number;
  results: { file_id: string; chunk_id: string; score: number }[];
  latency_ms: Record<string, number>;
  key_id: string;
  model: string;
  generation: number;
}

interface Stats {
  window: string;
  since: number;
  until: number;
  queries: {
    count: number;
    empty: number;
    latency_ms: Record<"p50" | "p95" | "p99", number>;
    stages_ms: Record<string, Record<"p50" | "p95" | "p99", number>>;
    top: { query: string | null; query_sha256: string; count: number }[];
  };
  ingest: Record<string, number>;
  store: Record<string, number>;
  series: { start: number; queries: number; empty: number; p95_ms: number; completed: number; failed: number }[];
}

interface List {
  data: Logged[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

const logOf = (server: TestServer, store: string, query = "") =>
  json<List>(server, "GET", `/v1/vector_stores/${store}/queries${query}`);
const statsOf = (server: TestServer, store: string, window?: string) =>
  json<Stats>(server, "GET", `/v1/vector_stores/${store}/stats${window === undefined ? "" : `?window=${window}`}`);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test("every search is logged with what was asked, what was found and how long it took", async () => {
  await using server = await startServer();
  const store = await newStore(server);
  const file = await addText(server, store, "a.txt", "How refunds are handled.", { category: "support" });
  await search(server, store, { query: "refunds", filters: { category: "support" }, max_num_results: 3 });
  await search(server, store, { query: ["one", "two"], search_mode: "keyword" });
  const { data, has_more } = await logOf(server, store);
  expect(has_more).toBe(false);
  const queriesOf = async (wanted: string) => (await logOf(server, store, `?${wanted}`)).data.map(({ query }) => query);
  expect(await queriesOf("query=REFUND")).toEqual([["refunds"]]);
  expect(await queriesOf("empty=false&min_latency_ms=0")).toHaveLength(2);
  expect(await queriesOf("min_latency_ms=86400000")).toEqual([]);
  expect(await queriesOf("key_id=key_nobody")).toEqual([]);
  expect(await queriesOf("until=2000-01-01")).toEqual([]);
  expect(await refusal(server, "GET", `/v1/vector_stores/${store}/queries?until=soon`)).toMatchObject({
    status: 400,
    param: "until",
  });
  expect(data.map(({ query }) => query)).toEqual([["one", "two"], ["refunds"]]);
  const [keyword, hybrid] = data;
  expect(hybrid).toMatchObject({
    object: "vector_store.query",
    query_sha256: sha256("refunds"),
    search_mode: "hybrid",
    filters: { category: "support" },
    max_num_results: 3,
    results: [{ file_id: file, chunk_id: expect.stringMatching(/^chunk_/), score: expect.any(Number) }],
    key_id: expect.stringMatching(/^key_/),
    model: "lectern-embed-en",
    generation: 1,
  });
  expect(hybrid?.id).toMatch(/^q_/);
  expect(keyword).toMatchObject({ query_sha256: sha256("one\ntwo"), search_mode: "keyword", filters: null });
  const { total = 0, embed = 0, vector = 0, keyword: words = 0, fetch = 0 } = hybrid?.latency_ms ?? {};
  expect(total).toBeGreaterThan(0);
  expect(embed + vector + words + fetch).toBeLessThanOrEqual(total + 0.01);

  for (let i = 0; i < 5; i++) await search(server, store, { query: `number ${i}` });
  const first = await logOf(server, store, "?limit=2&order=asc");
  expect([first.data.length, first.has_more, first.last_id]).toEqual([2, true, first.data[1]?.id ?? ""]);
  const rest = await logOf(server, store, `?order=asc&after=${first.last_id}`);
  expect(rest.data.map(({ query }) => query?.[0])).toEqual([0, 1, 2, 3, 4].map((i) => `number ${i}`));
  const before = await logOf(server, store, `?order=asc&limit=2&before=${rest.data[0]?.id}`);
  expect(before.data.map(({ id }) => id)).toEqual(first.data.map(({ id }) => id));
});

test("hashes only, or nothing, are kept where the operator wants that; counts go on", async () => {
  using dir = tempDir();
  const file = dir.join("lectern.toml");
  await Bun.write(file, 'query-log = "hash"\n');
  await using server = await startServer({ args: ["--config", file] });
  const store = await newStore(server);
  await search(server, store, { query: "private words" });
  const [logged] = (await logOf(server, store)).data;
  expect([logged?.query, logged?.query_sha256]).toEqual([null, sha256("private words")]);
  await Bun.write(file, 'query-log = "off"\n');
  await json(server, "POST", "/v1/admin/reload");
  await search(server, store, { query: "private words" });
  expect((await logOf(server, store)).data).toHaveLength(1);
  const stats = await statsOf(server, store);
  expect(stats.queries).toMatchObject({
    count: 2,
    empty: 2,
    top: [{ query: null, query_sha256: sha256("private words"), count: 1 }],
  });
});

test("statistics add up over the window: searches, latencies, top queries, ingests", async () => {
  using dir = tempDir();
  const clock = dir.join("clock");
  await Bun.write(clock, "0");
  await using server = await startServer({ args: ["--test-clock-file", clock] });
  const store = await newStore(server);
  await addText(server, store, "a.txt", "Refunds are handled within a week.");
  const broken = await upload(server, "b.pdf", "%PDF-1.4");
  await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: broken });
  await settled(server, store, broken);
  for (const query of ["refunds", "refunds", "returns"]) await search(server, store, { query });
  await search(server, store, { query: "nothing", filters: { category: "none" } });

  const day = await statsOf(server, store);
  expect(day).toMatchObject({
    object: "vector_store.stats",
    vector_store_id: store,
    window: "24h",
    queries: { count: 4, empty: 1 },
    ingest: { completed: 1, failed: 1, cancelled: 0, bytes: 34, chunks: 1 },
    store: { files: 2, chunks: 1, bytes: 42 },
  });
  expect(day.queries.top.map(({ query, count }) => [query, count])).toEqual([
    ["refunds", 2],
    ["nothing", 1],
    ["returns", 1],
  ]);
  const { p50, p95, p99 } = day.queries.latency_ms;
  expect(p50).toBeGreaterThan(0);
  expect(p95).toBeGreaterThanOrEqual(p50);
  expect(p99).toBeGreaterThanOrEqual(p95);
  const stages = Object.entries(day.queries.stages_ms).map(([stage, { p50: half }]) => [
    stage,
    half > 0 && half <= p99,
  ]);
  expect(Object.fromEntries(stages)).toEqual({ embed: true, vector: true, keyword: false, fetch: true });
  expect(day.series).toHaveLength(24);
  expect(day.series[0]?.start).toBe(day.since);
  expect(day.series.reduce((sum, row) => sum + row.queries, 0)).toBe(4);

  // Three days later that day is in the longer windows only, in the row that it belongs to.
  await Bun.write(clock, String(3 * 86_400));
  await search(server, store, { query: "refunds" });
  expect((await statsOf(server, store)).queries.count).toBe(1);
  const week = await statsOf(server, store, "7d");
  expect([week.queries.count, week.series.length, week.ingest["completed"]]).toEqual([5, 28, 1]);
  const month = await statsOf(server, store, "30d");
  expect([month.queries.count, month.series.length]).toEqual([5, 30]);
  expect(month.series.map((row) => row.queries).filter((count) => count > 0)).toEqual([4, 1]);
  expect(month.series.every((row, i) => row.start === month.since + i * 86_400)).toBe(true);
  const since = new Date((month.until - 60) * 1000).toISOString();
  expect((await logOf(server, store, `?since=${since}`)).data).toHaveLength(1);
  expect((await logOf(server, store, `?since=${month.until - 60}`)).data).toHaveLength(1);
  expect((await logOf(server, store, "?since=2020-01-01")).data).toHaveLength(5);
});

test("a time or a window that is none is refused by name", async () => {
  await using server = await startServer();
  const store = await newStore(server);
  const code = async (path: string) => {
    const { status, code, param } = await refusal(server, "GET", `/v1/vector_stores/${store}/${path}`);
    return [status, code, param];
  };
  for (const since of ["yesterday", "2020-13-45", "1e9", "-5"])
    expect([since, await code(`queries?since=${since}`)]).toEqual([since, [400, "invalid_since", "since"]]);
  for (const window of ["1h", "24H"])
    expect([window, await code(`stats?window=${window}`)]).toEqual([window, [400, "invalid_window", "window"]]);
  expect(await code("queries?after=nope")).toEqual([400, "invalid_value", "after"]);
  expect(await code("queries?limit=101")).toEqual([400, "integer_above_max_value", "limit"]);
});
