import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PartBuilder } from "../index/builder.ts";
import { graphPath } from "../index/generation.ts";
import type { GraphWork } from "../index/graph-work.ts";
import { type Log, silentLog } from "../platform/log.ts";
import { loadVectors, unpackNatives } from "../platform/native.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { insertGeneration } from "../storage/testing/rows.ts";
import { DamagedBaseError } from "../workers/graph-lane.ts";
import {
  attachGraph,
  createBuildGraphHandler,
  type GraphDeps,
  graphDirectory,
  removeGraphsOfStore,
  removeStrayGraphs,
  scheduleBuild,
} from "./build-graph.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";

/** More than one batch. */
const TEXT = Array.from({ length: 1300 }, (_, i) => `word${i}`).join(" ");
const CHUNKS = 130;

/** Builds on this thread what the lane builds on its own. */
const lane: GraphDeps["lane"] = {
  async build(plan, batches, signal) {
    const builder = await PartBuilder.start(loadVectors(), plan);
    for await (const { ids, vectors } of batches) {
      if (signal.aborted) {
        builder.release();
        return null;
      }
      builder.add(ids, vectors);
    }
    return builder.finish();
  },
};

async function setUp() {
  const shop = new Workshop();
  const generation = await shop.store();
  await shop.ingested("file-1", TEXT);
  const warnings: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (message, fields) => warnings.push(`${message}: ${fields?.["error"] ?? fields?.["reason"]}`),
  };
  const deps: GraphDeps = {
    storage: shop.storage,
    dataDir: shop.dir,
    natives: await unpackNatives(shop.dir),
    lane,
    log,
    acquire: async (storeId, id) => {
      const lease = await shop.indexes.acquire(storeId, id);
      lease.index.setKind("hnsw");
      return lease;
    },
  };
  const run = (more: Partial<GraphDeps> = {}, signal?: AbortSignal) =>
    shop.run(
      createBuildGraphHandler({ ...deps, ...more }),
      String(generation.id),
      signal === undefined ? {} : { signal },
    );
  return { shop, generation, deps, run, warnings, directory: graphDirectory(shop.dir, STORE, generation.id) };
}

async function usedIndex({ deps, generation }: { deps: GraphDeps; generation: GenerationRow }): Promise<string> {
  using lease = await deps.acquire(STORE, generation.id);
  return lease.index.stats.used;
}

test("a graph is built, attached, and found again by the next load", async () => {
  const made = await setUp();
  await using shop = made.shop;
  expect(await made.run()).toEqual({ type: "done" });
  expect(await usedIndex(made)).toBe("hnsw");
  expect(await made.run()).toEqual({ type: "done" });
  shop.indexes.invalidate(STORE, made.generation.id);
  using lease = await made.deps.acquire(STORE, made.generation.id);
  expect(lease.index.graphWork()?.vectors).toBe(CHUNKS);
  await attachGraph(made.deps, made.generation, lease.index);
  expect([lease.index.graphWork(), lease.index.stats.used]).toEqual([null, "hnsw"]);
  expect(made.warnings).toEqual([]);
});

test("nothing is built for a generation that is gone or retired, or that needs no graph", async () => {
  const made = await setUp();
  await using shop = made.shop;
  const refusing: GraphDeps["lane"] = { build: () => Promise.reject(new Error("nothing to build")) };
  const handler = createBuildGraphHandler({
    ...made.deps,
    lane: refusing,
    acquire: (...at) => shop.indexes.acquire(...at),
  });
  expect(await shop.run(handler, "99")).toEqual({ type: "done" });
  expect(await shop.run(handler, "1")).toEqual({ type: "done" });
  expect(await shop.run(handler, "1", { signal: AbortSignal.abort() })).toEqual({ type: "interrupted" });
  await shop.storage.generations.setState(TENANT, 1, "retired");
  expect(await made.run({ lane: refusing })).toEqual({ type: "done" });
});

