import { expect, test } from "bun:test";
import type { GenerationRow } from "../storage/generations.ts";
import { insertGeneration } from "../storage/testing/rows.ts";
import { catchUp, NO_PROGRESS } from "./catch-up.ts";
import { createRetireHandler } from "./retire.ts";
import { Killed, MODEL, STORE, TENANT, Workshop } from "./testing/workshop.ts";

async function setUp(sharesChunks: boolean) {
  const shop = new Workshop();
  const live = await shop.store();
  await shop.ingested("file-1", Array.from({ length: 95 }, (_, i) => `word${i}`).join(" "));
  const chunkSet = sharesChunks ? live.chunk_set : null;
  const more = { ...MODEL, modelRevision: "r2", chunkSet, state: "building" as const };
  const old = await insertGeneration(shop.storage, { tenantId: TENANT, storeId: STORE, ...more });
  const options = { generation: old, strategy: null, progress: NO_PROGRESS, freeChunks: null };
  await catchUp(shop.catchUpDeps(), options, new AbortController().signal);
  const graphs: number[] = [];
  const retire = (of: Workshop, id = old.id, signal?: AbortSignal) =>
    of.run(
      createRetireHandler({
        storage: of.storage,
        failpoint: of.failpoint,
        forgetIndex: (...at) => of.forget(...at),
        removeGraph: (generation: GenerationRow) => graphs.push(generation.id),
      }),
      String(id),
      signal === undefined ? {} : { signal },
    );
  return { shop, live, old, retire, graphs };
}

const rowsOf = (shop: Workshop) => ["chunk", "vector", "generation_file"].map((table) => shop.count(table));

test("a retired generation loses its vectors; its chunks stay with whoever shares them", async () => {
  for (const sharesChunks of [true, false]) {
    const { shop, old, retire, graphs } = await setUp(sharesChunks);
    await using _shop = shop;
    expect(rowsOf(shop)).toEqual([sharesChunks ? 10 : 20, 20, 2]);
    await shop.storage.generations.setState(TENANT, old.id, "retired");
    expect(await retire(shop)).toEqual({ type: "done" });
    expect(rowsOf(shop)).toEqual([10, 10, 1]);
    expect([shop.forgotten, graphs]).toEqual([[old.id], [old.id]]);
    // The row stays, and nothing is left to do.
    expect([await retire(shop), (await shop.storage.generations.byId(old.id))?.state]).toEqual([
      { type: "done" },
      "retired",
    ]);
  }
});

test("chunks that a retired generation shared with another retired one go", async () => {
  const { shop, live, old, retire } = await setUp(true);
  await using _shop = shop;
  for (const { id } of [live, old]) await shop.storage.generations.setState(TENANT, id, "retired");
  await retire(shop, live.id);
  expect(rowsOf(shop).slice(0, 1)).toEqual([0]);
});

test("a generation in use, or one that is gone, is left alone", async () => {
  const { shop, retire } = await setUp(true);
  await using _shop = shop;
  expect([await retire(shop), await retire(shop, 99)]).toEqual([{ type: "done" }, { type: "done" }]);
  expect(rowsOf(shop)).toEqual([10, 20, 2]);
});

test("a stop interrupts it, and it goes on", async () => {
  const { shop, old, retire } = await setUp(false);
  await using _shop = shop;
  await shop.storage.generations.setState(TENANT, old.id, "retired");
  expect(await retire(shop, old.id, AbortSignal.abort())).toEqual({ type: "interrupted" });
  expect(rowsOf(shop)).toEqual([20, 20, 2]);
  expect(await retire(shop)).toEqual({ type: "done" });
  expect(rowsOf(shop)).toEqual([10, 10, 1]);
});

test("killed at a failpoint, the next run removes the rest", async () => {
  for (const point of ["retire:some-removed", "retire:before-row"] as const) {
    const { shop, old, retire } = await setUp(false);
    await using _shop = shop;
    await shop.storage.generations.setState(TENANT, old.id, "retired");
    shop.killAt(point);
    await expect(retire(shop)).rejects.toThrow(Killed);
    await using again = new Workshop(shop);
    expect(await retire(again)).toEqual({ type: "done" });
    expect(rowsOf(again)).toEqual([10, 10, 1]);
  }
});
