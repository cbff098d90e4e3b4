import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChatServer, startChatServer } from "../../../test/helpers/chat-server.ts";
import { waitFor } from "../../../test/helpers/wait.ts";
import { KEYS } from "../../app/testing/store-app.ts";
import type { Config } from "../../config/config.ts";
import { ask, eventsIn, handbook, responseOf, type Sent } from "./testing/answers.ts";
import { eventSchema, problemWith } from "./testing/openai-schemas.ts";

/** Tests look into answers of every shape. */
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(60_000);

let upstream: ChatServer;
beforeAll(async () => {
  upstream = await startChatServer();
});
afterAll(async () => await upstream[Symbol.asyncDispose]());

const SECRET = "sk-upstream-0123456789";
const office = (settings: Partial<Config> = {}) => {
  upstream.asked.length = 0;
  const chat = { chatAddress: upstream.address, chatModel: "qwen3", chatApiKey: SECRET, allowPrivateAddresses: true };
  return handbook({ settings: { ...chat, ...settings } });
};
const lastUser = () => upstream.asked.at(-1)?.body.messages.findLast(({ role }) => role === "user")?.content;
const system = () => upstream.asked.at(-1)?.body.messages.find(({ role }) => role === "system")?.content;
const types = (output: readonly { type: string }[]) => output.map(({ type }) => type);
const search = (queries: string[]) => ({ name: "file_search", arguments: JSON.stringify({ queries }) });
const weather = { type: "function", name: "weather", parameters: { type: "object", properties: {} } };

function expectWhole(events: readonly Sent[]): void {
  expect(events.map(({ data }) => data.sequence_number)).toEqual(events.map((_, i) => i));
  for (const { name, data } of events) expect([name, problemWith(eventSchema(name), data)]).toEqual([name, null]);
}

