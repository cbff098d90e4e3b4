import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeTerms, queryTerms } from "../index/analyzer.ts";
import { IndexRegistry } from "../index/registry.ts";
import { Semaphore } from "../platform/semaphore.ts";
import { embedFailure, type EmbedFailure } from "../embed/provider.ts";
import type { ParseOutcome } from "../workers/parse-lane.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { createStorage } from "../storage/storage.ts";
import { createIngestHandler, type IndexWrites } from "./ingest.ts";
import { addSlice, loadIndex, replaceFile } from "./load-index.ts";
import { ProgressBoard } from "./progress.ts";
import type { JobOutcome } from "./runner.ts";
import { MODEL, STORE, TENANT, Workshop } from "./testing/workshop.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";

/** More than one slice enters the index. */
const CHUNKS = 300;

test.each([
  { name: "gives way to another while a file enters it, slice by slice,", isThere: true },
  { name: "is not there when a file is to enter it, and comes before that is completed,", isThere: false },
])("an index that $name has all of the file in the end", async ({ isThere }) => {
  const dir = mkdtempSync(join(tmpdir(), "lectern-ingest-"));
  const db = openSqlite(join(dir, "meta.sqlite"));
  const storage = createStorage(db);
  const indexes = new IndexRegistry({
    budgetBytes: 2 ** 30,
    load: async (_storeId, id, signal) => {
      const generation = await storage.generations.byId(id);
      if (generation === null) throw new Error("no such generation");
      return await loadIndex({ storage }, generation, signal);
    },
  });
  try {
    const clock = { nowMs: () => 1_800_000_000_000, nowSeconds: () => 1_800_000_000 };
    const at = { tenantId: TENANT, createdAt: clock.nowSeconds() };
    await insertStore(storage, { ...at, id: "vs_1" });
    const generation = await insertGeneration(storage, { ...at, storeId: "vs_1", dimensions: 4 });
    await storage.stores.setLiveGeneration(TENANT, "vs_1", generation.id);
    const upload = { id: "file-1", tenant_id: TENANT, filename: "a.txt", bytes: 1, purpose: "assistants", mime: null };
    await storage.files.insert({ ...upload, sha256: "0", created_at: 0, expires_at: null });
    const file = await insertStoreFile(storage, { ...at, storeId: "vs_1", fileId: "file-1" });

    if (isThere) (await indexes.acquire("vs_1", generation.id)).release();
    let loading: Promise<unknown> | null = null;
    const slices: number[] = [];
    const index: IndexWrites = {
      addChunks(row, { id }, slice) {
        slices.push(slice.from);
        // It makes room, and the next search comes, when the first slice is past.
        if (slice.from > 0 && loading === null) {
          indexes.invalidate("vs_1", id);
          loading = indexes.acquire("vs_1", id);
        }
        indexes.apply("vs_1", id, (open) => addSlice(open, row, slice));
      },
      removeFile: (storeId, id, seq) => indexes.apply(storeId, id, (open) => open.removeFile(seq)),
      completed: () => {},
      loadOf(storeId, id) {
        const load = indexes.loadOf(storeId, id);
        // The first search comes when it was looked for.
        if (load === null) loading ??= indexes.acquire(storeId, id);
        return load;
      },
      replaceFile: ({ seq }, generation) =>
        indexes.apply("vs_1", generation.id, (open) => replaceFile(storage.indexReads, open, { generation, seq })),
    };
    const handler = createIngestHandler({
      storage,
      blobs: createBlobs(dir),
      parsed: createParsedCache(dir),
      parse: {
        tryTurn: () => ({ [Symbol.dispose]: () => undefined }),
        async parse(_source, _strategy, onChunks) {
          await onChunks(
            Array.from({ length: CHUNKS }, (_, idx) => chunkOf(idx)),
            true,
          );
          return { type: "parsed", warnings: [] };
        },
      },
      embed: {
        embed: async (_model, texts) => ({
          ok: true,
          texts: texts.map(() => ({ vectors: new Float32Array([1, 0, 0, 0]), windows: 1, tokens: 1 })),
        }),
        batching: () => ({ texts: 64, room: new Semaphore(64), window: null, windowTokens: null }),
      },
      index,
      changed() {},
      progress: new ProgressBoard(),
      concurrency: 1,
      clock,
    });
    const job = { id: 1, tenant_id: TENANT, kind: "ingest", store_id: "vs_1", subject: String(file.seq) } as const;
    const outcome = await handler.run({ ...job, priority: 1, attempt: 1, payload: "{}" }, new AbortController().signal);
    expect([outcome.type, loading === null]).toEqual(["done", false]);
    // Nothing is read for an index that nobody has.
    expect(slices).toEqual(isThere ? [0, 128, 256] : []);

    using lease = await indexes.acquire("vs_1", generation.id);
    for (const idx of [0, 127, 128, CHUNKS - 1]) {
      const terms = queryTerms(`word${idx}`);
      const found = lease.index.search({ vector: null, terms, filter: null, depth: 10 });
      expect([idx, found.keyword.length]).toEqual([idx, 1]);
    }
  } finally {
    indexes.close();
    await db.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a file that is completed while its index is loaded once more is in the new one too", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  const { storage } = shop;
  const completed = Promise.withResolvers<void>();
  let loads = 0;
  const indexes = new IndexRegistry({
    budgetBytes: 2 ** 30,
    load: async (_storeId, _id, signal) => {
      const index = await loadIndex({ storage }, generation, signal);
      // It has read the files that are completed by now: this one is not.
      if (++loads > 1) await completed.promise;
      return index;
    },
  });
  (await indexes.acquire(STORE, generation.id)).release();
  const { seq } = await shop.attach("file-1", Array.from({ length: CHUNKS }, (_, i) => `w${i}`).join(" "), {
    maxTokens: 1,
    overlapTokens: 0,
  });
  let refreshed: Promise<void> | null = null;
  const index: IndexWrites = {
    addChunks(file, { id }, slice) {
      if (slice.from > 0) expect(loads).toBe(2);
      indexes.apply(STORE, id, (open) => addSlice(open, file, slice));
      refreshed ??= indexes.refresh(STORE, id);
    },
    removeFile: (storeId, id, file) => indexes.apply(storeId, id, (open) => open.removeFile(file)),
    completed: () => completed.resolve(),
    loadOf: (storeId, id) => indexes.loadOf(storeId, id),
    replaceFile: (file, of) =>
      indexes.apply(STORE, of.id, (open) => replaceFile(storage.indexReads, open, { generation: of, seq: file.seq })),
  };
  expect(await shop.run(shop.ingest({ index }), String(seq))).toEqual({ type: "done" });
  await refreshed;
  expect(indexes.peek(STORE, generation.id)?.stats.chunks).toBe(CHUNKS);
  indexes.close();
});

function chunkOf(idx: number) {
  const text = `word${idx}`;
  const terms = encodeTerms({ text, heading: [], title: "" });
  const place = { page: null, pageEnd: null, line: null, lineEnd: null };
  return { idx, text, tokens: 1, start: idx * 10, end: idx * 10 + text.length, ...place, heading: [], terms };
}

const TEXT = Array.from({ length: 95 }, (_, i) => `word${i}`).join(" ");

async function fileOf({ storage }: Workshop, seq: number) {
  return await storage.storeFiles.bySeq(TENANT, seq);
}

test("a file becomes chunks, vectors, a completed row and an entry of the index, and is counted", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  using lease = await shop.indexes.acquire(STORE, generation.id);
  const { seq } = await shop.attach("file-1", TEXT);
  shop.parser.warnings = ["a page was empty"];
  expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "done" });
  expect(await fileOf(shop, seq)).toMatchObject({
    status: "completed",
    chunked: true,
    n_chunks: 10,
    n_vectors: 10,
    warnings: ["a page was empty"],
  });
  expect([shop.count("chunk"), shop.count("vector"), lease.index.stats.chunks]).toEqual([10, 10, 10]);
  expect(await shop.storage.generationFiles.countMissing(generation)).toEqual({ files: 0, chunks: 0 });
  expect(await shop.storage.statistics.ingestHours(TENANT, STORE, 0)).toMatchObject([
    { completed: 1, failed: 0, bytes: TEXT.length, chunks: 10 },
  ]);
  expect(shop.changed).toEqual([STORE]);
  expect(shop.progress.get(seq)).toBeNull();
});

