import { describe, expect, test } from "bun:test";
import { embedFailure } from "../embed/provider.ts";
import { newId } from "../platform/ids.ts";
import type { MeasuredAnswer } from "../search/measured.ts";
import type { Gate } from "../storage/migration-table.ts";
import { OF_STORE } from "../storage/judgments.ts";
import { insertGeneration } from "../storage/testing/rows.ts";
import { catchUp, NO_PROGRESS } from "./catch-up.ts";
import type { MigrationReport } from "../storage/migration-table.ts";
import { compareGenerations, type ReportDeps, spearman } from "./migration-report.ts";
import { SEARCHED } from "./testing/logged-search.ts";
import { MODEL, STORE, TENANT, Workshop } from "./testing/workshop.ts";

const NEVER = new AbortController().signal;
const TEXTS = ["the river and the sea", "a house of red bricks", "figures of the year", "a song about summer"];

async function setUp(ownChunks = false) {
  const shop = new Workshop();
  const from = await shop.store();
  for (const [i, text] of TEXTS.entries()) await shop.ingested(`file-${i}`, `${text}. It is number ${i} of them all.`);
  const to = await insertGeneration(shop.storage, {
    tenantId: TENANT,
    storeId: STORE,
    ...MODEL,
    modelRevision: "r2",
    chunkSet: ownChunks ? null : from.chunk_set,
    state: "building",
  });
  const options = { generation: to, strategy: null, progress: NO_PROGRESS, freeChunks: null };
  await catchUp(shop.catchUpDeps(), options, NEVER);
  return { shop, from, to };
}

type Made = Awaited<ReturnType<typeof setUp>>;

async function compare(
  { shop, from, to }: Made,
  gate: Gate | null = null,
  more: Partial<ReportDeps> & { signal?: AbortSignal } = {},
): Promise<MigrationReport | null> {
  using old = await shop.indexes.acquire(STORE, from.id);
  using fresh = await shop.indexes.acquire(STORE, to.id);
  const compared = { from, to, fromIndex: old.index, toIndex: fresh.index, gate };
  return await compareGenerations({ ...shop.migrateDeps(), ...more }, compared, more.signal ?? NEVER);
}

async function judge({ shop }: Made, query: string, file: string): Promise<void> {
  const owner = { tenantId: TENANT, storeId: STORE, evaluation: OF_STORE };
  const relevant = [{ file, chunk: null, grade: 1 }];
  await shop.storage.judgments.put(owner, { id: newId("q_"), query, relevant }, 1);
}

test("queries are made from the chunks where none were logged", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  const report = await compare(made);
  expect(report).toMatchObject({
    queries: 6,
    source: "generated",
    self_retrieval: 1,
    counts: { from: 8, to: 8 },
    ndcg_at_10: null,
    recall_at_10: null,
    gate: "none",
    reasons: [],
  });
  expect(report?.overlap_at_10).toBe(1);
  expect(report?.latency_ms.to.p95).toBeGreaterThanOrEqual(0);
});

test("logged queries are used where there are enough of them", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  const { storage, db } = made.shop;
  await storage.queryLog.add(
    Array.from({ length: 13 }, (_, i) => ({
      tenantId: TENANT,
      storeId: STORE,
      createdAt: 1,
      query: i === 0 ? null : [`query ${i}`, "the sea"],
      sha256: `${i}`,
      body: SEARCHED,
    })),
  );
  expect(db.raw.query("SELECT count(*) AS n FROM query_log").get()).toEqual({ n: 13 });
  expect(await compare(made)).toMatchObject({ source: "log", queries: 13 });
});

test("chunks of its own are compared by file", async () => {
  const made = await setUp(true);
  await using _shop = made.shop;
  expect(await compare(made)).toMatchObject({ overlap_at_10: 1, counts: { from: 8, to: 8 } });
});

describe("judged queries", () => {
  const answer = (hits: { file: string; chunk: number }[]): MeasuredAnswer => ({
    ok: true,
    generation: 1,
    hits,
    ms: { total: 1, embed: 0 },
  });

  test("say how good both are", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    await judge(made, "where is the sea", "file-0");
    await judge(made, "which house", "file-1");
    const search: ReportDeps["search"] = ({ generation, query }) => {
      const right = query.includes("sea") ? "file-0" : "file-1";
      const hits = generation === made.to.id ? [right] : ["file-3", right];
      return Promise.resolve(answer(hits.map((file, chunk) => ({ file, chunk }))));
    };
    expect(await compare(made, null, { search })).toMatchObject({
      source: "judged",
      queries: 2,
      ndcg_at_10: { from: 0.6309, to: 1 },
      recall_at_10: { from: 1, to: 1 },
    });
  });

  for (const { says, failing, passing, isLater } of [
    { says: "wait for the new model", failing: "to", passing: true, isLater: true },
    { says: "are left out where the new model cannot answer", failing: "to", passing: false, isLater: false },
    { says: "are left out where the old model is gone", failing: "from", passing: true, isLater: false },
  ] as const)
    test(says, async () => {
      const made = await setUp();
      await using _shop = made.shop;
      await judge(made, "where is the sea", "file-0");
      const search: ReportDeps["search"] = ({ generation }) =>
        Promise.resolve(generation === made[failing].id ? { ok: false, code: "x", message: "x", passing } : answer([]));
      const report = await compare(made, null, { search });
      expect(report === null).toBe(isLater);
      if (!isLater) expect(report).toMatchObject({ source: "judged", ndcg_at_10: null, recall_at_10: null });
    });

  test("are not measured on after a stop", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    await judge(made, "where is the sea", "file-0");
    const stop = new AbortController();
    const search: ReportDeps["search"] = () => {
      stop.abort();
      return Promise.resolve(answer([]));
    };
    expect(await compare(made, null, { search, signal: stop.signal })).toBeNull();
  });
});

