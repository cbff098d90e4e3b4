/**
 * Embedding models beside each other, in one server: the same uploads and questions, a store for each model.
 *
 *   bun test/eval/beside.ts MODEL...   names that the server has, or folders that `lectern models add` takes
 *   EVAL_DIR=folder, EVAL_SETS=a,b     as in run.ts; the six English sets and four languages of XQuAD unless told otherwise
 *   EVAL_DOCUMENTS=1000                of each set about so many documents, those that answer a question among them: quicker
 *   EVAL_KEEP=file                     keeps each row as it is measured; run again, what is there is not measured again
 *
 * Prints nDCG@10 of keywords (they are the same whatever the model), and of vectors alone and of the default search with
 * each model. Of XQuAD a sample of the questions counts: within each language, and between each two of those asked for.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { json } from "../helpers/api.ts";
import { PRODUCT_DEFAULT, runLectern, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type FilledStore, type SearchMode, storeOf, uploadDocuments } from "./client.ts";
import { meanOf, scoresOf } from "./measures.ts";
import { type EvalSet, indexable, isTranslated, pooled, readSet, sampled, setsFolder } from "./sets.ts";

const ENGLISH = ["se-coffee", "se-beer", "cisi", "cacm", "cosqa-dev", "npl"];
const TRANSLATED = ["xquad-de", "xquad-es", "xquad-ar", "xquad-zh"];
const ACROSS = "across languages";
/** Questions that are asked at the same time: nothing here is of their time. */
const AT_ONCE = 4;

interface Row {
  set: string;
  /** Null for keywords. */
  model: string | null;
  mode: SearchMode;
  queries: number;
  ndcg: number;
}

type Asked = { store: FilledStore; query: EvalSet["queries"][number] };

const env = process.env;
const given = process.argv.slice(2);
if (given.length === 0) throw new Error("name models, or folders of them");
using unpacked = tempDir();
const root = await setsFolder(env["EVAL_DIR"], unpacked.path);
if (root === null) throw new Error("no test sets: set EVAL_DIR to a folder in BEIR's layout");
const names = env["EVAL_SETS"]?.split(",") ?? [...ENGLISH, ...TRANSLATED];
const rows = keptRows();
await using server = await startServer({ args: ["--log-level", "error"], env: PRODUCT_DEFAULT });
const models: string[] = [];
for (const one of given) models.push(one.includes("/") ? await added(resolve(one)) : one);
const translated: { set: EvalSet; stores: Map<string, FilledStore> }[] = [];
const most = Number(env["EVAL_DOCUMENTS"] ?? Number.POSITIVE_INFINITY);
for (const name of names) await measureSet(pooled(await readSet(root, name), most));
await measureAcross();
print();

function keptRows(): Row[] {
  const file = env["EVAL_KEEP"];
  if (file === undefined || !existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Row);
}

async function added(folder: string): Promise<string> {
  const id = basename(folder);
  const { status, err } = await runLectern(["models", "add", folder, "--data", server.dataDir]);
  if (status !== 0) throw new Error(`${folder}: ${err}`);
  const { data } = await json<{ data: { id: string }[] }>(server, "GET", "/v1/models");
  if (!data.some((model) => model.id === id)) throw new Error(`${id} is not among the server's models`);
  return id;
}

function isKept(set: string, model: string | null, mode: SearchMode): boolean {
  return rows.some((row) => row.set === set && row.model === model && row.mode === mode);
}

/** Modes of a set that are still to be measured with a model; keywords with the first one. */
function missing(set: string, model: string): SearchMode[] {
  const own = (["vector", "rescored"] as const).filter((mode) => !isKept(set, model, mode));
  return model === models[0] && !isKept(set, null, "keyword") ? ["keyword", ...own] : own;
}

async function measureSet(set: EvalSet): Promise<void> {
  const asksAcross = isTranslated(set.name) && models.some((model) => missing(ACROSS, model).length > 0);
  const wanted = models.filter((model) => asksAcross || missing(set.name, model).length > 0);
  if (wanted.length === 0) return;
  const documents = await uploadDocuments(server, indexable(set));
  const stores = new Map<string, FilledStore>();
  for (const model of wanted) {
    const store = await storeOf(server, { name: `${set.name} ${model}`, embedding_model: model }, documents, null);
    stores.set(model, store);
    const queries = isTranslated(set.name) ? sampled(set) : set.queries;
    const asked = queries.map((query) => ({ store, query }));
    for (const mode of missing(set.name, model)) await measure({ set: set.name, model, mode }, asked);
    if (!isTranslated(set.name)) await store.remove();
  }
  if (isTranslated(set.name)) translated.push({ set, stores });
}

/** Questions in one language, documents in another: every ordered pair counts the same. */
async function measureAcross(): Promise<void> {
  const pairs = translated.flatMap((to) => translated.filter((from) => from !== to).map((from) => ({ to, from })));
  if (pairs.length === 0) return;
  for (const model of models) {
    const asked = pairs.flatMap(({ to: { stores }, from: { set } }) => {
      const store = stores.get(model);
      return store === undefined ? [] : sampled(set).map((query) => ({ store, query }));
    });
    for (const mode of missing(ACROSS, model)) await measure({ set: ACROSS, model, mode }, asked);
  }
}

async function measure({ set, model, mode }: { set: string; model: string; mode: SearchMode }, asked: Asked[]) {
  const scores: ReturnType<typeof scoresOf>[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < asked.length; i = next++) {
      const { store, query } = asked[i]!;
      const { hits } = await store.search(query.text, mode);
      scores[i] = scoresOf([...new Set(hits.map((hit) => hit.document))], query.judgments);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const { ndcg } = meanOf(scores);
  const row = { set, model: mode === "keyword" ? null : model, mode, queries: asked.length, ndcg };
  rows.push(row);
  if (env["EVAL_KEEP"] !== undefined) appendFileSync(env["EVAL_KEEP"], `${JSON.stringify(row)}\n`);
  console.error(`${set.padEnd(16)} ${mode.padEnd(8)} ${(row.model ?? "").padEnd(24)} nDCG@10 ${ndcg.toFixed(4)}`);
}

function print(): void {
  const english = ENGLISH.filter((name) => names.includes(name));
  const others = names.filter((name) => !english.includes(name));
  const columns = [
    { head: "keywords", model: null, mode: "keyword" as const },
    ...models.map((model) => ({ head: `${model}, vectors`, model, mode: "vector" as const })),
    ...models.map((model) => ({ head: `${model}, default`, model, mode: "rescored" as const })),
  ];
  const ndcgOf = (set: string, { model, mode }: (typeof columns)[number]) =>
    rows.find((row) => row.set === set && row.model === model && row.mode === mode)?.ndcg ?? Number.NaN;
  const line = (first: string, cells: readonly string[]) => `| ${[first, ...cells].join(" | ")} |`;
  const lineOf = (label: string, sets: readonly string[]) => {
    const mean = (column: (typeof columns)[number]) =>
      sets.reduce((sum, set) => sum + ndcgOf(set, column), 0) / sets.length;
    return line(
      label,
      columns.map((column) => mean(column).toFixed(4)),
    );
  };
  const heads = columns.map(({ head }) => head);
  console.log(line("set", heads));
  console.log(
    line(
      "---",
      heads.map(() => "---"),
    ),
  );
  for (const set of english) console.log(lineOf(set, [set]));
  if (english.length > 1) console.log(lineOf(`mean of these ${english.length}`, english));
  for (const set of others) console.log(lineOf(set, [set]));
  if (others.filter(isTranslated).length > 1) console.log(lineOf(ACROSS, [ACROSS]));
}
