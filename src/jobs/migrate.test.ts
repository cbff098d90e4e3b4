import { describe, expect, test } from "bun:test";
import { embedFailure, type EmbedFailure } from "../embed/provider.ts";
import { FAILPOINTS, type FailpointName } from "../platform/failpoint.ts";
import { createMigrateHandler } from "./migrate.ts";
import type { MigrationReport } from "../storage/migration-table.ts";
import type { JobOutcome } from "./runner.ts";
import {
  type AskedMigration,
  askMigration,
  MIGRATION,
  migrationOf,
  queueMigration,
  statesOf,
} from "./testing/migrations.ts";
import { Killed, STORE, TENANT, Workshop } from "./testing/workshop.ts";
import { ALL_FILES } from "../storage/store-files.ts";

const TEXTS = [
  Array.from({ length: 95 }, (_, i) => `word${i}`).join(" "),
  "A second text, about the river and the sea. It has two sentences of some length.",
  Array.from({ length: 45 }, (_, i) => `figure ${i}`).join(" "),
];

/** A store of three files, and a migration that was asked for. */
async function setUp(asked: AskedMigration = {}): Promise<Workshop> {
  const shop = new Workshop();
  await shop.store();
  for (const [i, text] of TEXTS.entries()) await shop.ingested(`file-${i}`, text);
  await askMigration(shop, asked);
  shop.parser.parsed.length = 0;
  shop.model.asked.length = 0;
  return shop;
}

const step = (shop: Workshop, more: { attempt?: number; signal?: AbortSignal } = {}): Promise<JobOutcome> =>
  shop.run(shop.handler("migrate"), MIGRATION, more);

/** Everything that clients and searches can see of the store. */
async function visible(shop: Workshop) {
  const { storage } = shop;
  const store = await storage.stores.get(TENANT, STORE);
  const live = await storage.generations.get(TENANT, store?.live_generation ?? 0);
  if (store === null || live === null) throw new Error("no store");
  using lease = await shop.indexes.acquire(STORE, live.id);
  const hits = await storage.chunks.hits(TENANT, await shop.nearest(live, "the river and the sea"));
  return {
    model: [store.embedding_model, live.model, live.model_revision, live.dimensions],
    counts: [store.n_completed, store.n_chunks, store.n_vectors, store.usage_bytes],
    files: (await storage.storeFiles.list(TENANT, STORE, { limit: 10, order: "asc" }, ALL_FILES)).rows,
    index: [lease.index.stats.chunks, lease.index.stats.vectors],
    hits: hits.map(({ text }) => text).toSorted(),
    missing: await storage.generationFiles.countMissing(live),
    states: await statesOf(shop),
    rows: ["chunk", "chunk_terms", "vector"].map((table) => shop.count(table)),
  };
}

test("a migration goes through its states to the end, and the store has the new model", async () => {
  await using shop = await setUp();
  const seen: string[] = [];
  const { migrations } = shop.storage;
  const update: typeof migrations.update = async (...change) => {
    await migrations.update(...change);
    const { status } = await migrationOf(shop);
    if (seen.at(-1) !== status) seen.push(status);
  };
  const storage = { ...shop.storage, migrations: { ...migrations, update } };
  const handler = createMigrateHandler({ ...shop.migrateDeps(), storage });
  expect(await shop.run(handler, MIGRATION)).toEqual({ type: "done" });
  expect([...seen, (await migrationOf(shop)).status]).toEqual(["building", "catching_up", "verifying", "completed"]);
  expect(await migrationOf(shop)).toMatchObject({
    files_done: 3,
    chunks_done: 21,
    error_code: null,
    asked: null,
    rollback_until: 1_800_000_000 + 86_400,
    completed_at: 1_800_000_000,
  });
  expect((await migrationOf(shop)).tokens).toBeGreaterThan(100);
  expect(await visible(shop)).toMatchObject({
    model: ["n", "n", "r2", 16],
    counts: [3, 21, 21, expect.any(Number)],
    index: [21, 21],
    missing: { files: 0, chunks: 0 },
    states: ["retained", "*live"],
  });
  expect(shop.changed).toEqual([STORE, STORE, STORE, STORE]);
  expect(shop.brake.held()).toEqual([]);
});

