import { describe, expect, test } from "bun:test";
import { countTokens } from "../../chunk/tokens.ts";
import { OVERLAP, overlap, SHORT } from "../testing/rankers.ts";
import { type StoreApp, storeApp } from "../../app/testing/store-app.ts";

const PATH = "/v1/rerank";
const QUERY = "reset a password";
const DOCUMENTS = [
  "Coffee is served on the second floor",
  "To reset a password open settings",
  "A password has twelve letters",
  "",
];

describe("/v1/rerank", () => {
  test("answers in Cohere's and Jina's shape, best first", async () => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", PATH, {
      model: OVERLAP,
      query: QUERY,
      documents: [DOCUMENTS[0], { text: DOCUMENTS[1] }, DOCUMENTS[2], { text: "" }],
      return_documents: true,
    });
    expect(status).toBe(200);
    const scores = DOCUMENTS.map((document) => overlap(QUERY, document));
    const result = (index: number) => ({
      index,
      relevance_score: scores[index],
      document: { text: DOCUMENTS[index] },
    });
    expect(json).toEqual({
      id: expect.stringMatching(/^rerank-\w{24}$/),
      object: "list",
      model: OVERLAP,
      results: [result(1), result(2), result(0), result(3)],
      meta: { api_version: { version: "2" }, billed_units: { search_units: 1 } },
      usage: { total_tokens: [QUERY, ...DOCUMENTS].reduce((sum, text) => sum + countTokens(text), 0) },
    });
  });

  test("gives the best few, without their texts unless asked, and all where more are asked for than there are", async () => {
    await using f = await storeApp();
    const body = { model: SHORT, query: QUERY, documents: DOCUMENTS };
    const { json } = await f.call("POST", PATH, { ...body, top_n: 2 });
    expect(json.results).toEqual([
      { index: 3, relevance_score: 1 },
      { index: 2, relevance_score: expect.any(Number) },
    ]);
    expect((await f.call("POST", PATH, { ...body, top_n: 500 })).json.results).toHaveLength(4);
  });

  test("writes scores as floats and keeps the order of documents between equal ones", async () => {
    await using f = await storeApp();
    const response = await f.request("POST", PATH, { model: OVERLAP, query: "a", documents: ["a", "b", "a", "b"] });
    const text = await response.text();
    expect(text).toContain('"relevance_score":1.0}');
    expect((JSON.parse(text) as { results: { index: number }[] }).results.map((one) => one.index)).toEqual([
      0, 2, 1, 3,
    ]);
  });

  test("reads the fields of a document that it is told to, and gives it back as it was sent", async () => {
    await using f = await storeApp();
    const documents = [
      { title: "Coffee", body: "second floor", text: "reset a password", page: 1 },
      { title: "To reset", body: "a password", page: 2, note: null },
      "open settings",
    ];
    const body = { model: OVERLAP, query: QUERY, documents, return_documents: true };
    const byText = await f.call("POST", PATH, { ...body, documents: [documents[0], documents[2]] });
    expect(byText.json.results[0]).toMatchObject({ index: 0, document: documents[0] });
    const byFields = await f.call("POST", PATH, { ...body, rank_fields: ["title", "body"] });
    expect(byFields.json.results[0]).toMatchObject({ index: 1, document: documents[1] });
    expect(byFields.json.results.at(-1)).toMatchObject({ document: { text: "open settings" } });
  });

  test("answers Voyage's clients, which send top_k, with data beside results", async () => {
    await using f = await storeApp();
    const body = { model: SHORT, query: QUERY, documents: DOCUMENTS, truncation: true };
    const some = (await f.call("POST", PATH, { ...body, top_k: 1 })).json;
    expect([some.results.length, some.data]).toEqual([1, some.results]);
    const all = (await f.call("POST", PATH, { ...body, top_k: null })).json;
    expect([all.results.length, all.data]).toEqual([4, all.results]);
    expect((await f.call("POST", PATH, { ...body, top_n: 1 })).json).not.toHaveProperty("data");
  });

  test("answers the clients of text-embeddings-inference, which send texts, with a list", async () => {
    await using f = await storeApp();
    const body = { model: OVERLAP, query: QUERY, texts: DOCUMENTS, truncate: true, raw_scores: false };
    const scores = DOCUMENTS.map((document) => overlap(QUERY, document));
    const order = [1, 2, 0, 3];
    expect((await f.call("POST", "/rerank", body)).json).toEqual(
      order.map((index) => ({ index, score: scores[index] ?? 0 })),
    );
    const [best] = (await f.call("POST", "/rerank", { ...body, return_text: true })).json;
    expect(best).toEqual({ index: 1, score: scores[1], text: DOCUMENTS[1] });
  });

  test("is served under the address of Cohere's newer clients", async () => {
    await using f = await storeApp();
    const body = { model: OVERLAP, query: QUERY, documents: DOCUMENTS, top_n: null, max_tokens_per_doc: null };
    expect((await f.call("POST", "/v2/rerank", body)).json.results).toHaveLength(4);
  });

  test("takes the keys of others' clients that change nothing here", async () => {
    await using f = await storeApp();
    const body = {
      query: QUERY,
      documents: DOCUMENTS,
      model: OVERLAP,
      max_tokens_per_doc: 100,
      priority: 1,
      truncate_prompt_tokens: 64,
    };
    expect((await f.call("POST", PATH, body)).status).toBe(200);
  });

  test("is open to keys that may only read", async () => {
    await using f = await storeApp();
    const headers = { authorization: "Bearer sk-test-read-0123456789" };
    expect((await f.call("POST", PATH, { query: "x", documents: ["x"], model: SHORT }, headers)).status).toBe(200);
    const none = await f.call("POST", PATH, { query: "x", documents: ["x"] }, { authorization: "" });
    expect(none.status).toBe(401);
  });

  const bad: [body: object, code: string, param: string][] = [
    [{}, "missing_required_parameter", "query"],
    [{ query: "x" }, "missing_required_parameter", "documents"],
    [{ query: "", documents: ["x"] }, "string_below_min_length", "query"],
    [{ query: " \n", documents: ["x"] }, "invalid_value", "query"],
    [{ query: ["x"], documents: ["x"] }, "invalid_type", "query"],
    [{ query: "x".repeat(65_537), documents: ["x"] }, "string_above_max_length", "query"],
    [{ query: "x", documents: [] }, "array_below_min_length", "documents"],
    [{ query: "x", documents: "x" }, "invalid_type", "documents"],
    [{ query: "x", documents: ["x", 7] }, "invalid_type", "documents[1]"],
    [{ query: "x", documents: [null] }, "invalid_type", "documents[0]"],
    [{ query: "x", documents: ["x", {}] }, "missing_required_parameter", "documents[1].text"],
    [{ query: "x", documents: [{ text: null }] }, "missing_required_parameter", "documents[0].text"],
    [
      { query: "x", documents: [{ text: "x" }], rank_fields: ["body"] },
      "missing_required_parameter",
      "documents[0].body",
    ],
    [{ query: "x", documents: [{ body: 7 }], rank_fields: ["body"] }, "invalid_type", "documents[0].body"],
    [
      { query: "x", documents: [{ a: "x".repeat(200_000), b: "x".repeat(200_000) }], rank_fields: ["a", "b"] },
      "string_above_max_length",
      "documents[0]",
    ],
    [{ query: "x", documents: ["x"], texts: ["x"] }, "invalid_value", "texts"],
    [{ query: "x", texts: [{ text: "x" }] }, "invalid_type", "texts[0]"],
    [{ query: "x", documents: ["x"], top_n: 1, top_k: 2 }, "invalid_value", "top_k"],
    [{ query: "x", documents: ["x"], top_k: 0 }, "integer_below_min_value", "top_k"],
    [{ query: "x", documents: [{ text: 1 }] }, "invalid_type", "documents[0].text"],
    [{ query: "x", documents: Array.from({ length: 1001 }, () => "x") }, "array_above_max_length", "documents"],
    [{ query: "x", documents: ["x".repeat(262_145)] }, "string_above_max_length", "documents[0]"],
    [{ query: "x", documents: ["x"], top_n: 0 }, "integer_below_min_value", "top_n"],
    [{ query: "x", documents: ["x"], top_n: 1.5 }, "invalid_type", "top_n"],
    [{ query: "x", documents: ["x"], return_documents: "yes" }, "invalid_type", "return_documents"],
    [{ query: "x", documents: ["x"], topn: 1 }, "unknown_parameter", "topn"],
    [{ query: "x", documents: ["x"], model: "" }, "string_below_min_length", "model"],
    [{ query: "x", documents: ["x"], model: 7 }, "invalid_type", "model"],
  ];
  test.each(bad)("refuses case %#", async (body, code, param) => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", PATH, body);
    expect([status, json.error?.code, json.error?.param]).toEqual([400, code, param]);
  });

  test("refuses more text than it takes altogether, in documents that are each short enough", async () => {
    await using f = await storeApp();
    const documents = Array.from({ length: 31 }, () => "x".repeat(260_000));
    const { status, json } = await f.call("POST", PATH, { query: "x", documents, model: SHORT });
    expect([status, json.error.code, json.error.param]).toEqual([400, "string_above_max_length", "documents"]);
  });

  test("takes a thousand documents", async () => {
    await using f = await storeApp();
    const documents = Array.from({ length: 1000 }, (_, i) => `word${i} password`);
    for (const model of [SHORT, "lectern-rank"]) {
      const { status, json } = await f.call("POST", PATH, { query: "word77", documents, model, top_n: 1 });
      expect([model, status, json.results.length]).toEqual([model, 200, 1]);
      if (model !== SHORT) expect(json.results[0].index).toBe(77);
    }
  });
});

