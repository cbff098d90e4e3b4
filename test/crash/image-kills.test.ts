/**
 * kill -9 at random instants while index images are written, given their names, used and replaced; and between two starts
 * the file is torn, flipped, emptied, removed, or put back as it was long ago. Each start answers right from the first
 * question on. IMAGE_ROUNDS says how often (6 unless set), SEED repeats a run.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { metricOf } from "../bench/server-data.ts";
import { STOCK_OPTIONS, stockStore } from "../bench/stocked-store.ts";
import { json, settled, upload } from "../helpers/api.ts";
import { runSeed, seededRandom, type SeededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const ROUNDS = Number(process.env["IMAGE_ROUNDS"] ?? 6);
/** As few as have an image. */
const CHUNKS = 2_100;
const MAX_LIFE_MS = 2_500;
/** A long series says how far it is. */
const SAID_EVERY = 25;
const LOTS = [3, 40, 77];
const FAILPOINTS = ["image:arrays", "image:durable", "image:renamed"];
const outcome = (name: string) => `lectern_index_images_total{outcome="${name}"}`;

interface Hit {
  file_id: string;
  score: number;
}

/** A data directory, what its clients were told, and what became of its images. */
class Series {
  readonly dataDir: string;
  readonly #storeId: string;
  readonly #random: SeededRandom;
  /** File id -> the word that only it has; of those that were seen completed, and of those whose deletion was answered. */
  readonly #kept = new Map<string, string>();
  readonly #deleted = new Map<string, string>();
  #words = 0;
  #baseline: unknown = null;
  readonly counts = { opened: 0, refused: 0, none: 0, torn: 0 };

  constructor(dataDir: string, storeId: string, random: SeededRandom) {
    this.dataDir = dataDir;
    this.#storeId = storeId;
    this.#random = random;
  }

  get #directory(): string {
    return join(this.dataDir, "stores", this.#storeId);
  }

  get #path(): string {
    return join(this.#directory, "gen-1.image");
  }

