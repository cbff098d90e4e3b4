import { expect, test } from "bun:test";
import { QueryCache } from "./query-cache.ts";

const query = (revision: string, text: string, tenantId = "ten_a") => ({ tenantId, revision, text });
const vector = (x: number) => Float32Array.of(x, x);

test("a vector is found under its tenant, its text and its model's revision only", () => {
  const cache = new QueryCache({ maxBytes: 10_000, maxEntries: 10 });
  cache.set(query("r1", "cat"), vector(1));
  expect(cache.get(query("r1", "cat"))).toEqual(vector(1));
  expect(cache.get(query("r2", "cat"))).toBeUndefined();
  expect(cache.get(query("r1", "Cat"))).toBeUndefined();
  expect(cache.get(query("r1", "cat", "ten_b"))).toBeUndefined();
  expect(cache.stats()).toMatchObject({ entries: 1, hits: 1, misses: 3 });
});

test("what is put in is copied", () => {
  const cache = new QueryCache({ maxBytes: 10_000, maxEntries: 10 });
  const big = new Float32Array(100);
  const mine = big.subarray(0, 2);
  cache.set(query("r", "cat"), mine);
  mine[0] = 7;
  expect(cache.get(query("r", "cat"))).toEqual(vector(0));
  expect(cache.get(query("r", "cat"))?.buffer.byteLength).toBe(8);
});

test("the entry that was not used for longest goes first", () => {
  const cache = new QueryCache({ maxBytes: 10_000, maxEntries: 2 });
  cache.set(query("r", "a"), vector(1));
  cache.set(query("r", "b"), vector(2));
  cache.get(query("r", "a"));
  cache.set(query("r", "c"), vector(3));
  expect(["a", "b", "c"].filter((text) => cache.get(query("r", text)) !== undefined)).toEqual(["a", "c"]);
});

test("bytes stay within the bound, and the count of bytes is right after replacing and clearing", () => {
  const cache = new QueryCache({ maxBytes: 2000, maxEntries: 1000 });
  for (let i = 0; i < 500; i++) {
    cache.set(query("r", `query number ${i % 50}`), new Float32Array(10 + (i % 7)));
    expect(cache.stats().bytes).toBeLessThanOrEqual(2000);
  }
  expect(cache.stats().entries).toBeGreaterThan(3);
  cache.set(query("r", "x".repeat(5000)), vector(1));
  expect(cache.get(query("r", "x".repeat(5000)))).toBeUndefined();
  cache.clear();
  expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
});
