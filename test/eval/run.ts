/**
 * `make eval`: retrieval quality through the HTTP API of a real server.
 *
 *   EVAL_DIR=folder   where the test sets are (BEIR layout); default ../shared/data/eval-dev.tar.xz beside the checkout
 *   EVAL_SETS=a,b     only these sets;  EVAL_LONG=0 leaves the long documents out;  EVAL_MODEL=name  another embedding model
 *   EVAL_CHUNKS=800/400   tokens of a chunk and of its overlap with the one before
 *   EVAL_SMALL=0      leaves small stores out;  EVAL_SMALL=only  asks nothing else
 *   EVAL_ANSWERS=file a line for every answer given, for choosing their bounds
 *   EVAL_ENGINE=pgvector  every store is searched by PostgreSQL; the figures are held against those of memory all the same
 *   EVAL_SAVE=1       writes the figures as the new baseline
 *
 * Prints, for keywords, vectors, the two fused, and that rescored (the default): a table and one JSON line per row; then
 * how well the scores shown keep what they promise, and what small stores answer and refuse (small.ts). Fails when the
 * mean nDCG@10 of a mode fell by more than 0.005, or what small stores answer or refuse rightly by more than 0.05.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createVectorDatabase, startPgvector } from "../cluster/servers/pgvector.ts";
import { PRODUCT_DEFAULT, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type AnsweredQuestion, answerFigures, ask, sampleOf } from "./answers.ts";
import { fillStore, MODES, type Chunking, type FilledStore, type Hit, type SearchMode } from "./client.ts";
import { meanOf, scoresOf, type Scores } from "./measures.ts";
import {
  fallen,
  figuresOf,
  rounded,
  scoreFigures,
  scoreTable,
  summarise,
  table,
  type Figures,
  type Row,
  type Shown,
} from "./report.ts";
import {
  indexable,
  isTranslated,
  joinPassages,
  readSet,
  sampled,
  setNames,
  setsFolder,
  type EvalSet,
  type LongSet,
} from "./sets.ts";
import { evaluateSmall } from "./small.ts";

const BASELINE = join(import.meta.dir, "baseline.json");
/** A chunk answers when it covers at least half of the passage, or lies in it by half. */
const LEAST_OVERLAP = 0.5;
/** Sets whose documents make sense when joined. */
const LONG_SETS = new Set(["cisi", "pubmedqa", "se-beer", "xquad-es"]);
/** Results whose scores are looked at, and questions of each other set that are put to a store. */
const JUDGED_RESULTS = 20;
const FOREIGN_QUESTIONS = 15;

const env = process.env;
using unpacked = tempDir();
const root = await setsFolder(env["EVAL_DIR"], unpacked.path);
if (root === null) {
  console.log("No test sets: set EVAL_DIR to a folder in BEIR's layout (a folder a set).");
  process.exit(0);
}
const wanted = env["EVAL_SETS"]?.split(",");
const chunking = readChunking(env["EVAL_CHUNKS"]);
const names = setNames(root).filter((name) => wanted === undefined || wanted.includes(name));
const sets = await Promise.all(names.map((name) => readSet(root, name)));
const model = env["EVAL_MODEL"];
await using database = env["EVAL_ENGINE"] === "pgvector" ? await startPgvector() : null;
const engine =
  database === null ? [] : ["--database", await createVectorDatabase(database, "eval"), "--pgvector-from", "0"];
await using server = await startServer({
  args: ["--log-level", "error", ...(model === undefined ? [] : ["--default-model", model]), ...engine],
  env: PRODUCT_DEFAULT,
});

const rows: Row[] = [];
const shown: Shown = { results: [], own: [], foreign: [] };
const answered: AnsweredQuestion[][] = [];
/** The same documents in several languages, with their stores. */
const translated: { set: EvalSet; store: FilledStore }[] = [];
for (const set of env["EVAL_SMALL"] === "only" ? [] : sets) {
  rows.push(...(await evaluate(server, set)));
  if (env["EVAL_LONG"] !== "0" && LONG_SETS.has(set.name))
    rows.push(...(await evaluateLong(server, joinPassages(set))));
}
if (translated.length > 1) rows.push(...(await evaluateAcross()));
const all = [...rows, ...summarise(rows)];
const { calibration, figures: scores } = scoreFigures(shown);
const small = env["EVAL_SMALL"] === "0" ? {} : rounded(await evaluateSmall(server, sets));
const figures = env["EVAL_SMALL"] === "only" ? small : { ...scores, ...rounded(answerFigures(answered)), ...small };
console.log(`\n${table(all)}\n\n${scoreTable(calibration, figures)}\n`);
for (const row of all) console.log(JSON.stringify(row));
console.log(JSON.stringify({ ...figures, calibration: calibration.bins }));
process.exitCode = await conclude();

function readChunking(given: string | undefined): Chunking | null {
  const [, size, overlap] = /^(\d+)\/(\d+)$/.exec(given ?? "") ?? [];
  return size === undefined ? null : { max_chunk_size_tokens: Number(size), chunk_overlap_tokens: Number(overlap) };
}

