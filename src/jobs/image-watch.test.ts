import { expect, test } from "bun:test";
import { StoreIndex } from "../index/store-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { ImageWatch, QUIET_MS } from "./image-watch.ts";
import { Workshop } from "./testing/workshop.ts";

const TERMS = Uint8Array.from([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

class Watching {
  readonly shop: Workshop;
  readonly generation: GenerationRow;
  readonly watch: ImageWatch;
  index: StoreIndex | null = null;
  nowMs = 0;
  hasImage = true;
  wakes = 0;
  #nextChunk = 1;

  constructor(shop: Workshop, generation: GenerationRow) {
    this.shop = shop;
    this.generation = generation;
    this.watch = new ImageWatch({
      storage: shop.storage,
      clock: { nowMs: () => this.nowMs },
      peek: () => this.index,
      wakeJobs: () => void (this.wakes += 1),
      hasImage: () => this.hasImage,
      least: 10,
    });
  }

  open(chunks: number): StoreIndex {
    this.index = new StoreIndex({ dimensions: 1, fetchVectors: () => [] });
    this.grow(chunks);
    this.watch.touch(this.generation);
    return this.index;
  }

  grow(chunks: number): void {
    const added = Array.from({ length: chunks }, () => ({
      chunkId: this.#nextChunk++,
      terms: TERMS,
      vectors: Float32Array.of(1),
    }));
    const file = { fileKey: this.#nextChunk, fileId: "f", filename: "n", attributes: {}, chunks: added };
    this.index?.addFile(file);
  }

  /** Whether an image is asked for at the look after so many milliseconds. */
  async asks(afterMs: number): Promise<boolean> {
    this.nowMs += afterMs;
    await this.watch.look();
    return this.shop.db.raw.run("DELETE FROM job").changes > 0;
  }

  written(outcome: "written" | "failed" = "written", ms = 100): void {
    const { index } = this;
    const before = index === null ? null : { index, changes: index.changes };
    this.watch.ended(this.generation, { outcome, before, ms });
  }
}

async function setUp(): Promise<Watching & AsyncDisposable> {
  const shop = new Workshop();
  const watching = new Watching(shop, await shop.store());
  return Object.assign(watching, {
    async [Symbol.asyncDispose]() {
      watching.watch[Symbol.dispose]();
      await shop[Symbol.asyncDispose]();
    },
  });
}

test("an index without an image gets one when it is quiet, and another when enough is new", async () => {
  await using watching = await setUp();
  watching.open(1000);
  expect(await watching.asks(QUIET_MS - 1)).toBe(false);
  expect(await watching.asks(1)).toBe(true);
  watching.written();
  expect(await watching.asks(QUIET_MS)).toBe(false);
  watching.grow(499);
  expect([await watching.asks(0), await watching.asks(QUIET_MS)]).toEqual([false, false]);
  watching.grow(1);
  expect([await watching.asks(0), await watching.asks(QUIET_MS - 1), await watching.asks(1)]).toEqual([
    false,
    false,
    true,
  ]);
});

test("while files keep coming, an image is written for so many of them, with a pause in between", async () => {
  await using watching = await setUp();
  watching.open(4000);
  watching.grow(999);
  expect(await watching.asks(1)).toBe(false);
  watching.grow(1);
  expect(await watching.asks(1)).toBe(true);
  watching.written("written", 500);
  watching.grow(6000);
  expect([await watching.asks(1), await watching.asks(9_998), await watching.asks(1)]).toEqual([false, false, true]);
});

test("an image that somebody removed is written anew", async () => {
  await using watching = await setUp();
  watching.open(1000);
  expect(await watching.asks(QUIET_MS)).toBe(true);
  watching.written();
  watching.hasImage = false;
  expect(await watching.asks(49_000)).toBe(false);
  expect(await watching.asks(1_000)).toBe(true);
  watching.hasImage = true;
  watching.written();
  expect(await watching.asks(100_000)).toBe(false);
});

test("what could not be written is tried again after a while", async () => {
  await using watching = await setUp();
  watching.open(1000);
  expect(await watching.asks(QUIET_MS)).toBe(true);
  watching.written("failed");
  expect([await watching.asks(299_999), await watching.asks(1)]).toEqual([false, true]);
  watching.written("failed");
  expect([await watching.asks(599_999), await watching.asks(1)]).toEqual([false, true]);
});

test("small indexes get none, nor do those that have left memory; one that took another's place is looked at anew", async () => {
  await using watching = await setUp();
  watching.open(9);
  expect(await watching.asks(QUIET_MS)).toBe(false);
  watching.grow(1000);
  watching.index = null;
  expect(await watching.asks(QUIET_MS)).toBe(false);
  watching.open(600);
  expect([await watching.asks(0), await watching.asks(QUIET_MS)]).toEqual([false, true]);
  watching.written();
  const mapped = watching.open(0);
  expect(mapped.changes).toBe(0);
  expect([await watching.asks(0), await watching.asks(QUIET_MS)]).toEqual([false, false]);
});

test("an image that cannot be asked for now, as on a full disk, is asked for with a later look", async () => {
  await using watching = await setUp();
  watching.open(1000);
  watching.shop.db.raw.run("PRAGMA query_only = ON");
  watching.nowMs += QUIET_MS;
  await watching.watch.look();
  watching.shop.db.raw.run("PRAGMA query_only = OFF");
  expect([watching.wakes, await watching.asks(0)]).toEqual([0, true]);
});
