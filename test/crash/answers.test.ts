/**
 * kill -9 while a chat model answers, then a restart on the same data directory: what was being answered is answered, or has
 * failed as it should; nothing is said twice, and nothing is locked. The chat model's server is real HTTP, with the habits
 * of Ollama, vLLM and llama.cpp.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type OpenAI from "openai";
import { addText, json, newStore } from "../helpers/api.ts";
import { type ChatReply, type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

setDefaultTimeout(180_000);

const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt.";
const SEARCH = { type: "file_search" as const };
const WEATHER = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: {} } },
};
const QUESTION = { role: "user" as const, content: "When are refunds paid?" };
const SAID = "Within fourteen days [1].";
const ENDED = ["completed", "incomplete", "failed", "cancelled", "expired"];
const silent = (): ChatReply => ({ text: "Never.", until: new Promise(() => {}) });

let upstream: ChatServer;
beforeAll(async () => {
  upstream = await startChatServer();
});
afterAll(async () => await upstream?.[Symbol.asyncDispose]());

/** A server that is killed and started again on its data. */
async function desk() {
  const dir = tempDir();
  const start = () =>
    startServer({
      dataDir: dir.join("data"),
      args: ["--chat-address", upstream.address, "--chat-model", "qwen3", "--allow-private-addresses"],
    });
  let server = await start();
  const store = await newStore(server);
  await addText(server, store, "refunds.md", REFUNDS);
  upstream.asked.length = 0;
  return {
    store,
    get server(): TestServer {
      return server;
    },
    async restart() {
      await server.kill();
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

type Desk = Awaited<ReturnType<typeof desk>>;
type Run = OpenAI.Beta.Threads.Run;

async function newRun({ server, store }: Desk, tools: OpenAI.Beta.AssistantTool[]): Promise<Run> {
  const { id } = await server.client.beta.assistants.create({
    model: "gpt-4o",
    tools,
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  return await server.client.beta.threads.createAndRun({ assistant_id: id, thread: { messages: [QUESTION] } });
}

async function until(f: Desk, { id, thread_id }: Run, statuses: readonly string[]): Promise<Run> {
  return await waitFor(`the run is ${statuses.join(" or ")}`, async () => {
    const run = await f.server.client.beta.threads.runs.retrieve(id, { thread_id });
    return statuses.includes(run.status) ? run : undefined;
  });
}

const isAsked = (times: number) =>
  waitFor(`the model is asked ${times} times`, () => (upstream.asked.length >= times ? true : undefined));

async function messagesOf(f: Desk, run: Run): Promise<OpenAI.Beta.Threads.Message[]> {
  return (await f.server.client.beta.threads.messages.list(run.thread_id, { run_id: run.id })).data;
}

function textOf(message: OpenAI.Beta.Threads.Message | undefined): string {
  const part = message?.content[0];
  return part?.type === "text" ? part.text.value : "";
}

/** A client that posts the moment it can. */
async function expectFree(f: Desk, run: Run): Promise<void> {
  const { id } = await f.server.client.beta.threads.messages.create(run.thread_id, QUESTION);
  expect(id).toStartWith("msg_");
}

const HABITS: [string, ChatReply][] = [
  ["Ollama", { calling: "ollama" }],
  ["vLLM", { calling: "openai", chunk: 2 }],
  ["llama.cpp", { calling: "bare", usage: null, reasoning: "Hm, refunds." }],
];

test.each(HABITS)(
  "a run that is killed before its calls are answered and in its message ends once: %s",
  async (_, habit) => {
    await using f = await desk();
    upstream.say({ ...habit, calls: [{ name: "weather", arguments: '{"city":"Rome"}' }] });
    const run = await newRun(f, [SEARCH, WEATHER]);
    const waiting = await until(f, run, ["requires_action"]);
    await f.restart();
    const still = await until(f, run, ["requires_action"]);
    expect(still).toEqual(waiting);
    upstream.say({ ...habit, text: `${SAID} ${"And more words. ".repeat(20)}`, hangAfter: 3_000 });
    const [call] = still.required_action?.submit_tool_outputs.tool_calls ?? [];
    await f.server.client.beta.threads.runs.submitToolOutputs(run.id, {
      thread_id: run.thread_id,
      tool_outputs: [{ tool_call_id: call?.id ?? "", output: "12 degrees" }],
    });
    await waitFor("something is said", async () => (textOf((await messagesOf(f, run))[0]) === "" ? undefined : true));
    upstream.say({ ...habit, text: SAID });
    await f.restart();
    expect((await until(f, run, ENDED)).status).toBe("completed");
    const messages = await messagesOf(f, run);
    expect(messages.map((message) => [message.status, textOf(message)])).toEqual([
      ["completed", expect.stringMatching(/^Within fourteen days【1:0†refunds\.md】\.$/)],
    ]);
    const { client } = f.server;
    const steps = await client.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id, order: "asc" });
    expect(steps.data.map(({ type, status }) => [type, status])).toEqual([
      ["tool_calls", "completed"],
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    // Once for the call, once for the message that was cut off, once for the one that is whole.
    expect(upstream.asked.length).toBe(3);
    expect(JSON.stringify(upstream.asked[2]?.body.messages)).toContain("12 degrees");
    await expectFree(f, run);
  },
);

test("a run that is killed while the model is silent is asked again, three times in all, then it has failed", async () => {
  await using f = await desk();
  upstream.say(silent());
  const run = await newRun(f, [SEARCH]);
  for (const times of [1, 2, 3]) {
    await isAsked(times);
    await f.restart();
  }
  const failed = await until(f, run, ENDED);
  expect([failed.status, failed.last_error]).toEqual([
    "failed",
    { code: "server_error", message: "The server was stopped while it worked on the run." },
  ]);
  expect([upstream.asked.length, await messagesOf(f, run)]).toEqual([3, []]);
  const { data } = await f.server.client.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id });
  // What was found before the first stop was not searched for again.
  expect(data.map(({ type, status }) => [type, status])).toEqual([["tool_calls", "completed"]]);
  await expectFree(f, run);
});

test("a run that was being cancelled is cancelled after the restart, and the model is not asked again", async () => {
  await using f = await desk();
  upstream.say(silent());
  const run = await newRun(f, [SEARCH]);
  await isAsked(1);
  // The answer to it may be lost with the server.
  await f.server.client.beta.threads.runs.cancel(run.id, { thread_id: run.thread_id });
  await f.restart();
  expect((await until(f, run, ENDED)).status).toBe("cancelled");
  expect(upstream.asked.length).toBe(1);
  await expectFree(f, run);
});

test.each(HABITS)("a Response in the background of a conversation is in it once after a kill: %s", async (_, habit) => {
  await using f = await desk();
  const { id: conversation } = await f.server.client.conversations.create();
  const ask = {
    input: QUESTION.content,
    conversation,
    background: true,
    tools: [{ type: "file_search" as const, vector_store_ids: [f.store] }],
  };
  upstream.say({ ...habit, ...silent() });
  const { id } = await f.server.client.responses.create(ask);
  await isAsked(1);
  upstream.say({ ...habit, text: SAID });
  await f.restart();
  // Until it has ended nothing else is answered there.
  const response = await waitFor("the Response ends", async () => {
    const now = await f.server.client.responses.retrieve(id);
    return ENDED.includes(now.status ?? "") ? now : undefined;
  });
  expect([response.status, response.output_text, upstream.asked.length]).toEqual([
    "completed",
    "Within fourteen days.",
    2,
  ]);
  const items = await f.server.client.conversations.items.list(conversation, { order: "asc" });
  expect(items.data.map(({ type }) => type)).toEqual(["message", "file_search_call", "message"]);
  const second = await f.server.client.responses.create({ ...ask, background: false });
  expect(second.status).toBe("completed");
});

test("a Response in the background that is killed again and again has failed, and its conversation is free", async () => {
  await using f = await desk();
  const { id: conversation } = await f.server.client.conversations.create();
  upstream.say(silent());
  const { id } = await f.server.client.responses.create({ input: "Hi", conversation, background: true });
  for (const times of [1, 2, 3]) {
    await isAsked(times);
    await f.restart();
  }
  const failed = await waitFor("the Response ends", async () => {
    const now = await json<OpenAI.Responses.Response>(f.server, "GET", `/v1/responses/${id}`);
    return now.status === "failed" ? now : undefined;
  });
  expect(failed.error).toMatchObject({ code: "server_error", message: "The server was stopped while it answered." });
  expect(upstream.asked.length).toBe(3);
  upstream.say({ text: "Hello." });
  const next = await f.server.client.responses.create({ input: "Hi again", conversation });
  expect(next.output_text).toBe("Hello.");
});