test("a generation kept for a rollback is told of the file, one being built finds it by itself", async () => {
  await using shop = new Workshop();
  await shop.store();
  const kept = await insertGeneration(shop.storage, { tenantId: TENANT, storeId: STORE, state: "retained" });
  await insertGeneration(shop.storage, { tenantId: TENANT, storeId: STORE, state: "building" });
  await shop.ingested("file-1", TEXT);
  const jobs = shop.db.raw.query<{ kind: string; subject: string }, []>("SELECT kind, subject FROM job").all();
  expect(jobs).toEqual([{ kind: "catch_up", subject: String(kept.id) }]);
});

describe("a model that", () => {
  const cases: { says: string; failure: EmbedFailure; attempt?: number; outcome: JobOutcome; status: string }[] = [
    {
      says: "is overloaded is asked again when it says",
      failure: embedFailure("overloaded", "busy", 123),
      outcome: { type: "retry", inMs: 123 },
      status: "in_progress",
    },
    {
      says: "is away is asked again soon",
      failure: embedFailure("unavailable", "away"),
      outcome: { type: "retry", inMs: 500 },
      status: "in_progress",
    },
    {
      says: "stays away is asked more and more seldom",
      failure: embedFailure("unavailable", "away"),
      attempt: 7,
      outcome: { type: "retry", inMs: 300_000 },
      status: "in_progress",
    },
    {
      says: "has another revision now is waited for",
      failure: { ...embedFailure("unavailable", "another revision"), isOutdated: true },
      attempt: 2,
      outcome: { type: "retry", inMs: 2_000 },
      status: "in_progress",
    },
    {
      says: "finds the text too long fails the file",
      failure: embedFailure("too_long", "9,000 tokens"),
      outcome: { type: "done" },
      status: "failed",
    },
    {
      says: "rejects the text fails the file",
      failure: embedFailure("rejected", "bad input"),
      outcome: { type: "done" },
      status: "failed",
    },
    {
      says: "is interrupted leaves the file in progress",
      failure: embedFailure("aborted", "stopped"),
      outcome: { type: "interrupted" },
      status: "in_progress",
    },
  ];
  for (const { says, failure, attempt = 1, outcome, status } of cases)
    test(says, async () => {
      await using shop = new Workshop();
      await shop.store();
      const { seq } = await shop.attach("file-1", TEXT);
      shop.model.before = () => failure;
      expect(await shop.run(shop.ingest(), String(seq), { attempt })).toEqual(outcome);
      const row = await fileOf(shop, seq);
      expect(row?.status).toBe(status as never);
      if (status === "failed") {
        expect(row?.error_message).toBe(`The text of this file could not be embedded: ${failure.detail}.`);
        expect(shop.db.raw.query("SELECT kind, subject FROM job").all()).toEqual([
          { kind: "purge_file", subject: String(seq) },
        ]);
        return;
      }
      // Whatever it was: the next try goes on from there, without another parse.
      shop.model.before = () => null;
      expect(await shop.run(shop.ingest(), String(seq), { attempt: attempt + 1 })).toEqual({ type: "done" });
      expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_vectors: 10 });
      expect(shop.parser.parsed).toHaveLength(1);
    });

  test("gives fewer vectors than texts is a bug, and the file is not completed without them", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    const embed = {
      ...shop.embed(),
      batching: () => shop.model.batching(),
      embed: async () => ({ ok: true as const, texts: [] }),
    };
    await expect(shop.run(shop.ingest({ embed }), String(seq))).rejects.toThrow("fewer vectors than texts");
    expect(await fileOf(shop, seq)).toMatchObject({ status: "in_progress" });
  });
});

