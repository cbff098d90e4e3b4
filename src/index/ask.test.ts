/** Searches by threads beside the same searches at once, while the index changes under them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seededRandom, type SeededRandom } from "../../test/helpers/random.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { loadVectors } from "../platform/native.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { PartBuilder } from "./builder.ts";
import type { Filter } from "./filter.ts";
import { publishManifest } from "./generation.ts";
import { DEFAULT_GRAPH_SETTINGS } from "./hnsw.ts";
import { ImageFileWriter, openImage } from "./image-file.ts";
import { useSearchThreads } from "./native-scan.ts";
import { openGraph } from "./open-graph.ts";
import { IndexRegistry } from "./registry.ts";
import { type IndexAnswer, type IndexSearch, StoreIndex, type StoreIndexOptions } from "./store-index.ts";
import { VectorRejectedError } from "./vector-input.ts";

/** Enough for sketches. */
const DIMENSIONS = 96;
const WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu".split(" ");
const [DEPTH, EXACT] = [30, 10];
const KEPT: readonly (Filter | null)[] = [null, { op: "lt", key: "n", value: 5 }, { op: "eq", key: "n", value: 3 }];

beforeAll(() => useSearchThreads(3));
afterAll(() => useSearchThreads(0));

/** Files of one to four chunks, in a model and an index. */
class Stock {
  readonly files = new Map<number, Map<number, Float32Array>>();
  readonly index: StoreIndex;
  readonly random: SeededRandom;
  /** Chunks that went, the latest last. */
  readonly gone: number[] = [];
  writes = 0;
  readonly #shares: boolean;
  #nextChunk = 1;

  constructor(random: SeededRandom, shares = false, options: Partial<StoreIndexOptions> = {}) {
    this.random = random;
    this.#shares = shares;
    this.index = new StoreIndex({ ...this.options, kind: "exact", ...options });
  }

  get options(): StoreIndexOptions {
    const fetchVectors = (ids: readonly number[]) => {
      const all = new Map([...this.files.values()].flatMap((chunks) => [...chunks]));
      return ids.map((id) => all.get(id) ?? null);
    };
    return { dimensions: DIMENSIONS, nextShare: this.#shares ? 0.1 : 0, threadsFrom: 1, fetchVectors };
  }

  get chunks(): Set<number> {
    return new Set([...this.files.values()].flatMap((chunks) => [...chunks.keys()]));
  }

  add(fileKey: number): void {
    this.writes++;
    this.#forget(fileKey);
    const { random } = this;
    const chunks = Array.from({ length: 1 + random.below(4) }, (_, i) => ({
      chunkId: this.#nextChunk++,
      terms: encodeTerms({
        text: Array.from({ length: 8 }, () => random.pick(WORDS)).join(" "),
        heading: [],
        title: "",
      }),
      vectors: random.vector(DIMENSIONS * (1 + random.below(2))),
      shared: this.#shares && i > 0 ? 1 : 0,
    }));
    this.files.set(fileKey, new Map(chunks.map(({ chunkId, vectors }) => [chunkId, vectors])));
    const attributes = { n: random.below(10) };
    this.index.addFile({ fileKey, fileId: `file-${fileKey}`, filename: "a.txt", attributes, chunks });
  }

  remove(fileKey: number): void {
    this.writes++;
    this.#forget(fileKey);
    this.index.removeFile(fileKey);
  }

  write(keys: number): void {
    const key = this.random.below(keys);
    if (this.random() < 0.6) this.add(key);
    else this.remove(key);
  }

  question(filter: Filter | null = this.random.pick(KEPT)): IndexSearch {
    const vector = this.random.vector(DIMENSIONS);
    const terms = queryTerms(`${this.random.pick(WORDS)} ${this.random.pick(WORDS)}`);
    return { vector, terms, filter, depth: DEPTH, exact: EXACT };
  }

  #forget(fileKey: number): void {
    this.gone.push(...(this.files.get(fileKey)?.keys() ?? []));
    this.files.delete(fileKey);
  }
}

const ids = (hits: readonly { chunkId: number }[]) => hits.map((hit) => hit.chunkId);

