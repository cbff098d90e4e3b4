import { json, newStore } from "../helpers/api.ts";
import { cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Bench, type BenchContext, median, medianTimes, round, type Times, timesOf } from "./bench.ts";
import { closedLoop, Connection, requestBytes } from "./connection.ts";
import { DIMENSIONS, Embeddings, fillStore, SHARES, Words } from "./corpus.ts";
import { diskBytes, metricOf, steadyMemory, storeOf } from "./server-data.ts";

const SIZES = { small: [1000], normal: [1000, 10_000, 100_000], full: [1000, 10_000, 100_000, 300_000] };
const QUERIES = 50;
const WORDS_PER_CHUNK = 120;
const GRAPH_FROM = 100_000;
const CLIENTS = [1, 4, 16];
/** A graph that takes longer (on a busy machine) is not waited for. */
const MOST_BUILD_MS = 240_000;
const TURNS = 3;
/** As many searches of the query log as one page gives. */
const LOGGED = 100;
/** After so many requests the runtime has compiled what requests run through: more make them no quicker. */
const WARMING = 6000;
/** What a server just started is measured with: its requests run in code that is still being compiled. */
const COLD = 1000;

export const http: Bench = {
  about:
    "POST /search through HTTP, one client on one connection; in_server is the search itself as the query log has it, " +
    "http_json what the same request took beside: network, HTTP, JSON, key, checks",
  minutes: 20,
  async run(context) {
    for (const chunks of SIZES[context.scale]) await storeTrials(context, chunks);
    await throughput(context);
  },
};

async function storeTrials(context: BenchContext, chunks: number): Promise<void> {
  using dir = tempDir();
  const dataDir = dir.join("data");
  const embeddings = new Embeddings(7);
  const words = new Words(8);
  let storeId = "";
  {
    await using server = await startServer({ dataDir });
    storeId = await filled(context, server, embeddings, words, chunks);
    await server.stop();
  }
  await using server = await startServer({ dataDir });
  const queries = Array.from({ length: QUERIES }, () => embeddings.next());
  await firstSearch(context, server, storeId, chunks);
  if (chunks >= GRAPH_FROM) await graphBuilt(context, server, storeId, chunks);
  await latencies(context, server, storeId, chunks, queries, words);
}

async function filled(
  { report, note }: BenchContext,
  server: TestServer,
  embeddings: Embeddings,
  words: Words,
  chunks: number,
): Promise<string> {
  const storeId = await newStore(server, { name: `${chunks} chunks`, index_type: "auto" });
  const before = await diskBytes(server.dataDir);
  const part = 20_000;
  for (let from = 0; from < chunks; from += part) {
    const flat = embeddings.many(Math.min(part, chunks - from));
    const texts = Array.from({ length: flat.length / DIMENSIONS }, () => words.text(WORDS_PER_CHUNK));
    await fillStore(server, storeId, flat, {
      dimensions: DIMENSIONS,
      from,
      text: (i) => texts[i - from] ?? "",
      lots: true,
    });
  }
  const bytes = (await diskBytes(server.dataDir)) - before;
  report({ trial: "the store on disk, without a graph", chunks, disk_bytes_per_chunk: Math.round(bytes / chunks) });
  if (chunks === SIZES.normal[0]) note("a chunk has 120 words and one vector of 256 float32");
  return storeId;
}

/** Loads the index from SQLite. */
async function firstSearch(
  { report }: BenchContext,
  server: TestServer,
  storeId: string,
  chunks: number,
): Promise<void> {
  // The lanes have loaded the default model before memory is looked at.
  await json(server, "POST", "/v1/embeddings", { model: "lectern-embed-en", input: "warm" });
  const before = await steadyMemory(server.pid);
  const started = performance.now();
  await ask(server, storeId, { query: "x", search_mode: "keyword" });
  const ms = performance.now() - started;
  report({
    trial: "first search after a start (loads the index from SQLite)",
    chunks,
    p50_ms: round(ms),
    chunks_per_s: Math.round(chunks / (ms / 1000)),
    rss_bytes_per_chunk: Math.round((memoryOf(server.pid).residentBytes - before) / chunks),
    index_bytes_per_chunk: Math.round((await metricOf(server, "lectern_index_bytes")) / chunks),
  });
}

