/** Requests that are unusual, and that real clients and their surroundings send all the same. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import OpenAI, { AzureOpenAI } from "openai";
import { addText, json, newStore, refusal, search } from "../helpers/api.ts";
import { LECTERN, plainEnv, startServer, TEST_KEY } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const PAGE = "http://app.example";
let server: TestServer;
let store: string;
beforeAll(async () => {
  server = await startServer({ args: ["--cors-origin", PAGE, "--alias", "my-embeddings=lectern-embed-en"] });
  store = await newStore(server, { name: "odd" });
  await addText(server, store, "mill.txt", "The mill wheel turns by the river.", { team: "red", year: 2026 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe("numbers that JSON can write and nothing can hold", () => {
  const vector = (number: string) => `[${[number, ...Array<string>(255).fill("0")].join()}]`;
  test.each([
    ["search", `{"query":"x","query_vector":${vector("1e39")}}`, "query_vector[0]"],
    ["search", `{"query":"x","query_vector":${vector("-3.5e38")}}`, "query_vector[0]"],
    ["search", `{"query":"x","query_vector":${vector("1e400")}}`, "query_vector[0]"],
    ["search", `{"query":"x","ranking_options":{"score_threshold":1e400}}`, "ranking_options.score_threshold"],
    [
      "search",
      `{"query":"x","ranking_options":{"ranker":"rrf","impact_factor":1e400}}`,
      "ranking_options.impact_factor",
    ],
    ["search", `{"query":"x","max_num_results":1e400}`, "max_num_results"],
    ["search", `{"query":"x","filters":{"year":1e400}}`, "filters.year"],
    ["search", `{"query":"x","filters":{"type":"lt","key":"year","value":1e400}}`, "filters.value"],
    ["embeddings", `{"content":"x","embedding":${vector("1e39")}}`, "embedding[0]"],
    ["embeddings", `{"content":"x","embedding":${vector("-1e400")}}`, "embedding[0]"],
    ["embeddings", `{"content":"x","attributes":{"n":1e400}}`, "attributes.n"],
    [
      "embeddings/batch",
      `{"embeddings":[{"content":"x"},{"content":"x","embedding":${vector("1e39")}}]}`,
      "embeddings[1].embedding[0]",
    ],
    ["files", `{"file_id":"file-x","attributes":{"n":-1e400}}`, "attributes.n"],
    ["", `{"metadata":{"a":{"b":[1e400]}}}`, "metadata"],
  ])("are refused by name: POST …/%s, case %#", async (path, body, param) => {
    const error = await refusal(server, "POST", `/v1/vector_stores/${store}/${path}`.replace(/\/$/, ""), body);
    expect(error).toMatchObject({ status: 400, param });
    expect(error.message).not.toContain("expected a decimal, but got a decimal");
  });

  test("are not numbers at all where they are spelt as words", async () => {
    for (const word of ["NaN", "Infinity", "-Infinity"])
      expect(
        await refusal(server, "POST", `/v1/vector_stores/${store}/search`, `{"query":"x","limit":${word}}`),
      ).toMatchObject({
        status: 400,
        code: "invalid_json",
      });
  });

  test("at the edge are taken", async () => {
    const edge = { query: "x", query_vector: [3.4e38, 1e-300, ...Array<number>(254).fill(0)] };
    for (const hit of await search(server, store, edge)) expect(hit.score).toBeWithin(0, 1.01);
  });
});

describe("dimensions", () => {
  test("larger than the model's are given exactly under a hosted name, in embeddings and in stores", async () => {
    const made = await server.client.embeddings.create({
      model: "text-embedding-3-small",
      input: "mill",
      dimensions: 1536,
    });
    const embedding = made.data[0]?.embedding ?? [];
    expect([embedding.length, Math.hypot(...embedding)]).toEqual([1536, expect.closeTo(1, 4)]);
    const id = await newStore(server, { embedding_model: "text-embedding-3-small", dimensions: 1536 });
    await addText(server, id, "mill.txt", "The mill wheel turns by the river.");
    await addText(server, id, "bread.txt", "Bread needs flour, water, salt and time.");
    const found = await search(server, id, { query: "what turns at the mill", max_num_results: 1 });
    expect(found.map((hit) => hit.filename)).toEqual(["mill.txt"]);
    const byVector = await search(server, id, { query: "x", query_vector: embedding, search_mode: "vector" });
    expect(byVector[0]?.filename).toBe("mill.txt");
    const shown = await json<{ index: { dimensions: number } }>(server, "GET", `/v1/vector_stores/${id}`);
    expect(shown.index.dimensions).toBe(1536);
  });

  test.each([
    ["lectern-embed-en", 257],
    ["text-embedding-3-large", 4097],
    ["my-embeddings", 100_000],
  ])("are refused for %s from %d on", async (model, dimensions) => {
    const error = await refusal(server, "POST", "/v1/embeddings", { model, input: "x", dimensions });
    expect(error).toMatchObject({ status: 400, code: "invalid_dimensions", param: "dimensions" });
  });
});

describe("Azure's class of the official package", () => {
  const options = () => ({ apiKey: server.key, apiVersion: "2024-10-21", maxRetries: 0 });

  test.each([
    ["an endpoint", () => new AzureOpenAI({ ...options(), endpoint: server.url })],
    [
      "an endpoint and a deployment",
      () => new AzureOpenAI({ ...options(), endpoint: server.url, deployment: "my-embeddings" }),
    ],
    ["the newer base address", () => new AzureOpenAI({ ...options(), baseURL: `${server.url}/openai/v1` })],
    [
      "the plain class with Azure's base address",
      () => new OpenAI({ apiKey: server.key, baseURL: `${server.url}/openai/v1/` }),
    ],
  ])("works with %s", async (_name, make) => {
    const client = make();
    const { data } = await client.embeddings.create({ model: "my-embeddings", input: "mill" });
    expect(data[0]?.embedding).toHaveLength(256);
    expect((await client.models.list()).data.length).toBeGreaterThan(0);
    const file = await client.files.create({ file: new File(["A text."], "a.txt"), purpose: "assistants" });
    const made = await client.vectorStores.create({ name: "azure", file_ids: [file.id] });
    expect((await client.vectorStores.retrieve(made.id)).id).toBe(made.id);
    expect((await client.vectorStores.list({ limit: 1 })).data).toHaveLength(1);
    expect((await client.vectorStores.delete(made.id)).deleted).toBe(true);
    expect((await client.files.delete(file.id)).deleted).toBe(true);
  });

  test("is told how to give a deployment that there is not its name", async () => {
    const client = new AzureOpenAI({ ...options(), endpoint: server.url, deployment: "prod-embed" });
    expect(await client.embeddings.create({ model: "x", input: "a" }).catch((error: unknown) => error)).toMatchObject({
      status: 404,
      code: "DeploymentNotFound",
      message: expect.stringContaining("--alias prod-embed=MODEL"),
    });
  });
});

test("the official package sends compressed bodies where it is told to", async () => {
  const zipped: typeof fetch = Object.assign(
    async (input: Parameters<typeof fetch>[0], init?: RequestInit) => {
      const headers = new Headers(init?.headers);
      headers.set("content-encoding", "gzip");
      headers.delete("content-length");
      return await fetch(input, { ...init, headers, body: Bun.gzipSync(String(init?.body)) });
    },
    { preconnect: fetch.preconnect },
  );
  const client = new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, fetch: zipped, maxRetries: 0 });
  expect((await client.embeddings.create({ model: "my-embeddings", input: "mill" })).data).toHaveLength(1);
  const headers = { "content-encoding": "compress" };
  expect(await refusal(server, "POST", "/v1/embeddings", "x", headers)).toMatchObject({
    status: 415,
    code: "unsupported_encoding",
  });
  const bomb = Bun.gzipSync(new Uint8Array(80 * 1024 * 1024).fill(0x20));
  expect(await refusal(server, "POST", "/v1/embeddings", bomb, { "content-encoding": "gzip" })).toMatchObject({
    status: 413,
    code: "payload_too_large",
  });
});

test("a page of an origin that was named may call, another may not", async () => {
  const ask = (origin: string) =>
    server.fetch("/v1/embeddings", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
  const allowed = await ask(PAGE);
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, PAGE]);
  expect((await ask("http://other.example")).headers.get("access-control-allow-origin")).toBeNull();
  const refused = await server.fetch("/v1/files", { headers: { origin: PAGE, authorization: "Bearer wrong" } });
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, PAGE]);
});

test("a client that hangs up is 499 in the log and counts as no failure", async () => {
  const { hostname, port } = new URL(server.url);
  const body = JSON.stringify({
    model: "my-embeddings",
    input: Array.from({ length: 60 }, () => "word ".repeat(2000)),
  });
  const head = `POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve) => socket.write(head + body, () => resolve()));
  socket.destroy();
  await waitFor("the request is logged", () => (server.log().includes('"status":499') ? true : undefined));
  const metrics = await (await server.fetch("/metrics")).text();
  expect(metrics).toMatch(/route="\/v1\/embeddings",status="499"\} 1/);
  expect(metrics).not.toMatch(/status="5\d\d"/);
});

test("a second server on the same port says so and ends", async () => {
  using dir = tempDir();
  const { port } = new URL(server.url);
  const second = Bun.spawn({
    cmd: [...LECTERN, "serve", "--port", port, "--data", dir.join("data")],
    cwd: dir.path,
    env: plainEnv({ LECTERN_API_KEY: TEST_KEY }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([second.stdout.text(), second.stderr.text(), second.exited]);
  expect([status, out]).toEqual([1, ""]);
  expect(err).toContain(`127.0.0.1:${port} is in use; choose another with --port`);
  // Every connection still goes to the first.
  for (let i = 0; i < 20; i += 1)
    expect((await server.fetch(`/v1/vector_stores/${store}`, { headers: { connection: "close" } })).status).toBe(200);
});