/** Asks, and says what the same search at once found; resolves to a comparison of both, to be made when it is answered. */
function asked(stock: Stock, request: IndexSearch, isExact = true): Promise<void> {
  const before = stock.chunks;
  const goneBefore = stock.gone.length;
  const expected = stock.index.search({ ...request, exact: request.depth });
  const writesBefore = stock.writes;
  let [goneAtEnd, writesAtEnd] = [goneBefore, writesBefore];
  const told: IndexSearch = {
    ...request,
    // Asked for when the answer is put together, which may be long before its promise is looked at.
    get byWindows() {
      goneAtEnd = stock.gone.length;
      writesAtEnd = stock.writes;
      return true;
    },
  };
  const answer = Promise.resolve(stock.index.ask(told));
  return answer.then((found) => {
    const went = new Set(stock.gone.slice(goneBefore, goneAtEnd));
    const left = expected.vector.filter((hit) => !went.has(hit.chunkId));
    const removed = expected.vector.length - left.length;
    // Those that went may have been among the exact ones, and what comes after them is not promised.
    const certain = Math.min(EXACT - Math.min(removed, EXACT), left.length);
    if (isExact) {
      expect(ids(found.vector).slice(0, certain)).toEqual(ids(left).slice(0, certain));
      found.vector.slice(0, certain).forEach((hit, i) => expect(hit.score).toBeCloseTo(left[i]!.score, 5));
    }
    expect(found.vector.length).toBeGreaterThanOrEqual(left.length - went.size);
    const shown = new Set(ids(found.candidates));
    expect(shown.size).toBe(found.candidates.length);
    for (const id of [...shown, ...ids(found.vector), ...ids(found.keyword)]) {
      expect(before.has(id) && !went.has(id)).toBe(true);
    }
    expect(found.matched).toEqual(expected.matched);
    if (writesAtEnd === writesBefore) expect(byWords(found)).toEqual(byWords(expected));
  });
}

/** What the words found, and what they say of chunks that the vectors found. */
function byWords({ keyword, candidates, maxKeywordScore }: IndexAnswer) {
  const words = candidates.map(({ chunkId, keywordScore, evidence }) => [chunkId, { keywordScore, evidence }] as const);
  const of = new Map(words);
  return { maxKeywordScore, keyword: keyword.map((hit) => ({ ...hit, ...of.get(hit.chunkId) })) };
}

describe.each([
  ["of their own", false],
  ["that they share", true],
])("chunks with windows %s", (_, shares) => {
  test("a search by threads finds what the same finds at once, whatever comes and goes meanwhile", async () => {
    const stock = new Stock(seededRandom(shares ? 5 : 4), shares);
    const keys = 500;
    for (let key = 0; key < keys; key++) stock.add(key);
    for (let round = 0; round < 30; round++) {
      const under: Promise<void>[] = [];
      for (let i = 0; i < 6; i++) {
        under.push(asked(stock, stock.question()));
        for (let w = stock.random.below(8); w > 0; w--) stock.write(keys);
      }
      // Some are waited for in between, so that views of several ages are open.
      await under[stock.random.below(under.length)];
      // What was answered in this turn is compared before more comes or goes.
      await nextTurn();
      stock.write(keys);
      await Promise.all(under);
      await asked(stock, stock.question());
    }
    stock.index.close();
  }, 60_000);
});

test("under searches without a pause, what was removed gives its place back", async () => {
  const stock = new Stock(seededRandom(6));
  const keys = 300;
  for (let key = 0; key < keys; key++) stock.add(key);
  for (let i = 0; i < 300; i++) stock.write(keys);
  const before = stock.index.byteLength;
  const under: Promise<void>[] = [];
  for (let i = 0; i < 3000; i++) {
    stock.write(keys);
    if (i % 20 > 0) continue;
    under.push(asked(stock, stock.question()));
    // Never are all answered.
    if (under.length > 3) await under.shift();
    await nextTurn();
  }
  await Promise.all(under);
  expect(stock.index.byteLength).toBeLessThan(before * 4);
  expect(stock.index.search({ ...stock.question(null), depth: 5000 }).vector).toHaveLength(stock.chunks.size);
}, 60_000);

test("what fails is that search's alone, and holds nothing up", async () => {
  const stock = new Stock(seededRandom(7));
  for (let key = 0; key < 200; key++) stock.add(key);
  const wrong = { ...stock.question(), vector: new Float32Array(DIMENSIONS - 1) };
  const good = asked(stock, stock.question());
  const failed = Promise.resolve(stock.index.ask(wrong)).then(
    () => null,
    (error: unknown) => error,
  );
  const thrown = loadVectors()
    .poolFail()
    .then(
      () => null,
      (error: unknown) => error,
    );
  await good;
  expect(await failed).toBeInstanceOf(VectorRejectedError);
  expect(await thrown).toBeInstanceOf(Error);
  stock.remove(0);
  expect(stock.index.stats.vectors).toBe(
    [...stock.files.values()].flatMap((f) => [...f.values()]).reduce((sum, v) => sum + v.length / DIMENSIONS, 0),
  );
  await asked(stock, stock.question());
});

