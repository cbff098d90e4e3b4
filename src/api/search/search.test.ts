import { describe, expect, test } from "bun:test";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";
import { DIMENSIONS, vectorOf } from "../../app/testing/words-model.ts";

const FILES = {
  "returns.md": ["Items may be returned within 30 days for a refund", "Shipping back is free of charge"],
  "password.md": ["To reset a password open settings and choose security"],
  "holidays.md": [
    "Employees get 30 days of holidays a year",
    "Public holidays are free",
    "Holidays are planned in spring",
  ],
};

/** A store with the files above; resolves to its address and the files' ids by name. */
async function filled(
  f: StoreApp,
  body: object = {},
): Promise<{ id: string; path: string; files: Record<string, string> }> {
  const { json: store } = await f.call("POST", "/v1/vector_stores", body);
  const files: Record<string, string> = {};
  for (const [name, chunks] of Object.entries(FILES)) {
    const file = await f.file(name);
    files[name] = file;
    await f.call("POST", `/v1/vector_stores/${store.id}/files`, {
      file_id: file,
      attributes: { topic: name.split(".")[0] ?? "", n: chunks.length },
    });
    await f.finish(store.id, file, chunks);
  }
  return { id: store.id, path: `/v1/vector_stores/${store.id}/search`, files };
}

const names = (json: { data: { filename: string }[] }) => json.data.map((one) => one.filename);

