/** Chunks and vectors that are added one by one, and many together: the same rows. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { NewChunk } from "./chunks.ts";
import type { GenerationRow } from "./generations.ts";
import type { Storage } from "./storage.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "./testing/rows.ts";

const T = "ten_a";
const TEXTS = ["plain", "nothing after \0 this", "one half \ud83d of a pair", "\u{1f6a2} ship", "", "x".repeat(70_000)];

onEachDatabase((kind) => {
  let open: TestStorage;
  let storage: Storage;
  let generation: GenerationRow;

  beforeEach(async () => {
    open = await kind.open();
    ({ storage } = open);
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    await insertStore(storage, { id: "vs_1", tenantId: T });
    generation = await insertGeneration(storage, { tenantId: T, storeId: "vs_1" });
  });
  afterEach(() => open[Symbol.asyncDispose]());

  async function newOwner(fileId: string) {
    const { seq } = await insertStoreFile(storage, { tenantId: T, storeId: "vs_1", fileId });
    return { tenantId: T, storeId: "vs_1", storeFile: seq, chunkSet: generation.chunk_set, revision: 1 };
  }

  const chunksOf = (count: number): NewChunk[] =>
    Array.from({ length: count }, (_, idx) => ({
      idx,
      text: TEXTS[idx % TEXTS.length] ?? "",
      tokens: idx,
      start: idx * 10,
      end: 2 ** 40 + idx,
      page: idx % 2 === 0 ? null : idx,
      pageEnd: idx % 2 === 0 ? null : idx + 1,
      line: idx % 2 === 0 ? idx : null,
      lineEnd: idx % 2 === 0 ? idx : null,
      heading: idx % 3 === 0 ? [] : ["Über", `"${idx}"`],
      terms: Uint8Array.of(3, 255, idx),
      attributes: idx % 4 === 1 ? { n: idx, text: "\u{1f9fe}" } : null,
    }));

  const rowsOf = async (file: number) =>
    await open.db.all(
      /*sql*/ `SELECT c.tenant_id, c.store_id, c.chunk_set, c.revision, c.idx, c.text, c.tokens, c.start_cp, c.end_cp, c.page,
          c.page_end, c.line, c.line_end, c.heading, t.terms, a.attributes, v.data, v.shared, v.generation
        FROM chunk c JOIN chunk_terms t ON t.chunk_id = c.id LEFT JOIN chunk_attributes a ON a.chunk_id = c.id
        LEFT JOIN vector v ON v.chunk_id = c.id WHERE c.store_file = ?1 ORDER BY c.id`,
      [file],
    );

  test("many together are what they are one by one, in their order", async () => {
    const [one, all] = [await newOwner("file-1"), await newOwner("file-2")];
    const chunks = chunksOf(24);
    const vectorOf = (chunkId: number, i: number) => ({ chunkId, data: Float32Array.of(i, -0.5), shared: i % 2 });
    for (const [i, chunk] of chunks.entries()) {
      const ids = await storage.chunks.add(one, [chunk]);
      await storage.chunks.addVectors(T, generation.id, [vectorOf(ids[0] ?? 0, i)]);
    }
    const ids = await storage.chunks.add(all, chunks);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    await storage.chunks.addVectors(T, generation.id, ids.map(vectorOf));
    const rows = await rowsOf(all.storeFile);
    expect(rows).toHaveLength(24);
    expect(rows).toEqual(await rowsOf(one.storeFile));
    // Numbers go on after those that were given together.
    const [next = 0] = await storage.chunks.add(one, [{ ...chunksOf(1)[0]!, idx: 24 }]);
    expect(next).toBeGreaterThan(ids.at(-1) ?? 0);
    expect(await storage.chunks.highestId()).toBe(next);
  });

  test("of many vectors those of chunks that are gone are dropped, and those that are there already take their place", async () => {
    const owner = await newOwner("file-1");
    const ids = await storage.chunks.add(owner, chunksOf(8));
    const vectors = (value: number, of: readonly number[]) =>
      of.map((chunkId) => ({ chunkId, data: Float32Array.of(value, value) }));
    await storage.chunks.addVectors(T, generation.id, vectors(1, ids.slice(0, 5)));
    await storage.chunks.addVectors(T, generation.id, vectors(2, [...ids.slice(3), 1_000_000, 1_000_001]));
    const found = await Promise.all(ids.map((id) => storage.chunks.vector(id, generation.id)));
    expect(found.map((vector) => vector?.[0])).toEqual([1, 1, 1, 2, 2, 2, 2, 2]);
    expect(await open.db.all("SELECT count(*) AS n FROM vector")).toEqual([{ n: 8 }]);
    await storage.chunks.addVectors(T, generation.id, vectors(3, [1_000_000, 1_000_001, 1_000_002, 1_000_003]));
    expect(await open.db.all("SELECT count(*) AS n FROM vector")).toEqual([{ n: 8 }]);
  });

  test("many are added wholly or not at all, and what follows in the transaction with them", async () => {
    const owner = await newOwner("file-1");
    expect(await storage.chunks.add({ ...owner, revision: 2 }, chunksOf(8))).toEqual([]);
    await storage.chunks.add(owner, chunksOf(8));
    const twice = storage.chunks.add(owner, chunksOf(8));
    expect(
      await twice.then(
        () => "added",
        () => "refused",
      ),
    ).toBe("refused");
    const undone = storage.transaction(async ({ chunks }) => {
      await chunks.add({ ...owner, chunkSet: owner.chunkSet + 1 }, chunksOf(8));
      throw new Error("undone");
    });
    expect(await undone.catch(String)).toBe("Error: undone");
    expect(await rowsOf(owner.storeFile)).toHaveLength(8);
    // The connection is as good as before.
    const later = await newOwner("file-2");
    await storage.transaction(async ({ chunks, stores }) => {
      await stores.touch(T, "vs_1", 5);
      await chunks.add(later, chunksOf(8));
      await stores.touch(T, "vs_1", 6);
    });
    expect(await rowsOf(later.storeFile)).toHaveLength(8);
  });
});
