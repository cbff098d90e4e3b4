import { json } from "../helpers/api.ts";
import { coreTimeOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type Bench, type BenchContext, median, round } from "./bench.ts";
import { Connection, requestBytes } from "./connection.ts";
import { Embeddings, Words } from "./corpus.ts";
import { STOCK_OPTIONS, stockStore } from "./stocked-store.ts";

const SIZES = { small: [1000], normal: [1000, 10_000, 60_000], full: [1000, 10_000, 60_000, 300_000] };
const CLIENTS = 16;
const QUESTIONS = 400;
const REQUESTS = { small: 200, normal: 2000, full: 2000 };
const WARM_UP = 1500;
const TURNS = 5;

type Kind = "vector" | "hybrid" | "words";

export const cost: Bench = {
  about:
    `time on a core that a search takes of the server, ${CLIENTS} connections: of the thread that serves, and of all others ` +
    "(threads that search, the collector's); it says how many a machine can answer, whatever else it does meanwhile",
  minutes: 15,
  async run(context) {
    for (const chunks of SIZES[context.scale]) await storeTrials(context, chunks);
    context.note("vector: a ready vector and no words; hybrid: a ready vector and six words; words: six words alone");
  },
};

async function storeTrials(context: BenchContext, chunks: number): Promise<void> {
  using dir = tempDir();
  const dataDir = dir.join("data");
  const store = await stockStore(dataDir, chunks);
  await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
  for (const kind of ["vector", "hybrid", "words"] as const) {
    const requests = requestsOf(server, store, kind);
    await answered(server, requests, context.scale === "small" ? REQUESTS.small : WARM_UP);
    const turns: { serving: number; others: number }[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      const count = REQUESTS[context.scale];
      const before = coreTimeOf(server.pid);
      await answered(server, requests, count);
      const after = coreTimeOf(server.pid);
      const each = (of: "first" | "all") => ((after[of] - before[of]) * 1000) / count;
      turns.push({ serving: each("first"), others: each("all") - each("first") });
    }
    const { index } = await json<{ index: { type: string } }>(server, "GET", `/v1/vector_stores/${store}`);
    context.report({
      trial: kind,
      chunks,
      index: index.type,
      serving_thread_us: round(median(turns.map(({ serving }) => serving))),
      other_threads_us: round(median(turns.map(({ others }) => others))),
    });
  }
}

function requestsOf(server: TestServer, store: string, kind: Kind): Uint8Array[] {
  const [words, embeddings] = [new Words(9), new Embeddings(9)];
  return Array.from({ length: QUESTIONS }, () => {
    const query = words.question();
    const query_vector = Buffer.from(embeddings.next().buffer).toString("base64");
    const body = {
      vector: { query: "x", query_vector, search_mode: "vector" },
      hybrid: { query, query_vector },
      words: { query, search_mode: "keyword" },
    }[kind];
    return requestBytes("POST", `${server.url}/v1/vector_stores/${store}/search`, server.key, body);
  });
}

/** So many requests, each connection's next when its last was answered. */
async function answered(server: TestServer, requests: readonly Uint8Array[], count: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    using connection = await Connection.open(server.url);
    for (let i = next++; i < count; i = next++) {
      const { status } = await connection.send(requests[i % requests.length]!);
      if (status !== 200) throw new Error(`status ${status}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, lane));
}
