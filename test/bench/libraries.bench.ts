import { join } from "node:path";
import { encodeTerms } from "../../src/index/analyzer.ts";
import type { Filter } from "../../src/index/filter.ts";
import { StoreIndex } from "../../src/index/store-index.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type Bench, type BenchContext, interleaved, mean, round, type Trial } from "./bench.ts";
import { attributesOf, bruteForce, DIMENSIONS, Embeddings, recall, SHARES } from "./corpus.ts";
import { graphFor } from "./graph.ts";
import { PACKAGES } from "./peers/hosted.ts";
import { fromNpm } from "./peers/install.ts";

const QUERIES = 50;
const K = 10;

export const libraries: Bench = {
  about:
    "the same vectors (256 dimensions) searched in the same process by Lectern's index, usearch and LanceDB, 10 results",
  minutes: 15,
  async run(context) {
    const chunks = context.scale === "small" ? 4000 : 100_000;
    const embeddings = new Embeddings(7);
    const flat = embeddings.many(chunks);
    const queries = Array.from({ length: QUERIES }, () => embeddings.next());
    const data: Data = { flat, chunks, queries };
    const contenders: Contender[] = [...(await ours(context, data))];
    const modules = await installed(context);
    if (modules !== null) {
      contenders.push(...(await attempt(context, "usearch", () => usearch(context, data, modules))));
      contenders.push(...(await attempt(context, "LanceDB", () => lance(context, data, modules))));
    }
    await compare(context, data, contenders);
    for (const contender of contenders) contender.close?.();
  },
};

interface Data {
  flat: Float32Array;
  chunks: number;
  queries: readonly Float32Array[];
}

interface Contender {
  name: string;
  /** Positions of the nearest; `filter` null for all. */
  find(query: Float32Array, filter: { key: string; value: number } | null): number[] | Promise<number[]>;
  filters: boolean;
  close?: () => void;
}

const lotOf = (at: number) => (at * 7919) % 1000;
const keeps = (at: number, filter: { key: string; value: number } | null) =>
  filter === null || attributesOf(lotOf(at))[filter.key] === filter.value;

async function compare(context: BenchContext, data: Data, contenders: readonly Contender[]): Promise<void> {
  const small = context.scale === "small";
  for (const { share, filter } of SHARES) {
    const able = contenders.filter((one) => filter === null || one.filters);
    const trials = able.map((one): Trial => {
      return { name: one.name, run: (i) => one.find(data.queries[i % QUERIES]!, filter) };
    });
    const times = await interleaved(trials, { rounds: 3, each: small ? 20 : 100 });
    const wanted = data.queries.map((query) => bruteForce(data.flat, query, K, (at) => keeps(at, filter)));
    for (const one of able) {
      const recalls: number[] = [];
      for (const [i, query] of data.queries.entries())
        recalls.push(recall(await one.find(query, filter), wanted[i] ?? []));
      context.report({
        trial: `search, ${share}`,
        index: one.name,
        chunks: data.chunks,
        ...times.get(one.name)!,
        recall_at_10: round(mean(recalls), 4),
      });
    }
  }
  const without = contenders.filter((one) => !one.filters).map((one) => one.name);
  if (without.length > 0) context.note(`no filters in its binding: ${without.join(", ")}`);
}

async function ours({ report }: BenchContext, { flat, chunks }: Data): Promise<Contender[]> {
  const vectorOf = (id: number) => flat.subarray(id * DIMENSIONS, (id + 1) * DIMENSIONS);
  const terms = encodeTerms({ text: "passage", heading: [], title: "" });
  const make = () => {
    const index = new StoreIndex({ dimensions: DIMENSIONS, fetchVectors: (ids) => ids.map(vectorOf), kind: "exact" });
    for (let at = 0; at < chunks; at++) {
      index.addFile({
        fileKey: at,
        fileId: `file-${at}`,
        filename: "a",
        attributes: attributesOf(lotOf(at)),
        chunks: [{ chunkId: at, terms, vectors: vectorOf(at) }],
      });
    }
    return index;
  };
  const built = (name: string, since: number, bytes: number) =>
    report({
      trial: "build",
      index: name,
      chunks,
      build_s: round((performance.now() - since) / 1000),
      bytes_per_vector: Math.round(bytes / chunks),
    });
  let started = performance.now();
  const scanned = make();
  built("lectern exact", started, scanned.byteLength);
  const walked = make();
  started = performance.now();
  await graphFor(walked, flat, DIMENSIONS);
  built("lectern hnsw, 1 thread", started, walked.byteLength);
  const contender = (name: string, index: StoreIndex): Contender => ({
    name,
    filters: true,
    find: (vector, filter) => {
      const only: Filter | null = filter === null ? null : { op: "eq", ...filter };
      return index.search({ vector, terms: null, filter: only, depth: K }).vector.map((hit) => hit.chunkId);
    },
    close: () => index.close(),
  });
  return [contender("lectern exact", scanned), contender("lectern hnsw", walked)];
}

