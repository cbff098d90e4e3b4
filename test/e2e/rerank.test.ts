/** Rerankers on a running server, end to end: a model dropped in, searches through it, and /v1/rerank. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type OpenAI from "openai";
import type { CrossEncoderModel } from "../../src/embed/testing/cross-encoders.ts";
import {
  crossEncoderConfig,
  crossEncoderFolder,
  crossEncoderLogit,
  randomCrossEncoder,
} from "../../src/embed/testing/cross-encoders.ts";
import type { FolderFiles } from "../../src/embed/testing/model-folders.ts";
import { SMALL_WORDS } from "../../src/embed/testing/model-folders.ts";
import { addText, json, newStore, refusal } from "../helpers/api.ts";
import { seededRandom } from "../helpers/random.ts";
import type { TestServer } from "../helpers/server.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import type { TempDir } from "../helpers/temp-dir.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";

const SHAPE = {
  vocabulary: SMALL_WORDS.length,
  positions: 32,
  tokenTypes: 2,
  hidden: 16,
  heads: 2,
  layers: 2,
  feedForward: 32,
  seed: 23,
};
const MODEL = randomCrossEncoder(SHAPE);
const RANKER = "acme/ranker";
const FAILING = "failing-ranker";
const QUERY = "a cat on the mat";
const DOCUMENTS = [
  "the cat sat on the mat",
  "a dog sat on a mat",
  "the red house and the blue house",
  "a small tree and a big tree",
  "rain and sun",
  "the cat and the dog run",
  "a mat",
];

const ids = (text: string): number[] => text.split(" ").map((word) => SMALL_WORDS.indexOf(word));

/** What the model says of a document, computed without it. */
function expected(document: string, query = QUERY, model: CrossEncoderModel = MODEL): number {
  const row = [2, ...ids(query), 3, ...ids(document), 3];
  const types = row.map((_, i) => (i < ids(query).length + 2 ? 0 : 1));
  return 1 / (1 + Math.exp(-crossEncoderLogit(model, row, types)));
}

/** A reranker that runs, until a text holds the word "sky". */
function failing(): CrossEncoderModel {
  const model = randomCrossEncoder(SHAPE);
  model.transformer.weights.get("word")?.values.fill(NaN, SMALL_WORDS.indexOf("sky") * SHAPE.hidden);
  return model;
}

function put(directory: string, files: FolderFiles): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

interface RerankAnswer {
  model: string;
  results: { index: number; relevance_score: number }[];
  usage: { total_tokens: number };
}

let dir: TempDir;
let server: TestServer;
let storeId: string;

