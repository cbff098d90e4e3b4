import { expect, test } from "bun:test";
import type { GenerationRow } from "../storage/generations.ts";
import { GraphWatch, type GraphWatchDeps } from "./graph-watch.ts";
import { STORE, Workshop } from "./testing/workshop.ts";

async function setUp(more: Partial<GraphWatchDeps> = {}) {
  const shop = new Workshop();
  const generation = await shop.store();
  await shop.ingested("file-1", "a text");
  let wakes = 0;
  const watch = new GraphWatch({
    storage: shop.storage,
    tryAcquire: (storeId, id) => shop.indexes.tryAcquire(storeId, id),
    wakeJobs: () => void (wakes += 1),
    ...more,
  });
  return { shop, generation, watch, wakes: () => wakes };
}

const asked = ({ db }: Workshop) => db.raw.query("SELECT kind, subject FROM job").all();

/** An index in memory that wants a graph, or does not. */
async function open(shop: Workshop, { id }: GenerationRow, kind: "hnsw" | "exact" = "hnsw") {
  const lease = await shop.indexes.acquire(STORE, id);
  lease.index.setKind(kind);
  return lease;
}

test("an index that has outgrown its graph gets a build, once a change", async () => {
  const { shop, generation, watch, wakes } = await setUp();
  await using _shop = shop;
  using _watch = watch;
  using _lease = await open(shop, generation);
  watch.touch(generation);
  watch.touch(generation);
  await watch.look();
  await watch.look();
  expect([asked(shop), wakes()]).toEqual([[{ kind: "build_index", subject: String(generation.id) }], 1]);
});

test("an index that wants no graph, or was not touched, gets none", async () => {
  const { shop, generation, watch, wakes } = await setUp();
  await using _shop = shop;
  using _watch = watch;
  using _lease = await open(shop, generation, "exact");
  await watch.look();
  watch.touch(generation);
  await watch.look();
  expect([asked(shop), wakes()]).toEqual([[], 0]);
});

test("an index that is not in memory is looked at when it is", async () => {
  const { shop, generation, watch, wakes } = await setUp();
  await using _shop = shop;
  using _watch = watch;
  watch.touch(generation);
  await watch.look();
  expect(wakes()).toBe(0);
  using _lease = await open(shop, generation);
  await watch.look();
  expect(wakes()).toBe(1);
});

test("of indexes that are never in memory a thousand are kept in mind", async () => {
  const looked: number[] = [];
  const { shop, generation, watch } = await setUp({ tryAcquire: (_, id) => (looked.push(id), null) });
  await using _shop = shop;
  using _watch = watch;
  for (let id = 1; id <= 1_100; id++) watch.touch({ ...generation, id });
  await watch.look();
  looked.length = 0;
  await watch.look();
  expect([looked.length, looked.at(-1)]).toEqual([1_000, 1_100]);
});

test("a build that cannot be queued now, as on a full disk, is queued with a later round", async () => {
  const { shop, generation, watch, wakes } = await setUp();
  await using _shop = shop;
  using _watch = watch;
  using _lease = await open(shop, generation);
  watch.touch(generation);
  shop.db.raw.run("PRAGMA query_only = ON");
  await watch.look();
  shop.db.raw.run("PRAGMA query_only = OFF");
  expect([asked(shop), wakes()]).toEqual([[], 0]);
  await watch.look();
  expect([asked(shop), wakes()]).toEqual([[{ kind: "build_index", subject: "1" }], 1]);
});
