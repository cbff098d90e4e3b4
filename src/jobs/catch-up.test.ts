import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { embedFailure, type EmbedFailure } from "../embed/provider.ts";
import { encodeTerms } from "../index/analyzer.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { deleteFile } from "../storage/removal.ts";
import { insertGeneration } from "../storage/testing/rows.ts";
import { catchUp, createCatchUpHandler, NO_PROGRESS } from "./catch-up.ts";
import type { CatchUpResult } from "./file-catch-up.ts";
import { MODEL, STORE, TENANT, Workshop } from "./testing/workshop.ts";

const TEXT = Array.from({ length: 95 }, (_, i) => `word${i}`).join(" ");
const TERMS = encodeTerms({ text: "one more by one", heading: [], title: "" });
const NEVER = new AbortController().signal;

/** A store with two files, and another generation of it that has none. */
async function setUp(more: { sharesChunks?: boolean; state?: GenerationRow["state"] } = {}) {
  const shop = new Workshop();
  const live = await shop.store();
  const files = [await shop.ingested("file-1", TEXT), await shop.ingested("file-2", "another text of a few words")];
  const other = await insertGeneration(shop.storage, {
    tenantId: TENANT,
    storeId: STORE,
    ...MODEL,
    modelRevision: "r2",
    chunkSet: (more.sharesChunks ?? true) ? live.chunk_set : null,
    state: more.state ?? "building",
  });
  shop.parser.parsed.length = 0;
  shop.model.asked.length = 0;
  return { shop, live, other, files };
}

async function bringUp(shop: Workshop, generation: GenerationRow, signal = NEVER): Promise<CatchUpResult> {
  const options = { generation, strategy: null, progress: NO_PROGRESS, freeChunks: null };
  return await catchUp(shop.catchUpDeps(), options, signal);
}

const missingOf = async ({ storage }: Workshop, generation: GenerationRow) =>
  (await storage.generationFiles.countMissing(generation)).files;

test("a generation that shares the live one's chunks gets vectors and nothing else", async () => {
  const { shop, other } = await setUp();
  await using _shop = shop;
  expect(await bringUp(shop, other)).toEqual({ type: "done" });
  expect([await missingOf(shop, other), shop.parser.parsed, shop.count("chunk"), shop.count("vector")]).toEqual([
    0,
    [],
    11,
    22,
  ]);
});

test("a generation with chunks of its own gets the files cut by their own strategy, from their bytes", async () => {
  const { shop, other, live } = await setUp({ sharesChunks: false });
  await using _shop = shop;
  expect(await bringUp(shop, other)).toEqual({ type: "done" });
  expect([await missingOf(shop, other), shop.parser.parsed.toSorted(), shop.count("chunk")]).toEqual([
    0,
    ["file-1.txt", "file-2.txt"],
    22,
  ]);
  const [best] = await shop.nearest(other, "word31 word32 word33");
  const [same] = await shop.nearest(live, "word31 word32 word33");
  expect(best).not.toBe(same);
});

test("another strategy than the files' is the generation's", async () => {
  const { shop, other, files } = await setUp({ sharesChunks: false });
  await using _shop = shop;
  const strategy = { maxTokens: 50, overlapTokens: 0 };
  const options = { generation: other, strategy, progress: NO_PROGRESS, freeChunks: null };
  expect(await catchUp(shop.catchUpDeps(), options, NEVER)).toEqual({ type: "done" });
  const owner = { storeFile: files[0]!.seq, chunkSet: other.chunk_set, revision: 1 };
  expect(await shop.storage.chunks.fileTotals(TENANT, owner, other)).toMatchObject({ chunks: 2, vectors: 2 });
});

test("texts that came through the API stay as they are cut", async () => {
  const { shop, other, live } = await setUp({ sharesChunks: false });
  await using _shop = shop;
  const file = await shop.attach("file-3", null);
  const owner = { storeFile: file.seq, chunkSet: live.chunk_set, revision: 1 };
  const place = { page: null, pageEnd: null, line: null, lineEnd: null, heading: [], terms: TERMS };
  const chunk = { idx: 0, text: "one by one", tokens: 3, start: 0, end: 10, ...place, attributes: { n: 1 } };
  await shop.storage.chunks.add({ tenantId: TENANT, storeId: STORE, ...owner }, [chunk]);
  await shop.storage.storeFiles.complete(TENANT, file.seq, 1, { usageBytes: 1, chunks: 1, vectors: 1 });
  expect(await bringUp(shop, other)).toEqual({ type: "done" });
  const copied = { ...owner, chunkSet: other.chunk_set };
  expect(await shop.storage.chunks.fileTotals(TENANT, copied, other)).toMatchObject({ chunks: 1, vectors: 1 });
  const [row] = await shop.storage.chunks.forIndex(TENANT, copied, other.id, 0, 10);
  expect(row?.attributes).toEqual({ n: 1 });
  expect(shop.parser.parsed).not.toContain("file-3.txt");
});

