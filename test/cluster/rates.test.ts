/** A limit of requests a minute holds over all servers together. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";

setDefaultTimeout(240_000);

const LIMIT = 60;
const REQUESTS = 200;
const SERVERS = 3;

describe.skipIf(lacks("PostgreSQL", hasPostgres))("requests a minute of one key", () => {
  let replicas: Replicas;
  beforeAll(async () => {
    replicas = await startReplicas(await testDatabase(), SERVERS);
  }, 240_000);
  afterAll(async () => await replicas?.[Symbol.asyncDispose]());

  test(`${REQUESTS} to ${SERVERS} servers, at ${LIMIT} a minute: that many pass, and what flows in meanwhile`, async () => {
    const [first] = replicas.servers;
    if (first === undefined) throw new Error("three were started");
    const body = { name: "limited", role: "read", quotas: { requests_per_minute: LIMIT } };
    const { key } = await json<{ key: string }>(first, "POST", "/v1/admin/keys", body);
    const from = performance.now();
    const asked = Array.from({ length: REQUESTS }, async (_, i) => {
      const url = `${replicas.servers[i % SERVERS]?.url}/v1/models`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
      await response.arrayBuffer();
      return { status: response.status, after: response.headers.get("retry-after") };
    });
    const answers = await Promise.all(asked);
    const flownIn = Math.ceil(((performance.now() - from) * LIMIT) / 60_000);
    const passed = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 429);
    expect(passed + refused.length).toBe(REQUESTS);
    // A lot of each server more, at most; on a machine so busy that more flows in meanwhile, that.
    expect(passed).toBeGreaterThanOrEqual(LIMIT);
    expect(passed).toBeLessThanOrEqual(LIMIT + Math.max(SERVERS * (LIMIT / 20), flownIn));
    for (const { after } of refused) expect(Number(after)).toBeGreaterThan(0);
    // Another key has no part in it.
    expect((await first.fetch("/v1/models")).status).toBe(200);
    console.log(`${passed} of ${REQUESTS} passed`);
  });

  test("are counted by nobody where there is no limit", async () => {
    const before = await replicas.count("rate");
    for (const server of replicas.servers) expect((await server.fetch("/v1/models")).status).toBe(200);
    expect(await replicas.count("rate")).toBe(before);
  });
});
