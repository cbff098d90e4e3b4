import { json, newStore, search, upload } from "../helpers/api.ts";
import { cpuMs } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { hasHaproxy, startHaproxy } from "../cluster/servers/haproxy.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "../cluster/servers/postgres.ts";
import { type Bench, type BenchContext, interleaved, median, percentile, round } from "./bench.ts";
import { closedLoop, Connection, requestBytes } from "./connection.ts";
import { DIMENSIONS, Embeddings, fillStore, Words } from "./corpus.ts";
import { settled, storeOf } from "./server-data.ts";

const SIZES = { small: [1000], normal: [10_000], full: [10_000, 100_000] } as const;
const QUERIES = 50;
const WORDS_A_CHUNK = 120;
const ARGS = ["--default-model", "lectern-embed-en", "--log-level", "error"];
/** Files of an ingest, each of some ten chunks. */
const INGEST_FILES = { small: 20, normal: 200, full: 200 } as const;
const INGEST_WORDS = 3000;
const CLIENTS = 4;

export const cluster: Bench = {
  about:
    "the embedded default, and PostgreSQL on the same machine with one replica and two: the same " +
    "corpus, in turns. cpu: of the server's process alone, PostgreSQL's own is not in it",
  minutes: 30,
  async run(context) {
    if (!hasPostgres) return context.note("PostgreSQL is not here: nothing was measured");
    context.note("the data directories and PostgreSQL share this machine's disk and cores; commits wait for the disk");
    for (const chunks of SIZES[context.scale]) await sized(context, chunks);
  },
};

/** A deployment: what clients reach, and how to begin anew. */
class Deployment implements AsyncDisposable {
  readonly name: string;
  readonly servers: TestServer[] = [];
  readonly #dir: TempDir = tempDir();
  readonly #address: string | null;
  storeId = "";

  private constructor(name: string, address: string | null) {
    this.name = name;
    this.#address = address;
  }

  static async start(name: string, address: string | null): Promise<Deployment> {
    const deployment = new Deployment(name, address);
    await deployment.add();
    return deployment;
  }

  get first(): TestServer {
    const [server] = this.servers;
    if (server === undefined) throw new Error(`${this.name} has no server`);
    return server;
  }

  /** A replica more. */
  async add(): Promise<TestServer> {
    const server = await this.#start(this.servers.length);
    this.servers.push(server);
    return server;
  }