describe("an answer of a chat model", () => {
  test("comes from passages that were searched first, and cites them where the model put their numbers", async () => {
    await using f = await office();
    upstream.say({ text: "Refunds take fourteen days [1]. 😀 Bring the receipt [2]." });
    const { status, json, headers } = await f.call("POST", "/v1/responses", ask(f.store, { instructions: "Be kind." }));
    expect([status, json.status, json.model]).toEqual([200, "completed", "qwen3"]);
    expect(problemWith("Response", json)).toBeNull();
    expect(types(json.output)).toEqual(["file_search_call", "message"]);
    const [part] = json.output[1].content;
    expect(part.text).toBe("Refunds take fourteen days. 😀 Bring the receipt.");
    expect(part.annotations).toMatchObject([
      {
        index: 26,
        filename: "refunds.md",
        cited_by: "model",
        quote: "Refunds are paid within fourteen days of the return of the goods.",
        page: 1,
      },
      { index: 47, cited_by: "model", quote: "A refund needs the receipt of the purchase." },
    ]);
    expect(json.usage).toMatchObject({ input_tokens: 100, output_tokens: 10, total_tokens: 110 });
    expect(json.lectern).toMatchObject({ answered_by: "model", model: "qwen3", rounds: 1, ignored: [] });
    expect([headers.get("x-lectern-answer-mode"), headers.get("x-lectern-answer-model")]).toEqual(["model", "qwen3"]);
    const [asked] = upstream.asked;
    expect(asked?.headers["authorization"]).toBe(`Bearer ${SECRET}`);
    expect(asked?.body).toMatchObject({ model: "qwen3", stream: true, stream_options: { include_usage: true } });
    expect("temperature" in (asked?.body ?? {})).toBe(false);
    expect(lastUser()).toStartWith('<passages>\n<passage n="1" file="refunds.md" page="1"');
    expect(lastUser()).toEndWith("</passages>\n\nWhen are refunds paid?");
    expect(system()).toStartWith("Be kind.\n\n");
    expect(system()).toContain("like [2]");
  });

  test.each([1, 3, 17])("is the same in pieces of %d bytes", async (pieces) => {
    await using f = await office();
    upstream.say({ text: "Fourteen days — 退款 😀 [1], `[2]` stays.", reasoning: "Hm.", pieces, chunk: 2 });
    const events = await eventsIn(await f.request("POST", "/v1/responses", ask(f.store, { stream: true })));
    expectWhole(events);
    const last = events.at(-1)?.data["response"] as Loose;
    expect(last.output[1].content[0].text).toBe("Fourteen days — 退款 😀, `[2]` stays.");
    expect(last.output[1].content[0].annotations).toMatchObject([{ index: 20 }]);
    const { json } = await f.call("GET", `/v1/responses/${last.id}`);
    expect(json).toEqual(last);
    const again = await eventsIn(await f.request("GET", `/v1/responses/${last.id}?stream=true`));
    expect(again).toEqual(events);
  });

  test("streams OpenAI's events, the citation after the text before it", async () => {
    await using f = await office();
    upstream.say({ text: "Fourteen days [1]. Always.", chunk: 100 });
    const events = await eventsIn(await f.request("POST", "/v1/responses", ask(f.store, { stream: true })));
    expectWhole(events);
    expect(events.map(({ name }) => name.replace("response.", ""))).toEqual([
      "created",
      "in_progress",
      "output_item.added",
      "file_search_call.in_progress",
      "file_search_call.searching",
      "file_search_call.completed",
      "output_item.done",
      "output_item.added",
      "content_part.added",
      "output_text.delta",
      "output_text.annotation.added",
      "output_text.delta",
      "output_text.done",
      "content_part.done",
      "output_item.done",
      "completed",
    ]);
    expect(events.filter(({ name }) => name.endsWith("delta")).map(({ data }) => data["delta"])).toEqual([
      "Fourteen days",
      ". Always.",
    ]);
  });

  test("without markers cites what has the words of a passage, and nothing else", async () => {
    await using f = await office();
    upstream.say({
      text: "Refunds are paid within fourteen days of the return. I like trains and long walks in summer.",
    });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    const [{ text, annotations }] = json.output[1].content;
    expect(annotations).toMatchObject([{ cited_by: "overlap", index: 52, filename: "refunds.md" }]);
    expect([...text].slice(0, 52).join("")).toBe("Refunds are paid within fourteen days of the return.");
  });

  test("leaves JSON alone", async () => {
    await using f = await office();
    upstream.say({ text: '{"days": [1]}' });
    const format = { type: "json_schema", name: "days", schema: { type: "object" } };
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { text: { format } }));
    expect(json.output[1].content[0]).toMatchObject({ text: '{"days": [1]}', annotations: [] });
    expect(upstream.asked[0]?.body["response_format"]).toMatchObject({ json_schema: { name: "days", strict: true } });
    expect(system()).toBeUndefined();
  });

  test("needs no documents", async () => {
    await using f = await office();
    upstream.say({ text: "<think>\nA greeting [1].\n</think>\n\nHello!" });
    const { json } = await f.call("POST", "/v1/responses", { input: "Hello", temperature: 0.5, max_output_tokens: 99 });
    expect(json.output).toMatchObject([{ type: "message", content: [{ text: "Hello!" }] }]);
    expect(json.usage.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
    expect(upstream.asked[0]?.body).toEqual({
      model: "qwen3",
      messages: [{ role: "user", content: "Hello" }],
      temperature: 0.5,
      max_tokens: 99,
      stream: true,
      stream_options: { include_usage: true },
    } as never);
  });

  test("searches again when the model asks for it, numbers going on", async () => {
    await using f = await office();
    upstream.say(
      { text: "Let me look.", calls: [search(["tides moon"])], calling: "ollama" },
      { text: "The moon [2]." },
    );
    const { json } = await f.call(
      "POST",
      "/v1/responses",
      ask(f.store, { tools: [{ ...ask(f.store).tools[0], max_num_results: 1 }] }),
    );
    expect(types(json.output)).toEqual(["file_search_call", "message", "file_search_call", "message"]);
    expect(json.output[2].queries).toEqual(["tides moon"]);
    expect(json.output[3].content[0].annotations).toMatchObject([{ filename: "tides.md" }]);
    const tool = upstream.asked[1]?.body.messages.at(-1);
    expect(tool).toMatchObject({ role: "tool", content: expect.stringContaining('n="2" file="tides.md"') });
    expect(json.lectern.rounds).toBe(2);
    expect(json.usage.input_tokens).toBe(200);
  });

  test("ends with calls of the client's functions, and goes on with what they gave", async () => {
    await using f = await office();
    const calls = [
      { name: "weather", arguments: '{"city":"Rome"}', id: "same" },
      { name: "weather", arguments: '{"city":"Oslo"}', id: "same" },
    ];
    upstream.say({ calls, calling: "bare" });
    const tools = [...ask(f.store).tools, weather];
    const first = (await f.call("POST", "/v1/responses", ask(f.store, { tools }))).json;
    expect(types(first.output)).toEqual(["file_search_call", "function_call", "function_call"]);
    const [, rome, oslo] = first.output;
    expect([rome.arguments, oslo.arguments, rome.status]).toEqual(['{"city":"Rome"}', '{"city":"Oslo"}', "completed"]);
    expect(new Set([rome.call_id, oslo.call_id]).size).toBe(2);
    upstream.say({ text: "Warm [1]." });
    const given = [rome, oslo].map(({ call_id }: Loose) => ({ type: "function_call_output", call_id, output: "12" }));
    const second = (await f.call("POST", "/v1/responses", { tools, input: given, previous_response_id: first.id }))
      .json;
    expect(types(second.output)).toEqual(["message"]);
    expect(second.output[0].content[0].annotations).toMatchObject([{ filename: "refunds.md" }]);
    expect(upstream.asked.at(-1)?.body.messages.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "assistant",
      "tool",
      "tool",
    ]);
  });

  test("goes on with the passages of the turn where the client sends it back whole", async () => {
    await using f = await office();
    upstream.say({ calls: [{ name: "weather", arguments: "{}" }] });
    const tools = [...ask(f.store).tools, weather];
    const first = (await f.call("POST", "/v1/responses", ask(f.store, { tools }))).json;
    const given = { type: "function_call_output", call_id: first.output[1].call_id, output: "12" };
    upstream.say({ calls: [{ name: "weather", arguments: "{}" }] }, { text: "Fourteen days [1]." });
    const input = [{ role: "user", content: "When are refunds paid?" }, ...first.output, given];
    const second = (await f.call("POST", "/v1/responses", { tools, input })).json;
    expect(JSON.stringify(upstream.asked.at(-1)?.body.messages)).toContain("<passage n=");
    const again = { type: "function_call_output", call_id: second.output[0].call_id, output: "13" };
    const third = { tools, input: [again], previous_response_id: second.id, background: true };
    const { id } = (await f.call("POST", "/v1/responses", third)).json;
    await f.engine.jobs.runner.start();
    const ended = await waitFor("it has ended", async () => {
      const { json } = await f.call("GET", `/v1/responses/${id}`);
      return json.status === "completed" ? json : undefined;
    });
    expect(ended.output[0].content[0].annotations).toMatchObject([{ filename: "refunds.md" }]);
  });

  test("runs a search beside the client's functions, and gives these back", async () => {
    await using f = await office();
    upstream.say({ calls: [search(["tides"]), { name: "weather", arguments: "{}" }] });
    const tools = [...ask(f.store).tools, weather];
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { tools }));
    expect(types(json.output)).toEqual(["file_search_call", "file_search_call", "function_call"]);
    expect(upstream.asked).toHaveLength(1);
  });

  test("goes on without tools where the server takes none, and remembers it", async () => {
    await using f = await office();
    const error = { error: { message: "registry.ollama.ai/library/qwen3 does not support tools" } };
    upstream.say({ status: 400, error }, { text: "Fourteen days [1]." });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([json.status, json.output[1].content[0].annotations.length]).toEqual(["completed", 1]);
    expect(upstream.asked.map(({ body }) => "tools" in body)).toEqual([true, false]);
    await f.call("POST", "/v1/responses", ask(f.store));
    expect("tools" in (upstream.asked[2]?.body ?? {})).toBe(false);
    const refused = await f.call("POST", "/v1/responses", ask(f.store, { tools: [weather] }));
    expect([refused.status, refused.json.error.code]).toEqual([400, "chat_model_without_tools"]);
  });

  test("that calls on and on is asked for words in the end", async () => {
    await using f = await office();
    let n = 0;
    upstream.say(({ body }) => ("tools" in body ? { calls: [search([`tides ${n++}`])] } : { text: "Enough." }));
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([json.lectern.rounds, json.output.at(-1).content[0].text]).toEqual([5, "Enough."]);
    upstream.say(({ body }) => ("tools" in body ? { calls: [search(["x"])] } : { text: "Enough." }));
    const limited = (await f.call("POST", "/v1/responses", ask(f.store, { max_tool_calls: 1 }))).json;
    expect(types(limited.output)).toEqual(["file_search_call", "message"]);
    upstream.say({ calls: [search(["never ending"])] });
    const { json: deaf } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([deaf.status, deaf.lectern.rounds, deaf.output.at(-1).type]).toEqual(["completed", 5, "message"]);
    expect(deaf.lectern.warnings).toContain("The chat model gave no text.");
  });

  test("that must call a function and does not is asked once more", async () => {
    await using f = await office();
    const choice = { tools: [weather], tool_choice: { type: "function", name: "weather" }, input: "Rome?" };
    upstream.say({ text: "No." }, { calls: [{ name: "weather", arguments: "{}" }] });
    const called = (await f.call("POST", "/v1/responses", choice)).json;
    expect(types(called.output)).toEqual(["function_call"]);
    expect(upstream.asked[0]?.body["tool_choice"]).toEqual({ type: "function", function: { name: "weather" } });
    upstream.say({ text: "No." });
    const said = (await f.call("POST", "/v1/responses", choice)).json;
    expect([types(said.output), said.lectern.warnings.length]).toEqual([["message"], 1]);
  });

  test.each([
    ["length", "max_output_tokens"],
    ["content_filter", "content_filter"],
  ])("that was cut by %s is incomplete", async (finish, reason) => {
    await using f = await office();
    upstream.say({ text: "Four", finish });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([json.status, json.incomplete_details, json.output[1].status]).toEqual([
      "incomplete",
      { reason },
      "incomplete",
    ]);
  });

  test("may say so many words in all its rounds together", async () => {
    await using f = await office();
    const calls = [{ name: "file_search", arguments: '{"queries":["receipt"]}' }];
    const used = (tokens: number) => ({ prompt_tokens: 50, completion_tokens: tokens, total_tokens: 50 + tokens });
    upstream.say({ calls, usage: used(30) }, { text: "Fourteen days [1].", usage: used(5) });
    const first = (await f.call("POST", "/v1/responses", ask(f.store, { max_output_tokens: 40 }))).json;
    expect([first.status, first.usage.output_tokens]).toEqual(["completed", 35]);
    expect(upstream.asked.map(({ body }) => body["max_tokens"])).toEqual([40, 10]);
    upstream.say({ calls, usage: used(40) });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { max_output_tokens: 40 }));
    expect([json.status, json.incomplete_details]).toEqual(["incomplete", { reason: "max_output_tokens" }]);
    expect([types(json.output), upstream.asked.length]).toEqual([["file_search_call", "file_search_call"], 3]);
    expect(problemWith("Response", json)).toBeNull();
  });

  test("that says nothing is an empty text with a warning", async () => {
    await using f = await office();
    upstream.say({ text: "" });
    const { json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([json.status, json.output[1].content[0].text, json.lectern.warnings.length]).toEqual(["completed", "", 1]);
  });

  test("that came whole, or without an end of its own, is complete", async () => {
    await using f = await office();
    for (const reply of [{ whole: true }, { withoutDone: true }, { finish: null }]) {
      upstream.say({ text: "Fourteen days [1].", ...reply });
      const { json } = await f.call("POST", "/v1/responses", ask(f.store));
      expect([json.status, json.output[1].content[0].text]).toEqual(["completed", "Fourteen days."]);
    }
  });
});

