import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, truncateSync } from "node:fs";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { graphPath, type PartEntry } from "../index/generation.ts";
import { DEFAULT_GRAPH_SETTINGS } from "../index/hnsw.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { unpackNatives } from "../platform/native.ts";
import { DamagedBaseError, GraphLane } from "./graph-lane.ts";
import type { GraphBatch, GraphPlan } from "./protocol.ts";

setDefaultTimeout(60_000);

const DIMENSIONS = 8;
const NEVER = new AbortController().signal;

/** What it rejects with. Awaited outside of `expect(…).rejects`, which keeps messages of workers from arriving. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

function planOf(dir: TempDir, serial: number, base: PartEntry | null = null): GraphPlan {
  const directory = dir.join("graph");
  return { directory, serial, dimensions: DIMENSIONS, settings: DEFAULT_GRAPH_SETTINGS, expected: 100, base };
}

function batch(first: number, count = 50): GraphBatch {
  const { gauss } = seededRandom(first + 1);
  return {
    ids: Float64Array.from({ length: count }, (_, i) => first + i),
    vectors: Float32Array.from({ length: count * DIMENSIONS }, gauss),
  };
}

const laneOf = async (dir: TempDir) => new GraphLane(await unpackNatives(dir.path));

test("a part is built from batches, and another from it", async () => {
  using dir = tempDir();
  await using lane = await laneOf(dir);
  const first = await lane.build(planOf(dir, 1), [batch(0), batch(50)], NEVER);
  expect(first).toMatchObject({ serial: 1, vectors: 100 });
  async function* later() {
    yield batch(100);
  }
  expect(await lane.build(planOf(dir, 2, first), later(), NEVER)).toMatchObject({ serial: 2, vectors: 150 });
  expect(readdirSync(dir.join("graph")).toSorted()).toEqual(["part-1.hnsw", "part-1.ids", "part-2.hnsw", "part-2.ids"]);
  expect(lane.stats()).toEqual({ size: 1, busy: 0, waiting: 0, restarts: 0 });
});

test("a build that is cancelled leaves nothing, and the lane builds the next", async () => {
  using dir = tempDir();
  await using lane = await laneOf(dir);
  const stop = new AbortController();
  function* stopping() {
    yield batch(0);
    stop.abort();
    yield batch(50);
  }
  expect(await lane.build(planOf(dir, 1), stopping(), stop.signal)).toBeNull();
  expect(await lane.build(planOf(dir, 1), [batch(0)], NEVER)).toMatchObject({ vectors: 50 });
});

test("a part to extend that is damaged is told from other failures", async () => {
  using dir = tempDir();
  await using lane = await laneOf(dir);
  const base = await lane.build(planOf(dir, 1), [batch(0)], NEVER);
  truncateSync(graphPath(dir.join("graph"), 1), 100);
  expect(await rejection(lane.build(planOf(dir, 2, base), [batch(50)], NEVER))).toBeInstanceOf(DamagedBaseError);
  const nowhere = { ...planOf(dir, 3), directory: "/proc/nowhere" };
  const failure = await rejection(lane.build(nowhere, [batch(0)], NEVER));
  expect(failure).toBeInstanceOf(Error);
  expect(failure).not.toBeInstanceOf(DamagedBaseError);
});

test("what the batches throw is thrown, and the part is let go", async () => {
  using dir = tempDir();
  await using lane = await laneOf(dir);
  function* failing(): Generator<GraphBatch> {
    yield batch(0);
    throw new Error("the database is closed");
  }
  expect(await rejection(lane.build(planOf(dir, 1), failing(), NEVER))).toEqual(new Error("the database is closed"));
  expect(await lane.build(planOf(dir, 1), [batch(0)], NEVER)).toMatchObject({ vectors: 50 });
});

test("nothing is built after the end", async () => {
  using dir = tempDir();
  const lane = await laneOf(dir);
  await lane[Symbol.asyncDispose]();
  expect(String(await rejection(lane.build(planOf(dir, 1), [batch(0)], NEVER)))).toContain("stopping");
});
