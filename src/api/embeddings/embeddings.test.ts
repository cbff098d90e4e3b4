import { describe, expect, test } from "bun:test";
import { encodeTokens } from "../../chunk/tokens.ts";
import { storeApp, WRITER } from "../../app/testing/store-app.ts";
import { DIMENSIONS, vectorOf } from "../../app/testing/words-model.ts";

const PATH = "/v1/embeddings";

describe("POST /v1/embeddings", () => {
  test("embeds a text and counts its tokens in cl100k", async () => {
    await using f = await storeApp();
    const { json } = await f.call("POST", PATH, { model: "text-embedding-3-small", input: "hello world" });
    expect(json).toEqual({
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [...vectorOf("hello world")] }],
      model: "words-64",
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
  });

  test("keeps the order of several texts", async () => {
    await using f = await storeApp();
    const { json } = await f.call("POST", PATH, { model: "words-64", input: ["a b", "c", "a b"] });
    expect(json.data.map((one: { index: number }) => one.index)).toEqual([0, 1, 2]);
    expect(json.data[2].embedding).toEqual(json.data[0].embedding);
    expect(json.usage.prompt_tokens).toBe(5);
  });

  test("takes tokens, one list or several, as the text that they stand for", async () => {
    await using f = await storeApp();
    const tokens = encodeTokens("hello world");
    const one = await f.call("POST", PATH, { model: "words-64", input: tokens });
    expect(one.json.usage.prompt_tokens).toBe(tokens.length);
    expect(one.json.data).toHaveLength(1);
    await f.call("POST", PATH, { model: "words-64", input: [tokens, encodeTokens("Grüße 😀")] });
    expect(f.embedded).toEqual(["hello world", "hello world", "Grüße 😀"]);
  });

  test("gives base64 of little-endian float32 with exactly the same numbers", async () => {
    await using f = await storeApp();
    const body = { model: "words-64", input: "some words to embed" };
    const plain = (await f.call("POST", PATH, body)).json.data[0].embedding as number[];
    const { json } = await f.call("POST", PATH, { ...body, encoding_format: "base64" });
    const bytes = Buffer.from(json.data[0].embedding, "base64");
    expect(bytes.length).toBe(DIMENSIONS * 4);
    expect(plain.map((_, i) => bytes.readFloatLE(i * 4))).toEqual(plain);
  });

  test("shortens to the dimensions asked for, of unit length", async () => {
    await using f = await storeApp();
    const { json } = await f.call("POST", PATH, {
      model: "words-64",
      input: "one two three four five six seven",
      dimensions: 32,
    });
    const vector = json.data[0].embedding as number[];
    expect(vector).toHaveLength(32);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
  });

  test.each<[body: object, status: number, code: string | null, param: string]>([
    [{ input: "x" }, 400, "missing_required_parameter", "model"],
    [{ model: "words-64" }, 400, "missing_required_parameter", "input"],
    [{ model: "words-64", input: [""] }, 400, "string_below_min_length", "input[0]"],
    [{ model: "words-64", input: [] }, 400, "array_below_min_length", "input"],
    [{ model: "words-64", input: ["a", ""] }, 400, "string_below_min_length", "input[1]"],
    [{ model: "words-64", input: [[]] }, 400, null, "input[0]"],
    [{ model: "words-64", input: [1, "a"] }, 400, "invalid_type", "input[1]"],
    [{ model: "words-64", input: [-1] }, 400, null, "input[0]"],
    [{ model: "words-64", input: new Array(8193).fill(1) }, 400, "invalid_value", "input"],
    [{ model: "words-64", input: [[1], new Array(8193).fill(1)] }, 400, "invalid_value", "input[1]"],
    [{ model: "words-64", input: Array.from({ length: 2049 }, () => [1]) }, 400, "array_above_max_length", "input"],
    [{ model: "words-64", input: [1, ...new Array(3000).fill(1), 1.5] }, 400, "invalid_type", "input[3001]"],
    [{ model: "words-64", input: [99_999_999] }, 400, "invalid_value", "input"],
    [{ model: "words-64", input: Array.from({ length: 2049 }, () => "a") }, 400, "array_above_max_length", "input"],
    [{ model: "words-64", input: ["a", "word ".repeat(8200)] }, 400, "invalid_value", "input[1]"],
    [{ model: "words-64", input: "a", encoding_format: "hex" }, 400, "invalid_value", "encoding_format"],
    [{ model: "words-64", input: "a", dimensions: 0 }, 400, "integer_below_min_value", "dimensions"],
    [{ model: "words-64", input: "a", input_type: "bogus" }, 400, "invalid_value", "input_type"],
    [{ model: "words-64", input: "a", input_type: "" }, 400, "invalid_value", "input_type"],
    [{ model: "words-64", input: "a", output_dtype: "int8" }, 400, "invalid_value", "output_dtype"],
    [{ model: "words-64", input: "a", dimensions: 8, output_dimension: 9 }, 400, "invalid_value", "output_dimension"],
    [{ model: "words-64", input: "a", output_dimension: 65 }, 400, "invalid_dimensions", "dimensions"],
    [{ model: "text-embedding-3-small", input: "a", dimensions: 4097 }, 400, "invalid_dimensions", "dimensions"],
    [{ model: "words-64", input: "a", prefix: "x" }, 400, "unknown_parameter", "prefix"],
    [{ model: "words-64", input: "a", dimensions: 65 }, 400, "invalid_dimensions", "dimensions"],
    [{ model: "words-64", input: "a", extra: 1 }, 400, "unknown_parameter", "extra"],
    [{ model: "gpt-4o", input: "a" }, 404, "model_not_found", "model"],
  ])("refuses %#", async (body, status, code, param) => {
    await using f = await storeApp();
    const answer = await f.call("POST", PATH, body);
    expect([answer.status, answer.json.error?.param]).toEqual([status, param]);
    if (code !== null) expect(answer.json.error.code).toBe(code);
  });

  test("takes one empty text, but no list with one", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", PATH, { model: "words-64", input: "" });
    expect([status, json.data?.length, json.usage?.prompt_tokens]).toEqual([200, 1, 0]);
  });

  test.each([2049, 8192])("takes %d tokens of one text, alone or in a list", async (count) => {
    await using f = await storeApp();
    const tokens = new Array(count).fill(15339);
    for (const input of [tokens, [tokens], [[1], tokens]]) {
      const { status, json } = await f.call("POST", PATH, { model: "words-64", input });
      expect([status, json.error?.message]).toEqual([200, undefined]);
    }
  });

  test("fills up with zeros under the name of a larger model, which changes no cosine", async () => {
    await using f = await storeApp();
    const body = { model: "text-embedding-3-small", input: "the food was delicious" };
    const [own, filled] = await Promise.all(
      [64, 1536].map(async (dimensions) => {
        const { json } = await f.call("POST", PATH, { ...body, dimensions });
        return json.data[0].embedding as number[];
      }),
    );
    expect(filled).toEqual([...(own ?? []), ...new Array<number>(1536 - 64).fill(0)]);
    expect(Math.hypot(...(filled ?? []))).toBeCloseTo(1, 5);
    const coded = await f.call("POST", PATH, { ...body, dimensions: 1536, encoding_format: "base64" });
    expect(Buffer.from(coded.json.data[0].embedding, "base64").byteLength).toBe(1536 * 4);
  });

  test("takes what Voyage's, Jina's and other servers' clients send", async () => {
    await using f = await storeApp();
    const voyage = { input_type: "document", truncation: true, output_dtype: null, output_dimension: 16 };
    const { json } = await f.call("POST", PATH, { model: "words-64", input: ["a", "b"], ...voyage });
    expect(json.data.map((one: { embedding: number[] }) => one.embedding.length)).toEqual([16, 16]);
    const jina = { task: "retrieval.query", late_chunking: false, normalized: true, embedding_type: "float" };
    const vllm = { truncate_prompt_tokens: 100, add_special_tokens: true, priority: 0 };
    for (const more of [jina, vllm])
      expect((await f.call("POST", PATH, { model: "words-64", input: "a", ...more })).status).toBe(200);
  });

  test("takes a text of exactly 8,192 tokens", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", PATH, { model: "words-64", input: "a ".repeat(8191) + "a" });
    expect([status, json.usage?.prompt_tokens]).toEqual([200, 8192]);
  });
});