const LLAMA_TOO_LONG = {
  error: {
    code: 400,
    message: "request (9023 tokens) exceeds the available context size (8192 tokens), try increasing it",
    type: "exceed_context_size_error",
  },
};
const VLLM_TOO_LONG = {
  error: {
    message: "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens.",
    code: 400,
  },
};

describe("what goes wrong", () => {
  test.each([
    [{ status: 401, error: { error: { message: `bad key ${SECRET}` } } }, 502, "chat_model_rejected_key"],
    [{ status: 404, error: { error: { message: 'model "qwen3" not found' } } }, 502, "chat_model_not_found"],
    [{ status: 500 }, 502, "chat_model_unavailable"],
    [{ status: 503 }, 502, "chat_model_unavailable"],
    [{ status: 302, headers: { location: "http://127.0.0.1:1/" } }, 502, "chat_model_unavailable"],
    [{ status: 400, error: { error: { message: `no ${SECRET}` } } }, 400, "chat_model_rejected_request"],
    [{ status: 400, error: LLAMA_TOO_LONG }, 400, "context_length_exceeded"],
    [{ status: 400, error: VLLM_TOO_LONG }, 400, "context_length_exceeded"],
    [{ status: 429, headers: { "retry-after": "7" } }, 429, "rate_limit_exceeded"],
    [{ raw: "data: {odd\n\n" }, 502, "chat_model_unavailable"],
    [{ raw: 'data: {"error":{"message":"out of memory"}}\n\n' }, 502, "chat_model_unavailable"],
    [{ text: "Fourteen days and more of it", breakAfter: 300 }, 502, "chat_model_unavailable"],
  ])("%j is said honestly", async (reply, status, code) => {
    await using f = await office();
    upstream.say(reply);
    const { status: given, json, headers } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([given, json.error.code]).toEqual([status, code]);
    expect(JSON.stringify(json)).not.toContain(SECRET);
    expect(JSON.stringify(json)).not.toContain("127.0.0.1");
    if (status === 429) expect(headers.get("retry-after")).toBe("7");
    expect(f.db.raw.query("SELECT count(*) AS n FROM response").get()).toEqual({ n: 0 });
  });

  test("a stream that broke off fails with what there is of it", async () => {
    await using f = await office();
    const { promise: breakWhen, resolve: breakNow } = Promise.withResolvers<void>();
    upstream.say({ text: "Fourteen days and more of it", breakAfter: 500, breakWhen });
    const asked = await f.request("POST", "/v1/responses", ask(f.store, { stream: true }));
    const events = await eventsIn(asked, Infinity, (event) => event.data["delta"] !== undefined && breakNow());
    expectWhole(events);
    const last = events.at(-1)?.data["response"] as Loose;
    expect([events.at(-1)?.name, events.at(-2)?.name, last.error.code]).toEqual([
      "response.failed",
      "error",
      "server_error",
    ]);
    expect(last.output[1]).toMatchObject({ status: "incomplete" });
    expect(last.output[1].content[0].text).toStartWith("Fourteen");
    const again = await eventsIn(await f.request("GET", `/v1/responses/${last.id}?stream=true`));
    expect(again).toEqual(events);
  });

  test("a silent server is given up", async () => {
    await using f = await office({ chatTimeoutSeconds: 0.2 });
    upstream.say({ text: "Fourteen days and more of it", hangAfter: 300 });
    const { status, json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([status, json.error.code]).toEqual([504, "chat_model_timeout"]);
    await waitFor("the connection is closed", () => Promise.resolve(upstream.left > 0 || undefined));
  });

  test("quoted passages take the place of a server that is away, and say so", async () => {
    await using f = await office({ answerFallback: "extractive" });
    upstream.say({ status: 500 });
    for (const stream of [false, true]) {
      const asked = await f.request("POST", "/v1/responses", ask(f.store, { stream }));
      const json = stream
        ? ((await eventsIn(asked)).at(-1)?.data["response"] as Loose)
        : ((await asked.json()) as Loose);
      expect([json.status, json.model, json.lectern.answered_by]).toEqual([
        "completed",
        "lectern-extractive",
        "extractive",
      ]);
      expect(json.output[1].content[0].text).toStartWith("The language model could not be reached.");
      expect(json.lectern.warnings[0]).toContain("'qwen3' could not be reached");
      expect(types(json.output)).toEqual(["file_search_call", "message"]);
    }
    expect((await f.call("POST", "/v1/responses", { input: "Hello" })).status).toBe(502);
  });

  test("a conversation that does not fit is refused, or loses its oldest messages", async () => {
    await using f = await office({ chatContextTokens: 2_000 });
    upstream.say({ text: "Fourteen days [1]." });
    const old = Array.from({ length: 8 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: `${i} word `.repeat(150),
    }));
    const input = [...old, { role: "user", content: "When are refunds paid?" }];
    const refused = await f.call("POST", "/v1/responses", ask(f.store, { input, stream: true }));
    expect([refused.status, refused.json.error.code, refused.json.error.param]).toEqual([
      400,
      "context_length_exceeded",
      "input",
    ]);
    expect(upstream.asked).toHaveLength(0);
    const { json } = await f.call("POST", "/v1/responses", ask(f.store, { input, truncation: "auto" }));
    expect([json.status, json.lectern.warnings[0]]).toEqual([
      "completed",
      expect.stringMatching(/^\d of 9 messages were left out/),
    ]);
  });

  test("a private address is not called unless that is allowed", async () => {
    await using f = await office({ allowPrivateAddresses: false });
    const { status, json } = await f.call("POST", "/v1/responses", ask(f.store));
    expect([status, json.error.code, upstream.asked.length]).toEqual([502, "chat_model_unavailable", 0]);
    expect(json.error.message).not.toContain("127.0.0.1");
  });

  test("a client that leaves ends the call, and nothing is kept", async () => {
    await using f = await office();
    upstream.say({ text: "Fourteen days and more of it", hangAfter: 500 });
    const before = upstream.left;
    const response = await f.request("POST", "/v1/responses", ask(f.store, { stream: true }));
    await eventsIn(response, 10);
    await waitFor("the call ends", () => Promise.resolve(upstream.left > before || undefined));
    expect(f.db.raw.query("SELECT count(*) AS n FROM response").get()).toEqual({ n: 0 });
  });
});

