import { expect, test } from "bun:test";
import { AttributeIndex } from "./attributes.ts";
import { ExactIndex } from "./exact.ts";
import { FileTable } from "./file-table.ts";
import type { Filter } from "./filter.ts";
import { FilterCache } from "./filter-cache.ts";
import { OwnAttributes } from "./own-attributes.ts";

function cacheOf(files: number): FilterCache {
  const [attributes, table] = [new AttributeIndex(), new FileTable()];
  for (let i = 0; i < files; i++) {
    const file = table.addFile(i + 1);
    table.addChunk(file, 100 + i);
    attributes.set(file, { fileId: `file-${i}`, filename: "a.md", attributes: { n: i } });
  }
  return new FilterCache(attributes, new OwnAttributes(attributes, table), [table, new ExactIndex(2)]);
}

const below = (value: number): Filter => ({ op: "lt", key: "n", value });
const among = (count: number, from = 0): Filter => ({
  op: "in",
  key: "n",
  value: Array.from({ length: count }, (_, i) => i + from),
});

test("remembers what an equal filter gave until the store changes", () => {
  const cache = cacheOf(10);
  const first = cache.match(below(4), 1);
  expect([first.fileCount, first.chunkCount, [...first.chunks.toArray()]]).toEqual([4, 4, [0, 1, 2, 3]]);
  expect(cache.match(below(4), 1)).toBe(first);
  expect(cache.match(below(5), 1)).not.toBe(first);
  expect(cache.match(below(4), 2)).not.toBe(first);
});

test("does not remember long filters, but answers the same one once while it is held", () => {
  const cache = cacheOf(10);
  const long: Filter[] = [
    among(3000),
    { op: "eq", key: "n", value: "x".repeat(5000) },
    { op: "eq", key: "k".repeat(5000), value: 1 },
    { op: "or", filters: Array.from({ length: 200 }, (_, i) => among(10, i)) },
  ];
  for (const filter of long) {
    const first = cache.match(filter, 1);
    expect(cache.byteLength).toBe(0);
    expect(cache.match(filter, 1)).toBe(first);
    expect(cache.match(structuredClone(filter), 1)).not.toBe(first);
    expect(cache.match(filter, 2)).not.toBe(first);
  }
});

test("keeps as many bytes as it may, the most recent ones", () => {
  const cache = cacheOf(20_000);
  const matches = Array.from({ length: 200 }, (_, i) => [below(i), cache.match(below(i), 1)] as const);
  expect(cache.byteLength).toBeLessThanOrEqual(16 * 1024 * 1024);
  expect(cache.byteLength).toBeGreaterThan(0);
  const [last, first] = [matches.at(-1)!, matches[0]!];
  expect(cache.match(below(199), 1)).toBe(last[1]);
  expect(cache.match(below(0), 1)).not.toBe(first[1]);
});
