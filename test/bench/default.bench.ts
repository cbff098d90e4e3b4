import { json, newStore } from "../helpers/api.ts";
import { cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { PRODUCT_DEFAULT, startServer, type TestServer } from "../helpers/server.ts";
import { type Bench, type BenchContext, median, round, timesOf } from "./bench.ts";
import { DIMENSIONS, Embeddings, fillStore, Words } from "./corpus.ts";
import { embeddedTokens } from "./ingest.bench.ts";
import { BUNDLED, ENCODER, mixedTexts } from "./models.ts";
import { attachAll, metricOf, settled, uploadAll } from "./server-data.ts";

const MODELS = [ENCODER, BUNDLED] as const;
const ROUNDS = 3;
/** Of all files of one model's part; `BENCH_INGEST_MB=100` for much. */
const INGESTED_MB = { small: 0.06, normal: 2, full: 10 };
const ASKED_MB = Number(process.env["BENCH_INGEST_MB"] ?? 0);
const FILE_WORDS = 900;
const SIZES = { small: [1000], normal: [10_000, 100_000], full: [10_000, 100_000] };
const QUESTIONS = { small: 20, normal: 100, full: 200 };
const WORDS_PER_CHUNK = 120;
/** Of 0.1.0 at 100,000 chunks of so many words and one vector: docs/performance.md. */
const FIRST_VERSION_BYTES = 996;

export const defaultModel: Bench = {
  about:
    "the default model beside the table of words, in turns, in one server: files of words of many languages from attached to " +
    "searchable; a question's whole search, its vector computed or remembered; bytes of the index in memory",
  minutes: 25 + ASKED_MB,
  async run(context) {
    {
      await using server = await startServer({ env: PRODUCT_DEFAULT });
      await ingestTrial(context, server);
    }
    for (const chunks of SIZES[context.scale]) await questionTrials(context, chunks);
  },
};

interface Part {
  seconds: number[];
  cpuSeconds: number[];
  megabytes: number[];
  tokens: number[];
  chunks: number[];
}

async function ingestTrial({ scale, report }: BenchContext, server: TestServer): Promise<void> {
  const megabytes = ASKED_MB || INGESTED_MB[scale];
  const parts = new Map<string, Part>(
    MODELS.map((model) => [model, { seconds: [], cpuSeconds: [], megabytes: [], tokens: [], chunks: [] }]),
  );
  let resident = 0;
  for (let turn = 0; turn < ROUNDS; turn++) {
    const texts = await mixedTexts((megabytes * 1e6) / ROUNDS, FILE_WORDS, turn);
    for (const [model, part] of parts) {
      const storeId = await newStore(server, { embedding_model: model });
      const ids = await uploadAll(server, texts);
      const [started, cpu, tokens] = [performance.now(), cpuMs(server.pid), await embeddedTokens(server, model)];
      await attachAll(server, storeId, ids);
      const { index } = await settled(server, storeId, 4 * 3_600_000);
      part.seconds.push((performance.now() - started) / 1000);
      part.cpuSeconds.push((cpuMs(server.pid) - cpu) / 1000);
      part.tokens.push((await embeddedTokens(server, model)) - tokens);
      part.chunks.push(index.chunks);
      part.megabytes.push(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6);
      resident = Math.max(resident, memoryOf(server.pid).residentBytes);
    }
  }
  const over = (part: Part, pick: (part: Part, turn: number) => number) =>
    median(part.seconds.map((_, turn) => pick(part, turn)));
  const at = (list: readonly number[], turn: number) => list[turn] ?? Number.NaN;
  const speed = (part: Part) => over(part, (p, turn) => at(p.megabytes, turn) / at(p.seconds, turn));
  const table = parts.get(BUNDLED);
  for (const [model, part] of parts)
    report({
      trial: `files of ${round(megabytes)} MB in ${ROUNDS} turns`,
      model,
      mb_per_s: round(speed(part)),
      chunks_per_s: round(over(part, (p, turn) => at(p.chunks, turn) / at(p.seconds, turn))),
      tokens_per_s: round(over(part, (p, turn) => at(p.tokens, turn) / at(p.seconds, turn))),
      tokens_per_cpu_s: round(over(part, (p, turn) => at(p.tokens, turn) / at(p.cpuSeconds, turn))),
      of_the_table: table === undefined ? null : round(speed(part) / speed(table)),
    });
  report({ trial: "resident memory at the most, both models open", mib: mebibytes(resident) });
}

async function questionTrials(context: BenchContext, chunks: number): Promise<void> {
  await using server = await startServer({ env: PRODUCT_DEFAULT });
  const stores = new Map<string, string>();
  for (const model of MODELS) {
    const storeId = await newStore(server, { name: model, embedding_model: model });
    const [embeddings, words] = [new Embeddings(7), new Words(8)];
    const before = await metricOf(server, "lectern_index_bytes");
    const part = 20_000;
    for (let from = 0; from < chunks; from += part) {
      const flat = embeddings.many(Math.min(part, chunks - from));
      const texts = Array.from({ length: flat.length / DIMENSIONS }, () => words.text(WORDS_PER_CHUNK));
      await fillStore(server, storeId, flat, { dimensions: DIMENSIONS, from, text: (i) => texts[i - from] ?? "" });
    }
    await ask(server, storeId, "x");
    const bytes = ((await metricOf(server, "lectern_index_bytes")) - before) / chunks;
    context.report({
      trial: "index in memory",
      model,
      chunks,
      index_bytes_per_chunk: Math.round(bytes),
      of_first_version: round(bytes / FIRST_VERSION_BYTES),
    });
    stores.set(model, storeId);
  }
  const each = QUESTIONS[context.scale];
  const words = new Words(9);
  const taken = new Map<string, number[]>();
  for (let i = 0; i < each * ROUNDS; i++) {
    const question = words.question();
    for (const [model, storeId] of stores) {
      // The second time its vector is remembered.
      for (const kind of ["new", "remembered"]) {
        const key = `${model} ${kind}`;
        const ms = await ask(server, storeId, question);
        taken.set(key, [...(taken.get(key) ?? []), ms]);
      }
    }
  }
  const p50 = (model: string, kind: string) => median(taken.get(`${model} ${kind}`) ?? []);
  for (const model of MODELS)
    for (const kind of ["new", "remembered"]) {
      const { p50_ms, p95_ms } = timesOf(taken.get(`${model} ${kind}`) ?? []);
      context.report({
        trial: `a whole search, the question ${kind}`,
        model,
        chunks,
        p50_ms: round(p50_ms),
        p95_ms: round(p95_ms),
        of_the_table: round(p50_ms / p50(BUNDLED, kind)),
      });
    }
}

/** Milliseconds of a search as a client makes it. */
async function ask(server: TestServer, storeId: string, query: string): Promise<number> {
  const started = performance.now();
  await json(server, "POST", `/v1/vector_stores/${storeId}/search`, { query });
  return performance.now() - started;
}
