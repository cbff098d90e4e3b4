import { expect, test } from "bun:test";
import { threads } from "./worker-link.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";
import type { FixtureMethods } from "./worker-pool.fixture.ts";

function pool(options: { size?: number; terminable?: boolean } = {}): WorkerPool<FixtureMethods> {
  const { size = 1, terminable = true } = options;
  const url = new URL("./worker-pool.fixture.ts", import.meta.url);
  return createWorkerPool<FixtureMethods>({
    start: threads(url),
    size,
    terminable,
    init: { greeting: "hello" },
    name: "test",
  });
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return error !== null && typeof error === "object" && "reason" in error ? String(error.reason) : String(error);
  }
}

test("a worker is initialised before its first call and keeps its state between calls", async () => {
  await using workers = pool();
  expect(await workers.call("echo", "you")).toBe("hello you");
  expect([await workers.call("count", null), await workers.call("count", null)]).toEqual([1, 2]);
});

test("what a handler throws arrives with name and message, and the worker lives on", async () => {
  await using workers = pool();
  await workers.call("count", null);
  const failure = workers.call("fail", "no good");
  expect(await failure.catch((error: Error) => `${error.name}: ${error.message}`)).toBe("TypeError: no good");
  expect(await workers.call("count", null)).toBe(2);
});

test("what the system refuses in a worker arrives with its code and call, to be told as what it is", async () => {
  await using workers = pool();
  const failure = await workers.call("fail", "/nowhere").catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "ENOENT", syscall: "scandir" });
});

test("a call past its deadline costs its worker, not the pool", async () => {
  await using workers = pool();
  await workers.call("count", null);
  expect(await reasonOf(workers.call("spin", null, { deadlineMs: 50 }))).toBe("deadline");
  expect(await workers.call("count", null)).toBe(1);
  expect(workers.stats().restarts).toBe(1);
});

test("an abort ends a running call and takes a waiting one out of the queue", async () => {
  await using workers = pool();
  const running = new AbortController();
  const waiting = new AbortController();
  const spin = workers.call("spin", null, { signal: running.signal });
  const queued = workers.call("echo", "never", { signal: waiting.signal });
  waiting.abort();
  expect(await reasonOf(queued)).toBe("aborted");
  running.abort();
  expect(await reasonOf(spin)).toBe("aborted");
  expect(await workers.call("echo", "again")).toBe("hello again");
});

test("a session keeps its worker to itself", async () => {
  await using workers = pool({ size: 2 });
  const counts = await Promise.all(
    [0, 1].map(() =>
      workers.session(async (worker) => [
        await worker.call("count", null),
        await worker.call("count", null),
        await worker.call("count", null),
      ]),
    ),
  );
  expect(counts).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test("a cooperative pool answers what runs before it ends, and refuses what waits", async () => {
  const workers = pool({ terminable: false });
  const running = workers.call("later", 30);
  const waiting = reasonOf(workers.call("echo", "late"));
  await workers[Symbol.asyncDispose]();
  expect(await running).toBe("finished");
  expect(await waiting).toBe("closed");
  expect(await reasonOf(workers.call("echo", "later still"))).toBe("closed");
});

test("a worker that ends by itself rejects its call and is replaced", async () => {
  await using workers = pool();
  expect(await reasonOf(workers.call("die", null))).toBe("crashed");
  expect(await workers.call("echo", "again")).toBe("hello again");
});

test("a call in the turn of the close starts no worker that may be ended at any time", async () => {
  const workers = pool();
  const call = reasonOf(workers.call("echo", "you"));
  await workers[Symbol.asyncDispose]();
  expect(await call).toBe("closed");
});
