import { describe, expect, test } from "bun:test";
import { KEYS, storeApp, type StoreApp } from "../../app/testing/store-app.ts";

const TEXTS = ["a horse in the field", "the password is blue"];
const MODEL = "words-64";

/** What `/v1/embeddings` gives. */
async function plain(f: StoreApp, input: string | string[], more: object = {}): Promise<number[][]> {
  const { json } = await f.call("POST", "/v1/embeddings", { model: MODEL, input, ...more });
  return json.data.map((one: { embedding: number[] }) => one.embedding);
}

describe("text-embeddings-inference", () => {
  test.each(["/embed", "/"])("gives the vectors of the default model as a list at POST %s", async (path) => {
    await using f = await storeApp();
    const expected = await plain(f, TEXTS);
    const body = { inputs: TEXTS, truncate: true, normalize: true, truncation_direction: "Right" };
    expect((await f.call("POST", path, body)).json).toEqual(expected);
    expect((await f.call("POST", path, { inputs: TEXTS[0] })).json).toEqual([expected[0]]);
    expect((await f.call("POST", path, { inputs: [] })).json).toEqual([]);
    const short = await f.call("POST", path, { inputs: TEXTS[0], dimensions: 16, prompt_name: null });
    expect(short.json).toEqual(await plain(f, TEXTS[0] ?? "", { dimensions: 16 }));
  });

  test("embeds a query as one", async () => {
    await using f = await storeApp();
    await f.call("POST", "/embed", { inputs: "x y", prompt_name: "query" });
    await f.call("POST", "/embed", { inputs: "x z", prompt_name: "passage" });
    expect(f.kinds).toEqual(["query", "passage"]);
  });

  test("says which model there is", async () => {
    await using f = await storeApp();
    const { json } = await f.call("GET", "/info");
    expect(json).toMatchObject({ model_id: MODEL, max_input_length: 8192, max_client_batch_size: 2048 });
    expect((await f.call("GET", "/health", undefined, { authorization: "" })).json).toEqual({ status: "ok" });
  });

  test("is refused in its own words", async () => {
    await using f = await storeApp();
    const bad = await f.call("POST", "/embed", { inputs: [7] });
    expect([bad.status, bad.json]).toEqual([
      400,
      { error: expect.stringContaining("inputs[0]"), error_type: "Validation" },
    ]);
    const none = await f.call("POST", "/embed", { inputs: "x" }, { authorization: "" });
    expect([none.status, none.json.error_type]).toEqual([401, "Validation"]);
    f.failing.reason = "overloaded";
    const busy = await f.call("POST", "/embed", { inputs: "a text of its own" });
    expect([busy.status, busy.json.error_type]).toEqual([429, "Overloaded"]);
  });
});

describe("Cohere", () => {
  const types = { embedding_types: ["float"] };

  test("gives vectors by type, or as a list in the first version of its API", async () => {
    await using f = await storeApp();
    const float = await plain(f, TEXTS);
    const body = { model: MODEL, texts: TEXTS, input_type: "search_document", truncate: "END" };
    const common = (version: string) => ({
      id: expect.stringMatching(/^embed-\w{24}$/),
      texts: TEXTS,
      meta: { api_version: { version }, billed_units: { input_tokens: 9 } },
    });
    const byType = { response_type: "embeddings_by_type", embeddings: { float } };
    expect((await f.call("POST", "/v2/embed", { ...body, ...types })).json).toEqual({ ...byType, ...common("2") });
    expect((await f.call("POST", "/v2/embed", body)).json).toEqual({ ...byType, ...common("2") });
    expect((await f.call("POST", "/v1/embed", { ...body, ...types })).json).toEqual({ ...byType, ...common("1") });
    const { json } = await f.call("POST", "/v1/embed", { texts: TEXTS });
    expect(json).toEqual({ response_type: "embeddings_floats", embeddings: float, ...common("1") });
  });

  test("takes its names of models, its kinds of text and its lengths", async () => {
    await using f = await storeApp();
    const body = { model: "embed-english-v3.0", texts: ["x y"], input_type: "search_query", output_dimension: 128 };
    const { json } = await f.call("POST", "/v2/embed", body);
    expect(json.embeddings.float[0]).toHaveLength(128);
    expect(f.kinds).toEqual(["query"]);
    expect((await f.call("POST", "/v2/embed", { model: MODEL, texts: [] })).json.embeddings).toEqual({ float: [] });
  });

  test("is refused in its own words", async () => {
    await using f = await storeApp();
    const bad: [body: object, status: number, word: string][] = [
      [{ model: "nope", texts: ["x"] }, 404, "nope"],
      [{ texts: ["x"] }, 400, "model"],
      [{ model: MODEL, texts: "x" }, 400, "texts"],
      [{ model: MODEL, texts: ["x"], embedding_types: ["int8"] }, 400, "float"],
      [{ model: MODEL, texts: ["x"], images: ["data:"] }, 400, "images"],
      [{ model: MODEL, texts: Array(2049).fill("x") }, 400, "texts"],
    ];
    for (const [body, status, word] of bad) {
      const answer = await f.call("POST", "/v2/embed", body);
      expect([answer.status, Object.keys(answer.json)]).toEqual([status, ["message"]]);
      expect(answer.json.message).toContain(word);
    }
  });
});

