/** Assistants, threads and runs by the official `openai` package, unmodified, on the running server; and after a kill -9. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import OpenAI from "openai";
import OpenAI4 from "openai-v4";
import OpenAI5 from "openai-v5";
import { problemWith } from "../../src/api/responses/testing/openai-schemas.ts";
import { addText, json, newStore, refusal, upload } from "../helpers/api.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(OVER_TWO ? 480_000 : 120_000);

const REFUNDS =
  "# Refunds\n\nRefunds are paid within fourteen days of the return of the goods. A refund needs the receipt. 😀\n\nThe shop is closed on Sundays.";
const FOODS = "Favorite foods of the team.\n\nFilip Carola: his favorite food is cake with cherries.";
const CONTENT = "step_details.tool_calls[*].file_search.results[*].content" as const;
const SEARCH = { type: "file_search" as const };

let server: TestServer;
let client: OpenAI;
let store: string;
let file: string;
let assistant: string;

beforeAll(async () => {
  server = await startServer();
  client = new OpenAI({ apiKey: server.key, baseURL: `${server.url}/v1`, maxRetries: 0 });
  store = await newStore(server);
  file = await addText(server, store, "refunds.md", REFUNDS);
  const made = await client.beta.assistants.create({
    model: "gpt-4o",
    tools: [SEARCH],
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  assistant = made.id;
});
afterAll(async () => await server?.[Symbol.asyncDispose]());

const ask = (content = "When are refunds paid?") => ({ messages: [{ role: "user" as const, content }] });
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Holds the object against OpenAI's own schema. */
function fits(schema: string, value: unknown): void {
  expect([schema, problemWith(schema, plain(value))]).toEqual([schema, null]);
}

interface Citation {
  text: string;
  start_index: number;
  end_index: number;
  file_citation: { file_id: string; quote: string; start_offset: number; end_offset: number };
}

function textOf(message: OpenAI.Beta.Threads.Message | undefined): { value: string; annotations: Citation[] } {
  const part = message?.content[0];
  if (part?.type !== "text") throw new Error("the message has no text");
  return part.text as unknown as { value: string; annotations: Citation[] };
}

