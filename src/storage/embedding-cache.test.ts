import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { CacheScope } from "./embedding-cache.ts";
import type { Storage } from "./storage.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";

const T = "tenant_a";
let open: TestStorage;
let storage: Storage;

async function addFile(tenantId: string, id: string): Promise<void> {
  const bytes = { filename: "a", bytes: 1, sha256: "x", mime: "text/plain", expires_at: null };
  await storage.files.insert({ id, tenant_id: tenantId, purpose: "assistants", created_at: 1, ...bytes });
}

const scope = (change: Partial<CacheScope> = {}): CacheScope => {
  return { tenantId: T, fileId: "file-1", revision: "r1", dimensions: 2, ...change };
};
const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
const add = (text: string, vectors: number[], change: Partial<CacheScope> = {}) =>
  storage.embeddingCache.add(scope(change), [{ sha256: sha256(text), vectors: Float32Array.from(vectors) }]);
const get = async (text: string, change: Partial<CacheScope> = {}) => {
  const vectors = await storage.embeddingCache.get(scope(change), sha256(text));
  return vectors === null ? null : [...vectors];
};

onEachDatabase((kind) => {
  beforeEach(async () => {
    open = await kind.open();
    ({ storage } = open);
    for (const id of [T, "tenant_b"]) await storage.tenants.insert({ id, name: id, createdAt: 1 });
    for (const id of ["file-1", "file-2"]) await addFile(T, id);
  });
  afterEach(() => open[Symbol.asyncDispose]());

  describe("vectors are found", () => {
    test("again, whichever file asks for them, all windows of them", async () => {
      await add("text", [1, 0, 0, 1]);
      expect(await get("text")).toEqual([1, 0, 0, 1]);
      expect(await get("text", { fileId: "file-2" })).toEqual([1, 0, 0, 1]);
    });

    const others: [string, Partial<CacheScope>][] = [
      ["tenant", { tenantId: "tenant_b" }],
      ["revision of the model", { revision: "r2" }],
      ["size", { dimensions: 4 }],
    ];
    for (const [name, change] of others) {
      test(`not by another ${name}`, async () => {
        await add("text", [1, 0]);
        expect(await get("text", change)).toBeNull();
      });
    }
  });

  test("what a file left goes in steps, and what is written after its end is not kept", async () => {
    for (let i = 0; i < 5; i++) await add(`text ${i}`, [1, 0]);
    await add("of another", [0, 1], { fileId: "file-2" });
    expect(await storage.embeddingCache.countOfFile(T, "file-1")).toBe(5);
    expect(await storage.embeddingCache.removeOfFile(T, "file-1", 3)).toBe(3);
    expect(await storage.embeddingCache.removeOfFile(T, "file-1", 3)).toBe(2);
    await storage.files.remove(T, "file-1");
    await add("late", [1, 0]);
    expect([await get("late"), await get("of another")]).toEqual([null, [0, 1]]);
  });

  test("the size is known at any time, and the oldest go first", async () => {
    for (let i = 0; i < 4; i++) await add(`text ${i}`, [i, 0]);
    await add("text 0", [9, 9]);
    expect(await storage.embeddingCache.size()).toEqual({ entries: 4, bytes: 32 });
    expect(await storage.embeddingCache.removeOldest(2)).toBe(2);
    expect(await storage.embeddingCache.size()).toEqual({ entries: 2, bytes: 16 });
    expect([await get("text 1"), await get("text 2")]).toEqual([null, [2, 0]]);
  });
});
