import { describe, expect, test } from "bun:test";
import type { Answering, AnswerRequest } from "../answers/answering.ts";
import { createResponding, type Responding } from "../answers/responding.ts";
import { AppError } from "../errors.ts";
import { createChanges } from "../platform/changes.ts";
import { endRun } from "../storage/run-end.ts";
import type { JobRow } from "../storage/jobs.ts";
import type { RunRow } from "../storage/runs.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import { createRunHandler } from "./run.ts";
import { keepThreads } from "./thread-upkeep.ts";
import { EMPTY_ANSWER, passage } from "../answers/testing/passages.ts";

const TENANT = "ten_a";
const NO_EXPIRY = 1_000_000;

type Respond = Responding["respond"];
async function desk(answer: Answering["answer"], more: Partial<RunRow> = {}, respond?: Respond) {
  const db = openSqlite(":memory:");
  const storage = createStorage(db);
  const owned = { tenant_id: TENANT, key_id: "key_1", created_at: 1 };
  const thread = await storage.threads.insert({
    ...owned,
    id: "thread_1",
    used_at: 1,
    metadata: {},
    tool_resources: {},
  });
  await post(storage, "When are refunds paid?");
  await storage.runs.insert({
    ...owned,
    id: "run_1",
    thread: thread.seq,
    thread_id: thread.id,
    assistant_id: "asst_1",
    status: "queued",
    started_at: null,
    expires_at: NO_EXPIRY,
    cancelling_at: null,
    ended_at: null,
    metadata: {},
    request: {
      model: "gpt-3.5-turbo",
      instructions: null,
      tools: [{ type: "file_search", file_search: { ranking_options: { ranker: "none", score_threshold: 0.1 } } }],
      tool_resources: {},
      temperature: 1,
      top_p: 1,
      reasoning_effort: null,
      max_completion_tokens: 300,
      max_prompt_tokens: null,
      truncation_strategy: { type: "auto", last_messages: null },
      response_format: "auto",
      tool_choice: "auto",
      parallel_tool_calls: true,
      stores: ["vs_1"],
      ignored: [],
    },
    required_action: null,
    outcome: null,
    ...more,
  });
  const asked: AnswerRequest[] = [];
  const ends: string[] = [];
  const logged: string[] = [];
  const clock = { seconds: 7 };
  const time = { nowMs: () => clock.seconds * 1000, nowSeconds: () => clock.seconds };
  const noModel = () => Promise.reject(new Error("no model answers here"));
  const quoting = createResponding({
    answering: {
      answer: (request, signal) => {
        asked.push(request);
        return answer(request, signal);
      },
    },
    chatAnswering: { plan: noModel, answer: noModel },
    models: { list: () => [] },
    clock: time,
    settings: () => ({ answerFallback: "none" }),
  });
  const handler = createRunHandler({
    storage,
    clock: time,
    log: { error: (message) => logged.push(message) },
    responding:
      respond === undefined ? quoting : { prepare: (request) => Promise.resolve({ request, plan: null }), respond },
    changes: createChanges(),
    onEnd: (end) => ends.push(end),
  });
  const run = (attempt = 1, signal = new AbortController().signal) =>
    handler.run({ tenant_id: TENANT, subject: "run_1", attempt } as JobRow, signal);
  const row = async () => {
    const kept = await storage.runs.get(TENANT, "run_1");
    if (kept === null) throw new Error("no run");
    return kept;
  };
  const steps = async () => await storage.steps.ofRun(TENANT, (await row()).seq);
  const messages = async () => await storage.messages.ofRun(TENANT, "run_1");
  return { storage, clock, run, row, steps, messages, asked, ends, logged, [Symbol.asyncDispose]: () => db.close() };
}

async function post({ threads, messages }: Storage, text: string) {
  const thread = await threads.get(TENANT, "thread_1");
  if (thread === null) throw new Error("no thread");
  await messages.insert({
    id: `msg_${text.length}`,
    tenant_id: TENANT,
    thread: thread.seq,
    thread_id: thread.id,
    number: await threads.use(thread, 1, 1),
    role: "user",
    created_at: 1,
    run_id: null,
    assistant_id: null,
    status: "completed",
    completed_at: 1,
    incomplete_at: null,
    reason: null,
    content: [{ type: "text", text, marks: [] }],
    attachments: [],
    metadata: {},
  });
}