test("an index in memory takes the files, slice by slice; one that is not finds them in the database", async () => {
  const { shop, other } = await setUp();
  await using _shop = shop;
  await shop.ingested("file-long", Array.from({ length: 1500 }, (_, i) => `w${i}`).join(" "));
  using lease = await shop.indexes.acquire(STORE, other.id);
  const grown: number[] = [];
  const deps = { ...shop.catchUpDeps(), indexGrew: ({ id }: GenerationRow) => grown.push(id) };
  await catchUp(deps, { generation: other, strategy: null, progress: NO_PROGRESS, freeChunks: null }, NEVER);
  // Files without vectors are in no index when it is loaded.
  expect(lease.index.stats.chunks).toBe(161);
  expect(grown).toEqual([other.id, other.id, other.id]);
});

describe("a model that", () => {
  const cases: { failure: EmbedFailure; result: CatchUpResult }[] = [
    {
      failure: embedFailure("overloaded", "busy", 7),
      result: { type: "away", detail: "busy", retryAfterMs: 7 },
    },
    {
      failure: embedFailure("unavailable", "away"),
      result: { type: "away", detail: "away", retryAfterMs: undefined },
    },
    { failure: embedFailure("too_long", "long"), result: { type: "failed", detail: "long" } },
    { failure: embedFailure("rejected", "bad"), result: { type: "failed", detail: "bad" } },
    { failure: embedFailure("aborted", "stop"), result: { type: "interrupted" } },
  ];
  for (const { failure, result } of cases)
    test(`is ${failure.reason} leaves files missing, and the next try adds them`, async () => {
      const { shop, other } = await setUp();
      await using _shop = shop;
      shop.model.before = () => failure;
      expect(await bringUp(shop, other)).toEqual(result);
      expect(await missingOf(shop, other)).toBe(2);
      shop.model.before = () => null;
      expect(await bringUp(shop, other)).toEqual({ type: "done" });
      expect(await missingOf(shop, other)).toBe(0);
    });
});

describe("a parse that", () => {
  test("fails now, though it did not before, is told", async () => {
    const { shop, other } = await setUp({ sharesChunks: false });
    await using _shop = shop;
    const error = { code: "invalid_file" as const, message: "It is torn." };
    shop.parser.instead.push(() => ({ type: "failed", error }));
    const detail = "a file that was indexed before cannot be parsed now: It is torn.";
    expect(await bringUp(shop, other)).toEqual({ type: "failed", detail });
  });

  test("dies is tried again soon, and what it left does not count", async () => {
    const { shop, other } = await setUp({ sharesChunks: false });
    await using _shop = shop;
    shop.parser.instead.push(async (onChunks, chunks) => {
      await onChunks(chunks.slice(0, 3), false);
      return { type: "crashed" };
    });
    expect(await bringUp(shop, other)).toEqual({ type: "away", detail: "a parse worker died", retryAfterMs: 500 });
    expect(await bringUp(shop, other)).toEqual({ type: "done" });
    expect(shop.count("chunk")).toBe(22);
  });

  test("begins again begins again with its chunks, one that is interrupted ends", async () => {
    const { shop, other } = await setUp({ sharesChunks: false });
    await using _shop = shop;
    shop.parser.instead.push(
      async (onChunks, chunks) => {
        await onChunks(chunks.slice(0, 3), false);
        await onChunks(chunks, true);
        return { type: "parsed", warnings: [] };
      },
      () => ({ type: "interrupted" }),
    );
    expect(await bringUp(shop, other)).toEqual({ type: "interrupted" });
    expect(await bringUp(shop, other)).toEqual({ type: "done" });
    expect(shop.count("chunk")).toBe(22);
  });

  test("ends after its file was deleted leaves nothing of the text", async () => {
    const { shop, other } = await setUp({ sharesChunks: false });
    await using _shop = shop;
    const sha256 = (await shop.storage.files.get(TENANT, "file-1"))?.sha256 ?? "";
    const path = shop.parsed.path({ tenantId: TENANT, sha256, filename: "file-1.txt" });
    shop.parser.instead.push(async () => {
      await shop.storage.transaction((tables) => deleteFile(tables, TENANT, "file-1", 5));
      await Bun.write(path, "parsed");
      return { type: "parsed", warnings: [] };
    });
    expect(await bringUp(shop, other)).toEqual({ type: "done" });
    expect(existsSync(path)).toBe(false);
  });
});