test("what was embedded before a model went away is not embedded again", async () => {
  await using shop = new Workshop();
  await shop.store();
  const { seq } = await shop.attach("file-1", Array.from({ length: 300 }, (_, i) => `w${i}`).join(" "));
  let calls = 0;
  shop.model.before = () => (++calls > 1 ? embedFailure("unavailable", "away") : null);
  expect(await shop.run(shop.ingest(), String(seq))).toMatchObject({ type: "retry" });
  expect(shop.count("vector")).toBe(8);
  shop.model.asked.length = 0;
  shop.model.before = () => null;
  await shop.run(shop.ingest(), String(seq));
  expect(shop.model.asked.flatMap(({ texts }) => texts)).toHaveLength(22);
  expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_vectors: 30 });
});

describe("a parse that", () => {
  const cases: { says: string; parse: ParseOutcome; outcome: JobOutcome; status: string; error?: string }[] = [
    {
      says: "fails is the file's failure",
      parse: { type: "failed", error: { code: "unsupported_file", message: "It is a film." } },
      outcome: { type: "done" },
      status: "failed",
      error: "It is a film.",
    },
    {
      says: "dies is tried again",
      parse: { type: "crashed" },
      outcome: { type: "retry", inMs: 500 },
      status: "in_progress",
    },
    {
      says: "is interrupted is made again",
      parse: { type: "interrupted" },
      outcome: { type: "interrupted" },
      status: "in_progress",
    },
  ];
  for (const { says, parse, outcome, status, error = null } of cases)
    test(says, async () => {
      await using shop = new Workshop();
      await shop.store();
      const { seq } = await shop.attach("file-1", TEXT);
      shop.parser.instead.push(async (onChunks, chunks) => {
        await onChunks(chunks.slice(0, 3), false);
        return parse;
      });
      expect(await shop.run(shop.ingest(), String(seq))).toEqual(outcome);
      expect(await fileOf(shop, seq)).toMatchObject({ status, error_message: error });
      if (status === "failed") return;
      // The three chunks that it left are not there twice.
      await shop.run(shop.ingest(), String(seq));
      expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_chunks: 10 });
      expect(shop.count("chunk")).toBe(10);
    });

  test("begins again on the way begins again with its chunks", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    shop.parser.instead.push(async (onChunks, chunks) => {
      await onChunks(chunks.slice(0, 6), false);
      await onChunks(chunks.slice(0, 10), true);
      return { type: "parsed", warnings: [] };
    });
    await shop.run(shop.ingest(), String(seq));
    expect([shop.count("chunk"), (await fileOf(shop, seq))?.n_chunks]).toEqual([10, 10]);
  });

  test("throws leaves the file in progress", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    shop.parser.instead.push(() => Promise.reject(new Error("a bug")));
    await expect(shop.run(shop.ingest(), String(seq))).rejects.toThrow("a bug");
    expect(shop.progress.get(seq)).toBeNull();
    expect(await fileOf(shop, seq)).toMatchObject({ status: "in_progress", chunked: false });
  });
});

