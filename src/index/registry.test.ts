import { expect, test } from "bun:test";
import { encodeTerms } from "./analyzer.ts";
import { IndexRegistry } from "./registry.ts";
import { type IndexedFile, StoreIndex } from "./store-index.ts";

const fileOf = (fileKey: number, text = "word"): IndexedFile => ({
  fileKey,
  fileId: `file-${fileKey}`,
  filename: "a",
  attributes: {},
  chunks: [
    { chunkId: fileKey, terms: encodeTerms({ text, heading: [], title: "" }), vectors: Float32Array.of(1, fileKey) },
  ],
});
const emptyIndex = (): StoreIndex => new StoreIndex({ dimensions: 2, fetchVectors: (ids) => ids.map(() => null) });

/** A load that waits for the test to let it go. */
function gatedLoads() {
  const gates: { key: string; open: PromiseWithResolvers<StoreIndex>; signal: AbortSignal }[] = [];
  const load = (storeId: string, generation: number, signal: AbortSignal): Promise<StoreIndex> => {
    const open = Promise.withResolvers<StoreIndex>();
    signal.addEventListener("abort", () => open.reject(signal.reason));
    gates.push({ key: `${storeId}/${generation}`, open, signal });
    return open.promise;
  };
  return { gates, load };
}

test("one load serves everybody who waits, and later callers get the same index", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = [registry.acquire("s", 1), registry.acquire("s", 1)];
  expect(registry.stats).toMatchObject({ open: 0, loading: 1 });
  expect(registry.tryAcquire("s", 1)).toBeNull();
  gates[0]!.open.resolve(emptyIndex());
  const [a, b] = await Promise.all(waiting);
  expect(a!.index).toBe(b!.index);
  expect(registry.tryAcquire("s", 1)!.index).toBe(a!.index);
  expect(registry.stats).toMatchObject({ open: 1, loading: 0, loads: 1 });
});

test("writes made while an index loads are on it when it is published, in their order", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = registry.acquire("s", 1);
  const loaded = emptyIndex();
  loaded.addFile(fileOf(1)); // the load saw it before it was removed
  loaded.addFile(fileOf(2)); // and this one already
  registry.apply("s", 1, (index) => index.removeFile(1));
  registry.apply("s", 1, (index) => index.addFile(fileOf(2)));
  registry.apply("s", 1, (index) => index.addFile(fileOf(3)));
  registry.apply("s", 1, (index) => index.removeFile(3));
  registry.apply("other", 1, () => {
    throw new Error("an index that is not open needs no write");
  });
  gates[0]!.open.resolve(loaded);
  const { index } = await waiting;
  expect(index.stats).toMatchObject({ files: 1, chunks: 1, vectors: 1 });
  registry.apply("s", 1, (open) => open.addFile(fileOf(9)));
  expect(index.stats.files).toBe(2);
});

test("a failed load rejects, and the next use tries again", async () => {
  let attempts = 0;
  const load = async (): Promise<StoreIndex> => {
    if (++attempts === 1) throw new Error("disk");
    return emptyIndex();
  };
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  await expect(registry.acquire("s", 1)).rejects.toThrow("disk");
  expect(registry.stats).toMatchObject({ open: 0, loading: 0 });
  using lease = await registry.acquire("s", 1);
  expect(lease.index.stats.files).toBe(0);
});

test("the least recently used index goes when the budget is exceeded, but never a leased or the newest one", async () => {
  const load = async (): Promise<StoreIndex> => {
    const index = emptyIndex();
    index.addFile(fileOf(1));
    return index;
  };
  const one = (await load()).byteLength;
  const registry = new IndexRegistry({ load, budgetBytes: one * 2.5 });
  const held = await registry.acquire("a", 1);
  (await registry.acquire("b", 1)).release();
  (await registry.acquire("c", 1)).release();
  expect(registry.tryAcquire("b", 1)).toBeNull();
  expect(registry.tryAcquire("a", 1)).not.toBeNull();
  expect(registry.stats).toMatchObject({ open: 2, evictions: 1 });
  held.release();
});

