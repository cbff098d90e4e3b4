/** Clients of other makers, unmodified, pointed at this server by nothing but an address and a key. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createOpenAI } from "@ai-sdk/openai";
import { OpenAIEmbeddings } from "@langchain/openai";
import { embed, embedMany } from "ai";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const TEXTS = ["Tides follow the moon.", "Bread needs flour, water, salt and time.", "Ropes are made of hemp."];
const QUERY = "which grain is bread baked from";

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  return dot / (Math.hypot(...a) * Math.hypot(...b));
}

/** What the server says without any client in between. */
async function plain(input: string | string[], more: object = {}): Promise<number[][]> {
  const response = await server.fetch("/v1/embeddings", {
    method: "POST",
    body: JSON.stringify({ model: "text-embedding-3-small", input, ...more }),
  });
  return ((await response.json()) as { data: { embedding: number[] }[] }).data.map(({ embedding }) => embedding);
}

function expectSame(got: readonly number[][], wanted: readonly number[][]): void {
  expect(got.map((row) => row.length)).toEqual(wanted.map((row) => row.length));
  for (const [i, row] of got.entries()) expect(cosine(row, wanted[i] ?? [])).toBeCloseTo(1, 5);
}

test("the Vercel AI SDK embeds one text and many", async () => {
  const provider = createOpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key });
  const model = provider.embedding("text-embedding-3-small");
  const many = await embedMany({ model, values: TEXTS });
  expectSame(many.embeddings, await plain(TEXTS));
  expect(many.usage.tokens).toBeGreaterThan(0);
  const one = await embed({ model, value: QUERY, providerOptions: { openai: { dimensions: 64, user: "somebody" } } });
  expectSame([one.embedding], await plain(QUERY, { dimensions: 64 }));
  const query = (await embed({ model, value: QUERY })).embedding;
  const scores = many.embeddings.map((row) => cosine(row, query));
  expect(scores.indexOf(Math.max(...scores))).toBe(1);
});

test("the Vercel AI SDK reports an error with its message", async () => {
  const provider = createOpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key });
  const model = provider.embedding("no-such-model");
  expect(await embed({ model, value: "x", maxRetries: 0 }).catch((error: unknown) => error)).toMatchObject({
    name: "AI_APICallError",
    statusCode: 404,
    message: expect.stringContaining("no-such-model"),
    isRetryable: false,
  });
});

test("LangChain embeds documents and a query", async () => {
  const embeddings = new OpenAIEmbeddings({
    model: "text-embedding-3-small",
    apiKey: server.key,
    batchSize: 2,
    configuration: { baseURL: `${server.url}/v1` },
  });
  const documents = await embeddings.embedDocuments(TEXTS);
  expectSame(documents, await plain(TEXTS));
  const query = await embeddings.embedQuery(QUERY);
  const scores = documents.map((row) => cosine(row, query));
  expect(scores.indexOf(Math.max(...scores))).toBe(1);
});

test("LangChain gets the dimensions that it asks for", async () => {
  const configuration = { baseURL: `${server.url}/v1` };
  const embeddings = new OpenAIEmbeddings({
    model: "text-embedding-3-large",
    dimensions: 128,
    apiKey: server.key,
    configuration,
  });
  expect(await embeddings.embedQuery(QUERY)).toHaveLength(128);
});
