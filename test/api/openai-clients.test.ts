/** The official `openai` package, four major versions of it, unmodified, over the whole road of a document. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI, { toFile } from "openai";
import OpenAI4, { toFile as toFile4 } from "openai-v4";
import OpenAI5, { toFile as toFile5 } from "openai-v5";
import OpenAI6, { toFile as toFile6 } from "openai-v6";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  // Warmed up: the lanes load the model right after the start, beside the first requests.
  await server.client.embeddings.create({ model: "lectern-embed-en", input: "warm" });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const options = () => ({ apiKey: server.key, baseURL: `${server.url}/v1` });

/** One shape over the versions: from 5 on, the ids of a path are named. */
const CLIENTS = {
  "openai 7": () => {
    const client = new OpenAI(options());
    return {
      client,
      toFile,
      files: byNames(client),
      remove: (id: string) => client.files.delete(id),
      removeStore: (id: string) => client.vectorStores.delete(id),
    };
  },
  "openai 6": () => {
    const client = new OpenAI6(options());
    return {
      client,
      toFile: toFile6,
      files: byNames(client),
      remove: (id: string) => client.files.delete(id),
      removeStore: (id: string) => client.vectorStores.delete(id),
    };
  },
  "openai 5": () => {
    const client = new OpenAI5(options());
    return {
      client,
      toFile: toFile5,
      files: byNames(client),
      remove: (id: string) => client.files.delete(id),
      removeStore: (id: string) => client.vectorStores.delete(id),
    };
  },
  "openai 4": () => {
    const client = new OpenAI4(options());
    const { files, fileBatches } = client.vectorStores;
    return {
      client,
      toFile: toFile4,
      files: {
        retrieve: (store: string, file: string) => files.retrieve(store, file),
        update: (store: string, file: string, attributes: Record<string, string | number | boolean>) =>
          files.update(store, file, { attributes }),
        content: (store: string, file: string) => files.content(store, file),
        detach: (store: string, file: string) => files.del(store, file),
        batch: (store: string, batch: string) => fileBatches.retrieve(store, batch),
        batchFiles: (store: string, batch: string) => fileBatches.listFiles(store, batch),
      },
      remove: (id: string) => client.files.del(id),
      removeStore: (id: string) => client.vectorStores.del(id),
    };
  },
};

function byNames(client: OpenAI | OpenAI6 | OpenAI5) {
  // The three versions' signatures agree; TypeScript cannot call a union of overloads.
  const { files, fileBatches } = (client as OpenAI).vectorStores;
  return {
    retrieve: (store: string, file: string) => files.retrieve(file, { vector_store_id: store }),
    update: (store: string, file: string, attributes: Record<string, string | number | boolean>) =>
      files.update(file, { vector_store_id: store, attributes }),
    content: (store: string, file: string) => files.content(file, { vector_store_id: store }),
    detach: (store: string, file: string) => files.delete(file, { vector_store_id: store }),
    batch: (store: string, batch: string) => fileBatches.retrieve(batch, { vector_store_id: store }),
    batchFiles: (store: string, batch: string) => fileBatches.listFiles(batch, { vector_store_id: store }),
  };
}

