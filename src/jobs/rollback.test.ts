import { describe, expect, test } from "bun:test";
import { embedFailure } from "../embed/provider.ts";
import { flipBack } from "./rollback.ts";
import { createMigrateHandler } from "./migrate.ts";
import { askMigration, MIGRATION, migrationOf, statesOf } from "./testing/migrations.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";

/** A store that was migrated, and asked to go back. */
async function setUp(): Promise<Workshop> {
  const shop = new Workshop();
  await shop.store();
  await shop.ingested("file-1", "A text about the river and the sea.");
  await askMigration(shop);
  await shop.drain();
  await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "rollback" });
  shop.forgotten.length = 0;
  return shop;
}

const step = (shop: Workshop, more: { attempt?: number; signal?: AbortSignal } = {}) =>
  shop.run(shop.handler("migrate"), MIGRATION, more);

async function flipOf({ storage }: Workshop) {
  const [old, live] = await storage.generations.ofStore(TENANT, STORE);
  if (old === undefined || live === undefined) throw new Error("no two generations");
  return { old, live };
}

test("a rollback puts the old generation back, and takes the new one down", async () => {
  await using shop = await setUp();
  expect(await step(shop)).toEqual({ type: "done" });
  expect(await migrationOf(shop)).toMatchObject({
    status: "rolled_back",
    rolled_back_at: 1_800_000_000,
    rollback_until: null,
    asked: null,
  });
  expect([await statesOf(shop), shop.forgotten]).toEqual([["*live", "retired"], [2]]);
  const store = await shop.storage.stores.get(TENANT, STORE);
  expect([store?.embedding_model, store?.n_vectors]).toEqual(["m", 1]);
  await shop.drain();
  expect(shop.count("vector")).toBe(1);
});

test("files that came since are brought into the old generation first", async () => {
  await using shop = await setUp();
  await shop.ingested("file-2", "A second one, that came after the migration.");
  expect(await step(shop)).toEqual({ type: "done" });
  const { old } = await flipOf(shop);
  expect([old.state, await shop.storage.generationFiles.countMissing(old)]).toEqual(["live", { files: 0, chunks: 0 }]);
  expect(await shop.nearest(old, "after the migration")).toHaveLength(2);
});

describe("the old model", () => {
  test("is waited for, and said to be away", async () => {
    await using shop = await setUp();
    await shop.ingested("file-2", "A second one.");
    shop.model.before = () => embedFailure("unavailable", "away");
    for (const [attempt, inMs] of [
      [1, 2_000],
      [5, 15_000],
    ] as const)
      expect(await step(shop, { attempt })).toEqual({ type: "retry", inMs });
    expect(await migrationOf(shop)).toMatchObject({
      status: "completed",
      asked: "rollback",
      error_code: "embedding_model_unavailable",
      error_message: "away",
    });
    shop.model.before = () => null;
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({ status: "rolled_back", error_code: null, error_message: null });
  });

  test("is not asked any more after a stop", async () => {
    await using shop = await setUp();
    await shop.ingested("file-2", "A second one.");
    expect(await step(shop, { signal: AbortSignal.abort() })).toEqual({ type: "interrupted" });
    expect(await statesOf(shop)).toEqual(["retained", "*live"]);
  });
});

test("a rollback of what is not completed, or of generations that are gone, does nothing", async () => {
  for (const changes of [{ status: "failed" as const }, { to_generation: null }, { to_generation: 99 }]) {
    await using shop = await setUp();
    await shop.storage.migrations.update(TENANT, MIGRATION, changes);
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await statesOf(shop)).toEqual(["retained", "*live"]);
  }
});

describe("the flip alone", () => {
  test("is refused while files are missing, and made once", async () => {
    await using shop = await setUp();
    await shop.ingested("file-2", "A second one.");
    const row = await migrationOf(shop);
    expect(await flipBack(shop, row, await flipOf(shop))).toBe(false);
    await shop.drain(["catch_up"]);
    expect(await flipBack(shop, row, await flipOf(shop))).toBe(true);
    expect(await flipBack(shop, row, await flipOf(shop))).toBe(false);
    expect(shop.passed.slice(-4)).toEqual([
      "migrate:before-rollback",
      "migrate:before-rollback",
      "migrate:after-rollback",
      "migrate:before-rollback",
    ]);
  });

  test("by another request while the job is about to flip is enough", async () => {
    await using shop = await setUp();
    let isFirst = true;
    const row = await migrationOf(shop);
    const flip = await flipOf(shop);
    const deps = shop.migrateDeps();
    const { ofJob } = shop.storage.migrations;
    // The job's own transaction finds that it was made.
    const storage = {
      ...shop.storage,
      transaction: (async (fn, durability) => {
        if (isFirst) {
          isFirst = false;
          await flipBack(shop, row, flip);
        }
        return await shop.storage.transaction(fn, durability);
      }) as typeof shop.storage.transaction,
      migrations: { ...shop.storage.migrations, ofJob },
    };
    expect(await shop.run(createMigrateHandler({ ...deps, storage }), MIGRATION)).toEqual({ type: "done" });
    expect([(await migrationOf(shop)).status, await statesOf(shop)]).toEqual(["rolled_back", ["*live", "retired"]]);
  });

  test("comes again where a file was completed in between", async () => {
    await using shop = await setUp();
    const late = await shop.attach("file-2", "late");
    let isFirst = true;
    const handler = createMigrateHandler({
      ...shop.migrateDeps(),
      failpoint: (name) => {
        if (name !== "migrate:before-rollback" || !isFirst) return;
        isFirst = false;
        shop.db.raw.run("UPDATE store_file SET status = 'completed' WHERE seq = ?", [late.seq]);
      },
    });
    expect(await shop.run(handler, MIGRATION)).toEqual({ type: "done" });
    expect((await migrationOf(shop)).status).toBe("rolled_back");
  });
});
