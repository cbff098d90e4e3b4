import { ExactIndex } from "../../src/index/exact.ts";
import { DEFAULT_GRAPH_SETTINGS, HnswGraph } from "../../src/index/hnsw.ts";
import { NativeScan } from "../../src/index/native-scan.ts";
import { unitVectors } from "../../src/index/vector-input.ts";
import { WasmScan } from "../../src/index/wasm-scan.ts";
import { loadVectors } from "../../src/platform/native.ts";
import { type Bench, type BenchContext, interleaved, round } from "./bench.ts";
import { bruteForce, DIMENSIONS, Embeddings, recall } from "./corpus.ts";

const DEPTH = 100;
const EXACT = 20;
const QUERIES = 50;
const SIZES = { small: { scan: 4000, graph: 1000 }, normal: { scan: 100_000, graph: 20_000 } };
/** What a build sends to its thread at once. */
const BATCH = 100;

export const kernels: Bench = {
  about:
    "the addon's parts by turns: exact search by WebAssembly and by native code, a graph built by one thread and two",
  minutes: 10,
  async run(context) {
    const sizes = context.scale === "small" ? SIZES.small : SIZES.normal;
    const embeddings = new Embeddings(7);
    const flat = unitVectors(embeddings.many(sizes.scan), DIMENSIONS);
    const queries = Array.from({ length: QUERIES }, () => embeddings.next());
    await scans(context, flat, queries);
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