describe("Azure's addresses", () => {
  const path = (name: string, base = "/openai") => `${base}/deployments/${name}/embeddings?api-version=2024-10-21`;

  test.each(["/openai", "/openai/v1"])("name the model under %s, whatever the body says", async (base) => {
    await using f = await storeApp();
    for (const body of [{ input: "a" }, { input: "a", model: "gpt-4o" }, { input: "a", model: null }]) {
      const { status, json } = await f.call("POST", path("words-64", base), body, {
        authorization: "",
        "api-key": WRITER,
      });
      expect([status, json.model, json.data?.length]).toEqual([200, "words-64", 1]);
    }
  });

  test("of a deployment that there is not say how it can be made", async () => {
    await using f = await storeApp();
    for (const name of ["my-embeddings", "team%2Fmine", "team/mine"]) {
      const { status, json } = await f.call("POST", path(name), { input: "a" });
      expect([status, json.error.code]).toEqual([404, "DeploymentNotFound"]);
      expect(json.error.message).toContain(`--alias ${decodeURIComponent(name)}=MODEL`);
    }
  });

  test("need a key, take no unknown parameter, and serve nothing else of a deployment", async () => {
    await using f = await storeApp();
    expect((await f.call("POST", path("words-64"), { input: "a" }, { authorization: "" })).status).toBe(401);
    const unknown = await f.call("POST", path("words-64"), { input: "a", inputs: 1 });
    expect([unknown.status, unknown.json.error.param]).toEqual([400, "inputs"]);
    const chat = await f.call("POST", "/openai/deployments/words-64/chat/completions", {});
    expect([chat.status, chat.json.error.code]).toEqual([404, "unknown_url"]);
  });

  test.each(["models", "vector_stores"])("serve /openai/%s as /v1 does", async (family) => {
    await using f = await storeApp();
    const { status, json } = await f.call("GET", `/openai/${family}?api-version=preview`);
    expect([status, json.object]).toEqual([200, "list"]);
  });
});