test("retiring waits for the last reader and not longer; a reader keeps its index", async () => {
  const registry = new IndexRegistry({ load: async () => emptyIndex(), budgetBytes: 1e9 });
  const first = await registry.acquire("s", 1);
  const second = registry.tryAcquire("s", 1)!;
  let retired = false;
  const done = registry.retire("s", 1).then(() => (retired = true));
  expect(registry.tryAcquire("s", 1)).toBeNull();
  first.release();
  first.release(); // releasing twice counts once
  await Promise.resolve();
  expect(retired).toBe(false);
  second.index.addFile(fileOf(1));
  second.release();
  await done;
  await registry.retire("s", 1);
  await registry.retire("never-opened", 1);
});

test("whoever waits for an index that is invalidated gets the one loaded after that", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = registry.acquire("s", 1);
  registry.invalidate("s", 1);
  expect(gates[0]!.signal.aborted).toBe(true);
  const fresh = emptyIndex();
  while (gates.length < 2) await Promise.resolve();
  gates[1]!.open.resolve(fresh);
  expect((await waiting).index).toBe(fresh);
});

test("a closed registry stops its loads and opens nothing more", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = registry.acquire("s", 1);
  registry.close();
  expect(gates[0]!.signal.aborted).toBe(true);
  await expect(waiting).rejects.toThrow();
  await expect(registry.acquire("s", 1)).rejects.toThrow("closed");
});

test("an index that is loaded once more serves until the new one is whole, and both get what is written meanwhile", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = registry.acquire("s", 1);
  const [old, fresh] = [emptyIndex(), emptyIndex()];
  gates[0]!.open.resolve(old);
  const reader = await waiting;
  const done = registry.refresh("s", 1);
  await registry.refresh("s", 1); // one at a time
  expect(gates).toHaveLength(2);
  registry.apply("s", 1, (index) => index.addFile(fileOf(1)));
  registry.applyToStore("s", (index) => index.addFile(fileOf(2)));
  expect([registry.peek("s", 1), old.stats.files, fresh.stats.files]).toEqual([old, 2, 0]);
  const before = registry.loadOf("s", 1);
  gates[1]!.open.resolve(fresh);
  await done;
  expect(registry.loadOf("s", 1)).not.toBe(before);
  expect([registry.peek("s", 1), fresh.stats.files]).toEqual([fresh, 2]);
  registry.apply("s", 1, (index) => index.removeFile(1));
  expect([reader.index.stats.files, fresh.stats.files]).toEqual([2, 1]);
  let retired = false;
  const gone = registry.retire("s", 1).then(() => (retired = true));
  await Promise.resolve();
  expect(retired).toBe(false);
  reader.release();
  await gone;
});

test("an index that is forgotten while it is loaded once more stays forgotten, and a load that fails changes nothing", async () => {
  const { gates, load } = gatedLoads();
  const registry = new IndexRegistry({ load, budgetBytes: 1e9 });
  const waiting = registry.acquire("s", 1);
  const old = emptyIndex();
  gates[0]!.open.resolve(old);
  (await waiting).release();
  const failing = registry.refresh("s", 1);
  gates[1]!.open.reject(new Error("disk"));
  await failing;
  expect(registry.peek("s", 1)).toBe(old);
  const done = registry.refresh("s", 1);
  registry.invalidate("s", 1);
  expect(gates[2]!.signal.aborted).toBe(true);
  await done;
  expect(registry.peek("s", 1)).toBeNull();
  await registry.refresh("never-opened", 1);
});

test("a store's indexes are retired whichever they are, once nobody uses them, and no other store's", async () => {
  const registry = new IndexRegistry({ load: async () => emptyIndex(), budgetBytes: 1e9 });
  const held = await registry.acquire("s", 1);
  // Of a generation that is retired: a waiter had it loaded once more.
  (await registry.acquire("s", 2)).release();
  (await registry.acquire("s2", 1)).release();
  let retired = false;
  const gone = registry.retireStore("s").then(() => (retired = true));
  await Promise.resolve();
  expect([retired, registry.has("s", 1), registry.has("s", 2), registry.has("s2", 1)]).toEqual([
    false,
    false,
    false,
    true,
  ]);
  held.release();
  await gone;
  expect([registry.holds("s", () => true), registry.holds("s2", () => true)]).toEqual([false, true]);
});