async function graphBuilt(
  { report, note }: BenchContext,
  server: TestServer,
  storeId: string,
  chunks: number,
): Promise<void> {
  const deadline = performance.now() + MOST_BUILD_MS * (chunks / GRAPH_FROM);
  const isBuilt = await waitFor(
    "the graph is built",
    async () => {
      if ((await storeOf(server, storeId)).index.type === "hnsw") return true;
      return performance.now() > deadline ? false : undefined;
    },
    Infinity,
  );
  if (!isBuilt) return note(`no graph of ${chunks} chunks was ready in time: those rows are of the exact scan`);
  const line = await waitFor("the log says how long it took", () =>
    server
      .log()
      .split("\n")
      .find((one) => one.includes('"index built"')),
  );
  const built = JSON.parse(line) as { vectors: number; ms: number };
  const graphBytes = await diskBytes(`${server.dataDir}/stores`);
  report({
    trial: "graph built in the background, from SQLite, low priority",
    chunks,
    build_s: round(built.ms / 1000),
    chunks_per_s: Math.round(built.vectors / (built.ms / 1000)),
    disk_bytes_per_chunk: Math.round(graphBytes / chunks),
    rss_mib: mebibytes(memoryOf(server.pid).residentBytes),
  });
}

interface Ask {
  name: string;
  body: (i: number) => Record<string, unknown>;
}

async function latencies(
  context: BenchContext,
  server: TestServer,
  storeId: string,
  chunks: number,
  queries: readonly Float32Array[],
  words: Words,
): Promise<void> {
  const questions = queries.map(() => words.question());
  const vector = (i: number) => Buffer.from(queries[i % QUERIES]!.buffer).toString("base64");
  const question = (i: number) => questions[i % QUERIES] ?? "";
  const asks: Ask[] = [
    { name: "vector (query_vector)", body: (i) => ({ query: "x", search_mode: "vector", query_vector: vector(i) }) },
    { name: "keyword", body: (i) => ({ query: question(i), search_mode: "keyword" }) },
    { name: "hybrid, query seen before", body: (i) => ({ query: question(i) }) },
    { name: "hybrid, new query", body: (i) => ({ query: `${question(i)} ${i}` }) },
    ...SHARES.slice(1).map(({ share, filter }): Ask => {
      return {
        name: `hybrid, filter keeps ${share}`,
        body: (i) => ({ query: question(i), filters: filter === null ? null : { type: "eq", ...filter } }),
      };
    }),
  ];
  using connection = await Connection.open(server.url);
  const runs = new Map<string, { times: Times[]; inServer: number[]; rest: number[] }>(
    asks.map(({ name }) => [name, { times: [], inServer: [], rest: [] }]),
  );
  let unseen = 0;
  const url = `${server.url}/v1/vector_stores/${storeId}/search`;
  const timed = async ({ name, body }: Ask, i: number) => {
    const request = requestBytes("POST", url, server.key, body(name.endsWith("new query") ? unseen++ : i));
    const started = performance.now();
    const { status } = await connection.send(request);
    if (status !== 200) throw new Error(`${name}: status ${status}`);
    return performance.now() - started;
  };
  const inTurn = async (count: number) => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await timed(asks[i % asks.length]!, i));
    return times;
  };
  const cold = await inTurn(COLD);
  context.report({ trial: `the first ${COLD} searches after a start, every kind in turn`, chunks, ...timesOf(cold) });
  await inTurn(WARMING);
  for (let turn = 0; turn < 3; turn++) {
    for (const kind of asks) {
      const { name } = kind;
      const times: number[] = [];
      const each = context.scale === "small" ? 100 : 250;
      for (let i = 0; i < each; i++) times.push(await timed(kind, i));
      runs.get(name)?.times.push(timesOf(times.slice(each / 5)));
      const logged = await inServer(server, storeId);
      runs.get(name)?.inServer.push(median(logged));
      runs.get(name)?.rest.push(median(logged.map((ms, i) => (times.at(-1 - i) ?? Number.NaN) - ms)));
    }
  }
  const index = (await storeOf(server, storeId)).index.type;
  for (const [name, { times, inServer: searched, rest }] of runs) {
    const found = medianTimes(times);
    context.report({
      trial: name,
      chunks,
      index,
      ...found,
      in_server_p50_ms: round(median(searched)),
      http_json_p50_ms: round(median(rest)),
    });
  }
}

