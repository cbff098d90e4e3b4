import { json } from "../helpers/api.ts";
import { mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Bench, median, round } from "./bench.ts";
import { Words } from "./corpus.ts";
import { metricOf } from "./server-data.ts";
import { STOCK_OPTIONS, stockStore } from "./stocked-store.ts";

const SIZES = { small: [5_000], normal: [100_000], full: [100_000, 1_000_000] } as const;
const STARTS = 5;
const WRITTEN = 'lectern_index_images_total{outcome="written"}';
const OPENED = 'lectern_index_images_total{outcome="opened"}';

export const restart: Bench = {
  about: "from a killed server to the first answer about a large store: its index read from the database, and mapped",
  minutes: 15,
  async run({ scale, report }) {
    for (const chunks of SIZES[scale]) {
      using dir = tempDir();
      const dataDir = dir.join("data");
      const storeId = await stockStore(dataDir, chunks);
      const words = new Words(7);
      const first = async (server: TestServer) => {
        const started = performance.now();
        await json(server, "POST", `/v1/vector_stores/${storeId}/search`, { query: words.question() });
        return performance.now() - started;
      };
      const row = (trial: string, times: number[], server: TestServer, before: number) => {
        const held = memoryOf(server.pid).privateBytes - before;
        const private_bytes_a_chunk = Math.round(held / chunks);
        const slowest_ms = round(Math.max(...times));
        report({
          trial,
          chunks,
          p50_ms: round(median(times)),
          slowest_ms,
          private_bytes_a_chunk,
          private_mib: mebibytes(held),
        });
      };
      {
        await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
        const before = memoryOf(server.pid).privateBytes;
        row("first search, read from the database", [await first(server)], server, before);
        await waitFor("the image", async () => (await metricOf(server, WRITTEN)) > 0 || undefined, 600_000);
        await server.kill();
      }
      const times: number[] = [];
      for (let i = 0; i < STARTS; i++) {
        await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
        const before = memoryOf(server.pid).privateBytes;
        times.push(await first(server));
        if ((await metricOf(server, OPENED)) === 0) throw new Error(`the image was not used: ${server.log()}`);
        if (i === STARTS - 1) row("first search after kill -9, mapped", times, server, before);
        await server.kill();
      }
    }
  },
};