test("the swap waits for the other servers that search the store, and takes what comes meanwhile", async () => {
  await using shop = await setUp();
  const before = await visible(shop);
  const { promise: loaded, resolve: load } = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<number>();
  const handler = createMigrateHandler({
    ...shop.migrateDeps(),
    async loadedElsewhere({ id }) {
      ask(id);
      await loaded;
    },
  });
  const running = shop.run(handler, MIGRATION);
  const generation = await asked;
  expect((await migrationOf(shop)).to_generation).toBe(generation);
  expect(await visible(shop)).toMatchObject({ model: before.model, states: ["*live", "building"] });
  await shop.ingested("file-late", "A text that came while others loaded.");
  load();
  expect(await running).toEqual({ type: "done" });
  expect(await visible(shop)).toMatchObject({
    counts: [4, 22, 22, expect.any(Number)],
    missing: { files: 0, chunks: 0 },
    states: ["retained", "*live"],
  });
});

test("a migration that is stopped while others load has not swapped, and goes on later", async () => {
  await using shop = await setUp();
  const stop = new AbortController();
  const handler = createMigrateHandler({ ...shop.migrateDeps(), loadedElsewhere: async () => stop.abort() });
  expect(await shop.run(handler, MIGRATION, { signal: stop.signal })).toEqual({ type: "interrupted" });
  expect(await statesOf(shop)).toEqual(["*live", "building"]);
  expect(await step(shop)).toEqual({ type: "done" });
  expect(await statesOf(shop)).toEqual(["retained", "*live"]);
});

test("with another chunking the files are cut anew, in the background", async () => {
  await using shop = await setUp({ maxTokens: 5 });
  expect(await step(shop)).toEqual({ type: "done" });
  expect((await visible(shop)).files.map(({ max_tokens, n_chunks }) => [max_tokens, n_chunks])).toEqual([
    [5, 19],
    [5, 4],
    [5, 18],
  ]);
});

describe("killed at a failpoint, and begun again,", () => {
  /** What an uninterrupted migration, cancel or rollback leaves. */
  async function through(shop: Workshop, end: "completed" | "cancelled" | "rolled_back"): Promise<Workshop> {
    if (end === "cancelled") {
      shop.killAt("migrate:built");
      await expect(step(shop)).rejects.toThrow(Killed);
      const reborn = new Workshop(shop);
      await reborn.storage.migrations.update(TENANT, MIGRATION, { asked: "cancel" });
      return reborn;
    }
    if (end === "rolled_back") {
      await shop.drain(["migrate"]);
      await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "rollback" });
      await queueMigration(shop);
    }
    return shop;
  }

  const ends: { end: "completed" | "cancelled" | "rolled_back"; points: readonly FailpointName[] }[] = [
    {
      end: "completed",
      points: FAILPOINTS.slice(0, FAILPOINTS.indexOf("migrate:after-cutover") + 1),
    },
    { end: "cancelled", points: ["migrate:cancelled", "retire:some-removed", "retire:before-row"] },
    {
      end: "rolled_back",
      points: ["migrate:before-rollback", "migrate:after-rollback", "retire:some-removed", "retire:before-row"],
    },
  ];
  for (const { end, points } of ends)
    for (const maxTokens of [null, 5]) {
      const chunking = maxTokens === null ? "the same chunks" : "chunks of its own";
      test(`a migration with ${chunking} that is ${end} comes right from every point`, async () => {
        await using first = await setUp({ maxTokens });
        await using whole = await through(first, end);
        await whole.drain();
        const wanted = await visible(whole);
        expect((await migrationOf(whole)).status).toBe(end);
        for (const point of points)
          for (const nth of [1, 2]) {
            await using before = await setUp({ maxTokens });
            await using shop = await through(before, end);
            shop.killAt(point, nth);
            await shop.drain().catch((error: unknown) => {
              if (!(error instanceof Killed)) throw error;
            });
            expect(shop.isKilled || nth > 1).toBe(true);
            // Passed less often than that.
            if (!shop.isKilled) break;
            await using again = new Workshop(shop);
            await again.storage.jobs.releaseLost("the next run", again.nowMs);
            await again.drain();
            expect([point, nth, await visible(again)]).toEqual([point, nth, wanted]);
            expect(await migrationOf(again)).toMatchObject({ status: end, asked: null });
            expect(again.db.raw.query("SELECT * FROM job").all()).toEqual([]);
          }
      }, 120_000);
    }
});

