import { describe, expect, test } from "bun:test";
import { waitFor } from "../../../../test/helpers/wait.ts";
import { problemWith } from "../../responses/testing/openai-schemas.ts";
import {
  desk,
  type Desk,
  ended,
  endOf,
  eventsIn,
  holdSearches,
  list,
  newThread,
  SEARCH,
  user,
} from "./testing/threads.ts";

const CONTENT = "step_details.tool_calls[*].file_search.results[*].content";

async function create(f: Desk, thread: string, body: object = {}) {
  return await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant, ...body });
}

/** What a run that is refused is told. */
async function refused(f: Desk, body: object, thread?: string) {
  const { status, json } = await create(f, thread ?? (await newThread(f)), body);
  return [status, json.error?.code, json.error?.param];
}

describe("a run", () => {
  test("is shown whole from the beginning to the end, and so are its steps and its message", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    const { json: made, headers } = await create(f, thread, { metadata: { a: "b" } });
    expect(made).toEqual({
      id: expect.stringMatching(/^run_/),
      object: "thread.run",
      created_at: f.clock.seconds,
      assistant_id: f.assistant,
      thread_id: thread,
      status: "queued",
      started_at: null,
      expires_at: f.clock.seconds + 600,
      cancelled_at: null,
      failed_at: null,
      completed_at: null,
      required_action: null,
      last_error: null,
      model: "gpt-4o",
      instructions: null,
      tools: [
        { type: "file_search", file_search: { ranking_options: { ranker: "default_2024_08_21", score_threshold: 0 } } },
      ],
      tool_resources: {},
      metadata: { a: "b" },
      temperature: 1,
      top_p: 1,
      reasoning_effort: null,
      max_completion_tokens: null,
      max_prompt_tokens: null,
      truncation_strategy: { type: "auto", last_messages: null },
      incomplete_details: null,
      usage: null,
      response_format: "auto",
      tool_choice: "auto",
      parallel_tool_calls: true,
      lectern: { answered_by: null, model: null, rounds: 0, ignored: [], warnings: [] },
    });
    expect([headers.get("openai-poll-after-ms"), headers.get("x-lectern-answer-mode")]).toEqual(["150", "extractive"]);
    await f.engine.jobs.runner.start();
    const run = await endOf(f, thread, made.id as string);
    expect(run).toMatchObject({
      status: "completed",
      started_at: f.clock.seconds,
      completed_at: f.clock.seconds,
      expires_at: null,
      usage: { prompt_token_details: { cached_tokens: 0 }, completion_tokens_details: { reasoning_tokens: 0 } },
      lectern: { answered_by: "extractive", model: "lectern-extractive" },
    });
    const path = `/v1/threads/${thread}/runs/${run.id}`;
    expect((await f.call("GET", path)).headers.get("openai-poll-after-ms")).toBeNull();
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    const steps = await list(f, `${path}/steps?include[]=${CONTENT}`);
    expect(steps).toMatchObject([
      { type: "message_creation", step_details: { message_creation: { message_id: message.id } } },
      { type: "tool_calls", status: "completed" },
    ]);
    expect(steps[1].step_details.tool_calls[0].file_search.results[0]).toMatchObject({
      file_name: "refunds.md",
      attributes: { topic: "refunds" },
    });
    const first = (await f.call("GET", `${path}/steps?limit=1&order=asc`)).json;
    expect([first.data[0].type, first.has_more]).toEqual(["tool_calls", true]);
    expect(steps[1].step_details.tool_calls[0].file_search.results[0].content[0].text).toContain("fourteen days");
    for (const [schema, value] of [
      ["RunObject", made],
      ["RunObject", run],
      ["MessageObject", message],
      ["RunStepObject", steps[0]],
      ["RunStepObject", steps[1]],
    ] as const)
      expect([schema, problemWith(schema, value)]).toEqual([schema, null]);
    const step = await f.call("GET", `${path}/steps/${steps[1].id}`);
    expect(JSON.stringify(step.json)).not.toContain('"content"');
    expect((await f.call("GET", `${path}/steps?include[]=everything`)).status).toBe(400);
    expect((await f.call("PATCH", path, { metadata: { c: "d" } })).json).toEqual({ ...run, metadata: { c: "d" } });
  });

  test("takes over what it says itself, and the assistant's where it says nothing", async () => {
    await using f = await desk();
    await f.call("POST", `/v1/assistants/${f.assistant}`, {
      instructions: "Be brief.",
      temperature: 0.5,
      tools: [SEARCH, { type: "function", function: { name: "f" } }, { type: "code_interpreter" }],
    });
    const { json: run } = await create(f, await newThread(f), {
      model: "gpt-3.5-turbo",
      additional_instructions: "Be kind.",
      top_p: 0.1,
      max_prompt_tokens: 256,
      reasoning_effort: "low",
      truncation_strategy: { type: "last_messages", last_messages: 3 },
      additional_messages: [user([{ type: "image_url", image_url: { url: "https://a/b.png" } }])],
    });
    expect(run).toMatchObject({
      model: "gpt-3.5-turbo",
      instructions: "Be brief.\n\nBe kind.",
      temperature: 0.5,
      top_p: 0.1,
      max_prompt_tokens: 256,
      truncation_strategy: { type: "last_messages", last_messages: 3 },
      lectern: {
        ignored: [
          "instructions",
          "additional_instructions",
          "temperature",
          "top_p",
          "reasoning_effort",
          "tools[1]",
          "tools[2]",
          "max_prompt_tokens",
          "additional_messages[0].content[0]",
        ],
      },
    });
    expect(run.tools[1]).toEqual({
      type: "function",
      function: { name: "f", parameters: { type: "object", properties: {} }, strict: false },
    });
  });

  test("is refused before it is made where only a language model could answer it", async () => {
    await using f = await desk();
    const format = { type: "json_schema", json_schema: { name: "x", schema: {} } };
    const choice = { type: "function", function: { name: "f" } };
    const needed = (param: string) => [400, "language_model_required", param];
    expect(await refused(f, { tools: [] })).toEqual(needed("tools"));
    expect(await refused(f, { tools: [{ type: "code_interpreter" }] })).toEqual(needed("tools"));
    expect(await refused(f, { response_format: { type: "json_object" } })).toEqual(needed("response_format"));
    expect(await refused(f, { response_format: format })).toEqual(needed("response_format"));
    expect(await refused(f, { tool_choice: choice })).toEqual(needed("tool_choice"));
    expect(await refused(f, { tool_choice: "none" })).toEqual(needed("tool_choice"));
    expect(await refused(f, { tool_choice: { type: "code_interpreter" } })).toEqual([
      400,
      "unsupported_value",
      "tool_choice",
    ]);
    expect(await refused(f, { tools: [{ type: "web_search" }] })).toEqual([400, "unsupported_value", "tools[0].type"]);
    expect(await refused(f, { max_completion_tokens: 255 })).toEqual([
      400,
      "integer_below_min_value",
      "max_completion_tokens",
    ]);
    expect(await refused(f, { truncation_strategy: { type: "last_messages" } })).toEqual([
      400,
      "missing_required_parameter",
      "truncation_strategy.last_messages",
    ]);
    expect(await refused(f, { thread: {} })).toEqual([400, "unknown_parameter", "thread"]);
    expect(await refused(f, { assistant_id: "asst_none" })).toEqual([404, null, null]);
    for (const more of [{ tool_choice: "required" }, { tool_choice: { type: "file_search" } }, { tools: null }])
      expect((await create(f, await newThread(f), more)).status).toBe(200);
    expect(f.db.raw.query("SELECT count(*) AS n FROM run").get()).toEqual({ n: 3 });
  });

  test("without a store, without words, or in an empty thread says that nothing fits, and searches nothing", async () => {
    await using f = await desk();
    const { json: alone } = await f.call("POST", "/v1/assistants", { model: "m", tools: [SEARCH] });
    for (const [assistant, body] of [
      [alone.id, { messages: [user()] }],
      [f.assistant, {}],
      [f.assistant, { messages: [user([{ type: "image_url", image_url: { url: "https://a/b.png" } }])] }],
    ] as const) {
      const thread = await newThread(f, body);
      const run = await ended(f, thread, { assistant_id: assistant });
      const steps = await list(f, `/v1/threads/${thread}/runs/${run.id}/steps`);
      const [message] = await list(f, `/v1/threads/${thread}/messages`);
      expect([run.status, steps.length, message.content[0].text.value]).toEqual([
        "completed",
        1,
        "Nothing in the searched documents fits this question.",
      ]);
    }
  });

  test("asks the user's last message, with the one before where it refers back, also after an assistant's", async () => {
    await using f = await desk();
    const messages = [user("When are refunds paid?"), { role: "assistant", content: "Soon." }, user("And tides?")];
    const thread = await newThread(f, { messages: [...messages, { role: "assistant", content: "Well." }] });
    await ended(f, thread);
    await ended(f, thread, { truncation_strategy: { type: "last_messages", last_messages: 2 } });
    const queries = f.db.raw
      .query<{ details: string }, []>("SELECT details FROM run_step WHERE details LIKE '%file_search%' ORDER BY seq")
      .all()
      .map(({ details }) => JSON.parse(details).tool_calls[0].queries as string[]);
    expect(queries[0]).toContain("When are refunds paid? And tides?");
    expect(queries[1]).not.toContain("When are refunds paid? And tides?");
  });

  test("that may say no more than so much is incomplete", async () => {
    await using f = await desk();
    for (let i = 0; i < 3; i++) {
      const file = await f.file(`long-${i}.md`);
      await f.call("POST", `/v1/vector_stores/${f.store}/files`, { file_id: file });
      await f.finish(f.store, file, [`Refunds of kind ${i}: ${`refunds are paid with word${i} `.repeat(24)}.`]);
    }
    const thread = await newThread(f);
    const run = await ended(f, thread, { max_completion_tokens: 256 });
    const [message] = await list(f, `/v1/threads/${thread}/messages`);
    const [step] = await list(f, `/v1/threads/${thread}/runs/${run.id}/steps`);
    expect([run.status, run.incomplete_details, run.completed_at]).toEqual([
      "incomplete",
      { reason: "max_completion_tokens" },
      null,
    ]);
    expect([message.status, message.incomplete_details, step.status]).toEqual([
      "incomplete",
      { reason: "max_tokens" },
      "completed",
    ]);
    expect(problemWith("MessageObject", message)).toBeNull();
  });

  test("is made with its thread, and with stores of its own in place of the assistant's", async () => {
    await using f = await desk();
    const { json: other } = await f.call("POST", "/v1/vector_stores", {});
    const body = {
      assistant_id: f.assistant,
      thread: { messages: [user()], metadata: { a: "b" } },
      tool_resources: { file_search: { vector_store_ids: [other.id] } },
    };
    const { json: run } = await f.call("POST", "/v1/threads/runs", body);
    expect(run.tool_resources).toEqual(body.tool_resources);
    expect((await f.call("GET", `/v1/threads/${run.thread_id}`)).json.metadata).toEqual({ a: "b" });
    await f.engine.jobs.runner.start();
    await endOf(f, run.thread_id as string, run.id as string);
    const [message] = await list(f, `/v1/threads/${run.thread_id}/messages`);
    expect(message.content[0].text.value).toContain("Nothing in the searched documents");
    const empty = await f.call("POST", "/v1/threads/runs", { assistant_id: f.assistant });
    expect(empty.status).toBe(200);
    const unknown = await f.call("POST", "/v1/threads/runs", {
      ...body,
      tool_resources: { file_search: { vector_store_ids: ["vs_none"] } },
    });
    expect([unknown.status, f.db.raw.query("SELECT count(*) AS n FROM thread").get()]).toEqual([404, { n: 2 }]);
  });

  test("puts its additional messages into the thread with itself, or not at all", async () => {
    await using f = await desk();
    const thread = await newThread(f, {});
    const bad = { additional_messages: [user("one"), user("")] };
    expect(await refused(f, bad, thread)).toEqual([400, "string_below_min_length", "additional_messages[1].content"]);
    expect(await list(f, `/v1/threads/${thread}/messages`)).toEqual([]);
    await ended(f, thread, { additional_messages: [user("one"), user()] });
    expect(await list(f, `/v1/threads/${thread}/messages?order=asc`)).toMatchObject([
      { role: "user" },
      { role: "user" },
      { role: "assistant" },
    ]);
  });

  test("of another thread, or a step of another run, is unknown", async () => {
    await using f = await desk();
    const [one, two] = [await newThread(f), await newThread(f)];
    const run = await ended(f, one);
    const [step] = await list(f, `/v1/threads/${one}/runs/${run.id}/steps`);
    const other = await ended(f, two);
    for (const [path, message] of [
      [`/v1/threads/${two}/runs/${run.id}`, `No run found with id '${run.id}'.`],
      [`/v1/threads/thread_none/runs/${run.id}`, "No thread found with id 'thread_none'."],
      [`/v1/threads/${two}/runs/${other.id}/steps/${step.id}`, `No run step found with id '${step.id}'.`],
    ] as const) {
      const { status, json } = await f.call("GET", path);
      expect([status, json.error]).toEqual([404, { message, type: "invalid_request_error", param: null, code: null }]);
    }
  });

  test("lists in pages", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    const path = `/v1/threads/${thread}/runs`;
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { json } = await create(f, thread);
      await f.call("POST", `${path}/${json.id}/cancel`);
      ids.push(json.id as string);
    }
    const first = (await f.call("GET", `${path}?limit=2`)).json;
    expect([first.data.map(({ id }: { id: string }) => id), first.has_more]).toEqual([[ids[2], ids[1]], true]);
    const second = (await f.call("GET", `${path}?limit=2&after=${first.last_id}`)).json;
    expect([second.data[0].id, second.has_more]).toEqual([ids[0], false]);
    expect((await f.call("GET", `${path}?after=run_none`)).status).toBe(400);
  });
});

