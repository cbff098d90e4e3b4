/**
 * kill -9 in the middle of a body of vectors, then a restart on the same data directory, and on from what stands: whole
 * runs do, with their metadata, each once. VECTOR_ROUNDS says how often (2 unless set), SEED repeats a run.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { json, newStore } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const ROUNDS = Number(process.env["VECTOR_ROUNDS"] ?? 2);
const RUN = 250;

const lineOf = (n: number) => `${JSON.stringify({ content: `text number ${n}`, metadata: { n } })}\n`;

/** Sends lines from `from` on without an end, and no quicker than they are taken; resolves when nobody takes them. */
async function sendForEver(server: TestServer, store: string, from: number): Promise<void> {
  let n = from;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(Buffer.from(Array.from({ length: 50 }, () => lineOf(n++)).join("")));
    },
  });
  const init = { method: "POST", headers: { "content-type": "application/x-ndjson" }, body };
  await server.fetch(`/v1/vector_stores/${store}/embeddings/batch`, init).catch(() => {});
}

async function standing(server: TestServer, store: string): Promise<number> {
  return (await json<{ index: { chunks: number } }>(server, "GET", `/v1/vector_stores/${store}`)).index.chunks;
}

function checkRows(dataDir: string, count: number): void {
  using database = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  const numbers = database
    .query<{ text: string; attributes: string }, []>(
      `SELECT c.text, a.attributes FROM chunk c JOIN chunk_attributes a ON a.chunk_id = c.id
       JOIN vector v ON v.chunk_id = c.id JOIN chunk_terms t ON t.chunk_id = c.id ORDER BY c.id`,
    )
    .all();
  expect(numbers).toEqual(
    Array.from({ length: count }, (_, n) => ({ text: `text number ${n}`, attributes: JSON.stringify({ n }) })),
  );
  const counts = database
    .query<{ chunks: number; own: number; said: number }, []>(
      `SELECT (SELECT count(*) FROM chunk) AS chunks, (SELECT count(*) FROM chunk_attributes) AS own,
              (SELECT sum(n_chunks) FROM store_file) AS said`,
    )
    .get();
  expect(counts).toEqual({ chunks: count, own: count, said: count });
}

test(`${ROUNDS} times killed while vectors come, whole runs stand`, async () => {
  const random = seededRandom(runSeed("vectors"));
  using dir = tempDir();
  const dataDir = dir.join("data");
  let store = "";
  let known = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await startServer({ dataDir });
    store ||= await newStore(server, { name: "vectors" });
    const sending = sendForEver(server, store, known);
    const enough = known + RUN * (1 + random.below(4));
    const seen = await waitFor("some runs stand", async () => {
      const now = await standing(server, store);
      return now >= enough ? now : undefined;
    });
    await server.kill();
    await sending;

    await using again = await startServer({ dataDir });
    known = await standing(again, store);
    expect([known % RUN, known >= seen]).toEqual([0, true]);
    const last = { type: "gte", key: "n", value: known - 3 };
    const found = await json<{ data: { attributes: { n: number } }[] }>(
      again,
      "POST",
      `/v1/vector_stores/${store}/search`,
      { query: "text number", filters: last },
    );
    expect(found.data.map(({ attributes }) => attributes.n).toSorted((a, b) => a - b)).toEqual(
      [3, 2, 1].map((back) => known - back),
    );
    expect(await again.stop()).toBe(0);
    checkRows(dataDir, known);
  }
}, 240_000);
