/** What official clients do on the wire and rely on, beyond the shape of bodies. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { addText, errorOf, json, newStore, refusal, settled, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const STATES = ["in_progress", "completed", "failed", "cancelled"];
/** Enough text to be in progress for a while; never the same, or its text would be taken from the cache. */
let books = 0;
const book = () => {
  books += 1;
  const lines = Array.from({ length: 20_000 }, (_, i) => `Book ${books}, line ${i}: the tide of day ${i % 365}.\n`);
  return upload(server, "book.txt", lines.join(""));
};

describe("while something is in progress", () => {
  test("every answer about it says when to ask again, and its state is one that clients know", async () => {
    const store = await newStore(server);
    const path = `/v1/vector_stores/${store}`;
    const [file, other] = [await book(), await book()];
    const file_ids = [file, other];
    const made = await server.fetch(`${path}/file_batches`, { method: "POST", body: JSON.stringify({ file_ids }) });
    const batch = (await made.json()) as { id: string; status: string };
    expect([batch.status, made.headers.get("openai-poll-after-ms")]).toEqual([
      "in_progress",
      expect.stringMatching(/^\d+$/),
    ]);
    const seen = new Set<string>();
    await waitFor("the batch is done", async () => {
      for (const one of [`${path}/files/${file}`, `${path}/files/${other}`, `${path}/file_batches/${batch.id}`]) {
        const answer = await server.fetch(one);
        const { status } = (await answer.json()) as { status: string };
        seen.add(status);
        const pause = answer.headers.get("openai-poll-after-ms");
        expect([one, status, pause !== null]).toEqual([one, status, status === "in_progress"]);
        if (pause !== null) expect(Number(pause)).toBeWithin(1, 5001);
        if (one.includes("file_batches") && status !== "in_progress") return true;
      }
      return undefined;
    });
    expect([...seen].toSorted()).toEqual(["completed", "in_progress"]);
  });

  test("a client that says that it polls is answered once, when there is news", async () => {
    const store = await newStore(server);
    const file_id = await book();
    const path = `/v1/vector_stores/${store}/files`;
    await json(server, "POST", path, { file_id });
    const answer = await server.fetch(`${path}/${file_id}`, { headers: { "x-stainless-poll-helper": "true" } });
    expect(((await answer.json()) as { status: string }).status).toBe("completed");
  });

  test("a cancellation needs no body and no content type, and ends in `cancelled`", async () => {
    const store = await newStore(server);
    const file_ids = [await book(), await book()];
    const path = `/v1/vector_stores/${store}`;
    const batch = await json<{ id: string }>(server, "POST", `${path}/file_batches`, { file_ids });
    const answer = await server.fetch(`${path}/file_batches/${batch.id}/cancel`, { method: "POST" });
    expect(answer.status).toBe(200);
    expect(STATES).toContain(((await answer.json()) as { status: string }).status);
    for (const id of file_ids) expect(["cancelled", "completed"]).toContain((await settled(server, store, id)).status);
    expect(STATES).toContain(
      (await json<{ status: string }>(server, "GET", `${path}/file_batches/${batch.id}`)).status,
    );
  });
});

describe("retries", () => {
  /** How often a client with its usual two retries asks. */
  async function asked(call: (client: OpenAI) => Promise<unknown>): Promise<{ requests: number; status: unknown }> {
    let requests = 0;
    const counting = new OpenAI({
      apiKey: server.key,
      baseURL: `${server.url}/v1`,
      fetch: (...args) => {
        requests += 1;
        return (fetch as unknown as NonNullable<ConstructorParameters<typeof OpenAI>[0]>["fetch"] & {})(...args);
      },
    });
    const thrown = await call(counting).catch((error: unknown) => error);
    return { requests, status: (thrown as { status?: number }).status };
  }

  test("a conflict is not asked about again", async () => {
    const store = await newStore(server);
    const file = await addText(server, store, "a.txt", "Tides follow the moon.");
    const path = `/vector_stores/${store}/files/${file}`;
    expect(await asked((client) => client.post(`${path}/cancel`))).toEqual({ requests: 1, status: 409 });
    expect(await asked((client) => client.post(`${path}/retry`))).toEqual({ requests: 1, status: 409 });
  });

  test.each([
    ["GET", "/v1/vector_stores/vs_none"],
    ["POST", "/v1/vector_stores"],
    ["DELETE", "/v1/models/lectern-embed-en"],
  ])("%s %s says that another try is useless, and which request it was", async (method, path) => {
    const answer = await server.fetch(path, { method, ...(method === "POST" && { body: '{"x":1}' }) });
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(answer.headers.get("x-request-id")).toMatch(/^req_\w+/);
    await errorOf(answer);
  });
});

