import { cpSync } from "node:fs";
import { json, newStore } from "../helpers/api.ts";
import { cpuMs } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type Bench, type BenchContext, median, percentile, round } from "./bench.ts";
import { Connection, requestBytes } from "./connection.ts";
import { DIMENSIONS, Embeddings, fillStore, Words } from "./corpus.ts";

const SIZES = { small: [5000], normal: [10_000, 100_000], full: [10_000, 100_000, 300_000] };
/** Of `--search-threads`; 0 is the serving thread itself, which the others are compared with. */
const THREADS = [0, 1, 2];
const CLIENTS = [1, 16];
const QUERIES = 50;
const WORDS_PER_CHUNK = 60;
const TURNS = 9;

export const threads: Bench = {
  about:
    "POST /search through HTTP by --search-threads: servers of one data directory, in turns; ratios are medians of turns",
  minutes: 20,
  async run(context) {
    for (const chunks of SIZES[context.scale]) await storeTrials(context, chunks);
    context.note("threads 0: the thread that serves searches too; the client takes its part of the same cores");
  },
};

interface Turn {
  perSecond: number;
  p50: number;
  p99: number;
  cpuUs: number;
}

async function storeTrials(context: BenchContext, chunks: number): Promise<void> {
  using dir = tempDir();
  const first = dir.join("data-0");
  let store = "";
  {
    await using server = await startServer({ dataDir: first });
    store = await filled(server, chunks);
    await server.stop();
  }
  for (const count of THREADS.slice(1)) cpSync(first, dir.join(`data-${count}`), { recursive: true });
  await using servers = new AsyncDisposableStack();
  const started: TestServer[] = [];
  for (const count of THREADS) {
    const args = ["--search-threads", String(count), "--hnsw-threshold", "1000000000"];
    started.push(servers.use(await startServer({ dataDir: dir.join(`data-${count}`), args })));
  }
  const words = new Words(9);
  const embeddings = new Embeddings(8);
  const questions = Array.from({ length: QUERIES }, () => words.question());
  const vectors = questions.map(() => Buffer.from(embeddings.next().buffer).toString("base64"));
  const kinds: [string, object[]][] = [
    ["vector", vectors.map((query_vector) => ({ query: "x", search_mode: "vector", query_vector }))],
    ["hybrid", questions.map((query, i) => ({ query, query_vector: vectors[i] }))],
  ];
  for (const [kind, bodies] of kinds) {
    for (const clients of CLIENTS) {
      const turns = await inTurns(context, started, { store, bodies, clients });
      turns.forEach((of, i) => report(context, { kind, chunks, clients, threads: THREADS[i]!, of, base: turns[0]! }));
    }
  }
}

async function filled(server: TestServer, chunks: number): Promise<string> {
  const store = await newStore(server, { name: `${chunks} chunks`, index_type: "exact" });
  const embeddings = new Embeddings(7);
  const words = new Words(8);
  for (let from = 0; from < chunks; from += 20_000) {
    const flat = embeddings.many(Math.min(20_000, chunks - from));
    await fillStore(server, store, flat, { dimensions: DIMENSIONS, from, text: () => words.text(WORDS_PER_CHUNK) });
  }
  return store;
}

async function inTurns(
  { scale }: BenchContext,
  servers: readonly TestServer[],
  { store, bodies, clients }: { store: string; bodies: readonly object[]; clients: number },
): Promise<Turn[][]> {
  const requests = servers.map((server) =>
    bodies.map((body) => requestBytes("POST", `${server.url}/v1/vector_stores/${store}/search`, server.key, body)),
  );
  for (const server of servers)
    for (const body of bodies) await json(server, "POST", `/v1/vector_stores/${store}/search`, body);
  const turns: Turn[][] = servers.map(() => []);
  for (let turn = 0; turn < (scale === "small" ? 2 : TURNS); turn++) {
    for (const [i, server] of servers.entries()) {
      turns[i]!.push(await oneTurn(server, requests[i]!, clients, scale === "small" ? 0.3 : 1));
    }
  }
  return turns;
}

async function oneTurn(server: TestServer, requests: Uint8Array[], clients: number, seconds: number): Promise<Turn> {
  const times: number[] = [];
  const cpuBefore = cpuMs(server.pid);
  const started = performance.now();
  const lane = async (first: number) => {
    using connection = await Connection.open(server.url);
    for (let i = first; performance.now() - started < seconds * 1000; i += clients) {
      const begun = performance.now();
      const { status } = await connection.send(requests[i % requests.length]!);
      if (status !== 200) throw new Error(`status ${status}`);
      times.push(performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => lane(i)));
  return {
    perSecond: (times.length * 1000) / (performance.now() - started),
    p50: median(times),
    p99: percentile(times, 99),
    cpuUs: ((cpuMs(server.pid) - cpuBefore) * 1000) / times.length,
  };
}

interface Found {
  kind: string;
  chunks: number;
  clients: number;
  threads: number;
  of: readonly Turn[];
  base: readonly Turn[];
}

function report(context: BenchContext, { kind, chunks, clients, threads: count, of, base }: Found): void {
  const ratio = (pick: (turn: Turn) => number) => round(median(of.map((turn, i) => pick(turn) / pick(base[i]!))));
  context.report({
    trial: `${kind}, exact`,
    chunks,
    connections: clients,
    search_threads: count,
    requests_per_s: Math.round(median(of.map((turn) => turn.perSecond))),
    p50_ms: round(median(of.map((turn) => turn.p50))),
    p99_ms: round(median(of.map((turn) => turn.p99))),
    server_cpu_us: round(median(of.map((turn) => turn.cpuUs))),
    rate_to_none: ratio((turn) => turn.perSecond),
    p50_to_none: ratio((turn) => turn.p50),
  });
}
