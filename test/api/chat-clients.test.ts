/**
 * Agents of other makers, unmodified, on a server whose answers come of a chat model: OpenAI's Agents SDK, the Vercel AI SDK,
 * LangChain. Documents are searched here, functions are called there; whole and streamed, and a second turn on top.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createOpenAI } from "@ai-sdk/openai";
import { ChatOpenAI } from "@langchain/openai";
import { Agent, fileSearchTool, OpenAIProvider, Runner, tool as agentTool } from "@openai/agents";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";
import { addText, newStore } from "../helpers/api.ts";
import { type ChatReply, type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { startServer, type TestServer } from "../helpers/server.ts";

setDefaultTimeout(120_000);

const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt.";
const QUESTION = "When are refunds paid, and is it warm in Rome?";
const PARAMETERS = {
  type: "object" as const,
  properties: { city: { type: "string" as const } },
  required: ["city"],
  additionalProperties: false as const,
};
const CALL: ChatReply = { calls: [{ name: "weather", arguments: '{"city":"Rome"}' }], calling: "ollama" };
const ANSWER: ChatReply = { text: "Within fourteen days [1]. It is warm. 😀", pieces: 9 };
const SAID = "Within fourteen days. It is warm. 😀";

let upstream: ChatServer;
let server: TestServer;
let store: string;
let cities: unknown[];
const weather = (input: unknown) => {
  cities.push((input as { city: string }).city);
  return "21 degrees";
};

beforeAll(async () => {
  upstream = await startChatServer();
  const args = ["--chat-address", upstream.address, "--chat-model", "qwen3", "--allow-private-addresses"];
  server = await startServer({ args });
  store = await newStore(server);
  await addText(server, store, "refunds.md", REFUNDS);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  cities = [];
  upstream.asked.length = 0;
  upstream.say(CALL, ANSWER);
});

/** What the model was told last: the passages, and what the function gave. */
function lastAsked(): string {
  return JSON.stringify(upstream.asked.at(-1)?.body.messages);
}

function expectBoth(): void {
  expect(cities).toEqual(["Rome"]);
  expect(lastAsked()).toContain("21 degrees");
  expect(lastAsked()).toContain("<passage n=");
}

describe("OpenAI's Agents SDK", () => {
  const runner = () => {
    const openAIClient = new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, maxRetries: 0 });
    const modelProvider = new OpenAIProvider({ openAIClient, useResponses: true });
    // Traces would go to OpenAI.
    return new Runner({ modelProvider, tracingDisabled: true });
  };
  const agent = () =>
    new Agent({
      name: "House",
      instructions: "Be kind.",
      model: "gpt-4o",
      tools: [
        fileSearchTool([store], { includeSearchResults: true, maxNumResults: 3 }),
        agentTool({
          name: "weather",
          description: "The weather of a city",
          parameters: { ...PARAMETERS, additionalProperties: true as const },
          strict: false,
          execute: weather,
        }),
      ],
    });

  test("searches, calls its function and answers; a second turn has the first before it", async () => {
    const result = await runner().run(agent(), QUESTION);
    expect(result.finalOutput).toBe(SAID);
    expectBoth();
    const called = result.newItems.flatMap((item) => (item.type === "tool_call_item" ? [item.rawItem] : []));
    const names = called.map((item) => ("name" in item ? item.name : item.type));
    expect(names).toEqual(["file_search_call", "weather"]);
    expect(JSON.stringify(called[0])).toContain("Refunds are paid within fourteen days");
    upstream.say({ text: "You are welcome." });
    const second = await runner().run(agent(), [...result.history, { role: "user", content: "Thank you." }]);
    expect(second.finalOutput).toBe("You are welcome.");
    expect(lastAsked()).toContain("Within fourteen days.");
  });

  test("is told of it as it comes", async () => {
    const stream = await runner().run(agent(), QUESTION, { stream: true });
    let text = "";
    const items: string[] = [];
    for await (const event of stream) {
      if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta") text += event.data.delta;
      if (event.type === "run_item_stream_event") items.push(event.name);
    }
    await stream.completed;
    expect([text, stream.finalOutput]).toEqual([SAID, SAID]);
    expect(items).toEqual(["tool_called", "tool_called", "tool_output", "message_output_created"]);
    expectBoth();
  });

  test("goes on with a conversation of the server's", async () => {
    const { id: conversationId } = await server.client.conversations.create();
    const first = await runner().run(agent(), QUESTION, { conversationId });
    expect(first.finalOutput).toBe(SAID);
    expectBoth();
    upstream.say({ text: "Still fourteen." });
    expect((await runner().run(agent(), "And now?", { conversationId })).finalOutput).toBe("Still fourteen.");
    expect(lastAsked()).toContain("Within fourteen days.");
  });
});