  /** Kills the first as a crash would, and starts it again. */
  async restartFirst(): Promise<void> {
    await this.first.kill();
    this.servers[0] = await this.#start(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }

  async #start(place: number): Promise<TestServer> {
    const blobs = ["--blobs", `file://${this.#dir.join("blobs")}`];
    const database = this.#address === null ? [] : ["--database", this.#address, ...blobs];
    return await startServer({ dataDir: this.#dir.join(`data-${place}`), args: [...ARGS, ...database] });
  }
}

async function sized(context: BenchContext, chunks: number): Promise<void> {
  await using database: PostgresServer = await startPostgres({
    settings: { shared_buffers: "256MB", max_wal_size: "2GB" },
  });
  await using embedded = await Deployment.start("embedded", null);
  await using postgres = await Deployment.start("postgresql", await database.createDatabase("bench"));
  const deployments = [embedded, postgres];
  for (const deployment of deployments) await filled(deployment, chunks);
  await cold(context, deployments, chunks);
  await searches(context, deployments, chunks);
  await writes(context, deployments, chunks);
  if (chunks === SIZES[context.scale][0]) for (const deployment of deployments) await ingest(context, deployment);
  await postgres.add();
  await searches(context, [postgres], chunks);
  await visible(context, postgres, chunks);
  await gap(context, postgres, chunks);
}

async function filled(deployment: Deployment, chunks: number): Promise<void> {
  const [embeddings, words] = [new Embeddings(7), new Words(8)];
  deployment.storeId = await newStore(deployment.first, { name: "bench", index_type: "exact" });
  const part = 10_000;
  for (let from = 0; from < chunks; from += part) {
    const flat = embeddings.many(Math.min(part, chunks - from));
    const texts = Array.from({ length: flat.length / DIMENSIONS }, () => words.text(WORDS_A_CHUNK));
    const text = (i: number) => texts[i - from] ?? "";
    await fillStore(deployment.first, deployment.storeId, flat, { dimensions: DIMENSIONS, from, text, lots: true });
  }
  await settled(deployment.first, deployment.storeId);
}

/** From a kill to the first answer of a server that was started again: its index is loaded. */
async function cold({ report }: BenchContext, deployments: readonly Deployment[], chunks: number): Promise<void> {
  for (const deployment of deployments) {
    const started = performance.now();
    await deployment.restartFirst();
    const listening = performance.now();
    await search(deployment.first, deployment.storeId, { query: "x", search_mode: "keyword" });
    report({
      trial: "killed and started again",
      deployment: deployment.name,
      chunks,
      to_listening_ms: round(listening - started),
      first_search_ms: round(performance.now() - listening),
      cpu_ms: round(cpuMs(deployment.first.pid)),
    });
  }
}

function requestOf({ first, storeId }: Deployment, body: object, to = first): Uint8Array {
  return requestBytes("POST", `${to.url}/v1/vector_stores/${storeId}/search`, to.key, body);
}

async function searches(
  { report, scale }: BenchContext,
  deployments: readonly Deployment[],
  chunks: number,
): Promise<void> {
  const [embeddings, words] = [new Embeddings(11), new Words(12)];
  const bodies = Array.from({ length: QUERIES }, () => ({
    query: words.question(),
    query_vector: [...embeddings.next()],
    max_num_results: 10,
  }));
  const lines: { deployment: Deployment; connection: Connection; requests: Uint8Array[] }[] = [];
  for (const deployment of deployments) {
    const requests = bodies.map((body) => requestOf(deployment, body));
    lines.push({ deployment, connection: await Connection.open(deployment.first.url), requests });
  }
  const trials = lines.map(({ deployment, connection, requests }) => ({
    name: deployment.name,
    run: async (i: number) => {
      const { status } = await connection.send(requests[i % requests.length]!);
      if (status !== 200) throw new Error(`a search of ${deployment.name} answered ${status}`);
    },
  }));
  const rounds = { rounds: scale === "small" ? 3 : 9, each: scale === "small" ? 50 : 200 };
  const times = await interleaved(trials, rounds);
  for (const { deployment, connection } of lines) {
    const { p50_ms, p99_ms } = times.get(deployment.name) ?? { p50_ms: Number.NaN, p99_ms: Number.NaN };
    report({
      trial: "search, one client",
      deployment: nameOf(deployment),
      chunks,
      p50_ms,
      p99_ms,
      ...(await busy(deployment, bodies, scale)),
    });
    connection[Symbol.dispose]();
  }
}

const nameOf = ({ name, servers }: Deployment) => (servers.length === 1 ? name : `${name}, ${servers.length} replicas`);

/** All replicas with several clients each. */
async function busy(deployment: Deployment, bodies: readonly object[], scale: BenchContext["scale"]) {
  const seconds = scale === "small" ? 1 : 5;
  // One that has just started has its index to load and its code to compile.
  for (const server of deployment.servers) {
    const requests = bodies.map((body) => requestOf(deployment, body, server));
    await closedLoop(server.url, requests, { clients: CLIENTS, seconds });
  }
  const before = deployment.servers.map(({ pid }) => cpuMs(pid));
  const rates = await Promise.all(
    deployment.servers.map((server) =>
      closedLoop(
        server.url,
        bodies.map((body) => requestOf(deployment, body, server)),
        { clients: CLIENTS, seconds },
      ),
    ),
  );
  const cpu = deployment.servers.reduce((sum, { pid }, i) => sum + cpuMs(pid) - (before[i] ?? 0), 0);
  const perSecond = rates.reduce((sum, rate) => sum + rate, 0);
  return { searches_per_s: Math.round(perSecond), cpu_ms_a_search: round(cpu / (perSecond * seconds)) };
}

async function writes(
  { report, scale }: BenchContext,
  deployments: readonly Deployment[],
  chunks: number,
): Promise<void> {
  const stores = new Map<string, string>();
  for (const { name, first } of deployments) stores.set(name, await newStore(first, { name: "writes" }));
  const files = new Map<string, string[]>();
  const uploads = deployments.map(({ name, first }) => ({
    name,
    run: async (i: number) =>
      void files.set(name, [
        ...(files.get(name) ?? []),
        await upload(first, `w-${i}.txt`, `A short text, number ${i}.`),
      ]),
  }));
  const counts = { rounds: 3, each: scale === "small" ? 10 : 40 };
  const uploaded = await interleaved(uploads, counts);
  const attaches = deployments.map(({ name, first }) => ({
    name,
    run: async () => {
      const file_id = files.get(name)?.pop() ?? "";
      await json(first, "POST", `/v1/vector_stores/${stores.get(name)}/files`, { file_id });
    },
  }));
  // As many as there are files: each is attached once.
  const attached = await interleaved(attaches, { rounds: 2, each: Math.floor(counts.each) });
  for (const { name, first } of deployments) {
    await settled(first, stores.get(name) ?? "");
    for (const [trial, times] of [
      ["upload of a short text", uploaded],
      ["attach", attached],
    ] as const) {
      const { p50_ms = Number.NaN, p99_ms = Number.NaN } = times.get(name) ?? {};
      report({ trial, deployment: name, chunks, p50_ms, p99_ms });
    }
  }
}

async function ingest({ report, scale }: BenchContext, { name, first }: Deployment): Promise<void> {
  const words = new Words(21);
  const ids: string[] = [];
  for (let i = 0; i < INGEST_FILES[scale]; i++) ids.push(await upload(first, `i-${i}.txt`, words.text(INGEST_WORDS)));
  const store = await newStore(first, { name: "ingest" });
  const [started, cpu] = [performance.now(), cpuMs(first.pid)];
  await json(first, "POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: ids });
  await settled(first, store);
  const seconds = (performance.now() - started) / 1000;
  const { chunks } = (await storeOf(first, store)).index;
  report({
    trial: "ingest",
    deployment: name,
    chunks,
    chunks_per_s: Math.round(chunks / seconds),
    cpu_ms_a_chunk: round((cpuMs(first.pid) - cpu) / chunks),
  });
}

/** From the answer to a write on one replica to the first answer of the other that has it. */
async function visible({ report, scale }: BenchContext, deployment: Deployment, chunks: number): Promise<void> {
  const [first, second] = deployment.servers;
  if (first === undefined || second === undefined) return;
  const taken: number[] = [];
  let stale = 0;
  for (let i = 0; i < (scale === "small" ? 20 : 100); i++) {
    const word = `zebrafinch${i}`;
    const embeddings = [{ content: word, embedding: Array.from({ length: DIMENSIONS }, (_, d) => (d === i ? 1 : 0)) }];
    await json(first, "POST", `/v1/vector_stores/${deployment.storeId}/embeddings/batch`, { embeddings });
    const acknowledged = performance.now();
    let asked = 0;
    await waitFor("it is visible", async () => {
      const hits = await search(second, deployment.storeId, { query: word, search_mode: "keyword" });
      asked++;
      return hits.length > 0 ? true : undefined;
    });
    if (asked > 1) stale++;
    taken.push(performance.now() - acknowledged);
  }
  report({
    trial: "written on one, found on the other",
    deployment: nameOf(deployment),
    chunks,
    p50_ms: round(median(taken)),
    p99_ms: round(percentile(taken, 99)),
    stale,
  });
}

/** Behind a balancer that asks /readyz: how long clients of a replica that is killed get no answer. */
async function gap({ report, note }: BenchContext, deployment: Deployment, chunks: number): Promise<void> {
  if (!hasHaproxy) return note("HAProxy is not here: the gap at a killed replica was not measured");
  const ports = deployment.servers.map(({ url }) => Number(new URL(url).port));
  // Or it tries the one that is gone three times more, a second apart, before it asks the other.
  await using balancer = await startHaproxy(ports, ["option httpchk GET /readyz", "option redispatch 1"]);
  const ask = async () =>
    await fetch(`http://127.0.0.1:${balancer.port}/v1/vector_stores/${deployment.storeId}/search`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${deployment.first.key}` },
      body: JSON.stringify({ query: "x", search_mode: "keyword" }),
      keepalive: false,
    }).then(
      (answer) => answer.status === 200,
      () => false,
    );
  await waitFor("the balancer has a server", async () => ((await ask()) ? true : undefined));
  await deployment.first.kill();
  const killed = performance.now();
  let failed = 0;
  while (!(await ask())) failed++;
  report({
    trial: "a replica is killed",
    deployment: nameOf(deployment),
    chunks,
    gap_ms: round(performance.now() - killed),
    failed,
  });
}