  get #spare(): string {
    return join(this.dataDir, "..", "spare.image");
  }

  /** Names of what writing leaves while it is not done. */
  unfinished(): string[] {
    return readdirSync(this.#directory).filter((name) => /\.image\./.test(name));
  }

  async prepare(): Promise<void> {
    await using server = await startServer({ ...STOCK_OPTIONS, dataDir: this.dataDir });
    this.#baseline = await this.#stockAnswers(server);
    for (let i = 0; i < 3; i++) await this.#add(server);
    await this.waitForImage(server);
    await server.kill();
    copyFileSync(this.#path, this.#spare);
  }

  async waitForImage(server: TestServer): Promise<void> {
    const written = async () => (await metricOf(server, outcome("written"))) > 0 || undefined;
    await waitFor("the image", written, 100_000);
  }

  /** Every second time the process that writes an image ends at one of its points, in turn. */
  async round(number: number): Promise<void> {
    const failpoint = number % 2 === 0 ? (FAILPOINTS[(number / 2) % FAILPOINTS.length] ?? "") : "";
    if (failpoint === "") this.#damage();
    else if (!existsSync(this.#path)) copyFileSync(this.#spare, this.#path);
    const env = { LECTERN_TEST_FAILPOINT: failpoint };
    await using server = await startServer({ ...STOCK_OPTIONS, dataDir: this.dataDir, env });
    await this.check(server);
    await this.#count(server);
    const work = Promise.all([this.#change(server), this.#ask(server)]);
    if (failpoint === "") await this.#life();
    else {
      const isEnded = () => (server.log().includes("an index image could not be written") ? true : undefined);
      await waitFor(`${failpoint} is passed`, isEnded, 100_000);
    }
    await server.kill();
    await work;
    if (existsSync(this.#directory) && this.unfinished().length > 0) this.counts.torn++;
  }

  async #life(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, this.#random() * MAX_LIFE_MS);
    await promise;
  }

  /** The first questions after a start. */
  async check(server: TestServer): Promise<void> {
    expect(await this.#stockAnswers(server)).toEqual(this.#baseline);
    for (const [id, word] of this.#some(this.#kept))
      expect([word, (await this.#found(server, word))[0]?.file_id]).toEqual([word, id]);
    for (const [id, word] of this.#some(this.#deleted)) {
      const files = (await this.#found(server, word)).map((hit) => hit.file_id);
      expect([word, files.includes(id)]).toEqual([word, false]);
    }
  }

  /** Everything that some questions find, with its scores. */
  async answers(server: TestServer): Promise<unknown> {
    const words = ["bobobo kakaka", "dada fofo gugu", "document lives", ...this.#kept.values().take(20)];
    const found = await Promise.all(words.map((word) => this.#found(server, word)));
    return found.map((hits) => hits.map(({ file_id, score }) => [file_id, score]));
  }

  /** What no other file has a part in: vectors alone, of a few files. */
  async #stockAnswers(server: TestServer): Promise<unknown> {
    const asking = LOTS.map(async (value) => {
      const filters = { type: "eq", key: "lot", value };
      return await this.#search(server, { query: "dada fofo", search_mode: "vector", filters });
    });
    return (await Promise.all(asking)).map((hits) => hits.map(({ file_id, score }) => [file_id, score]));
  }

  async #found(server: TestServer, word: string): Promise<Hit[]> {
    return await this.#search(server, { query: word });
  }

  async #search(server: TestServer, body: object): Promise<Hit[]> {
    const path = `/v1/vector_stores/${this.#storeId}/search`;
    return (await json<{ data: Hit[] }>(server, "POST", path, { max_num_results: 10, ...body })).data;
  }

  /** Files come and go until the server is gone: with each deletion the image is written anew. */
  async #change(server: TestServer): Promise<void> {
    for (;;) {
      try {
        if (this.#kept.size > 3) await this.#delete(server);
        await this.#add(server);
      } catch (error) {
        if (error instanceof Error && /: [45]\d\d /.test(error.message)) throw error;
        return;
      }
    }
  }

  async #ask(server: TestServer): Promise<void> {
    for (;;) {
      try {
        expect(await this.#stockAnswers(server)).toEqual(this.#baseline);
      } catch (error) {
        if (error instanceof Error && /: [45]\d\d |toEqual/.test(error.message)) throw error;
        return;
      }
    }
  }

  async #add(server: TestServer): Promise<void> {
    const word = `zz${++this.#words}quodlibet`;
    const id = await upload(server, `${word}.txt`, `The ${word} lives in one document alone.`);
    await json(server, "POST", `/v1/vector_stores/${this.#storeId}/files`, { file_id: id });
    expect((await settled(server, this.#storeId, id)).status).toBe("completed");
    this.#kept.set(id, word);
  }

  async #delete(server: TestServer): Promise<void> {
    const [id, word] = this.#random.pick([...this.#kept]);
    // Asked for, it may happen without an answer: then nobody knows.
    this.#kept.delete(id);
    await json(server, "DELETE", `/v1/files/${id}`);
    this.#deleted.set(id, word);
  }

  #some(of: Map<string, string>): [string, string][] {
    const all = [...of];
    return all.length === 0 ? [] : Array.from({ length: 4 }, () => this.#random.pick(all));
  }

  #damage(): void {
    const path = this.#path;
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const kind = this.#random.below(10);
    if (bytes.length === 0 || kind === 0) copyFileSync(this.#spare, path);
    else if (kind === 1) truncateSync(path, this.#random.below(bytes.length));
    else if (kind === 2) truncateSync(path, 0);
    else if (kind === 3) rmSync(path);
    else if (kind === 4) {
      bytes[this.#random.below(bytes.length)]! ^= 1 << this.#random.below(8);
      writeFileSync(path, bytes);
    } else if (kind === 5) writeFileSync(`${path}.tmp`, bytes.subarray(0, this.#random.below(bytes.length)));
  }

  async #count(server: TestServer): Promise<void> {
    const opened = await metricOf(server, outcome("opened"));
    const refused = (await metricOf(server, outcome("damaged"))) + (await metricOf(server, outcome("outdated")));
    // What is put back later is old, and yet not so old that reading all anew is less work.
    if (opened > 0 && existsSync(this.#path)) copyFileSync(this.#path, this.#spare);
    if (opened > 0) this.counts.opened++;
    else if (refused > 0) this.counts.refused++;
    else this.counts.none++;
  }
}

test(
  `${ROUNDS} times killed while images are written and used, every start answers right`,
  async () => {
    using dir = tempDir();
    const dataDir = dir.join("data");
    const series = new Series(dataDir, await stockStore(dataDir, CHUNKS), seededRandom(runSeed("images")));
    await series.prepare();
    for (let round = 1; round <= ROUNDS; round++) {
      await series.round(round);
      if (round % SAID_EVERY === 0) console.log(`${round} kills`);
    }
    const { opened, refused, none, torn } = series.counts;
    expect(opened).toBeGreaterThan(0);
    let answers: unknown;
    {
      await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
      await series.check(server);
      answers = await series.answers(server);
      expect(await server.stop()).toBe(0);
    }
    // What the database says, and the image that is made of it.
    rmSync(join(dataDir, "stores"), { recursive: true });
    await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
    expect(await series.answers(server)).toEqual(answers);
    await series.waitForImage(server);
    await waitFor("nothing is left of the writing", () => (series.unfinished().length === 0 ? true : undefined));
    console.log(
      `${ROUNDS} kills: ${opened} starts from an image, ${refused} refused one, ${none} had none; ${torn} left a half one`,
    );
  },
  120_000 + ROUNDS * 15_000,
);