describe("a build", () => {
  test("that is interrupted leaves no part, and is made again", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    const stop = new AbortController();
    const stopping: GraphDeps["lane"] = {
      build: (...args) => {
        stop.abort();
        return lane.build(...args);
      },
    };
    expect(await made.run({ lane: stopping }, stop.signal)).toEqual({ type: "interrupted" });
    const failing: GraphDeps["lane"] = { build: () => Promise.reject(new Error("closed")) };
    const ended = new AbortController();
    const closing: GraphDeps["lane"] = {
      build: (...args) => {
        ended.abort();
        return failing.build(...args);
      },
    };
    expect(await made.run({ lane: closing }, ended.signal)).toEqual({ type: "interrupted" });
    expect([await made.run(), await usedIndex(made)]).toEqual([{ type: "done" }, "hnsw"]);
  });

  test("of a generation that is retired meanwhile ends at the next batch", async () => {
    const made = await setUp();
    await using shop = made.shop;
    let batches = 0;
    const retiring: GraphDeps["lane"] = {
      build: async (_plan, given, signal) => {
        for await (const _ of given) {
          batches += 1;
          if (signal.aborted) return null;
          await shop.storage.generations.setState(TENANT, made.generation.id, "retired");
        }
        return expect.unreachable();
      },
    };
    expect([await made.run({ lane: retiring }), batches]).toEqual([{ type: "interrupted" }, 2]);
  });

  test("leaves out chunks that went meanwhile", async () => {
    const made = await setUp();
    await using shop = made.shop;
    using _lease = await made.deps.acquire(STORE, made.generation.id);
    shop.db.raw.run("DELETE FROM vector WHERE chunk_id <= 90");
    let given = 0;
    const counting: GraphDeps["lane"] = {
      async build(plan, batches, signal) {
        async function* counted() {
          for await (const batch of batches) {
            given += batch.ids.length;
            yield batch;
          }
        }
        return await lane.build(plan, counted(), signal);
      },
    };
    await made.run({ lane: counting });
    expect(given).toBe(40);
  });

  test("that the disk has no room for is tried again in a minute, and said", async () => {
    const made = await setUp();
    await using shop = made.shop;
    const lease = await made.deps.acquire(STORE, made.generation.id);
    const work = lease.index.graphWork() as GraphWork;
    lease.index.graphWork = () => ({ ...work, vectors: 1e15 });
    expect(await made.run()).toEqual({ type: "retry", inMs: 60_000 });
    expect(made.warnings[0]).toMatch(/it needs \d+ MB of disk space and \d+ MB are free/);
    lease.release();
    expect(shop.count("vector")).toBe(CHUNKS);
  });

  test("whose manifest cannot be written gives its space back", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    const blocking: GraphDeps["lane"] = {
      async build(plan, batches, signal) {
        const entry = await lane.build(plan, batches, signal);
        // Where the manifest's own file should be.
        mkdirSync(join(plan.directory, "manifest.json.tmp"));
        return entry;
      },
    };
    expect(await made.run({ lane: blocking })).toEqual({ type: "retry", inMs: 60_000 });
    expect(readdirSync(made.directory)).toEqual(["manifest.json.tmp"]);
  });

  test("gets its manifest only once the rows that it was made of survive a power cut", async () => {
    const made = await setUp();
    await using shop = made.shop;
    const manifest = join(made.directory, "manifest.json");
    const seen: boolean[] = [];
    const after = (outcome: () => Promise<void>) => ({ storage: { ...shop.storage, makeDurable: outcome } });
    expect(await made.run(after(() => Promise.reject(new Error("EIO"))))).toEqual({ type: "retry", inMs: 60_000 });
    expect([readdirSync(made.directory), made.warnings]).toEqual([[], [expect.stringContaining("EIO")]]);
    expect(await made.run(after(async () => void seen.push(existsSync(manifest))))).toEqual({ type: "done" });
    expect([seen, existsSync(manifest)]).toEqual([[false], true]);
  });

  test("that finds the part it extends damaged begins without it", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    await made.run();
    const lease = await made.deps.acquire(STORE, made.generation.id);
    const { graphWork } = lease.index;
    lease.index.graphWork = () => ({ base: null, replaces: [], chunkIds: [1], vectors: 1 });
    const damaged: GraphDeps["lane"] = { build: () => Promise.reject(new DamagedBaseError("torn")) };
    expect(await made.run({ lane: damaged })).toEqual({ type: "retry", inMs: 0 });
    expect([existsSync(made.directory), lease.index.stats.used]).toEqual([false, "exact"]);
    lease.index.graphWork = graphWork;
    lease.release();
    expect([await made.run(), await usedIndex(made)]).toEqual([{ type: "done" }, "hnsw"]);
  });

  test("whose result cannot be opened is thrown away", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    const tearing: GraphDeps["lane"] = {
      async build(plan, batches, signal) {
        const entry = await lane.build(plan, batches, signal);
        truncateSync(graphPath(plan.directory, plan.serial), 100);
        return entry;
      },
    };
    expect(await made.run({ lane: tearing })).toEqual({ type: "retry", inMs: 0 });
    expect(existsSync(made.directory)).toBe(false);
  });

  test("comes back at once while there is more to build, and not for the same again", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    const lease = await made.deps.acquire(STORE, made.generation.id);
    const first: GraphWork = { base: null, replaces: [], chunkIds: [1, 2, 3], vectors: 3 };
    const works = [first, { ...first, chunkIds: [4, 5, 6] }, first, first];
    lease.index.graphWork = () => works.shift() ?? null;
    expect(await made.run()).toEqual({ type: "retry", inMs: 0 });
    expect(await made.run()).toEqual({ type: "done" });
    lease.release();
  });
});