beforeAll(async () => {
  dir = tempDir();
  put(dir.join("data/models", RANKER), crossEncoderFolder(MODEL));
  put(dir.join("data/models", FAILING), crossEncoderFolder(failing()));
  server = await startServer({ dataDir: dir.join("data"), args: ["--offline"] });
  storeId = await newStore(server);
  for (const [i, text] of DOCUMENTS.entries()) await addText(server, storeId, `${i}.txt`, text);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

/** A search through the official client, whose types know OpenAI's rankers only. */
async function search(client: OpenAI, body: Record<string, unknown>, store = storeId) {
  const page = await client.vectorStores.search(store, { query: QUERY, ...body });
  return page.data.map((hit) => ({
    text: hit.content[0]?.text ?? "",
    score: hit.score,
    scores: (hit as unknown as { scores?: { rescored: number | null } }).scores,
  }));
}

const rerank = (body: object, on = server) => json<RerankAnswer>(on, "POST", "/v1/rerank", body);
const ranked = [...DOCUMENTS].sort((a, b) => expected(b) - expected(a));

describe("a search", () => {
  test("is ranked and scored by the model that it names, as an independent computation says", async () => {
    const hits = await search(server.client, { ranking_options: { ranker: RANKER }, explain: true });
    expect(hits.map((hit) => hit.text)).toEqual(ranked);
    for (const hit of hits) {
      expect(Math.abs(hit.score - expected(hit.text))).toBeLessThan(1e-4);
      expect(hit.scores?.rescored).toBe(hit.score);
    }
  });

  test("goes on without it where none is named, or none wanted", async () => {
    for (const options of [{}, { ranking_options: { ranker: "none" } }, { ranking_options: { ranker: "auto" } }]) {
      const hits = await search(server.client, { ...options, explain: true });
      expect(hits[0]?.text).toBe("the cat sat on the mat");
      expect(hits.every((hit) => hit.scores?.rescored === null)).toBe(true);
    }
  });

  test("cuts by the reranker's scores", async () => {
    const score_threshold = (expected(ranked[2] ?? "") + expected(ranked[3] ?? "")) / 2;
    const hits = await search(server.client, { ranking_options: { ranker: RANKER, score_threshold } });
    expect(hits.map((hit) => hit.text)).toEqual(ranked.slice(0, 3));
  });

  test("says which rankers there are when it names another, an embedding model for instance", async () => {
    const path = `/v1/vector_stores/${storeId}/search`;
    for (const ranker of ["no-such-ranker", "lectern-embed-en", "text-embedding-3-small"]) {
      const error = await refusal(server, "POST", path, { query: QUERY, ranking_options: { ranker } });
      expect(error).toMatchObject({ status: 400, code: "invalid_value", param: "ranking_options.ranker" });
      expect(error.message).toContain(`'${ranker}'`);
      expect(error.message).toContain(`'${RANKER}'`);
    }
    const strict = { "x-vector-dialect": "openai-strict" };
    const error = await refusal(server, "POST", path, { query: QUERY, ranking_options: { ranker: RANKER } }, strict);
    expect(error).toMatchObject({ status: 400, param: "ranking_options.ranker" });
  });

  test("fails when its reranker does, and works again after", async () => {
    const store = await newStore(server);
    await addText(server, store, "sky.txt", "the sky");
    const body = { query: "sky", ranking_options: { ranker: FAILING } };
    const error = await refusal(server, "POST", `/v1/vector_stores/${store}/search`, body);
    expect(error).toMatchObject({ status: 503, code: "reranker_unavailable" });
    expect(error.message).toContain(FAILING);
    expect(await search(server.client, { ranking_options: { ranker: FAILING } })).toHaveLength(DOCUMENTS.length);
  });
});

describe("/v1/rerank", () => {
  test("gives the model's scores, the same as a search shows", async () => {
    const documents = DOCUMENTS.map((text, i) => (i % 2 === 0 ? text : { text }));
    const answer = await rerank({ model: RANKER, query: QUERY, documents });
    expect(answer.model).toBe(RANKER);
    expect(answer.results.map((one) => DOCUMENTS[one.index])).toEqual(ranked);
    for (const { index, relevance_score } of answer.results) {
      expect(Math.abs(relevance_score - expected(DOCUMENTS[index] ?? ""))).toBeLessThan(1e-4);
    }
    const hits = await search(server.client, { ranking_options: { ranker: RANKER } });
    hits.forEach((hit, i) => expect(hit.score).toBeCloseTo(answer.results[i]?.relevance_score ?? NaN, 5));
    expect(answer.usage.total_tokens).toBeGreaterThan(DOCUMENTS.length * 2);
  });

  test("has the search's own ranking without a model", async () => {
    const answer = await rerank({ model: "lectern-rank", query: QUERY, documents: DOCUMENTS, top_n: 2 });
    expect(answer.model).toBe("lectern-rank");
    expect(answer.results).toHaveLength(2);
    expect(answer.results[0]?.index).toBe(0);
    expect((await rerank({ model: "rerank-v3.5", query: QUERY, documents: DOCUMENTS })).model).toBe("lectern-rank");
  });

  test("never fails by itself on a body that makes no sense, and answers in the envelope", async () => {
    const random = seededRandom(41);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const junk = [
      null,
      true,
      0,
      -1,
      1e308,
      "",
      " ",
      "x",
      "\ud800",
      [],
      {},
      [[]],
      { text: 1 },
      ["x", null],
      "x".repeat(70_000),
    ];
    const good = {
      query: "cat",
      documents: ["a cat", { text: "a dog" }],
      model: RANKER,
      top_n: 1,
      return_documents: true,
    };
    for (let round = 0; round < 150; round++) {
      const body: Record<string, unknown> = structuredClone(good);
      for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes--) {
        const key = pick([...Object.keys(good), "zzz"]);
        if (random() < 0.2) delete body[key];
        else body[key] = random() < 0.3 ? [pick(junk), pick(junk)] : pick(junk);
      }
      const response = await server.fetch("/v1/rerank", { method: "POST", body: JSON.stringify(body) });
      const answer = (await response.json()) as { error?: { message: string } };
      expect([body, [200, 400, 404].includes(response.status)]).toEqual([body, true]);
      if (response.status !== 200) expect(answer.error?.message).toBeTruthy();
    }
    expect((await rerank(good)).results).toHaveLength(1);
  });
});

describe("models", () => {
  test("rerankers are listed as such, and make no vectors", async () => {
    const { data } = await json<{ data: { id: string; type: string; dimensions: number | null }[] }>(
      server,
      "GET",
      "/v1/models",
    );
    const types = new Map(data.map((model) => [model.id, model.type]));
    expect([RANKER, FAILING, "lectern-rank", "lectern-embed-en"].map((id) => types.get(id))).toEqual([
      "reranker",
      "reranker",
      "reranker",
      "embedding",
    ]);
    const one = await json<Record<string, unknown>>(server, "GET", `/v1/models/${encodeURIComponent(RANKER)}`);
    expect(one).toMatchObject({ id: RANKER, type: "reranker", location: "local", dimensions: null, max_tokens: 32 });
    expect(one["revision"]).toMatch(/^[0-9a-f]{16}$/);

    const requests: [path: string, body: object][] = [
      ["/v1/vector_stores", { embedding_model: RANKER }],
      [`/v1/vector_stores/${storeId}/migrate`, { embedding_model: RANKER }],
      ["/v1/embeddings", { model: RANKER, input: "x" }],
      ["/v1/embeddings", { model: "lectern-rank", input: "x" }],
    ];
    for (const [path, body] of requests) {
      const error = await refusal(server, "POST", path, body);
      expect([path, error]).toMatchObject([path, { status: 400, code: "invalid_embedding_model" }]);
      expect(error.message).toContain("is a reranker");
    }
    const asRanker = await refusal(server, "POST", "/v1/rerank", {
      model: "lectern-embed-en",
      query: "x",
      documents: ["x"],
    });
    expect(asRanker).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(asRanker.message).toContain("is an embedding model");
  });

  test("are added, verified, listed and removed by the verb; broken ones are refused with what is wrong", async () => {
    const models = (...args: string[]) => runLectern(["models", ...args, "--data", server.dataDir]);
    const folder = put(dir.join("house"), crossEncoderFolder(randomCrossEncoder({ ...SHAPE, seed: 31 })));
    const added = await models("add", folder, "--id", "house");
    expect(added).toMatchObject({ status: 0, out: "house\n", err: expect.stringContaining("a reranker") });
    expect((await rerank({ model: "house", query: QUERY, documents: DOCUMENTS })).model).toBe("house");
    expect((await models("verify", "house")).out).toBe("house: ok, a reranker\n");
    expect((await models("list")).out).toMatch(/^house +local +32 +reranker/m);

    const config = (...labels: string[]) => ({
      "config.json": JSON.stringify({ ...crossEncoderConfig(SHAPE), id2label: { ...labels } }),
    });
    const broken: [name: string, changes: FolderFiles, words: string][] = [
      ["two-labels", config("no", "yes"), "no output 'logits' of two numbers a row"],
      ["three-labels", config("no", "maybe", "yes"), "the classifier has 3 labels"],
      ["no-graph", { "onnx/model.onnx": "not a graph" }, "onnx/model.onnx cannot be loaded"],
    ];
    for (const [name, changes, words] of broken) {
      const refused = await models("add", put(dir.join(name), crossEncoderFolder(MODEL, changes)), "--id", name);
      expect([name, refused.status, refused.err]).toEqual([name, 1, expect.stringContaining(words)]);
      expect(existsSync(join(server.dataDir, "models", name))).toBe(false);
    }
    expect((await models("remove", "house")).status).toBe(0);
    const gone = await refusal(server, "POST", "/v1/rerank", { model: "house", query: "x", documents: ["x"] });
    expect(gone.status).toBe(404);
  });

  test("what they did is counted", async () => {
    await rerank({ model: RANKER, query: QUERY, documents: DOCUMENTS });
    const text = await (await server.fetch("/metrics")).text();
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
    expect(value(`lectern_reranks_total\\{model="${RANKER}",outcome="ok"\\}`)).toBeGreaterThan(0);
    expect(value(`lectern_reranked_documents_total\\{model="${RANKER}"\\}`)).toBeGreaterThanOrEqual(DOCUMENTS.length);
    expect(value(`lectern_lane_restarts\\{lane="rerank"\\}`)).toBe(0);
  });
});

test("a tenant's searches read its own documents only, and its readers may rerank", async () => {
  const tenant = await newTenant(server, "reranks");
  const writer = as(server, (await newKey(server, { tenant_id: tenant, role: "write" })).key);
  const reader = as(server, (await newKey(server, { tenant_id: tenant, role: "read" })).key);
  const own = await newStore(writer);
  await addText(writer, own, "own.txt", "a blue mat");
  const body = { query: QUERY, ranking_options: { ranker: RANKER } };
  const path = (id: string) => `/v1/vector_stores/${id}/search`;
  const mine = await json<{ data: { filename: string }[] }>(reader, "POST", path(own), body);
  expect(mine.data.map((hit) => hit.filename)).toEqual(["own.txt"]);
  expect((await refusal(reader, "POST", path(storeId), body)).status).toBe(404);
  expect((await rerank({ model: RANKER, query: QUERY, documents: DOCUMENTS }, reader)).results).toHaveLength(7);
});

test("searches without a reranker do not wait for one with many documents", async () => {
  const documents = Array.from({ length: 1000 }, () => "the cat sat on the mat and ".repeat(60));
  let done = false;
  const long = rerank({ model: RANKER, query: QUERY, documents }).finally(() => (done = true));
  await search(server.client, { query: "a mat that nobody asked for before" });
  expect(done).toBe(false);
  expect((await long).results).toHaveLength(1000);
});

describe("a default ranker", () => {
  test("is the reranker of what names none", async () => {
    using own = tempDir();
    put(own.join("data/models", RANKER), crossEncoderFolder(MODEL));
    await using other = await startServer({ dataDir: own.join("data"), args: ["--default-ranker", RANKER] });
    const store = await newStore(other);
    for (const [i, text] of DOCUMENTS.entries()) await addText(other, store, `${i}.txt`, text);
    for (const options of [{}, { ranking_options: { ranker: "auto" } }]) {
      expect((await search(other.client, options, store)).map((hit) => hit.text)).toEqual(ranked);
    }
    const none = await search(other.client, { ranking_options: { ranker: "none" }, explain: true }, store);
    expect(none.every((hit) => hit.scores?.rescored === null)).toBe(true);
    expect((await rerank({ query: QUERY, documents: DOCUMENTS }, other)).model).toBe(RANKER);
  });

  test("that is not there, or broken, ends the start with its name and the reason", async () => {
    using own = tempDir();
    put(own.join("data/models/broken"), crossEncoderFolder(MODEL, { "config.json": "{" }));
    for (const [name, words] of [
      ["nobody", "no such reranker"],
      ["lectern-embed-en", "no such reranker"],
      ["broken", "config.json"],
    ] as const) {
      const args = ["serve", "--port", "0", "--data", own.join("data"), "--default-ranker", name];
      const { status, err } = await runLectern(args);
      expect([name, status === 0, err]).toEqual([name, false, expect.stringContaining(words)]);
      expect(err).toContain(`'${name}'`);
    }
  });
});
