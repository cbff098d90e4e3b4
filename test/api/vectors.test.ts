/** Ready-made vectors with metadata of their own: put in one a line, found by it, and so after a restart and a migration. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, newStore } from "../helpers/api.ts";
import { memoryOf, resetPeak } from "../helpers/process-memory.ts";
import { seededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { addSecondModel, migrationEnd, SECOND_MODEL } from "../migrate/corpus.ts";

type Scalar = string | number | boolean;
type Metadata = Record<string, Scalar>;

const DIMENSIONS = 256;
const COUNT = 600;
const NDJSON = { "content-type": "application/x-ndjson" };

/** What is put in: some with the same keys, some with rare ones, some with none. */
const random = seededRandom(23);
const items = Array.from({ length: COUNT }, (_, n) => ({
  content: `Note ${n} of the harbour master`,
  embedding: Array.from(random.vector(DIMENSIONS), (value) => Math.round(value * 1e4) / 1e4),
  metadata: metadataOf(n),
}));

function metadataOf(n: number): Metadata {
  if (n % 7 === 0) return {};
  const rare: Metadata = n % 50 === 1 ? { [`rare${n}`]: "x" } : {};
  return { n, lang: ["de", "en", "fr"][n % 3] ?? "", even: n % 2 === 0, mixed: n % 4 === 0 ? String(n) : n, ...rare };
}

/** Compares with nothing where there is none. */
const numberOf = ({ n }: Metadata) => (typeof n === "number" ? n : Number.NaN);

/** Every operator, and what it means. */
const FILTERS: readonly [filter: object, holds: (m: Metadata) => boolean][] = [
  [{ type: "eq", key: "lang", value: "de" }, (m) => m["lang"] === "de"],
  [{ type: "ne", key: "lang", value: "de" }, (m) => m["lang"] !== "de"],
  [{ type: "gt", key: "n", value: 580 }, (m) => numberOf(m) > 580],
  [{ type: "gte", key: "n", value: 580 }, (m) => numberOf(m) >= 580],
  [{ type: "lt", key: "n", value: 9 }, (m) => numberOf(m) < 9],
  [{ type: "lte", key: "n", value: 9 }, (m) => numberOf(m) <= 9],
  [{ type: "in", key: "mixed", value: [1, "4", "5"] }, (m) => m["mixed"] === 1 || m["mixed"] === "4"],
  [{ type: "nin", key: "lang", value: ["de", "en"] }, (m) => m["lang"] !== "de" && m["lang"] !== "en"],
  [{ rare51: { $exists: true } }, (m) => m["rare51"] !== undefined],
  [{ n: { $exists: false } }, (m) => m["n"] === undefined],
  [
    {
      type: "and",
      filters: [
        { type: "eq", key: "even", value: true },
        { type: "gte", key: "n", value: 500 },
      ],
    },
    (m) => m["even"] === true && numberOf(m) >= 500,
  ],
  [{ type: "or", filters: [{ rare1: "x" }, { n: 2 }] }, (m) => m["rare1"] === "x" || m["n"] === 2],
];

interface ListedChunk {
  text: string;
  attributes: Metadata;
}

async function allChunks(server: TestServer, store: string, filter: object): Promise<ListedChunk[]> {
  const found: ListedChunk[] = [];
  for (let after = ""; ;) {
    const query = `limit=100&order=asc&filters=${encodeURIComponent(JSON.stringify(filter))}${after}`;
    const page = await json<{ data: ListedChunk[]; last_id: string; has_more: boolean }>(
      server,
      "GET",
      `/v1/vector_stores/${store}/chunks?${query}`,
    );
    found.push(...page.data);
    if (!page.has_more) return found;
    after = `&after=${page.last_id}`;
  }
}

