import { encodeTerms, queryTerms } from "../../src/index/analyzer.ts";
import type { Filter } from "../../src/index/filter.ts";
import { type IndexSearch, StoreIndex } from "../../src/index/store-index.ts";
import { type Bench, type BenchContext, interleaved, mean, round, type Trial } from "./bench.ts";
import { attributesOf, bruteForce, DIMENSIONS, Embeddings, recall, SHARES, Words } from "./corpus.ts";
import { graphFor } from "./graph.ts";

/** What the search endpoint asks for ten results. */
const DEPTH = 100;
const EXACT = 20;
const QUERIES = 50;
const WORDS_PER_CHUNK = 120;

const LARGE = [1000, 10_000, 100_000, 300_000];
const SIZES = { small: [1000, 4000], normal: LARGE, full: LARGE };
/** Below this many vectors a graph is never used unless it is forced, and its figures would say little. */
const LEAST_FOR_GRAPH = 4000;
/** Building one takes a millisecond a vector. */
const MOST_FOR_GRAPH = { small: 4000, normal: 100_000, full: Infinity };

export const search: Bench = {
  about: "the index in process, 256 dimensions, on one thread; recall@10 against brute force in float32",
  minutes: 15,
  async run(context) {
    for (const chunks of SIZES[context.scale]) await searchTrials(context, chunks);
    context.note(
      "cpu_ms is the time on a core; vector rows compare every vector or walk a graph; keyword rows are six-word questions; hybrid rows are both legs; " +
        "a filter's row says what share of the chunks it keeps",
    );
    if (context.scale === "normal")
      context.note("no graph of 300,000 chunks, which takes minutes to build: BENCH_FULL=1");
  },
};

interface Corpus {
  flat: Float32Array;
  terms: Uint8Array[];
  lotOf: (chunk: number) => number;
  perFile: number;
  queries: Float32Array[];
  questions: string[];
}

function makeCorpus(chunks: number): Corpus {
  const embeddings = new Embeddings(7);
  const words = new Words(8);
  const perFile = chunks >= 100_000 ? 10 : 1;
  const files = Math.ceil(chunks / perFile);
  return {
    flat: embeddings.many(chunks),
    terms: Array.from({ length: chunks }, () =>
      encodeTerms({ text: words.text(WORDS_PER_CHUNK), heading: [], title: "" }),
    ),
    perFile,
    // Files of a lot lie scattered over the store.
    lotOf: (chunk) => ((Math.floor(chunk / perFile) * 7919) % files) % 1000,
    queries: Array.from({ length: QUERIES }, () => embeddings.next()),
    questions: Array.from({ length: QUERIES }, () => words.question()),
  };
}

function fill({ report }: BenchContext, corpus: Corpus): StoreIndex {
  const { flat, terms, perFile, lotOf } = corpus;
  const chunks = terms.length;
  const vectorOf = (id: number) => flat.subarray(id * DIMENSIONS, (id + 1) * DIMENSIONS);
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  const index = new StoreIndex({
    dimensions: DIMENSIONS,
    fetchVectors: (ids) => ids.map(vectorOf),
    fetchTerms: (ids) => ids.map((id) => terms[id] ?? null),
    kind: "exact",
  });
  const started = performance.now();
  let longest = 0;
  for (let first = 0; first < chunks; first += perFile) {
    const begun = performance.now();
    const ids = Array.from({ length: Math.min(perFile, chunks - first) }, (_, i) => first + i);
    index.addFile({
      fileKey: first,
      fileId: `file-${first}`,
      filename: `${first}.txt`,
      attributes: attributesOf(lotOf(first)),
      chunks: ids.map((id) => ({ chunkId: id, terms: terms[id]!, vectors: vectorOf(id) })),
    });
    longest = Math.max(longest, performance.now() - begun);
  }
  const loadMs = performance.now() - started;
  Bun.gc(true);
  report({
    trial: "load exact and keyword index",
    chunks,
    build_s: round(loadMs / 1000),
    vectors_per_s: Math.round(chunks / (loadMs / 1000)),
    memory_bytes_per_chunk: Math.round(index.byteLength / chunks),
    rss_bytes_per_chunk: rssPerChunk(before, chunks),
    longest_write_ms: round(longest),
  });
  return index;
}

