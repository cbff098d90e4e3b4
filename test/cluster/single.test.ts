/**
 * One server on PostgreSQL, as users run it and with the official client: everything that it answers is what a server on
 * SQLite answers to the same, and what it has taken is there after a kill.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { toFile } from "openai";
import type OpenAI from "openai";
import { json, refusal, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, migrationEnd, QUESTIONS, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";

setDefaultTimeout(480_000);

const FILES = 12;
const SMALL = { type: "static" as const, static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 20 } };

/** A server with a store of files in it, whichever database it stands on. */
interface Desk extends AsyncDisposable {
  readonly server: TestServer;
  readonly args: string[];
  readonly dir: TempDir;
  store: string;
  readonly files: string[];
  restart(): Promise<void>;
}

async function openDesk(database: string | null): Promise<Desk> {
  const dir = tempDir();
  const args = ["--log-level", "warn", ...(database === null ? [] : ["--database", database])];
  const start = () => startServer({ dataDir: dir.join("data"), args });
  let server = await start();
  return {
    get server() {
      return server;
    },
    args,
    dir,
    store: "",
    files: [],
    async restart() {
      await server.kill();
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

async function fill(desk: Desk): Promise<void> {
  const { client } = desk.server;
  for (let i = 0; i < FILES; i++) {
    const name = `${"BbAaCc"[i % 6]}-${i}.md`;
    const file = await client.files.create({
      file: await toFile(Buffer.from(makeText(i, 6)), name),
      purpose: "assistants",
    });
    desk.files.push(file.id);
  }
  const store = await client.vectorStores.create({ name: "Ünïcode %_* [x]", metadata: { of: "the test" } });
  desk.store = store.id;
  const [first = "", ...others] = desk.files;
  await client.vectorStores.files.createAndPoll(store.id, {
    file_id: first,
    attributes: { n: 0, even: true, name: "zero" },
    chunking_strategy: SMALL,
  });
  const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, {
    file_ids: others.slice(0, 6),
    attributes: { n: 1, even: false },
    chunking_strategy: SMALL,
  });
  expect(batch.file_counts).toEqual({ in_progress: 0, completed: 6, failed: 0, cancelled: 0, total: 6 });
  for (const [i, id] of others.slice(6).entries())
    await client.vectorStores.files.create(store.id, {
      file_id: id,
      attributes: { n: i + 2, even: i % 2 === 0 },
      chunking_strategy: SMALL,
    });
  await untilIndexed(desk.server, store.id);
}

/**
 * What is found for every question, without what is of this server alone: which of equal ones comes first is of the order
 * in which files were done, and so is which of the last ones is still among them.
 */
async function found({ server, store }: Desk, more: Record<string, unknown> = {}): Promise<unknown> {
  const answers: unknown[] = [];
  for (const query of QUESTIONS) {
    const hits = await search(server, store, { query, max_num_results: 12, ...more });
    const least = hits.at(-1)?.score ?? 0;
    const sure = hits.filter(({ score }) => hits.length < 12 || score > least);
    sure.sort((x, y) => y.score - x.score || Bun.inspect(x.content).localeCompare(Bun.inspect(y.content)));
    answers.push(sure.map(({ filename, score, attributes, content }) => ({ filename, score, attributes, content })));
  }
  return answers;
}

async function names({ server, store }: Desk, query: string): Promise<unknown[]> {
  const all: string[] = [];
  for (let after = ""; ;) {
    const path = `/v1/vector_stores/${store}/files?limit=5${query}${after}`;
    const page = await json<{ data: { id: string }[]; has_more: boolean; last_id: string }>(server, "GET", path);
    for (const { id } of page.data) all.push((await server.client.files.retrieve(id)).filename);
    if (!page.has_more) return all;
    after = `&after=${page.last_id}`;
  }
}

async function chunking(desk: Desk, tokens: number): Promise<string> {
  const { server, store } = desk;
  const strategy = { type: "static", static: { max_chunk_size_tokens: tokens, chunk_overlap_tokens: 0 } };
  const body = { embedding_model: "lectern-embed-en", chunking_strategy: strategy };
  const { id } = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${store}/migrate`, body);
  const end = await migrationEnd(server, store, id, (status) => status === "completed" || status === "failed");
  expect(end).toMatchObject({ status: "completed" });
  return id;
}

async function response({ server, store }: Desk, background: boolean): Promise<unknown> {
  const tools = [{ type: "file_search" as const, vector_store_ids: [store] }];
  const input = QUESTIONS[0] ?? "";
  let answer: OpenAI.Responses.Response = await server.client.responses.create({
    model: "gpt-4o",
    input,
    tools,
    background,
  });
  answer = await waitFor("the answer ends", async () => {
    const now = await server.client.responses.retrieve(answer.id);
    return now.status === "queued" || now.status === "in_progress" ? undefined : now;
  });
  const next = await server.client.responses.create({ model: "gpt-4o", input, tools, previous_response_id: answer.id });
  return [answer.status, answer.output_text, next.output_text];
}

async function thread({ server, store }: Desk): Promise<unknown> {
  const { beta } = server.client;
  const assistant = await beta.assistants.create({
    model: "gpt-4o",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  const { id } = await beta.threads.create({ messages: [{ role: "user", content: QUESTIONS[1] ?? "" }] });
  const run = await beta.threads.runs.createAndPoll(id, { assistant_id: assistant.id });
  const steps = await beta.threads.runs.steps.list(run.id, { thread_id: id });
  const messages = await beta.threads.messages.list(id);
  const texts = messages.data.map(({ role, content }) => [
    role,
    content.map((part) => (part.type === "text" ? part.text.value : "")),
  ]);
  return [run.status, steps.data.map(({ type, status }) => [type, status]), texts];
}

async function deletion(desk: Desk): Promise<unknown> {
  const { server, store } = desk;
  const id = desk.files[3] ?? "";
  await server.client.files.delete(id);
  const left = await search(server, store, { query: QUESTIONS[2], max_num_results: 50 });
  expect(left.some((hit) => hit.file_id === id)).toBe(false);
  const [row] = (await json<{ data: { id: string }[] }>(server, "GET", "/v1/admin/deletions")).data;
  return await waitFor("everything of the file is gone", async () => {
    const checked = await json<{ status: string; remaining: Record<string, number> }>(
      server,
      "POST",
      `/v1/admin/deletions/${row?.id}/verify`,
    );
    return Object.values(checked.remaining).every((n) => n === 0) ? checked.remaining : undefined;
  });
}

/** What both are asked, in this order. */
const STORY: [name: string, ask: (desk: Desk) => Promise<unknown>][] = [
  ["searches", (desk) => found(desk)],
  ["searches by words", (desk) => found(desk, { search_mode: "keyword" })],
  ["searches by meaning", (desk) => found(desk, { search_mode: "vector" })],
  ["searches with a filter", (desk) => found(desk, { filters: { type: "gte", key: "n", value: 2 } })],
  [
    "searches with several",
    (desk) =>
      found(desk, {
        filters: {
          type: "or",
          filters: [
            { type: "eq", key: "name", value: "zero" },
            {
              type: "and",
              filters: [
                { type: "eq", key: "even", value: true },
                { type: "lt", key: "n", value: 5 },
              ],
            },
          ],
        },
      }),
  ],
  [
    "searches after attributes changed",
    async (desk) => {
      await desk.server.client.vectorStores.files.update(desk.files[1] ?? "", {
        vector_store_id: desk.store,
        attributes: { n: 99, even: true },
      });
      return await found(desk, { filters: { type: "eq", key: "n", value: 99 } });
    },
  ],
  ["lists", (desk) => names(desk, "")],
  ["lists, oldest first", (desk) => names(desk, "&order=asc")],
  ["lists by name", (desk) => names(desk, "&sort=filename&order=asc")],
  ["lists of names that contain a text", (desk) => names(desk, "&filename=A-")],
  [
    "the store found by its name",
    async ({ server }) =>
      (
        await json<{ data: { name: string }[] }>(
          server,
          "GET",
          `/v1/vector_stores?name=${encodeURIComponent("ÜNÏCODE %_* [X")}`,
        )
      ).data.map(({ name }) => name),
  ],
  [
    "a migration, and what is found after it and after its rollback",
    async (desk) => {
      const id = await chunking(desk, 300);
      const after = await found(desk);
      await json(desk.server, "POST", `/v1/vector_stores/${desk.store}/migrations/${id}/rollback`, {});
      await migrationEnd(desk.server, desk.store, id, (status) => status === "rolled_back");
      return [after, await found(desk)];
    },
  ],
  ["an answer", (desk) => response(desk, false)],
  ["an answer in the background", (desk) => response(desk, true)],
  ["a run of a thread", (desk) => thread(desk)],
  ["a deletion, with its proof", (desk) => deletion(desk)],
  ["searches after the deletion", (desk) => found(desk)],
];

describe.skipIf(lacks("PostgreSQL", hasPostgres))("a server on PostgreSQL", () => {
  let address: string;
  let here: Desk;
  let there: Desk;

  beforeAll(async () => {
    address = await testDatabase();
    there = await openDesk(address);
    here = await openDesk(null);
    await fill(there);
    await fill(here);
  }, 480_000);
  afterAll(async () => {
    await there?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
  });

  test.each(STORY)("answers as one on SQLite: %s", async (_name, ask) => {
    const expected = await ask(here);
    expect(await ask(there)).toEqual(expected);
  });

  test("lets another server have the database too, and takes no harm from its end", async () => {
    const before = await names(there, "");
    {
      await using other = await startServer({ args: ["--database", address] });
      const { data: stores } = await json<{ data: { id: string }[] }>(other, "GET", "/v1/vector_stores");
      expect(stores.map(({ id }) => id)).toEqual([there.store]);
      expect(await names({ ...there, server: other, store: there.store }, "")).toEqual(before);
      // Uploaded bytes are where the other one cannot read them.
      expect(other.log()).toContain("name one place for all with --blobs");
      expect(await other.stop()).toBe(0);
    }
    expect(await names(there, "")).toEqual(before);
  });

  test("keeps a server of a version out that wants the database for itself", async () => {
    const sql = new SQL(address, { max: 1 });
    const row = async () => (await sql`SELECT name, has_session, held_until::text AS until FROM lectern_holder`)[0];
    await sql`CREATE TABLE IF NOT EXISTS lectern_holder (only_one integer PRIMARY KEY, epoch bigint NOT NULL,
      token text NOT NULL, name text NOT NULL, has_session boolean NOT NULL, held_until timestamptz NOT NULL)`;
    await sql`INSERT INTO lectern_holder VALUES (1, 0, 'old', 'old (process 1)', true, '-infinity')`;
    await using other = await startServer({ args: ["--database", address] });
    // What such a version looks for: a term that is over, or a holder whose session has ended.
    expect(await row()).toMatchObject({ has_session: false, until: "infinity" });
    expect(await other.stop()).toBe(0);
    await sql`DROP TABLE lectern_holder`;
    await sql.close({ timeout: 0 });
  });

  test("leaves backups to the database's own tools, and says so", async () => {
    const refused = await refusal(there.server, "GET", "/v1/admin/backup");
    expect(refused).toMatchObject({ status: 501, code: "backup_elsewhere" });
    expect(refused.message).toContain("pg_dump");
  });

  test("is ready, and has its rows nowhere but in the database", async () => {
    expect((await there.server.fetch("/readyz")).status).toBe(200);
    const here = Array.from(new Bun.Glob("**/*").scanSync({ cwd: there.dir.join("data") }));
    expect(here.filter((path) => path.startsWith("meta.sqlite"))).toEqual([]);
  });

  test("goes on after a kill, and has all that it took", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await upload(there.server, `late-${i}.txt`, makeText(100 + i, 8)));
    const path = `/v1/vector_stores/${there.store}`;
    await json(there.server, "POST", `${path}/file_batches`, { file_ids: ids, chunking_strategy: SMALL });
    await waitFor("some are indexed", async () => {
      const { file_counts } = await json<{ file_counts: { completed: number } }>(there.server, "GET", path);
      return file_counts.completed > FILES + 2 ? true : undefined;
    });
    await there.restart();
    await untilIndexed(there.server, there.store);
    const { file_counts } = await json<{ file_counts: Record<string, number> }>(there.server, "GET", path);
    expect(file_counts).toEqual({
      in_progress: 0,
      completed: FILES - 1 + 20,
      failed: 0,
      cancelled: 0,
      total: FILES - 1 + 20,
    });
    const local = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => await upload(here.server, `late-${i}.txt`, makeText(100 + i, 8))),
    );
    await json(here.server, "POST", `/v1/vector_stores/${here.store}/file_batches`, {
      file_ids: local,
      chunking_strategy: SMALL,
    });
    await untilIndexed(here.server, here.store);
    expect(await found(there)).toEqual(await found(here));
    // Each file's chunks once.
    const counts = async ({ server, store }: Desk) =>
      (await json<{ usage_bytes: number }>(server, "GET", `/v1/vector_stores/${store}`)).usage_bytes;
    expect(await counts(there)).toBe(await counts(here));
  });
});