describe("a graph on disk", () => {
  test("that is torn is removed, and said once", async () => {
    const made = await setUp();
    await using shop = made.shop;
    await made.run();
    truncateSync(graphPath(made.directory, 1), 100);
    shop.indexes.invalidate(STORE, made.generation.id);
    using lease = await made.deps.acquire(STORE, made.generation.id);
    await attachGraph(made.deps, made.generation, lease.index);
    expect([lease.index.stats.used, existsSync(made.directory), made.warnings]).toEqual([
      "exact",
      false,
      ["an index file cannot be used and is built again: damaged"],
    ]);
    await attachGraph(made.deps, made.generation, lease.index);
    expect(made.warnings).toHaveLength(1);
  });

  test("that cannot be opened at all stops nobody", async () => {
    const made = await setUp();
    await using _shop = made.shop;
    await made.run();
    using lease = await made.deps.acquire(STORE, made.generation.id);
    const { attachGraph: attach } = lease.index;
    lease.index.attachGraph = () => {
      throw new Error("another reason");
    };
    await attachGraph(made.deps, made.generation, lease.index);
    lease.index.attachGraph = attach;
    expect(made.warnings).toEqual(["an index cannot be opened; searches go on without it: another reason"]);
  });
});

test("at start what no store and no generation needs is removed", async () => {
  const made = await setUp();
  await using shop = made.shop;
  await removeStrayGraphs(shop.storage, join(shop.dir, "nowhere"));
  await made.run();
  const old = await insertGeneration(shop.storage, { tenantId: TENANT, storeId: STORE, state: "retired" });
  const stray = [
    graphDirectory(shop.dir, "vs_gone", 7),
    graphDirectory(shop.dir, STORE, old.id),
    `${graphDirectory(shop.dir, STORE, 9)}-x.deleted`,
  ];
  for (const path of stray) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "part-1.hnsw"), "x");
  }
  writeFileSync(join(made.directory, "part-9.hnsw"), "left by a build");
  await removeStrayGraphs(shop.storage, shop.dir);
  expect(readdirSync(join(shop.dir, "stores"))).toEqual([STORE]);
  expect(readdirSync(dirname(made.directory))).toEqual([`gen-${made.generation.id}`]);
  expect(readdirSync(made.directory).toSorted()).toEqual(["manifest.json", "part-1.hnsw", "part-1.ids"]);
  removeGraphsOfStore(shop.dir, STORE);
  expect(existsSync(dirname(made.directory))).toBe(false);
});

test("a build is queued once", async () => {
  const { shop, generation } = await setUp();
  await using _shop = shop;
  await scheduleBuild(shop.storage, generation);
  await scheduleBuild(shop.storage, generation);
  expect(await shop.storage.jobs.depth()).toEqual([{ kind: "build_index", waiting: 1, running: 0 }]);
});