describe("a thread with an active run", () => {
  test("takes no message and no other run, and everything else", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    const { json: run } = await create(f, thread);
    const message = await f.call("POST", `/v1/threads/${thread}/messages`, user());
    const second = await create(f, thread);
    for (const [answer, text] of [
      [message, `Can't add messages to ${thread} while a run ${run.id} is active.`],
      [second, `Thread ${thread} already has an active run ${run.id}.`],
    ] as const)
      expect([answer.status, answer.json.error]).toEqual([
        400,
        { message: text, type: "invalid_request_error", param: null, code: null },
      ]);
    const [posted] = await list(f, `/v1/threads/${thread}/messages`);
    expect((await f.call("POST", `/v1/threads/${thread}`, { metadata: { a: "b" } })).status).toBe(200);
    expect((await f.call("DELETE", `/v1/threads/${thread}/messages/${posted.id}`)).status).toBe(200);
  });

  test("is free once it is cancelled before it began", async () => {
    await using f = await desk();
    const thread = await newThread(f);
    const { json: run } = await create(f, thread);
    const path = `/v1/threads/${thread}/runs/${run.id}`;
    const cancelled = await f.call("POST", `${path}/cancel`);
    expect([cancelled.status, cancelled.json.status, cancelled.json.cancelled_at]).toEqual([
      200,
      "cancelled",
      f.clock.seconds,
    ]);
    expect((await f.call("POST", `${path}/cancel`)).json.error.message).toBe(
      "Cannot cancel run with status 'cancelled'.",
    );
    expect(f.db.raw.query("SELECT count(*) AS n FROM job WHERE kind = 'run'").get()).toEqual({ n: 0 });
    expect((await f.call("POST", `/v1/threads/${thread}/messages`, user())).status).toBe(200);
  });

  test("is free once it is cancelled while it is worked on, within a moment", async () => {
    await using f = await desk();
    await f.engine.jobs.runner.start();
    const thread = await newThread(f);
    const begun = holdSearches(f);
    const streaming = f.request("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant, stream: true });
    const events = eventsIn(await streaming);
    await begun;
    const [run] = await list(f, `/v1/threads/${thread}/runs`);
    const asked = await f.call("POST", `/v1/threads/${thread}/runs/${run.id}/cancel`);
    expect(["cancelling", "cancelled"]).toContain(asked.json.status);
    const names = (await events).map(({ event }) => event);
    expect(names.slice(-4)).toEqual([
      "thread.run.cancelling",
      "thread.run.step.cancelled",
      "thread.run.cancelled",
      "done",
    ]);
    expect((await f.call("POST", `/v1/threads/${thread}/messages`, user())).status).toBe(200);
  });

  test.each(["a look at the run", "a list", "a message", "another run"])(
    "is free once its time is over, at %s, though nobody works on it",
    async (how) => {
      await using f = await desk();
      const thread = await newThread(f);
      const { json: run } = await create(f, thread);
      f.clock.seconds += 600;
      const path = `/v1/threads/${thread}/runs`;
      if (how === "a look at the run") await f.call("GET", `${path}/${run.id}`);
      if (how === "a list") await f.call("GET", path);
      if (how === "a message")
        expect((await f.call("POST", `/v1/threads/${thread}/messages`, user())).status).toBe(200);
      if (how === "another run") expect((await create(f, thread)).status).toBe(200);
      expect(f.db.raw.query("SELECT status FROM run ORDER BY seq LIMIT 1").get()).toEqual({ status: "expired" });
      const { json } = await f.call("GET", `${path}/${run.id}`);
      expect([json.status, json.expires_at]).toEqual(["expired", run.expires_at]);
    },
  );

  test("goes with it", async () => {
    await using f = await desk();
    await f.engine.jobs.runner.start();
    const thread = await newThread(f);
    const begun = holdSearches(f);
    await create(f, thread);
    await begun;
    expect((await f.call("DELETE", `/v1/threads/${thread}`)).json).toMatchObject({ deleted: true });
    await waitFor("the job is gone", () =>
      Promise.resolve(f.db.raw.query("SELECT 1 FROM job WHERE kind = 'run'").get() === null || undefined),
    );
    expect(
      f.db.raw.query("SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM thread_message) AS n").get(),
    ).toEqual({ n: 0 });
  });
});