test("a file that brought the process down again and again is given up, with a reason", async () => {
  for (const { attempt, chunked, message } of [
    { attempt: 31, chunked: false, message: /could not be parsed: the server failed repeatedly/ },
    { attempt: 41, chunked: true, message: /could not be indexed: the server failed repeatedly/ },
  ]) {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    if (chunked) await shop.storage.storeFiles.setChunked(TENANT, seq, 1, []);
    expect(await shop.run(shop.ingest(), String(seq), { attempt })).toEqual({ type: "done" });
    expect(await fileOf(shop, seq)).toMatchObject({ status: "failed", error_code: "server_error" });
    expect((await fileOf(shop, seq))?.error_message).toMatch(message);
    expect(await shop.storage.statistics.ingestHours(TENANT, STORE, 0)).toMatchObject([{ failed: 1, completed: 0 }]);
  }
});

test("a chunked file is embedded on however often its model was away", async () => {
  await using shop = new Workshop();
  await shop.store();
  const { seq } = await shop.attach("file-1", TEXT);
  shop.model.before = () => embedFailure("unavailable", "away");
  await shop.run(shop.ingest(), String(seq));
  shop.model.before = () => null;
  expect(await shop.run(shop.ingest(), String(seq), { attempt: 40 })).toEqual({ type: "done" });
  expect(await fileOf(shop, seq)).toMatchObject({ status: "completed" });
});

