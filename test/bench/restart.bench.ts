import { readdirSync } from "node:fs";
import { join } from "node:path";
import { json } from "../helpers/api.ts";
import { cpuMs, memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Bench, median, round } from "./bench.ts";
import { Words } from "./corpus.ts";
import { metricOf } from "./server-data.ts";
import { STOCK_OPTIONS, stockStore } from "./stocked-store.ts";

const SIZES = { small: [5_000], normal: [100_000], full: [100_000, 1_000_000] } as const;
const STARTS = { small: 3, normal: 7, full: 7 } as const;
const COLD_STARTS = 3;
const WRITTEN = 'lectern_index_images_total{outcome="written"}';
const OPENED = 'lectern_index_images_total{outcome="opened"}';
const QUESTION = new Words(7).question();

export const restart: Bench = {
  about:
    "from exec after kill -9 to the first answer about a large store, which is the one before it was killed, beyond what a " +
    "server with a store of one chunk takes; both in turns. Warm: the files are in the page cache. Memory: RssAnon of the one " +
    "beyond the other's, after the answer",
  minutes: 15,
  async run({ scale, report, note }) {
    note("the stores are of vectors of 256 values; they are scanned: no graph is built of them");
    note("on a busy machine what a start takes on a core says more than what it takes by the clock");
    using dir = tempDir();
    const small = await Stocked.create(dir.join("small"), 1);
    for (const chunks of SIZES[scale]) {
      const large = await Stocked.create(dir.join(`large-${chunks}`), chunks);
      report({ trial: "first search, read from the database", chunks, ms: round(large.fromDatabaseMs) });
      for (const [trial, starts, isCold] of [
        ["mapped, warm", STARTS[scale], false],
        ["mapped, cold", COLD_STARTS, true],
      ] as const) {
        const [one, all]: [Start[], Start[]] = [[], []];
        for (let i = 0; i < starts; i++) {
          one.push(await small.start(isCold));
          all.push(await large.start(isCold));
        }
        const fastest = (starts: readonly Start[]) => Math.min(...starts.map(({ ms }) => ms));
        const beyond = (pick: (start: Start) => number) => median(all.map(pick)) - median(one.map(pick));
        report({
          trial,
          chunks,
          one_chunk_ms: round(median(one.map(({ ms }) => ms))),
          beyond_ms: round(beyond(({ ms }) => ms)),
          beyond_fastest_ms: round(fastest(all) - fastest(one)),
          beyond_cpu_ms: round(beyond(({ cpu }) => cpu)),
          anonymous_bytes_a_chunk: round(beyond(({ anonymousBytes }) => anonymousBytes) / chunks),
        });
      }
    }
  },
};

interface Start {
  /** From exec to the answer, and of all its threads on a core until then. */
  ms: number;
  cpu: number;
  anonymousBytes: number;
}

/** A data directory with a store, whose server is killed and started. */
class Stocked {
  readonly #dataDir: string;
  readonly #storeId: string;
  readonly #isImaged: boolean;
  #answer = "";
  fromDatabaseMs = 0;

  private constructor(dataDir: string, storeId: string, isImaged: boolean) {
    this.#dataDir = dataDir;
    this.#storeId = storeId;
    this.#isImaged = isImaged;
  }

  /** With its image, where it is large enough for one. */
  static async create(dataDir: string, chunks: number): Promise<Stocked> {
    const stocked = new Stocked(dataDir, await stockStore(dataDir, chunks), chunks > 2_000);
    await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
    await json(server, "POST", `/v1/vector_stores/${stocked.#storeId}`, { index_type: "exact" });
    const started = performance.now();
    stocked.#answer = await stocked.#ask(server);
    stocked.fromDatabaseMs = performance.now() - started;
    if (stocked.#isImaged)
      await waitFor("the image", async () => (await metricOf(server, WRITTEN)) > 0 || undefined, 900_000);
    await server.kill();
    return stocked;
  }

  async start(isCold: boolean): Promise<Start> {
    if (isCold) await dropFromCache(this.#dataDir);
    const started = performance.now();
    await using server = await startServer({ ...STOCK_OPTIONS, dataDir: this.#dataDir });
    const answer = await this.#ask(server);
    const [ms, cpu] = [performance.now() - started, cpuMs(server.pid)];
    const { privateBytes: anonymousBytes } = memoryOf(server.pid);
    if (answer !== this.#answer) throw new Error(`another answer than before: ${answer} instead of ${this.#answer}`);
    if (this.#isImaged && (await metricOf(server, OPENED)) !== 1)
      throw new Error(`the image was not used: ${server.log()}`);
    await server.kill();
    return { ms, cpu, anonymousBytes };
  }

  async #ask(server: TestServer): Promise<string> {
    const path = `/v1/vector_stores/${this.#storeId}/search`;
    const { data } = await json<{ data: { file_id: string; score: number }[] }>(server, "POST", path, {
      query: QUESTION,
    });
    return data.map(({ file_id, score }) => `${file_id} ${score}`).join();
  }
}

/** Has the system forget what it holds of the files of a directory. */
async function dropFromCache(directory: string): Promise<void> {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      await Bun.$`dd if=${join(entry.parentPath, entry.name)} iflag=nocache count=0 status=none`.quiet().nothrow();
}