/** Milliseconds that the server says that its latest searches took, the latest first. */
async function inServer(server: TestServer, storeId: string): Promise<number[]> {
  const page = await json<{ data: { latency_ms: { total: number } }[] }>(
    server,
    "GET",
    `/v1/vector_stores/${storeId}/queries?limit=${LOGGED}`,
  );
  return page.data.map(({ latency_ms }) => latency_ms.total);
}

async function ask(server: TestServer, storeId: string, body: Record<string, unknown>): Promise<void> {
  await json(server, "POST", `/v1/vector_stores/${storeId}/search`, body);
}

/** Beside the least that the same runtime can do: a server of one line that answers the same number of bytes. */
async function throughput(context: BenchContext): Promise<void> {
  const chunks = context.scale === "small" ? 500 : 10_000;
  const seconds = context.scale === "small" ? 0.5 : 2;
  await using server = await startServer();
  const storeId = await newStore(server);
  const words = new Words(9);
  const flat = new Embeddings(7).many(chunks);
  const texts = Array.from({ length: chunks }, () => words.text(WORDS_PER_CHUNK));
  const started = performance.now();
  await fillStore(server, storeId, flat, { dimensions: DIMENSIONS, text: (i) => texts[i] ?? "" });
  context.report({
    trial: "insert texts with ready vectors, 1,000 a call",
    chunks,
    chunks_per_s: Math.round(chunks / ((performance.now() - started) / 1000)),
  });
  const bodies = Array.from({ length: QUERIES }, () => ({ query: words.question() }));
  for (const body of bodies) await ask(server, storeId, body);
  const searchUrl = `${server.url}/v1/vector_stores/${storeId}/search`;
  const searches = bodies.map((body) => requestBytes("POST", searchUrl, server.key, body));
  const storeUrl = `${server.url}/v1/vector_stores/${storeId}`;
  const reads = [requestBytes("GET", storeUrl, server.key)];
  using connection = await Connection.open(server.url);
  const bytes = (await connection.send(searches[0]!)).body.length;

  const hello = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const s=Bun.serve({port:0,fetch:async r=>{await r.json();return Response.json({text:"x".repeat(${bytes})})}});console.log(s.url.href)`,
    ],
    { stdout: "pipe", stdin: "ignore" },
  );
  try {
    const { value } = await hello.stdout.getReader().read();
    const helloUrl = new TextDecoder().decode(value).trim();
    const hellos = bodies.map((body) => requestBytes("POST", helloUrl, null, body));
    const kinds = [
      { trial: "hybrid search, query seen before", url: server.url, requests: searches, pid: server.pid },
      { trial: "GET the store", url: server.url, requests: reads, pid: server.pid },
      {
        trial: `Bun.serve that reads JSON and answers ${bytes} bytes`,
        url: helloUrl,
        requests: hellos,
        pid: hello.pid,
      },
    ];
    for (const clients of CLIENTS) {
      const found = kinds.map(() => ({ perSecond: [] as number[], cpuUs: [] as number[] }));
      for (let turn = 0; turn < TURNS; turn++) {
        for (const [i, { url, requests, pid }] of kinds.entries()) {
          const cpuBefore = cpuMs(pid);
          const perSecond = await closedLoop(url, requests, { clients, seconds });
          found[i]?.perSecond.push(perSecond);
          found[i]?.cpuUs.push(((cpuMs(pid) - cpuBefore) * 1000) / (perSecond * seconds));
        }
      }
      const bare = median(found.at(-1)?.perSecond ?? []);
      for (const [i, { trial }] of kinds.entries()) {
        const perSecond = median(found[i]?.perSecond ?? []);
        context.report({
          trial,
          chunks,
          connections: clients,
          requests_per_s: Math.round(perSecond),
          server_cpu_us: round(median(found[i]?.cpuUs ?? [])),
          share_of_bare: round(perSecond / bare),
        });
      }
    }
  } finally {
    hello.kill();
  }
}
