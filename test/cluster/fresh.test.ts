/**
 * Two servers on one database, a client at each: what one of them has acknowledged, a search at the other finds, and what
 * was deleted it does not. FRESH_OPERATIONS says how many operations (300 unless set), each followed by searches on the
 * other side. Some clients go on at the same time with files of their own in the same store, so that what one server
 * commits, what it hears of the other and what is asked of it meet in one index.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, newStore, search } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runSeed } from "../helpers/random.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { startReplicas } from "./servers/replicas.ts";
import { Story } from "./story.ts";

const OPERATIONS = Number(process.env["FRESH_OPERATIONS"] ?? 300);
const CLIENTS = 3;

setDefaultTimeout(120_000 + OPERATIONS * 2_000);

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test(`never find too little or too much in ${OPERATIONS} operations`, async () => {
    await using replicas = await startReplicas(await testDatabase(), 2);
    const { servers } = replicas;
    const store = await newStore(servers[0]!);
    const seed = runSeed("operations on two servers");
    const stories = Array.from(
      { length: CLIENTS },
      (_, i) => new Story("abc"[i] ?? "", servers, { store, seed: seed + i }),
    );
    await Promise.all(
      stories.map(async (story) => {
        for (let i = 0; i < OPERATIONS / CLIENTS; i++) await story.step();
      }),
    );
    for (const story of stories) for (const server of servers) await story.checkAll(server);
    console.log(`operations: ${stories.map(({ counts }) => JSON.stringify(counts)).join(" ")}`);
    for (const server of servers) expect(server.log()).not.toContain('"level":"error"');
  });

  test("see a store go, and its index's kind change", async () => {
    await using replicas = await startReplicas(await testDatabase(), 2);
    const [a, b] = [replicas.servers[0]!, replicas.servers[1]!];
    const store = await newStore(a);
    const path = `/v1/vector_stores/${store}`;
    await json(a, "POST", `${path}/embeddings`, { content: "the lamp of the harbour" });
    expect(await search(b, store, { query: "lamp" })).toHaveLength(1);
    await json(a, "POST", path, { index_type: "exact" });
    expect(await search(b, store, { query: "lamp" })).toHaveLength(1);
    await json(a, "DELETE", path);
    const answer = await b.fetch(`${path}/search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "lamp" }),
    });
    expect(answer.status).toBe(404);
  });
});