const answered: Answering["answer"] = () => Promise.resolve(EMPTY_ANSWER);

describe("a run", () => {
  test("is worked on once: a step that searched, a message, and the end at the same time", async () => {
    await using one = await desk(answered);
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.row()).toMatchObject({
      status: "completed",
      started_at: 7,
      ended_at: 7,
      outcome: { usage: { input: 1, output: 2 }, warnings: ["w"], rounds: 0 },
    });
    expect<unknown>(one.asked).toEqual([
      {
        tenantId: TENANT,
        keyId: "key_1",
        responseId: "run_1",
        source: "run",
        question: { text: "When are refunds paid?", previous: null },
        tools: [
          {
            tool: {
              type: "file_search",
              vector_store_ids: ["vs_1"],
              max_num_results: 5,
              ranking_options: { ranker: "none", score_threshold: 0.1 },
            },
            param: "tools[0].file_search",
          },
        ],
        maxOutputTokens: 300,
        chat: null,
      },
    ]);
    const [search, writing] = await one.steps();
    const [message] = await one.messages();
    expect(search).toMatchObject({ status: "completed", usage: { input: 0, output: 0 } });
    expect(writing?.usage).toEqual({ input: 1, output: 2 });
    expect(writing?.details).toEqual({ type: "message_creation", message_id: message?.id ?? "" });
    expect(message).toMatchObject({ role: "assistant", number: 1, status: "completed", assistant_id: "asst_1" });
    expect(await one.run(2)).toEqual({ type: "done" });
    expect([one.asked.length, one.ends, (await one.messages()).length]).toEqual([1, ["completed"], 1]);
  });

  test("that was cut off by a kill does anew what it had begun, three times at most", async () => {
    const stop = new AbortController();
    let cutOff = true;
    await using one = await desk(() => {
      if (!cutOff) return Promise.resolve(EMPTY_ANSWER);
      stop.abort();
      return Promise.reject(new Error("aborted"));
    });
    expect(await one.run(1, stop.signal)).toEqual({ type: "interrupted" });
    const [begun] = await one.steps();
    expect([(await one.row()).status, begun?.status]).toEqual(["in_progress", "in_progress"]);
    await one.storage.transaction(async ({ messages, threads }) => {
      const thread = await threads.get(TENANT, "thread_1");
      const [posted] = (
        await messages.list(TENANT, { thread: thread?.seq ?? 0, runId: null }, { limit: 1, order: "asc" })
      ).rows;
      if (posted === undefined) throw new Error("no message");
      const { seq: _, ...half } = posted;
      await messages.insert({ ...half, id: "msg_half", run_id: "run_1", role: "assistant", status: "in_progress" });
    });
    cutOff = false;
    one.clock.seconds = 9;
    expect(await one.run(3)).toEqual({ type: "done" });
    const steps = await one.steps();
    expect(steps.map(({ details, status }) => [details.type, status])).toEqual([
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    expect(steps.map(({ id }) => id)).not.toContain(begun?.id ?? "");
    expect((await one.messages()).map(({ status }) => status)).toEqual(["completed"]);
    expect(await one.row()).toMatchObject({ started_at: 7, ended_at: 9 });
    await using other = await desk(answered, { status: "in_progress" });
    expect(await other.run(4)).toEqual({ type: "done" });
    expect(await other.row()).toMatchObject({
      status: "failed",
      outcome: { error: { code: "server_error", message: "The server was stopped while it worked on the run." } },
    });
    expect([other.asked, other.ends]).toEqual([[], ["failed"]]);
  });

  test.each([
    [new AppError("vector_store_not_found", "gone"), "server_error"],
    [new AppError("overloaded", "busy"), "rate_limit_exceeded"],
  ])("that cannot be answered fails, and so does its step: %s", async (error, code) => {
    await using one = await desk(() => Promise.reject(error));
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.row()).toMatchObject({ status: "failed", outcome: { error: { code, message: error.message } } });
    expect(await one.steps()).toMatchObject([{ status: "failed", error: { code }, ended_at: 7 }]);
    expect(await one.storage.runs.active((await one.row()).thread)).toBeNull();
  });

  test("that was cut off after it had searched does not search again, and quotes no file that is gone", async () => {
    await using one = await desk(answered, { status: "in_progress" });
    const results = [passage("Within fourteen days.")];
    const ranking = { ranker: "none", score_threshold: 0.1 };
    const search = {
      id: "call_1",
      type: "file_search" as const,
      ranking_options: ranking,
      queries: ["refunds"],
      results,
    };
    await one.storage.steps.insert({
      id: "step_before",
      tenant_id: TENANT,
      run: (await one.row()).seq,
      status: "completed",
      created_at: 7,
      details: { type: "tool_calls", tool_calls: [search] },
      usage: { input: 0, output: 0 },
    });
    expect(await one.run(2)).toEqual({ type: "done" });
    expect(one.asked[0]?.found).toEqual({ queries: ["refunds"], results: [], warnings: [] });
    expect((await one.steps()).map(({ id, details }) => [id, details.type])).toEqual([
      ["step_before", "tool_calls"],
      [expect.any(String), "message_creation"],
    ]);
  });

  test("whose words are limited is cut: its message is incomplete, its steps tell what was used", async () => {
    await using one = await desk(() => Promise.resolve({ ...EMPTY_ANSWER, isCut: true }));
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.row()).toMatchObject({ status: "incomplete", outcome: { reason: "max_completion_tokens" } });
    expect(await one.messages()).toMatchObject([{ status: "incomplete", reason: "max_tokens" }]);
    expect((await one.steps()).map(({ status, usage }) => [status, usage])).toEqual([
      ["completed", { input: 0, output: 0 }],
      ["completed", { input: 1, output: 2 }],
    ]);
  });

  test("says what it quotes paragraph by paragraph", async () => {
    const text = "These passages fit:\n\n“One.” — a.md\n\n“Two.” — b.md";
    await using one = await desk(() => Promise.resolve({ ...EMPTY_ANSWER, text }));
    await one.run();
    expect((await one.messages())[0]?.content).toEqual([
      { type: "text", text, marks: [], cuts: [19, 34, text.length] },
    ]);
  });

  test("that was cancelled while it was worked on says nothing", async () => {
    await using one = await desk(async () => {
      await one.storage.runs.cancel(await one.row(), 8);
      return EMPTY_ANSWER;
    });
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.row()).toMatchObject({ status: "cancelled", cancelling_at: 8 });
    expect([await one.messages(), one.ends]).toEqual([[], ["cancelled"]]);
    expect(await one.steps()).toMatchObject([{ status: "cancelled" }]);
  });

  test("that ended while it was worked on stays so", async () => {
    await using one = await desk(async () => {
      const row = await one.row();
      await one.storage.transaction(async (tables) => {
        await endRun(tables, row, { status: "expired", at: 8 });
      });
      return EMPTY_ANSWER;
    });
    expect(await one.run()).toEqual({ type: "done" });
    expect([(await one.row()).status, await one.messages(), one.ends]).toEqual(["expired", [], []]);
  });

  test("whose time was over before it began, or is over while it is worked on, expires", async () => {
    await using late = await desk(answered, { expires_at: 7 });
    expect(await late.run()).toEqual({ type: "done" });
    expect([(await late.row()).status, late.asked]).toEqual(["expired", []]);
    await using slow = await desk(
      (_, signal) => {
        slow.clock.seconds = 8;
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("too long")), { once: true }),
        );
      },
      { expires_at: 8 },
    );
    expect(await slow.run()).toEqual({ type: "done" });
    expect([(await slow.row()).status, slow.ends]).toEqual(["expired", ["expired"]]);
  });

  test("that is gone, or waits for its client, is nothing to be done", async () => {
    await using one = await desk(answered, { status: "requires_action" });
    expect(await one.run()).toEqual({ type: "done" });
    await one.storage.threads.remove(TENANT, "thread_1");
    expect([await one.run(), one.asked]).toEqual([{ type: "done" }, []]);
  });
});

