/**
 * Responses, conversations, assistants, threads, runs and chats by the official client through a validating proxy that holds
 * each request and each answer against OpenAI's published specification, in dialect `openai-strict`; answered by a chat
 * model, and by quotations. Streams are a plain string to the proxy: their events are held against it elsewhere.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import OpenAI from "openai";
import type { ClientOptions } from "openai";
import { addText, newStore } from "../helpers/api.ts";
import { type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { ROOT, startServer, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { readSpec, type Spec } from "./openai-spec.ts";
import { type Prism, startPrism } from "./prism.ts";

// The proxy compiles each schema when it first needs it.
setDefaultTimeout(240_000);

const FILE = join(ROOT, "test/fixtures/openai/openai-subset-2.openapi.json");
const FAMILIES = /^\/(responses|conversations|assistants|threads|chat)(\/|$)/;
const OPERATIONS = 38;
const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt. 😀";
const QUESTION = { role: "user" as const, content: "When are refunds paid?" };
const SEARCH = { type: "file_search" as const };
const PARAMETERS = { type: "object", properties: { city: { type: "string" } } };
const WEATHER = { type: "function" as const, function: { name: "weather", parameters: PARAMETERS } };
const CALLS = [
  { name: "weather", arguments: '{"city":"Rome"}' },
  { name: "weather", arguments: '{"city":"Oslo"}' },
];
const CONTENT = "step_details.tool_calls[*].file_search.results[*].content" as const;
const WHO = [
  ["a chat model", "gpt-4o"],
  ["quotations", "lectern-extractive"],
] as const;

const done = new Set<string>();
let spec: Spec;
let upstream: ChatServer;
let server: TestServer;
let prism: Prism;
let client: OpenAI;
let store: string;
let file: string;

beforeAll(async () => {
  spec = readSpec(FILE, FAMILIES);
  upstream = await startChatServer();
  const args = ["--chat-address", upstream.address, "--chat-model", "qwen3", "--allow-private-addresses"];
  server = await startServer({ args });
  store = await newStore(server);
  file = await addText(server, store, "refunds.md", REFUNDS);
  prism = await startPrism(FILE, `${server.url}/v1`);
  const defaultHeaders = { "x-vector-dialect": "openai-strict" };
  client = new OpenAI({ apiKey: server.key, baseURL: prism.url, maxRetries: 0, defaultHeaders, fetch: watched });
}, 240_000);
afterAll(async () => {
  await prism?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

/** `fetch` that notes which operation was called. */
const watched: NonNullable<ClientOptions["fetch"]> = async (input, init) => {
  const response = await fetch(input as string, init as RequestInit);
  const { pathname } = new URL(input as string);
  const operation = spec.find(init?.method ?? "GET", pathname);
  if (operation !== null && response.ok) done.add(operation.id);
  // The client's types are those of Node's fetch.
  return response as unknown as Awaited<ReturnType<NonNullable<ClientOptions["fetch"]>>>;
};

const ask = (more: object = {}) => ({
  model: "gpt-4o",
  input: QUESTION.content,
  tools: [{ type: "file_search" as const, vector_store_ids: [store] }],
  ...more,
});

