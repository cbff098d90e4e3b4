import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { LEAD, NOTHING } from "../../answers/limits.ts";
import { KEYS } from "../../app/testing/store-app.ts";
import { compileValidator } from "../../http/validate.ts";
import { Response } from "./schema.ts";
import { ask, handbook } from "./testing/answers.ts";
import { problemWith } from "./testing/openai-schemas.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(60_000);

const STRICT = { "x-vector-dialect": "openai-strict" };

describe("an answer", () => {
  test("is OpenAI's Response: a search, then a message that quotes and cites", async () => {
    await using f = await handbook();
    const { status, json, headers } = await f.call("POST", "/v1/responses", ask(f.store));
    expect(status).toBe(200);
    expect(compileValidator(Response).problem(json)).toBeNull();
    expect(json).toEqual({
      id: expect.stringMatching(/^resp_/),
      object: "response",
      created_at: f.clock.seconds,
      status: "completed",
      background: false,
      completed_at: f.clock.seconds,
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: null,
      max_tool_calls: null,
      model: "lectern-extractive",
      output: [
        {
          id: expect.stringMatching(/^fs_/),
          type: "file_search_call",
          status: "completed",
          queries: ["When are refunds paid?", "refunds paid"],
          results: null,
        },
        {
          id: expect.stringMatching(/^msg_/),
          type: "message",
          status: "completed",
          role: "assistant",
          content: [
            {
              type: "output_text",
              text: expect.stringContaining(
                "“Refunds are paid within fourteen days of the return of the goods.” — refunds.md, page 1",
              ),
              annotations: expect.any(Array),
              logprobs: [],
            },
          ],
        },
      ],
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt_cache_key: null,
      prompt_cache_retention: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      service_tier: "default",
      store: true,
      temperature: 1,
      text: { format: { type: "text" }, verbosity: "medium" },
      tool_choice: "auto",
      tools: [
        {
          type: "file_search",
          filters: null,
          max_num_results: 20,
          ranking_options: { ranker: "auto", score_threshold: 0 },
          vector_store_ids: [f.store],
        },
      ],
      top_logprobs: 0,
      top_p: 1,
      truncation: "disabled",
      usage: {
        input_tokens: expect.any(Number),
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: expect.any(Number),
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: expect.any(Number),
      },
      user: null,
      metadata: {},
      lectern: { answered_by: "extractive", model: "lectern-extractive", rounds: 0, ignored: [], warnings: [] },
    });
    const { text, annotations } = json.output[1].content[0];
    expect(text).toStartWith(`${LEAD}\n\n“`);
    expect(annotations[0]).toEqual({
      type: "file_citation",
      index: expect.any(Number),
      file_id: f.ids["refunds.md"],
      filename: "refunds.md",
      quote: "Refunds are paid within fourteen days of the return of the goods.",
      start_offset: 0,
      end_offset: 65,
      vector_store_id: f.store,
      chunk_id: expect.stringMatching(/^chunk_/),
      page: 1,
      cited_by: "quote",
    });
    expect([...text].slice(0, annotations[0].index).join("")).toEndWith("refunds.md, page 1");
    expect([headers.get("x-lectern-answer-mode"), headers.get("x-lectern-answer-model")]).toEqual([
      "extractive",
      "lectern-extractive",
    ]);
    expect(headers.get("x-lectern-ignored")).toBeNull();
  });

  test("has OpenAI's members and no others in its strict dialect", async () => {
    await using f = await handbook();
    const include = ["file_search_call.results"];
    for (const headers of [{}, STRICT]) {
      const { json } = await f.call("POST", "/v1/responses", ask(f.store, { include }), headers);
      expect(problemWith("Response", json)).toBeNull();
    }
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { include }), STRICT);
    expect(json.lectern).toBeUndefined();
    expect(Object.keys(json.output[0].results[0])).toEqual(["file_id", "filename", "score", "text", "attributes"]);
    expect(Object.keys(json.output[1].content[0].annotations[0])).toEqual(["type", "index", "file_id", "filename"]);
  });

  test("is the same text for the same question", async () => {
    await using f = await handbook();
    const texts = [];
    for (let i = 0; i < 3; i++)
      texts.push((await f.call("POST", "/v1/responses", ask(f.store))).json.output[1].content);
    expect(texts[1]).toEqual(texts[0]);
    expect(texts[2]).toEqual(texts[0]);
  });

  test("shows the passages that were found where they are asked for, then and later", async () => {
    await using f = await handbook();
    const include = ["file_search_call.results"];
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { include }));
    const [first] = json.output[0].results;
    expect(first).toMatchObject({
      file_id: f.ids["refunds.md"],
      filename: "refunds.md",
      attributes: { topic: "refunds" },
      vector_store_id: f.store,
      chunk_index: 0,
      page: 1,
      heading: ["Top"],
      start_offset: 0,
    });
    const scores = json.output[0].results.map((one: { score: number }) => one.score);
    expect(scores).toEqual(scores.toSorted((a: number, b: number) => b - a));
    const path = `/v1/responses/${json.id}`;
    expect((await f.call("GET", path)).json.output[0].results).toBeNull();
    const later = (await f.call("GET", `${path}?include[]=file_search_call.results`)).json;
    expect(later).toEqual(json);
  });

  test("that finds nothing says so, with its queries", async () => {
    await using f = await handbook();
    const { json: empty } = await f.call("POST", "/v1/vector_stores", {});
    const include = ["file_search_call.results"];
    const { json } = await f.call("POST", "/v1/responses", ask(empty.id, { include }));
    expect(json).toMatchObject({
      status: "completed",
      output: [{ results: [] }, { content: [{ text: NOTHING, annotations: [] }] }],
    });
    expect(json.output[0].queries).toHaveLength(2);
  });

  test("searches several stores and tools, each by its own bounds, and says the same once", async () => {
    await using f = await handbook();
    const tools = [
      { type: "file_search", vector_store_ids: [f.store], filters: { topic: "tides" } },
      { type: "file_search", vector_store_ids: [f.store, f.store], max_num_results: 1 },
    ];
    const include = ["file_search_call.results"];
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { tools, include }));
    const names = json.output[0].results.map((one: { filename: string }) => one.filename);
    expect(names.toSorted()).toEqual(["refunds.md", "tides.md"]);
    const limited = [{ ...tools[1], ranking_options: { score_threshold: 1 } }];
    const none = await f.call("POST", "/v1/responses", ask(f.store, { tools: limited, include }));
    expect(none.json.output[0].results).toEqual([]);
  });

  test("keeps to a bound on its tokens, and is incomplete then", async () => {
    await using f = await handbook();
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { max_output_tokens: 20 }));
    expect(problemWith("Response", json)).toBeNull();
    expect(json).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      completed_at: null,
    });
    expect(json.usage.output_tokens).toBeLessThanOrEqual(20);
    expect(json.output[1]).toMatchObject({ status: "incomplete", content: [{ annotations: [expect.any(Object)] }] });
  });

  test("is recorded in the query log of each store, with what it was made for", async () => {
    await using f = await handbook();
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    const [logged] = (await f.call("GET", `/v1/vector_stores/${f.store}/queries`)).json.data;
    expect(logged).toMatchObject({ source: "response", source_id: json.id, query: json.output[0].queries });
    await f.call("POST", `/v1/vector_stores/${f.store}/search`, { query: "tides" });
    const [searched] = (await f.call("GET", `/v1/vector_stores/${f.store}/queries`)).json.data;
    expect(searched).toMatchObject({ source: "search", source_id: null });
  });

  test("tells of files that are still being indexed", async () => {
    await using f = await handbook();
    await f.call("POST", `/v1/vector_stores/${f.store}/files`, { file_id: await f.file("late.md") });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect(json.lectern.warnings).toEqual([`1 of 3 files of ${f.store} are still being indexed`]);
  });

  test("names what of the request is without effect", async () => {
    await using f = await handbook();
    const { json, headers } = await f.call(
      "POST",
      "/v1/responses",
      ask(f.store, {
        instructions: "Be kind.",
        temperature: 0.5,
        reasoning: { effort: "low" },
        top_logprobs: 3,
        text: { verbosity: "low" },
        tools: [
          { type: "file_search", vector_store_ids: [f.store] },
          { type: "function", name: "f", parameters: {} },
        ],
        input: [
          { role: "system", content: "x" },
          { type: "reasoning", id: "rs_1", summary: [] },
          { role: "assistant", content: "" },
          { role: "assistant", content: "Hello." },
          { type: "file_search_call", id: "fs_x", results: [{ text: "secret" }] },
          {
            role: "user",
            content: [
              { type: "input_image", image_url: "data:," },
              { type: "input_text", text: "When are refunds paid?" },
            ],
          },
        ],
      }),
    );
    const ignored = [
      "instructions",
      "temperature",
      "tools[1]",
      "reasoning",
      "top_logprobs",
      "text.verbosity",
      "input[0]",
      "input[1]",
      "input[3]",
      "input[4]",
      "input[5].content[0]",
    ];
    expect(json.lectern.ignored).toEqual(ignored);
    expect(headers.get("x-lectern-ignored")).toBe(ignored.join(","));
    expect(json.tools[1]).toEqual({ type: "function", name: "f", description: null, parameters: {}, strict: true });
    expect(json.output[1].content[0].text).toContain("fourteen days");
  });

  test("may be asked for by who may only read", async () => {
    await using f = await handbook();
    const reader = { authorization: `Bearer ${KEYS.read}` };
    const { status, json } = await f.call("POST", "/v1/responses", ask(f.store), reader);
    expect(status).toBe(200);
    expect((await f.call("DELETE", `/v1/responses/${json.id}`, undefined, reader)).json.deleted).toBe(true);
    const { json: other } = await f.call("POST", "/v1/responses", ask(f.store));
    expect((await f.call("DELETE", `/v1/responses/${other.id}`, undefined, reader)).status).toBe(403);
  });
});

