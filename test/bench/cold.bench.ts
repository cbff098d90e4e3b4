import { Glob } from "bun";
import { json } from "../helpers/api.ts";
import { cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Bench, percentile, round, timesOf } from "./bench.ts";
import { Words } from "./corpus.ts";
import { metricOf } from "./server-data.ts";
import { STOCK_OPTIONS, stockStores } from "./stocked-store.ts";

const SIZES = {
  small: { stores: 4, chunks: 1_000 },
  normal: { stores: 20, chunks: 20_000 },
  full: { stores: 200, chunks: 20_000 },
} as const;
const BUDGET_MIB = 1024;
const OPTIONS = { ...STOCK_OPTIONS, args: [...(STOCK_OPTIONS.args ?? []), "--index-memory-mb", String(BUDGET_MIB)] };
const outcome = (name: string) => `lectern_index_images_total{outcome="${name}"}`;

export const cold: Bench = {
  about:
    "many stores on one server: the first search in a store whose index is not open, its image mapped, and the next ones; " +
    `--index-memory-mb ${BUDGET_MIB}. A search in a store of its own before them opens the model`,
  minutes: 25,
  async run({ scale, report }) {
    const { stores, chunks } = SIZES[scale];
    using dir = tempDir();
    const dataDir = dir.join("data");
    const [other = "", ...storeIds] = await stockStores(dataDir, stores + 1, chunks);
    const words = new Words(7);
    const question = words.question();
    const answers = new Map<string, string>();
    {
      await using server = await startServer(optionsAt(dataDir));
      for (const id of [other, ...storeIds]) answers.set(id, (await ask(server, id, question)).found);
      const written = () => (imagesIn(dataDir) > stores ? true : undefined);
      await waitFor("the images", written, 1_200_000);
      await server.kill();
    }
    await using server = await startServer(optionsAt(dataDir));
    await ask(server, other, question);
    const [before, cpuBefore] = [memoryOf(server.pid).privateBytes, cpuMs(server.pid)];
    const [first, next]: [number[], number[]] = [[], []];
    for (const id of storeIds) {
      const { ms, found } = await ask(server, id, question);
      if (found !== answers.get(id)) throw new Error(`${id} answers ${found} instead of ${answers.get(id)}`);
      first.push(ms);
    }
    const cpu = cpuMs(server.pid) - cpuBefore;
    const privateBytes = memoryOf(server.pid).privateBytes - before;
    for (const id of storeIds) next.push((await ask(server, id, words.question())).ms);
    if ((await metricOf(server, outcome("opened"))) <= stores) throw new Error(`not all were mapped: ${server.log()}`);
    for (const [trial, times] of [
      ["first search in a store", first],
      ["second search in a store", next],
    ] as const) {
      const { p50_ms, p99_ms } = timesOf(times);
      report({
        trial,
        stores,
        chunks,
        p50_ms: round(p50_ms),
        p99_ms: round(p99_ms),
        slowest_ms: round(percentile(times, 100)),
      });
    }
    const bytes_a_chunk = round(privateBytes / (stores * chunks));
    report({
      trial: "all first searches",
      stores,
      chunks,
      cpu_ms_each: round(cpu / stores),
      anonymous_mib: mebibytes(privateBytes),
      anonymous_bytes_a_chunk: bytes_a_chunk,
    });
  },
};

const imagesIn = (dataDir: string) => [...new Glob("stores/*/*.image").scanSync(dataDir)].length;
const optionsAt = (dataDir: string) => ({ ...OPTIONS, dataDir });

async function ask(server: TestServer, storeId: string, query: string): Promise<{ ms: number; found: string }> {
  const started = performance.now();
  const path = `/v1/vector_stores/${storeId}/search`;
  const { data } = await json<{ data: { file_id: string; score: number }[] }>(server, "POST", path, { query });
  const ms = performance.now() - started;
  return { ms, found: data.map(({ file_id, score }) => `${file_id} ${score}`).join() };
}