describe.each(WHO)("answered by %s", (_, model) => {
  test("a Response, and what can be asked for of it", async () => {
    upstream.say({ text: "Within fourteen days [1]. 😀 With a receipt.", reasoning: "Hm." });
    const include = ["file_search_call.results" as const];
    const filters = { type: "ne" as const, key: "topic", value: "sea" };
    const ranking_options = { ranker: "auto" as const, score_threshold: 0.01 };
    const tools = [
      { type: "file_search" as const, vector_store_ids: [store], filters, ranking_options, max_num_results: 5 },
    ];
    const response = await client.responses.create(
      ask({
        model,
        tools,
        include,
        metadata: { a: "b" },
        instructions: "Be brief.",
        max_output_tokens: 500,
        user: "u",
      }),
    );
    expect([response.status, response.output.map(({ type }) => type)]).toEqual([
      "completed",
      ["file_search_call", "message"],
    ]);
    expect(response.output_text).toContain("fourteen days");
    expect((await client.responses.retrieve(response.id, { include })).output).toEqual(response.output);
    const second = await client.responses.create(
      ask({ model, previous_response_id: response.id, input: "A receipt?" }),
    );
    expect(second.previous_response_id).toBe(response.id);
    const sent = [QUESTION, ...response.output] as OpenAI.Responses.ResponseInput;
    expect((await client.responses.create(ask({ model, input: [...sent, QUESTION] }))).status).toBe("completed");
    const items = await client.responses.inputItems.list(response.id, { limit: 5, order: "asc" });
    expect(items.data.map(({ type }) => type)).toEqual(["message"]);
    await client.responses.delete(second.id);
  });

  test("a Response in the background, in a conversation", async () => {
    upstream.say({ text: "Within fourteen days [1]." });
    const conversation = (await client.conversations.create({ items: [QUESTION], metadata: { a: "b" } })).id;
    const queued = await client.responses.create(ask({ model, background: true, conversation }));
    const response = await waitFor("the Response ends", async () => {
      const now = await client.responses.retrieve(queued.id);
      return now.status === "completed" ? now : undefined;
    });
    expect(response.conversation?.id).toBe(conversation);
    expect((await client.responses.cancel(queued.id)).status).toBe("completed");
    const { data } = await client.conversations.items.list(conversation, { order: "asc", limit: 10 });
    expect(data.map(({ type }) => type)).toEqual(["message", "message", "file_search_call", "message"]);
    for (const { id } of data) if (id) await client.conversations.items.retrieve(id, { conversation_id: conversation });
    await client.conversations.items.create(conversation, { items: [{ role: "assistant", content: "I see." }] });
    await client.conversations.items.delete(data[0]?.id ?? "", { conversation_id: conversation });
    await client.conversations.update(conversation, { metadata: { c: "d" } });
    expect((await client.conversations.retrieve(conversation)).metadata).toEqual({ c: "d" });
    await client.conversations.delete(conversation);
  });

  test("a run of a thread, its message and its steps", async () => {
    upstream.say({ text: "Within fourteen days [1]. With a receipt [1]." });
    const assistant = await client.beta.assistants.create({
      model,
      name: "House",
      description: "Knows the handbook.",
      instructions: "Be kind.",
      metadata: { a: "b" },
      tools: [{ type: "file_search", file_search: { max_num_results: 5, ranking_options: { score_threshold: 0.01 } } }],
      tool_resources: { file_search: { vector_store_ids: [store] } },
    });
    const attached = [{ file_id: file, tools: [SEARCH] }];
    const thread = await client.beta.threads.create({ messages: [QUESTION], metadata: { t: "1" } });
    const posted = await client.beta.threads.messages.create(thread.id, { ...QUESTION, attachments: attached });
    const bounds = { max_prompt_tokens: 4_000, max_completion_tokens: 500 };
    const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id, ...bounds });
    expect(run.status).toBe("completed");
    const messages = await client.beta.threads.messages.list(thread.id, { run_id: run.id, limit: 5, order: "asc" });
    expect(messages.data[0]?.content[0]?.type).toBe("text");
    expect(JSON.stringify(messages.data)).toContain("file_citation");
    await client.beta.threads.messages.retrieve(posted.id, { thread_id: thread.id });
    await client.beta.threads.messages.update(posted.id, { thread_id: thread.id, metadata: { m: "1" } });
    await client.beta.threads.runs.update(run.id, { thread_id: thread.id, metadata: { r: "1" } });
    const at = { thread_id: thread.id, run_id: run.id };
    const steps = await client.beta.threads.runs.steps.list(run.id, { thread_id: thread.id, include: [CONTENT] });
    expect(steps.data.map(({ type }) => type)).toEqual(["message_creation", "tool_calls"]);
    await client.beta.threads.runs.steps.retrieve(steps.data[1]?.id ?? "", { ...at, include: [CONTENT] });
    expect((await client.beta.threads.runs.list(thread.id, { limit: 1 })).data.map(({ id }) => id)).toEqual([run.id]);
    await client.beta.threads.messages.delete(posted.id, { thread_id: thread.id });
    await client.beta.threads.update(thread.id, { metadata: null });
    expect((await client.beta.threads.retrieve(thread.id)).metadata).toEqual({});
    await client.beta.threads.delete(thread.id);
    await client.beta.assistants.update(assistant.id, {
      name: null,
      temperature: 0.5,
      response_format: { type: "text" },
    });
    expect((await client.beta.assistants.retrieve(assistant.id)).name).toBeNull();
    await client.beta.assistants.list({ limit: 5, order: "asc" });
    await client.beta.assistants.delete(assistant.id);
  });
});

