import { expect, test } from "bun:test";
import type { EmbedResult } from "../embed/provider.ts";
import { embedFailure } from "../embed/provider.ts";
import { Semaphore } from "../platform/semaphore.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { cachedPassages, type PassageSource } from "./cached-passages.ts";

const MODEL = { id: "m", revision: "r", dimensions: 2 };
const SOURCE: PassageSource = { tenantId: "tenant_a", fileId: "file-1" };
const never = new AbortController().signal;

async function setUp(isCached = true) {
  const db = openSqlite(":memory:");
  const storage = createStorage(db);
  await storage.tenants.insert({ id: SOURCE.tenantId, name: "a", createdAt: 1 });
  db.raw
    .query(
      `INSERT INTO file (id, tenant_id, filename, bytes, sha256, mime, purpose, created_at) VALUES ('file-1', 'tenant_a', 'a', 1, 'x', 'text/plain', 'assistants', 1)`,
    )
    .run();
  const asked: string[][] = [];
  let fails = false;
  const passages = cachedPassages({
    embed: async (_model, texts): Promise<EmbedResult> => {
      asked.push([...texts]);
      if (fails) return embedFailure("unavailable", "away");
      const vectors = (text: string) => Float32Array.from([text.length, 1]);
      return { ok: true, texts: texts.map((text) => ({ vectors: vectors(text), windows: 1, tokens: 3 })) };
    },
    batching: () => ({ texts: 8, room: new Semaphore(8), window: null, windowTokens: null }),
    cache: storage.embeddingCache,
    isCached: () => isCached,
    onLookup: () => {},
  });
  const run = async (texts: string[], source: PassageSource | null = SOURCE) => {
    const result = await passages.embed(MODEL, texts, { signal: never, source });
    return result.ok ? result.texts.map(({ vectors, tokens }) => [vectors[0], tokens]) : result.reason;
  };
  return { asked, run, fail: (value: boolean) => (fails = value) };
}

test("a text is embedded once, also within one call, and costs tokens once", async () => {
  const { asked, run } = await setUp();
  expect(await run(["one", "three", "one"])).toEqual([
    [3, 3],
    [5, 3],
    [3, 0],
  ]);
  expect(await run(["three", "seventh"])).toEqual([
    [5, 0],
    [7, 3],
  ]);
  expect(asked).toEqual([["one", "three"], ["seventh"]]);
});

test("a failure keeps nothing and is told", async () => {
  const { asked, run, fail } = await setUp();
  fail(true);
  expect(await run(["one"])).toBe("unavailable");
  fail(false);
  expect(await run(["one"])).toEqual([[3, 3]]);
  expect(asked).toEqual([["one"], ["one"]]);
});

test("models that are not cached, and texts of no file, are embedded every time", async () => {
  for (const [isCached, source] of [
    [false, SOURCE],
    [true, null],
  ] as const) {
    const { run, asked } = await setUp(isCached);
    await run(["one"], source);
    await run(["one"], source);
    expect(asked).toHaveLength(2);
  }
});

test("whoever asks is told what was computed, in the transaction that keeps it, and once", async () => {
  const { run } = await setUp();
  const told: number[] = [];
  const source = { ...SOURCE, onTokens: async (tokens: number) => void told.push(tokens) };
  await run(["one", "three", "one"], source);
  await run(["one", "three"], source);
  expect(told).toEqual([6]);
  // More than one transaction holds.
  await run(
    Array.from({ length: 40 }, (_, i) => `text ${i}`),
    source,
  );
  expect(told.slice(1)).toEqual([48, 48, 24]);
  const failing = { ...SOURCE, onTokens: () => Promise.resolve(expect.unreachable()) };
  await run(["one"], failing);
  const refused = {
    ...SOURCE,
    onTokens: () => Promise.reject(new Error("the count cannot be written")),
  };
  await expect(run(["new"], refused)).rejects.toThrow("cannot be written");
  await run(["new"], source);
  expect(told.at(-1)).toBe(3);
  expect(told).toHaveLength(5);
});

test("what is not kept is told too", async () => {
  const { run } = await setUp(false);
  const told: number[] = [];
  await run(["one", "two"], { ...SOURCE, onTokens: async (tokens) => void told.push(tokens) });
  expect(told).toEqual([6]);
});
