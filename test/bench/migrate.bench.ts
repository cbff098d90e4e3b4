import { cpus } from "node:os";
import { json, newStore, search } from "../helpers/api.ts";
import { cpuMs } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, buildStore, makeText, migrationEnd, startMigration } from "../migrate/corpus.ts";
import { type Bench, type BenchContext, mean, median, medianTimes, round, timesOf } from "./bench.ts";
import { embeddedTokens, rawRate } from "./ingest.bench.ts";
import { addMiniLm, BUNDLED, makeTexts, MINILM, miniLmModel, openModel } from "./models.ts";
import { openLoop } from "./open-loop.ts";
import { attachAll, chunkTexts, metricOf, settled, uploadAll } from "./server-data.ts";

const ROUNDS = 2;
const LONGEST_MS = 600_000;
const SEARCHES_PER_SECOND = 20;
const SEARCH_ROUNDS = 5;
const SEARCHED_FILES = 40;

export const migrate: Bench = {
  about:
    `a store moved from ${BUNDLED} to ${MINILM} (build, catch-up, comparison, swap), against ONNX Runtime alone; and ` +
    `${SEARCHES_PER_SECOND} hybrid searches a second at fixed instants (open loop), idle and while their store is moved ` +
    `to another model and back, which take turns`,
  minutes: 12,
  async run(context) {
    await searchesDuringMigration(context);
    await throughput(context);
  },
};

async function throughput({ scale, report }: BenchContext): Promise<void> {
  const threads = cpus().length;
  using dir = tempDir();
  const dataDir = dir.join("data");
  const model = miniLmModel(await addMiniLm(dataDir));
  await using server = await startServer({ dataDir });
  const moved: number[] = [];
  const raws: number[] = [];
  // By time on a core: what the work costs, however busy the machine is with something else.
  const chunksPerCpu: number[] = [];
  const rawPerCpu: number[] = [];
  const computed: number[] = [];
  let tokensPerChunk = 0;
  for (let turn = 0; turn < ROUNDS; turn++) {
    const storeId = await newStore(server, { embedding_model: BUNDLED });
    await attachAll(server, storeId, await uploadAll(server, await makeTexts(scale === "small" ? 5 : 80, 700, turn)));
    const { index } = await settled(server, storeId);
    if (turn === 0) {
      const local = await openModel(model, threads);
      tokensPerChunk = mean((await local.embed(await chunkTexts(server, storeId, 24), "passage")).map((t) => t.tokens));
      await local.dispose();
    }
    const seconds = scale === "small" ? 0.3 : 2;
    const rates: number[] = [];
    const perCpu: number[] = [];
    for (const shape of model.shapes) {
      rates.push((await rawRate(model, shape, threads, seconds)).perSecond);
      perCpu.push((await rawRate(model, shape, 1, seconds)).perCpuSecond);
    }
    raws.push(Math.max(...rates));
    rawPerCpu.push(Math.max(...perCpu));
    const tokensBefore = await embeddedTokens(server, MINILM);
    const cpuBefore = cpuMs(server.pid);
    const started = performance.now();
    const { id } = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${storeId}/migrate`, {
      embedding_model: MINILM,
    });
    const end = await migrationEnd(server, storeId, id, undefined, LONGEST_MS);
    if (end.status !== "completed") throw new Error(`the migration ended as ${end.status}: ${end.last_error?.message}`);
    moved.push(index.chunks / ((performance.now() - started) / 1000));
    chunksPerCpu.push((index.chunks * 1000) / (cpuMs(server.pid) - cpuBefore));
    computed.push(((await embeddedTokens(server, MINILM)) - tokensBefore) / index.chunks);
  }
  const raw = { tokens_per_s: median(raws), tokens_per_cpu_s: median(rawPerCpu) };
  const chunks = { perSecond: median(moved), perCpuSecond: median(chunksPerCpu) };
  report({
    trial: `raw ONNX Runtime, ${threads} threads (by CPU: one)`,
    chunks_per_s: null,
    tokens_per_s: round(raw.tokens_per_s),
    share_of_raw: 1,
    tokens_per_cpu_s: round(raw.tokens_per_cpu_s),
    share_of_raw_by_cpu: 1,
  });
  report({
    trial: "migration, from the request to the swap",
    chunks_per_s: round(chunks.perSecond),
    tokens_per_s: round(chunks.perSecond * tokensPerChunk),
    share_of_raw: round((chunks.perSecond * tokensPerChunk) / raw.tokens_per_s),
    tokens_per_cpu_s: round(chunks.perCpuSecond * tokensPerChunk),
    share_of_raw_by_cpu: round((chunks.perCpuSecond * tokensPerChunk) / raw.tokens_per_cpu_s),
    share_of_raw_computed: round((chunks.perSecond * median(computed)) / raw.tokens_per_s),
    tokens_per_chunk: round(tokensPerChunk),
    computed_per_chunk: round(median(computed)),
  });
}

async function searchesDuringMigration({ scale, report, note }: BenchContext): Promise<void> {
  const chunks = scale === "small" ? 400 : 20_000;
  using dir = tempDir();
  await addSecondModel(dir.join("data"));
  await using server = await startServer({ dataDir: dir.join("data"), args: ["--log-level", "warn"] });
  const storeId = await buildStore(server, { files: SEARCHED_FILES, chunksEach: chunks / SEARCHED_FILES });
  let asked = 0;
  const ask = () => {
    const query = makeText(100_000 + asked++, 1)
      .split(" ")
      .slice(0, 10)
      .join(" ");
    return search(server, storeId, { query: `${query} ${asked}` });
  };
  await ask();
  const idle: number[][] = [];
  const during: number[][] = [];
  let seconds = 0;
  for (let turn = 0; turn < SEARCH_ROUNDS; turn++) {
    idle.push(await openLoop(SEARCHES_PER_SECOND, (sent) => sent >= SEARCHES_PER_SECOND * 10, ask));
    const started = performance.now();
    let isOver = false;
    const moved = moveAndBack(server, storeId).finally(() => (isOver = true));
    during.push(await openLoop(SEARCHES_PER_SECOND, () => isOver, ask));
    await moved;
    seconds += (performance.now() - started) / 1000;
  }
  const times = { idle: medianTimes(idle.map(timesOf)), during: medianTimes(during.map(timesOf)) };
  report({ trial: `searches, idle, ${chunks} chunks`, ...times.idle, p99_over_idle: 1 });
  report({
    trial: "searches during migration, rollback and clearing away",
    ...times.during,
    p99_over_idle: round(times.during.p99_ms / times.idle.p99_ms),
  });
  note(`${SEARCH_ROUNDS} rounds of ${round(seconds / SEARCH_ROUNDS)} s each; medians of the rounds' percentiles`);
}

/** Ends when nothing is left to do in the background. */
async function moveAndBack(server: TestServer, storeId: string): Promise<void> {
  const { id } = await startMigration(server, storeId);
  const { status } = await migrationEnd(server, storeId, id, undefined, LONGEST_MS);
  if (status !== "completed") throw new Error(`the migration ended as ${status}`);
  await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/rollback`, {});
  await migrationEnd(server, storeId, id, (now) => now === "rolled_back");
  await waitFor("the new generation is cleared away", async () => {
    const jobs = await Promise.all(
      ["waiting", "running"].map((is) => metricOf(server, `lectern_jobs_${is}{kind="retire"}`)),
    );
    return jobs.every((count) => count === 0) ? true : undefined;
  });
}
