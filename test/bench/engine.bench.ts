import { json, newStore, search } from "../helpers/api.ts";
import { cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { createVectorDatabase, hasPgvector, startPgvector } from "../cluster/servers/pgvector.ts";
import { type Bench, type BenchContext, interleaved, mean, round } from "./bench.ts";
import { Connection, requestBytes } from "./connection.ts";
import { DIMENSIONS, Embeddings, fillStore, recall, SHARES, Words } from "./corpus.ts";
import { settled } from "./server-data.ts";

const SIZES = { small: 2000, normal: 20_000, full: 100_000 } as const;
const QUERIES = { small: 20, normal: 50, full: 50 } as const;
const WORDS_A_CHUNK = 120;
const RESULTS = 10;

export const engine: Bench = {
  about:
    "a store that PostgreSQL searches with pgvector (--pgvector-from 0), by a scan and by a graph, beside the embedded default " +
    "with an exact index: the same corpus of 256 dimensions, in turns, over HTTP. recall: of the 10 that the embedded one finds; cpu: of the server's process alone, PostgreSQL's own is not in it",
  minutes: 40,
  async run(context) {
    if (!hasPgvector) return context.note("PostgreSQL with pgvector is not here: nothing was measured");
    const chunks = SIZES[context.scale];
    const settings = { shared_buffers: "512MB", maintenance_work_mem: "512MB", max_wal_size: "2GB" };
    await using database = await startPgvector({ settings });
    await using embedded = await startServer({ args: ["--log-level", "error"] });
    const forced = ["--database", await createVectorDatabase(database, "bench"), "--pgvector-from", "0"];
    await using replica = await startServer({ args: ["--log-level", "error", ...forced] });
    const sides: Side[] = [];
    for (const [name, server] of [
      ["embedded", embedded],
      ["pgvector", replica],
    ] as const)
      sides.push({ name, server, store: await filled(server, chunks) });
    for (const side of sides) await first(context, side, chunks);
    const [own, engine] = sides;
    if (own === undefined || engine === undefined) return;
    await compared(context, { own, engine, chunks, kind: "hnsw" });
    await json(engine.server, "POST", `/v1/vector_stores/${engine.store}`, { index_type: "exact" });
    await compared(context, { own, engine, chunks, kind: "exact" });
  },
};

interface Side {
  name: string;
  server: TestServer;
  store: string;
}

async function filled(server: TestServer, chunks: number): Promise<string> {
  const [embeddings, words] = [new Embeddings(7), new Words(8)];
  const store = await newStore(server, { name: "bench", index_type: "hnsw" });
  const flat = embeddings.many(chunks);
  const texts = Array.from({ length: chunks }, () => words.text(WORDS_A_CHUNK));
  await fillStore(server, store, flat, { dimensions: DIMENSIONS, text: (i) => texts[i] ?? "", lots: true });
  await settled(server, store);
  return store;
}

/** The first search makes what is searched: an index in memory, or the tables and their graph. */
async function first({ report }: BenchContext, { name, server, store }: Side, chunks: number): Promise<void> {
  if (name === "embedded") await json(server, "POST", `/v1/vector_stores/${store}`, { index_type: "exact" });
  const cpu = cpuMs(server.pid);
  const startedAt = performance.now();
  // It may take longer than a statement may.
  for (;;) {
    try {
      await search(server, store, { query: "x", search_mode: "keyword" });
      break;
    } catch (error) {
      if (performance.now() - startedAt > 3_600_000) throw error;
    }
  }
  report({
    trial: "first search",
    deployment: name,
    chunks,
    ms: round(performance.now() - startedAt),
    cpu_ms: round(cpuMs(server.pid) - cpu),
    memory_mib: mebibytes(memoryOf(server.pid).residentBytes),
  });
}

interface Compared {
  own: Side;
  engine: Side;
  chunks: number;
  kind: "exact" | "hnsw";
}

async function compared(context: BenchContext, sides: Compared): Promise<void> {
  const [embeddings, words] = [new Embeddings(11), new Words(12)];
  const queries = Array.from({ length: QUERIES[context.scale] }, () => ({
    query: words.question(),
    query_vector: [...embeddings.next()],
    max_num_results: RESULTS,
  }));
  for (const { share, filter } of SHARES) {
    const filters = filter === null ? {} : { filters: { type: "eq", ...filter } };
    const bodies = queries.map((query) => ({ ...query, ...filters, search_mode: "vector" }));
    await trial(context, { ...sides, name: `vectors, ${share}` }, bodies);
  }
  const keyword = queries.map(({ query }) => ({ query, max_num_results: RESULTS, search_mode: "keyword" }));
  await trial(context, { ...sides, name: "six-word question" }, keyword);
  await trial(context, { ...sides, name: "hybrid" }, queries);
}

async function trial(
  { report, scale }: BenchContext,
  { own, engine, chunks, kind, name }: Compared & { name: string },
  bodies: readonly Record<string, unknown>[],
): Promise<void> {
  const found = async ({ server, store }: Side, body: Record<string, unknown>) =>
    (await search(server, store, body)).map(({ content }) => content[0]?.text ?? "");
  const recalls: number[] = [];
  for (const body of bodies) recalls.push(recall(await found(engine, body), await found(own, body)));
  const lines = [];
  for (const side of [own, engine]) {
    const path = `${side.server.url}/v1/vector_stores/${side.store}/search`;
    const requests = bodies.map((body) => requestBytes("POST", path, side.server.key, body));
    lines.push({ side, connection: await Connection.open(side.server.url), requests });
  }
  const trials = lines.map(({ side, connection, requests }) => ({
    name: side.name,
    run: async (i: number) => {
      const { status } = await connection.send(requests[i % requests.length]!);
      if (status !== 200) throw new Error(`a search of ${side.name} answered ${status}`);
    },
  }));
  const rounds = scale === "small" ? 3 : 5;
  const before = lines.map(({ side }) => cpuMs(side.server.pid));
  const times = await interleaved(trials, { rounds, each: bodies.length });
  const searches = rounds * bodies.length + Math.ceil(bodies.length / 4);
  const cpu = lines.map(({ side }, i) => (cpuMs(side.server.pid) - (before[i] ?? 0)) / searches);
  for (const [i, { side, connection }] of lines.entries()) {
    const { p50_ms = Number.NaN, p99_ms = Number.NaN } = times.get(side.name) ?? {};
    const isEngine = side === engine;
    report({
      trial: name,
      deployment: isEngine ? `${side.name}, ${kind}` : side.name,
      chunks,
      p50_ms,
      p99_ms,
      cpu_ms_a_search: round(cpu[i] ?? Number.NaN),
      ...(isEngine ? { recall: round(mean(recalls)) } : {}),
    });
    connection[Symbol.dispose]();
  }
}