describe("a request", () => {
  const message = (text: string) => expect.stringContaining(text);
  const cases: [
    name: string,
    more: (store: string) => object,
    status: number,
    code: string | null,
    param: string | null,
    text: unknown,
  ][] = [
    ["without input", () => ({ input: undefined }), 400, "missing_required_parameter", "input", message("input")],
    ["with empty input", () => ({ input: "" }), 400, "invalid_value", "input", message("empty")],
    ["with no items", () => ({ input: [] }), 400, "invalid_value", "input", message("empty")],
    ["with an unknown member", () => ({ inptu: 1 }), 400, "unknown_parameter", "inptu", message("inptu")],
    [
      "with a prompt",
      () => ({ prompt: { id: "p" } }),
      400,
      "unsupported_parameter",
      "prompt",
      "Unsupported parameter: 'prompt' is not supported by this server.",
    ],
    [
      "of a conversation that is not there",
      () => ({ conversation: "conv_1" }),
      404,
      null,
      null,
      "Conversation with id 'conv_1' not found.",
    ],
    [
      "with another tool",
      () => ({ tools: [{ type: "web_search" }] }),
      400,
      "unsupported_value",
      "tools[0].type",
      "Tool type 'web_search' is not supported by this server. Supported: 'file_search', 'function'.",
    ],
    [
      "with an unknown item",
      () => ({ input: [{ role: "user", content: "x" }, { type: "poem" }] }),
      400,
      "invalid_value",
      "input[1].type",
      message("poem"),
    ],
    [
      "with a file from elsewhere",
      () => ({ input: [{ role: "user", content: [{ type: "input_file", file_url: "https://x" }] }] }),
      400,
      "unsupported_value",
      "input[0].content[0].file_url",
      message("nothing is fetched"),
    ],
    [
      "with a small bound",
      () => ({ max_output_tokens: 15 }),
      400,
      "integer_below_min_value",
      "max_output_tokens",
      message("16"),
    ],
    [
      "with an unknown include",
      () => ({ include: ["x"] }),
      400,
      "invalid_value",
      "include[0]",
      message("file_search_call.results"),
    ],
    [
      "in the background without store",
      () => ({ background: true, store: false }),
      400,
      "invalid_value",
      "background",
      message("stored"),
    ],
    [
      "of another hosted tool",
      () => ({ tool_choice: { type: "web_search_preview" } }),
      400,
      "invalid_value",
      "tool_choice.type",
      message("web_search_preview"),
    ],
    [
      "without tools",
      () => ({ tools: [] }),
      400,
      "language_model_required",
      "tools",
      message("Give a file_search tool with vector_store_ids."),
    ],
    [
      "with functions alone",
      () => ({ tools: [{ type: "function", name: "f" }] }),
      400,
      "language_model_required",
      "tools",
      message("no language model"),
    ],
    [
      "that must call a function",
      () => ({ tools: [{ type: "function", name: "f" }], tool_choice: "required" }),
      400,
      "language_model_required",
      "tool_choice",
      message("no language model"),
    ],
    [
      "that forbids tools",
      () => ({ tool_choice: "none" }),
      400,
      "language_model_required",
      "tool_choice",
      message("no language model"),
    ],
    [
      "that forces a function",
      () => ({ tool_choice: { type: "function", name: "f" } }),
      400,
      "language_model_required",
      "tool_choice",
      message("no language model"),
    ],
    [
      "for JSON",
      () => ({ text: { format: { type: "json_object" } } }),
      400,
      "language_model_required",
      "text.format",
      message("no language model"),
    ],
    [
      "of no stores",
      () => ({ tools: [{ type: "file_search", vector_store_ids: [] }] }),
      400,
      "array_below_min_length",
      "tools[0].vector_store_ids",
      message("vector_store_ids"),
    ],
    [
      "of an unknown store",
      () => ({ tools: [{ type: "file_search", vector_store_ids: ["vs_none"] }] }),
      404,
      "vector_store_not_found",
      null,
      message("No vector store found with id 'vs_none'"),
    ],
    [
      "with a bad filter",
      (id) => ({ tools: [{ type: "file_search", vector_store_ids: [id], filters: { type: "and" } }] }),
      400,
      "invalid_filter",
      message("tools[0].filters") as never,
      message("filters"),
    ],
    [
      "with an unknown ranker",
      (id) => ({ tools: [{ type: "file_search", vector_store_ids: [id], ranking_options: { ranker: "x" } }] }),
      400,
      "invalid_value",
      "tools[0].ranking_options.ranker",
      message("'tools[0].ranking_options.ranker'"),
    ],
    [
      "with two functions of a name",
      (id) => ({
        tools: [
          { type: "file_search", vector_store_ids: [id] },
          { type: "function", name: "f" },
          { type: "function", name: "f" },
        ],
      }),
      400,
      "invalid_value",
      "tools[2].name",
      message("'f'"),
    ],
    [
      "after an unknown one",
      () => ({ previous_response_id: "resp_none" }),
      400,
      "previous_response_not_found",
      "previous_response_id",
      "Previous response with id 'resp_none' not found.",
    ],
    [
      "with a reference to nothing",
      () => ({ input: [{ id: "msg_none" }, { role: "user", content: "x" }] }),
      404,
      null,
      "input",
      "Item with id 'msg_none' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.",
    ],
    [
      "with a call without output",
      () => ({ input: [{ type: "function_call", call_id: "call_1", name: "f", arguments: "{}" }] }),
      400,
      null,
      "input",
      "No tool output found for function call call_1.",
    ],
    [
      "with an output without call",
      () => ({ input: [{ type: "function_call_output", call_id: "call_1", output: "x" }] }),
      400,
      null,
      "input",
      "No tool call found for function call output with call_id call_1.",
    ],
    [
      "with a long metadata value",
      () => ({ metadata: { a: "x".repeat(513) } }),
      400,
      "string_above_max_length",
      "metadata.a",
      message("512"),
    ],
  ];

  test("that is refused says why, streamed or not", async () => {
    await using f = await handbook();
    for (const [name, more, status, code, param, text] of cases) {
      for (const stream of [false, true]) {
        const answer = await f.call("POST", "/v1/responses", ask(f.store, { ...more(f.store), stream }));
        const { message: said, ...error } = answer.json.error ?? {};
        expect({ name, status: answer.status, ...error, said }).toEqual({
          name,
          status,
          type: "invalid_request_error",
          param,
          code,
          said: text as string,
        });
      }
    }
    expect(await f.storage.responses.queued()).toBe(0);
  });

  test("takes null for what is not given", async () => {
    await using f = await handbook();
    const nothing = Object.fromEntries(
      "model instructions tool_choice parallel_tool_calls max_tool_calls max_output_tokens temperature top_p text reasoning include store previous_response_id background stream truncation metadata user prompt conversation top_logprobs service_tier stream_options"
        .split(" ")
        .map((key) => [key, null]),
    );
    const input = [{ type: null, role: "user", content: "When are refunds paid?", id: null, status: null }];
    const { status, json } = await f.call("POST", "/v1/responses", ask(f.store, { ...nothing, input }));
    expect([status, json.lectern?.ignored]).toEqual([200, []]);
  });

  test("of stores that cannot be searched is refused as a search is", async () => {
    await using f = await handbook();
    const admin = { authorization: `Bearer ${KEYS.admin}` };
    await f.call("POST", `/v1/admin/vector_stores/${f.store}/suspend`, {}, admin);
    expect((await f.call("POST", "/v1/responses", ask(f.store))).json.error.code).toBe("vector_store_suspended");
    await f.call("POST", `/v1/admin/vector_stores/${f.store}/resume`, {}, admin);
    const { json: store } = await f.call("POST", "/v1/vector_stores", {
      expires_after: { anchor: "last_active_at", days: 1 },
    });
    f.clock.seconds += 90_000;
    expect((await f.call("POST", "/v1/responses", ask(store.id))).json.error.code).toBe("vector_store_expired");
  });

  test("whose search fails is told so, and nothing is kept", async () => {
    await using f = await handbook();
    f.failing.reason = "unavailable";
    const { status, json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([status, json.error.code]).toEqual([503, "embedding_model_unavailable"]);
    expect(f.db.raw.query("SELECT count(*) AS n FROM response").get()).toEqual({ n: 0 });
  });

  test("counts its tokens without a search", async () => {
    await using f = await handbook();
    const { json } = await f.call("POST", "/v1/responses/input_tokens", ask(f.store, { instructions: "Be kind." }));
    expect(json).toEqual({ object: "response.input_tokens", input_tokens: expect.any(Number) });
    expect(json.input_tokens).toBeGreaterThan(10);
    expect(f.embedded).not.toContain("When are refunds paid?");
  });
});
