import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChatServer, startChatServer } from "../../../../test/helpers/chat-server.ts";
import { waitFor } from "../../../../test/helpers/wait.ts";
import { countTokens } from "../../../chunk/tokens.ts";
import type { Config } from "../../../config/config.ts";
import { problemWith } from "../../responses/testing/openai-schemas.ts";
import { desk, type Desk, ended, endOf, eventsIn, list, newThread, SEARCH, user } from "./testing/threads.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(60_000);

interface Waiting {
  id: string;
  required_action: { submit_tool_outputs: { tool_calls: { id: string }[] } };
}

let upstream: ChatServer;
beforeAll(async () => {
  upstream = await startChatServer();
});
afterAll(async () => await upstream[Symbol.asyncDispose]());

const WEATHER = { type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } };

const office = (settings: Partial<Config> = {}) => {
  upstream.asked.length = 0;
  const chat = { chatAddress: upstream.address, chatModel: "qwen3", allowPrivateAddresses: true };
  return desk({ settings: { ...chat, ...settings } });
};
const roles = () => upstream.asked.at(-1)?.body.messages.map(({ role }) => role);
const stepsOf = (f: Desk, run: { thread_id: string; id: string }) =>
  list(f, `/v1/threads/${run.thread_id}/runs/${run.id}/steps?order=asc`);
const messageOf = async (f: Desk, thread: string) => (await list(f, `/v1/threads/${thread}/messages?limit=1`))[0];
const joined = (events: readonly { event: string; data: unknown }[]) =>
  events
    .filter(({ event }) => event === "thread.message.delta")
    .map(({ data }) => (data as { delta: { content: { text: { value: string } }[] } }).delta.content[0]?.text.value)
    .join("");

