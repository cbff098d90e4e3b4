/**
 * A data directory that the first version wrote is opened by this one: everything reads, is found and can be changed,
 * whatever instant of the first start a kill -9 comes at.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import written from "../fixtures/data-v1.json" with { type: "json" };
import { addText, json, refusal, search, settled } from "../helpers/api.ts";
import { LECTERN, plainEnv, PRODUCT_DEFAULT, ROOT, runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { as, newKey } from "../helpers/tenants.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import type { TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, migrationEnd, SECOND_MODEL, untilIndexed } from "../migrate/corpus.ts";
import type { FirstVersion } from "./first-version.ts";

const facts: FirstVersion = written;
const { handbook, notes, tenant } = facts;
const STORES = "/v1/vector_stores";
const SHARING = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 50 } };

/** A copy of the directory, gone with `dir`. */
async function unpack(dir: TempDir): Promise<string> {
  const archive = join(ROOT, "test/fixtures/data-v1.tar.gz");
  expect(await Bun.spawn(["tar", "-xzf", archive, "-C", dir.path]).exited).toBe(0);
  return dir.join("data");
}

const start = (dataDir: string) =>
  startServer({ dataDir, env: { LECTERN_API_KEY: facts.adminKey, ...PRODUCT_DEFAULT } });

const puffins = (server: TestServer) =>
  search(server, handbook.id, { query: "puffins", filters: { type: "gt", key: "page", value: 1 } });

/** What must hold of every opened copy, before anything is changed. */
async function expectWhole(server: TestServer): Promise<void> {
  const { data: stores } = await json<{ data: { id: string; name: string }[] }>(server, "GET", STORES);
  expect(stores.map(({ name }) => name).toSorted()).toEqual(["empty", "handbook", "notes"]);
  for (const { id, name, status, attributes, sha256, text } of handbook.files) {
    const file = await json<{ status: string; attributes: object; filename: string }>(
      server,
      "GET",
      `${STORES}/${handbook.id}/files/${id}`,
    );
    expect(file).toMatchObject({ filename: name, status, attributes });
    const bytes = await (await server.fetch(`/v1/files/${id}/content`)).arrayBuffer();
    expect([name, new Bun.CryptoHasher("sha256").update(bytes).digest("hex")]).toEqual([name, sha256]);
    if (status !== "completed") continue;
    const content = await json<{ data: { text: string }[] }>(
      server,
      "GET",
      `${STORES}/${handbook.id}/files/${id}/content`,
    );
    expect([name, content.data.map((part) => part.text).join("")]).toEqual([name, text]);
  }
  // A later version may rank better, and finds at least what came first.
  for (const { query, mode, names } of handbook.answers) {
    const hits = await search(server, handbook.id, { query, search_mode: mode, max_num_results: 3 });
    expect([query, mode, hits.map((hit) => hit.filename)]).toEqual([
      query,
      mode,
      expect.arrayContaining(names.slice(0, 1)),
    ]);
  }
}

