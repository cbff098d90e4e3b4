/** Addresses of other programs: which there are, what they cost whom, and how they are switched off. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { json } from "../helpers/api.ts";
import { LECTERN, startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";

const ADDRESSES: readonly (readonly [adapter: string, method: string, path: string, body: object | string])[] = [
  ["dify", "POST", "/dify/retrieval", {}],
  ["openwebui", "PUT", "/openwebui/process", "some text"],
  ["librechat", "GET", "/librechat/health", ""],
  ["tei", "POST", "/embed", { inputs: "x" }],
  ["tei", "GET", "/info", ""],
  ["cohere", "POST", "/v2/embed", { model: "embed-english-v3.0", texts: ["x"] }],
  ["cohere", "POST", "/v1/embed", { texts: ["x"] }],
  ["ollama", "POST", "/api/embed", { model: "lectern-embed-en", input: "x" }],
  ["ollama", "GET", "/api/tags", ""],
];

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
}, 120_000);
afterAll(async () => await server?.[Symbol.asyncDispose]());

async function status(from: TestServer, method: string, path: string, body: object | string): Promise<number> {
  const init: RequestInit = { method };
  if (body !== "") init.body = typeof body === "string" ? body : JSON.stringify(body);
  const response = await from.fetch(path, init);
  await response.text();
  return response.status;
}

test("each is served unless it is switched off, alone or with others", async () => {
  await using some = await startServer({ args: ["--no-adapter", "dify, tei", "--no-adapter", "librechat"] });
  for (const [adapter, method, path, body] of ADDRESSES) {
    const off = ["dify", "tei", "librechat"].includes(adapter);
    expect([path, await status(server, method, path, body)]).not.toEqual([path, 404]);
    expect([path, (await status(some, method, path, body)) === 404]).toEqual([path, off]);
  }
  const { paths } = await json<{ paths: object }>(some, "GET", "/docs/json");
  expect(Object.keys(paths)).not.toContain("/dify/retrieval");
  expect(Object.keys(paths)).toContain("/api/embed");
}, 120_000);

test("a name that is none is refused at the start", async () => {
  const child = Bun.spawn([...LECTERN, "serve", "--no-adapter", "difi"], { stderr: "pipe", stdout: "ignore" });
  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([
    expect.any(Number),
    expect.stringContaining("--no-adapter must be one of mcp, dify, openwebui"),
  ]);
  expect(child.exitCode).not.toBe(0);
});

test("requests count for the key's limits as any other", async () => {
  const tenant = await newTenant(server, "few", { requests_per_minute: 3 });
  const few = as(server, (await newKey(server, { tenant_id: tenant, role: "read" })).key);
  const body = { inputs: "x" };
  const all: number[] = [];
  for (let i = 0; i < 5; i++) all.push(await status(few, "POST", "/embed", body));
  expect(all).toEqual([200, 200, 200, 429, 429]);
});

test("the vectors are those of OpenAI's address", async () => {
  const input = ["A refund takes ten days.", "Holidays are in spring."];
  const { data } = await json<{ data: { embedding: number[] }[] }>(server, "POST", "/v1/embeddings", {
    model: "lectern-embed-en",
    input,
  });
  const vectors = data.map(({ embedding }) => embedding);
  const tei = await json<number[][]>(server, "POST", "/embed", { inputs: input });
  const { embeddings } = await json<{ embeddings: number[][] }>(server, "POST", "/api/embed", {
    model: "lectern-embed-en:latest",
    input,
  });
  const cohere = await json<{ embeddings: { float: number[][] } }>(server, "POST", "/v2/embed", {
    model: "embed-english-v3.0",
    texts: input,
    input_type: "search_document",
    embedding_types: ["float"],
  });
  expect(tei).toEqual(vectors);
  expect(embeddings).toEqual(vectors);
  expect(cohere.embeddings.float).toEqual(vectors);
});
