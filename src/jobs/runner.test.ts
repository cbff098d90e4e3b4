import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { systemClock } from "../platform/clock.ts";
import { type Log, silentLog } from "../platform/log.ts";
import { createMetrics } from "../platform/metrics.ts";
import { openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";
import { createStorage, type Storage, type Tables } from "../storage/storage.ts";
import { type JobHandler, type JobOutcome, JobRunner } from "./runner.ts";

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

test("the event loop turns between jobs that wait for nothing but the database", async () => {
  for (let i = 0; i < 100; i++) await add("many", String(i), 1);
  let sinceTurn = 0;
  let longest = 0;
  let ended = 0;
  const turn = () => {
    sinceTurn = 0;
    if (ended < 100) setImmediate(turn);
  };
  setImmediate(turn);
  await using runner = new JobRunner({
    jobs: storage.jobs,
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    owner: "this run",
    handlers: [
      {
        kind: "ingest",
        concurrency: 2,
        run: async () => {
          longest = Math.max(longest, ++sinceTurn);
          ended += 1;
          return { type: "done" };
        },
      },
    ],
  });
  await runner.start();
  await waitFor("every job", () => ended === 100 || undefined);
  expect(longest).toBeLessThanOrEqual(4);
});

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

describe("a running job is interrupted", () => {
  test("by its subject, and no other", async () => {
    for (const subject of ["first", "second"]) await add("one", subject, 1);
    const { runner: jobs, started, nth } = runner(2);
    await using _jobs = jobs;
    await jobs.start();
    await nth(1);
    jobs.cancel("purge_file", "first");
    jobs.cancel("ingest", "first");
    expect(started.map(({ subject, signal }) => [subject, signal.aborted])).toEqual([
      ["first", true],
      ["second", false],
    ]);
  });

  test("with all others of its store", async () => {
    await add("one", "first", 1);
    await add("two", "second", 1);
    const { runner: jobs, started, nth } = runner(2);
    await using _jobs = jobs;
    await jobs.start();
    await nth(1);
    jobs.cancelStore("vs_two");
    const aborted = Object.fromEntries(started.map(({ tenantId, signal }) => [tenantId, signal.aborted]));
    expect(aborted).toEqual({ one: false, two: true });
  });
});

/** Runs one job to its end, and gives the row that it left. */
async function once(run: JobHandler["run"], log: Log = silentLog) {
  const ended = Promise.withResolvers<void>();
  const metrics = createMetrics();
  const { retry, finish, giveBack } = storage.jobs;
  const noting =
    <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
    async (...args: A) => {
      await write(...args);
      ended.resolve();
    };
  const jobs = { ...storage.jobs, retry: noting(retry), finish: noting(finish), giveBack: noting(giveBack) };
  const clock = { nowMs: () => 1_000_000, nowSeconds: () => 1_000 };
  await using jobRunner = new JobRunner({
    jobs,
    clock,
    log,
    metrics,
    owner: "this run",
    handlers: [{ kind: "ingest", concurrency: 1, run }],
  });
  await jobRunner.start();
  await ended.promise;
  return db.raw.query<Record<string, unknown>, []>("SELECT due_ms, attempt, lease_owner FROM job").all();
}

describe("the row of a job that", () => {
  test("is done goes", async () => {
    await add("one", "file", 0);
    expect(await once(async () => ({ type: "done" }))).toEqual([]);
  });

  test("is done but was asked for again meanwhile is due at once", async () => {
    await add("one", "file", 0);
    let runs = 0;
    const rows = await once(async () => {
      if (++runs === 1) await add("one", "file", 0);
      return runs === 1 ? { type: "done" } : { type: "retry", inMs: 5 };
    });
    expect(rows).toMatchObject([{ lease_owner: null }]);
  });

  test("is to be tried again waits as long as it says", async () => {
    await add("one", "file", 0);
    expect(await once(async () => ({ type: "retry", inMs: 77 }))).toEqual([
      { due_ms: 1_000_077, attempt: 1, lease_owner: null },
    ]);
  });

  test("fails unexpectedly waits longer each time, and the failure is said", async () => {
    const said: unknown[] = [];
    const log: Log = { ...silentLog, error: (message, fields) => void said.push([message, fields?.["error"]]) };
    await add("one", "file", 0);
    db.raw.run("UPDATE job SET attempt = 2");
    expect(await once(() => Promise.reject(new TypeError("a bug")), log)).toEqual([
      { due_ms: 1_016_000, attempt: 3, lease_owner: null },
    ]);
    expect(said).toEqual([["job failed unexpectedly", "TypeError: a bug"]]);
    const odd = { toString: () => "not an error" };
    db.raw.run("UPDATE job SET due_ms = 0");
    await once(() => Promise.reject(odd as unknown as Error), log);
    expect(said.at(-1)).toEqual(["job failed unexpectedly", "not an error"]);
  });
});

test("a job that a dead process held runs again; often lost, it waits a little first", async () => {
  for (const subject of ["first", "often"]) await add("one", subject, 1);
  db.raw.run("UPDATE job SET lease_owner = 'dead', lease_ms = 9e15, attempt = iif(subject = 'often', 9, 1)");
  const { runner: jobs, started, nth } = runner(2);
  await using _jobs = jobs;
  await jobs.start();
  expect((await nth(0)).subject).toBe("first");
  expect(started).toHaveLength(1);
  expect(await jobs.stats()).toEqual([{ kind: "ingest", waiting: 1, running: 1 }]);
});

test("a lease that another took over is not ended by the one who lost it", async () => {
  await add("one", "file", 0);
  const rows = once(async () => {
    db.raw.run("UPDATE job SET lease_owner = 'another', attempt = 5");
    return { type: "done" };
  });
  expect(await rows).toMatchObject([{ lease_owner: "another", attempt: 5 }]);
});

test("kinds of which nothing waits are not asked for their tenants, however many jobs of another end", async () => {
  for (let i = 0; i < 20; i++) await add("one", String(i), 1);
  const asked = new Set<string>();
  let left = 20;
  const handler = (kind: JobHandler["kind"]): JobHandler => ({
    kind,
    concurrency: 2,
    run: async () => {
      left--;
      return { type: "done" };
    },
  });
  await using runner = new JobRunner({
    jobs: {
      ...storage.jobs,
      dueTenants: (kind, nowMs) => {
        asked.add(kind);
        return storage.jobs.dueTenants(kind, nowMs);
      },
    },
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    owner: "this run",
    handlers: [handler("ingest"), handler("migrate"), handler("purge_file"), handler("answer")],
  });
  await runner.start();
  await waitFor("all are done", () => left === 0 || undefined);
  expect([...asked]).toEqual(["ingest"]);
});

describe("it looks again at", () => {
  /** A runner of one place, and what it found to be due after each look: nothing makes it wait for the next poll. */
  function looking() {
    const found: (number | null)[] = [];
    const ends: (() => void)[] = [];
    const nextDueMs: typeof storage.jobs.nextDueMs = async (kinds) => {
      const due = await storage.jobs.nextDueMs(kinds);
      found.push(due);
      return due;
    };
    const runner = new JobRunner({
      jobs: { ...storage.jobs, nextDueMs },
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      owner: "this run",
      handlers: [
        {
          kind: "ingest",
          concurrency: 1,
          run: () => new Promise((resolve) => ends.push(() => resolve({ type: "done" }))),
        },
      ],
    });
    return { runner, found, ends };
  }

  test("work of its own kinds only, not at what a newer release left", async () => {
    await add("one", "later", 1);
    db.raw.run("UPDATE job SET due_ms = 9e15");
    db.raw.run(`INSERT INTO job (tenant_id, kind, subject, priority, due_ms, created_at)
      VALUES ('one', 'of a newer release', 'unknown', 0, 0, 0)`);
    const { runner, found } = looking();
    await using _runner = runner;
    await runner.start();
    await waitFor("it has looked", () => found.length > 0 || undefined);
    expect(found).toEqual([9e15]);
    expect(await runner.stats()).toContainEqual({ kind: "ingest", waiting: 1, running: 0 });
  });

  test("kinds that have a place free, and at the others when a job ends", async () => {
    for (const subject of ["1", "2"]) await add("one", subject, 1);
    const { runner, found, ends } = looking();
    await using _runner = runner;
    await runner.start();
    await waitFor("it has looked", () => found.length > 0 || undefined);
    expect([found, ends.length]).toEqual([[null], 1]);
    ends[0]?.();
    await waitFor("the other runs", () => ends.length === 2 || undefined);
    ends[1]?.();
    await waitFor("both are done", async () => (await runner.stats()).length === 0 || undefined);
  });
});

describe("beside other servers", () => {
  /** A runner among several, and the subjects of what it began. */
  function sharing() {
    const begun: string[] = [];
    const runner = new JobRunner({
      jobs: storage.jobs,
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      owner: "this run",
      shared: { everyMs: 10, lacking: () => [] },
      handlers: [
        {
          kind: "ingest",
          concurrency: 10,
          run: async ({ subject }) => {
            begun.push(subject);
            return { type: "done" };
          },
        },
      ],
    });
    return { runner, begun };
  }
  const leaseTo = (owner: string) => db.raw.run(`UPDATE job SET lease_owner = '${owner}', lease_ms = 9e15`);

  test("what a server that is gone had leased is taken over while this one runs", async () => {
    const { runner, begun } = sharing();
    await using _runner = runner;
    await runner.start();
    await add("one", "left", 1);
    leaseTo("gone");
    await waitFor("it is taken over", () => begun.length > 0 || undefined);
    expect(begun).toEqual(["left"]);
  });

  test("a job or a store that is cancelled is taken from whoever works on it", async () => {
    const revoked: string[] = [];
    const { jobs } = storage;
    const runner = new JobRunner({
      jobs: {
        ...jobs,
        revoke: async (...of) => void revoked.push(of.join(" ")),
        revokeStore: async (...of) => void revoked.push(of.join(" ")),
      },
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      owner: "this run",
      shared: { everyMs: 600_000, lacking: () => [] },
      handlers: [],
    });
    await using _runner = runner;
    await runner.start();
    runner.cancel("run", "run_1");
    // Whoever indexes a file that goes notices it by its row.
    runner.cancel("ingest", "7");
    runner.cancelStore("vs_1");
    await waitFor("both are told", () => revoked.length === 2 || undefined);
    expect(revoked).toEqual(["run run_1 this run", "vs_1 this run"]);
  });
});

describe("what a job begins with", () => {
  /** A runner of jobs that begin with one of `places`, which each tenant may have all of. */
  function leasing(places: number) {
    const running: { subject: string; lease: Disposable | null; end: () => void }[] = [];
    let free = places;
    const runner = new JobRunner({
      jobs: storage.jobs,
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      owner: "this run",
      handlers: [
        {
          kind: "ingest",
          concurrency: 10,
          lease() {
            if (free === 0) return null;
            free -= 1;
            let isHeld = true;
            return {
              [Symbol.dispose]() {
                if (isHeld) free += 1;
                isHeld = false;
              },
            };
          },
          run: (job, _signal, lease = null) =>
            new Promise((resolve) => {
              running.push({ subject: job.subject, lease, end: () => resolve({ type: "done" }) });
            }),
        },
      ],
    });
    const started = (count: number) =>
      waitFor(`${count} have started`, () => (running.length >= count ? running : undefined));
    return { runner, started, free: () => free };
  }

  test("is taken before its row, and given back when it ends", async () => {
    const { runner, started, free } = leasing(1);
    await using _runner = runner;
    for (const subject of ["1", "2"]) await add("a", subject, 0);
    await runner.start();
    const [first] = await started(1);
    expect([free(), (await runner.stats()).find(({ kind }) => kind === "ingest")]).toMatchObject([0, { waiting: 1 }]);
    first?.end();
    const [, second] = await started(2);
    expect(second?.subject).toBe("2");
    second?.end();
    await waitFor("all is given back", () => (free() === 1 ? true : undefined));
  });

  test("may be given back before the job ends, and another job begins with it", async () => {
    const { runner, started } = leasing(1);
    await using _runner = runner;
    for (const subject of ["1", "2"]) await add("a", subject, 0);
    await runner.start();
    const [first] = await started(1);
    first?.lease?.[Symbol.dispose]();
    runner.wake();
    for (const { end } of await started(2)) end();
  });
});