test("upkeep ends runs that nobody looks at, and removes threads that nobody uses", async () => {
  await using one = await desk(answered, { status: "requires_action", expires_at: 50 });
  const expired: string[] = [];
  const upkeep = { storage: one.storage, runExpired: ({ id }: RunRow) => expired.push(id) };
  const keep = (now: number, days: number | null) =>
    keepThreads({ ...upkeep, threadDays: () => days }, now, () => false);
  await keep(49, 1);
  expect(expired).toEqual([]);
  await keep(50, null);
  expect([expired, (await one.row()).status]).toEqual([["run_1"], "expired"]);
  await keep(86_400, 1);
  expect(await one.storage.threads.get(TENANT, "thread_1")).not.toBeNull();
  await keep(86_402, 1);
  expect(await one.storage.threads.get(TENANT, "thread_1")).toBeNull();
});

describe("a run of a chat model", () => {
  const request = async () => {
    await using one = await desk(answered);
    return { ...(await one.row()).request, answers: "qwen3" };
  };
  const end = { status: "completed" as const, at: 7, output: [] };
  const outcome = { usage: { input: 5, output: 6 }, error: null, reason: null, warnings: [], rounds: 1 };

  test("that was stopped in the middle goes on from its searches, and says nothing twice", async () => {
    const seen: string[][] = [];
    const respond: Respond = async ({ request: { chat } }, writer, signal) => {
      seen.push((chat?.history ?? []).map(({ type }) => type));
      if (seen.length > 1) {
        writer.text("Fourteen days.");
        writer.endMessage("completed");
        return { ...end, outcome };
      }
      writer.search();
      writer.searched(["refunds"], []);
      writer.text("Fourte");
      stop.abort();
      throw signal.reason;
    };
    const stop = new AbortController();
    await using one = await desk(answered, { request: await request() }, respond);
    expect(await one.run(1, stop.signal)).toEqual({ type: "interrupted" });
    expect((await one.messages()).map(({ status }) => status)).toEqual(["in_progress"]);
    expect(await one.run(2)).toEqual({ type: "done" });
    expect(seen).toEqual([["message"], ["message", "file_search_call"]]);
    expect((await one.steps()).map(({ details, status }) => [details.type, status])).toEqual([
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    // It stands where the one that was cut off stood, so its citations are numbered as that one's were.
    expect((await one.messages()).map(({ number, status, content }) => [number, status, content])).toEqual([
      [1, "completed", [{ type: "text", text: "Fourteen days.", marks: [], cuts: [14] }]],
    ]);
    expect(await one.row()).toMatchObject({ status: "completed", outcome: { usage: { input: 5, output: 6 } } });
    expect(one.ends).toEqual(["completed"]);
  });

  test("whose end comes after it was cancelled stays cancelled", async () => {
    const respond: Respond = async (_, writer) => {
      writer.text("Too late.");
      writer.endMessage("completed");
      await one.storage.runs.cancel(await one.row(), 7);
      return { ...end, outcome };
    };
    await using one = await desk(answered, { request: await request() }, respond);
    expect(await one.run()).toEqual({ type: "done" });
    expect((await one.row()).status).toBe("cancelled");
    expect(one.ends).toEqual(["cancelled"]);
  });

  test.each(["qwen3", undefined])(
    "that fails for a reason of ours tells no more, and is not tried again: %s",
    async (model) => {
      const { answers: _, ...quoted } = await request();
      const broken = () => Promise.reject(new TypeError("a bug"));
      const asked = model === undefined ? { request: quoted } : { request: await request() };
      await using one = await desk(broken, asked, model === undefined ? undefined : broken);
      expect(await one.run()).toEqual({ type: "done" });
      expect((await one.row()).outcome?.error).toEqual({
        code: "server_error",
        message: "The server had an error while answering.",
      });
      expect(one.logged).toEqual(["a run failed"]);
    },
  );
});