describe("nothing is done for", () => {
  test("a file that is gone, completed or cancelled", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.ingested("file-1", TEXT);
    const { seq: cancelled } = await shop.attach("file-2", TEXT);
    await shop.storage.storeFiles.cancel(TENANT, cancelled);
    shop.parser.parsed.length = 0;
    for (const subject of [seq, cancelled, 999])
      expect(await shop.run(shop.ingest(), String(subject))).toEqual({ type: "done" });
    expect(shop.parser.parsed).toEqual([]);
  });

  test("a store that is being deleted", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    await shop.storage.stores.setLifecycle(TENANT, STORE, "deleting");
    expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "done" });
    expect(shop.parser.parsed).toEqual([]);
  });

  test("a file whose upload was deleted", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    await shop.storage.files.remove(TENANT, "file-1");
    // Its row would go in the same transaction.
    await shop.run(shop.ingest(), String(seq));
    expect(shop.parser.parsed).toEqual([]);
  });
});

describe("while a file is embedded", () => {
  async function during(change: (shop: Workshop, seq: number) => Promise<void>) {
    const shop = new Workshop();
    const generation = await shop.store();
    const lease = await shop.indexes.acquire(STORE, generation.id);
    const { seq } = await shop.attach("file-1", TEXT);
    let changed = false;
    shop.model.before = async () => {
      if (changed) return null;
      changed = true;
      await change(shop, seq);
      return null;
    };
    const outcome = await shop.run(shop.ingest(), String(seq));
    lease.release();
    return { shop, seq, outcome, generation, inIndex: lease.index.stats.chunks };
  }

  test("it is detached: nothing of it is in the index", async () => {
    const { shop, outcome, inIndex } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.remove(TENANT, seq);
    });
    await using _shop = shop;
    expect([outcome, inIndex]).toEqual([{ type: "done" }, 0]);
  });

  test("it is cancelled: it stays so, and nothing of it is in the index", async () => {
    const { shop, seq, outcome, inIndex } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.cancel(TENANT, seq);
    });
    await using _shop = shop;
    expect([outcome, inIndex]).toEqual([{ type: "done" }, 0]);
    expect(await fileOf(shop, seq)).toMatchObject({ status: "cancelled", n_chunks: 0 });
  });

  test("it is attached anew with another chunking: the same job does it again", async () => {
    const { shop, seq, outcome, inIndex } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.reindex(TENANT, seq, { maxTokens: 50, overlapTokens: 0 });
    });
    await using _shop = shop;
    expect([outcome, inIndex]).toEqual([{ type: "retry", inMs: 0 }, 0]);
    expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "done" });
    expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_chunks: 2, revision: 2 });
  });

  test("its store is deleted: it is not asked for again", async () => {
    const { shop, outcome } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.reindex(TENANT, seq, { maxTokens: 50, overlapTokens: 0 });
      await storage.stores.setLifecycle(TENANT, STORE, "deleting");
    });
    await using _shop = shop;
    expect(outcome).toEqual({ type: "done" });
  });

  test("another generation goes live: it gets that one's vectors before it is completed", async () => {
    let fresh = 0;
    const { shop, seq, outcome, inIndex } = await during(async ({ storage }) => {
      const { id, chunk_set } = (await storage.generations.ofStore(TENANT, STORE))[0]!;
      const more = { ...MODEL, modelRevision: "r2", chunkSet: chunk_set };
      fresh = (await insertGeneration(storage, { tenantId: TENANT, storeId: STORE, ...more })).id;
      await storage.generations.setState(TENANT, id, "retained");
      await storage.stores.setLiveGeneration(TENANT, STORE, fresh);
    });
    await using _shop = shop;
    expect([outcome, inIndex]).toEqual([{ type: "retry", inMs: 0 }, 0]);
    expect(await fileOf(shop, seq)).toMatchObject({ status: "in_progress" });
    await shop.run(shop.ingest(), String(seq));
    expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_vectors: 10 });
    const owner = { storeFile: seq, chunkSet: 1, revision: 1 };
    expect(await shop.storage.chunks.withoutVector(TENANT, owner, fresh, 1)).toEqual([]);
  });

  test("the disk is full: the try throws, and the next one comes right", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    shop.model.before = () => {
      shop.db.raw.run("PRAGMA query_only = ON");
      return null;
    };
    await expect(shop.run(shop.ingest(), String(seq))).rejects.toThrow();
    shop.db.raw.run("PRAGMA query_only = OFF");
    shop.model.before = () => null;
    expect(await shop.run(shop.ingest(), String(seq), { attempt: 2 })).toEqual({ type: "done" });
    expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_vectors: 10 });
  });
});

