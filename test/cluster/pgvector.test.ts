/**
 * Stores that PostgreSQL searches itself, by its extension pgvector, as users run it and with the official client: what two
 * servers answer is what one with its indexes in memory answers, whatever is done to the store at either of them.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { toFile } from "openai";
import { json, newStore, NOTHING_LEFT, search } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runSeed } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, makeText, migrationEnd, QUESTIONS, startMigration } from "../migrate/corpus.ts";
import { hasPgvector, PGVECTOR, vectorDatabase } from "./servers/pgvector.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";
import { Story } from "./story.ts";

setDefaultTimeout(480_000);

const FORCED = ["--pgvector-from", "0"];
const FILES = 10;
const SMALL = { type: "static" as const, static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 20 } };

async function fill({ client }: TestServer): Promise<string> {
  const store = await client.vectorStores.create({ name: "a" });
  for (let i = 0; i < FILES; i++) {
    const file = await client.files.create({
      file: await toFile(Buffer.from(makeText(i, 6)), `${i}.md`),
      purpose: "assistants",
    });
    await client.vectorStores.files.createAndPoll(store.id, {
      file_id: file.id,
      attributes: { n: i, even: i % 2 === 0, name: `file ${i}` },
      chunking_strategy: SMALL,
    });
  }
  return store.id;
}

const FILTERS = [
  {},
  { filters: { type: "eq", key: "even", value: true } },
  {
    filters: {
      type: "and",
      filters: [
        { type: "gt", key: "n", value: 2 },
        { type: "ne", key: "name", value: "file 4" },
      ],
    },
  },
];

async function found(server: TestServer, store: string): Promise<unknown> {
  const answers: unknown[] = [];
  for (const query of QUESTIONS)
    for (const more of FILTERS) {
      const hits = await search(server, store, { query, max_num_results: 12, ...more });
      const least = hits.at(-1)?.score ?? 0;
      // Which of equal ones is the last is chance.
      const sure = hits.filter(({ score }) => hits.length < 12 || score > least);
      sure.sort((a, b) => b.score - a.score || Bun.inspect(a.content).localeCompare(Bun.inspect(b.content)));
      answers.push(sure.map(({ filename, score, attributes, content }) => ({ filename, score, attributes, content })));
    }
  return answers;
}

describe.skipIf(lacks(PGVECTOR, hasPgvector))("two servers whose stores PostgreSQL searches", () => {
  let replicas: Replicas;

  beforeAll(
    async () =>
      void (replicas = await startReplicas(await vectorDatabase(), 2, { args: FORCED, prepare: addSecondModel })),
    240_000,
  );
  afterAll(async () => await replicas?.[Symbol.asyncDispose]());

  const at = (n: number): TestServer => {
    const server = replicas.servers[n];
    if (server === undefined) throw new Error("two were started");
    return server;
  };
  const inMemory = async (server: TestServer) =>
    (await json<{ indexes: { open: number } }>(server, "GET", "/v1/admin/status").catch(() => null))?.indexes.open;
  const tables = () => replicas.count("lectern_engine.generation");

  test("answer as a server with its indexes in memory does, and have none there", async () => {
    using dir = tempDir();
    await using alone = await startServer({ dataDir: dir.join("data") });
    const [own, store] = [await fill(alone), await fill(at(0))];
    const wanted = await found(alone, own);
    for (const n of [0, 1]) expect(await found(at(n), store)).toEqual(wanted);
    for (const n of [0, 1]) expect([undefined, 0]).toContain(await inMemory(at(n)));
    expect(await tables()).toBeGreaterThan(0);
  });

  test("never find too little or too much, whatever is done at either", async () => {
    const store = await newStore(at(0));
    const seed = runSeed("operations on two servers and pgvector");
    const stories = ["a", "b"].map((name, i) => new Story(name, replicas.servers, { store, seed: seed + i }));
    await Promise.all(
      stories.map(async (story) => {
        for (let i = 0; i < 60; i++) await story.step();
      }),
    );
    for (const story of stories) for (const server of replicas.servers) await story.checkAll(server);
    for (const server of replicas.servers) expect(server.log()).not.toContain('"level":"error"');
  });

  test("go over to another model in one step, and back", async () => {
    const store = await fill(at(0));
    const before = await found(at(1), store);
    const { id } = await startMigration(at(0), store);
    await migrationEnd(at(1), store, id);
    const after = await found(at(1), store);
    expect(after).not.toEqual(before);
    expect(await found(at(0), store)).toEqual(after);
    await json(at(1), "POST", `/v1/vector_stores/${store}/migrations/${id}/rollback`, {});
    await migrationEnd(at(0), store, id, (status) => status === "rolled_back");
    expect(await found(at(0), store)).toEqual(before);
    expect(await found(at(1), store)).toEqual(before);
  });

  test("go on when one of them is killed while the other writes", async () => {
    const { client } = at(1);
    const store = await newStore(at(1));
    const uploads = Array.from({ length: 8 }, async (_, i) => {
      const file = await client.files.create({
        file: await toFile(Buffer.from(makeText(i, 8)), `${i}.md`),
        purpose: "assistants",
      });
      await client.vectorStores.files.create(store, { file_id: file.id });
      return await search(at(1), store, { query: QUESTIONS[0] ?? "", max_num_results: 50 });
    });
    await uploads[0];
    await at(0).kill();
    await Promise.all(uploads);
    await waitFor("all are there", async () =>
      (await client.vectorStores.retrieve(store)).file_counts.completed === 8 ? true : undefined,
    );
    const names = async () =>
      new Set(
        (await search(at(1), store, { query: "the", search_mode: "vector", max_num_results: 50 })).map(
          (hit) => hit.filename,
        ),
      );
    await waitFor("all are found", async () => ((await names()).size === 8 ? true : undefined));
    await replicas.start(0);
  });

  test("leave nothing of what is deleted", async () => {
    const store = await fill(at(0));
    await found(at(1), store);
    const { data } = await json<{ data: { id: string }[] }>(at(0), "GET", `/v1/vector_stores/${store}/files`);
    const deleted = [data[0]?.id ?? "", store];
    await json(at(0), "DELETE", `/v1/files/${deleted[0]}`);
    await json(at(1), "DELETE", `/v1/vector_stores/${store}`);
    for (const id of deleted) {
      const receipt = await waitFor(
        `the deletion of ${id} is complete`,
        async () => {
          const list = await json<{ data: { id: string; subject: { id: string }; completed_at: number | null }[] }>(
            at(0),
            "GET",
            "/v1/admin/deletions?limit=100",
          );
          return list.data.find(({ subject, completed_at: at }) => subject.id === id && at !== null);
        },
        60_000,
      );
      const { remaining } = await json<{ remaining: unknown }>(
        at(1),
        "POST",
        `/v1/admin/deletions/${receipt.id}/verify`,
      );
      expect(remaining).toEqual(NOTHING_LEFT);
    }
    expect(await replicas.count(`lectern_engine.generation WHERE store_id = '${store}'`)).toBe(0);
  });
});

describe.skipIf(lacks(PGVECTOR, hasPgvector))("a database that has pgvector where the tables are to be", () => {
  test("is refused at the first start, with the way out", async () => {
    const address = await vectorDatabase();
    const sql = new SQL(address, { max: 1 });
    await sql.unsafe("ALTER EXTENSION vector SET SCHEMA public");
    await expect(startReplicas(address, 1)).rejects.toThrow("ALTER EXTENSION vector SET SCHEMA pgvector");
    await sql.unsafe("ALTER EXTENSION vector SET SCHEMA pgvector");
    await sql.close({ timeout: 0 });
    await using replicas = await startReplicas(address, 1);
    expect(replicas.servers).toHaveLength(1);
  });
});

describe.skipIf(lacks("PostgreSQL", hasPostgres))("a database without pgvector", () => {
  test("is served from memory, and the log says what is missing", async () => {
    await using replicas = await startReplicas(await testDatabase(), 1, { args: FORCED });
    const [server] = replicas.servers;
    if (server === undefined) throw new Error("one was started");
    const store = await newStore(server);
    await json(server, "POST", `/v1/vector_stores/${store}/embeddings`, { content: "the lamp of the harbour" });
    expect(await search(server, store, { query: "lamp" })).toHaveLength(1);
    expect(server.log()).toContain("CREATE EXTENSION vector SCHEMA pgvector");
  });
});
