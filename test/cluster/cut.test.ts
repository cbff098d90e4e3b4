/**
 * One of two servers is cut off from their database as by a pulled plug: it answers 503 and hangs nowhere, the other one
 * notices nothing, and when the plug is in again all is well without anybody's doing.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { LECTERN, plainEnv, TEST_KEY, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, untilIndexed } from "../migrate/corpus.ts";
import { mayMakeNamespaces, type Namespace, startNamespace } from "./servers/namespace.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";

setDefaultTimeout(240_000);

const TIMEOUT_S = 4;
/** Beyond it: the watchdog looks twenty times in it, and the machine has other work. */
const SLACK_MS = 8000;
/** Requests that wait for the database in vain, of each kind. */
const AT_ONCE = 4;

interface Told {
  status: number;
  ms: number;
  text: string;
}

describe.skipIf(lacks("postgres", hasPostgres) || lacks("the right to make networks", mayMakeNamespaces()))(
  "a server that is cut off from the database",
  () => {
    let network: Namespace;
    let database: PostgresServer;
    let replicas: Replicas;
    let far: TestServer;
    let near: TestServer;
    let store: string;

    beforeAll(async () => {
      network = startNamespace();
      database = await startPostgres({ settings: { listen_addresses: "*" } });
      const args = ["--database-timeout", String(TIMEOUT_S)];
      replicas = await startReplicas(database.url(), 1, { args });
      near = replicas.servers[0] as TestServer;
      far = await replicas.start(1, {
        address: database.url().replace("127.0.0.1", network.near),
        command: [...network.prefix, ...LECTERN],
      });
      store = (await json<{ id: string }>(near, "POST", "/v1/vector_stores", { name: "s" })).id;
    }, 240_000);
    afterAll(async () => {
      await replicas?.[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      await network?.[Symbol.asyncDispose]();
    });

    /** Requests from within its network, all at once. */
    const askFar = async (...requests: { path: string; method?: string; body?: unknown }[]): Promise<Told[]> => {
      const script = `const told = await Promise.all(${JSON.stringify(requests)}.map(async ({ path, method, body }) => {
        const from = performance.now();
        const headers = { authorization: "Bearer ${TEST_KEY}", "content-type": "application/json" };
        const response = await fetch("${far.url}" + path, { method, headers, body: body && JSON.stringify(body) });
        const text = await response.text();
        return { status: response.status, ms: performance.now() - from, text };
      })); console.log(JSON.stringify(told));`;
      const child = Bun.spawn([...network.prefix, process.execPath, "-e", script], {
        env: plainEnv(),
        stdout: "pipe",
        stderr: "inherit",
      });
      return JSON.parse(await child.stdout.text()) as Told[];
    };
    const requests = () =>
      Array.from({ length: AT_ONCE }, () => [
        { path: `/v1/vector_stores/${store}` },
        { path: "/v1/vector_stores", method: "POST", body: { name: "in vain" } },
        { path: `/v1/vector_stores/${store}/search`, method: "POST", body: { query: "which river" } },
      ]).flat();
    const isReady = async (wanted: number) =>
      await waitFor(`readiness is ${wanted}`, async () => {
        const [{ status } = { status: 0 }] = await askFar({ path: "/readyz" });
        return status === wanted ? true : undefined;
      });

    test("says 503 within the timeout, and the other one goes on; then all is well by itself", async () => {
      await isReady(200);
      network.cut();
      const cut = askFar(...requests());
      // Meanwhile, and until the first knows it is away.
      const durations: number[] = [];
      const over = new AbortController();
      const working = (async () => {
        while (!over.signal.aborted || durations.length < 20) {
          const from = performance.now();
          await json(near, "POST", "/v1/vector_stores", { name: `w-${durations.length}` });
          durations.push(performance.now() - from);
        }
      })();
      for (const { status, ms, text } of await cut) {
        expect([status, text]).toEqual([503, expect.stringContaining("storage_unavailable")]);
        expect(ms).toBeLessThan(TIMEOUT_S * 1000 + SLACK_MS);
      }
      await isReady(503);
      expect((await askFar({ path: "/healthz" }))[0]?.status).toBe(200);
      const again = await askFar(...requests());
      for (const { status, ms } of again) expect([status, ms < TIMEOUT_S * 1000]).toEqual([503, true]);
      // Files that come now are the other one's to do.
      const file = await upload(near, "during.txt", makeText(1, 20));
      await json(near, "POST", `/v1/vector_stores/${store}/files`, { file_id: file });
      await untilIndexed(near, store);
      over.abort();
      await working;
      expect(Math.max(...durations)).toBeLessThan(TIMEOUT_S * 1000);
      network.mend();
      await isReady(200);
      for (const { status } of await askFar(...requests())) expect(status).toBe(200);
      const names = await database.query("SELECT count(*)::int AS n FROM vector_store WHERE name = 'in vain'");
      // Those of the last round alone.
      expect(names).toEqual([{ n: AT_ONCE }]);
      console.log(
        `the other one made ${durations.length} stores meanwhile, the slowest in ${Math.round(Math.max(...durations))} ms`,
      );
    });
  },
);
