import { expect, test } from "bun:test";
import type { Log } from "../platform/log.ts";
import { silentLog } from "../platform/log.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";
import { scheduleModelUpgrade } from "./upgrade-model.ts";

async function upgrade(shop: Workshop, revision: string): Promise<string[]> {
  const told: string[] = [];
  const log: Log = { ...silentLog, info: (message) => void told.push(message) };
  await scheduleModelUpgrade(shop.storage, { id: "m", revision }, shop.clock, log);
  return told;
}

const migrationsOf = async ({ storage }: Workshop) =>
  (await storage.migrations.list(TENANT, STORE, { limit: 10, order: "asc" })).rows;

test("a store of another revision of the bundled model is migrated to this one, once", async () => {
  await using shop = new Workshop();
  const generation = await shop.store();
  expect(await upgrade(shop, "r2")).toEqual(["a store is moved to the bundled model of this version"]);
  expect(await upgrade(shop, "r2")).toEqual([]);
  const [row, ...more] = await migrationsOf(shop);
  expect(more).toEqual([]);
  expect(row).toMatchObject({
    status: "queued",
    from_generation: generation.id,
    max_tokens: null,
    gate: null,
    dry_run: false,
    retain_hours: 0,
  });
  const identities = [row?.from_identity, row?.to_identity];
  expect(identities.map((one) => [one?.model, one?.model_revision, one?.number])).toEqual([
    ["m", "r1", 1],
    ["m", "r2", null],
  ]);
  await shop.ingested("file-1", "a text");
  await shop.drain();
  expect(await migrationsOf(shop)).toMatchObject([{ status: "completed" }]);
  expect(await upgrade(shop, "r2")).toEqual([]);
});

test("a store of this revision, or one that is being deleted, is left alone", async () => {
  await using shop = new Workshop();
  await shop.store();
  expect(await upgrade(shop, "r1")).toEqual([]);
  await shop.storage.stores.setLifecycle(TENANT, STORE, "deleting");
  expect([await upgrade(shop, "r2"), await migrationsOf(shop)]).toEqual([[], []]);
});
