/**
 * `make eval`: retrieval quality through the HTTP API of a real server.
 *
 *   EVAL_DIR=folder   where the test sets are (BEIR layout); default ../shared/data/eval-dev.tar.xz beside the checkout
 *   EVAL_SETS=a,b     only these sets;  EVAL_LONG=0 leaves the long documents out;  EVAL_MODEL=name  another embedding model
 *   EVAL_SAVE=1       writes the figures as the new baseline
 *
 * Prints a table and one JSON line per row, and fails when the mean nDCG@10 of a mode fell by more than 0.005.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { fillStore, MODES, type FilledStore, type SearchMode } from "./client.ts";
import { meanOf, scoresOf, type Scores } from "./measures.ts";
import { joinPassages, readSet, setNames, type EvalSet, type LongSet } from "./sets.ts";

interface Row extends Scores {
  set: string;
  mode: SearchMode;
  queries: number;
  p50_ms: number;
}

const ARCHIVE = join(ROOT, "../shared/data/eval-dev.tar.xz");
const BASELINE = join(import.meta.dir, "baseline.json");
const MOST_LOST = 0.005;
/** A chunk answers when it covers at least half of the passage, or lies in it by half. */
const LEAST_OVERLAP = 0.5;
/** Sets whose documents make sense when joined. */
const LONG_SETS = new Set(["cisi", "pubmedqa", "se-beer", "xquad-es"]);

const env = process.env;
using unpacked = tempDir();
const root = env["EVAL_DIR"] ?? (await unpack(unpacked.path));
if (root === null) {
  console.log("No test sets: set EVAL_DIR to a folder in BEIR's layout (a folder a set).");
  process.exit(0);
}
const wanted = env["EVAL_SETS"]?.split(",");
const names = setNames(root).filter((name) => wanted === undefined || wanted.includes(name));
const models = env["EVAL_MODEL"];
await using server = await startServer({
  args: ["--log-level", "error", ...(models === undefined ? [] : ["--default-model", models])],
});

const rows: Row[] = [];
for (const name of names) {
  const set = await readSet(root, name);
  rows.push(...(await evaluate(server, set)));
  if (env["EVAL_LONG"] !== "0" && LONG_SETS.has(name)) rows.push(...(await evaluateLong(server, joinPassages(set))));
}
const summary = summarise(rows);
console.log(`\n${table([...rows, ...summary])}\n`);
for (const row of [...rows, ...summary]) console.log(JSON.stringify(row));
process.exitCode = await compare([...rows, ...summary]);

async function unpack(into: string): Promise<string | null> {
  if (!existsSync(ARCHIVE)) return null;
  mkdirSync(into, { recursive: true });
  await Bun.$`tar xJf ${ARCHIVE} -C ${into}`.quiet();
  const inner = join(into, "eval-dev");
  return existsSync(inner) ? inner : into;
}

async function evaluate(on: TestServer, set: EvalSet): Promise<Row[]> {
  const documents = set.documents.map(({ id, title, text }) => ({
    id,
    text: title === "" ? text : `${title}\n\n${text}`,
  }));
  const indexable = documents.filter(({ text }) => text.trim() !== "");
  const store = await fillStore(on, set.name, indexable);
  const rank = async (query: EvalSet["queries"][number], mode: SearchMode) => {
    const { hits, ms } = await store.search(query.text, mode);
    return { ms, scores: scoresOf([...new Set(hits.map((hit) => hit.document))], query.judgments) };
  };
  return await rowsOf(on, set.name, store, set.queries, rank);
}

/** The answer is a place in a long file: each relevant span counts for the first chunk that covers it. */
async function evaluateLong(on: TestServer, set: LongSet): Promise<Row[]> {
  const store = await fillStore(on, set.name, set.files);
  const rank = async (query: LongSet["queries"][number], mode: SearchMode) => {
    const { hits, ms } = await store.search(query.text, mode);
    const judgments = new Map(query.spans.map((span, i) => [`span-${i}`, span.grade]));
    const ranked = hits.map((hit, at) => {
      const found = query.spans.findIndex((span) => span.file === hit.document && covers(hit, span));
      return found < 0 ? `other-${at}` : `span-${found}`;
    });
    return { ms, scores: scoresOf([...new Set(ranked)], judgments) };
  };
  return await rowsOf(on, set.name, store, set.queries, rank);
}