test("an old model that is gone is not compared with; a new one that does not answer is waited for", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  const without =
    (revision: string): ReportDeps["embedQuery"] =>
    (model, text, asker) =>
      model.revision === revision
        ? Promise.resolve(embedFailure("unavailable", "gone"))
        : made.shop.model.embedQuery(model, text, asker);
  expect(await compare(made, null, { embedQuery: without("r1") })).toMatchObject({
    overlap_at_10: 1,
    rank_correlation: 1,
    latency_ms: { from: { p50: 0, p95: 0 } },
  });
  expect(await compare(made, null, { embedQuery: without("r2") })).toBeNull();
  expect(await compare(made, null, { signal: AbortSignal.abort() })).toBeNull();
});

test("the queries that changed most are kept by where they stand, the most changed first", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  await judge(made, "a house of bricks", "file-1");
  await judge(made, "where is the river", "file-0");
  const { shop } = made;
  // The new model takes every question for the other way round, but not the one about the house.
  const turned: ReportDeps["embedQuery"] = async (model, text, asker) => {
    const embedded = await shop.model.embedQuery(model, text, asker);
    if (!embedded.ok || model.revision === "r1" || text.includes("house")) return embedded;
    return { ok: true, vector: embedded.vector.map((value) => -value) };
  };
  const report = await compare(made, null, { embedQuery: turned });
  const owner = { tenantId: TENANT, storeId: STORE, evaluation: OF_STORE };
  const [house, river] = await shop.storage.judgments.slice(owner, 0, 2);
  expect(report?.changed).toMatchObject([
    { query: { judgment: river?.id }, overlap: 1 },
    { query: { judgment: house?.id }, overlap: 1 },
  ]);
  const { from = [], to = [] } = report?.changed?.[0] ?? {};
  expect(from).toHaveLength(8);
  expect(from).toEqual(await shop.nearest(made.from, "where is the river"));
  expect(new Set(to)).toEqual(new Set(from));
  expect(to).not.toEqual(from);
});

describe("a gate", () => {
  const gates: { gate: Gate; reason: RegExp | null }[] = [
    { gate: { min_recall: 1, min_overlap: 0.1, max_latency_ratio: 1e9 }, reason: null },
    { gate: {}, reason: null },
    { gate: { min_recall: 1.1 }, reason: /^Recall is 1, the gate asks for 1\.1\.$/ },
    { gate: { min_overlap: 1.1 }, reason: /^Overlap at 10 is 1, the gate asks for 1\.1\.$/ },
    {
      gate: { max_latency_ratio: 0 },
      reason: /^The 95th percentile of latency is [\d.]+ times the old one, the gate allows 0\.$/,
    },
  ];
  for (const { gate, reason } of gates)
    test(`of ${JSON.stringify(gate)} is ${reason === null ? "passed" : "missed, and says why"}`, async () => {
      const made = await setUp();
      await using _shop = made.shop;
      const report = await compare(made, gate);
      expect(report?.gate).toBe(reason === null ? "passed" : "missed");
      expect(report?.reasons).toEqual(reason === null ? [] : [expect.stringMatching(reason)]);
    });
});

test("texts of which the model knows no word are not asked for themselves", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  made.shop.db.raw.run("UPDATE vector SET data = zeroblob(octet_length(data)) WHERE generation = ?", [made.to.id]);
  expect(await compare(made)).toMatchObject({ self_retrieval: 1 });
});

test("a vector that finds another chunk than its own counts against the generation", async () => {
  const made = await setUp();
  await using _shop = made.shop;
  const { shop, to } = made;
  using _loaded = await shop.indexes.acquire(STORE, to.id);
  // In the database, but not in the index in memory: as if the index had been built from other vectors.
  shop.db.raw.run(
    "UPDATE vector SET data = (SELECT data FROM vector o WHERE o.generation = 1 AND o.chunk_id = vector.chunk_id) WHERE generation = ?",
    [to.id],
  );
  const report = await compare(made);
  expect(report?.self_retrieval).toBeLessThan(1);
});

test("rank correlation is that of what both found", () => {
  expect(spearman([1, 2, 3], [1, 2, 3])).toBe(1);
  expect(spearman([1, 2, 3], [3, 2, 1])).toBe(-1);
  expect(spearman([1, 2, 3, 4], [1, 5, 2, 6])).toBe(1);
  expect([spearman([1, 2], [3, 4]), spearman([1, 2], [1, 3]), spearman([], [])]).toEqual([null, null, null]);
});
