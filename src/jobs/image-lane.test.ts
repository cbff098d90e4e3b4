/** The process that writes images, ended at each step of it. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Natives, unpackNatives } from "../platform/native.ts";
import { NO_BOUNDS } from "../platform/process-bounds.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { ImageLane } from "../workers/image-lane.ts";
import { imagePath, openIndexImage } from "./index-image.ts";
import { loadTurns } from "./load-index.ts";
import { STORE, Workshop } from "./testing/workshop.ts";

setDefaultTimeout(120_000);

const NEVER = new AbortController().signal;

let shop: Workshop;
let generation: GenerationRow;
let natives: Natives;
let path: string;
let database: string;
beforeEach(async () => {
  shop = new Workshop();
  generation = await shop.store();
  natives = await unpackNatives(shop.dir);
  path = imagePath(shop.dir, STORE, generation.id);
  database = join(shop.dir, "copy.sqlite");
  mkdirSync(dirname(path), { recursive: true });
  await shop.ingested("file-1", "the first text");
  writeFileSync(database, shop.db.raw.serialize());
});
afterEach(() => shop[Symbol.asyncDispose]());

async function write(failpoint: string | null = null, signal = NEVER) {
  await using lane = new ImageLane({ natives, bounds: NO_BOUNDS, failpoint });
  return await lane.write({ database, dataDir: shop.dir, generation, nowMs: 5 }, 1, signal);
}

/** Files in the image; null where it is not used. */
async function imaged(): Promise<number | null> {
  const { storage, dir: dataDir } = shop;
  const opened = await openIndexImage({ storage }, { dataDir, generation }, loadTurns(NEVER));
  return opened.ok ? opened.index.stats.files : null;
}

test("a process of its own writes what the database has", async () => {
  expect(await write()).toMatchObject({ ok: true, chunks: 1 });
  expect(await imaged()).toBe(1);
});

test("killed at any step it leaves the image that was there, or the new one whole", async () => {
  for (const step of ["arrays", "durable", "renamed"]) {
    await expect(write(`image:${step}`)).rejects.toThrow("image process ended");
    expect([step, existsSync(path)]).toEqual([step, step === "renamed"]);
  }
  const first = readFileSync(path);
  expect(await imaged()).toBe(1);
  await shop.ingested("file-2", "the second text");
  writeFileSync(database, shop.db.raw.serialize());
  for (const step of ["arrays", "durable"]) {
    await expect(write(`image:${step}`)).rejects.toThrow("image process ended");
    expect(readFileSync(path).equals(first)).toBe(true);
  }
  await expect(write("image:renamed")).rejects.toThrow("image process ended");
  expect(readFileSync(path).equals(first)).toBe(false);
  expect(await imaged()).toBe(2);
});

test("it ends when it is not wanted any more, and says what it cannot read", async () => {
  const stop = new AbortController();
  const writing = write(null, stop.signal);
  stop.abort();
  await expect(writing).rejects.toThrow();
  writeFileSync(database, "no database, in a file that is as long as the head of one would be".repeat(100));
  await expect(write()).rejects.toThrow("not a database");
  expect(existsSync(path)).toBe(false);
});
