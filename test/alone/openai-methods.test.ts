/**
 * Every method of the resources that are served here, of four major versions of the official `openai` package,
 * unmodified. Which methods there are is read from the clients, so that one of a later version cannot be forgotten.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, { toFile } from "openai";
import OpenAI4 from "openai-v4";
import OpenAI5 from "openai-v5";
import OpenAI6 from "openai-v6";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  await server.client.embeddings.create({ model: "lectern-embed-en", input: "warm" });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

type Method = (...args: unknown[]) => Promise<Record<string, unknown>>;
type Resource = Record<string, Method>;

const VERSIONS = { "openai 7": OpenAI, "openai 6": OpenAI6, "openai 5": OpenAI5, "openai 4": OpenAI4 };
type Version = keyof typeof VERSIONS;

/** Named alike in all versions; calls made from outside are noted, those that a method makes itself are not. */
function resources(version: Version) {
  const client = new VERSIONS[version]({ apiKey: server.key, baseURL: `${server.url}/v1` });
  const { files, uploads, embeddings, models, vectorStores } = client;
  const all = {
    files,
    uploads,
    "uploads.parts": uploads.parts,
    embeddings,
    models,
    vectorStores,
    "vectorStores.files": vectorStores.files,
    "vectorStores.fileBatches": vectorStores.fileBatches,
  } as unknown as Record<string, Resource>;
  const called = new Set<string>();
  const noted = (name: string): Resource =>
    new Proxy(all[name] ?? {}, {
      get(target, key) {
        called.add(`${name}.${String(key)}`);
        return target[String(key)]?.bind(target);
      },
    });
  return { noted, called, offered: Object.entries(all).flatMap(([name, resource]) => methodsOf(name, resource)) };
}

function methodsOf(name: string, resource: object): string[] {
  const found = new Set<string>();
  for (let at = resource; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const key of Object.getOwnPropertyNames(at)) {
      if (key !== "constructor" && typeof (resource as Resource)[key] === "function") found.add(`${name}.${key}`);
    }
  }
  return [...found];
}

const text = (content: string, name: string) => toFile(Buffer.from(content), name);
const TIDES = "Tides follow the moon. The range is largest at new moon and at full moon.";

async function firstOf(page: unknown): Promise<unknown> {
  for await (const one of page as AsyncIterable<unknown>) return one;
  return null;
}

