/** What indexes in memory read without waiting, of a database elsewhere. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hasPostgres } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import type { ChunkOwner, IndexedChunk } from "../chunks.ts";
import type { GenerationRow } from "../generations.ts";
import type { Storage } from "../storage.ts";
import type { StoreFileRow } from "../store-files.ts";
import { POSTGRES, readyPostgres, SERVER_STARTS_MS, type TestStorage } from "../testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../testing/rows.ts";

const T = "ten_a";

describe.skipIf(lacks("PostgreSQL", hasPostgres))("an index over PostgreSQL", () => {
  let open: TestStorage;
  let storage: Storage;
  let generation: GenerationRow;
  let file: StoreFileRow;
  let owner: ChunkOwner;
  let ids: number[];

  beforeAll(readyPostgres, SERVER_STARTS_MS);
  beforeEach(async () => {
    open = await POSTGRES.open();
    ({ storage } = open);
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    await insertStore(storage, { id: "vs_1", tenantId: T });
    generation = await insertGeneration(storage, { tenantId: T, storeId: "vs_1" });
    file = await insertStoreFile(storage, { tenantId: T, storeId: "vs_1", fileId: "file-1" });
    owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: 1 };
    ids = await add(0, 3);
  });
  afterEach(() => open[Symbol.asyncDispose]());

  async function add(from: number, count: number): Promise<number[]> {
    const place = { tokens: 1, start: 0, end: 1, page: null, pageEnd: null, line: null, lineEnd: null, heading: [] };
    const chunks = Array.from({ length: count }, (_, i) => ({
      ...place,
      idx: from + i,
      text: "x",
      terms: Uint8Array.of(1, from + i),
      attributes: from + i === 1 ? { n: 1 } : null,
    }));
    const added = await storage.chunks.add({ ...owner, tenantId: T, storeId: "vs_1" }, chunks);
    const vectors = added.map((chunkId, i) => ({ chunkId, data: Float32Array.of(from + i, 0.5) }));
    await storage.chunks.addVectors(T, generation.id, vectors);
    return added;
  }

  const seen = (chunks: readonly IndexedChunk[]) => chunks.map(({ chunk_id, terms }) => [chunk_id, terms[1]]);
  const vectors = () => storage.indexReads.vectors(ids, generation.id).map((vector) => vector?.[0] ?? null);
  const terms = () => storage.indexReads.terms(ids).map((bytes) => bytes?.[1] ?? null);
  const slice = (from: number, limit: number) => ({ tenantId: T, owner, generation: generation.id, from, limit });

  test("finds what it was made of, and nothing before", async () => {
    expect([vectors(), terms()]).toEqual([
      [null, null, null],
      [null, null, null],
    ]);
    const loaded = await storage.chunks.forIndex(T, owner, generation.id, 1, 10);
    expect([vectors(), terms()]).toEqual([
      [null, 1, 2],
      [null, 1, 2],
    ]);
    expect(storage.indexReads.chunks(T, owner, generation.id, 1, 10)).toEqual(loaded);
    expect(loaded[0]?.attributes).toEqual({ n: 1 });
  });

  test("gets a slice of a file with its row before anybody else writes", async () => {
    const order: string[] = [];
    const taken = storage.indexReads.slice(slice(0, 2), (row, chunks) => {
      order.push("slice");
      return [row?.attributes, seen(chunks)];
    });
    const change = storage.storeFiles.setAttributes(T, file.seq, { late: true }).then(() => order.push("change"));
    expect(await taken).toEqual([null, [ids[0], ids[1]].map((id, i) => [id, i])]);
    await change;
    expect(order).toEqual(["slice", "change"]);
    const gone = { ...slice(0, 2), owner: { ...owner, storeFile: file.seq + 9 } };
    expect(await storage.indexReads.slice(gone, (row, chunks) => [row, chunks])).toEqual([null, []]);
    const thrown = storage.indexReads.slice(slice(0, 2), () => {
      throw new Error("no");
    });
    expect(await thrown.catch(String)).toBe("Error: no");
  });

  test("sees in the turn of a commit what the transaction brought", async () => {
    await storage.chunks.forIndex(T, owner, generation.id, 0, 10);
    let found: unknown;
    await storage.transaction(async (tables, tx) => {
      await tables.storeFiles.setAttributes(T, file.seq, { n: 2 });
      await storage.indexReads.bring(tables, T, file.seq);
      tx.onCommit(() => (found = storage.indexReads.storeFile(T, file.seq)?.attributes));
    });
    expect(found).toEqual({ n: 2 });
    // What is put in is not read back: an index that wants it reads it on its way there.
    const [more = 0] = await add(3, 1);
    expect(seen(storage.indexReads.chunks(T, owner, generation.id, 3, 10))).toEqual([]);
    await storage.chunks.forIndex(T, owner, generation.id, 3, 10);
    expect(seen(storage.indexReads.chunks(T, owner, generation.id, 0, 10))).toEqual(
      [...ids, more].map((id, i) => [id, i]),
    );
  });

  test("has nothing left of what was removed from the database", async () => {
    await storage.chunks.forIndex(T, owner, generation.id, 0, 10);
    await storage.chunkTerms.replace([{ id: ids[0] ?? 0, terms: Uint8Array.of(2, 9) }], null);
    expect(terms()).toEqual([9, 1, 2]);
    await storage.chunks.removeFromGeneration(generation, file.seq, 0, false);
    expect([vectors(), terms()]).toEqual([
      [null, null, null],
      [9, 1, 2],
    ]);
    await storage.transaction(async (tables) => void (await tables.chunks.removeSome(file.seq, 2, 10)));
    expect(terms()).toEqual([null, null, null]);
    await storage.storeFiles.remove(T, file.seq);
    await storage.transaction((tables) => storage.indexReads.bring(tables, T, file.seq));
    expect(storage.indexReads.storeFile(T, file.seq)).toBeNull();
  });
});