test("an upload that is gone meanwhile is no failure", async () => {
  const { shop, other } = await setUp({ sharesChunks: false });
  await using _shop = shop;
  const { missing } = shop.storage.generationFiles;
  let looks = 0;
  const storage = {
    ...shop.storage,
    files: { ...shop.storage.files, get: () => Promise.resolve(null) },
    // As after the deletion: nothing is missing any more.
    generationFiles: {
      ...shop.storage.generationFiles,
      missing: (...at: Parameters<typeof missing>) => (looks++ === 0 ? missing(...at) : Promise.resolve([])),
    },
  };
  const options = { generation: other, strategy: null, progress: NO_PROGRESS, freeChunks: null };
  expect(await catchUp({ ...shop.catchUpDeps(), storage }, options, NEVER)).toEqual({ type: "done" });
  expect(shop.parser.parsed).toEqual([]);
});

describe("while a file is added", () => {
  async function during(change: (shop: Workshop, seq: number) => Promise<void>) {
    const { shop, other, files } = await setUp();
    const lease = await shop.indexes.acquire(STORE, other.id);
    let changed = false;
    shop.model.before = async () => {
      if (changed) return null;
      changed = true;
      await change(shop, files[0]!.seq);
      return null;
    };
    const result = await bringUp(shop, other);
    lease.release();
    return { shop, other, result, chunks: lease.index.stats.chunks };
  }

  test("it is detached: it is in no index and not missing", async () => {
    const { shop, other, result, chunks } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.remove(TENANT, seq);
    });
    await using _shop = shop;
    expect([result, chunks, await missingOf(shop, other)]).toEqual([{ type: "done" }, 1, 0]);
  });

  test("it is attached anew: it is not noted as whole, and comes when it is completed", async () => {
    const { shop, other, result, chunks } = await during(async ({ storage }, seq) => {
      await storage.storeFiles.reindex(TENANT, seq, { maxTokens: 50, overlapTokens: 0 });
    });
    await using _shop = shop;
    expect([result, chunks]).toEqual([{ type: "done" }, 1]);
    expect(await shop.run(shop.ingest(), "1")).toEqual({ type: "done" });
    expect(await missingOf(shop, other)).toBe(1);
  });

  test("another file is completed: another round takes it", async () => {
    const { shop, other, result, chunks } = await during(async (inner) => {
      await inner.ingested("file-3", "a third text");
    });
    await using _shop = shop;
    expect([result, chunks, await missingOf(shop, other)]).toEqual([{ type: "done" }, 12, 0]);
  });

  test("it goes between the index and the row: it is not noted as whole", async () => {
    const { shop, other, files } = await setUp();
    await using _shop = shop;
    const { storage } = shop;
    let isFirst = true;
    const meddling = {
      ...shop.storage,
      transaction: (async (fn, durability) => {
        if (isFirst && shop.model.asked.length > 0 && shop.count("vector") > 20) {
          isFirst = false;
          for (const { seq } of files) await storage.storeFiles.remove(TENANT, seq);
        }
        return await storage.transaction(fn, durability);
      }) as typeof storage.transaction,
    };
    const options = { generation: other, strategy: null, progress: NO_PROGRESS, freeChunks: null };
    expect(await catchUp({ ...shop.catchUpDeps(), storage: meddling }, options, NEVER)).toEqual({ type: "done" });
    expect(await missingOf(shop, other)).toBe(0);
  });

  test("its text grows: it is not noted as whole before the rest has vectors too", async () => {
    const { shop, other, files } = await setUp();
    await using _shop = shop;
    using _lease = await shop.indexes.acquire(STORE, other.id);
    const owner = { storeFile: files[0]!.seq, chunkSet: other.chunk_set, revision: 1 };
    const place = { page: null, pageEnd: null, line: null, lineEnd: null, heading: [], terms: TERMS };
    let isFirst = true;
    const deps = shop.catchUpDeps();
    const openIndex: typeof deps.openIndex = async (generation) => {
      if (isFirst) {
        isFirst = false;
        const chunk = { idx: 10, text: "one more", tokens: 2, start: 700, end: 708, ...place };
        await shop.storage.chunks.add({ tenantId: TENANT, storeId: STORE, ...owner }, [chunk]);
      }
      return await deps.openIndex(generation);
    };
    const options = { generation: other, strategy: null, progress: NO_PROGRESS, freeChunks: null };
    expect(await catchUp({ ...deps, openIndex }, options, NEVER)).toEqual({ type: "done" });
    expect(await shop.storage.chunks.fileTotals(TENANT, owner, other)).toMatchObject({ chunks: 11, vectors: 11 });
    expect(await missingOf(shop, other)).toBe(0);
  });

  test("a stop comes: what is begun is ended, the rest is left", async () => {
    const { shop, other } = await setUp();
    await using _shop = shop;
    const stop = new AbortController();
    shop.model.before = () => {
      stop.abort();
      return null;
    };
    expect(await bringUp(shop, other, stop.signal)).toEqual({ type: "interrupted" });
    expect(await missingOf(shop, other)).toBe(2);
    // What was asked for is kept.
    expect(shop.count("vector")).toBeGreaterThan(11);
  });
});