describe("Ollama", () => {
  test("gives vectors, with the name as it was asked for", async () => {
    await using f = await storeApp();
    const expected = await plain(f, TEXTS);
    const body = { model: `${MODEL}:latest`, input: TEXTS, truncate: true, keep_alive: "5m", options: { num_ctx: 1 } };
    expect((await f.call("POST", "/api/embed", body)).json).toEqual({
      model: `${MODEL}:latest`,
      embeddings: expected,
      total_duration: expect.any(Number),
      load_duration: 0,
      prompt_eval_count: 9,
    });
    const one = await f.call("POST", "/api/embed", { model: MODEL, input: TEXTS[0], dimensions: 16, keep_alive: null });
    expect(one.json.embeddings).toEqual(await plain(f, TEXTS[0] ?? "", { dimensions: 16 }));
    expect((await f.call("POST", "/api/embed", { model: MODEL, input: [] })).json.embeddings).toEqual([]);
    const old = await f.call("POST", "/api/embeddings", { model: MODEL, prompt: TEXTS[1], keep_alive: -1 });
    expect(old.json).toEqual({ embedding: expected[1] });
  });

  test("lists what there is", async () => {
    await using f = await storeApp();
    const { json } = await f.call("GET", "/api/tags");
    const names = json.models.map((one: { name: string }) => one.name);
    expect(names).toContain("words-64:latest");
    expect(names).not.toContain("text-embedding-3-small:latest");
    for (const one of json.models) {
      expect([one.model, Number.isNaN(Date.parse(one.modified_at)), one.digest.length]).toEqual([one.name, false, 64]);
      expect((await f.call("POST", "/api/embed", { model: one.name, input: "x" })).status).toBe(200);
    }
    expect((await f.call("GET", "/api/version")).json.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("is refused in its own words, and asks for a key", async () => {
    await using f = await storeApp();
    const unknown = await f.call("POST", "/api/embed", { model: "nope:latest", input: "x" });
    expect([unknown.status, unknown.json]).toEqual([404, { error: expect.stringContaining("'nope'") }]);
    for (const [method, path] of [
      ["POST", "/api/embed"],
      ["POST", "/api/embeddings"],
      ["GET", "/api/tags"],
      ["GET", "/api/version"],
    ] as const) {
      const { status, json } = await f.call(method, path, undefined, { authorization: "" });
      expect([path, status, Object.keys(json)]).toEqual([path, 401, ["error"]]);
      expect((await f.call(method, path, undefined, { authorization: `Bearer ${KEYS.read}` })).status).not.toBe(401);
    }
    const long = await f.call("POST", "/api/embed", { model: MODEL, input: "word ".repeat(9000) });
    expect([long.status, long.json.error]).toEqual([400, expect.stringContaining("8192 tokens")]);
    expect((await f.call("POST", "/api/generate", { model: MODEL, prompt: "x" })).status).toBe(404);
  });
});

test("an empty text among others has a vector like any", async () => {
  await using f = await storeApp();
  const expected = await plain(f, "");
  expect((await f.call("POST", "/embed", { inputs: ["", "x"] })).json[0]).toEqual(expected[0]);
});