const REFUNDS = "Refunds are paid within thirty days of the return of the goods. The customer pays the postage.";
const TIDES = "Tides follow the moon. At new moon and full moon the range between high and low water is largest.";

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])("%s", (name) => {
  test("a document goes in, is found, filtered, changed and taken out again", async () => {
    const { client: anyClient, toFile, files, remove, removeStore } = CLIENTS[name]();
    // The calls below exist with these arguments in all four versions.
    const client = anyClient as OpenAI;
    const make = (text: string, filename: string) =>
      toFile(Buffer.from(text), filename) as ReturnType<typeof OpenAI.toFile>;

    const uploaded = await client.files.create({ file: await make(REFUNDS, "refunds.md"), purpose: "assistants" });
    expect(uploaded).toMatchObject({
      object: "file",
      bytes: REFUNDS.length,
      filename: "refunds.md",
      purpose: "assistants",
      status: "processed",
    });
    expect(await (await client.files.content(uploaded.id)).text()).toBe(REFUNDS);
    expect((await client.files.retrieve(uploaded.id)).id).toBe(uploaded.id);
    const listed: string[] = [];
    for await (const file of await client.files.list({ limit: 1 })) listed.push(file.id);
    expect(listed).toContain(uploaded.id);

    const store = await client.vectorStores.create({ name: `road of ${name}`, metadata: { kind: "test" } });
    expect(store).toMatchObject({
      object: "vector_store",
      name: `road of ${name}`,
      metadata: { kind: "test" },
      status: "completed",
    });

    const attached = await client.vectorStores.files.createAndPoll(store.id, {
      file_id: uploaded.id,
      attributes: { topic: "shop", year: 2024 },
    });
    expect(attached).toMatchObject({
      id: uploaded.id,
      status: "completed",
      last_error: null,
      attributes: { topic: "shop", year: 2024 },
    });

    const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, {
      files: [await make(TIDES, "tides.txt"), await make("# Bread\n\nFlour, water, salt and time.", "bread.md")],
    });
    expect(batch).toMatchObject({
      object: "vector_store.files_batch",
      status: "completed",
      file_counts: { completed: 2, total: 2, failed: 0, in_progress: 0, cancelled: 0 },
    });
    expect((await files.batch(store.id, batch.id)).id).toBe(batch.id);
    expect((await files.batchFiles(store.id, batch.id)).data).toHaveLength(2);
    expect((await client.vectorStores.retrieve(store.id)).file_counts).toMatchObject({ completed: 3, total: 3 });

    const found = await client.vectorStores.search(store.id, {
      query: "when does the range of the tide reach its maximum",
    });
    expect(found.data[0]).toMatchObject({ filename: "tides.txt", content: [{ type: "text", text: TIDES }] });
    for (const hit of found.data) expect(hit.score >= 0 && hit.score <= 1).toBe(true);

    const filtered = await client.vectorStores.search(store.id, {
      query: ["tides", "refunds"],
      max_num_results: 5,
      filters: { type: "eq", key: "topic", value: "shop" },
    });
    expect(filtered.data.map((hit) => hit.filename)).toEqual(["refunds.md"]);

    const updated = await files.update(store.id, uploaded.id, { topic: "archive" });
    expect(updated.attributes).toEqual({ topic: "archive" });
    const none = await client.vectorStores.search(store.id, {
      query: "refunds",
      filters: { type: "eq", key: "topic", value: "shop" },
    });
    expect(none.data).toEqual([]);

    const content = await files.content(store.id, uploaded.id);
    expect(content.data).toMatchObject([{ type: "text", text: REFUNDS }]);

    expect(await files.detach(store.id, uploaded.id)).toMatchObject({
      id: uploaded.id,
      object: "vector_store.file.deleted",
      deleted: true,
    });
    expect(
      (await client.vectorStores.search(store.id, { query: "refunds" })).data.map((hit) => hit.filename),
    ).not.toContain("refunds.md");
    expect(await remove(uploaded.id)).toMatchObject({ id: uploaded.id, object: "file", deleted: true });
    expect(await removeStore(store.id)).toMatchObject({ id: store.id, object: "vector_store.deleted", deleted: true });
  });

  test("embeddings are base64 unless floats are asked for, and equal either way", async () => {
    const client = CLIENTS[name]().client as OpenAI;
    const [plain, floats] = await Promise.all([
      client.embeddings.create({ model: "text-embedding-3-small", input: ["refunds", "tides"] }),
      client.embeddings.create({
        model: "text-embedding-3-small",
        input: ["refunds", "tides"],
        encoding_format: "float",
      }),
    ]);
    expect(plain.data.map((row) => row.index)).toEqual([0, 1]);
    expect(plain.usage.prompt_tokens).toBeGreaterThan(0);
    const [first = [], second = []] = plain.data.map((row) => row.embedding);
    expect(first.length).toBe(floats.data[0]?.embedding.length ?? 0);
    first.forEach((value, i) => expect(value).toBeCloseTo(floats.data[0]?.embedding[i] ?? Number.NaN, 6));
    expect(Math.hypot(...first)).toBeCloseTo(1, 4);
    expect(first).not.toEqual(second);
  });

  test("models are listed and retrieved", async () => {
    const client = CLIENTS[name]().client as OpenAI;
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toContain("lectern-embed-en");
    expect(await client.models.retrieve("lectern-embed-en")).toMatchObject({ id: "lectern-embed-en", object: "model" });
  });

  test("what is unknown is the client's NotFoundError", async () => {
    const { client: anyClient, files } = CLIENTS[name]();
    const client = anyClient as OpenAI;
    const failures = await Promise.allSettled([
      client.files.retrieve("file-unknown"),
      client.vectorStores.retrieve("vs_unknown"),
      files.retrieve("vs_unknown", "file-unknown"),
      client.models.retrieve("no-such-model"),
      client.get("/_unknown_path?limit=0"),
    ]);
    expect(failures.map((result) => (result.status === "rejected" ? result.reason.constructor.name : "ok"))).toEqual(
      Array(5).fill("NotFoundError"),
    );
  });
});

test("an upload in parts becomes one file, in the order of part_ids", async () => {
  const client = server.client;
  const upload = await client.uploads.create({
    filename: "parts.txt",
    purpose: "assistants",
    bytes: 10,
    mime_type: "text/plain",
  });
  expect(upload).toMatchObject({ object: "upload", status: "pending", bytes: 10 });
  const [second, first] = await Promise.all([
    client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from("world"), "b") }),
    client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from("hello"), "a") }),
  ]);
  const done = await client.uploads.complete(upload.id, { part_ids: [first.id, second.id] });
  expect(done).toMatchObject({ status: "completed", file: { filename: "parts.txt", bytes: 10 } });
  expect(await (await client.files.content(done.file?.id ?? "")).text()).toBe("helloworld");
});
