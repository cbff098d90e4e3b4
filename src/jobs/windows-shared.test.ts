/** Stores whose chunks share windows, each with its vector kept once: from the file to the answer, and away again. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { embedFailure } from "../embed/provider.ts";
import { FAILPOINTS } from "../platform/failpoint.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { askMigration, MIGRATION, migrationOf, queueMigration, statesOf } from "./testing/migrations.ts";
import { vectorOf } from "./testing/hash-model.ts";
import { form, Killed, STORE, TENANT, Workshop } from "./testing/workshop.ts";

const plain = { ...form };
beforeAll(() => void Object.assign(form, { windowTokens: 64, overlapTokens: 60 }));
afterAll(() => void Object.assign(form, plain));

const STRATEGY = { maxTokens: 120, overlapTokens: 60 };
/** 8 chunks of 120 words that share 60. */
const LONG = Array.from({ length: 270 }, (_, i) => `word${i % 97} figure${i}${i % 10 === 9 ? "." : ""}`).join(" ");

async function ingested(shop: Workshop, fileId: string, text: string): Promise<number> {
  const { seq } = await shop.attach(fileId, text, STRATEGY);
  await shop.run(shop.ingest(), String(seq));
  expect((await shop.storage.storeFiles.bySeq(TENANT, seq))?.status).toBe("completed");
  return seq;
}

/** The rows of a generation's vectors, in the order of their chunks. */
function rowsOf(shop: Workshop, { id }: Pick<GenerationRow, "id">) {
  return shop.db.raw
    .query<{ idx: number; shared: number; data: Uint8Array }, [number]>(
      `SELECT c.idx, v.shared, v.data FROM vector v JOIN chunk c ON c.id = v.chunk_id
       WHERE v.generation = ? ORDER BY c.store_file, c.idx`,
    )
    .all(id)
    .map(({ idx, shared, data }) => ({ idx, shared, data: Buffer.from(data).toString("base64") }));
}

const vectorsOf = (rows: ReturnType<typeof rowsOf>, { dimensions }: GenerationRow): number =>
  rows.reduce((sum, { data }) => sum + Buffer.from(data, "base64").length / 4 / dimensions, 0);

test("each text is embedded once, each vector kept once, and a chunk is found by what it shares", async () => {
  await using shop = new Workshop();
  const generation = await shop.store({ dimensions: 256 });
  const seq = await ingested(shop, "file-1", LONG);
  const embedded = shop.model.asked.flatMap(({ texts }) => texts);
  expect(embedded.join("").length / LONG.length).toBeWithin(0.95, 1.1);
  expect(new Set(embedded).size).toBe(embedded.length);
  const rows = rowsOf(shop, generation);
  expect(rows.length).toBe(8);
  expect(rows.map(({ shared }) => shared > 0)).toEqual([false, true, true, true, true, true, true, true]);
  const row = await shop.storage.storeFiles.bySeq(TENANT, seq);
  expect([row?.n_chunks, row?.n_vectors]).toEqual([8, embedded.length]);
  using lease = await shop.indexes.acquire(STORE, generation.id);
  expect(lease.index.stats).toMatchObject({ chunks: 8, vectors: embedded.length });

  // The windows in the middle stand in two chunks, and both are found by each; the one with the next best comes first.
  const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
  const texts = await shop.storage.chunks.texts(TENANT, await shop.nearest(generation, "word1"));
  expect(texts.size).toBe(8);
  for (const window of embedded) {
    const vector = vectorOf(model, window);
    const hits = lease.index.search({ vector, terms: null, filter: null, depth: 8 }).vector;
    expect(hits.length).toBe(8);
    // One that would be short has words from before it, which not all that have it need have.
    const having = [...texts].filter(([, text]) => text.includes(window.slice(-60))).map(([id]) => id);
    expect(having.length).toBeWithin(1, 3);
    const first = hits.slice(0, having.length);
    expect(first.map(({ chunkId }) => chunkId).toSorted((a, b) => a - b)).toEqual(having.toSorted((a, b) => a - b));
    for (const { score } of first) expect(score).toBeGreaterThan(0.75);
    if (having.length === 2) expect(first[0]?.score).not.toBe(first[1]?.score ?? 0);
  }
});

