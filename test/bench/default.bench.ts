import { cpus } from "node:os";
import { json, newStore } from "../helpers/api.ts";
import { coreTimeOf, cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { PRODUCT_DEFAULT, startServer, type TestServer } from "../helpers/server.ts";
import { type Bench, type BenchContext, median, round, timesOf } from "./bench.ts";
import { DIMENSIONS, Embeddings, fillStore, Words } from "./corpus.ts";
import { bareRuntime, RUN_TOKENS, type Timed, timed } from "./embed-lanes.ts";
import { embeddedTokens } from "./ingest.bench.ts";
import { BUNDLED, bundledModel, ENCODER, encoderModel, mixedTexts } from "./models.ts";
import { attachAll, metricOf, settled, uploadAll } from "./server-data.ts";

const MODELS = [ENCODER, BUNDLED] as const;
/** What the bare runtime is given at a time: as a lane has it, and what a table of words is quickest with. */
const BARE = {
  [ENCODER]: { model: encoderModel, runTokens: RUN_TOKENS },
  [BUNDLED]: { model: bundledModel, runTokens: 4096 },
} as const;
const ROUNDS = 3;
/** Of all files of one model's part; `BENCH_INGEST_MB=100` for much. */
const INGESTED_MB = { small: 0.06, normal: 2, full: 10 };
const ASKED_MB = Number(process.env["BENCH_INGEST_MB"] ?? 0);
const FILE_WORDS = 900;
/** Of each turn's files, what the bare runtime computes before and after them, again and again for so long. */
const BARE_FILES = 24;
const BARE_SECONDS = { small: 0.2, normal: 4, full: 8 };
const SIZES = { small: [1000], normal: [10_000, 100_000], full: [10_000, 100_000] };
const QUESTIONS = { small: 20, normal: 100, full: 200 };
const WORDS_PER_CHUNK = 120;
/** Of 0.1.0 at 100,000 chunks of so many words and one vector: docs/performance.md. */
const FIRST_VERSION_BYTES = 996;

export const defaultModel: Bench = {
  about:
    "the default model beside the table of words, in turns, in one server: files of words of many languages from attached to " +
    "searchable, beside ONNX Runtime alone on the same texts; a question's whole search, its vector computed or remembered; bytes of the index in memory",
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
  bare: Timed[];
}

async function ingestTrial({ scale, report }: BenchContext, server: TestServer): Promise<void> {
  const megabytes = ASKED_MB || INGESTED_MB[scale];
  const parts = new Map<(typeof MODELS)[number], Part>(
    MODELS.map((model) => [model, { seconds: [], cpuSeconds: [], megabytes: [], tokens: [], chunks: [], bare: [] }]),
  );
  let resident = 0;
  for (let turn = 0; turn < ROUNDS; turn++) {
    const texts = await mixedTexts((megabytes * 1e6) / ROUNDS, FILE_WORDS, turn);
    for (const [model, part] of parts) {
      const storeId = await newStore(server, { embedding_model: model });
      const ids = await uploadAll(server, texts);
      const before = await bareRate(model, texts, BARE_SECONDS[scale]);
      const [started, cpu, tokens] = [performance.now(), cpuMs(server.pid), await embeddedTokens(server, model)];
      await attachAll(server, storeId, ids);
      const { index } = await settled(server, storeId, 4 * 3_600_000);
      part.seconds.push((performance.now() - started) / 1000);
      part.cpuSeconds.push((cpuMs(server.pid) - cpu) / 1000);
      part.tokens.push((await embeddedTokens(server, model)) - tokens);
      part.chunks.push(index.chunks);
      part.megabytes.push(texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6);
      part.bare.push(meanOf(before, await bareRate(model, texts, BARE_SECONDS[scale])));
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
      of_bare: round(
        over(
          part,
          (p, turn) => at(p.tokens, turn) / at(p.seconds, turn) / (p.bare[turn]?.tokensPerSecond ?? Number.NaN),
        ),
      ),
      tokens_per_cpu_s: round(over(part, (p, turn) => at(p.tokens, turn) / at(p.cpuSeconds, turn))),
      of_bare_cpu: round(
        over(
          part,
          (p, turn) => at(p.tokens, turn) / at(p.cpuSeconds, turn) / (p.bare[turn]?.tokensPerCpuSecond ?? Number.NaN),
        ),
      ),
      of_the_table: table === undefined ? null : round(speed(part) / speed(table)),
    });
  report({ trial: "resident memory at the most, both models open", mib: mebibytes(resident) });
}

/** ONNX Runtime alone, a thread for each core, on files of the turn. */
async function bareRate(model: (typeof MODELS)[number], texts: readonly string[], seconds: number): Promise<Timed> {
  const { model: open, runTokens } = BARE[model];
  const raw = await bareRuntime(open(), texts.slice(0, BARE_FILES), cpus().length, runTokens);
  const rate = await timed(async () => {
    let tokens = 0;
    const started = performance.now();
    do tokens += await raw.run();
    while (performance.now() - started < seconds * 1000);
    return tokens;
  });
  await raw.release();
  return rate;
}

function meanOf(a: Timed, b: Timed): Timed {
  const half = (pick: (rate: Timed) => number) => (pick(a) + pick(b)) / 2;
  return {
    tokensPerSecond: half((rate) => rate.tokensPerSecond),
    tokensPerCpuSecond: half((rate) => rate.tokensPerCpuSecond),
    cores: half((rate) => rate.cores),
  };
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
  const cpu = new Map<string, number[]>();
  for (let i = 0; i < each * ROUNDS; i++) {
    const question = words.question();
    for (const [model, storeId] of stores) {
      // The second time its vector is remembered.
      for (const kind of ["new", "remembered"]) {
        const key = `${model} ${kind}`;
        const before = coreTimeOf(server.pid).all;
        const ms = await ask(server, storeId, question);
        taken.set(key, [...(taken.get(key) ?? []), ms]);
        cpu.set(key, [...(cpu.get(key) ?? []), coreTimeOf(server.pid).all - before]);
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
        server_cpu_ms: round(median(cpu.get(`${model} ${kind}`) ?? [])),
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