describe("which ranker runs", () => {
  const ask = async (f: StoreApp, model?: string) =>
    await f.call("POST", PATH, { query: QUERY, documents: DOCUMENTS, ...(model === undefined ? {} : { model }) });

  test("the operator's, then the only one, then the bundled ranking", async () => {
    await using f = await storeApp();
    f.rankers.preferred = OVERLAP;
    expect((await ask(f)).json.model).toBe(OVERLAP);
    f.rankers.preferred = null;
    f.rankers.present = [SHORT];
    expect((await ask(f)).json.model).toBe(SHORT);
    f.rankers.present = [];
    expect((await ask(f)).json.model).toBe("lectern-rank");
  });

  test("of several without a word of the operator's, none: the client is told to choose", async () => {
    await using f = await storeApp();
    const { status, json } = await ask(f);
    expect([status, json.error.code, json.error.param]).toEqual([400, "missing_required_parameter", "model"]);
    expect(json.error.message).toContain(`'${SHORT}', '${OVERLAP}', 'lectern-rank'`);
  });

  test("hosted names are answered for; unknown ones are a 404 that lists what there is", async () => {
    await using f = await storeApp();
    expect((await ask(f, "rerank-v3.5")).json.model).toBe("lectern-rank");
    const { status, json } = await ask(f, "nope");
    expect([status, json.error.code, json.error.param]).toEqual([404, "model_not_found", "model"]);
    expect(json.error.message).toContain(`'${OVERLAP}'`);
    const broken = await ask(f, "broken");
    expect([broken.status, broken.json.error.code]).toEqual([503, "reranker_unavailable"]);
  });

  test("one that fails is a 5xx, and one that is busy a 429", async () => {
    await using f = await storeApp();
    f.rankers.failure = "rejected";
    expect((await ask(f, SHORT)).json.error.code).toBe("reranker_unavailable");
    f.rankers.failure = "overloaded";
    const busy = await ask(f, SHORT);
    expect([busy.status, busy.headers.get("retry-after")]).toEqual([429, "2"]);
  });
});