function filterOf(filter: { key: string; value: number } | null): Filter | null {
  return filter === null ? null : { op: "eq", ...filter };
}

async function searchTrials(context: BenchContext, chunks: number): Promise<void> {
  const corpus = makeCorpus(chunks);
  const index = fill(context, corpus);
  try {
    await measure(context, corpus, index, "exact");
    if (chunks < LEAST_FOR_GRAPH || chunks > MOST_FOR_GRAPH[context.scale]) return;
    await attachGraph(context, corpus, index);
    await measure(context, corpus, index, "hnsw");
  } finally {
    index.close();
  }
}

/** Every leg and filter; with a graph only the vector leg and hybrid, which it changes. */
async function measure(
  context: BenchContext,
  { flat, lotOf, queries, questions }: Corpus,
  index: StoreIndex,
  kind: "exact" | "hnsw",
): Promise<void> {
  index.setKind(kind);
  const { chunks } = index.stats;
  const terms = questions.map((question) => queryTerms(question));
  const base = { depth: DEPTH, exact: EXACT };
  const vector =
    (filter: Filter | null) =>
    (i: number): IndexSearch => ({ ...base, vector: queries[i % QUERIES]!, terms: null, filter });
  const keyword =
    (filter: Filter | null) =>
    (i: number): IndexSearch => ({ ...base, vector: null, terms: terms[i % QUERIES]!, filter });
  const hybrid =
    (filter: Filter | null) =>
    (i: number): IndexSearch => ({ ...base, vector: queries[i % QUERIES]!, terms: terms[i % QUERIES]!, filter });
  const legs: [string, (filter: Filter | null) => (i: number) => IndexSearch][] = [
    [`vector ${kind}`, vector],
    ...(kind === "exact" ? ([["keyword", keyword]] as [string, typeof keyword][]) : []),
    [`hybrid ${kind}`, hybrid],
  ];
  for (const [leg, request] of legs) {
    const trials = SHARES.map(({ share, filter }): Trial => {
      const ask = request(filterOf(filter));
      return { name: share, run: (i) => void index.search(ask(i)) };
    });
    const small = context.scale === "small";
    const times = await interleaved(trials, { rounds: small ? 2 : 3, each: small ? 30 : 200 });
    for (const { share, filter } of SHARES) {
      const keeps = filter === null ? () => true : (at: number) => attributesOf(lotOf(at))[filter.key] === filter.value;
      const ask = request(filterOf(filter));
      const answers = queries.map((_, i) => index.search(ask(i)));
      const recalls = answers.map((answer, i) =>
        recall(
          answer.vector.slice(0, 10).map((hit) => hit.chunkId),
          leg.startsWith("vector") ? bruteForce(flat, queries[i]!, 10, keeps) : [],
        ),
      );
      context.report({
        trial: `${leg}, ${share}`,
        chunks,
        ...times.get(share)!,
        ...(leg.startsWith("vector") ? { recall_at_10: round(mean(recalls), 4), used: answers[0]?.used ?? "" } : {}),
      });
    }
  }
}

async function attachGraph({ report }: BenchContext, { flat }: Corpus, index: StoreIndex): Promise<void> {
  const before = process.memoryUsage.rss();
  const { part, insertMs, sealMs, openMs, attachMs } = await graphFor(index, flat, DIMENSIONS);
  report({
    trial: "build graph, one thread",
    chunks: part.vectors,
    build_s: round((insertMs + sealMs) / 1000),
    vectors_per_s: Math.round(part.vectors / (insertMs / 1000)),
    seal_ms: round(sealMs),
    open_ms: round(openMs),
    attach_ms: round(attachMs),
    disk_bytes_per_chunk: Math.round((part.graph.bytes + part.ids.bytes) / part.vectors),
    rss_bytes_per_chunk: rssPerChunk(before, part.vectors),
  });
}

/** Null where the collector gave back more than was taken: small stores vanish in what it does meanwhile. */
function rssPerChunk(before: number, chunks: number): number | null {
  const grown = process.memoryUsage.rss() - before;
  return grown > 0 ? Math.round(grown / chunks) : null;
}
