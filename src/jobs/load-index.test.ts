import { expect, test } from "bun:test";
import { queryTerms } from "../index/analyzer.ts";
import { loadIndex, replaceFile } from "./load-index.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";

const NEVER = new AbortController().signal;
const TEXT = Array.from({ length: 700 }, (_, i) => `word${i}`).join(" ");

test("an index has every completed file of its store, in any number of slices, and no other", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  await shop.ingested("file-1", TEXT);
  await shop.ingested("file-2", "short");
  await shop.attach("file-3", "in progress");
  await shop.storage.storeFiles.setAttributes(TENANT, 2, { year: 2020 });
  const index = await loadIndex({ storage: shop.storage }, generation, NEVER);
  expect(index.stats).toMatchObject({ chunks: 71, vectors: 71 });
  const found = index.search({ vector: null, terms: queryTerms("word699"), filter: null, depth: 3 });
  expect(found.keyword).toHaveLength(1);
  index.close();
});

test("a load ends when it is not wanted any more", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  for (let i = 0; i < 20; i++) await shop.ingested(`file-${i}`, TEXT);
  const stop = new AbortController();
  const loading = loadIndex({ storage: shop.storage }, generation, stop.signal);
  stop.abort(new Error("not wanted"));
  await expect(loading).rejects.toThrow("not wanted");
});

test("a file is replaced by what is in the database now, or taken out", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  const { seq } = await shop.ingested("file-1", TEXT);
  using lease = await shop.indexes.acquire(STORE, generation.id);
  const replace = () => replaceFile(shop.storage.indexReads, lease.index, { generation, seq });
  shop.db.raw.run("DELETE FROM vector WHERE chunk_id > 5");
  replace();
  expect(lease.index.stats.chunks).toBe(5);
  shop.db.raw.run("UPDATE store_file SET status = 'failed'");
  replace();
  expect(lease.index.hasFile(seq)).toBe(false);
  await shop.storage.storeFiles.remove(TENANT, seq);
  replace();
  expect(lease.index.stats.chunks).toBe(0);
});
