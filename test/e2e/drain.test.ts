/** A server that is told to stop, and the load balancer in front of it: the port is closed when nobody sends requests there. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { hasHaproxy, runHaproxy } from "../cluster/servers/haproxy.ts";
import { freePort } from "../cluster/servers/process.ts";
import { addText, newStore, search } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { ROOT, startOne, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

const ready = async (server: TestServer) => (await server.fetch("/readyz")).status;
const untilLeaving = (server: TestServer) =>
  waitFor("it is not ready", async () => ((await ready(server)) === 503 ? true : undefined));

test("with a delay it is not ready after SIGTERM, and serves what comes; a second SIGTERM ends the delay", async () => {
  await using server = await startOne({ args: ["--drain-delay", "600"] });
  const store = await newStore(server, { name: "sea" });
  const waiting = server.fetch(`/v1/vector_stores/${store}/events`);
  process.kill(server.pid, "SIGTERM");
  await untilLeaving(server);
  const { checks } = (await (await server.fetch("/readyz")).json()) as { checks: Record<string, string> };
  expect(checks).toEqual({
    stopping: "the server is stopping",
    disk: "ok",
    database: "ok",
    model: "ok",
    accepting: "ok",
  });
  // Writes, what goes on in the background, and searches.
  await addText(server, store, "tides.txt", "Tides rise twice a day.");
  expect((await search(server, store, { query: "tides" }))[0]?.filename).toBe("tides.txt");
  const stream = (await waiting).body?.getReader();
  expect((await stream?.read())?.done).toBe(false);
  expect(server.log()).toContain("not ready any more");
  expect(await server.stop()).toBe(0);
  expect(server.log()).toContain('"message":"stopped"');
}, 240_000);

test("the delay ends by itself; without one the port is closed at once", async () => {
  await using delayed = await startOne({ args: ["--drain-delay", "1"] });
  const startedMs = performance.now();
  expect(await delayed.stop()).toBe(0);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1000);
  expect(delayed.log()).toContain("not ready any more");
  await using prompt = await startOne();
  expect(await prompt.stop()).toBe(0);
  expect(prompt.log()).not.toContain("not ready any more");
}, 240_000);

test("Ctrl-C leaves the delay out", async () => {
  await using server = await startOne({ args: ["--drain-delay", "600"] });
  process.kill(server.pid, "SIGINT");
  await waitFor("the port is closed", () =>
    server.fetch("/healthz").then(
      () => undefined,
      () => true,
    ),
  );
  expect(server.log()).not.toContain("not ready any more");
}, 240_000);

test.skipIf(lacks("haproxy", hasHaproxy))(
  "behind HAProxy, as the example has it, no client notices that one of two is stopped",
  async () => {
    await using first = await startOne({ args: ["--drain-delay", "6"] });
    await using second = await startOne({ args: ["--drain-delay", "6"] });
    const port = freePort();
    await using _balancer = await runHaproxy(await exampleOf(port, [first, second]), port);
    const ask = () =>
      fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { authorization: `Bearer ${first.key}` } }).then(
        async (answer) => (await answer.text(), answer.status),
        () => 0,
      );
    await waitFor("both are asked", async () => ((await ask()) === 200 ? true : undefined));
    const seen = new Map<number, number>();
    const over = new AbortController();
    const clients = Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted) {
        const status = await ask();
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
    });
    expect(await first.stop()).toBe(0);
    const atStop = seen.get(200) ?? 0;
    await waitFor("the other one is asked", () => ((seen.get(200) ?? 0) > atStop + 10 ? true : undefined));
    over.abort();
    await Promise.all(clients);
    expect([...seen.keys()]).toEqual([200]);
  },
  240_000,
);

/** The part of docs/deploy/haproxy.cfg that leads to Lecterns, with a port and servers of this machine. */
async function exampleOf(port: number, servers: readonly [TestServer, TestServer]): Promise<string> {
  const text = await Bun.file(join(ROOT, "docs/deploy/haproxy.cfg")).text();
  const [head = ""] = text.split("listen postgres");
  const ports = servers.map(({ url }) => new URL(url).port);
  return `${head}listen lectern${text.split("listen lectern")[1] ?? ""}`
    .replace("0.0.0.0:8080", `127.0.0.1:${port}`)
    .replace("10.0.0.21:8080", `127.0.0.1:${ports[0]}`)
    .replace("10.0.0.22:8080", `127.0.0.1:${ports[1]}`);
}
