import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { newId } from "../platform/ids.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import type { EvaluatedMode } from "../storage/evaluations.ts";
import type { Relevant } from "../storage/judgments.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import { createEvaluateHandler } from "./evaluate.ts";
import type { MeasuredAnswer, MeasuredQuery } from "../search/measured.ts";
import type { JobOutcome } from "./runner.ts";
import { insertStore, insertStoreFile } from "../storage/testing/rows.ts";

const T = "ten_a";
const S = "vs_a";
const clock = { nowMs: () => 7_000_000, nowSeconds: () => 7_000 };
const FILES = ["file-a", "file-b"];

let temp: TempDir;
let dir: string;
let db: SqliteDatabase;
let storage: Storage;

beforeEach(async () => {
  temp = tempDir();
  dir = temp.path;
  db = openSqlite(join(dir, "meta.sqlite"), { flush: false });
  storage = createStorage(db);
  await insertStore(storage, { id: S, tenantId: T });
  for (const fileId of FILES) {
    const row = await insertStoreFile(storage, { tenantId: T, storeId: S, fileId, filename: fileId });
    await storage.storeFiles.complete(T, row.seq, 1, { usageBytes: 1, chunks: 1, vectors: 1 });
  }
});
afterEach(async () => {
  await db.close();
  temp[Symbol.dispose]();
});

async function judge(count: number, evaluation = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    const relevant: Relevant[] = [{ file: FILES[i % 2] ?? "", chunk: null, grade: 1 }];
    const owner = { tenantId: T, storeId: S, evaluation };
    await storage.judgments.put(owner, { id: newId("q_"), query: `query ${i}`, relevant }, 1);
  }
}

async function ask(more: { modes?: EvaluatedMode[]; own?: boolean } = {}) {
  return await storage.evaluations.insert({
    id: newId("eval_"),
    tenantId: T,
    storeId: S,
    createdAt: 1,
    modes: more.modes ?? ["hybrid", "keyword"],
    k: 10,
    generation: 1,
    queries: 1,
    own: more.own ?? false,
  });
}

type Search = (asked: MeasuredQuery, call: number) => MeasuredAnswer;

/** Answers with both files, file-a first. */
const found: Search = () => ({
  ok: true,
  generation: 1,
  hits: FILES.map((file, i) => ({ file, chunk: i })),
  ms: { total: 2, embed: 1 },
});

async function run(
  id: string,
  search: Search,
  attempt = 1,
  signal = new AbortController().signal,
): Promise<JobOutcome> {
  let calls = 0;
  const handler = createEvaluateHandler({
    storage,
    clock,
    search: (asked) => Promise.resolve(search(asked, calls++)),
  });
  const job = { id: 1, tenant_id: T, kind: "evaluate", store_id: S, subject: id, priority: 1, attempt, payload: "{}" };
  return await handler.run(job as never, signal);
}

const rowOf = (id: string) => storage.evaluations.ofJob(T, id);

test("every query is searched once a mode, with one chunk a file, and the means are kept", async () => {
  await judge(250);
  const { id } = await ask();
  const asked: MeasuredQuery[] = [];
  const outcome = await run(id, (one, call) => {
    asked.push(one);
    return found(one, call);
  });
  expect(outcome).toEqual({ type: "done" });
  expect(asked).toHaveLength(500);
  expect(new Set(asked.map(({ query, mode }) => `${query} ${mode}`)).size).toBe(500);
  expect(asked[0]).toEqual({
    tenantId: T,
    storeId: S,
    generation: null,
    query: "query 0",
    mode: "hybrid",
    results: 10,
    onePerFile: true,
  });
  const row = await rowOf(id);
  expect(row).toMatchObject({ status: "completed", queries: 250, missing: 0, generation: 1, completed_at: 7_000 });
  const figures = { ndcg_at_k: 0.8155, recall_at_k: 1, mrr_at_k: 0.75 };
  expect(row?.metrics).toEqual({
    hybrid: { ...figures, latency_ms: { p50: 2, p95: 2 } },
    keyword: { ...figures, latency_ms: { p50: 1, p95: 1 } },
  });
});

test("every mode that needs the query's vector bears the time that the first one waited for it", async () => {
  await judge(1);
  const { id } = await ask({ modes: ["hybrid", "vector", "keyword"] });
  const ms = { hybrid: { total: 12, embed: 10 }, vector: { total: 1, embed: 0 }, keyword: { total: 3, embed: 0 } };
  await run(id, ({ mode }) => ({ ok: true, generation: 1, hits: [], ms: ms[mode] }));
  const metrics = (await rowOf(id))?.metrics;
  expect(Object.values(metrics ?? {}).map((one) => one.latency_ms.p50)).toEqual([12, 11, 3]);
});

test("a query that was judged by what is no answer alone is left out of the means, and alone is nothing to measure", async () => {
  const owner = { tenantId: T, storeId: S, evaluation: 0 };
  const relevant: Relevant[] = [{ file: "file-gone", chunk: null, grade: 0 }];
  await storage.judgments.put(owner, { id: newId("q_"), query: "nothing fits", relevant }, 1);
  const alone = await ask();
  await run(alone.id, found);
  expect(await rowOf(alone.id)).toMatchObject({ status: "failed", error_code: "invalid_value" });
  await judge(2);
  const { id } = await ask({ modes: ["keyword"] });
  await run(id, found);
  expect(await rowOf(id)).toMatchObject({ status: "completed", queries: 2, missing: 0 });
});