describe("in the background", () => {
  test("an answer is followed as it is written, and cancelled with what there is of it", async () => {
    await using f = await office();
    await f.engine.jobs.runner.start();
    upstream.say({ text: "Fourteen days and more of it", hangAfter: 900 });
    const asked = await f.request("POST", "/v1/responses", ask(f.store, { background: true, stream: true }));
    const seen = await eventsIn(asked, 12);
    const { id } = responseOf(seen[0]);
    expect(seen.map(({ data }) => data.sequence_number)).toEqual(seen.map((_, i) => i));
    expect((await f.call("GET", `/v1/responses/${id}`)).json).toMatchObject({ status: "in_progress", output: [] });
    const before = upstream.left;
    const { json } = await f.call("POST", `/v1/responses/${id}/cancel`);
    expect([json.status, json.output[1].status]).toEqual(["cancelled", "incomplete"]);
    expect(json.output[1].content[0].text).toStartWith("Fourteen");
    await waitFor("the call ends", () => Promise.resolve(upstream.left > before || undefined));
    const all = await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true`));
    expectWhole(all);
    expect(all.slice(0, 12)).toEqual(seen);
    expect(all.at(-1)?.name).toBe("response.output_item.done");
  });

  test("an answer is given, and plays back as it came", async () => {
    await using f = await office();
    await f.engine.jobs.runner.start();
    upstream.say({ text: "Fourteen days [1]. And so on.", chunk: 3 });
    const events = await eventsIn(
      await f.request("POST", "/v1/responses", ask(f.store, { background: true, stream: true, temperature: 0.3 })),
    );
    expectWhole(events);
    const { id } = responseOf(events.at(-1));
    expect(events.at(-1)?.name).toBe("response.completed");
    const rest = await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true&starting_after=9`));
    expect(rest).toEqual(events.slice(10));
    expect(upstream.asked[0]?.body["temperature"]).toBe(0.3);
  });
});