/** The folder of the packages; null, with a note, where they cannot be had. */
async function installed({ note }: BenchContext): Promise<string | null> {
  try {
    return join(await fromNpm("npm", PACKAGES), "node_modules");
  } catch (error) {
    note(`peers left out: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

async function attempt(context: BenchContext, name: string, make: () => Promise<Contender[]>): Promise<Contender[]> {
  try {
    return await make();
  } catch (error) {
    context.note(`${name} left out: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

interface Usearch {
  Index: new (options: Record<string, unknown>) => {
    add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
    search(vector: Float32Array, k: number, threads: number): { keys: BigUint64Array };
  };
}

async function usearch({ report }: BenchContext, { flat, chunks }: Data, modules: string): Promise<Contender[]> {
  const { Index } = (await import(join(modules, "usearch/javascript/dist/cjs/usearch.js"))) as Usearch;
  const keys = BigUint64Array.from({ length: chunks }, (_, i) => BigInt(i));
  return ["f32", "bf16"].map((quantization): Contender => {
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const started = performance.now();
    const index = new Index({
      dimensions: DIMENSIONS,
      metric: "ip",
      quantization,
      connectivity: 16,
      expansion_add: 200,
      expansion_search: 128,
      multi: false,
    });
    index.add(keys, flat, 1);
    const name = `usearch ${quantization}`;
    report({
      trial: "build",
      index: `${name}, 1 thread`,
      chunks,
      build_s: round((performance.now() - started) / 1000),
      bytes_per_vector: Math.round((process.memoryUsage.rss() - before) / chunks),
    });
    return { name, filters: false, find: (query) => [...index.search(query, K, 1).keys].map(Number) };
  });
}

interface LanceQuery {
  where(filter: string): LanceQuery;
  limit(count: number): LanceQuery;
  ef(width: number): LanceQuery;
  distanceType(type: string): LanceQuery;
  select(columns: string[]): LanceQuery;
  toArray(): Promise<{ id: number }[]>;
}
interface LanceTable {
  createIndex(column: string, options: { config: unknown }): Promise<void>;
  waitForIndex?(names: string[], timeoutSeconds: number): Promise<void>;
  vectorSearch(vector: Float32Array): LanceQuery;
}
interface Lance {
  connect(path: string): Promise<{ createTable(name: string, rows: unknown): Promise<LanceTable> }>;
  Index: { hnswSq(options: Record<string, unknown>): unknown; btree(): unknown };
}

async function lance({ report }: BenchContext, { flat, chunks }: Data, modules: string): Promise<Contender[]> {
  const { connect, Index } = (await import(join(modules, "@lancedb/lancedb/dist/index.js"))) as Lance;
  const dir = tempDir();
  const database = await connect(dir.path);
  const rows = Array.from({ length: chunks }, (_, id) => ({
    id,
    ...attributesOf(lotOf(id)),
    vector: flat.subarray(id * DIMENSIONS, (id + 1) * DIMENSIONS),
  }));
  const made = async (name: string, then: (table: LanceTable) => Promise<void>) => {
    const started = performance.now();
    const table = await database.createTable(name.replaceAll(/\W+/g, "_"), rows);
    await then(table);
    report({ trial: "build", index: name, chunks, build_s: round((performance.now() - started) / 1000) });
    return table;
  };
  const scanned = await made("LanceDB, no index", () => Promise.resolve());
  const walked = await made("LanceDB HNSW-SQ, all cores", async (table) => {
    // One partition: what LanceDB's guide says for tables of this size.
    const config = Index.hnswSq({ distanceType: "dot", numPartitions: 1, m: 16, efConstruction: 200 });
    await table.createIndex("vector", { config });
    for (const column of Object.keys(attributesOf(0))) await table.createIndex(column, { config: Index.btree() });
  });
  const contender = (name: string, table: LanceTable, ef: number | null): Contender => ({
    name,
    filters: true,
    find: async (query, filter) => {
      let asked = table.vectorSearch(query).distanceType("dot").select(["id", "_distance"]).limit(K);
      if (ef !== null) asked = asked.ef(ef);
      if (filter !== null) asked = asked.where(`${filter.key} = ${filter.value}`);
      return (await asked.toArray()).map(({ id }) => id);
    },
  });
  return [
    { ...contender("LanceDB, no index", scanned, null), close: () => dir[Symbol.dispose]() },
    contender("LanceDB HNSW-SQ", walked, 128),
  ];
}