describe("/v1/models", () => {
  test("lists models and the names that stand for them", async () => {
    await using f = await storeApp();
    const { json } = await f.call("GET", "/v1/models");
    expect(json.object).toBe("list");
    expect(json.data[1]).toEqual({
      id: "text-embedding-3-small",
      object: "model",
      created: 1_800_000_000,
      owned_by: "lectern",
      type: "embedding",
      kind: "embedding",
      dimensions: DIMENSIONS,
      max_tokens: 512,
      location: "alias",
      revision: "r1",
      resolves_to: "words-64",
    });
    expect((await f.call("GET", "/v1/models/words-64")).json).toMatchObject({ id: "words-64", resolves_to: null });
    expect(json.data.at(-1)).toMatchObject({ id: "lectern-extractive", kind: "chat", resolves_to: null });
    expect((await f.call("GET", "/v1/models/lectern-extractive")).json).toEqual(json.data.at(-1));
  });

  test("does not know others, also with a slash in their name, and deletes none that is built in", async () => {
    await using f = await storeApp();
    for (const name of ["gpt-4o", "openai/gpt-4o", "ft:gpt%3Aacme"]) {
      const { status, json } = await f.call("GET", `/v1/models/${name}`);
      expect([status, json.error.code]).toEqual([404, "model_not_found"]);
    }
    const admin = { authorization: "Bearer sk-test-admin-0123456789" };
    const { status, json } = await f.call("DELETE", "/v1/models/words-64", undefined, admin);
    expect([status, json.error.code]).toEqual([403, "model_not_deletable"]);
    expect((await f.call("DELETE", "/v1/models/words-64")).status).toBe(403);
  });
});
