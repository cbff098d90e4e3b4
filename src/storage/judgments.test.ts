import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { EvaluationRow } from "./evaluations.ts";
import type { Storage } from "./storage.ts";
import type { GenerationRow } from "./generations.ts";
import type { StoreFileRow } from "./store-files.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "./testing/rows.ts";

const T = "ten_a";
const OWNER = { tenantId: T, storeId: "vs_1", evaluation: 0 };
let open: TestStorage;
let storage: Storage;

async function addStore(id: string): Promise<GenerationRow> {
  await insertStore(storage, { id, tenantId: T, name: id });
  const generation = await addGeneration(id, null);
  await storage.stores.setLiveGeneration(T, id, generation.id);
  return generation;
}

async function addGeneration(storeId: string, chunkSet: number | null): Promise<GenerationRow> {
  return await insertGeneration(storage, { tenantId: T, storeId, chunkSet });
}

async function attach(storeId: string, fileId: string): Promise<StoreFileRow> {
  return await insertStoreFile(storage, { tenantId: T, storeId, fileId, filename: fileId });
}

/** One chunk of a file; returns its id. */
async function addChunk(file: StoreFileRow, generation: GenerationRow): Promise<number> {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const place = { idx: 0, tokens: 1, start: 0, end: 1, page: null, pageEnd: null, line: null, lineEnd: null };
  const chunk = { ...place, text: "x", heading: [], terms: new Uint8Array() };
  await storage.chunks.add({ tenantId: T, storeId: file.store_id, ...owner }, [chunk]);
  return (await storage.chunks.withoutVector(T, owner, generation.id, 1))[0]?.id ?? -1;
}

const complete = ({ seq }: StoreFileRow) =>
  storage.storeFiles.complete(T, seq, 1, { usageBytes: 1, chunks: 1, vectors: 1 });
const judge = (query: string, evaluation = 0) =>
  storage.judgments.put(
    { ...OWNER, evaluation },
    { id: `q_${query}${evaluation}`, query, relevant: [{ file: "file-1", chunk: null, grade: 1 }] },
    1,
  );

onEachDatabase((kind) => {
  beforeEach(async () => {
    open = await kind.open();
    ({ storage } = open);
  });
  afterEach(() => open[Symbol.asyncDispose]());

  test("a query is judged once; those of an evaluation are apart from those of the store", async () => {
    await addStore("vs_1");
    const first = await judge("a");
    const relevant = [{ file: "file-2", chunk: 7, grade: 2 }];
    const again = await storage.judgments.put(OWNER, { id: "q_other", query: "a", relevant }, 9);
    expect(again).toEqual({ ...first, relevant });
    await judge("a", 5);
    const counts = await Promise.all([0, 5].map((evaluation) => storage.judgments.count({ ...OWNER, evaluation })));
    expect(counts).toEqual([1, 1]);
    expect((await storage.judgments.list(T, "vs_1", { limit: 10, order: "asc" })).rows).toEqual([again]);
    expect(await storage.judgments.get(T, "vs_1", "q_a5")).toBeNull();
    expect(await storage.judgments.remove("ten_b", "vs_1", first.id)).toBe(false);
    expect(await storage.judgments.remove(T, "vs_1", first.id)).toBe(true);
  });

  test("slices and lists go through all of them in order", async () => {
    await addStore("vs_1");
    const seqs: number[] = [];
    for (const query of ["a", "b", "c", "d", "e"]) seqs.push((await judge(query)).seq);
    const slices: number[] = [];
    for (let after = 0; ; after = slices.at(-1) ?? 0) {
      const slice = await storage.judgments.slice(OWNER, after, 2);
      slices.push(...slice.map((row) => row.seq));
      if (slice.length < 2) break;
    }
    expect(slices).toEqual(seqs);
    const page = await storage.judgments.list(T, "vs_1", { limit: 2, order: "desc", after: seqs[4] });
    expect([page.rows.map((row) => row.query), page.hasMore]).toEqual([["d", "c"], true]);
  });

  describe("what was judged is there", () => {
    test("for files of the store only, and can be found once they are completed", async () => {
      await addStore("vs_1");
      await addStore("vs_2");
      await complete(await attach("vs_1", "file-1"));
      await attach("vs_1", "file-2");
      await complete(await attach("vs_2", "file-3"));
      const found = await storage.judgments.filesOf(T, "vs_1", ["file-1", "file-2", "file-3", "file-4"]);
      expect([...found]).toEqual([
        ["file-1", { filename: "file-1", searchable: true }],
        ["file-2", { filename: "file-2", searchable: false }],
      ]);
      expect((await storage.judgments.filesOf("ten_b", "vs_1", ["file-1"])).size).toBe(0);
    });

    test("for chunks that searches can find: of the live chunks, of the file's newest revision", async () => {
      const generation = await addStore("vs_1");
      const file = await attach("vs_1", "file-1");
      const chunk = await addChunk(file, generation);
      const found = async () => [...(await storage.judgments.chunksOf(T, "vs_1", [chunk, chunk + 1]))];
      expect(await found()).toEqual([]);
      await complete(file);
      expect(await found()).toEqual([[chunk, "file-1"]]);
      expect((await storage.judgments.chunksOf("ten_b", "vs_1", [chunk])).size).toBe(0);
      // Cut differently by a migration, and back.
      const other = await addGeneration("vs_1", null);
      await storage.stores.setLiveGeneration(T, "vs_1", other.id);
      expect(await found()).toEqual([]);
      await storage.stores.setLiveGeneration(T, "vs_1", (await addGeneration("vs_1", generation.chunk_set)).id);
      expect(await found()).toHaveLength(1);
      await storage.storeFiles.reindex(T, file.seq, { maxTokens: 100, overlapTokens: 0 });
      await complete({ ...file, revision: 2 });
      expect(await found()).toEqual([]);
    });
  });

  test("judged queries and evaluations go with their store", async () => {
    await addStore("vs_1");
    await judge("a");
    const row = await evaluation();
    await judge("a", row.seq);
    expect(await storage.judgments.removeSome({ ...OWNER, evaluation: row.seq }, 10)).toBe(1);
    await judge("b", row.seq);
    expect(await storage.judgments.removeSome({ ...OWNER, evaluation: null }, 1)).toBe(1);
    await storage.stores.setLifecycle(T, "vs_1", "deleting");
    await storage.stores.remove(T, "vs_1");
    for (const table of ["judgment", "evaluation"])
      expect([table, await open.db.get(`SELECT count(*) AS n FROM ${table}`)]).toEqual([table, { n: 0 }]);
  });

  async function evaluation(id = "eval_0") {
    const more = { createdAt: 1, modes: ["vector" as const], k: 10, generation: 1, queries: 1, own: false };
    return await storage.evaluations.insert({ id, tenantId: T, storeId: "vs_1", ...more });
  }

  test("the newest evaluations that have ended are kept, and all that have not", async () => {
    await addStore("vs_1");
    const rows: EvaluationRow[] = [];
    for (const i of [0, 1, 2, 3]) rows.push(await evaluation(`eval_${i}`));
    const failed = { code: "x", message: "y" };
    for (const { id } of rows.slice(1)) await storage.evaluations.fail(T, id, 2, failed);
    expect(await storage.evaluations.unfinished(T, "vs_1")).toBe(1);
    await storage.evaluations.trim(T, "vs_1", 2);
    const kept = (await storage.evaluations.list(T, "vs_1", { limit: 10, order: "asc" })).rows.map((row) => row.id);
    expect(kept).toEqual([rows[0]?.id, rows[2]?.id, rows[3]?.id].map((id) => id ?? ""));
  });
});