describe("the Vercel AI SDK", () => {
  const provider = () => createOpenAI({ baseURL: `${server.url}/v1`, apiKey: server.key });
  const options = () => ({
    model: provider().responses("gpt-4o"),
    maxRetries: 0,
    stopWhen: isStepCount(4),
    tools: {
      file_search: provider().tools.fileSearch({ vectorStoreIds: [store], maxNumResults: 3 }),
      weather: tool({
        description: "The weather of a city",
        inputSchema: jsonSchema<{ city: string }>(PARAMETERS),
        execute: weather,
      }),
    },
  });

  test("searches, calls its function and answers with sources; a second turn refers to the first", async () => {
    const prompt = { role: "user" as const, content: QUESTION };
    const result = await generateText({ ...options(), messages: [prompt] });
    expect([result.text, result.finishReason, result.steps.length]).toEqual([SAID, "stop", 2]);
    expect(result.sources.map((source) => ("filename" in source ? source.filename : null))).toEqual(["refunds.md"]);
    expect(result.totalUsage.totalTokens).toBe(220);
    expectBoth();
    upstream.say({ text: "You are welcome." });
    const messages = [prompt, ...result.responseMessages, { role: "user" as const, content: "Thank you." }];
    expect((await generateText({ ...options(), messages })).text).toBe("You are welcome.");
    expect(lastAsked()).toContain("Within fourteen days.");
  });

  test("is told of it as it comes", async () => {
    const result = streamText({ ...options(), prompt: QUESTION });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    expect([text, await result.finishReason, (await result.steps).length]).toEqual([SAID, "stop", 2]);
    expectBoth();
  });

  test("is passed on a chat", async () => {
    const { tools, ...rest } = options();
    const asked = { ...rest, model: provider().chat("gpt-4o"), tools: { weather: tools.weather }, prompt: QUESTION };
    const { text } = await generateText(asked);
    expect([text, cities]).toEqual(["Within fourteen days [1]. It is warm. 😀", ["Rome"]]);
  });
});

describe("LangChain", () => {
  const model = (useResponsesApi: boolean) =>
    new ChatOpenAI({
      model: "gpt-4o",
      apiKey: server.key,
      maxRetries: 0,
      useResponsesApi,
      configuration: { baseURL: `${server.url}/v1` },
    });
  const WEATHER = { type: "function", function: { name: "weather", parameters: PARAMETERS } } as const;
  const bound = () => model(true).bindTools([{ type: "file_search", vector_store_ids: [store] }, WEATHER]);
  const answered = (calls: readonly { id?: string; args: unknown }[] | undefined) =>
    (calls ?? []).map(({ id = "", args }) => ({ role: "tool", tool_call_id: id, content: weather(args) }));

  test("searches, calls its function and answers", async () => {
    const question = { role: "user", content: QUESTION };
    const first = await bound().invoke([question]);
    expect(first.tool_calls?.map(({ name }) => name)).toEqual(["weather"]);
    const second = await bound().invoke([question, first, ...answered(first.tool_calls)]);
    expect(second.text).toBe(SAID);
    expect(JSON.stringify(second.content)).toContain("file_citation");
    expectBoth();
  });

  test("is told of it as it comes", async () => {
    upstream.say(ANSWER);
    let text = "";
    for await (const chunk of await bound().stream(QUESTION)) text += chunk.text;
    expect(text).toBe(SAID);
  });

  test("is passed on a chat", async () => {
    const chat = model(false).bindTools([WEATHER]);
    const question = { role: "user", content: QUESTION };
    const first = await chat.invoke([question]);
    const second = await chat.invoke([question, first, ...answered(first.tool_calls)]);
    expect([second.text, cities]).toEqual(["Within fourteen days [1]. It is warm. 😀", ["Rome"]]);
  });
});