test("chunks of a set that is not live any more are of no use: the file is cut again", async () => {
  await using shop = new Workshop();
  await shop.store();
  const { seq } = await shop.attach("file-1", TEXT);
  shop.parser.instead.push(async (onChunks, chunks) => {
    await onChunks(chunks, true);
    const fresh = await insertGeneration(shop.storage, { tenantId: TENANT, storeId: STORE, ...MODEL });
    await shop.storage.stores.setLiveGeneration(TENANT, STORE, fresh.id);
    return { type: "parsed", warnings: [] };
  });
  expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "retry", inMs: 0 });
  expect(await fileOf(shop, seq)).toMatchObject({ chunked: false, status: "in_progress" });
  await shop.run(shop.ingest(), String(seq));
  expect(await fileOf(shop, seq)).toMatchObject({ status: "completed", n_chunks: 10 });
  expect(shop.count("chunk")).toBe(10);
});

describe("a stop", () => {
  test("before the parse leaves everything for the next start", async () => {
    await using shop = new Workshop();
    await shop.store();
    const { seq } = await shop.attach("file-1", TEXT);
    expect(await shop.run(shop.ingest(), String(seq), { signal: AbortSignal.abort() })).toEqual({
      type: "interrupted",
    });
    expect(shop.parser.parsed).toEqual([]);
  });

  test("between two slices takes what is in the index out again", async () => {
    await using shop = new Workshop();
    const generation = await shop.store();
    using lease = await shop.indexes.acquire(STORE, generation.id);
    const { seq } = await shop.attach("file-1", Array.from({ length: 300 }, (_, i) => `w${i}`).join(" "), {
      maxTokens: 1,
      overlapTokens: 0,
    });
    const stop = new AbortController();
    const writes = shop.indexWrites();
    const index: IndexWrites = {
      ...writes,
      addChunks(file, of, slice) {
        writes.addChunks(file, of, slice);
        stop.abort();
      },
    };
    expect(await shop.run(shop.ingest({ index }), String(seq), { signal: stop.signal })).toEqual({
      type: "interrupted",
    });
    expect([lease.index.stats.chunks, (await fileOf(shop, seq))?.status]).toEqual([0, "in_progress"]);
    expect(await shop.run(shop.ingest(), String(seq))).toEqual({ type: "done" });
    expect(lease.index.stats.chunks).toBe(300);
  });
});
