import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import type { Client } from "./client.ts";
import { listAll } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { storeNamed } from "./find-store.ts";
import { fileFinder, readJudgedFile } from "./judged-file.ts";
import type { FileJudgment } from "./judged-file.ts";
import { printTable } from "./table.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const EVAL_FLAGS = {
  queries: { value: "FILE", help: "judged queries to run instead of those uploaded to the store" },
  modes: { value: "LIST", help: "hybrid, vector, keyword, or several with commas; all three unless set" },
  k: { value: "N", help: "how many results count, 1 to 50; 10 unless set" },
  json: { help: "print the evaluation as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const EVAL_HELP = `STORE is a name or an id. FILE has one JSON object a line, {"query": "…", "relevant": ["handbook.pdf"]}; an answer is
a file's name, path or id, or {"filename" or "file_id" or "chunk_id": "…", "grade": 2}. A folder in BEIR's layout
(queries.jsonl, qrels/test.tsv) is read too, if the documents' ids are the names of the store's files.
What FILE says is run and forgotten: the judged queries of the store stay as they are. Needs a key that may write.`;

const STORES = "/v1/vector_stores";
const MODES = ["hybrid", "vector", "keyword"];
/** From this pause between two looks at a running evaluation to that one. */
const POLL_MS = { first: 50, last: 1000 };

const StoreFile = Type.Object({
  id: Type.String(),
  filename: Type.String(),
  attributes: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
});

const Metrics = Type.Object({
  ndcg_at_k: Type.Number(),
  recall_at_k: Type.Number(),
  mrr_at_k: Type.Number(),
  latency_ms: Type.Object({ p50: Type.Number(), p95: Type.Number() }),
});
const Evaluation = Type.Object({
  id: Type.String(),
  status: Type.String(),
  generation: Type.Integer(),
  modes: Type.Array(Type.String()),
  k: Type.Integer(),
  queries: Type.Integer(),
  missing: Type.Integer(),
  metrics: Type.Record(Type.String(), Metrics),
  last_error: Type.Union([Type.Null(), Type.Object({ code: Type.String(), message: Type.String() })]),
});
const Judgments = Type.Object({ data: Type.Array(Type.Unknown()) });
type Evaluation = Static<typeof Evaluation>;

interface Judgment {
  query: string;
  relevant: ({ file_id: string; grade: number } | { chunk_id: string; grade: number })[];
}

export async function evaluate(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, EVAL_FLAGS);
  const [storeWord, ...more] = args.words;
  if (!storeWord || more.length > 0) throw new UsageError("Say which store: lectern eval STORE [--queries FILE].");
  const modes = readModes(args.get("modes"));
  const k = integerFlag("k", args.get("k"), 10, 1, 50);
  const file = args.get("queries");
  const judged = file === undefined ? null : await readJudgedFile(file);

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const store = await storeNamed(client, storeWord, terminal.signal);
  const judgments = judged && (await resolve(client, store.id, judged, terminal.signal));
  if (judgments === null) {
    const uploaded = await client.send(
      Judgments,
      "GET",
      `${STORES}/${store.id}/judgments?limit=1`,
      undefined,
      terminal.signal,
    );
    if (uploaded.data.length === 0)
      throw new VerbFailed("The store has no judged queries; --queries FILE brings some.");
  }
  const path = `${STORES}/${store.id}/evals`;
  const body = { k, ...(modes && { modes }), ...(judgments && { judgments }) };
  const started = await client.send(Evaluation, "POST", path, body, terminal.signal);
  const ended = await untilEnded(client, `${path}/${started.id}`, started, terminal.signal);
  if (ended.status !== "completed") {
    terminal.err(`lectern: ${ended.last_error?.message ?? `the evaluation is ${ended.status}`}\n`);
    return 1;
  }
  if (args.has("json")) terminal.out(`${JSON.stringify(ended, null, 2)}\n`);
  else print(ended, terminal);
  return 0;
}

function readModes(text: string | undefined): string[] | null {
  if (text === undefined) return null;
  const modes = text.split(",").map((mode) => mode.trim());
  const unknown = modes.find((mode) => !MODES.includes(mode));
  if (unknown === undefined) return [...new Set(modes)];
  throw new UsageError(`--modes takes hybrid, vector and keyword, not ${JSON.stringify(unknown)}.`);
}

/** File names to file ids. A name that the store does not have stays: it can never be found, and counts as missing. */
async function resolve(
  client: Client,
  storeId: string,
  judged: FileJudgment[],
  signal: AbortSignal,
): Promise<Judgment[]> {
  const answers = judged.flatMap(({ relevant }) => relevant);
  const find = answers.some((one) => "name" in one) ? await finderOf(client, storeId, signal) : () => undefined;
  let known = 0;
  const judgments = judged.map(({ query, relevant }) => ({
    query,
    relevant: relevant.map((one) => {
      if ("chunk" in one) {
        known += 1;
        return { chunk_id: one.chunk, grade: one.grade };
      }
      const id = find(one.name);
      if (id !== undefined) known += 1;
      return { file_id: id ?? one.name, grade: one.grade };
    }),
  }));
  if (known > 0) return judgments;
  const [first] = answers;
  const example = first !== undefined && "name" in first ? `, such as ${JSON.stringify(first.name)},` : "";
  throw new VerbFailed(`No file that FILE names${example} is in the store.`);
}

async function finderOf(client: Client, storeId: string, signal: AbortSignal) {
  const rows = await Array.fromAsync(listAll(client, StoreFile, `${STORES}/${storeId}/files`, signal));
  return fileFinder(
    rows.map(({ id, filename, attributes }) => {
      const path = attributes?.["path"];
      return { id, filename, path: typeof path === "string" ? path : null };
    }),
  );
}

async function untilEnded(client: Client, path: string, first: Evaluation, signal: AbortSignal): Promise<Evaluation> {
  let seen = first;
  let pauseMs = POLL_MS.first;
  while (seen.status === "queued" || seen.status === "in_progress") {
    await Bun.sleep(pauseMs);
    pauseMs = Math.min(POLL_MS.last, pauseMs * 1.5);
    seen = await client.send(Evaluation, "GET", path, undefined, signal);
  }
  return seen;
}

function print({ k, queries, generation, missing, modes, metrics }: Evaluation, terminal: Terminal): void {
  const many = queries === 1 ? "query" : "queries";
  terminal.err(`${queries} judged ${many}, generation ${generation} of the index\n`);
  if (missing > 0) {
    const what = missing === 1 ? "1 judged file or chunk is" : `${missing} judged files or chunks are`;
    terminal.err(`${what} not in the index and cannot be found\n`);
  }
  const rows = modes.flatMap((mode) => {
    const of = metrics[mode];
    if (of === undefined) return [];
    const { ndcg_at_k: ndcg, recall_at_k: recall, mrr_at_k: mrr, latency_ms: ms } = of;
    return [[mode, ...[ndcg, recall, mrr].map((value) => value.toFixed(4)), ms.p50.toFixed(2), ms.p95.toFixed(2)]];
  });
  printTable(terminal, ["mode", `nDCG@${k}`, `Recall@${k}`, `MRR@${k}`, "p50 ms", "p95 ms"], rows);
}
