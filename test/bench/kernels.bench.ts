import { ExactIndex } from "../../src/index/exact.ts";
import { DEFAULT_GRAPH_SETTINGS, HnswGraph } from "../../src/index/hnsw.ts";
import { KeywordIndex } from "../../src/index/keyword.ts";
import { PlainScorer } from "../../src/index/keyword-scores.ts";
import { NativeScorer } from "../../src/index/native-postings.ts";
import { NativeScan } from "../../src/index/native-scan.ts";
import { packTerms } from "../../src/index/term-blob.ts";
import { unitVectors } from "../../src/index/vector-input.ts";
import { WasmScan } from "../../src/index/wasm-scan.ts";
import { loadVectors } from "../../src/platform/native.ts";
import { type Bench, type BenchContext, interleaved, round } from "./bench.ts";
import { seededRandom } from "../helpers/random.ts";
import { bruteForce, DIMENSIONS, Embeddings, recall } from "./corpus.ts";

const DEPTH = 100;
const EXACT = 20;
const QUERIES = 50;
const SIZES = { small: { scan: 4000, graph: 1000 }, normal: { scan: 100_000, graph: 20_000 } };
/** What a build sends to its thread at once. */
const BATCH = 100;

export const kernels: Bench = {
  about:
    "the addon's parts by turns: exact search by WebAssembly and by native code, keywords by loops and by native code, " +
    "a graph built by one thread and two",
  minutes: 10,
  async run(context) {
    const sizes = context.scale === "small" ? SIZES.small : SIZES.normal;
    const embeddings = new Embeddings(7);
    const flat = unitVectors(embeddings.many(sizes.scan), DIMENSIONS);
    const queries = Array.from({ length: QUERIES }, () => embeddings.next());
    await scans(context, flat, queries);
    await keywords(context);
    graphs(context, flat.subarray(0, sizes.graph * DIMENSIONS), queries);
    context.note("both scans answer the same; graph rows count time on a core too, as threads share the machine");
  },
};

async function scans({ report, scale }: BenchContext, flat: Float32Array, queries: Float32Array[]): Promise<void> {
  const vectorOf = (owner: number) => flat.subarray(owner * DIMENSIONS, (owner + 1) * DIMENSIONS);
  const options = { depth: DEPTH, exact: EXACT, fetch: (owners: readonly number[]) => owners.map(vectorOf) };
  const count = flat.length / DIMENSIONS;
  const indexes = { wasm: new WasmScan(), native: new NativeScan(loadVectors()) };
  const trials = Object.entries(indexes).map(([name, kernel]) => {
    const index = new ExactIndex(DIMENSIONS, 0, kernel);
    for (let owner = 0; owner < count; owner++) index.add(owner, vectorOf(owner));
    const search = (i: number) => index.search(queries[i % QUERIES]!, options);
    return { name, index, search, run: (i: number) => void search(i) };
  });
  const times = await interleaved(trials, { rounds: 3, each: scale === "small" ? 30 : 200 });
  for (const { name, index, search } of trials) {
    const recalls = queries.map((query, i) =>
      recall(
        search(i)
          .slice(0, 10)
          .map(({ owner }) => owner),
        bruteForce(flat, query, 10),
      ),
    );
    report({
      trial: `exact search, ${name}`,
      vectors: count,
      ...times.get(name)!,
      recall_at_10: round(recalls.reduce((sum, one) => sum + one, 0) / recalls.length, 4),
      memory_bytes_per_vector: Math.round(index.byteLength / count),
    });
  }
}

/** Ranks of words, the most frequent first; frequencies fall as 1 / rank. */
const QUESTIONS: Readonly<Record<string, readonly (readonly [from: number, to: number])[]>> = {
  "a rare word": [[1000, 20_000]],
  "three rare words": Array.from({ length: 3 }, () => [100, 20_000] as const),
  "a common word": [[12, 24]],
  "three common words": [[1, 12], [12, 24], [24, 36]], // prettier-ignore
  "six words, three common": [[1, 12], [12, 24], [24, 36], [100, 20_000], [100, 20_000], [100, 20_000]], // prettier-ignore
};
const VOCABULARY = 60_000;

async function keywords({ report, scale }: BenchContext): Promise<void> {
  const random = seededRandom(9);
  const indexes = {
    loops: new KeywordIndex(new PlainScorer()),
    native: new KeywordIndex(new NativeScorer(loadVectors())),
  };
  const count = scale === "small" ? SIZES.small.scan : scale === "full" ? 1_000_000 : SIZES.normal.scan;
  for (let chunk = 0; chunk < count; chunk++) {
    const weights = new Map<number, number>();
    const length = 40 + random.below(160);
    for (let i = 0; i < length; i++) {
      const hash = hashOf(Math.floor(VOCABULARY ** random()));
      weights.set(hash, (weights.get(hash) ?? 0) + 1);
    }
    const terms = packTerms({ weights, length, sequence: [], windows: 1 });
    for (const index of Object.values(indexes)) index.add(chunk, terms);
  }
  for (const [kind, ranges] of Object.entries(QUESTIONS)) {
    const asked = Array.from({ length: QUERIES }, () => {
      const hashes = new Set(ranges.map(([from, to]) => hashOf(from + random.below(to - from))));
      return [...hashes].map((hash) => ({ hash, count: 1, multiply: 1, add: 0, among: 0 }));
    });
    const trials = Object.entries(indexes).map(([name, index]) => ({
      name,
      run: (i: number) => void index.search(asked[i % QUERIES]!, DEPTH),
    }));
    const times = await interleaved(trials, { rounds: 3, each: scale === "small" ? 30 : 200 });
    for (const [name, taken] of times) report({ trial: `${kind}, ${name}`, chunks: count, ...taken });
  }
}

/** Hashes of words are well mixed. */
function hashOf(rank: number): number {
  const mixed = Math.imul(rank ^ (rank >>> 7), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function graphs({ report }: BenchContext, flat: Float32Array, queries: Float32Array[]): void {
  const count = flat.length / DIMENSIONS;
  const builds = [1, 2].map((threads) => ({
    threads,
    graph: HnswGraph.create(loadVectors(), DIMENSIONS, count, DEFAULT_GRAPH_SETTINGS),
    wallMs: 0,
    cpuMs: 0,
  }));
  for (let at = 0; at < flat.length; at += BATCH * DIMENSIONS) {
    const batch = flat.subarray(at, at + BATCH * DIMENSIONS);
    for (const build of builds) {
      const [started, before] = [performance.now(), process.cpuUsage()];
      build.graph.add(batch, build.threads);
      const { user, system } = process.cpuUsage(before);
      build.wallMs += performance.now() - started;
      build.cpuMs += (user + system) / 1000;
    }
  }
  for (const { threads, graph, wallMs, cpuMs } of builds) {
    const recalls = queries.map((query) =>
      recall([...graph.search(query, 10, 320).labels], bruteForce(flat, query, 10)),
    );
    report({
      trial: `build graph, threads: ${threads}`,
      vectors: count,
      vectors_per_s: Math.round(count / (wallMs / 1000)),
      vectors_per_cpu_s: Math.round(count / (cpuMs / 1000)),
      recall_at_10: round(recalls.reduce((sum, one) => sum + one, 0) / recalls.length, 4),
    });
    graph.release();
  }
}