describe("the bundled ranking", () => {
  const ask = async (query: string, documents: string[]) => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", PATH, { model: "lectern-rank", query, documents });
    expect(status).toBe(200);
    return json.results as { index: number; relevance_score: number }[];
  };

  test("gives documents the order and the scores that a search gives chunks with these texts", async () => {
    await using f = await storeApp();
    const texts = ["To reset a password open settings", "A password has twelve letters", "Coffee on the second floor"];
    const { json: store } = await f.call("POST", "/v1/vector_stores", {});
    for (const text of texts) {
      const file = await f.file(`${text}.txt`);
      await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: file });
      await f.finish(store.id, file, [text]);
    }
    for (const query of ["reset a password", "coffee", "twelve floor"]) {
      const search = await f.call("POST", `/v1/vector_stores/${store.id}/search`, { query });
      const found = search.json.data.map((hit: { content: { text: string }[]; score: number }) => [
        hit.content[0]?.text,
        hit.score,
      ]);
      const { json } = await f.call("POST", PATH, { model: "lectern-rank", query, documents: texts });
      const ranked = json.results.map((one: { index: number; relevance_score: number }) => [
        texts[one.index],
        one.relevance_score,
      ]);
      expect(ranked).toEqual(found);
    }
  });

  test("puts what has nothing in common with the query at the end with 0", async () => {
    const results = await ask("violin", ["bread", "a violin", "kettle"]);
    expect(results.map((one) => one.index)).toEqual([1, 0, 2]);
    expect((results[0]?.relevance_score ?? 0) > 0).toBe(true);
  });

  test.each([
    ["a question of marks", "???", ["a", "b"]],
    ["documents without a word", "violin", ["", "  ", "!!!"]],
    ["the same document many times", "violin", Array.from({ length: 50 }, () => "a violin")],
    ["a lone surrogate", "violin \ud800", ["a violin \udfff"]],
  ])("answers %s with scores from 0 to 1", async (_, query, documents) => {
    const results = await ask(query, documents);
    expect(results.map((one) => one.index).toSorted((a, b) => a - b)).toEqual(documents.map((_, i) => i));
    expect(results.every((one) => one.relevance_score >= 0 && one.relevance_score <= 1)).toBe(true);
  });

  test("says when its model is away", async () => {
    await using f = await storeApp();
    const body = { model: "lectern-rank", query: "x", documents: ["x"] };
    f.failing.reason = "unavailable";
    const { status, json } = await f.call("POST", PATH, body);
    expect([status, json.error.code]).toEqual([503, "embedding_model_unavailable"]);
  });
});