describe.each(Object.keys(VERSIONS) as Version[])("%s", (version) => {
  const remove = version === "openai 4" ? "del" : "delete";
  /** The ids of an address: all of them first in version 4, the outer ones by name since. */
  const inStore = (resource: Resource, method: string, store: string, id: string, body?: object) =>
    version === "openai 4"
      ? resource[method]!(store, id, ...(body === undefined ? [] : [body]))
      : resource[method]!(id, { vector_store_id: store, ...body });

  test("every method does what it says", async () => {
    const { noted, called, offered } = resources(version);
    const files = noted("files");
    const uploads = noted("uploads");
    const parts = noted("uploads.parts");
    const models = noted("models");
    const stores = noted("vectorStores");
    const storeFiles = noted("vectorStores.files");
    const batches = noted("vectorStores.fileBatches");

    const file = await files["create"]!({ file: await text(TIDES, "tides.md"), purpose: "assistants" });
    const id = file["id"] as string;
    expect(file).toMatchObject({ object: "file", filename: "tides.md", status: "processed" });
    expect(await files["retrieve"]!(id)).toEqual(file);
    expect(await files["waitForProcessing"]!(id)).toEqual(file);
    expect(await firstOf(await files["list"]!({ limit: 1 }))).toEqual(file);
    expect(await ((await files["content"]!(id)) as unknown as Response).text()).toBe(TIDES);
    if (version === "openai 4") expect(await files["retrieveContent"]!(id)).toBe(TIDES as never);

    const whole = { filename: "parts.txt", purpose: "assistants", bytes: 5, mime_type: "text/plain" };
    const upload = (await uploads["create"]!(whole))["id"] as string;
    const part = await parts["create"]!(upload, { data: await text("parts", "part") });
    expect(await uploads["complete"]!(upload, { part_ids: [part["id"]] })).toMatchObject({ status: "completed" });
    const dropped = (await uploads["create"]!(whole))["id"] as string;
    expect(await uploads["cancel"]!(dropped)).toMatchObject({ status: "cancelled" });

    expect(await firstOf(await models["list"]!())).toMatchObject({ object: "model" });
    expect(await models["retrieve"]!("lectern-embed-en")).toMatchObject({ id: "lectern-embed-en" });
    expect(await models[remove]!("lectern-embed-en").catch((error: unknown) => error)).toMatchObject({
      status: 403,
      code: "model_not_deletable",
    });
    const embedded = await noted("embeddings")["create"]!({ model: "text-embedding-3-small", input: ["a", "b"] });
    expect(embedded["data"]).toHaveLength(2);

    const made = await stores["create"]!({ name: version });
    const store = made["id"] as string;
    expect(await stores["retrieve"]!(store)).toEqual(made);
    expect(await stores["update"]!(store, { metadata: { a: "b" } })).toMatchObject({ metadata: { a: "b" } });
    expect(await firstOf(await stores["list"]!({ limit: 1 }))).toMatchObject({ id: store });

    expect(await storeFiles["create"]!(store, { file_id: id })).toMatchObject({ id, vector_store_id: store });
    expect(await storeFiles["poll"]!(store, id)).toMatchObject({ id, status: "completed" });
    expect(await storeFiles["createAndPoll"]!(store, { file_id: id })).toMatchObject({ id, status: "completed" });
    const sent = await storeFiles["upload"]!(store, await text("Bread needs flour and time.", "bread.txt"));
    expect(sent).toMatchObject({ object: "vector_store.file", vector_store_id: store });
    const seen = await storeFiles["uploadAndPoll"]!(store, await text("Ropes are made of hemp.", "ropes.txt"));
    expect(seen).toMatchObject({ status: "completed" });
    expect(await firstOf(await storeFiles["list"]!(store, { limit: 1 }))).toMatchObject({ id: seen["id"] });
    const attributes = { topic: "sea" };
    expect(await inStore(storeFiles, "update", store, id, { attributes })).toMatchObject({ id, attributes });
    expect(await inStore(storeFiles, "retrieve", store, id)).toMatchObject({ id, attributes });
    expect(await firstOf(await inStore(storeFiles, "content", store, id))).toEqual({ type: "text", text: TIDES });
    const hit = await firstOf(await stores["search"]!(store, { query: "when is the tide largest" }));
    expect(hit).toMatchObject({ file_id: id, filename: "tides.md", attributes });

    const file_ids = [id, sent["id"], seen["id"]];
    const batch = (await batches["create"]!(store, { file_ids }))["id"] as string;
    expect(await batches["poll"]!(store, batch)).toMatchObject({ id: batch, status: "completed" });
    expect(await inStore(batches, "retrieve", store, batch)).toMatchObject({ file_counts: { completed: 3, total: 3 } });
    expect(await firstOf(await inStore(batches, "listFiles", store, batch))).toMatchObject({ vector_store_id: store });
    expect(await batches["createAndPoll"]!(store, { file_ids })).toMatchObject({ status: "completed" });
    const both = [await text("One of two.", "one.txt"), await text("Two of two.", "two.txt")];
    expect(await batches["uploadAndPoll"]!(store, { files: both, fileIds: [id] })).toMatchObject({
      status: "completed",
      file_counts: { completed: 3, total: 3, failed: 0 },
    });
    // Nothing of it is in progress any more, so that a cancellation leaves it as it is.
    expect(await inStore(batches, "cancel", store, batch)).toMatchObject({ id: batch, status: "completed" });

    expect(await inStore(storeFiles, remove, store, id)).toMatchObject({ id, deleted: true });
    expect(await files[remove]!(id)).toMatchObject({ id, deleted: true });
    expect(await stores[remove]!(store)).toMatchObject({ id: store, deleted: true });
    expect([...called].toSorted()).toEqual(offered.toSorted());
  });

  test("createAndPoll of a small file returns in under 300 ms", async () => {
    const { noted } = resources(version);
    const store = (await noted("vectorStores")["create"]!({}))["id"] as string;
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const made = await noted("files")["create"]!({
        file: await text(`${TIDES} ${i}`, "t.txt"),
        purpose: "assistants",
      });
      const startedMs = performance.now();
      await noted("vectorStores.files")["createAndPoll"]!(store, { file_id: made["id"] });
      times.push(performance.now() - startedMs);
    }
    expect(times.toSorted((a, b) => a - b)[3]).toBeLessThan(300);
  });
});
