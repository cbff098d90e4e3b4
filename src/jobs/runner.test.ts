import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { systemClock } from "../platform/clock.ts";
import { silentLog } from "../platform/log.ts";
import { createMetrics } from "../platform/metrics.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import { createStorage, type Storage, type Tables } from "../storage/storage.ts";
import { type JobOutcome, JobRunner } from "./runner.ts";

let temp: TempDir;
let dir: string;
let db: SqliteDatabase;
let storage: Storage;
beforeEach(() => {
  temp = tempDir();
  dir = temp.path;
  db = openSqlite(join(dir, "meta.sqlite"));
  storage = createStorage(db);
});
afterEach(async () => {
  await db.close();
  temp[Symbol.dispose]();
});

async function add(tenantId: string, subject: string, priority: 0 | 1, { jobs }: Tables = storage): Promise<void> {
  await jobs.insert({ tenantId, kind: "ingest", storeId: `vs_${tenantId}`, subject, priority, dueMs: 0 });
}

interface Started {
  subject: string;
  tenantId: string;
  signal: AbortSignal;
  end(outcome?: JobOutcome): void;
}

/** A runner whose jobs end when the test says so. */
function runner(
  concurrency: number,
  tenantLimit: (tenantId: string) => number | null = () => null,
  heldStores: () => readonly string[] = () => [],
) {
  const started: Started[] = [];
  let arrived = () => {};
  const runner = new JobRunner({
    jobs: storage.jobs,
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    owner: "this run",
    tenantLimit: (_kind, tenantId) => Promise.resolve(tenantLimit(tenantId)),
    heldStores,
    handlers: [
      {
        kind: "ingest",
        concurrency,
        run: (job, signal) =>
          new Promise((resolve) => {
            const end = (outcome: JobOutcome = { type: "done" }) => resolve(outcome);
            signal.addEventListener("abort", () => end({ type: "interrupted" }), { once: true });
            started.push({ subject: job.subject, tenantId: job.tenant_id, signal, end });
            arrived();
          }),
      },
    ],
  });
  return {
    runner,
    started,
    /** The n-th job that was begun, counting from 0. */
    async nth(n: number): Promise<Started> {
      while (started[n] === undefined) await new Promise<void>((resolve) => (arrived = resolve));
      return started[n] as Started;
    },
  };
}

describe("one tenant's long batch", () => {
  test("holds up another's single file by the files under way, and no more", async () => {
    await storage.transaction(async (tables) => {
      for (let i = 0; i < 10_000; i++) await add("big", `big-${i}`, 1, tables);
    });
    const { runner: jobs, started, nth } = runner(4);
    await using _jobs = jobs;
    await jobs.start();
    await nth(3);
    await add("small", "single", 0);
    jobs.wake();
    started[0]?.end();
    // The next place that becomes free is the single file's.
    expect((await nth(4)).subject).toBe("single");
  });

  test("shares the places with another's batch, file by file", async () => {
    await storage.transaction(async (tables) => {
      for (let i = 0; i < 1000; i++) await add("big", `big-${i}`, 1, tables);
      for (let i = 0; i < 20; i++) await add("small", `small-${i}`, 1, tables);
    });
    const { runner: jobs, nth } = runner(4);
    await using _jobs = jobs;
    await jobs.start();
    const served: string[] = [];
    for (let i = 0; served.filter((tenant) => tenant === "small").length < 20; i++) {
      const job = await nth(i);
      served.push(job.tenantId);
      job.end();
    }
    expect(served.length).toBeLessThanOrEqual(44);
  });

  test("lets the same tenant's single file pass it", async () => {
    await storage.transaction(async (tables) => {
      for (let i = 0; i < 100; i++) await add("big", `big-${i}`, 1, tables);
    });
    const { runner: jobs, started, nth } = runner(2);
    await using _jobs = jobs;
    await jobs.start();
    await nth(1);
    await add("big", "single", 0);
    started[0]?.end();
    expect((await nth(2)).subject).toBe("single");
  });
});

test("a tenant has no more jobs running than its quota, others use the places that are left", async () => {
  await storage.transaction(async (tables) => {
    for (let i = 0; i < 10; i++) await add("limited", `limited-${i}`, 1, tables);
    for (let i = 0; i < 10; i++) await add("free", `free-${i}`, 1, tables);
  });
  const { runner: jobs, started, nth } = runner(4, (tenantId) => (tenantId === "limited" ? 1 : null));
  await using _jobs = jobs;
  await jobs.start();
  await nth(3);
  expect(started.map(({ tenantId }) => tenantId).toSorted()).toEqual(["free", "free", "free", "limited"]);
  started.find(({ tenantId }) => tenantId === "limited")?.end();
  expect((await nth(4)).tenantId).toBe("limited");
});

test("a quota alone leaves places free, and the work goes on when one ends", async () => {
  await storage.transaction(async (tables) => {
    for (let i = 0; i < 3; i++) await add("limited", `limited-${i}`, 1, tables);
  });
  const { runner: jobs, started, nth } = runner(4, () => 1);
  await using _jobs = jobs;
  await jobs.start();
  for (let i = 0; i < 3; i++) {
    const job = await nth(i);
    expect(started).toHaveLength(i + 1);
    job.end();
  }
});

test("a store that is held lets all others pass, and goes on when it is let go", async () => {
  await add("held", "first", 0);
  await add("free", "second", 1);
  await storage.jobs.insert({
    tenantId: "held",
    kind: "ingest",
    storeId: "vs_other",
    subject: "third",
    priority: 1,
    dueMs: 0,
  });
  let held = ["vs_held"];
  const { runner: jobs, started, nth } = runner(4, undefined, () => held);
  await using _jobs = jobs;
  await jobs.start();
  await nth(1);
  expect(started.map(({ subject }) => subject).toSorted()).toEqual(["second", "third"]);
  held = [];
  jobs.wake();
  expect((await nth(2)).subject).toBe("first");
});

test("what was running at a stop is due again, its try not counted", async () => {
  await add("one", "file", 0);
  {
    const { runner: jobs, nth } = runner(1);
    await using _jobs = jobs;
    await jobs.start();
    await nth(0);
  }
  expect((await storage.jobs.claim("ingest", "one", systemClock.nowMs(), "next run", 1))?.attempt).toBe(1);
});

test("a job ends and others begin as soon as the rows can be written again, as after a full disk", async () => {
  const { runner: jobs, nth } = runner(1);
  await using _jobs = jobs;
  await add("one", "first", 1);
  await jobs.start();
  const first = await nth(0);
  db.raw.run("PRAGMA query_only = ON");
  first.end();
  // What ended could not be noted: nothing is lost, and nothing else is begun in its place.
  await new Promise((resolve) => setTimeout(resolve, 20));
  db.raw.run("PRAGMA query_only = OFF");
  await add("one", "second", 1);
  jobs.wake();
  expect((await nth(1)).subject).toBe("second");
  expect(await jobs.stats()).toEqual([{ kind: "ingest", waiting: 0, running: 1 }]);
});