describe("openai 7", () => {
  test("runs a thread and polls, with citations that are exact, and steps whose passages can be asked for", async () => {
    const thread = await client.beta.threads.create(ask());
    const started = performance.now();
    const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant });
    // Without the header that says when to ask again the client sleeps for five seconds.
    expect(performance.now() - started).toBeLessThan(4_500);
    expect([run.status, run.expires_at, run.required_action]).toEqual(["completed", null, null]);
    fits("RunObject", run);
    fits("ThreadObject", thread);
    const { data } = await client.beta.threads.messages.list(thread.id, { run_id: run.id });
    expect(data).toHaveLength(1);
    fits("MessageObject", data[0]);
    const { value, annotations } = textOf(data[0]);
    expect(value).toContain("“Refunds are paid within fourteen days of the return of the goods.");
    expect(annotations.length).toBeGreaterThan(0);
    const { data: pages } = await json<{ data: { text: string }[] }>(
      server,
      "GET",
      `/v1/vector_stores/${store}/files/${file}/content`,
    );
    const content = [...pages.map(({ text }) => text).join("")];
    for (const { text, start_index, end_index, file_citation } of annotations) {
      expect([...value].slice(start_index, end_index).join("")).toBe(text);
      expect(text).toMatch(/^【1:\d+†refunds\.md】$/);
      expect(file_citation.file_id).toBe(file);
      const slice = content.slice(file_citation.start_offset, file_citation.end_offset).join("");
      expect(slice).toBe(file_citation.quote);
    }
    expect(value.match(/【[^】]*】/g)).toHaveLength(annotations.length);
    const steps = await client.beta.threads.runs.steps.list(run.id, { thread_id: thread.id, order: "asc" });
    expect(steps.data.map(({ type, status }) => [type, status])).toEqual([
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    for (const step of steps.data) fits("RunStepObject", step);
    expect(JSON.stringify(steps.data)).not.toContain('"content"');
    const step = await client.beta.threads.runs.steps.retrieve(steps.data[0]?.id ?? "", {
      thread_id: thread.id,
      run_id: run.id,
      include: [CONTENT],
    });
    fits("RunStepObject", step);
    expect(plain(step.step_details)).toMatchObject({
      tool_calls: [
        {
          type: "file_search",
          file_search: {
            ranking_options: { ranker: "default_2024_08_21", score_threshold: 0 },
            results: [{ file_id: file, file_name: "refunds.md", content: [{ type: "text" }] }],
          },
        },
      ],
    });
    expect(run.usage?.total_tokens).toBe((run.usage?.prompt_tokens ?? 0) + (run.usage?.completion_tokens ?? 0));
    // The thread is free the moment that the run's end can be seen.
    await client.beta.threads.messages.create(thread.id, { role: "user", content: "And what does a refund need?" });
    const second = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant });
    const newest = (await client.beta.threads.messages.list(thread.id)).data[0];
    expect([second.status, newest?.run_id]).toEqual(["completed", second.id]);
    expect(textOf(newest).value).toContain("receipt");
    expect(textOf(newest).annotations[0]?.text).toStartWith("【3:");
  });

  test("streams thread and run at once: every event is OpenAI's, in order, and the deltas are the text", async () => {
    const stream = await client.beta.threads.createAndRun({
      assistant_id: assistant,
      thread: ask(),
      stream: true,
    });
    const names: string[] = [];
    let text = "";
    let whole = "";
    const created = new Set<string>();
    for await (const event of stream) {
      names.push(event.event);
      expect([event.event, problemWith("AssistantStreamEvent", plain(event))]).toEqual([event.event, null]);
      if (event.event === "thread.message.created" || event.event === "thread.run.step.created")
        created.add(event.data.id);
      if (event.event === "thread.message.delta" || event.event === "thread.run.step.delta")
        expect(created.has(event.data.id)).toBe(true);
      if (event.event === "thread.message.delta")
        for (const part of event.data.delta.content ?? []) if (part.type === "text") text += part.text?.value ?? "";
      if (event.event === "thread.message.completed") whole = textOf(event.data).value;
    }
    expect(text).toBe(whole);
    expect(names.filter((name, i) => name !== names[i - 1])).toEqual([
      "thread.created",
      "thread.run.created",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
      "thread.run.step.completed",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.message.created",
      "thread.message.in_progress",
      "thread.message.delta",
      "thread.message.completed",
      "thread.run.step.completed",
      "thread.run.completed",
    ]);
  });

  test("ends a stream with done, and frames it with the names of its events", async () => {
    const response = await server.fetch("/v1/threads/runs", {
      method: "POST",
      body: JSON.stringify({ assistant_id: assistant, thread: ask(), stream: true }),
      headers: { "OpenAI-Beta": "assistants=v2" },
    });
    const { headers } = response;
    expect([headers.get("content-type"), headers.get("cache-control"), headers.get("x-accel-buffering")]).toEqual([
      "text/event-stream; charset=utf-8",
      "no-cache",
      "no",
    ]);
    const frames = (await response.text()).split("\n\n").slice(0, -1);
    expect(frames[0]).toMatch(/^event: thread\.created\ndata: \{"id":"thread_/);
    expect(frames.at(-1)).toBe("event: done\ndata: [DONE]");
  });

  test("has every helper: stream, createAndRunStream, createAndRunPoll", async () => {
    const thread = await client.beta.threads.create(ask("What is Filip's favorite food?"));
    const seen = { text: "", annotations: 0, steps: 0 };
    const stream = client.beta.threads.runs
      .stream(thread.id, { assistant_id: assistant, include: [CONTENT] })
      .on("textDelta", (delta) => {
        seen.text += delta.value ?? "";
        seen.annotations += delta.annotations?.length ?? 0;
      })
      .on("toolCallDone", () => void (seen.steps += 1));
    const [message] = await stream.finalMessages();
    const run = await stream.finalRun();
    expect([run.status, seen.text, seen.annotations]).toEqual([
      "completed",
      textOf(message).value,
      textOf(message).annotations.length,
    ]);
    expect(seen.steps).toBe(1);
    expect(JSON.stringify(await stream.finalRunSteps())).toContain('"content":[{"type":"text"');
    const both = client.beta.threads.createAndRunStream({ assistant_id: assistant, thread: ask() });
    expect((await both.finalRun()).status).toBe("completed");
    const polled = await client.beta.threads.createAndRunPoll({ assistant_id: assistant, thread: ask() });
    expect(polled.status).toBe("completed");
  });

  test("searches a file that was attached to a message, as soon as it is posted, and that of later messages", async () => {
    const alone = await client.beta.assistants.create({ model: "gpt-4o", tools: [SEARCH] });
    const foods = await upload(server, "favorite_foods.txt", FOODS);
    const thread = await client.beta.threads.create();
    const attachments = [{ file_id: foods, tools: [SEARCH, { type: "code_interpreter" as const }] }];
    const message = await client.beta.threads.messages.create(thread.id, {
      role: "user",
      content: "Using the files you have available, what's Filip's favorite food?",
      attachments,
    });
    expect(message.attachments).toEqual(attachments);
    const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: alone.id });
    expect(run.status).toBe("completed");
    expect(textOf((await client.beta.threads.messages.list(thread.id)).data[0]).value).toContain("cake");
    const now = await client.beta.threads.retrieve(thread.id);
    const [implicit = ""] = now.tool_resources?.file_search?.vector_store_ids ?? [];
    const made = await client.vectorStores.retrieve(implicit);
    expect([made.expires_after, made.file_counts.completed]).toEqual([{ anchor: "last_active_at", days: 7 }, 1]);
    const more = await upload(server, "colours.csv", "person,favorite colour\nFilip,purple\nMaria,green\n");
    await client.beta.threads.messages.create(thread.id, {
      role: "user",
      content: "What is Maria's favorite colour?",
      attachments: [{ file_id: more, tools: [SEARCH] }],
    });
    await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: alone.id });
    expect(textOf((await client.beta.threads.messages.list(thread.id)).data[0]).value).toContain("green");
    expect((await client.vectorStores.retrieve(implicit)).file_counts.completed).toBe(2);
  });

  test("walks a client test of file search: stores made with assistant and thread, options that come back", async () => {
    const foods = await upload(server, "favorite_foods.txt", FOODS);
    const helper = { file_search: { vector_stores: [{ file_ids: [foods] }] } };
    const first = await client.beta.assistants.create({
      model: "gpt-4o-mini",
      tools: [{ ...SEARCH, file_search: { max_num_results: 2, ranking_options: { score_threshold: 0.5 } } }],
      tool_resources: helper,
    });
    const [own = ""] = first.tool_resources?.file_search?.vector_store_ids ?? [];
    expect(own).toMatch(/^vs_/);
    const changed = await client.beta.assistants.update(first.id, {
      tool_resources: { file_search: { vector_store_ids: [own] } },
    });
    fits("AssistantObject", changed);
    expect(changed.tools).toEqual([
      {
        type: "file_search",
        file_search: { max_num_results: 2, ranking_options: { ranker: "default_2024_08_21", score_threshold: 0.5 } },
      } as never,
    ]);
    const thread = await client.beta.threads.create({
      messages: [{ role: "user", content: "Using the files you have available, what's Filip's favorite food?" }],
      tool_resources: helper,
    });
    const [theirs] = thread.tool_resources?.file_search?.vector_store_ids ?? [];
    expect([theirs === own, theirs?.slice(0, 3)]).toEqual([false, "vs_"]);
    await client.vectorStores.files.poll(own, foods);
    const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: first.id });
    expect(run.status).toBe("completed");
    const { data } = await client.beta.threads.messages.list(thread.id, { order: "desc" });
    expect(textOf(data[0]).value).toContain("cake");
    await client.beta.assistants.delete(first.id);
    expect((await client.vectorStores.retrieve(own)).id).toBe(own);
    expect((await client.beta.threads.runs.retrieve(run.id, { thread_id: thread.id })).status).toBe("completed");
  });

  test("keeps assistants, threads and messages: made, changed, listed in pages of both orders, deleted", async () => {
    const marked = { marked: "yes" };
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const made = await client.beta.assistants.create({ model: "gpt-4o", name: `number ${i}`, metadata: marked });
      ids.push(made.id);
    }
    const listed: string[] = [];
    for await (const one of client.beta.assistants.list({ limit: 2, order: "asc" }))
      if (one.metadata?.["marked"] === "yes") listed.push(one.id);
    expect(listed).toEqual(ids);
    const page = await client.beta.assistants.list({ limit: 2, after: ids[4] ?? "" });
    expect(page.data.map(({ id }) => id)).toEqual([ids[3] ?? "", ids[2] ?? ""]);
    const before = await client.beta.assistants.list({ limit: 1, order: "asc", before: ids[2] ?? "" });
    expect(before.data.map(({ id }) => id)).toEqual([ids[1] ?? ""]);
    const renamed = await client.beta.assistants.update(ids[0] ?? "", { name: null, metadata: { a: "b" } });
    expect([renamed.name, renamed.metadata, renamed.model]).toEqual([null, { a: "b" }, "gpt-4o"]);
    for (const id of ids) expect(await client.beta.assistants.delete(id)).toMatchObject({ id, deleted: true });
    const messages = ["one", "two", "three"].map((content, i) => ({
      role: i === 1 ? ("assistant" as const) : ("user" as const),
      content,
    }));
    const thread = await client.beta.threads.create({ messages, metadata: marked });
    const all = await client.beta.threads.messages.list(thread.id, { order: "asc" });
    expect(all.data.map((message) => [message.role, textOf(message).value])).toEqual([
      ["user", "one"],
      ["assistant", "two"],
      ["user", "three"],
    ]);
    const id = all.data[1]?.id ?? "";
    const updated = await client.beta.threads.messages.update(id, { thread_id: thread.id, metadata: { a: "b" } });
    expect(updated.metadata).toEqual({ a: "b" });
    expect(await client.beta.threads.messages.delete(id, { thread_id: thread.id })).toMatchObject({
      object: "thread.message.deleted",
    });
    expect((await client.beta.threads.messages.list(thread.id)).data).toHaveLength(2);
    const threads = await json<{ data: { id: string }[] }>(server, "GET", "/v1/threads?limit=1");
    expect(threads.data[0]?.id).toBe(thread.id);
    expect(await client.beta.threads.delete(thread.id)).toMatchObject({ object: "thread.deleted" });
    expect(await refusal(server, "GET", `/v1/threads/${thread.id}`)).toMatchObject({
      status: 404,
      code: null,
      message: `No thread found with id '${thread.id}'.`,
    });
  });

  test("is told what needs a language model, and what a run's status does not allow", async () => {
    const thread = await client.beta.threads.create(ask());
    const none = await client.beta.assistants.create({ model: "gpt-4o" });
    const path = `/v1/threads/${thread.id}/runs`;
    expect(await refusal(server, "POST", path, { assistant_id: none.id })).toMatchObject({
      status: 400,
      code: "language_model_required",
      param: "tools",
    });
    const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant });
    expect(await refusal(server, "POST", `${path}/${run.id}/cancel`)).toMatchObject({
      status: 400,
      code: null,
      message: "Cannot cancel run with status 'completed'.",
    });
    const outputs = { tool_outputs: [{ tool_call_id: "call_1", output: "x" }] };
    expect(await refusal(server, "POST", `${path}/${run.id}/submit_tool_outputs`, outputs)).toMatchObject({
      status: 400,
      message: 'Runs in status "completed" do not accept tool outputs.',
    });
  });
});