test("an ingest that stops anywhere goes on to the same rows", async () => {
  await using whole = new Workshop();
  const wanted = rowsOf(whole, await withFile(whole));
  for (const failing of [1, 2, 3]) {
    await using shop = new Workshop();
    shop.model.batch = 3;
    const generation = await shop.store();
    const { seq } = await shop.attach("file-1", LONG, STRATEGY);
    let calls = 0;
    // The others are answered and written down: there is a hole before, between or behind them.
    shop.model.before = () => (++calls === failing ? embedFailure("unavailable", "away") : null);
    expect(await shop.run(shop.ingest(), String(seq))).toMatchObject({ type: "retry" });
    expect(rowsOf(shop, generation).length).toBeWithin(2, 7);
    expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "done" });
    expect([failing, rowsOf(shop, generation)]).toEqual([failing, wanted]);
  }
});

async function withFile(shop: Workshop): Promise<GenerationRow> {
  const generation = await shop.store();
  await ingested(shop, "file-1", LONG);
  return generation;
}

describe("a store whose chunks have vectors of their own", () => {
  /** What a migration of it leaves: shared windows, of the same chunks. */
  async function setUp(): Promise<Workshop> {
    const shop = new Workshop();
    await shop.store({ windowTokens: null });
    await ingested(shop, "file-1", LONG);
    await ingested(shop, "file-2", "A short text.");
    await askMigration(shop);
    return shop;
  }

  /** Of the live generation. */
  async function stateOf(shop: Workshop) {
    const store = await shop.storage.stores.get(TENANT, STORE);
    const live = await shop.storage.generations.get(TENANT, store?.live_generation ?? 0);
    if (store === null || live === null) throw new Error("no store");
    using lease = await shop.indexes.acquire(STORE, live.id);
    const { chunks, vectors } = lease.index.stats;
    const hits = await shop.nearest(live, "figure77 figure78");
    const counts = [store.n_chunks, store.n_vectors, chunks, vectors];
    return { form: live.window_tokens, counts, hits, rows: rowsOf(shop, live), states: await statesOf(shop) };
  }

  test("keeps them until it is migrated, and again after a rollback", async () => {
    await using shop = await setUp();
    const before = await stateOf(shop);
    expect(before).toMatchObject({ form: null, counts: [9, 9, 9, 9] });
    await shop.drain(["migrate"]);
    const after = await stateOf(shop);
    expect([after.form, after.states]).toEqual([64, ["retained", "*live"]]);
    const vectors = vectorsOf(after.rows, { dimensions: 16 } as GenerationRow);
    expect(after.counts).toEqual([9, vectors, 9, vectors]);
    expect(after.hits.length).toBe(9);
    await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "rollback" });
    await queueMigration(shop);
    await shop.drain();
    expect(await stateOf(shop)).toEqual({ ...before, states: ["*live", "retired"] });
  });

  test("has the same windows whatever instant of a migration a kill comes at", async () => {
    await using whole = await setUp();
    await whole.drain();
    const wanted = await stateOf(whole);
    for (const point of FAILPOINTS.slice(0, FAILPOINTS.indexOf("migrate:after-cutover") + 1)) {
      await using shop = await setUp();
      shop.model.batch = 3;
      shop.killAt(point);
      await shop.drain().catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      });
      expect([point, shop.isKilled]).toEqual([point, true]);
      await using again = new Workshop(shop);
      await again.storage.jobs.releaseLost("the next run", again.nowMs);
      await again.drain();
      expect([point, await stateOf(again)]).toEqual([point, wanted]);
      expect((await migrationOf(again)).status).toBe("completed");
    }
  }, 120_000);
});

test("the erasure of one file leaves no row of it, and all of the others", async () => {
  await using shop = new Workshop();
  const generation = await withFile(shop);
  const hits = await shop.nearest(generation, "figure77 figure78");
  const wanted = rowsOf(shop, generation);
  const other = await ingested(shop, "file-2", LONG.replaceAll("figure", "number"));
  expect(rowsOf(shop, generation).length).toBe(16);
  await shop.storage.storeFiles.remove(TENANT, other);
  using lease = await shop.indexes.acquire(STORE, generation.id);
  lease.index.removeFile(other);
  await shop.run(shop.handler("purge_file"), String(other));
  expect(lease.index.stats).toMatchObject({ files: 1, chunks: 8 });
  expect(rowsOf(shop, generation)).toEqual(wanted);
  expect(await shop.nearest(generation, "figure77 figure78")).toEqual(hits);
});