test("a process that is killed neither loses nor repeats the count of what it did", async () => {
  await using whole = await setUp();
  await whole.drain();
  const { files_done, chunks_done, tokens } = await migrationOf(whole);
  await using shop = await setUp();
  shop.isCached = true;
  shop.killAt("migrate:vectors-added", 2);
  await expect(step(shop)).rejects.toThrow(Killed);
  await using again = new Workshop(shop);
  again.isCached = true;
  expect(await step(again)).toEqual({ type: "done" });
  expect(await migrationOf(again)).toMatchObject({ files_done, chunks_done, tokens });
});

describe("a model that is not there when a migration begins", () => {
  const away = (failure: EmbedFailure) => async (attempt: number) => {
    const shop = await setUp();
    shop.model.before = () => failure;
    const outcome = await step(shop, { attempt });
    return { shop, outcome, row: await migrationOf(shop) };
  };

  test("is waited for while waiting can help", async () => {
    const begin = away(embedFailure("unavailable", "away"));
    for (const [attempt, inMs] of [
      [1, 2_000],
      [2, 5_000],
      [3, 15_000],
      [9, 15_000],
    ] as const) {
      const { shop, outcome, row } = await begin(attempt);
      await using _shop = shop;
      expect(outcome).toEqual({ type: "retry", inMs });
      expect(row).toMatchObject({
        status: "paused",
        to_generation: null,
        error_code: "embedding_model_unavailable",
        error_message: "The model 'n' does not answer: away",
      });
      shop.model.before = () => null;
      expect(await step(shop)).toEqual({ type: "done" });
      expect(await migrationOf(shop)).toMatchObject({ status: "completed", error_code: null, error_message: null });
    }
  });

  test("and says when to ask again is believed", async () => {
    const { shop, outcome } = await away(embedFailure("overloaded", "busy", 77))(1);
    await using _shop = shop;
    expect(outcome).toEqual({ type: "retry", inMs: 77 });
  });

  const lasting: [string, EmbedFailure, string][] = [
    ["rejects", embedFailure("rejected", "no"), "embedding_provider_error"],
    ["finds it too long", embedFailure("too_long", "no"), "embedding_provider_error"],
    ["is away for good", { ...embedFailure("unavailable", "no"), isLasting: true }, "embedding_model_unavailable"],
  ];
  for (const [says, failure, code] of lasting)
    test(`and ${says} fails it, and the store stays as it was`, async () => {
      const { shop, outcome, row } = await away(failure)(1);
      await using _shop = shop;
      expect([outcome, row.status, row.error_code]).toEqual([{ type: "done" }, "failed", code]);
      expect(row.error_message).toBe("The model 'n' does not answer: no");
      expect(await statesOf(shop)).toEqual(["*live"]);
    });

  test("because of a stop is no failure", async () => {
    await using shop = await setUp();
    expect(await step(shop, { signal: AbortSignal.abort() })).toEqual({ type: "interrupted" });
    expect(await migrationOf(shop)).toMatchObject({ status: "queued" });
  });
});

describe("a model that goes away on the way", () => {
  const during = async (failure: EmbedFailure) => {
    const shop = await setUp();
    shop.model.before = (_model, texts) => (texts.some((text) => text.includes("river")) ? failure : null);
    return { shop, outcome: await step(shop, { attempt: 2 }) };
  };

  test("pauses it; what was built stays, and it goes on by itself", async () => {
    const { shop, outcome } = await during(embedFailure("unavailable", "away"));
    await using _shop = shop;
    expect(outcome).toEqual({ type: "retry", inMs: 5_000 });
    expect(await migrationOf(shop)).toMatchObject({ status: "paused", error_message: "away" });
    expect(await statesOf(shop)).toEqual(["*live", "building"]);
    shop.model.before = () => null;
    shop.model.asked.length = 0;
    expect(await step(shop)).toEqual({ type: "done" });
    // Queries come one by one.
    const passages = shop.model.asked.flatMap(({ texts }) => (texts.length > 1 ? texts : []));
    expect(passages.filter((text) => text.includes("figure"))).toEqual([]);
    expect(await migrationOf(shop)).toMatchObject({ status: "completed", chunks_done: 21, files_done: 3 });
  });

  test("fails it where it refuses; the new generation is taken down", async () => {
    const { shop, outcome } = await during(embedFailure("rejected", "bad input"));
    await using _shop = shop;
    expect([outcome, await statesOf(shop)]).toEqual([{ type: "done" }, ["*live", "retired"]]);
    expect(await migrationOf(shop)).toMatchObject({
      status: "failed",
      to_generation: null,
      error_code: "embedding_provider_error",
      error_message: "The new generation could not be built: bad input",
    });
    await shop.drain();
    expect([shop.count("vector"), shop.forgotten]).toEqual([21, [2, 2]]);
  });

  test("is interrupted and goes on", async () => {
    const { shop, outcome } = await during(embedFailure("aborted", "stop"));
    await using _shop = shop;
    expect(outcome).toEqual({ type: "interrupted" });
    shop.model.before = () => null;
    expect(await step(shop)).toEqual({ type: "done" });
  });
});