describe("a search", () => {
  test("answers with OpenAI's page and everything that Lectern knows of a hit", async () => {
    await using f = await storeApp();
    const { path, files } = await filled(f);
    const { status, json, headers } = await f.call("POST", path, { query: "reset my password", max_num_results: 1 });
    expect(status).toBe(200);
    expect(headers.get("x-lectern-generation")).toBe("1");
    expect(json).toEqual({
      object: "vector_store.search_results.page",
      search_query: ["reset my password"],
      data: [
        {
          file_id: files["password.md"],
          filename: "password.md",
          score: expect.any(Number),
          attributes: { topic: "password", n: 1 },
          content: [{ type: "text", text: "To reset a password open settings and choose security" }],
          object: "vector_store.search_result",
          type: "file_content",
          chunk_id: expect.stringMatching(/^chunk_[0-9a-z]+$/),
          chunk_index: 0,
          start_offset: 0,
          end_offset: 53,
          page: 1,
          page_end: 1,
          line: null,
          line_end: null,
          heading: ["Top"],
        },
      ],
      has_more: false,
      next_page: null,
    });
  });

  test("gives scores as floats between 0 and 1, falling", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const response = await f.request("POST", path, {
      query: "To reset a password open settings and choose security",
      search_mode: "vector",
    });
    const text = await response.text();
    expect(text).toContain('"score":1.0,');
    const scores = (JSON.parse(text) as { data: { score: number }[] }).data.map((one) => one.score);
    expect(scores).toHaveLength(6);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores.every((score) => score >= 0 && score <= 1)).toBe(true);
  });

  test("answers several queries as one, each chunk once", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const query = ["reset a password", "returned for a refund", "reset a password"];
    const { json } = await f.call("POST", path, { query, max_num_results: 2 });
    expect(json.search_query).toEqual(query);
    expect(names(json).toSorted()).toEqual(["password.md", "returns.md"]);
    const all = await f.call("POST", path, { query, max_num_results: 50 });
    const chunks = all.json.data.map((one: { chunk_id: string }) => one.chunk_id);
    expect(new Set(chunks).size).toBe(chunks.length);
  });

  test("searches the rewritten query and shows it", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { json } = await f.call("POST", path, {
      query: "Can you tell me how I reset my password?",
      rewrite_query: true,
    });
    expect(json.search_query).toEqual(["reset password"]);
    expect(f.embedded).toEqual(["reset password"]);
    expect(names(json)[0]).toBe("password.md");
  });

  test.each<[filters: object, kept: string[]]>([
    [{ type: "eq", key: "topic", value: "returns" }, ["returns.md"]],
    [
      {
        type: "or",
        filters: [
          { type: "gt", key: "n", value: 2 },
          { type: "eq", key: "n", value: 1 },
        ],
      },
      ["holidays.md", "password.md"],
    ],
    [{ topic: "holidays" }, ["holidays.md"]],
    [{ topic: { $ne: "holidays" }, n: { $lt: 2 } }, ["password.md"]],
    [{ filename: ["returns.md", "nope.md"] }, ["returns.md"]],
    [{ topic: "nothing" }, []],
  ])("keeps to the filter %j", async (filters, kept) => {
    await using f = await storeApp();
    const { path } = await filled(f);
    for (const search_mode of ["hybrid", "vector"] as const) {
      const { json } = await f.call("POST", path, {
        query: "days free password",
        filters,
        search_mode,
        max_num_results: 50,
      });
      expect([...new Set(names(json))].toSorted()).toEqual(kept);
    }
  });

  test("takes file ids as a filter", async () => {
    await using f = await storeApp();
    const { path, files } = await filled(f);
    const { json } = await f.call("POST", path, { query: "free", filters: { file_ids: [files["holidays.md"]] } });
    expect([...new Set(names(json))]).toEqual(["holidays.md"]);
  });

  test("has a mode for either leg alone", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const keyword = await f.call("POST", path, { query: "refund", search_mode: "keyword" });
    expect(names(keyword.json)).toEqual(["returns.md"]);
    expect(f.embedded).toEqual([]);
    expect((await f.call("POST", path, { query: "zebra", search_mode: "keyword" })).json.data).toEqual([]);
    expect((await f.call("POST", path, { query: "refund", search_mode: "vector" })).json.data).toHaveLength(6);
  });

  test("cuts at the threshold, at the number of results and at the chunks of one file", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const query = "holidays free";
    const all = (await f.call("POST", path, { query })).json.data as { score: number; filename: string }[];
    const threshold = all[1]?.score ?? 0;
    const above = await f.call("POST", path, { query, ranking_options: { score_threshold: threshold } });
    expect(above.json.data).toEqual(all.filter((one) => one.score >= threshold));
    expect((await f.call("POST", path, { query, max_num_results: 2 })).json.data).toEqual(all.slice(0, 2));
    expect((await f.call("POST", path, { query, limit: 2 })).json.data).toEqual(all.slice(0, 2));
    const single = names((await f.call("POST", path, { query, max_chunks_per_file: 1 })).json);
    expect(new Set(single).size).toBe(single.length);
    expect(single).toHaveLength(3);
  });

  test("joins the chunks around a hit to one text", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { json } = await f.call("POST", path, {
      query: "public holidays are free",
      max_num_results: 1,
      context_window: 1,
    });
    expect(json.data[0]).toMatchObject({
      chunk_index: 1,
      content: [{ type: "text", text: FILES["holidays.md"].join("\n") }],
      start_offset: 0,
      end_offset: FILES["holidays.md"].join("\n").length,
      page: 1,
      page_end: 3,
    });
  });

  test("explains its scores when asked", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { json } = await f.call("POST", path, { query: "refund", explain: true, max_num_results: 1 });
    expect(json.data[0].scores).toEqual({
      vector: expect.any(Number),
      keyword: expect.any(Number),
      fused: expect.any(Number),
      rescored: null,
    });
    const vector = await f.call("POST", path, {
      query: "refund",
      explain: true,
      max_num_results: 1,
      search_mode: "vector",
    });
    expect(vector.json.data[0].scores.keyword).toBeNull();
  });

  test("takes a ready-made vector as numbers or base64 instead of embedding the query", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const vector = vectorOf("employees get 30 days of holidays a year");
    const base64 = Buffer.from(vector.buffer).toString("base64");
    for (const query_vector of [[...vector], base64]) {
      const { json } = await f.call("POST", path, {
        query: "",
        query_vector,
        search_mode: "vector",
        max_num_results: 1,
      });
      expect(names(json)).toEqual(["holidays.md"]);
    }
    expect(f.embedded).toEqual([]);
  });

  test("accepts rankers of every generation and OpenAI's weights", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    for (const ranker of ["none", "auto", "default-2024-11-15", "default_2024_08_21", "rrf", "weighted", "neural"]) {
      const { status } = await f.call("POST", path, {
        query: "refund",
        ranking_options: { ranker, score_threshold: 0 },
      });
      expect(status).toBe(200);
    }
    const weights = (embedding_weight: number, text_weight: number) => ({
      hybrid_search: { embedding_weight, text_weight },
    });
    const text = await f.call("POST", path, { query: "refund zebra", ranking_options: weights(0, 1) });
    expect(names(text.json)[0]).toBe("returns.md");
    const refused = await f.call("POST", path, { query: "x", ranking_options: weights(0, 0) });
    expect([refused.status, refused.json.error.param]).toEqual([400, "ranking_options.hybrid_search"]);
  });

  test("takes weights and constants however large, for only their proportion counts", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const found = async (ranking_options: object) => {
      const { status, json } = await f.call("POST", path, { query: "refund holidays", ranking_options });
      expect(status).toBe(200);
      return json.data.map((hit: { file_id: string; score: number }) => [hit.file_id, hit.score]);
    };
    const weights = (embedding_weight: number, text_weight: number) => ({
      hybrid_search: { embedding_weight, text_weight },
    });
    expect(await found(weights(1e308, 1e308))).toEqual(await found(weights(1, 1)));
    expect(await found(weights(1e-320, 1e-320))).toEqual(await found(weights(1, 1)));
    for (const [, score] of await found({ ranker: "rrf", impact_factor: 1e308 })) expect(score).toBeWithin(0, 1.01);
  });

  test("answers half of a character as U+FFFD, wherever it stands", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const response = await f.request("POST", path, {
      query: ["refund \ud800", "\udfff"],
      filters: { topic: "\ud83d" },
    });
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(JSON.parse(text).search_query).toEqual(["refund \ufffd", "\ufffd"]);
    expect(text).not.toContain("\\ud");
    const whole = await f.call("POST", path, { query: "refund 🚀" });
    expect(whole.json.search_query).toEqual(["refund 🚀"]);
  });

  test.each<[body: object, code: string, param: string]>([
    [{}, "missing_required_parameter", "query"],
    [{ query: "x", query_vector: [1e39, ...new Array(63).fill(0)] }, "invalid_value", "query_vector[0]"],
    [{ query: "x", query_vector: [0, -3.5e38, ...new Array(62).fill(0)] }, "invalid_value", "query_vector[1]"],
    [{ query: "x", filters: { type: "like", key: "topic", value: "x" } }, "invalid_filter", "filters.type"],
    [{ query: "x", filters: { type: "eq", key: "topic" } }, "invalid_filter", "filters.value"],
    [{ query: 7 }, "invalid_type", "query"],
    [{ query: "" }, "string_below_min_length", "query"],
    [{ query: [] }, "array_below_min_length", "query"],
    [{ query: ["x", ""] }, "string_below_min_length", "query[1]"],
    [{ query: "x".repeat(65_537) }, "string_above_max_length", "query"],
    [{ query: "x", max_num_results: 51 }, "integer_above_max_value", "max_num_results"],
    [{ query: "x", max_num_results: 0 }, "integer_below_min_value", "max_num_results"],
    [{ query: "x", max_num_results: "5" }, "invalid_type", "max_num_results"],
    [{ query: "x", limit: 3, max_num_results: 4 }, "invalid_value", "limit"],
    [{ query: "x", filter: { a: 1 } }, "unknown_parameter", "filter"],
    [{ query: "x", filters: { a: { $near: 1 } } }, "unknown_parameter", "filters.a.$near"],
    [{ query: "x", ranking_options: { score_treshold: 1 } }, "unknown_parameter", "ranking_options.score_treshold"],
    [{ query: "x", ranking_options: { ranker: "best" } }, "invalid_value", "ranking_options.ranker"],
    [
      { query: "x", ranking_options: { score_threshold: 1.5 } },
      "decimal_above_max_value",
      "ranking_options.score_threshold",
    ],
    [{ query: "x", search_mode: "semantic" }, "invalid_value", "search_mode"],
    [{ query: "x", context_window: 6 }, "integer_above_max_value", "context_window"],
    [{ query: "x", query_vector: [1, 2] }, "invalid_dimensions", "query_vector"],
    [{ query: "x", query_vector: "not base64!" }, "invalid_value", "query_vector"],
  ])("refuses case %#", async (body, code, param) => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { status, json } = await f.call("POST", path, body);
    expect([status, json.error?.code, json.error?.param]).toEqual([400, code, param]);
  });

  test("says that the model is busy or away instead of answering without it", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.failing.reason = "overloaded";
    const busy = await f.call("POST", path, { query: "refund" });
    expect([busy.status, busy.json.error.code, busy.headers.get("retry-after")]).toEqual([429, "overloaded", "2"]);
    f.failing.reason = "unavailable";
    const away = await f.call("POST", path, { query: "refund" });
    expect([away.status, away.json.error.code]).toEqual([503, "embedding_model_unavailable"]);
    expect((await f.call("POST", path, { query: "refund", search_mode: "keyword" })).status).toBe(200);
  });

  test("never shows a file that was detached while the query was embedded", async () => {
    await using f = await storeApp();
    const { id, path, files } = await filled(f);
    f.onEmbed(() => void f.call("DELETE", `/v1/vector_stores/${id}/files/${files["password.md"]}`));
    await f.call("POST", path, { query: "reset a password" });
    f.onEmbed(() => {});
    expect(names((await f.call("POST", path, { query: "reset a password" })).json)).not.toContain("password.md");
  });

  test("searches with the keywords where the model knows no word of the query", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    expect((await f.call("POST", path, { query: "!!!" })).json.data).toEqual([]);
  });

  test("works with vectors shorter than the model's own", async () => {
    await using f = await storeApp();
    const { path } = await filled(f, { dimensions: DIMENSIONS });
    expect(names((await f.call("POST", path, { query: "refund" })).json)[0]).toBe("returns.md");
  });

  test("is recorded with what was asked, found and how long each step took", async () => {
    await using f = await storeApp();
    const { id, path, files } = await filled(f);
    await f.call("POST", path, { query: "reset a password", filters: { n: 1 }, max_num_results: 3 });
    expect((await f.call("GET", `/v1/vector_stores/${id}/queries`)).json.data).toEqual([
      {
        id: expect.stringMatching(/^q_[0-9a-f]{32}$/),
        object: "vector_store.query",
        created_at: 1_800_000_000,
        query: ["reset a password"],
        query_sha256: new Bun.CryptoHasher("sha256").update("reset a password").digest("hex"),
        key_id: "key_write",
        search_mode: "hybrid",
        filters: { n: 1 },
        max_num_results: 3,
        results: [
          {
            file_id: files["password.md"] ?? "",
            chunk_id: expect.stringMatching(/^chunk_[0-9a-f]{32}$/),
            score: expect.any(Number),
          },
        ],
        latency_ms: {
          total: expect.any(Number),
          embed: expect.any(Number),
          vector: expect.any(Number),
          keyword: expect.any(Number),
          fetch: expect.any(Number),
        },
        model: "words-64",
        generation: 1,
        source: "search",
        source_id: null,
      },
    ]);
    const metrics = (await f.call("GET", "/metrics", undefined, { authorization: `Bearer ${KEYS.admin}` })).json;
    expect(metrics).toContain('lectern_searches_total{index="exact"} 1');
    expect(metrics).not.toContain('lectern_search_stage_seconds_count{stage="rerank"}');
  });
});