function covers(chunk: { start: number; end: number }, span: { start: number; end: number }): boolean {
  const shared = Math.min(chunk.end, span.end) - Math.max(chunk.start, span.start);
  return shared >= LEAST_OVERLAP * Math.min(span.end - span.start, chunk.end - chunk.start);
}

async function rowsOf<Query>(
  on: TestServer,
  name: string,
  store: FilledStore,
  queries: readonly Query[],
  rank: (query: Query, mode: SearchMode) => Promise<{ ms: number; scores: Scores }>,
): Promise<Row[]> {
  const made: Row[] = [];
  for (const mode of MODES) {
    const results = [];
    for (const query of queries) results.push(await rank(query, mode));
    const times = results.map(({ ms }) => ms).toSorted((a, b) => a - b);
    const row = {
      set: name,
      mode,
      queries: queries.length,
      ...meanOf(results.map(({ scores }) => scores)),
      p50_ms: times[times.length >> 1] ?? 0,
    };
    made.push(row);
    console.error(`${name.padEnd(16)} ${mode.padEnd(8)} nDCG@10 ${row.ndcg.toFixed(4)}`);
  }
  await on.fetch(`/v1/vector_stores/${store.id}`, { method: "DELETE" });
  return made;
}

/** Means over all sets, over the English ones that the target is set for, and over the long ones, by mode. */
function summarise(all: readonly Row[]): Row[] {
  const target = new Set(["cisi", "cacm", "npl", "cosqa-dev", "se-coffee", "se-beer"]);
  const groups: [string, (row: Row) => boolean][] = [
    ["mean", (row) => !row.set.endsWith("-long")],
    ["mean of six", (row) => target.has(row.set)],
    ["mean xquad", (row) => row.set.startsWith("xquad") && !row.set.endsWith("-long")],
    ["mean long", (row) => row.set.endsWith("-long")],
  ];
  return groups.flatMap(([set, belongs]) =>
    MODES.flatMap((mode) => {
      const members = all.filter((row) => row.mode === mode && belongs(row));
      if (members.length < 2) return [];
      const queries = members.reduce((sum, row) => sum + row.queries, 0);
      const p50 = members.reduce((sum, row) => sum + row.p50_ms, 0) / members.length;
      return [{ set, mode, queries, ...meanOf(members), p50_ms: p50 }];
    }),
  );
}

function table(all: readonly Row[]): string {
  const lines = all.map((row) =>
    [
      row.set.padEnd(16),
      row.mode.padEnd(8),
      String(row.queries).padStart(7),
      ...[row.ndcg, row.recall, row.mrr].map((value) => value.toFixed(4).padStart(9)),
      row.p50_ms.toFixed(2).padStart(8),
    ].join(" "),
  );
  return [`${"set".padEnd(16)} ${"mode".padEnd(8)} queries   nDCG@10 Recall@10    MRR@10   p50 ms`, ...lines].join(
    "\n",
  );
}

/** 1 when a mean fell by more than is allowed; figures without a counterpart in the baseline are not compared. */
async function compare(all: readonly Row[]): Promise<number> {
  const figures = Object.fromEntries(all.map((row) => [`${row.set} ${row.mode}`, Number(row.ndcg.toFixed(4))]));
  if (env["EVAL_SAVE"] === "1") {
    await Bun.write(BASELINE, `${JSON.stringify(figures, null, 2)}\n`);
    return 0;
  }
  if (!existsSync(BASELINE) || env["EVAL_DIR"] !== undefined || wanted !== undefined) return 0;
  const baseline = (await Bun.file(BASELINE).json()) as Record<string, number>;
  const fallen = Object.entries(figures).filter(
    ([key, value]) => key.startsWith("mean") && value < (baseline[key] ?? 0) - MOST_LOST,
  );
  for (const [key, value] of fallen) console.error(`FAILED: ${key} fell from ${baseline[key]} to ${value}`);
  return fallen.length === 0 ? 0 : 1;
}