async function withGraph(stock: Stock, directory: string): Promise<void> {
  stock.index.setKind("hnsw");
  const work = stock.index.graphWork();
  if (work === null) throw new Error("no graph is wanted");
  const plan = {
    directory,
    serial: 1,
    dimensions: DIMENSIONS,
    settings: DEFAULT_GRAPH_SETTINGS,
    expected: 0,
    base: null,
  };
  const builder = await PartBuilder.start(loadVectors(), plan);
  for (const [i, vectors] of stock.options.fetchVectors(work.chunkIds).entries()) {
    builder.add(new Float64Array(vectors!.length / DIMENSIONS).fill(work.chunkIds[i]!), vectors!);
  }
  publishManifest(directory, { identity: {}, parts: [builder.finish()] });
  const opened = await openGraph(loadVectors(), directory, {}, DIMENSIONS);
  if (!opened.ok) throw new Error(opened.detail);
  stock.index.attachGraph(opened.graph);
}

test("walks of a graph go on while chunks come and go, the graph is taken away and the index is closed", async () => {
  using directory = tempDir();
  const stock = new Stock(seededRandom(8));
  for (let key = 0; key < 250; key++) stock.add(key);
  await withGraph(stock, join(directory.path, "g"));
  expect(stock.index.stats.used).toBe("hnsw");
  for (let round = 0; round < 10; round++) {
    const under = Array.from({ length: 4 }, () => asked(stock, stock.question(), false));
    for (let i = 0; i < 4; i++) stock.write(250);
    await Promise.all(under);
  }
  const last = Array.from({ length: 8 }, () => asked(stock, stock.question(null), false));
  stock.index.attachGraph(null);
  await Promise.all(last);
  await withGraph(stock, join(directory.path, "h"));
  const answers = Array.from({ length: 8 }, () => Promise.resolve(stock.index.ask(stock.question(null))));
  stock.index.close();
  for (const { vector, used } of await Promise.all(answers)) expect([vector.length, used]).toEqual([DEPTH, "hnsw"]);
});

test("an index that is evicted and retired answers first, and is closed then", async () => {
  const stock = new Stock(seededRandom(9));
  for (let key = 0; key < 250; key++) stock.add(key);
  let isClosed = false;
  const close = stock.index.close.bind(stock.index);
  stock.index.close = () => {
    isClosed = true;
    close();
  };
  const registry = new IndexRegistry({ load: () => Promise.resolve(stock.index), budgetBytes: 1 });
  const lease = await registry.acquire("store", 1);
  const answer = asked(stock, stock.question());
  const retired = registry.retire("store", 1);
  registry.close();
  await answer;
  expect(isClosed).toBe(false);
  lease.release();
  await retired;
  expect(isClosed).toBe(true);
});

test("an image is searched to the end when another takes its place and nobody else holds it", async () => {
  using directory = tempDir();
  const path = join(directory.path, "image");
  const stock = new Stock(seededRandom(10));
  for (let key = 0; key < 400; key++) stock.add(key);
  const opened = async (): Promise<StoreIndex> => {
    const image = await openImage(path, {});
    if (!image.ok) throw new Error(image.reason);
    return StoreIndex.from(stock.options, image.image);
  };
  const write = () => {
    const writer = ImageFileWriter.create(path, {});
    stock.index.writeTo(writer);
    writer.finish();
  };
  write();
  const expected: IndexAnswer[] = [];
  const found: Promise<IndexAnswer>[] = [];
  for (let i = 0; i < 10; i++) {
    const request = stock.question();
    expected.push(stock.index.search(request));
    const index = await opened();
    found.push(Promise.resolve(index.ask(request)));
    index.close();
    write();
    Bun.gc(true);
  }
  for (const [i, { vector }] of (await Promise.all(found)).entries()) expect(vector).toEqual([...expected[i]!.vector]);
});

test("a process ends at once with searches under way, by its own will or another's", async () => {
  const script = `
    import { loadVectors } from ${JSON.stringify(join(import.meta.dir, "../platform/native.ts"))};
    const addon = loadVectors();
    addon.poolThreads(2);
    const [stride, rows] = [256, 100_000];
    const [codes, scales] = [new Int8Array(stride * rows).fill(3), new Float32Array(rows).fill(1)];
    const list = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % rows);
    const ask = () => addon.gatherLater(codes, scales, stride, list, new Int16Array(stride).fill(2), 1, new Float32Array(rows));
    for (let i = 0; i < 50; i++) void ask().then(ask);
    await ask();
    console.log("searching");
    if (process.argv.at(-1) === "exit") process.exit(7);
    for (;;) await ask();`;
  for (const how of ["exit", "exit", "SIGTERM"] as const) {
    const child = Bun.spawn([process.execPath, "-e", script, how], { stdout: "pipe", stderr: "pipe" });
    const { value } = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("searching\n");
    if (how === "SIGTERM") child.kill("SIGTERM");
    await child.exited;
    expect([child.exitCode, child.signalCode]).toEqual(how === "exit" ? [7, null] : [null, "SIGTERM"]);
  }
}, 60_000);