describe("outputs of calls", () => {
  async function waiting(f: Desk) {
    const thread = await newThread(f);
    const { json: run } = await create(f, thread);
    const calls = ["call_a", "call_b"].map((id) => ({
      id,
      type: "function" as const,
      name: "weather",
      arguments: "{}",
      output: null,
    }));
    await f.storage.transaction(async ({ runs, steps, jobs }) => {
      const row = await runs.get("ten_a", run.id as string);
      if (row === null) throw new Error("no run");
      await jobs.drop("ten_a", "run", row.id);
      await runs.start(row, f.clock.seconds);
      await steps.insert({
        id: "step_1",
        tenant_id: "ten_a",
        run: row.seq,
        status: "in_progress",
        created_at: f.clock.seconds,
        details: { type: "tool_calls", tool_calls: calls },
        usage: null,
      });
      await runs.requireAction(row, calls);
    });
    return { thread, path: `/v1/threads/${thread}/runs/${run.id}` };
  }

  test("are taken all at once, in any order, and the run goes on", async () => {
    await using f = await desk();
    const { path } = await waiting(f);
    const { json: before, headers } = await f.call("GET", path);
    expect([before.status, before.required_action.type, headers.get("openai-poll-after-ms")]).toEqual([
      "requires_action",
      "submit_tool_outputs",
      null,
    ]);
    expect(problemWith("RunObject", before)).toBeNull();
    const submit = (ids: string[]) =>
      f.call("POST", `${path}/submit_tool_outputs`, {
        tool_outputs: ids.map((id) => ({ tool_call_id: id, output: `of ${id}` })),
      });
    for (const ids of [["call_a"], ["call_a", "call_c"], ["call_a", "call_a"], ["call_a", "call_b", "call_c"]]) {
      const got = ids.map((id) => `'${id}'`).join(", ");
      expect((await submit(ids)).json.error).toEqual({
        message: `Expected tool outputs for call_ids ['call_a', 'call_b'], got [${got}]`,
        type: "invalid_request_error",
        param: null,
        code: null,
      });
    }
    const taken = await submit(["call_b", "call_a"]);
    expect([taken.status, taken.json.status, taken.json.required_action]).toEqual([200, "queued", null]);
    const [step] = await list(f, `${path}/steps`);
    expect([step.status, step.step_details.tool_calls[0].function.output]).toEqual(["completed", "of call_a"]);
    expect((await submit(["call_b", "call_a"])).json.error.message).toBe(
      'Runs in status "queued" do not accept tool outputs.',
    );
  });

  test("are streamed from the step that they complete", async () => {
    await using f = await desk();
    const { path } = await waiting(f);
    await f.engine.jobs.runner.start();
    const events = await eventsIn(
      await f.request("POST", `${path}/submit_tool_outputs`, {
        tool_outputs: [{ tool_call_id: "call_a", output: "x" }, { tool_call_id: "call_b" }],
        stream: true,
      }),
    );
    const names = events.map(({ event }) => event);
    expect(names.slice(0, 4)).toEqual([
      "thread.run.step.completed",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.step.created",
    ]);
    expect(names.slice(-2)).toEqual(["thread.run.completed", "done"]);
    for (const event of events.slice(0, -1)) expect(problemWith("AssistantStreamEvent", event)).toBeNull();
  });

  test("that are waited for do not block a thread for ever", async () => {
    await using f = await desk();
    const { path, thread } = await waiting(f);
    f.clock.seconds += 600;
    const late = await f.call("POST", `${path}/submit_tool_outputs`, { tool_outputs: [] });
    expect([late.status, late.json.error.message]).toEqual([
      400,
      'Runs in status "expired" do not accept tool outputs.',
    ]);
    expect((await f.call("POST", `/v1/threads/${thread}/messages`, user())).status).toBe(200);
    const [step] = await list(f, `${path}/steps`);
    expect([step.status, step.expired_at]).toEqual(["expired", f.clock.seconds]);
  });

  test("may be cancelled instead", async () => {
    await using f = await desk();
    const { path } = await waiting(f);
    expect((await f.call("POST", `${path}/cancel`)).json.status).toBe("cancelled");
  });
});