describe("what was found for each query", () => {
  const hybrid = async (seq: number) => {
    const of = { tenantId: T, evaluation: seq, mode: "hybrid" as const };
    const { rows } = await storage.evaluationResults.list(of, { limit: 100, order: "desc" });
    return rows.map(({ query, scores, hits }) => [query, scores.ndcg, scores.before, hits.length]);
  };

  test("is kept with what it was before, what got worse first", async () => {
    await judge(4);
    const first = await ask();
    await run(first.id, found);
    // Files a and b are found in this order, and are what even and odd queries want.
    expect(await hybrid(first.seq)).toEqual([
      ["query 1", 0.6309, null, 2],
      ["query 3", 0.6309, null, 2],
      ["query 0", 1, null, 2],
      ["query 2", 1, null, 2],
    ]);
    const second = await ask();
    const turned: Search = (asked, call) => {
      const answer = found(asked, call);
      return answer.ok && asked.query === "query 0" ? { ...answer, hits: answer.hits.toReversed() } : answer;
    };
    await run(second.id, turned);
    expect((await hybrid(second.seq))[0]).toEqual(["query 0", 0.6309, 1, 2]);
    expect((await hybrid(second.seq)).slice(1).map(([query, , before]) => [query, before])).toEqual([
      ["query 1", 0.6309],
      ["query 3", 0.6309],
      ["query 2", 1],
    ]);
  });

  test("goes with the judged query, is there once after a second attempt, and only for the newest evaluations", async () => {
    await judge(3);
    const rows = [];
    for (let i = 0; i < 8; i++) {
      const row = await ask();
      rows.push(row);
      await run(row.id, found);
    }
    const counts = await Promise.all(rows.map(async ({ seq }) => (await hybrid(seq)).length));
    expect(counts).toEqual([0, 0, 3, 3, 3, 3, 3, 3]);
    const newest = rows[7]!;
    db.raw.run(/*sql*/ `UPDATE evaluation SET status = 'in_progress' WHERE seq = ${newest.seq}`);
    await run(newest.id, found);
    expect(await hybrid(newest.seq)).toHaveLength(3);
    await storage.judgments.removeSome({ tenantId: T, storeId: S, evaluation: 0 }, 2);
    expect(await hybrid(newest.seq)).toHaveLength(1);
  });

  test("is not kept of what an evaluation brought along", async () => {
    const row = await ask({ own: true });
    await judge(2, row.seq);
    await run(row.id, found);
    expect(await hybrid(row.seq)).toEqual([]);
  });
});

describe("a run that cannot go on", () => {
  const refused = (passing: boolean): MeasuredAnswer => ({ ok: false, code: "overloaded", message: "no", passing });

  test("is made again from the start when it was interrupted", async () => {
    await judge(3);
    const { id } = await ask();
    const stop = new AbortController();
    const cut: Search = (asked, call) => {
      if (call === 3) stop.abort();
      return found(asked, call);
    };
    expect(await run(id, cut, 1, stop.signal)).toEqual({ type: "interrupted" });
    expect((await rowOf(id))?.status).toBe("in_progress");
    expect(await run(id, found)).toEqual({ type: "done" });
    expect(await rowOf(id)).toMatchObject({ status: "completed", queries: 3 });
  });

  test("waits while the model is away, longer each time, and fails in the end", async () => {
    await judge(1);
    const { id } = await ask();
    expect(await run(id, () => refused(true))).toEqual({ type: "retry", inMs: 1000 });
    expect(await run(id, () => refused(true), 9)).toEqual({ type: "retry", inMs: 60_000 });
    expect(await run(id, () => refused(true), 10)).toEqual({ type: "done" });
    expect(await rowOf(id)).toMatchObject({ status: "failed", error_code: "overloaded", error_message: "no" });
  });

  test("fails at once where waiting is of no use", async () => {
    await judge(1);
    const { id } = await ask();
    expect(await run(id, () => refused(false))).toEqual({ type: "done" });
    expect((await rowOf(id))?.status).toBe("failed");
  });

  test("is made again when another generation went live in between", async () => {
    await judge(1);
    const { id } = await ask();
    const swapped: Search = (asked, call) => ({ ...found(asked, call), generation: call + 1 }) as MeasuredAnswer;
    expect(await run(id, swapped)).toEqual({ type: "retry", inMs: 1000 });
    expect((await rowOf(id))?.status).toBe("in_progress");
  });

  test("fails where the process died over it again and again, or nothing is judged any more", async () => {
    const { id } = await ask();
    expect(await run(id, found)).toEqual({ type: "done" });
    expect((await rowOf(id))?.status).toBe("failed");
    const other = await ask();
    await judge(1);
    await run(other.id, found, 11);
    expect(await rowOf(other.id)).toMatchObject({ status: "failed", error_code: "internal_error" });
  });
});

test("its own judged queries go when it has ended, also when the process died just then", async () => {
  await judge(5);
  const row = await ask({ own: true });
  await judge(700, row.seq);
  const own = { tenantId: T, storeId: S, evaluation: row.seq };
  await run(row.id, found);
  expect(await rowOf(row.id)).toMatchObject({ status: "completed", queries: 700 });
  expect([await storage.judgments.count(own), await storage.judgments.count({ ...own, evaluation: 0 })]).toEqual([
    0, 5,
  ]);
  await judge(3, row.seq);
  await run(row.id, () => {
    throw new Error("must not search again");
  });
  expect(await storage.judgments.count(own)).toBe(0);
});

test("an evaluation that is gone with its store is nothing to do", async () => {
  expect(await run("eval_gone", found)).toEqual({ type: "done" });
});
