/** A server that stands still while it works on files, until others have gone on with them, and then wakes up. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";

setDefaultTimeout(480_000);

const SMALL = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };
const FILES = 24;
const MOST_ROUNDS = 5;

describe.skipIf(lacks("PostgreSQL", hasPostgres))("a server that stands still", () => {
  let replicas: Replicas;
  beforeAll(async () => {
    // An answer that is waited for long holds nobody up: the lease is over before.
    replicas = await startReplicas(await testDatabase(), 2, { args: ["--log-level", "info"] });
  }, 240_000);
  afterAll(async () => await replicas?.[Symbol.asyncDispose]());

  /** Everything that ingests of a store write, with the transaction that wrote it. */
  const written = async (store: string) => {
    const files = `(SELECT seq FROM store_file WHERE store_id = '${store}')`;
    const chunks = `(SELECT id FROM chunk WHERE store_file IN ${files})`;
    const tables = [
      ["chunk", `store_file IN ${files}`],
      ["chunk_terms", `chunk_id IN ${chunks}`],
      ["vector", `chunk_id IN ${chunks}`],
      ["store_file", `store_id = '${store}'`],
      ["vector_store", `id = '${store}'`],
      ["ingest_hour", `store_id = '${store}'`],
    ] as const;
    const rows = ([table, of]: (typeof tables)[number]) => `SELECT '${table}' AS name, count(*)::int AS n,
      md5(string_agg(t.xmin::text || t::text, ',' ORDER BY t::text)) AS sum FROM ${table} t WHERE ${of}`;
    return await replicas.rows(`${tables.map(rows).join(" UNION ALL ")} ORDER BY name`);
  };

  /** A store into which files come that are `from` on. */
  const fill = async (server: TestServer, name: string, from: number, count: number) => {
    const { id: store } = await json<{ id: string }>(server, "POST", "/v1/vector_stores", { name });
    const ids: string[] = [];
    for (let i = from; i < from + count; i++) ids.push(await upload(server, `${i}.txt`, makeText(i, 60)));
    const body = { file_ids: ids, chunking_strategy: SMALL };
    await json(server, "POST", `/v1/vector_stores/${store}/file_batches`, body);
    return store;
  };

  test("is not waited for, and writes nothing of what was taken from it", async () => {
    const [paused, other] = replicas.servers;
    if (paused === undefined || other === undefined) throw new Error("two were started");
    const own = await replicas.idOf(paused);
    const leased = () => replicas.count(`job WHERE kind = 'ingest' AND lease_owner = '${own}'`);
    const lost = () => (paused.log().match(/its lease is lost/g) ?? []).length;
    const before: { store: string; rows: unknown }[] = [];
    // What it had under way when it was stopped may just have come to its end.
    for (let round = 0; round < MOST_ROUNDS && lost() === 0; round++) {
      const store = await fill(other, `paused ${round}`, round * FILES, FILES);
      await waitFor("it stands still with files under way", async () => {
        if ((await leased()) === 0) return undefined;
        process.kill(paused.pid, "SIGSTOP");
        if ((await leased()) > 0) return true;
        process.kill(paused.pid, "SIGCONT");
        return undefined;
      });
      await untilIndexed(other, store);
      expect(await leased()).toBe(0);
      before.push({ store, rows: await written(store) });
      process.kill(paused.pid, "SIGCONT");
      // It goes on with other work, which it does after what it had.
      await waitFor("it has let go of what it had", async () => {
        const { lanes } = await json<{ lanes: { busy: number; waiting: number }[] }>(paused, "GET", "/v1/admin/status");
        return lanes.every(({ busy, waiting }) => busy + waiting === 0) ? true : undefined;
      });
    }
    await other.stop();
    await untilIndexed(paused, await fill(paused, "late", 1000, 3));
    expect(lost()).toBeGreaterThan(0);
    for (const { store, rows } of before) {
      const path = `/v1/vector_stores/${store}`;
      const { file_counts } = await json<{ file_counts: Record<string, number> }>(paused, "GET", path);
      expect(file_counts).toEqual({ in_progress: 0, completed: FILES, failed: 0, cancelled: 0, total: FILES });
      expect(await written(store)).toEqual(rows as never);
    }
    // The database ended a transaction that stood still with it; nothing else went wrong.
    const failed = paused
      .log()
      .split("\n")
      .filter((line) => line.includes("job failed unexpectedly"));
    expect(failed.filter((line) => !line.includes("DatabaseAway"))).toEqual([]);
    console.log(`${lost()} files were under way in the one that stood still`);
  });
});