describe("a run of a chat model", () => {
  test("answers from passages, with a marker where the model put a number", async () => {
    await using f = await office();
    upstream.say({ text: "Refunds take fourteen days [1]. 😀 Bring the receipt [2]." });
    const thread = await newThread(f);
    const run = await ended(f, thread, { instructions: "Be kind." });
    expect(run).toMatchObject({
      status: "completed",
      usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
      lectern: { answered_by: "model", model: "qwen3", rounds: 1, ignored: [] },
    });
    const message = await messageOf(f, thread);
    const { value, annotations } = message.content[0].text;
    expect(value).toBe("Refunds take fourteen days【1:0†refunds.md】. 😀 Bring the receipt【1:1†refunds.md】.");
    for (const { text, start_index: from, end_index: to } of annotations)
      expect([...value].slice(from, to).join("")).toBe(text);
    expect(annotations[0].file_citation.quote).toContain("fourteen days");
    const steps = await stepsOf(f, run);
    expect(steps.map(({ type, status }: { type: string; status: string }) => [type, status])).toEqual([
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    expect([problemWith("RunObject", run), problemWith("MessageObject", message)]).toEqual([null, null]);
    expect(upstream.asked[0]?.body.messages[0]?.content).toStartWith("Be kind.");
  });

  test("remembers the thread", async () => {
    await using f = await office();
    upstream.say({ text: "Hello." });
    const thread = await newThread(f, { messages: [user("I am Ada."), { role: "assistant", content: "Hi." }, user()] });
    await ended(f, thread);
    expect(roles()).toEqual(["system", "user", "assistant", "user"]);
    await f.call("POST", `/v1/threads/${thread}/messages`, user("And who am I?"));
    await ended(f, thread, { truncation_strategy: { type: "last_messages", last_messages: 2 } });
    expect(roles()).toEqual(["system", "assistant", "user"]);
  });

  test("asks for what functions give, and goes on with it", async () => {
    await using f = await office();
    const calls = [
      { name: "weather", arguments: '{"city":"Rome"}' },
      { name: "weather", arguments: '{"city":"Oslo"}' },
    ];
    upstream.say({ calls });
    const thread = await newThread(f);
    const waiting = await ended(f, thread, { tools: [SEARCH, WEATHER] });
    expect(waiting.status).toBe("requires_action");
    const asked = waiting.required_action.submit_tool_outputs.tool_calls;
    expect(asked.map(({ function: { arguments: text } }: { function: { arguments: string } }) => text)).toEqual(
      calls.map(({ arguments: text }) => text),
    );
    expect(problemWith("RunObject", waiting)).toBeNull();
    const [, open] = await stepsOf(f, waiting);
    expect([open.status, open.usage]).toEqual(["in_progress", null]);
    upstream.say({ text: "Warm [1]." });
    const outputs = asked.map(({ id }: { id: string }) => ({ tool_call_id: id, output: "12" }));
    const path = `/v1/threads/${thread}/runs/${waiting.id}`;
    const submitted = await f.call("POST", `${path}/submit_tool_outputs`, { tool_outputs: outputs });
    expect([submitted.status, submitted.json.status]).toEqual([200, "queued"]);
    const run = await endOf(f, thread, waiting.id as string);
    expect(run).toMatchObject({ status: "completed", usage: { prompt_tokens: 200 }, lectern: { rounds: 2 } });
    expect(roles()).toEqual(["system", "user", "assistant", "tool", "tool"]);
    expect((await messageOf(f, thread)).content[0].text.value).toBe("Warm【1:0†refunds.md】.");
    const steps = await stepsOf(f, run);
    expect(steps.map(({ type }: { type: string }) => type)).toEqual(["tool_calls", "tool_calls", "message_creation"]);
    expect(steps[1].step_details.tool_calls[0].function.output).toBe("12");
  });

  test("is followed while it speaks, and what was sent is what is kept", async () => {
    await using f = await office();
    upstream.say({ text: `Fourteen days [1]. ${"More words follow. ".repeat(20)}` });
    await f.engine.jobs.runner.start();
    const body = { assistant_id: f.assistant, thread: { messages: [user()] }, stream: true };
    const response = await f.request("POST", "/v1/threads/runs", body);
    const events = await eventsIn(response);
    const names = events.map(({ event }) => event);
    expect(names.slice(0, 9)).toEqual([
      "thread.created",
      "thread.run.created",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
      "thread.run.step.completed",
      "thread.run.step.created",
    ]);
    expect(names.slice(-4)).toEqual([
      "thread.message.completed",
      "thread.run.step.completed",
      "thread.run.completed",
      "done",
    ]);
    const whole = events.find(({ event }) => event === "thread.message.completed")?.data as {
      content: { text: { value: string } }[];
    };
    expect(joined(events)).toBe(whole.content[0]?.text.value ?? "nothing");
    for (const one of events.slice(0, -1))
      expect([one.event, problemWith("AssistantStreamEvent", one)]).toEqual([one.event, null]);
  });

  test("is heard before it has ended, and cancelled it stays as far as it was heard", async () => {
    await using f = await office();
    upstream.say({ text: `Fourteen days [1]. ${"More words follow. ".repeat(20)}`, hangAfter: 2500 });
    await f.engine.jobs.runner.start();
    const body = { assistant_id: f.assistant, thread: { messages: [user()] }, stream: true };
    const response = await f.request("POST", "/v1/threads/runs", body);
    const [heard, rest] = (response.body ?? new Blob().stream()).tee();
    let text = "";
    for await (const bytes of heard.pipeThrough(new TextDecoderStream())) {
      text += bytes;
      if (text.includes("More words")) break;
    }
    const [, thread, run] = /"thread_id":"([^"]+)"/.exec(text) ?? [];
    const id = /"id":"(run_[^"]+)"/.exec(text)?.[1] ?? run ?? "";
    await f.call("POST", `/v1/threads/${thread}/runs/${id}/cancel`);
    const events = await eventsIn(new Response(rest));
    expect(events.map(({ event }) => event).slice(-5)).toEqual([
      "thread.run.cancelling",
      "thread.message.incomplete",
      "thread.run.step.cancelled",
      "thread.run.cancelled",
      "done",
    ]);
    const message = await messageOf(f, thread ?? "");
    expect([message.status, message.incomplete_details.reason]).toEqual(["incomplete", "run_cancelled"]);
    expect(message.content[0].text.value).toBe(joined(events));
  });

  test("whose statements have no number is cited by its words, in their place", async () => {
    await using f = await office();
    upstream.say({ text: "A refund needs the receipt of the purchase. That is all." });
    const thread = await newThread(f);
    await ended(f, thread);
    expect((await messageOf(f, thread)).content[0].text.value).toBe(
      "A refund needs the receipt of the purchase.【1:1†refunds.md】 That is all.",
    );
  });

  test("that breaks off has failed, keeps what it said, and leaves the thread free", async () => {
    await using f = await office();
    const heard = Promise.withResolvers<void>();
    const text = `Fourteen days [1]. ${"And then more. ".repeat(20)}`;
    upstream.say({ text, breakAfter: 2500, breakWhen: heard.promise });
    const thread = await newThread(f);
    const made = await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant });
    await f.engine.jobs.runner.start();
    await waitFor("something is said", async () => {
      const message = await messageOf(f, thread);
      return message.status === "in_progress" && message.content.length > 0 ? true : undefined;
    });
    heard.resolve();
    const run = await endOf(f, thread, made.json.id as string);
    expect([run.status, run.last_error.code]).toEqual(["failed", "server_error"]);
    expect(JSON.stringify(run)).not.toContain(upstream.address);
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    expect([message.status, message.incomplete_details?.reason]).toEqual(["incomplete", "run_failed"]);
    expect(message.content[0].text.value).toStartWith("Fourteen days【1:0†refunds.md】. And then");
    upstream.say({ text: "Fourteen days [1]." });
    expect((await ended(f, thread)).status).toBe("completed");
  });

  test("quotes passages where the model is away, if that is wished", async () => {
    await using f = await office({ answerFallback: "extractive" });
    upstream.say({ status: 503, error: { error: { message: "loading" } } });
    const thread = await newThread(f);
    const run = await ended(f, thread);
    expect(run).toMatchObject({ status: "completed", lectern: { answered_by: "extractive" } });
    expect((await messageOf(f, thread)).content[0].text.value).toContain("“Refunds are paid within fourteen days");
  });

  test("is cancelled while it waits for words", async () => {
    await using f = await office();
    upstream.say({ text: "Never.", until: new Promise(() => {}) });
    const thread = await newThread(f);
    const made = await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant });
    await f.engine.jobs.runner.start();
    await waitFor("the model is asked", () => upstream.asked.length > 0 || undefined);
    const before = upstream.left;
    const cancelled = await f.call("POST", `/v1/threads/${thread}/runs/${made.json.id}/cancel`);
    expect(["cancelling", "cancelled"]).toContain(cancelled.json.status as string);
    expect((await endOf(f, thread, made.json.id as string)).status).toBe("cancelled");
    await waitFor("the model is left alone", () => upstream.left > before || undefined);
  });

  test("ends as incomplete where its words are limited", async () => {
    await using f = await office();
    upstream.say({ text: "Fourteen days [1]. And", finish: "length" });
    const thread = await newThread(f);
    const run = await ended(f, thread, { max_completion_tokens: 256 });
    expect([run.status, run.incomplete_details]).toEqual(["incomplete", { reason: "max_completion_tokens" }]);
    const message = await messageOf(f, thread);
    expect([message.status, message.incomplete_details.reason]).toEqual(["incomplete", "max_tokens"]);
    expect(upstream.asked[0]?.body["max_tokens"]).toBe(256);
  });

  test("may say so many words in all its turns together", async () => {
    await using f = await office();
    const usage = { prompt_tokens: 50, completion_tokens: 200, total_tokens: 250 };
    upstream.say({ calls: [{ name: "weather", arguments: "{}" }], usage });
    const thread = await newThread(f);
    const bounds = { tools: [SEARCH, WEATHER], max_completion_tokens: 500 };
    const waiting = await ended(f, thread, bounds);
    const submit = async (run: Waiting) => {
      const [call] = run.required_action.submit_tool_outputs.tool_calls;
      const body = { tool_outputs: [{ tool_call_id: call?.id, output: "12" }] };
      await f.call("POST", `/v1/threads/${thread}/runs/${run.id}/submit_tool_outputs`, body);
      return await endOf(f, thread, run.id);
    };
    const again = await submit(waiting);
    const third = await submit(again);
    expect(upstream.asked.map(({ body }) => body["max_tokens"])).toEqual([500, 300, 100]);
    const run = await submit(third);
    expect([run.status, run.incomplete_details, run.usage.completion_tokens]).toEqual([
      "incomplete",
      { reason: "max_completion_tokens" },
      600,
    ]);
    // Nothing was left for a turn: it was not asked once more.
    expect([upstream.asked.length, run.lectern.rounds]).toEqual([3, 3]);
    expect(problemWith("RunObject", run)).toBeNull();
    const steps = await stepsOf(f, run);
    expect(steps.map(({ status }: { status: string }) => status)).toEqual(Array(4).fill("completed"));
  });

  test("whose searches took all its words is not asked for an answer", async () => {
    await using f = await office();
    const calls = [{ name: "file_search", arguments: '{"queries":["receipt"]}' }];
    upstream.say({ calls, usage: { prompt_tokens: 50, completion_tokens: 300, total_tokens: 350 } });
    const thread = await newThread(f);
    const run = await ended(f, thread, { max_completion_tokens: 300 });
    expect([run.status, run.incomplete_details, upstream.asked.length]).toEqual([
      "incomplete",
      { reason: "max_completion_tokens" },
      1,
    ]);
    expect((await list(f, `/v1/threads/${thread}/messages?run_id=${run.id}`)).length).toBe(0);
  });

  test("whose prompts are bounded is given what fits, passages among it, and is asked once", async () => {
    await using f = await office();
    upstream.say({ text: "Fourteen days [1]." });
    const old = Array.from({ length: 40 }, (_, i) => user(`Old ${i}: ${"what was said before, ".repeat(10)}`));
    const thread = await newThread(f, { messages: old.slice(0, 30) });
    await f.call("POST", `/v1/threads/${thread}/messages`, { role: "assistant", content: "I see." });
    await f.call("POST", `/v1/threads/${thread}/messages`, user());
    for (const most of [256, 1_000]) {
      const run = await ended(f, thread, { max_prompt_tokens: most });
      expect([run.status, run.lectern.ignored]).toEqual(["completed", []]);
      expect(run.lectern.warnings.join()).toContain("messages were left out");
      const sent =
        upstream.asked
          .at(-1)
          ?.body.messages.map(({ content }) => String(content))
          .join("\n") ?? "";
      expect(sent).toContain("<passage n=");
      expect(countTokens(sent)).toBeLessThanOrEqual(most);
      expect(upstream.asked.at(-1)?.body["tools"]).toBeUndefined();
    }
    expect(upstream.asked.length).toBe(2);
  });

  test("whose prompts are bounded ends as incomplete where not even its question fits, or nothing is left", async () => {
    await using f = await office();
    upstream.say({ text: "Never." });
    const thread = await newThread(f, { messages: [user("refunds and receipts ".repeat(200))] });
    const run = await ended(f, thread, { max_prompt_tokens: 256 });
    expect([run.status, run.incomplete_details, run.usage.total_tokens]).toEqual([
      "incomplete",
      { reason: "max_prompt_tokens" },
      0,
    ]);
    expect([upstream.asked.length, problemWith("RunObject", run)]).toEqual([0, null]);
    const usage = { prompt_tokens: 900, completion_tokens: 5, total_tokens: 905 };
    upstream.say({ calls: [{ name: "weather", arguments: "{}" }], usage });
    const other = await newThread(f);
    const waiting = await ended(f, other, { tools: [SEARCH, WEATHER], max_prompt_tokens: 1_000 });
    const [call] = waiting.required_action.submit_tool_outputs.tool_calls;
    const outputs = { tool_outputs: [{ tool_call_id: call.id, output: "12" }], stream: true };
    const path = `/v1/threads/${other}/runs/${waiting.id}/submit_tool_outputs`;
    const events = await eventsIn(await f.request("POST", path, outputs));
    expect(events.map(({ event }) => event)).toEqual([
      "thread.run.step.completed",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.incomplete",
      "done",
    ]);
    const done = await endOf(f, other, waiting.id as string);
    expect([done.incomplete_details, done.usage.prompt_tokens, upstream.asked.length]).toEqual([
      { reason: "max_prompt_tokens" },
      900,
      1,
    ]);
  });

  test("searches once more where its prompts have room for it, and answers where they have none any more", async () => {
    await using f = await office();
    const calls = [{ name: "file_search", arguments: '{"queries":["receipt"]}' }];
    const usage = { prompt_tokens: 400, completion_tokens: 5, total_tokens: 405 };
    upstream.say({ calls, usage }, { text: "Fourteen days [1].", usage });
    const thread = await newThread(f);
    const run = await ended(f, thread, { max_prompt_tokens: 4_000 });
    expect([run.status, upstream.asked.length, run.usage.prompt_tokens]).toEqual(["completed", 2, 800]);
    upstream.asked.length = 0;
    upstream.say({ calls, usage: { ...usage, prompt_tokens: 1_700 } }, { text: "Fourteen days [1].", usage });
    const short = await ended(f, thread, { max_prompt_tokens: 2_500 });
    expect([short.status, upstream.asked.length]).toEqual(["completed", 2]);
    expect(upstream.asked.map(({ body }) => body["tools"] === undefined)).toEqual([false, true]);
  });

  test("may do without documents, and is refused where no model could", async () => {
    await using f = await office();
    upstream.say({ text: '{"a":1}' });
    const thread = await newThread(f);
    const run = await ended(f, thread, { tools: [], response_format: { type: "json_object" } });
    expect([run.status, (await stepsOf(f, run)).length]).toEqual(["completed", 1]);
    expect(upstream.asked[0]?.body["response_format"]).toEqual({ type: "json_object" });
    const quoted = await f.call("POST", `/v1/threads/${thread}/runs`, {
      assistant_id: f.assistant,
      model: "lectern-extractive",
      tools: [],
    });
    expect([quoted.status, quoted.json.error.code]).toEqual([400, "language_model_required"]);
  });
});