test.each([
  ["openai 5", OpenAI5],
  ["openai 4", OpenAI4],
] as const)("%s runs, polls and streams", async (name, Client) => {
  const older = new Client({ apiKey: server.key, baseURL: `${server.url}/v1` }) as unknown as OpenAI;
  const thread = await older.beta.threads.create(ask());
  const run = await older.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant });
  expect(run.status).toBe("completed");
  expect((await older.beta.threads.messages.list(thread.id)).data).toHaveLength(2);
  const stream = older.beta.threads.runs.stream(thread.id, { assistant_id: assistant });
  expect([name, (await stream.finalRun()).status]).toEqual([name, "completed"]);
  const both = older.beta.threads.createAndRunStream({ assistant_id: assistant, thread: ask() });
  expect(textOf((await both.finalMessages())[0]).value).toContain("fourteen days");
});

test("a run that the server was killed in is worked on after the next start, and answers once", async () => {
  using dir = tempDir();
  const runs: { thread: string; run: string }[] = [];
  {
    await using first = await startServer({ dataDir: dir.join("data") });
    const kept = await newStore(first);
    await addText(first, kept, "refunds.md", REFUNDS);
    const made = await json<{ id: string }>(first, "POST", "/v1/assistants", {
      model: "gpt-4o",
      tools: [SEARCH],
      tool_resources: { file_search: { vector_store_ids: [kept] } },
    });
    const asked = Array.from({ length: 30 }, () =>
      json<{ id: string; thread_id: string }>(first, "POST", "/v1/threads/runs", {
        assistant_id: made.id,
        thread: ask(),
      }),
    );
    for (const { id, thread_id } of await Promise.all(asked)) runs.push({ thread: thread_id, run: id });
    await first.kill();
  }
  await using second = await startServer({ dataDir: dir.join("data") });
  for (const { thread, run } of runs) {
    const path = `/v1/threads/${thread}`;
    const status = await waitFor(`${run} ends`, async () => {
      const now = await json<{ status: string }>(second, "GET", `${path}/runs/${run}`);
      return ["queued", "in_progress"].includes(now.status) ? undefined : now.status;
    });
    const messages = await json<{ data: { role: string; status: string }[] }>(second, "GET", `${path}/messages`);
    const steps = await json<{ data: { status: string }[] }>(second, "GET", `${path}/runs/${run}/steps`);
    expect([status, messages.data.map(({ role }) => role)]).toEqual(["completed", ["assistant", "user"]]);
    expect(steps.data.map((step) => step.status)).toEqual(["completed", "completed"]);
    // The thread takes more.
    await json(second, "POST", `${path}/messages`, { role: "user", content: "Thanks" });
  }
});
