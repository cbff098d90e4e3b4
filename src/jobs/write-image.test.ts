import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Log, silentLog } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobRow } from "../storage/jobs.ts";
import { imagePath, openIndexImage, writeIndexImage } from "./index-image.ts";
import { loadTurns } from "./load-index.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";
import {
  createWriteImageHandler,
  type ImageEnd,
  imagesBefore,
  removeImage,
  scheduleImage,
  type WriteImageDeps,
} from "./write-image.ts";

const NEVER = new AbortController().signal;

class Writing {
  readonly shop: Workshop;
  readonly generation: GenerationRow;
  readonly ends: ImageEnd["outcome"][] = [];
  readonly warnings: string[] = [];
  refreshed = 0;
  readonly deps: WriteImageDeps;

  constructor(shop: Workshop, generation: GenerationRow) {
    this.shop = shop;
    this.generation = generation;
    const { storage, dir: dataDir, clock, indexes } = shop;
    const log: Log = { ...silentLog, warn: (_, fields) => this.warnings.push(String(fields?.["error"])) };
    this.deps = {
      storage,
      dataDir,
      database: "",
      clock,
      log,
      // On this thread what the lane does in a process.
      lane: {
        write: (plan) =>
          writeIndexImage({ ...plan, chunks: storage.chunks, makeDurable: storage.makeDurable, passed: () => {} }),
      },
      peek: (storeId, id) => indexes.peek(storeId, id),
      refresh: async () => void (this.refreshed += 1),
      ended: (_, { outcome }) => this.ends.push(outcome),
      least: 3,
    };
  }

  get path(): string {
    return imagePath(this.shop.dir, STORE, this.generation.id);
  }

  async run(more: Partial<WriteImageDeps> = {}, signal = NEVER, told: Partial<JobRow> = {}) {
    const job: JobRow = {
      id: 1,
      tenant_id: TENANT,
      kind: "write_image",
      store_id: STORE,
      subject: String(this.generation.id),
      priority: 1,
      attempt: 1,
      payload: "{}",
      ...told,
    };
    return await createWriteImageHandler({ ...this.deps, ...more }).run(job, signal);
  }

  async opens(): Promise<boolean> {
    const { storage, dir: dataDir } = this.shop;
    return (await openIndexImage({ storage }, { dataDir, generation: this.generation }, loadTurns(NEVER))).ok;
  }
}

async function setUp(files = 4): Promise<Writing> {
  const shop = new Workshop();
  const generation = await shop.store();
  for (let i = 0; i < files; i++) await shop.ingested(`file-${i}`, `text ${i}`);
  return new Writing(shop, generation);
}

test("an image is written, and an index that holds as much in memory gives way to it", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  expect(await writing.run()).toEqual({ type: "done" });
  expect([writing.ends, writing.refreshed, await writing.opens()]).toEqual([["written"], 0, true]);
  using _lease = await shop.indexes.acquire(STORE, writing.generation.id);
  await writing.run();
  expect([writing.ends, writing.refreshed]).toEqual([["written", "written"], 1]);
  expect(readdirSync(dirname(writing.path))).toEqual([`gen-${writing.generation.id}.image`]);
});

test("a store that has become small, or a generation that is not live, has none", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  await writing.run();
  await writing.run({ least: 100 });
  expect(existsSync(writing.path)).toBe(false);
  await writing.run();
  await shop.storage.generations.setState(TENANT, writing.generation.id, "retained");
  await writing.run();
  expect([writing.ends, existsSync(writing.path)]).toEqual([["written", "put-off", "written", "put-off"], false]);
  await writing.run({
    storage: { ...shop.storage, generations: { ...shop.storage.generations, get: async () => null } },
  });
});

test("an image of a generation that went meanwhile goes too", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  const { lane } = writing.deps;
  await writing.run({
    lane: {
      async write(...call) {
        const written = await lane.write(...call);
        await shop.storage.generations.setState(TENANT, writing.generation.id, "retired");
        return written;
      },
    },
  });
  expect(existsSync(writing.path)).toBe(false);
});

describe("the image that was there stays, and nothing lies beside it,", () => {
  const leftovers = async (writing: Writing, error: Error, signal = NEVER) => {
    await writing.run();
    const write = async () => {
      for (const rest of [".tmp", ".part", ".part.tmp"]) writeFileSync(writing.path + rest, "half");
      throw error;
    };
    const outcome = await writing.run({ lane: { write } }, signal);
    expect(readdirSync(dirname(writing.path))).toEqual([`gen-${writing.generation.id}.image`]);
    expect(await writing.opens()).toBe(true);
    return outcome;
  };

  test("where another one could not be written", async () => {
    const writing = await setUp();
    await using _shop = writing.shop;
    expect(await leftovers(writing, new Error("no space left"))).toEqual({ type: "done" });
    expect([writing.ends, writing.warnings]).toEqual([["written", "failed"], ["no space left"]]);
  });

  test("where the server stops", async () => {
    const writing = await setUp();
    await using _shop = writing.shop;
    const stop = new AbortController();
    const write = async () => {
      stop.abort();
      throw new Error("aborted");
    };
    await writing.run();
    expect(await writing.run({ lane: { write } }, stop.signal)).toEqual({ type: "interrupted" });
    expect([writing.ends, await writing.opens()]).toEqual([["written"], true]);
  });
});

test("terms of an older analyzer put it off", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  shop.db.raw.run("UPDATE chunk_terms SET terms = CAST(unhex('01') || substr(terms, 2) AS BLOB)");
  await writing.run();
  expect([writing.ends, existsSync(writing.path)]).toEqual([["put-off"], false]);
});

test("which images may hold what was there at a time is read in them; one that does not tell may", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  const { generation } = writing;
  const before = (ms: number) => imagesBefore(shop.dir, STORE, ms);
  expect(before(Infinity)).toEqual([]);
  await writing.run();
  expect([before(shop.nowMs - 1), before(shop.nowMs)]).toEqual([[], [generation.id]]);
  writeFileSync(writing.path, "damaged");
  expect(before(0)).toEqual([generation.id]);
  mkdirSync(`${dirname(writing.path)}/gen-9`);
  removeImage(shop.dir, generation);
  expect(before(Infinity)).toEqual([]);
});

test("what a run wrote whose process ended before it could say so is not written again", async () => {
  const writing = await setUp();
  await using shop = writing.shop;
  const asked = shop.nowMs;
  const again = (attempt: number, payload: string) => writing.run({}, NEVER, { attempt, payload });
  expect(await again(2, String(asked))).toEqual({ type: "done" });
  expect(writing.ends).toEqual(["written"]);
  expect(await again(2, String(asked))).toEqual({ type: "done" });
  expect(writing.ends).toEqual(["written"]);
  // Asked for again, or by a version that did not say when.
  await again(1, String(asked));
  await again(2, String(asked + 1));
  await again(2, "{}");
  expect(writing.ends).toEqual(["written", "written", "written", "written"]);
});

test("an image is asked for once until it is written", async () => {
  const writing = await setUp(1);
  await using shop = writing.shop;
  for (let i = 0; i < 2; i++) await scheduleImage(shop.storage, writing.generation, i + 1);
  expect(shop.db.raw.query("SELECT payload FROM job WHERE kind = 'write_image'").all()).toEqual([{ payload: "2" }]);
});
