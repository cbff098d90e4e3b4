import { expect, test } from "bun:test";
import type { JobRow } from "../storage/jobs.ts";
import { IngestBrake } from "./ingest-brake.ts";

const STORE = "vs_1";
const never = new AbortController().signal;

function setUp() {
  let released = 0;
  const brake = new IngestBrake(() => released++);
  let chunks = 0;
  const handler = brake.watch({ kind: "ingest", concurrency: 1, run: () => Promise.resolve({ type: "done" }) }, () =>
    Promise.resolve(chunks),
  );
  const enter = async (count: number, store_id = STORE) => {
    chunks = count;
    await handler.run({ store_id } as JobRow, never);
  };
  return { brake, enter, released: () => released };
}

test("files enter freely while nothing is added to a store, and at half its pace while something is", async () => {
  const { brake, enter, released } = setUp();
  await enter(1000);
  using applied = brake.apply(STORE, 100);
  await enter(1000, "vs_2");
  await enter(60);
  expect(brake.held()).toEqual([]);
  await enter(60);
  expect(brake.held()).toEqual([STORE]);
  applied.added(30);
  expect([brake.held(), released()]).toEqual([[STORE], 0]);
  applied.added(30);
  expect([brake.held(), released()]).toEqual([[], 1]);
});

test("after some rounds nothing enters, until the end", () => {
  const { brake, released } = setUp();
  {
    using applied = brake.apply(STORE, 100);
    for (let round = 0; round < 4; round++) {
      expect(brake.held()).toEqual([]);
      applied.added(10);
      applied.roundEnded();
    }
    applied.added(1000);
    expect([brake.held(), released()]).toEqual([[STORE], 0]);
  }
  expect([brake.held(), released()]).toEqual([[], 1]);
});

test("what was saved up in one round is not spent in the next", async () => {
  const { brake, enter } = setUp();
  using applied = brake.apply(STORE, 1000);
  applied.added(10);
  applied.roundEnded();
  await enter(5);
  expect(brake.held()).toEqual([STORE]);
});
