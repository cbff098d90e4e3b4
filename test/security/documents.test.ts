/** Documents that cost more than they may: what becomes of the server, of other documents and of other tenants. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { json, newStore, settled, upload } from "../helpers/api.ts";
import { memoryOf } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";
import { lacks } from "../helpers/lacks.ts";

const LINUX = process.platform === "linux";
/** Takes a worker for many seconds, honestly. */
const slowText = (mib: number) => {
  const lines = Array.from({ length: 2_000 }, (_, i) => `Line ${i} of ${i * 7919}: on refunds, returns and shipping.`);
  return `${lines.join("\n")}\n`.repeat(mib * 10);
};

/** Processes that a process has started and that live. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(parent) === pid && state !== "Z" ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const lives = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
};

async function tenant(server: TestServer, name: string): Promise<{ server: TestServer; store: string }> {
  const tenant_id = await newTenant(server, name);
  const own = as(server, (await newKey(server, { tenant_id })).key);
  return { server: own, store: await newStore(own) };
}

const attach = async ({ server, store }: { server: TestServer; store: string }, name: string, content: string) => {
  const file_id = await upload(server, name, content);
  await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id });
  return file_id;
};

const busyLane = (server: TestServer, count: number) =>
  waitFor("the parse lane is at work", async () => {
    const { lanes } = await json<{ lanes: { name: string; busy: number }[] }>(server, "GET", "/v1/admin/status");
    return (lanes.find(({ name }) => name === "parse")?.busy ?? 0) >= count ? true : undefined;
  });

test.skipIf(lacks("Linux, to look at processes", LINUX))(
  "a server that is killed leaves no process, however busy",
  async () => {
    const server = await startServer({ args: ["--parse-workers", "2"] });
    const store = await newStore(server);
    for (const name of ["a.txt", "b.txt"]) await attach({ server, store }, name, slowText(8));
    await busyLane(server, 2);
    const children = childrenOf(server.pid);
    expect(children.length).toBeGreaterThanOrEqual(2);
    await server.kill();
    await waitFor("all of its processes have ended", () => (children.some(lives) ? undefined : true), 2_000);
  },
);

test.skipIf(lacks("Linux, to look at processes", LINUX))("a server that is stopped leaves no process", async () => {
  const server = await startServer();
  const store = await newStore(server);
  await attach({ server, store }, "a.txt", slowText(8));
  await busyLane(server, 1);
  const children = childrenOf(server.pid);
  expect(await server.stop()).toBe(0);
  expect(children.filter(lives)).toEqual([]);
});

test("a document that takes too much memory is the only one to fail, and the server does not grow", async () => {
  await using server = await startServer({
    args: ["--parse-memory-mb", "64", "--max-file-text-mb", "64", "--parse-workers", "2"],
  });
  const [bad, good] = [await tenant(server, "bad"), await tenant(server, "good")];
  const large = await attach(bad, "large.txt", slowText(40));
  const before = LINUX ? memoryOf(server.pid).residentBytes : 0;
  const small = await attach(good, "small.txt", "A small text.");
  expect((await settled(good.server, good.store, small)).status).toBe("completed");
  const failed = await settled(bad.server, bad.store, large);
  expect(failed).toMatchObject({
    status: "failed",
    last_error: { code: "invalid_file", message: "The file could not be parsed because it is too large." },
  });
  if (LINUX) expect(memoryOf(server.pid).peakBytes - before).toBeLessThan(256 * 2 ** 20);
  const next = await attach(bad, "next.txt", "The next text.");
  expect((await settled(bad.server, bad.store, next)).status).toBe("completed");
});

test.each([1, 2])("slow documents in %i workers do not hold up another tenant's small one", async (workers) => {
  await using server = await startServer({ args: ["--parse-workers", String(workers)] });
  const [slow, quick] = [await tenant(server, "slow"), await tenant(server, "quick")];
  for (let i = 0; i < workers + 3; i++) await attach(slow, `${i}.txt`, slowText(20));
  await busyLane(server, workers);
  const startedAt = performance.now();
  const small = await attach(quick, "small.txt", "A small text.");
  expect((await settled(quick.server, quick.store, small)).status).toBe("completed");
  const waitedMs = performance.now() - startedAt;
  console.log(`${workers} workers full of slow documents: another tenant's file took ${waitedMs.toFixed(0)} ms`);
  // The start of a process is part of it. Behind the slow ones it would be a minute.
  expect(waitedMs).toBeLessThan(5_000);
});

test.skipIf(lacks("Linux, to look at processes", LINUX))(
  "processes of documents have no secret, no socket but their channel, and go before the server",
  async () => {
    await using server = await startServer();
    const store = await newStore(server);
    expect((await settled(server, store, await attach({ server, store }, "a.txt", "A text."))).status).toBe(
      "completed",
    );
    const [child] = childrenOf(server.pid);
    expect(readFileSync(`/proc/${child}/environ`, "latin1")).not.toMatch(/LECTERN|administrator/);
    expect(Number(readFileSync(`/proc/${child}/oom_score_adj`, "latin1"))).toBeGreaterThanOrEqual(500);
    const metrics = await (await server.fetch("/metrics")).text();
    expect(Number(/^lectern_worker_resident_bytes (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(10 * 2 ** 20);
  },
);

test("it does without what the system does not have", async () => {
  await using server = await startServer({ env: { PATH: "/nowhere" } });
  const store = await newStore(server);
  expect((await settled(server, store, await attach({ server, store }, "a.txt", "A text."))).status).toBe("completed");
});
