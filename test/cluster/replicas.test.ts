/**
 * Several servers over one database, one of which is killed while files are indexed, again and again: every file is
 * completed, once, and nobody has to ask for it. LECTERN_KILLS: how often (50 takes a while).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runLectern, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, QUESTIONS, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";

const KILLS = Number(process.env["LECTERN_KILLS"] ?? 3);
const FILES_A_KILL = 10;

setDefaultTimeout(480_000 + KILLS * 60_000);
const SMALL = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };

interface Status {
  replicas: { name: string; is_this: boolean; state: string; silent_seconds: number; clock_ahead_seconds: number }[];
  queues: { kind: string; waiting: number; running: number }[];
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("several servers that have one database", () => {
  let address: string;
  let replicas: Replicas;
  beforeAll(async () => {
    address = await testDatabase();
    replicas = await startReplicas(address, 3);
  }, 240_000);
  afterAll(async () => await replicas?.[Symbol.asyncDispose]());

  const at = (n: number): TestServer => {
    const server = replicas.servers[n % 3];
    if (server === undefined) throw new Error("no such server");
    return server;
  };
  const statusOf = (server: TestServer) => json<Status>(server, "GET", "/v1/admin/status");

  test("know of one another, and say so to their operator", async () => {
    for (const server of replicas.servers) {
      const { replicas: seen } = await statusOf(server);
      expect(seen.map(({ state }) => state)).toEqual(["there", "there", "there"]);
      expect(seen.filter(({ is_this }) => is_this)).toHaveLength(1);
      for (const { clock_ahead_seconds } of seen) expect(Math.abs(clock_ahead_seconds)).toBeLessThan(5);
    }
    const env = { LECTERN_DATABASE: address, LECTERN_DATA: `${at(0).dataDir}-none` };
    const { out } = await runLectern(["doctor", "--json"], { env });
    const { checks } = JSON.parse(out) as { checks: { name: string; state: string; detail: string }[] };
    const own = checks.filter(({ name }) => name === "replica");
    expect(own.map(({ state }) => state)).toEqual(["ok", "ok", "ok"]);
    for (const server of replicas.servers)
      expect(own.some(({ detail }) => detail.includes(`(process ${server.pid})`))).toBe(true);
  });

  test("made one first tenant, and one key", async () => {
    expect([await replicas.count("tenant"), await replicas.count("api_key")]).toEqual([1, 1]);
  });

  test(`lose one in the middle of an ingest, ${KILLS} times: all is completed, each file's chunks once`, async () => {
    const { id: store } = await json<{ id: string }>(at(0), "POST", "/v1/vector_stores", { name: "killed" });
    const path = `/v1/vector_stores/${store}`;
    let files = 0;
    let voided = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const ids: string[] = [];
      for (let i = 0; i < FILES_A_KILL; i++)
        ids.push(await upload(at(kill), `${files + i}.txt`, makeText(files + i, 10)));
      files += ids.length;
      const body = { file_ids: ids, chunking_strategy: SMALL };
      await json(at(kill + 1), "POST", `${path}/file_batches`, body);
      const victim = at(kill);
      // One that works on something, where it gets anything to do at all before the others are through.
      const leased = `job WHERE lease_owner = '${await replicas.idOf(victim)}'`;
      await waitFor("the one to be killed has work, or nobody has any", async () => {
        if ((await replicas.count(leased)) > 0) return true;
        return (await replicas.count("job")) === 0 ? true : undefined;
      });
      await victim.kill();
      voided += await replicas.count(leased);
      await untilIndexed(at(kill + 1), store);
      // Nobody starts it before: the others have finished without it.
      await replicas.start(kill % 3);
    }
    const { file_counts } = await json<{ file_counts: Record<string, number> }>(at(0), "GET", path);
    expect(file_counts).toEqual({ in_progress: 0, completed: files, failed: 0, cancelled: 0, total: files });
    const twice = "SELECT store_file, idx FROM chunk GROUP BY store_file, revision, idx HAVING count(*) > 1";
    expect(await replicas.rows(twice)).toEqual([]);
    // Every file has all its chunks, each with its vector, and the store's counts are their sums.
    const wrong = `SELECT f.seq::int, f.n_chunks::int, count(c.id)::int AS chunks, count(v.chunk_id)::int AS vectors
      FROM store_file f LEFT JOIN chunk c ON c.store_file = f.seq AND c.revision = f.revision
      LEFT JOIN vector v ON v.chunk_id = c.id GROUP BY f.seq, f.n_chunks
      HAVING f.n_chunks <> count(c.id) OR count(c.id) <> count(v.chunk_id) OR f.n_chunks = 0`;
    expect(await replicas.rows(wrong)).toEqual([]);
    const sums = `SELECT s.n_chunks = sum(f.n_chunks) AND s.n_completed = count(*) AS same
      FROM vector_store s JOIN store_file f ON f.store_id = s.id GROUP BY s.seq, s.tenant_id`;
    expect(await replicas.rows(sums)).toEqual([{ same: true }]);
    await waitFor("no job is left", async () => ((await replicas.count("job")) === 0 ? true : undefined));
    expect((await search(at(1), store, { query: QUESTIONS[0], max_num_results: 5 })).length).toBe(5);
    console.log(`killed ${KILLS} times, ${files} files, ${voided} jobs taken over, none lost, none twice`);
  });
});