test("a model that goes away while the generations are compared is waited for", async () => {
  await using shop = await setUp();
  const deps = shop.migrateDeps();
  const away = () => Promise.resolve(embedFailure("unavailable", "away"));
  const handler = createMigrateHandler({ ...deps, embedQuery: away });
  expect(await shop.run(handler, MIGRATION)).toEqual({ type: "retry", inMs: 5_000 });
  expect(await migrationOf(shop)).toMatchObject({ status: "verifying" });
  const stop = new AbortController();
  const stopping = () => {
    stop.abort();
    return Promise.resolve(embedFailure("aborted", "stop"));
  };
  const stopped = createMigrateHandler({ ...deps, embedQuery: stopping });
  expect(await shop.run(stopped, MIGRATION, { signal: stop.signal })).toEqual({ type: "interrupted" });
  expect(await step(shop)).toEqual({ type: "done" });
});

describe("a full disk", () => {
  test("fails the migration, gives the space back, and the store serves on", async () => {
    for (const code of ["SQLITE_FULL", "ENOSPC", "EDQUOT", "SQLITE_IOERR_WRITE"]) {
      await using shop = await setUp();
      shop.model.before = (_model, texts) => {
        if (texts.some((text) => text.includes("river"))) throw Object.assign(new Error("no space"), { code });
        return null;
      };
      expect(await step(shop)).toEqual({ type: "done" });
      expect(await migrationOf(shop)).toMatchObject({
        status: "failed",
        error_code: "insufficient_storage",
        error_message: "There was not enough disk space to build the new generation.",
      });
      expect(await statesOf(shop)).toEqual(["*live", "retired"]);
      await shop.drain();
      expect(shop.count("vector")).toBe(21);
    }
  });

  test("is noticed before the work where there is no room for a second generation", async () => {
    await using shop = await setUp();
    shop.db.raw.run("UPDATE vector_store SET n_vectors = 1000000000000");
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({
      status: "failed",
      error_code: "insufficient_storage",
      error_message: "There is not enough free disk space for a second generation beside the live one.",
    });
    expect(await statesOf(shop)).toEqual(["*live"]);
  });

  test("is told from other errors, which are thrown", async () => {
    await using shop = await setUp();
    shop.model.before = () => {
      throw Object.assign(new Error("busy"), { code: "SQLITE_BUSY" });
    };
    await expect(step(shop)).rejects.toThrow("busy");
    expect(await migrationOf(shop)).toMatchObject({ status: "queued" });
  });
});

describe("what a migration works on is gone:", () => {
  test("the migration itself", async () => {
    await using shop = await setUp();
    expect(await shop.run(shop.handler("migrate"), "mig_2")).toEqual({ type: "done" });
  });

  test("the store", async () => {
    await using shop = await setUp();
    const storage = { ...shop.storage, stores: { ...shop.storage.stores, get: () => Promise.resolve(null) } };
    await shop.run(createMigrateHandler({ ...shop.migrateDeps(), storage }), MIGRATION);
    expect(await migrationOf(shop)).toMatchObject({ status: "failed", error_code: "insufficient_storage" });
  });

  test("a generation", async () => {
    for (const side of ["from", "to"] as const) {
      await using shop = await setUp();
      if (side === "to") await shop.storage.migrations.update(TENANT, MIGRATION, { to_generation: 99 });
      else shop.db.raw.run("UPDATE migration SET from_generation = 99");
      expect(await step(shop)).toEqual({ type: "done" });
      expect(await migrationOf(shop)).toMatchObject({
        status: "failed",
        error_code: "internal_error",
        to_generation: null,
      });
    }
  });
});

