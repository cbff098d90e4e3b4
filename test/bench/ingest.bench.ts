import { cpus } from "node:os";
import { json, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { cpuMs } from "../helpers/process-memory.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type Bench, type BenchContext, mean, median, rate, round } from "./bench.ts";
import { addMiniLm, bundledModel, type ComparedModel, makeTexts, miniLmModel, openModel, rawRun } from "./models.ts";
import { attachAll, chunkTexts, metricOf, settled, uploadAll } from "./server-data.ts";

const WORDS = 700;
const ROUNDS = 3;
const COUNTED_CHUNKS = 24;

export const ingest: Bench = {
  about:
    "text files from attached to searchable through the whole server, against ONNX Runtime alone on the same model " +
    "with a thread per core; the two take turns",
  minutes: 10,
  async run(context) {
    const small = context.scale === "small";
    // A server each: what one model's files left to clear away does not count against the other.
    {
      await using server = await startServer();
      await uploads(context, server, small ? 50 : 500);
      await compare(context, server, bundledModel(), small ? 400 : 1500);
    }
    using dir = tempDir();
    const dataDir = dir.join("data");
    const folder = await addMiniLm(dataDir);
    await using server = await startServer({ dataDir });
    await compare(context, server, miniLmModel(folder), small ? 6 : 160);
  },
};

async function uploads({ report }: BenchContext, server: TestServer, files: number): Promise<void> {
  const texts = await makeTexts(files, WORDS, 3);
  const started = performance.now();
  await uploadAll(server, texts);
  const seconds = (performance.now() - started) / 1000;
  report({ trial: "uploads, 8 at a time, each made durable", files_per_s: round(files / seconds) });
}

async function compare(
  { report, scale }: BenchContext,
  server: TestServer,
  model: ComparedModel,
  files: number,
): Promise<void> {
  const threads = cpus().length;
  const seconds = scale === "small" ? 1 : 6;
  const chunkRates: number[] = [];
  const rawRates: number[] = [];
  // By time on a core: what the work costs, however busy the machine is with something else.
  const chunksPerCpu: number[] = [];
  const computed: number[] = [];
  const rawPerCpu: number[] = [];
  const tokens = { perChunk: 0, windows: 0, indexBytes: 0, storedBytes: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const rates: number[] = [];
    const perCpu: number[] = [];
    for (const shape of model.shapes) {
      rates.push((await rawRate(model, shape, threads, seconds / model.shapes.length / 2)).perSecond);
      // One thread: several burn time waiting for one another, most of all on a busy machine.
      perCpu.push((await rawRate(model, shape, 1, seconds / model.shapes.length / 2)).perCpuSecond);
    }
    rawRates.push(Math.max(...rates));
    rawPerCpu.push(Math.max(...perCpu));

    const storeId = await newStore(server, { embedding_model: model.name });
    const ids = await uploadAll(server, await makeTexts(files, WORDS, 100 + round));
    const started = performance.now();
    const cpuBefore = cpuMs(server.pid);
    const tokensBefore = await embeddedTokens(server, model.name);
    await attachAll(server, storeId, ids);
    const { index, usage_bytes } = await settled(server, storeId);
    chunkRates.push(index.chunks / ((performance.now() - started) / 1000));
    chunksPerCpu.push((index.chunks * 1000) / (cpuMs(server.pid) - cpuBefore));
    computed.push(((await embeddedTokens(server, model.name)) - tokensBefore) / index.chunks);
    if (round > 0) continue;
    // What the chunks hold, each for itself: their windows with the model's own tokens, over a sample.
    const local = await openModel(model, threads);
    const embedded = await local.embed(await chunkTexts(server, storeId, COUNTED_CHUNKS), "passage");
    tokens.perChunk = mean(embedded.map((text) => text.tokens));
    tokens.windows = index.vectors / index.chunks;
    const before = await metricOf(server, "lectern_index_bytes");
    await json(server, "POST", `/v1/vector_stores/${storeId}/search`, { query: "x", search_mode: "keyword" });
    tokens.indexBytes = ((await metricOf(server, "lectern_index_bytes")) - before) / index.chunks;
    tokens.storedBytes = usage_bytes / index.chunks;
    await local.dispose();
  }
  const chunks = median(chunkRates);
  const raw = median(rawRates);
  report({
    trial: `raw ONNX Runtime, ${threads} threads`,
    model: model.name,
    tokens_per_s: round(raw),
    share_of_raw: 1,
    tokens_per_cpu_s: round(median(rawPerCpu)),
    share_of_raw_by_cpu: 1,
  });
  report({
    trial: `ingest of ${files} files of ${WORDS} words`,
    model: model.name,
    chunks_per_s: round(chunks),
    tokens_per_s: round(chunks * tokens.perChunk),
    share_of_raw: round((chunks * tokens.perChunk) / raw),
    tokens_per_cpu_s: round(median(chunksPerCpu) * tokens.perChunk),
    share_of_raw_by_cpu: round((median(chunksPerCpu) * tokens.perChunk) / median(rawPerCpu)),
    share_of_raw_computed: round((chunks * median(computed)) / raw),
    tokens_per_chunk: round(tokens.perChunk),
    computed_per_chunk: round(median(computed)),
    windows_per_chunk: round(tokens.windows),
    index_bytes_per_chunk: Math.round(tokens.indexBytes),
    text_and_vector_bytes_per_chunk: Math.round(tokens.storedBytes),
  });
}

/** Tokens that the server has computed of passages so far: what chunks share may be computed once. */
export async function embeddedTokens(server: TestServer, model: string): Promise<number> {
  return await metricOf(server, `lectern_embedded_tokens_total{model="${model}"}`);
}

/** Tokens a second of ONNX Runtime alone, by the clock and by time on a core. */
export async function rawRate(
  model: ComparedModel,
  shape: readonly [number, number],
  threads: number,
  seconds: number,
) {
  const raw = await rawRun(model, shape, threads);
  let done = 0;
  const before = process.cpuUsage();
  const perSecond = await rate(seconds, async () => {
    const tokens = await raw.run();
    done += tokens;
    return tokens;
  });
  const { user, system } = process.cpuUsage(before);
  await raw.release();
  return { perSecond, perCpuSecond: (done * 1e6) / (user + system) };
}