describe("/v1/chat/completions", () => {
  const chat = { model: "gpt-4o", messages: [{ role: "user", content: "Hi" }], seed: 7 };

  test("passes a chat on and its answer back, whole and streamed", async () => {
    await using f = await office();
    upstream.say({ text: "Hello there [1]." });
    const whole = await f.call("POST", "/v1/chat/completions", chat);
    expect([whole.status, whole.json.choices[0].message.content]).toEqual([200, "Hello there [1]."]);
    expect(whole.headers.get("x-lectern-answer-model")).toBe("qwen3");
    expect(upstream.asked[0]?.body).toEqual({ ...chat, model: "qwen3" });
    const streamed = await f.request("POST", "/v1/chat/completions", { ...chat, stream: true });
    expect(streamed.headers.get("content-type")).toBe("text/event-stream");
    expect(await streamed.text()).toEndWith("data: [DONE]\n\n");
  });

  test("says what fails, and needs a chat model", async () => {
    await using f = await office();
    upstream.say({ status: 400, error: { error: { message: "does not support tools" } } });
    const refused = await f.call("POST", "/v1/chat/completions", { ...chat, tools: [] });
    expect([refused.status, refused.json.error.code]).toEqual([400, "chat_model_rejected_request"]);
    for (const [model, code] of [["lectern-extractive", "language_model_required"]]) {
      const none = await f.call("POST", "/v1/chat/completions", { ...chat, model });
      expect([none.status, none.json.error.code]).toEqual([400, code]);
    }
    const odd = await f.call("POST", "/v1/chat/completions", { ...chat, messages: [] });
    expect(odd.json.error.param).toBe("messages");
    await using without = await handbook();
    expect((await without.call("POST", "/v1/chat/completions", chat)).json.error.code).toBe("language_model_required");
  });

  test("ends when the client leaves", async () => {
    await using f = await office();
    upstream.say({ text: "Fourteen days and more of it", hangAfter: 200 });
    const before = upstream.left;
    const response = await f.request("POST", "/v1/chat/completions", { ...chat, stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await waitFor("the call ends", () => Promise.resolve(upstream.left > before || undefined));
  });
});

test("models that answer are listed, and quotations stay to be asked for", async () => {
  await using f = await office();
  const { json } = await f.call("GET", "/v1/models");
  const chats = json.data.filter(({ kind }: { kind: string }) => kind === "chat");
  expect(chats).toMatchObject([
    { id: "qwen3", kind: "chat", location: "remote", max_tokens: 8192 },
    { id: "lectern-extractive", kind: "chat" },
  ]);
  expect(JSON.stringify(json)).not.toContain(SECRET);
  const quoted = await f.call("POST", "/v1/responses", ask(f.store, { model: "lectern-extractive" }));
  expect(quoted.json.output[1].content[0].text).toStartWith("Quoted from the documents, without a language model:");
  expect(
    (await f.call("DELETE", "/v1/models/qwen3", undefined, { authorization: `Bearer ${KEYS.admin}` })).status,
  ).toBe(403);
});