test("what throws is thrown when the files under way have ended", async () => {
  const { shop, other } = await setUp();
  await using _shop = shop;
  let calls = 0;
  shop.model.before = () => {
    if (++calls === 1) throw new Error("a bug");
    return null;
  };
  await expect(bringUp(shop, other)).rejects.toThrow("a bug");
  expect(await missingOf(shop, other)).toBe(1);
});

test("more files than one query gives, and than are worked on at once", async () => {
  const { shop, other } = await setUp();
  await using _shop = shop;
  for (let i = 0; i < 70; i++) await shop.ingested(`more-${i}`, `text number ${i}`);
  expect(await bringUp(shop, other)).toEqual({ type: "done" });
  expect(await missingOf(shop, other)).toBe(0);
});

test("the brake is on while files are added, and let go afterwards", async () => {
  const { shop, other } = await setUp();
  await using _shop = shop;
  const held: string[][] = [];
  shop.model.before = () => {
    held.push(shop.brake.held());
    return null;
  };
  await catchUp(shop.catchUpDeps(), { generation: other, strategy: null, progress: NO_PROGRESS, freeChunks: 0 }, NEVER);
  expect([held[0], shop.brake.held(), shop.released > 0]).toEqual([[STORE], [], true]);
});

describe("the job", () => {
  const run = (shop: Workshop, { id }: { id: number }, signal = NEVER) =>
    shop.run(shop.handler("catch_up"), String(id), { signal });

  test("keeps a retained generation up to date, and no other", async () => {
    const { shop, other } = await setUp();
    await using _shop = shop;
    expect([await run(shop, { id: 999 }), await run(shop, other)]).toEqual([{ type: "done" }, { type: "done" }]);
    expect(await missingOf(shop, other)).toBe(2);
    await shop.storage.generations.setState(TENANT, other.id, "retained");
    expect(await run(shop, other)).toEqual({ type: "done" });
    expect(await missingOf(shop, other)).toBe(0);
  });

  test("has time while a model is away or refuses", async () => {
    const { shop, other } = await setUp({ state: "retained" });
    await using _shop = shop;
    for (const reason of ["unavailable", "rejected"] as const) {
      shop.model.before = () => embedFailure(reason, "no", 3);
      expect(await run(shop, other)).toEqual({ type: "retry", inMs: 30_000 });
    }
    expect(await run(shop, other, AbortSignal.abort())).toEqual({ type: "interrupted" });
  });

  test("comes back at once where it is behind already", async () => {
    const { shop, other } = await setUp({ state: "retained" });
    await using _shop = shop;
    const deps = shop.catchUpDeps();
    const { generationFiles } = shop.storage;
    const storage = { ...shop.storage, generationFiles: { ...generationFiles, missing: () => Promise.resolve([]) } };
    const handler = createCatchUpHandler({ ...deps, storage });
    expect(await shop.run(handler, String(other.id))).toEqual({ type: "retry", inMs: 0 });
  });
});