describe("by a chat model alone", () => {
  test("functions of a Response are called, and their outputs answered", async () => {
    upstream.say({ calls: CALLS }, { text: "Warm in Rome." });
    const tools = [{ type: "function" as const, name: "weather", parameters: PARAMETERS, strict: false }];
    const first = await client.responses.create({ model: "gpt-4o", input: "Is it warm?", tools });
    const outputs = first.output.flatMap((item) =>
      item.type === "function_call"
        ? [{ type: "function_call_output" as const, call_id: item.call_id, output: "21" }]
        : [],
    );
    expect(outputs).toHaveLength(2);
    const second = { model: "gpt-4o", input: outputs, tools, previous_response_id: first.id };
    expect((await client.responses.create(second)).output_text).toBe("Warm in Rome.");
    const counted = await client.responses.inputTokens.count({ model: "gpt-4o", input: "Is it warm?", tools });
    expect(counted.input_tokens).toBeGreaterThan(3);
  });

  test("functions of a run are called, and their outputs answered", async () => {
    upstream.say({ calls: CALLS }, { text: "Warm in Rome [1]." });
    const assistant = await client.beta.assistants.create({ model: "gpt-4o", tools: [SEARCH, WEATHER] });
    const run = await client.beta.threads.createAndRunPoll({
      assistant_id: assistant.id,
      thread: { messages: [QUESTION], tool_resources: { file_search: { vector_store_ids: [store] } } },
    });
    const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
    expect([run.status, calls.length]).toEqual(["requires_action", 2]);
    const steps = await client.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id });
    expect(steps.data[0]?.status).toBe("in_progress");
    const ended = await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, {
      thread_id: run.thread_id,
      tool_outputs: calls.map(({ id }) => ({ tool_call_id: id, output: "21" })),
    });
    expect(ended.status).toBe("completed");
    upstream.say({ calls: CALLS });
    const again = await client.beta.threads.runs.createAndPoll(run.thread_id, { assistant_id: assistant.id });
    const cancelled = await client.beta.threads.runs.cancel(again.id, { thread_id: run.thread_id });
    expect(cancelled.status).toBe("cancelled");
  });

  test("what is cut short or fails fits too", async () => {
    upstream.say({ text: "Within fourteen", finish: "length" });
    const cut = await client.responses.create(ask());
    expect(cut.incomplete_details?.reason).toBe("max_output_tokens");
    const assistant = await client.beta.assistants.create({ model: "gpt-4o" });
    const thread = { messages: [QUESTION] };
    const short = await client.beta.threads.createAndRunPoll({ assistant_id: assistant.id, thread });
    expect(short.incomplete_details?.reason).toBe("max_completion_tokens");
    const long = { messages: [{ ...QUESTION, content: "refunds and receipts ".repeat(300) }] };
    const bounds = { assistant_id: assistant.id, max_prompt_tokens: 256 };
    const full = await client.beta.threads.createAndRunPoll({ ...bounds, thread: long });
    expect(full.incomplete_details?.reason).toBe("max_prompt_tokens");
    upstream.say({ status: 500 });
    const failed = await client.beta.threads.createAndRunPoll({ assistant_id: assistant.id, thread });
    expect([failed.status, failed.last_error?.code]).toEqual(["failed", "server_error"]);
    const queued = await client.responses.create(ask({ background: true }));
    const response = await waitFor("the Response ends", async () => {
      const now = await client.responses.retrieve(queued.id);
      return now.status === "failed" ? now : undefined;
    });
    expect(response.error?.code).toBe("server_error");
  });

  test("a chat is passed on", async () => {
    upstream.say({
      whole: true,
      raw: JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion",
        created: 1,
        model: "qwen3",
        choices: [
          {
            index: 0,
            message: { role: "assistant", content: "Hello.", refusal: null },
            finish_reason: "stop",
            logprobs: null,
          },
        ],
      }),
    });
    const chat = await client.chat.completions.create({ model: "gpt-4o", messages: [QUESTION] });
    expect(chat.choices[0]?.message.content).toBe("Hello.");
  });
});

test("every operation was exercised, and none violates the specification", () => {
  const missing = spec.operations.filter(({ id }) => !done.has(id)).map(({ method, path }) => `${method} ${path}`);
  expect([missing, spec.operations.length]).toEqual([[], OPERATIONS]);
  expect(prism.violations()).toEqual([]);
});

test("the proxy would tell", async () => {
  const headers = { authorization: `Bearer ${server.key}`, "content-type": "application/json" };
  const body = JSON.stringify({ assistant_id: 7 });
  const refused = await fetch(`${prism.url}/threads/runs`, { method: "POST", headers, body });
  expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining("assistant_id")]);
});
