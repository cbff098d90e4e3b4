/** What can be asked of a migration, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, refusal } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { addSecondModel, ask, buildStore, migrationEnd, startMigration } from "./corpus.ts";

let dir: TempDir;
let server: TestServer;
let storeId: string;

beforeAll(async () => {
  dir = tempDir();
  await addSecondModel(dir.join("data"));
  server = await startServer({ dataDir: dir.join("data"), args: ["--log-level", "warn"] });
  storeId = await buildStore(server, { files: 3, chunksEach: 10 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const path = (id: string, verb = "") => `/v1/vector_stores/${storeId}/migrations/${id}${verb}`;

describe("refused", () => {
  const cases: [string, unknown, number, string][] = [
    ["no model", {}, 400, "missing_required_parameter"],
    ["an unknown model", { embedding_model: "no-such-model" }, 400, "invalid_embedding_model"],
    [
      "dimensions that the model does not have",
      { embedding_model: "lectern-embed-en", dimensions: 100_000 },
      400,
      "invalid_dimensions",
    ],
    ["an unknown key", { embedding_model: "second", dryrun: true }, 400, "unknown_parameter"],
    [
      "a chunk size out of bounds",
      {
        embedding_model: "second",
        chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 5, chunk_overlap_tokens: 0 } },
      },
      400,
      "integer_below_min_value",
    ],
  ];
  for (const [name, body, status, code] of cases) {
    test(name, async () => {
      expect(await refusal(server, "POST", `/v1/vector_stores/${storeId}/migrate`, body)).toMatchObject({
        status,
        code,
      });
    });
  }

  test("no model, in the words of the fightclub dialect", async () => {
    const error = await refusal(server, "POST", `/v1/vector_stores/${storeId}/migrate?dialect=fightclub`, {});
    expect(error).toMatchObject({ status: 400, code: "missing_embedding_model" });
  });

  test("an unknown migration, and one of another store", async () => {
    const { id } = await startMigration(server, storeId, { dry_run: true });
    await migrationEnd(server, storeId, id);
    const other = await json<{ id: string }>(server, "POST", "/v1/vector_stores", {});
    expect(await refusal(server, "GET", path("mig_nothing"))).toMatchObject({
      status: 404,
      code: "migration_not_found",
    });
    expect(await refusal(server, "GET", `/v1/vector_stores/${other.id}/migrations/${id}`)).toMatchObject({
      status: 404,
      code: "migration_not_found",
    });
    await json(server, "POST", path(id, "/cancel"), {});
    await migrationEnd(server, storeId, id, (status) => status === "cancelled");
  });
});

test("a dry run stops before the swap, keeps others out, and can be promoted", async () => {
  const { id } = await startMigration(server, storeId, { dry_run: true });
  const ready = await migrationEnd(server, storeId, id);
  expect(ready).toMatchObject({ status: "ready", report: { gate: "none", self_retrieval: 1 } });
  const before = (await ask(server, storeId, "river")).generation;
  expect(
    await refusal(server, "POST", `/v1/vector_stores/${storeId}/migrate`, { embedding_model: "second" }),
  ).toMatchObject({ status: 409, code: "migration_in_progress" });
  expect(await refusal(server, "POST", path(id, "/rollback"))).toMatchObject({
    status: 409,
    code: "migration_not_rollbackable",
  });
  await json(server, "POST", path(id, "/promote"), {});
  const done = await migrationEnd(server, storeId, id, (status) => status === "completed");
  const after = (await ask(server, storeId, "river")).generation;
  expect([after !== before, after]).toEqual([true, String(done.to.generation)]);
  for (const verb of ["/promote", "/cancel"]) {
    const code = verb === "/promote" ? "migration_not_promotable" : "migration_not_cancellable";
    expect(await refusal(server, "POST", path(id, verb))).toMatchObject({ status: 409, code });
  }
  await json(server, "POST", path(id, "/rollback"), {});
  await migrationEnd(server, storeId, id, (status) => status === "rolled_back");
  expect((await ask(server, storeId, "river")).generation).toBe(before);
});

test("a gate that is missed stops before the swap and says why", async () => {
  const { id } = await startMigration(server, storeId, { gate: { min_overlap: 1, max_latency_ratio: 0.0001 } });
  const state = await migrationEnd(server, storeId, id);
  expect(state.status).toBe("ready");
  expect(state.report).toMatchObject({ gate: "missed" });
  const live = (await ask(server, storeId, "river")).generation;
  await json(server, "POST", path(id, "/cancel"), {});
  await migrationEnd(server, storeId, id, (status) => status === "cancelled");
  expect((await ask(server, storeId, "river")).generation).toBe(live);
});

test("another chunking is cut from the cached parses, and a rollback restores the old one", async () => {
  const sizes = async () => {
    const page = await json<{ data: { id: string; chunks: number; chunking_strategy: unknown }[] }>(
      server,
      "GET",
      `/v1/vector_stores/${storeId}/files?order=asc`,
    );
    return page.data.map(({ chunks, chunking_strategy }) => ({ chunks, chunking_strategy }));
  };
  const before = await sizes();
  const chunking_strategy = { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 0 } };
  const { id } = await startMigration(server, storeId, { embedding_model: "lectern-embed-en", chunking_strategy });
  expect((await migrationEnd(server, storeId, id)).status).toBe("completed");
  const after = await sizes();
  expect(after.map((file) => file.chunking_strategy)).toEqual(before.map(() => chunking_strategy));
  expect(after.every((file, i) => file.chunks < (before[i]?.chunks ?? 0))).toBe(true);
  await json(server, "POST", path(id, "/rollback"), {});
  await migrationEnd(server, storeId, id, (status) => status === "rolled_back");
  expect(await sizes()).toEqual(before);
});

test("texts that were put in without a file stay as they are under another chunking", async () => {
  const store = await json<{ id: string }>(server, "POST", "/v1/vector_stores", {});
  const at = (verb: string) => `/v1/vector_stores/${store.id}${verb}`;
  await json(server, "POST", at("/embeddings"), { content: "The lantern near the harbour is lit at dusk." });
  await json(server, "POST", at("/embeddings"), { content: "A glacier moves slowly." });
  const before = (await ask(server, store.id, "lantern at the harbour")).hits;
  const chunking_strategy = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };
  const { id } = await startMigration(server, store.id, { embedding_model: "lectern-embed-en", chunking_strategy });
  expect(await migrationEnd(server, store.id, id)).toMatchObject({ status: "completed", last_error: null });
  expect(await ask(server, store.id, "lantern at the harbour")).toEqual({ generation: "2", hits: before });
});