describe("a migration that waits for a decision", () => {
  test("is ready after a dry run, does nothing by itself, and is promoted", async () => {
    await using shop = await setUp({ dryRun: true });
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({ status: "ready", completed_at: 1_800_000_000 });
    expect(await statesOf(shop)).toEqual(["*live", "building"]);
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({ status: "ready" });
    // A file that came meanwhile is taken along.
    await shop.ingested("file-9", "one that came late");
    await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "promote" });
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({ status: "completed", asked: null });
    expect(await visible(shop)).toMatchObject({ states: ["retained", "*live"], index: [22, 22] });
    expect((await migrationOf(shop)).report).not.toBeNull();
  });

  test("is promoted without a report too, and fails where its generation is gone", async () => {
    await using shop = await setUp({ dryRun: true });
    await step(shop);
    await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "promote", report: null });
    await using lost = await setUp({ dryRun: true });
    await step(lost);
    await lost.storage.migrations.update(TENANT, MIGRATION, { asked: "promote", to_generation: 99 });
    expect([await step(shop), await step(lost)]).toEqual([{ type: "done" }, { type: "done" }]);
    expect([(await migrationOf(shop)).status, (await migrationOf(lost)).status]).toEqual(["completed", "failed"]);
  });

  test("because it missed its gate says why", async () => {
    await using shop = await setUp({ gate: { min_overlap: 1.01 } });
    expect(await step(shop)).toEqual({ type: "done" });
    const { status, report } = await migrationOf(shop);
    const told = report as MigrationReport;
    expect([status, told.gate, told.reasons.length]).toEqual(["ready", "missed", 1]);
  });

  test("goes on by itself where the gate is passed", async () => {
    await using shop = await setUp({ gate: { min_recall: 0.5 } });
    await step(shop);
    expect(await migrationOf(shop)).toMatchObject({ status: "completed" });
  });

  test("is cancelled, and leaves nothing", async () => {
    await using shop = await setUp({ dryRun: true });
    await step(shop);
    await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "cancel" });
    expect(await step(shop)).toEqual({ type: "done" });
    expect(await migrationOf(shop)).toMatchObject({ status: "cancelled", to_generation: null, asked: null });
    await shop.drain();
    expect([await statesOf(shop), shop.count("vector")]).toEqual([["*live", "retired"], 21]);
  });
});

test("a cancel before anything was built needs no generation to take down", async () => {
  await using shop = await setUp();
  await shop.storage.migrations.update(TENANT, MIGRATION, { asked: "cancel" });
  expect(await step(shop)).toEqual({ type: "done" });
  expect([(await migrationOf(shop)).status, await statesOf(shop)]).toEqual(["cancelled", ["*live"]]);
});

test("a cancel in the last moment before the flip wins", async () => {
  await using shop = await setUp();
  const deps = shop.migrateDeps();
  const cancelling = createMigrateHandler({
    ...deps,
    failpoint: (name) => {
      if (name === "migrate:before-cutover") shop.db.raw.run("UPDATE migration SET asked = 'cancel'");
    },
  });
  expect(await shop.run(cancelling, MIGRATION)).toEqual({ type: "done" });
  expect([(await migrationOf(shop)).status, await statesOf(shop)]).toEqual(["cancelled", ["*live", "retired"]]);
});

test("a file that is completed just before the flip is taken along", async () => {
  await using shop = await setUp();
  const late = await shop.attach("file-9", "one that came late");
  let isFirst = true;
  const handler = createMigrateHandler({
    ...shop.migrateDeps(),
    failpoint: (name) => {
      if (name !== "migrate:before-cutover" || !isFirst) return;
      isFirst = false;
      shop.db.raw.run("UPDATE store_file SET status = 'completed', chunked = 1 WHERE seq = ?", [late.seq]);
    },
  });
  expect(await shop.run(handler, MIGRATION)).toEqual({ type: "done" });
  const live = (await shop.storage.generations.ofStore(TENANT, STORE))[1]!;
  expect([(await migrationOf(shop)).status, live.state]).toEqual(["completed", "live"]);
  expect((await shop.storage.generationFiles.countMissing(live)).files).toBe(0);
});

test("a migration that has ended is done", async () => {
  await using shop = await setUp();
  for (const status of ["completed", "rolled_back", "cancelled", "failed"] as const) {
    await shop.storage.migrations.update(TENANT, MIGRATION, { status });
    expect(await step(shop)).toEqual({ type: "done" });
    expect((await migrationOf(shop)).status).toBe(status);
  }
});