describe("of a data directory of the first version", () => {
  const dir = tempDir();
  let server: TestServer;
  beforeAll(async () => {
    server = await start(await unpack(dir));
  }, 180_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  test("everything reads and is found", async () => await expectWhole(server), 180_000);

  test("clients that name no model, or a hosted one, get the model that they got before", async () => {
    const { index } = await json<{ index: { model: string } }>(server, "POST", STORES, {});
    expect(index.model).toBe("lectern-embed-en");
    for (const model of ["text-embedding-3-small", "text-embedding-ada-002"]) {
      const answer = await json<{ model: string }>(server, "POST", "/v1/embeddings", { model, input: "a" });
      expect([model, answer.model]).toEqual([model, "lectern-embed-en"]);
    }
    const { data: models } = await json<{ data: { id: string }[] }>(server, "GET", "/v1/models");
    if (models.some(({ id }) => id === "lectern-embed"))
      expect(server.log()).toContain("This data directory was made with lectern-embed-en");
  });

  test("questions are answered from it, and answers are kept", async () => {
    const tools = [{ type: "file_search", vector_store_ids: [handbook.id] }];
    const body = { input: handbook.answers[0]?.query, tools };
    const made = await json<{ id: string; status: string; output: unknown[] }>(server, "POST", "/v1/responses", body);
    expect([made.status, made.output.length]).toEqual(["completed", 2]);
    expect(await json<object>(server, "GET", `/v1/responses/${made.id}`)).toEqual(made);
  });

  test("attributes filter, and what was deleted is gone", async () => {
    const hits = await search(server, handbook.id, {
      query: "harbour",
      filters: { type: "eq", key: "year", value: 2024 },
    });
    expect(new Set(hits.map(({ filename }) => filename))).toEqual(new Set(["handbook.docx", "manual.md"]));
    expect(await refusal(server, "GET", `/v1/files/${facts.deleted}`)).toMatchObject({ status: 404 });
    expect((await json<{ id: string }>(server, "GET", `/v1/files/${facts.detached}`)).id).toBe(facts.detached);
    for (const query of ["marmots", "badgers"])
      expect(await search(server, handbook.id, { query, search_mode: "keyword" })).toEqual([]);
  }, 180_000);

  test("the batch, the migration and the judged queries are there", async () => {
    expect(await json(server, "GET", `${STORES}/${notes.id}/file_batches/${notes.batch}`)).toMatchObject({
      status: "completed",
      file_counts: { completed: 3, total: 3 },
    });
    expect(await json(server, "GET", `${STORES}/${notes.id}/migrations/${notes.migration}`)).toMatchObject({
      status: "completed",
      to: { generation: 2 },
    });
    const { data } = await json<{ data: { query: string; relevant: object[] }[] }>(
      server,
      "GET",
      `${STORES}/${handbook.id}/judgments`,
    );
    const queries = [...new Set(handbook.answers.map(({ query }) => query))].slice(0, 2);
    expect(data.map(({ query }) => query).toSorted()).toEqual(queries.toSorted());
    expect(data.find(({ query }) => query === queries[0])?.relevant).toEqual([
      { file_id: handbook.files[0]?.id, filename: "handbook.docx", grade: 2 },
    ]);
    const judged = await runLectern(["eval", handbook.id, "--json"], {
      env: { LECTERN_URL: server.url, LECTERN_API_KEY: server.key },
    });
    expect(judged).toMatchObject({ status: 0, out: expect.stringContaining('"status": "completed"') });
  }, 180_000);

  test("chunks answer to the ids under which they were shown, and are shown under ids that count nothing", async () => {
    const path = `${STORES}/${handbook.id}/chunks`;
    const { data } = await json<{ data: { id: string }[] }>(server, "GET", `${path}?limit=100`);
    expect(data.length).toBeGreaterThan(0);
    expect(data.every(({ id }) => /^chunk_[0-9a-f]{32}$/.test(id))).toBe(true);
    let known = 0;
    for (let row = 1; row <= 200; row++) {
      const { status } = await server.fetch(`${path}?after=chunk_${row.toString(36)}`);
      if (status === 200) known += 1;
    }
    expect(known).toBe(data.length);
  }, 180_000);

  test("keys open what they opened, and tenants know nothing of each other", async () => {
    const [acme, reader] = [as(server, tenant.key), as(server, facts.readKey)];
    const { data } = await json<{ data: { name: string }[] }>(acme, "GET", STORES);
    expect(data.map(({ name }) => name)).toEqual(["acme notes"]);
    const hits = await search(acme, tenant.store, { query: "saffron" });
    expect(hits.map((hit) => [hit.file_id, hit.attributes])).toEqual([[tenant.file, { year: 1 }]]);
    expect((await refusal(acme, "GET", `${STORES}/${handbook.id}`)).status).toBe(404);
    expect((await refusal(server, "GET", `${STORES}/${tenant.store}`)).status).toBe(404);
    expect((await search(reader, handbook.id, { query: "lamp" })).length).toBeGreaterThan(0);
    expect((await refusal(reader, "POST", STORES, { name: "x" })).status).toBe(403);
  }, 180_000);

  test("everything can be changed", async () => {
    const [first, second] = handbook.files;
    await json(server, "POST", `${STORES}/${handbook.id}/files/${first?.id}`, { attributes: { year: 2031 } });
    const hits = await search(server, handbook.id, {
      query: "harbour",
      filters: { type: "eq", key: "year", value: 2031 },
    });
    expect(hits[0]?.file_id).toBe(first?.id ?? "");
    await json(server, "POST", `${STORES}/${handbook.id}`, { name: "renamed", metadata: { owner: "port" } });
    const added = await addText(server, handbook.id, "new.txt", "Kestrels nest on the lighthouse.");
    expect((await search(server, handbook.id, { query: "kestrels" }))[0]?.file_id).toBe(added);
    const embeddings = [1, 2].map((page) => ({
      content: `Puffins of page ${page}`,
      file_id: added,
      metadata: { page },
    }));
    await json(server, "POST", `${STORES}/${handbook.id}/embeddings/batch`, { embeddings });
    expect((await puffins(server)).map(({ attributes }) => attributes)).toEqual([{ page: 2 }]);
    await json(server, "DELETE", `/v1/files/${second?.id}`);
    expect(await refusal(server, "GET", `/v1/files/${second?.id}`)).toMatchObject({ status: 404 });
    await json(server, "POST", `${STORES}/${facts.empty}/files`, { file_id: first?.id });
    expect((await settled(server, facts.empty, first?.id ?? "")).status).toBe("completed");

    const again = await json<{ id: string }>(server, "POST", `${STORES}/${notes.id}/migrate`, {
      embedding_model: "text-embedding-3-small",
      chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 300, chunk_overlap_tokens: 30 } },
    });
    expect(await migrationEnd(server, notes.id, again.id)).toMatchObject({ status: "completed", last_error: null });
    await untilIndexed(server, notes.id);
    expect((await search(server, notes.id, { query: "which tree smells of resin" }))[0]?.filename).toBe("tree-2.txt");
    await newKey(server, { name: "another" });
    await json(server, "DELETE", `/v1/admin/tenants/${tenant.id}`);
    expect((await as(server, tenant.key).fetch(STORES)).status).toBe(401);
  }, 180_000);

  test("the changed directory stops, opens again and is sound", async () => {
    expect(await server.stop()).toBe(0);
    server = await start(server.dataDir);
    expect((await search(server, handbook.id, { query: "kestrels" }))[0]?.filename).toBe("new.txt");
    expect((await puffins(server)).map(({ attributes }) => attributes)).toEqual([{ page: 2 }]);
    const doctor = await runLectern(["doctor", "--data", server.dataDir]);
    expect([doctor.status, doctor.out]).toEqual([0, expect.not.stringMatching(/^fail/m)]);
  }, 180_000);
});

