/** Stores on a hosted model: the whole server against an HTTP server that behaves like its provider. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { FakeProvider, Trouble } from "../conformance/fake-providers.ts";
import { FAKE_HOST, FAKE_KEY, startFakeProvider } from "../conformance/fake-providers.ts";
import { addText, json, newStore, refusal, search, settled, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { ask, buildStore, migrationEnd, type MigrationState, startMigration } from "../migrate/corpus.ts";

const MODEL = "text-embedding-3-small";
const DIMENSIONS = 1536;

let dir: TempDir;
let fake: FakeProvider;
let server: TestServer;

const address = () => fake.address.replace(FAKE_HOST, "127.0.0.1");

async function start(env: Record<string, string> = {}): Promise<TestServer> {
  server = await startServer({
    dataDir: dir.join("data"),
    args: ["--log-level", "debug"],
    env: {
      LECTERN_OPENAI_API_KEY: FAKE_KEY,
      LECTERN_OPENAI_ADDRESS: address(),
      LECTERN_ALLOW_PRIVATE_ADDRESSES: "1",
      LECTERN_PROVIDER_ATTEMPTS: "1",
      LECTERN_PROVIDER_TIMEOUT: "1",
      ...env,
    },
  });
  return server;
}

beforeEach(async () => {
  dir = tempDir();
  fake = await startFakeProvider("openai", DIMENSIONS);
});
afterEach(async () => {
  const log = server.log();
  await server[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
  expect(log).not.toContain(FAKE_KEY);
});

interface Store {
  embedding_model: string;
  index: { model: string };
}
const storeOf = (id: string) => json<Store>(server, "GET", `/v1/vector_stores/${id}`);
const remoteStore = () => newStore(server, { embedding_model: MODEL });
const textsSent = () => fake.requests.flatMap((request) => request.texts);

async function metric(name: string): Promise<number> {
  const text = await (await server.fetch("/metrics")).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

async function attach(storeId: string, name: string, text: string): Promise<string> {
  const fileId = await upload(server, name, text);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: fileId });
  return fileId;
}

describe("a configured provider", () => {
  test("answers for its names: files, searches, embeddings; tokens and cost are counted", async () => {
    await start();
    const storeId = await remoteStore();
    const fileId = await addText(server, storeId, "a.txt", "The harbour opens at dawn.");
    expect(await storeOf(storeId)).toMatchObject({ embedding_model: MODEL, index: { model: MODEL } });
    const [hit] = await search(server, storeId, { query: "The harbour opens at dawn.", search_mode: "vector" });
    expect(hit).toMatchObject({ file_id: fileId });
    const answer = await server.client.embeddings.create({ model: MODEL, input: "one text", dimensions: 512 });
    expect(answer.data[0]?.embedding).toHaveLength(512);
    expect(fake.violations).toEqual([]);
    const tokens = await metric("lectern_provider_tokens_total");
    expect(tokens).toBeGreaterThanOrEqual(12);
    expect(await metric("lectern_provider_cost_usd_total")).toBeCloseTo((tokens / 1e6) * 0.02, 12);
    expect(await metric("lectern_provider_requests_total")).toBe(fake.requests.length);
    const models = await json<{ data: { id: string; location: string }[] }>(server, "GET", "/v1/models");
    expect(models.data.find(({ id }) => id === MODEL)?.location).toBe("remote");
    expect(models.data.find(({ id }) => id === "voyage-3-lite")?.location).toBe("alias");
  });

  test("makes its names real for new stores only: older ones keep the model that they were made with", async () => {
    server = await startServer({ dataDir: dir.join("data") });
    const old = await remoteStore();
    await addText(server, old, "a.txt", "The river carries timber.");
    expect(await storeOf(old)).toMatchObject({ embedding_model: MODEL, index: { model: "lectern-embed-en" } });
    await server.stop();
    await start();
    expect((await storeOf(old)).index.model).toBe("lectern-embed-en");
    expect(await search(server, old, { query: "river" })).toHaveLength(1);
    expect(fake.requests).toEqual([]);
    expect((await storeOf(await remoteStore())).index.model).toBe(MODEL);
    const migration = await startMigration(server, old, { embedding_model: MODEL });
    expect((await migrationEnd(server, old, migration.id)).status).toBe("completed");
    expect((await storeOf(old)).index.model).toBe(MODEL);
  });

  test("at a private address is refused where those are not allowed", async () => {
    await start({ LECTERN_ALLOW_PRIVATE_ADDRESSES: "0" });
    expect(await refusal(server, "POST", "/v1/embeddings", { model: MODEL, input: "text" })).toMatchObject({
      status: 503,
      code: "embedding_model_unavailable",
    });
    expect(fake.requests).toEqual([]);
  });

  test("at a link-local address is never called, and no redirect is followed", async () => {
    await start({ LECTERN_OPENAI_ADDRESS: "http://169.254.169.254/v1" });
    expect((await refusal(server, "POST", "/v1/embeddings", { model: MODEL, input: "text" })).status).toBe(503);
    await server.stop();
    await start();
    fake.always = "redirect";
    expect((await refusal(server, "POST", "/v1/embeddings", { model: MODEL, input: "text" })).status).toBe(503);
    expect(fake.requests).toHaveLength(1);
  });
});

describe("names", () => {
  const openAndAliases = () => start({ LECTERN_ALIAS: `house-model=${MODEL},fast=lectern-embed-en` });

  test("of the operator stand for any model", async () => {
    await openAndAliases();
    const storeId = await newStore(server, { embedding_model: "house-model" });
    expect(await storeOf(storeId)).toMatchObject({ embedding_model: "house-model", index: { model: MODEL } });
    const fast = await newStore(server, { embedding_model: "fast" });
    expect((await storeOf(fast)).index.model).toBe("lectern-embed-en");
  });

  test("of hosted models without a provider are refused with --no-default-aliases, saying what to set", async () => {
    await start({ LECTERN_NO_DEFAULT_ALIASES: "1" });
    const error = await refusal(server, "POST", "/v1/vector_stores", { embedding_model: "voyage-3-lite" });
    expect(error).toMatchObject({ status: 503, code: "embedding_model_unavailable" });
    expect(error.message).toContain("LECTERN_VOYAGE_API_KEY");
    expect((await storeOf(await remoteStore())).index.model).toBe(MODEL);
  });

  test("that are unknown are refused with a list of those there are", async () => {
    await openAndAliases();
    const error = await refusal(server, "POST", "/v1/vector_stores", { embedding_model: "nothing-of-it" });
    expect(error).toMatchObject({ status: 400, code: "invalid_embedding_model" });
    for (const name of ["'house-model'", `'${MODEL}'`, "'lectern-embed-en'"]) expect(error.message).toContain(name);
  });
});

describe("a provider in trouble", () => {
  const passing: Trouble[] = ["rate-limited", "server-error", "slow", "truncated", "key-in-error"];
  for (const trouble of passing) {
    test(`(${trouble}) lets files wait, which complete once it is well`, async () => {
      await start();
      const storeId = await remoteStore();
      fake.always = trouble;
      const fileId = await attach(storeId, "a.txt", "The glacier forgets the stones.");
      await waitFor("the provider was asked twice", () => (fake.requests.length >= 2 ? true : undefined));
      const waiting = await json<{ status: string }>(server, "GET", `/v1/vector_stores/${storeId}/files/${fileId}`);
      expect(waiting.status).toBe("in_progress");
      fake.always = null;
      expect((await settled(server, storeId, fileId)).status).toBe("completed");
      expect(await search(server, storeId, { query: "stones", search_mode: "vector" })).toHaveLength(1);
    });
  }

  const final: [Trouble, string][] = [
    ["wrong-dimension", "1535 dimensions, 1536 are expected"],
    ["zeros", "answered a vector of zeros"],
    ["nan", "something that is no number"],
    ["wrong-count", "0 vectors for 1 texts"],
  ];
  for (const [trouble, words] of final) {
    test(`(${trouble}) fails the file and says why`, async () => {
      await start();
      const storeId = await remoteStore();
      fake.always = trouble;
      const file = await settled(server, storeId, await attach(storeId, "a.txt", "The glacier forgets the stones."));
      expect(file).toMatchObject({ status: "failed", last_error: { code: "server_error" } });
      expect(file.last_error?.message).toContain(words);
    });
  }

  test("pauses a migration, which goes on by itself, and costs no text twice", async () => {
    await start({ LECTERN_ALIAS: "local=lectern-embed-en" });
    const storeId = await buildStore(server, { files: 3, chunksEach: 80, model: "local" });
    fake.script = ["ok", "ok", "server-error"];
    fake.always = "rate-limited";
    const { id } = await startMigration(server, storeId, { embedding_model: MODEL });
    const paused = await migrationEnd(server, storeId, id, (status) => status === "paused");
    expect(paused.last_error?.code).toBe("embedding_model_unavailable");
    expect((await ask(server, storeId, "river")).hits.length).toBeGreaterThan(0);
    fake.always = null;
    fake.requests = [];
    const done = await migrationEnd(server, storeId, id);
    expect([done.status, done.last_error]).toEqual(["completed", null]);
    const chunks = textsSent().filter((text) => text.length > 100);
    expect(new Set(chunks).size).toBe(chunks.length);
    expect(done.report?.self_retrieval).toBe(1);
  });
});

describe("a migration to a provider", () => {
  const away: Trouble[] = ["server-error", "rate-limited", "slow", "bad-gateway"];
  for (const trouble of away) {
    test(`that is away from the beginning (${trouble}) waits for it and goes on by itself`, async () => {
      await start();
      const storeId = await buildStore(server, { files: 1, chunksEach: 5, model: "lectern-embed-en" });
      fake.always = trouble;
      const { id } = await startMigration(server, storeId, { embedding_model: MODEL });
      const paused = await migrationEnd(server, storeId, id, (status) => status === "paused");
      expect(paused.last_error?.code).toBe("embedding_model_unavailable");
      expect((await ask(server, storeId, "river")).hits.length).toBeGreaterThan(0);
      fake.always = null;
      expect(await migrationEnd(server, storeId, id)).toMatchObject({ status: "completed", last_error: null });
    });
  }

  const wrong: [Trouble, code: string, words: string][] = [
    ["unauthorised", "embedding_model_unavailable", "is the provider's key right?"],
    ["not-found", "embedding_provider_error", "The model does not exist"],
    ["wrong-dimension", "embedding_provider_error", "1535 dimensions, 1536 are expected"],
    ["zeros", "embedding_provider_error", "answered a vector of zeros"],
    ["redirect", "embedding_model_unavailable", "which is not followed"],
  ];
  for (const [trouble, code, words] of wrong) {
    test(`that can never work (${trouble}) fails at once and says why`, async () => {
      await start();
      const storeId = await buildStore(server, { files: 1, chunksEach: 5, model: "lectern-embed-en" });
      fake.always = trouble;
      const { id } = await startMigration(server, storeId, { embedding_model: MODEL });
      const failed = await migrationEnd(server, storeId, id);
      expect([failed.status, failed.last_error?.code]).toEqual(["failed", code]);
      expect(failed.last_error?.message).toContain(words);
      expect(fake.requests).toHaveLength(1);
    });
  }

  test("that waits can be cancelled", async () => {
    await start();
    const storeId = await buildStore(server, { files: 1, chunksEach: 5, model: "lectern-embed-en" });
    fake.always = "server-error";
    const { id } = await startMigration(server, storeId, { embedding_model: MODEL });
    await migrationEnd(server, storeId, id, (status) => status === "paused");
    await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${id}/cancel`, {});
    expect((await migrationEnd(server, storeId, id)).status).toBe("cancelled");
  });

  test("asks for many texts at once, several times at once, and counts each token once, whatever happens", async () => {
    await start({ LECTERN_PROVIDER_REQUESTS: "3", LECTERN_PROVIDER_ATTEMPTS: "6" });
    // One large file and some small ones.
    const storeId = await buildStore(server, { files: 1, chunksEach: 700, model: "lectern-embed-en" });
    for (let i = 0; i < 4; i++)
      await addText(server, storeId, `small-${i}.txt`, `The kettle number ${i} weighs copper.`);
    fake.script = ["ok", "ok", "server-error", "rate-limited", "truncated"];
    fake.gather = 3;
    const { id } = await startMigration(server, storeId, { embedding_model: MODEL });
    await waitFor("some texts are sent", () => (fake.requests.length >= 3 ? true : undefined));
    await server.kill();
    await start({ LECTERN_PROVIDER_REQUESTS: "3", LECTERN_PROVIDER_ATTEMPTS: "6" });
    const done = await migrationEnd(server, storeId, id);
    expect(done).toMatchObject({ status: "completed", last_error: null, report: { self_retrieval: 1 } });
    const sizes = fake.requests.map((request) => request.texts.length);
    expect([Math.max(...sizes), fake.mostAtOnce]).toEqual([85, 3]);
    const { progress } = done as MigrationState & { progress: { tokens: number } };
    // Probes and queries are no part of it; what was in flight when the process died was paid and is not known here.
    const isPassage = (request: { texts: string[] }) =>
      request.texts.some((text) => text.length > 100 || text.startsWith("The kettle number"));
    const paid = fake.requests.filter(isPassage).flatMap((request) => request.texts);
    const words = (texts: string[]) => texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0);
    expect(progress.tokens).toBeLessThanOrEqual(words(paid));
    expect(progress.tokens).toBeGreaterThanOrEqual(words([...new Set(paid)]));
    expect(fake.violations).toEqual([]);
  });
});

test("a migration to a provider and back, and there again, pays once", async () => {
  await start();
  const storeId = await buildStore(server, { files: 2, chunksEach: 20, model: "lectern-embed-en" });
  const before = await ask(server, storeId, "which river carries water");
  const first = await startMigration(server, storeId, { embedding_model: MODEL });
  const done = await migrationEnd(server, storeId, first.id);
  expect(done.status).toBe("completed");
  const { progress } = done as MigrationState & { progress: { tokens: number; cost_usd: number } };
  expect(progress.cost_usd).toBeCloseTo((progress.tokens / 1e6) * 0.02, 12);
  expect((await ask(server, storeId, "which river carries water")).generation).not.toBe(before.generation);

  await json(server, "POST", `/v1/vector_stores/${storeId}/migrations/${first.id}/rollback`);
  await migrationEnd(server, storeId, first.id, (status) => status === "rolled_back");
  expect(await ask(server, storeId, "which river carries water")).toEqual(before);

  fake.requests = [];
  const again = await startMigration(server, storeId, { embedding_model: MODEL });
  const second = await migrationEnd(server, storeId, again.id);
  expect(second).toMatchObject({ status: "completed", progress: { tokens: 0, cost_usd: 0 } });
  expect(textsSent().filter((text) => text.length > 100)).toEqual([]);
});

test("a text is embedded once for all stores, until its file is deleted, with proof", async () => {
  await start();
  const text = "The lantern near the orchard opens light and copper.";
  const [one, two] = [await remoteStore(), await remoteStore()];
  const fileId = await addText(server, one, "a.txt", text);
  await json(server, "POST", `/v1/vector_stores/${two}/files`, { file_id: fileId });
  await settled(server, two, fileId);
  expect(textsSent().filter((sent) => sent === text)).toHaveLength(1);

  await server.client.files.delete(fileId);
  const deletion = await waitFor("the deletion is proven", async () => {
    const page = await json<{
      data: { subject: { id: string }; completed_at: number | null; removed: { cache_entries: number } }[];
    }>(server, "GET", "/v1/admin/deletions");
    return page.data.find((row) => row.completed_at !== null);
  });
  // The parsed form, and one text's vectors.
  expect(deletion.removed.cache_entries).toBe(2);
  await addText(server, one, "a.txt", text);
  expect(textsSent().filter((sent) => sent === text)).toHaveLength(2);
});
