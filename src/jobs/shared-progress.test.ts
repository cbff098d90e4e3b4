/** The progress of files that two servers of a database index. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { JobsTable } from "../storage/jobs.ts";
import { onEachDatabase, type TestStorage } from "../storage/testing/kinds.ts";
import { ProgressBoard } from "./progress.ts";
import { SharedProgress } from "./shared-progress.ts";

const T = "ten_1";
const STORE = "vs_1";

onEachDatabase((kind) => {
  let open: TestStorage;
  let nowMs: number;
  beforeEach(async () => {
    nowMs = 0;
    open = await kind.open();
    await open.storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
  });
  afterEach(() => open[Symbol.asyncDispose]());

  /** A server with a job for each of these files. */
  async function server(owner: string, files: readonly number[], jobs?: Partial<JobsTable>) {
    const { storage } = open;
    const board = new ProgressBoard(undefined, () => nowMs);
    for (const file of files) {
      await storage.jobs.insert({
        tenantId: T,
        kind: "ingest",
        storeId: STORE,
        subject: String(file),
        priority: 1,
        dueMs: 0,
      });
      await storage.jobs.claim("ingest", T, 1, owner, 60_000);
    }
    const progress = new SharedProgress({
      jobs: { ...storage.jobs, ...jobs },
      board,
      owner,
      nowMs: () => nowMs,
    });
    return { board, progress };
  }

  test("is known at the other, as it last told, and no more once the file is done", async () => {
    const [one, other] = [await server("one", [1, 2]), await server("other", [])];
    using _one = one.progress;
    using _other = other.progress;
    one.board.set(1, { stage: "embed", done: 3, total: 7 }, STORE);
    // Of no store: nobody asks for it.
    one.board.set(9, { stage: "parse", done: 0, total: 1 });
    await one.progress.tell();
    await other.progress.fresh();
    expect([1, 2, 9].map((file) => other.progress.get(file))).toEqual([
      { stage: "embed", done: 3, total: 7 },
      null,
      null,
    ]);
    expect(one.progress.get(9)).toEqual({ stage: "parse", done: 0, total: 1 });
    one.board.set(1, { stage: "index", done: 7, total: 7 }, STORE);
    await one.progress.tell();
    // What was read a moment ago will do.
    await other.progress.fresh();
    expect(other.progress.get(1)?.stage).toBe("embed");
    nowMs = 1000;
    await Promise.all([other.progress.fresh(), other.progress.fresh()]);
    expect(other.progress.get(1)).toEqual({ stage: "index", done: 7, total: 7 });
    one.board.end(1);
    await open.db.run("DELETE FROM job WHERE subject = '1'");
    nowMs = 2000;
    await other.progress.fresh();
    expect(other.progress.get(1)).toBeNull();
  });

  test("is written when it has changed, and again where that failed", async () => {
    let isAway = true;
    const told: number[][] = [];
    const tellProgress: JobsTable["tellProgress"] = (_owner, files) => {
      told.push(files.map(({ storeFile }) => storeFile));
      return isAway ? Promise.reject(new Error("away")) : Promise.resolve();
    };
    const { board, progress } = await server("one", [], { tellProgress });
    using _progress = progress;
    await progress.tell();
    board.set(1, { stage: "parse", done: 0, total: 1 }, STORE);
    await progress.tell();
    isAway = false;
    await progress.tell();
    await progress.tell();
    board.set(1, { stage: "embed", done: 0, total: 2 }, STORE);
    board.set(2, { stage: "parse", done: 0, total: 1 }, STORE);
    await progress.tell();
    board.end(1);
    await progress.tell();
    // A later run of the same file begins as the one before ended.
    board.set(1, { stage: "embed", done: 0, total: 2 }, STORE);
    await progress.tell();
    expect(told).toEqual([[1], [1], [1, 2], [1]]);
  });

  test("is what was known while the database is away", async () => {
    const one = await server("one", [1]);
    using _one = one.progress;
    let isAway = false;
    const toldProgress: JobsTable["toldProgress"] = (owner) =>
      isAway ? Promise.reject(new Error("away")) : open.storage.jobs.toldProgress(owner);
    const other = await server("other", [], { toldProgress });
    using _other = other.progress;
    one.board.set(1, { stage: "embed", done: 3, total: 7 }, STORE);
    await one.progress.tell();
    await other.progress.fresh();
    isAway = true;
    nowMs = 5000;
    await other.progress.fresh();
    expect(other.progress.get(1)).toEqual({ stage: "embed", done: 3, total: 7 });
  });

  test("gives a store's time left by what both do of it in a second", async () => {
    const [one, other] = [await server("one", [1]), await server("other", [2])];
    using _one = one.progress;
    using _other = other.progress;
    expect(one.progress.secondsLeft(STORE, 4)).toBeNull();
    for (const { board, file } of [
      { ...one, file: 1 },
      { ...other, file: 2 },
    ])
      board.set(file, { stage: "embed", done: 0, total: 100 }, STORE);
    await one.progress.tell();
    nowMs = 1000;
    await other.progress.fresh();
    // Nobody has a pace yet.
    expect(other.progress.secondsLeft(STORE, 4)).toBeNull();
    nowMs = 20_000;
    one.board.set(1, { stage: "embed", done: 50, total: 100 }, STORE);
    other.board.set(2, { stage: "embed", done: 50, total: 100 }, STORE);
    await one.progress.tell();
    const alone = one.progress.secondsLeft(STORE, 4) ?? 0;
    await other.progress.fresh();
    const both = other.progress.secondsLeft(STORE, 4) ?? 0;
    // Half of each of two files, and two that wait: of one server's pace it takes twice as long, and the other's half more.
    expect([alone > 0, both > 0]).toEqual([true, true]);
    expect(both).toBeLessThan(0.6 * alone);
    expect(other.progress.secondsLeft("vs_2", 1)).toBeNull();
  });
});