test("killed at any instant of the first start, the directory opens", async () => {
  using first = tempDir();
  let startMs: number;
  {
    await using server = await start(await unpack(first));
    ({ startMs } = server);
  }
  for (const share of [0.15, 0.35, 0.5, 0.65, 0.8, 0.95]) {
    using dir = tempDir();
    const dataDir = await unpack(dir);
    const child = Bun.spawn({
      cmd: [...LECTERN, "serve", "--port", "0", "--data", dataDir],
      cwd: dir.path,
      env: plainEnv({ LECTERN_API_KEY: facts.adminKey }),
      stdio: ["ignore", "ignore", "ignore"],
    });
    setTimeout(() => child.kill("SIGKILL"), share * startMs);
    expect(await child.exited).toBe(137);
    await using server = await start(dataDir);
    await expectWhole(server);
  }
}, 600_000);

test("a store of the first version keeps its form until it is migrated, also where that is killed halfway", async () => {
  using dir = tempDir();
  const dataDir = await unpack(dir);
  await addSecondModel(dataDir);
  const path = `${STORES}/${handbook.id}`;
  /** Of the live generation: whether its vectors are of windows that chunks share, and how many chunks share some. */
  const formOf = async (server: TestServer) => {
    const { index } = await json<{ index: { chunks: number; vectors: number } }>(server, "GET", path);
    using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
    const row = db
      .query<{ window_tokens: number | null; sharing: number; vectors: number }, [string]>(
        `SELECT g.window_tokens, sum(v.shared > 0) AS sharing, sum(length(v.data)) / 4 / g.dimensions AS vectors
         FROM vector_store s JOIN generation g ON g.id = s.live_generation JOIN vector v ON v.generation = g.id
         WHERE s.id = ?`,
      )
      .get(handbook.id);
    return { ...index, ...row };
  };
  let id: string;
  {
    await using doomed = await startServer({
      dataDir,
      env: { LECTERN_API_KEY: facts.adminKey, LECTERN_TEST_FAILPOINT: "migrate:vectors-added" },
    });
    await expectWhole(doomed);
    expect(await formOf(doomed)).toMatchObject({ window_tokens: null, sharing: 0 });
    const migration = { embedding_model: SECOND_MODEL, chunking_strategy: SHARING };
    ({ id } = await json<{ id: string }>(doomed, "POST", `${path}/migrate`, migration));
    const isUp = () =>
      doomed.fetch("/healthz").then(
        () => true,
        () => false,
      );
    await waitFor("the process is killed", async () => ((await isUp()) ? undefined : true), 100_000);
  }
  await using server = await start(dataDir);
  expect(await migrationEnd(server, handbook.id, id)).toMatchObject({ status: "completed", last_error: null });
  const migrated = await formOf(server);
  expect(migrated.window_tokens).toBe(16);
  expect(migrated.sharing).toBeGreaterThan(0);
  expect(migrated.vectors).toBe((await json<{ index: { vectors: number } }>(server, "GET", path)).index.vectors);
  // Another model and another chunking answer in another order, and what the old model had no vector for.
  for (const { query, mode, names } of handbook.answers) {
    const hits = await search(server, handbook.id, { query, search_mode: mode, max_num_results: 3 });
    if (names.length > 0) expect([query, mode, hits.length > 0]).toEqual([query, mode, true]);
  }
  await json(server, "POST", `${path}/migrations/${id}/rollback`, {});
  await waitFor("the old form is back", async () => ((await formOf(server)).window_tokens === null ? true : undefined));
  await expectWhole(server);
}, 300_000);