async function evaluate(on: TestServer, set: EvalSet): Promise<Row[]> {
  const store = await fillStore(on, set.name, indexable(set), chunking);
  const rank = async (query: EvalSet["queries"][number], mode: SearchMode) => {
    const { hits, ms } = await store.search(query.text, mode);
    if (mode === "rescored") note(hits, query, set.queries.length);
    return { ms, scores: scoresOf([...new Set(hits.map((hit) => hit.document))], query.judgments) };
  };
  const made = await rowsOf(set.name, set.queries, rank);
  const foreign = foreignTo(set);
  for (const query of foreign) shown.foreign.push((await store.search(query, "rescored")).hits[0]?.score ?? 0);
  answered.push(await answersOf(on, { store, set, foreign }));
  if (isTranslated(set.name)) translated.push({ set, store });
  else await store.remove();
  return made;
}

/** Questions in one language, documents in another: every ordered pair counts the same. */
async function evaluateAcross(): Promise<Row[]> {
  const pairs = translated.flatMap((to) => translated.filter((from) => from !== to).map((from) => ({ to, from })));
  const asked = pairs.flatMap(({ to: { store }, from: { set } }) => sampled(set).map((query) => ({ store, query })));
  const made = await rowsOf("across languages", asked, async ({ store, query }, mode) => {
    const { hits, ms } = await store.search(query.text, mode);
    return { ms, scores: scoresOf([...new Set(hits.map((hit) => hit.document))], query.judgments) };
  });
  for (const { store } of translated) await store.remove();
  return made;
}

async function answersOf(
  on: TestServer,
  { store, set, foreign }: { store: FilledStore; set: EvalSet; foreign: readonly string[] },
): Promise<AnsweredQuestion[]> {
  const asked = { storeId: store.id, documentOf: store.documentOf };
  const done: AnsweredQuestion[] = [];
  for (const { text, judgments, words } of sampleOf(set.queries))
    done.push(await ask(on, asked, { text, judgments, words }));
  for (const text of sampleOf(foreign)) done.push(await ask(on, asked, { text, judgments: null, words: [] }));
  if (env["EVAL_ANSWERS"] !== undefined)
    for (const one of done) appendFileSync(env["EVAL_ANSWERS"], `${JSON.stringify({ set: set.name, ...one })}\n`);
  return done;
}

/** Every set counts the same in the table of scores, however many questions it has. */
function note(hits: readonly Hit[], { judgments }: EvalSet["queries"][number], queries: number): void {
  const judged = hits.slice(0, JUDGED_RESULTS);
  for (const { document, score } of judged) {
    const isRelevant = (judgments.get(document) ?? 0) > 0;
    shown.results.push({ score, isRelevant, weight: 1 / queries / judged.length });
  }
  shown.own.push(judged[0]?.score ?? 0);
}

/** Questions of sets about other things, in the same language as far as sets tell. */
function foreignTo({ name }: EvalSet): string[] {
  const familyOf = (set: string) => (isTranslated(set) ? "xquad" : set.slice(0, 3));
  if (isTranslated(name)) return [];
  const others = sets.filter((set) => familyOf(set.name) !== familyOf(name) && !isTranslated(set.name));
  return others.flatMap((other) => sampled(other, FOREIGN_QUESTIONS).map((query) => query.text));
}

/** The answer is a place in a long file: each relevant span counts for the first chunk that covers it. */
async function evaluateLong(on: TestServer, set: LongSet): Promise<Row[]> {
  const store = await fillStore(on, set.name, set.files, chunking);
  const rank = async (query: LongSet["queries"][number], mode: SearchMode) => {
    const { hits, ms } = await store.search(query.text, mode);
    const judgments = new Map(query.spans.map((span, i) => [`span-${i}`, span.grade]));
    const ranked = hits.map((hit, at) => {
      const found = query.spans.findIndex((span) => span.file === hit.document && covers(hit, span));
      return found < 0 ? `other-${at}` : `span-${found}`;
    });
    return { ms, scores: scoresOf([...new Set(ranked)], judgments) };
  };
  const made = await rowsOf(set.name, set.queries, rank);
  await store.remove();
  return made;
}

function covers(chunk: { start: number; end: number }, span: { start: number; end: number }): boolean {
  const shared = Math.min(chunk.end, span.end) - Math.max(chunk.start, span.start);
  return shared >= LEAST_OVERLAP * Math.min(span.end - span.start, chunk.end - chunk.start);
}

async function rowsOf<Query>(
  set: string,
  queries: readonly Query[],
  rank: (query: Query, mode: SearchMode) => Promise<{ ms: number; scores: Scores }>,
): Promise<Row[]> {
  const made: Row[] = [];
  for (const mode of MODES) {
    const results = [];
    for (const query of queries) results.push(await rank(query, mode));
    const times = results.map(({ ms }) => ms).toSorted((a, b) => a - b);
    const means = meanOf(results.map(({ scores }) => scores));
    made.push({ set, mode, queries: queries.length, ...means, p50_ms: times[times.length >> 1] ?? 0 });
    console.error(`${set.padEnd(16)} ${mode.padEnd(8)} nDCG@10 ${means.ndcg.toFixed(4)}`);
  }
  return made;
}

async function conclude(): Promise<number> {
  const measured = { ...figuresOf(all), ...small };
  if (env["EVAL_SAVE"] === "1") {
    // Where a part was measured, the others' figures stay.
    const kept = env["EVAL_SMALL"] === "only" ? ((await Bun.file(BASELINE).json()) as Figures) : {};
    await Bun.write(BASELINE, `${JSON.stringify({ ...kept, ...measured, ...figures }, null, 2)}\n`);
    return 0;
  }
  if (env["EVAL_DIR"] !== undefined || wanted !== undefined || chunking !== null) return 0;
  const failures = await fallen(measured, BASELINE);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}
