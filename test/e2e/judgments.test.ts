/** Judged queries and evaluations on a running server: through the API, the command line, a kill, and a migration. */
import { Database } from "bun:sqlite";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, json, newStore, refusal, settled, upload } from "../helpers/api.ts";
import { runLectern, startServer, TEST_KEY, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, migrationEnd, SECOND_MODEL, startMigration } from "../migrate/corpus.ts";

interface Metrics {
  ndcg_at_k: number;
  recall_at_k: number;
  mrr_at_k: number;
  latency_ms: { p50: number; p95: number };
}
interface Evaluation {
  id: string;
  object: string;
  status: string;
  generation: number;
  k: number;
  queries: number;
  missing: number;
  metrics: Record<string, Metrics>;
  last_error: { code: string; message: string } | null;
}
interface Judgment {
  id: string;
  query: string;
  relevant: { file_id: string; chunk_id?: string; grade: number }[];
}
interface Result {
  query: string;
  mode: string;
  ndcg_at_k: number;
  previous_ndcg_at_k: number | null;
  found: { file_id: string; filename: string | null; chunk_id: string; grade: number | null }[];
}
interface List<T> {
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

const TEXTS: Record<string, string> = {
  "refunds.md": "Refunds are paid within fourteen days of the return of the goods.",
  "volcano.md": "The volcano erupted and covered the valley in ash.",
  "violin.md": "A violin has four strings tuned in fifths.",
  "bread.md": "Bread dough rises because yeast makes carbon dioxide.",
};
const QUERIES: [query: string, answer: string][] = [
  ["when are refunds paid", "refunds.md"],
  ["volcano ash valley", "volcano.md"],
  ["how many strings has a violin", "violin.md"],
  ["why does bread dough rise", "bread.md"],
];

/** A judged query of the test with the kill. */
const CANARY = "volcano ash valley 1";

let dir: TempDir;
let server: TestServer;
beforeAll(async () => {
  dir = tempDir();
  await addSecondModel(dir.join("data"));
  server = await startServer({ dataDir: dir.join("data"), args: ["--log-level", "warn"] });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const path = (store: string, rest: string) => `/v1/vector_stores/${store}/${rest}`;
const judge = (on: TestServer, store: string, judgments: unknown) =>
  json<List<Judgment> & { added: number; replaced: number; total: number }>(on, "POST", path(store, "judgments"), {
    judgments,
  });
const start = (on: TestServer, store: string, body: object = {}) =>
  json<Evaluation>(on, "POST", path(store, "evals"), body);

async function ended(on: TestServer, store: string, id: string): Promise<Evaluation> {
  return await waitFor(
    `evaluation ${id} ends`,
    async () => {
      const seen = await json<Evaluation>(on, "GET", path(store, `evals/${id}`));
      return seen.status === "completed" || seen.status === "failed" ? seen : undefined;
    },
    120_000,
  );
}

const measured = async (on: TestServer, store: string, body: object = {}) =>
  await ended(on, store, (await start(on, store, body)).id);

async function filled(on: TestServer): Promise<{ store: string; files: Record<string, string> }> {
  const store = await newStore(on);
  const files: Record<string, string> = {};
  for (const [name, text] of Object.entries(TEXTS)) files[name] = await addText(on, store, name, text);
  return { store, files };
}

const byFile = (files: Record<string, string>) =>
  QUERIES.map(([query, name]) => ({ query, relevant: [{ file_id: files[name] }] }));

describe("judged queries", () => {
  test("are added, listed page by page, replaced by the same query, and deleted one by one or all", async () => {
    const { store, files } = await filled(server);
    const added = await judge(server, store, byFile(files));
    expect(added).toMatchObject({ object: "list", has_more: false, added: 4, replaced: 0, total: 4 });
    expect(added.data.map((one) => one.query)).toEqual(QUERIES.map(([query]) => query));
    const [chunk] = (
      await json<List<{ id: string }>>(server, "GET", path(store, `chunks?file_id=${files["bread.md"]}`))
    ).data;
    const again = await judge(server, store, [
      { query: "volcano ash valley", relevant: [{ chunk_id: chunk?.id, grade: 2 }] },
      { query: "a fifth query", relevant: [{ file_id: files["violin.md"], grade: 3 }] },
    ]);
    expect(again).toMatchObject({ added: 1, replaced: 1, total: 5 });
    expect(again.data[0]).toEqual({
      id: added.data[1]?.id ?? "",
      object: "vector_store.judgment",
      vector_store_id: store,
      created_at: expect.any(Number),
      query: "volcano ash valley",
      relevant: [{ file_id: files["bread.md"] ?? "", filename: "bread.md", chunk_id: chunk?.id ?? "", grade: 2 }],
    } as never);

    const all: Judgment[] = [];
    let after = "";
    for (;;) {
      const page = await json<List<Judgment>>(server, "GET", path(store, `judgments?limit=2&order=asc${after}`));
      all.push(...page.data);
      // Its cursor stays good.
      if (all.length === 2) await json(server, "DELETE", path(store, `judgments/${page.last_id}`));
      after = `&after=${page.last_id}`;
      if (!page.has_more) break;
    }
    expect(all.map((one) => one.query)).toEqual([...QUERIES.map(([query]) => query), "a fifth query"]);
    expect(await refusal(server, "DELETE", path(store, `judgments/${all[1]?.id}`))).toMatchObject({
      status: 404,
      code: "judgment_not_found",
    });
    expect(await json<object>(server, "DELETE", path(store, "judgments"))).toEqual({
      id: store,
      object: "vector_store.judgments.deleted",
      deleted: true,
      count: 4,
    });
    expect((await json<List<Judgment>>(server, "GET", path(store, "judgments"))).data).toEqual([]);
  });

  test("of another store's files or chunks, or of nothing, are refused by their place, and then nothing is added", async () => {
    const [{ store, files }, other] = [await filled(server), await filled(server)];
    const [chunk] = (await json<List<{ id: string }>>(server, "GET", path(other.store, "chunks"))).data;
    const good = { file_id: files["bread.md"] };
    const cases: [relevant: object[], code: string, place: string][] = [
      [[good, { file_id: other.files["bread.md"] }], "invalid_value", "relevant[1].file_id"],
      [[good, { chunk_id: chunk?.id }], "invalid_value", "relevant[1].chunk_id"],
      [[{ chunk_id: "file-x" }], "invalid_value", "relevant[0].chunk_id"],
      [[{ ...good, chunk_id: chunk?.id }], "invalid_value", "relevant[0]"],
      [[{ grade: 1 }], "missing_required_parameter", "relevant[0].file_id"],
      [[{ ...good, grade: 0 }], "invalid_value", "relevant"],
      [[{ ...good, grade: -1 }], "decimal_below_min_value", "relevant[0].grade"],
      [[], "array_below_min_length", "relevant"],
    ];
    for (const [relevant, code, place] of cases) {
      const body = {
        judgments: [
          { query: "first", relevant: [good] },
          { query: "second", relevant },
        ],
      };
      expect(await refusal(server, "POST", path(store, "judgments"), body)).toMatchObject({
        status: 400,
        code,
        param: `judgments[1].${place}`,
      });
    }
    expect((await json<List<Judgment>>(server, "GET", path(store, "judgments"))).data).toEqual([]);
  });

  test("are read with a reader's key, changed with a writer's, and are not there for another tenant", async () => {
    const tenant = await newTenant(server, "judge");
    const writer = as(server, (await newKey(server, { tenant_id: tenant })).key);
    const reader = as(server, (await newKey(server, { tenant_id: tenant, role: "read" })).key);
    const { store, files } = await filled(writer);
    const body = { judgments: byFile(files) };
    await judge(writer, store, body.judgments);
    expect((await json<List<Judgment>>(reader, "GET", path(store, "judgments"))).data).toHaveLength(4);
    for (const [method, rest, sent] of [
      ["POST", "judgments", body],
      ["DELETE", "judgments", undefined],
      ["POST", "evals", {}],
    ] as const) {
      expect(await refusal(reader, method, path(store, rest), sent)).toMatchObject({ status: 403 });
    }
    const { id } = await measured(writer, store);
    expect((await json<Evaluation>(reader, "GET", path(store, `evals/${id}`))).status).toBe("completed");
    const stranger = as(server, (await newKey(server, { tenant_id: await newTenant(server, "stranger") })).key);
    for (const [method, rest] of [
      ["GET", "judgments"],
      ["DELETE", "judgments"],
      ["GET", "evals"],
      ["GET", `evals/${id}`],
    ] as const) {
      expect(await refusal(stranger, method, path(store, rest))).toMatchObject({
        status: 404,
        code: "vector_store_not_found",
      });
    }
    const own = await newStore(stranger);
    expect(await refusal(stranger, "GET", path(own, `evals/${id}`))).toMatchObject({
      status: 404,
      code: "eval_not_found",
    });
    // Suspended with its store.
    await json(server, "POST", `/v1/admin/vector_stores/${store}/suspend`);
    for (const rest of ["judgments", "evals", `evals/${id}`])
      expect(await refusal(writer, "GET", path(store, rest))).toMatchObject({ status: 402 });
  });
});

describe("an evaluation", () => {
  test("gives the figures of every mode, and of the modes and the depth asked for", async () => {
    const { store, files } = await filled(server);
    await judge(server, store, byFile(files));
    const started = await start(server, store);
    expect(started).toMatchObject({ object: "vector_store.eval", status: "queued", queries: 4, k: 10, metrics: {} });
    const { status, metrics, generation, missing } = await ended(server, store, started.id);
    expect([status, generation, missing]).toEqual(["completed", 1, 0]);
    expect(Object.keys(metrics)).toEqual(["hybrid", "vector", "keyword"]);
    for (const { latency_ms, ...figures } of Object.values(metrics)) {
      expect(figures).toEqual({ ndcg_at_k: 1, recall_at_k: 1, mrr_at_k: 1 });
      expect(latency_ms.p50).toBeGreaterThan(0);
      expect(latency_ms.p95).toBeGreaterThanOrEqual(latency_ms.p50);
    }
    // One answer of two is all that one result can hold.
    const judgments = [
      {
        query: "volcano ash valley",
        relevant: [{ file_id: files["volcano.md"], grade: 2 }, { file_id: files["bread.md"] }],
      },
      { query: "violin strings", relevant: [{ file_id: files["bread.md"] }] },
    ];
    const own = await measured(server, store, { modes: ["keyword"], k: 1, judgments });
    expect(own.metrics).toEqual({
      keyword: { ndcg_at_k: 0.5, recall_at_k: 0.25, mrr_at_k: 0.5, latency_ms: expect.anything() },
    } as never);
    // What it brought along is not kept.
    expect((await json<List<Judgment>>(server, "GET", path(store, "judgments"))).data).toHaveLength(4);
    const list = await json<List<Evaluation>>(server, "GET", path(store, "evals"));
    expect(list.data.map((one) => one.id)).toEqual([own.id, started.id]);
    expect((await json<List<Evaluation>>(server, "GET", path(store, `evals?after=${own.id}`))).data).toHaveLength(1);
  });

  test("says what it found for each query, page by page, with what was judged", async () => {
    const { store, files } = await filled(server);
    await judge(server, store, [
      ...byFile(files).slice(0, 2),
      { query: "violin strings", relevant: [{ file_id: files["bread.md"] }] },
    ]);
    const { id } = await measured(server, store);
    const results = (rest: string) => json<List<Result>>(server, "GET", path(store, `evals/${id}/results?${rest}`));
    const all: Result[] = [];
    for (let after = ""; ;) {
      const page = await results(`limit=1&mode=keyword${after}`);
      all.push(...page.data);
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    expect(all[0]).toMatchObject({
      object: "vector_store.eval.result",
      query: "violin strings",
      mode: "keyword",
      ndcg_at_k: 0,
      previous_ndcg_at_k: null,
      relevant: [{ file_id: files["bread.md"], filename: "bread.md", grade: 1 }],
    });
    expect(all[0]?.found[0]).toEqual({
      file_id: files["violin.md"] ?? "",
      filename: "violin.md",
      chunk_id: expect.stringMatching(/^chunk_/) as never,
      grade: null,
    });
    expect(all.slice(1).map(({ query, found }) => [query, found[0]?.filename, found[0]?.grade])).toEqual([
      ["when are refunds paid", "refunds.md", 1],
      ["volcano ash valley", "volcano.md", 1],
    ]);
    const again = await measured(server, store);
    const second = await json<List<Result>>(server, "GET", path(store, `evals/${again.id}/results`));
    expect(second.data.map(({ mode, previous_ndcg_at_k: before }) => [mode, before])).toEqual([
      ["hybrid", 0.6309],
      ["hybrid", 1],
      ["hybrid", 1],
    ]);
    expect(await refusal(server, "GET", path(store, "evals/eval_none/results"))).toMatchObject({ status: 404 });
    expect(await refusal(server, "GET", path(store, `evals/${id}/results?after=q_none`))).toMatchObject({
      status: 400,
      param: "after",
    });
  });

  test("is not in the query log, and is no search in the statistics", async () => {
    const { store, files } = await filled(server);
    await judge(server, store, byFile(files));
    await measured(server, store);
    expect((await json<List<object>>(server, "GET", path(store, "queries"))).data).toEqual([]);
    const { queries } = await json<{ queries: { count: number } }>(server, "GET", path(store, "stats"));
    expect(queries.count).toBe(0);
  });

  test("of a store without judged queries is refused and says what to do", async () => {
    const error = await refusal(server, "POST", path(await newStore(server), "evals"), {});
    expect([error.status, error.code]).toEqual([400, "invalid_value"]);
    expect(error.message).toContain("/judgments");
  });

  test("counts a chunk that was indexed anew, and a deleted file, as missing and not found", async () => {
    const { store, files } = await filled(server);
    const chunks = (await json<List<{ id: string; file_id: string }>>(server, "GET", path(store, "chunks"))).data;
    const chunkOf = (name: string) => chunks.find((chunk) => chunk.file_id === files[name])?.id;
    await judge(
      server,
      store,
      QUERIES.map(([query, name]) => ({ query, relevant: [{ chunk_id: chunkOf(name) }] })),
    );
    expect(await measured(server, store)).toMatchObject({ missing: 0, metrics: { hybrid: { recall_at_k: 1 } } });
    // Attached anew with another chunking.
    await json(server, "DELETE", path(store, `files/${files["bread.md"]}`));
    await json(server, "POST", path(store, "files"), { file_id: files["bread.md"] });
    await settled(server, store, files["bread.md"] ?? "");
    await json(server, "DELETE", `/v1/files/${files["violin.md"]}`);
    expect(await measured(server, store)).toMatchObject({ missing: 2, metrics: { hybrid: { recall_at_k: 0.5 } } });
  });

  test("that is killed with the server is made again and ends", async () => {
    using own = tempDir();
    const dataDir = own.join("data");
    const many = 1000;
    let store: string;
    let id: string;
    {
      await using first = await startServer({ dataDir });
      const made = await filled(first);
      store = made.store;
      const judgments = Array.from({ length: many }, (_, i) => {
        const [query, name] = QUERIES[i % QUERIES.length] ?? ["", ""];
        return { query: `${query} ${i}`, relevant: [{ file_id: made.files[name] }] };
      });
      await judge(first, store, judgments.slice(0, 10));
      id = (await start(first, store, { judgments })).id;
      await waitFor("it runs", async () => {
        const seen = await json<Evaluation>(first, "GET", path(store, `evals/${id}`));
        return seen.status === "in_progress" ? true : undefined;
      });
      await first.kill();
    }
    expect(isOnDisk(dataDir, CANARY)).toBe(true);
    expect(countOf(dataDir, "SELECT count(*) AS n FROM evaluation WHERE status = 'in_progress'")).toBe(1);
    await using second = await startServer({ dataDir });
    const done = await ended(second, store, id);
    expect(done).toMatchObject({ status: "completed", queries: many, missing: 0, last_error: null });
    expect(Object.keys(done.metrics)).toEqual(["hybrid", "vector", "keyword"]);
    await waitFor("what it brought along is gone", () =>
      countOf(dataDir, "SELECT count(*) AS n FROM judgment") === 10 ? true : undefined,
    );
    // They go with the store.
    await json(second, "DELETE", `/v1/vector_stores/${store}`);
    await waitFor("the deletion is complete", async () => {
      const { data } = await json<List<{ completed_at: number | null }>>(second, "GET", "/v1/admin/deletions");
      return data[0]?.completed_at == null ? undefined : true;
    });
    for (const table of ["judgment", "evaluation"])
      expect([table, countOf(dataDir, `SELECT count(*) AS n FROM ${table}`)]).toEqual([table, 0]);
    // And leave nothing on the disk.
    expect(await second.stop()).toBe(0);
    expect(isOnDisk(dataDir, CANARY)).toBe(false);
  });
});

test("a migration's report has the figures of both models on the judged queries, and its gate looks at them", async () => {
  const { store, files } = await filled(server);
  const chunks = (await json<List<{ id: string; file_id: string }>>(server, "GET", path(store, "chunks"))).data;
  await judge(server, store, [
    ...byFile(files),
    {
      query: "string instrument",
      relevant: [{ chunk_id: chunks.find((one) => one.file_id === files["violin.md"])?.id }],
    },
    { query: "yeast", relevant: [{ file_id: files["volcano.md"], grade: 3 }, { file_id: files["bread.md"] }] },
  ]);
  const { id } = await startMigration(server, store, {
    embedding_model: SECOND_MODEL,
    gate: { min_recall: 0.5 },
    chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } },
  });
  const { status, report } = await migrationEnd(server, store, id);
  expect([status, report]).toMatchObject([
    "completed",
    { source: "judged", queries: 6, gate: "passed", recall_at_10: { from: 1, to: 1 } },
  ]);
  const { ndcg_at_10: ndcg } = report as unknown as { ndcg_at_10: { from: number; to: number } };
  for (const value of [ndcg.from, ndcg.to]) {
    expect(value).toBeGreaterThan(0.8);
    expect(value).toBeLessThan(1);
  }
  // Its searches are no users'.
  expect((await json<List<object>>(server, "GET", path(store, "queries"))).data).toEqual([]);
});

test("a migration stops before the swap where too few judged answers are found", async () => {
  const { store, files } = await filled(server);
  const relevant = [{ file_id: files["bread.md"] }, { file_id: await upload(server, "apart.md", "apart") }];
  await json(server, "POST", path(store, "files"), { file_id: relevant[1]?.file_id });
  await settled(server, store, relevant[1]?.file_id ?? "");
  await judge(server, store, [{ query: "bread dough", relevant }]);
  await json(server, "DELETE", path(store, `files/${relevant[1]?.file_id}`));
  const { id } = await startMigration(server, store, { gate: { min_recall: 0.75 } });
  const { status, report } = await migrationEnd(server, store, id);
  expect([status, report]).toMatchObject([
    "ready",
    { gate: "missed", recall_at_10: { from: 0.5, to: 0.5 }, reasons: ["Recall is 0.5, the gate asks for 0.75."] },
  ]);
  await json(server, "POST", path(store, `migrations/${id}/cancel`), {});
});

describe("lectern eval", () => {
  const run = (...args: string[]) =>
    runLectern(["eval", ...args, "--url", server.url, "--key", TEST_KEY], { cwd: dir.path });

  test("prints a table of the uploaded judged queries, or the evaluation as JSON", async () => {
    const { store, files } = await filled(server);
    const refused = await run(store);
    expect([refused.status, refused.out]).toEqual([1, ""]);
    expect(refused.err).toContain("--queries FILE");
    await judge(server, store, byFile(files));
    const table = await run(store, "--modes", "keyword,hybrid", "--k", "5");
    expect([table.status, table.err]).toEqual([0, expect.stringContaining("nDCG@5")]);
    const rows = table.out.trim().split("\n");
    expect(rows.map((row) => row.split(/\s+/).slice(0, 4))).toEqual([
      ["hybrid", "1.0000", "1.0000", "1.0000"],
      ["keyword", "1.0000", "1.0000", "1.0000"],
    ]);
    const shown = JSON.parse((await run(store, "--json")).out) as Evaluation;
    expect(shown).toMatchObject({ status: "completed", queries: 4, metrics: { vector: { recall_at_k: 1 } } });
  });

  test("runs a file of JSON lines and a folder in BEIR's layout by the files' names, and leaves the uploaded ones alone", async () => {
    const { store, files } = await filled(server);
    await judge(server, store, byFile(files).slice(0, 1));
    const lines = QUERIES.map(([query, name], i) =>
      JSON.stringify({ query, relevant: [i % 2 === 0 ? name : { filename: name, grade: 2 }] }),
    );
    await Bun.write(dir.join("judged.jsonl"), `${lines.join("\n")}\n\n`);
    const byLines = await run(store, "--queries", "judged.jsonl", "--json");
    expect(JSON.parse(byLines.out)).toMatchObject({ queries: 4, missing: 0, metrics: { hybrid: { ndcg_at_k: 1 } } });

    const queries = QUERIES.map(([text], i) => JSON.stringify({ _id: `q${i}`, text }));
    await Bun.write(dir.join("set/queries.jsonl"), queries.join("\n"));
    const qrels = QUERIES.map(([, name], i) => `q${i}\t${name.replace(".md", "")}\t1`);
    const rows = ["query-id\tcorpus-id\tscore", ...qrels, "q0\tnot-there\t1", "q1\tbread\t0"];
    await Bun.write(dir.join("set/qrels/test.tsv"), `${rows.join("\n")}\n`);
    const bySet = await run(store, "--queries", "set");
    expect([bySet.status, bySet.err]).toEqual([
      0,
      expect.stringContaining("1 judged file or chunk is not in the index"),
    ]);
    expect(bySet.out.split("\n")[0]).toMatch(/^hybrid +0\.\d{4} +0\.8750 +1\.0000 /);
    expect((await json<List<Judgment>>(server, "GET", path(store, "judgments"))).data).toHaveLength(1);
  });

  test.each([
    [["--queries", "none.jsonl"], "There is no file"],
    [["--queries", "bad.jsonl"], "bad.jsonl, line 2: expected an object with query and relevant."],
    [["--queries", "foreign.jsonl"], 'No file that FILE names, such as "elsewhere.md", is in the store.'],
    [["--modes", "fuzzy"], "--modes takes hybrid, vector and keyword"],
    [["--k", "51"], "--k must be a whole number from 1 to 50"],
  ])("%j is refused in one line", async (args, message) => {
    // What was called wrongly, and what went wrong, end with another status.
    const isMisuse = args[0] !== "--queries";
    await Bun.write(dir.join("bad.jsonl"), '{"query":"a","relevant":["b"]}\n{"query":"a"}\n');
    await Bun.write(dir.join("foreign.jsonl"), '{"query":"a","relevant":["elsewhere.md"]}\n');
    const store = await newStore(server);
    const { status, out, err } = await run(store, ...args);
    expect([status, out, err.trim().split("\n")]).toEqual([isMisuse ? 2 : 1, "", [expect.stringContaining(message)]]);
  });
});

test("a file can be judged before it is indexed", async () => {
  const store = await newStore(server);
  const file = await upload(server, "later.md", "Later is a word about time.");
  await json(server, "POST", path(store, "files"), { file_id: file });
  await judge(server, store, [{ query: "time", relevant: [{ file_id: file }] }]);
  await settled(server, store, file);
  expect(await measured(server, store)).toMatchObject({ missing: 0, metrics: { keyword: { recall_at_k: 1 } } });
});

function isOnDisk(dataDir: string, text: string): boolean {
  const paths = ["meta.sqlite", "meta.sqlite-wal"].map((name) => join(dataDir, name));
  return paths.some((path) => existsSync(path) && readFileSync(path).includes(text));
}

function countOf(dataDir: string, sql: string): number {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  return db.query<{ n: number }, []>(sql).get()?.n ?? -1;
}