/** Every filter keeps what it means, in listings and in searches. */
async function expectFilters(server: TestServer, store: string): Promise<void> {
  for (const [filter, holds] of FILTERS) {
    const meant = items.filter(({ metadata }) => holds(metadata));
    const listed = await allChunks(server, store, filter);
    expect([filter, listed.map(({ text, attributes }) => [text, attributes])]).toEqual([
      filter,
      meant.map(({ content, metadata }) => [content, metadata]),
    ]);
    const page = await server.client.vectorStores.search(store, {
      query: "harbour master",
      filters: filter as { type: "eq"; key: string; value: string },
      max_num_results: 50,
    });
    expect([filter, page.data.length]).toEqual([filter, Math.min(50, meant.length)]);
    for (const { attributes } of page.data) expect([filter, holds(attributes as Metadata)]).toEqual([filter, true]);
  }
}

const post = (server: TestServer, store: string, body: string | ReadableStream<Uint8Array>) =>
  server.fetch(`/v1/vector_stores/${store}/embeddings/batch`, { method: "POST", headers: NDJSON, body });

describe("vectors with metadata of their own", () => {
  const dir = tempDir();
  const dataDir = dir.join("data");
  let server: TestServer;
  let store: string;
  beforeAll(async () => {
    server = await startServer({ dataDir });
    store = await newStore(server, { name: "notes" });
  }, 120_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  test("come one a line through the official client, and are found at once by every filter", async () => {
    const body = items.map((item) => `${JSON.stringify(item)}\n`).join("");
    const answer = await server.client.post(`/vector_stores/${store}/embeddings/batch`, {
      body: Buffer.from(body),
      headers: NDJSON,
    });
    expect(answer).toEqual({ object: "embedding.stream", vector_store_id: store, inserted: COUNT });
    await expectFilters(server, store);
  }, 120_000);

  test("are so after a restart, and with the model of a migration", async () => {
    expect(await server.stop()).toBe(0);
    await addSecondModel(dataDir);
    server = await startServer({ dataDir });
    await expectFilters(server, store);
    const path = `/v1/vector_stores/${store}`;
    const { id } = await json<{ id: string }>(server, "POST", `${path}/migrate`, { embedding_model: SECOND_MODEL });
    expect(await migrationEnd(server, store, id)).toMatchObject({ status: "completed" });
    await expectFilters(server, store);
  }, 240_000);

  test("are of one tenant, and within what it may store", async () => {
    const tenant = await newTenant(server, "other", { max_bytes: 40_000 });
    const other = as(server, (await newKey(server, { role: "write", tenant_id: tenant })).key);
    const line = (n: number) => `${JSON.stringify({ content: "x".repeat(100), metadata: { n } })}\n`;
    expect((await post(other, store, line(1))).status).toBe(404);
    const own = await newStore(other, { name: "own" });
    const answer = await post(other, own, Array.from({ length: 1000 }, (_, n) => line(n)).join(""));
    const { error, inserted } = (await answer.json()) as { error: { code: string }; inserted: number };
    expect([answer.status, error.code, inserted]).toEqual([403, "storage_limit_reached", 250]);
    expect((await allChunks(other, own, { n: { $exists: true } })).length).toBe(250);
    const { data } = await json<{ data: unknown[] }>(server, "POST", `/v1/vector_stores/${store}/search`, {
      query: "xxxx",
      search_mode: "keyword",
    });
    expect(data).toEqual([]);
  }, 120_000);

  test("take little memory while they come, however many they are", async () => {
    if (process.platform !== "linux") return;
    const lines = 120;
    const padding = " ".repeat(1000 * 1024);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent === lines) return controller.close();
        controller.enqueue(Buffer.from(`{"content":"long line ${sent++}"${padding}}\n`));
      },
    });
    const before = memoryOf(server.pid).residentBytes;
    resetPeak(server.pid);
    const answer = await post(server, store, body);
    expect(await answer.json()).toMatchObject({ inserted: lines });
    expect((memoryOf(server.pid).peakBytes - before) / 2 ** 20).toBeLessThan(120);
  }, 120_000);
});