describe("uploads", () => {
  const BOUNDARY = "----a-boundary";
  const part = (name: string, value: string, file = "") =>
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`;
  const END = `--${BOUNDARY}--\r\n`;

  async function send(pieces: string[]): Promise<Response> {
    // A body of unknown length, as clients stream it: chunk by chunk.
    const body = new ReadableStream({
      async pull(controller) {
        const next = pieces.shift();
        if (next === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(next));
      },
    });
    const headers = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
    return await server.fetch("/v1/files", { method: "POST", headers, body });
  }

  const FILE = part("file", "Tides follow the moon.", '; filename="tides.md"');
  const PURPOSE = part("purpose", "assistants");
  const ANCHOR = part("expires_after[anchor]", "created_at");
  const SECONDS = part("expires_after[seconds]", "7200");

  test.each([
    ["the file first", [FILE, PURPOSE, SECONDS, ANCHOR, END]],
    ["the file last", [ANCHOR, SECONDS, PURPOSE, FILE, END]],
    ["letter by letter", [...(PURPOSE + FILE + ANCHOR + SECONDS + END)]],
    ["in one piece", [ANCHOR + PURPOSE + FILE + SECONDS + END]],
  ])("are taken without a length, %s", async (_, pieces) => {
    const answer = await send([...pieces]);
    const file = (await answer.json()) as { created_at: number };
    expect(file).toMatchObject({
      filename: "tides.md",
      bytes: 22,
      purpose: "assistants",
      expires_at: file.created_at + 7200,
    });
  });

  test("half of an expiry is refused by name", async () => {
    expect(await errorOf(await send([FILE, PURPOSE, ANCHOR, END]))).toMatchObject({
      status: 400,
      param: "expires_after.seconds",
    });
  });
});

describe("addresses", () => {
  test.each(["", "/v1", "/openai/v1", "/v1/openai/v1"])(
    "'%s' is a base address, with a key in either header",
    async (base) => {
      for (const headers of [{ authorization: `Bearer ${server.key}` }, { "api-key": server.key }]) {
        const answer = await fetch(`${server.url}${base}/vector_stores?limit=1`, {
          headers: headers as Record<string, string>,
        });
        expect([answer.status, ((await answer.json()) as { object: string }).object]).toEqual([200, "list"]);
      }
    },
  );

  test("Azure's version in the query and OpenAI's headers change nothing", async () => {
    const headers = { "openai-beta": "assistants=v1", "openai-organization": "org-x", "openai-project": "proj_x" };
    const answer = await server.fetch("/openai/v1/models?api-version=2025-04-01-preview", { headers });
    expect(answer.status).toBe(200);
  });

  test("an address that nobody answers to is a 404 before anything else about it", async () => {
    for (const path of ["/v1/_stainless_unknown_path?limit=0", "/v1/vector_stores/vs_x/none?limit=0&order=x"]) {
      expect(await refusal(server, "GET", path)).toMatchObject({
        status: 404,
        message: `Invalid URL (GET ${path.split("?")[0]})`,
      });
    }
  });

  test("batches have both of their addresses", async () => {
    const store = await newStore(server);
    const file = await upload(server, "x.txt", "Tides follow the moon.");
    const base = `/v1/vector_stores/${store}`;
    const batch = await json<{ id: string }>(server, "POST", `${base}/files_batches`, { file_ids: [file] });
    await settled(server, store, file);
    for (const name of ["files_batches", "file_batches"]) {
      expect(await json<object>(server, "GET", `${base}/${name}/${batch.id}`)).toMatchObject({ id: batch.id });
      const { data } = await json<{ data: object[] }>(server, "GET", `${base}/${name}/${batch.id}/files`);
      expect(data).toMatchObject([{ id: file }]);
    }
  });

  test("PATCH changes a store and a file as POST does", async () => {
    const store = await newStore(server, { name: "a" });
    const file = await addText(server, store, "a.txt", "Tides follow the moon.");
    expect(await json<object>(server, "PATCH", `/v1/vector_stores/${store}`, { name: "b" })).toMatchObject({
      name: "b",
    });
    const path = `/v1/vector_stores/${store}/files/${file}`;
    expect(await json<object>(server, "PATCH", path, { attributes: { a: 1 } })).toMatchObject({ attributes: { a: 1 } });
  });
});

test("attributes may be called metadata, in batches too; both, and different, are refused", async () => {
  const store = await newStore(server);
  const base = `/v1/vector_stores/${store}`;
  const file = await upload(server, "x.txt", "Tides follow the moon.");
  const maps = { metadata: { a: "b" }, attributes: { a: "b" } };
  const attached = await json<object>(server, "POST", `${base}/files`, { file_id: file, metadata: { a: "b" } });
  expect(attached).toMatchObject(maps);
  expect(await json<object>(server, "POST", `${base}/files`, { file_id: file, ...maps })).toMatchObject(maps);
  const differ = { file_id: file, metadata: { a: 1 }, attributes: { a: 2 } };
  expect(await refusal(server, "POST", `${base}/files`, differ)).toMatchObject({ status: 400, param: "metadata" });
  for (const body of [{ file_ids: [file], metadata: { c: 1 } }, { files: [{ file_id: file, metadata: { c: 1 } }] }]) {
    await json(server, "POST", `${base}/file_batches`, body);
    expect((await settled(server, store, file)).attributes).toEqual({ c: 1 });
  }
});

test("embeddings are little-endian float32 in base64 when asked for, numbers otherwise", async () => {
  const get = async (more: object) => {
    const body = { model: "text-embedding-3-small", input: "tides", ...more };
    const { data } = await json<{ data: { embedding: unknown }[] }>(server, "POST", "/v1/embeddings", body);
    return data[0]?.embedding;
  };
  const bytes = Buffer.from((await get({ encoding_format: "base64" })) as string, "base64");
  const floats = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
  const plain = (await get({})) as number[];
  expect(plain.map(Math.fround)).toEqual(floats);
  expect(await get({ encoding_format: "float" })).toEqual(plain);
});
