import { describe, expect, test } from "bun:test";
import type { Answering } from "../answers/answering.ts";
import { AppError } from "../errors.ts";
import type { JobRow } from "../storage/jobs.ts";
import type { NewResponse, ResponseStatus } from "../storage/responses.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { LiveAnswers } from "../answers/live-answers.ts";
import { createResponding } from "../answers/responding.ts";
import { silentLog } from "../platform/log.ts";
import { createAnswerHandler } from "./answer.ts";
import { EMPTY_ANSWER } from "../answers/testing/passages.ts";

const TENANT = "ten_a";
const ANSWER = { ...EMPTY_ANSWER, queries: ["q"] };

async function office(answer: Answering["answer"], status: ResponseStatus = "queued") {
  const db = openSqlite(":memory:");
  const storage = createStorage(db);
  const row: NewResponse = {
    id: "resp_1",
    tenant_id: TENANT,
    key_id: "key_1",
    parent: null,
    previous_id: null,
    status,
    background: true,
    created_at: 1,
    completed_at: null,
    request: {
      ignored: [],
      include: [],
      echo: {
        tools: [{ type: "function" }, { type: "file_search", vector_store_ids: ["vs_1"] }],
        max_output_tokens: 99,
      },
    },
    question: { text: "q", previous: "p" },
    outcome: null,
  };
  await storage.transaction(async ({ responses }) => void (await responses.insert(row, { input: [], output: [] })));
  const asked: object[] = [];
  const ends: string[] = [];
  const changed: string[] = [];
  const handler = createAnswerHandler({
    storage,
    clock: { nowMs: () => 7_000, nowSeconds: () => 7 },
    log: silentLog,
    live: new LiveAnswers({ changedHere: () => {}, shared: null }),
    responding: createResponding({
      answering: {
        answer: (request, signal) => {
          asked.push(request);
          return answer(request, signal);
        },
      },
      chatAnswering: { plan: () => Promise.reject(new Error("no model")), answer: () => Promise.reject(new Error()) },
      models: { list: () => [] },
      clock: { nowMs: () => 7_000, nowSeconds: () => 7 },
      settings: () => ({ answerFallback: "none" }),
    }),
    changed: (id) => changed.push(id),
    onEnd: (end) => ends.push(end),
  });
  const run = (attempt = 1, signal = new AbortController().signal) =>
    handler.run({ tenant_id: TENANT, subject: "resp_1", attempt } as JobRow, signal);
  const kept = async () => await storage.responses.get(TENANT, "resp_1");
  return { storage, run, kept, asked, ends, changed, [Symbol.asyncDispose]: () => db.close() };
}

const answered: Answering["answer"] = () => Promise.resolve(ANSWER);

describe("an answer in the background", () => {
  test("is given once, with everything that was asked", async () => {
    await using one = await office(answered);
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.kept()).toMatchObject({
      status: "completed",
      completed_at: 7,
      question: null,
      outcome: { warnings: ["w"] },
    });
    expect(one.asked).toEqual([
      {
        tenantId: TENANT,
        keyId: "key_1",
        responseId: "resp_1",
        question: { text: "q", previous: "p" },
        tools: [{ tool: { type: "file_search", vector_store_ids: ["vs_1"] }, param: "tools[1]" }],
        maxOutputTokens: 99,
        chat: null,
      },
    ]);
    expect(await one.run(2)).toEqual({ type: "done" });
    expect([one.asked.length, one.ends, one.changed]).toEqual([1, ["completed"], ["resp_1", "resp_1"]]);
    const output = await one.storage.responses.items(TENANT, 1, "output");
    expect(output.map(({ type }) => type)).toEqual(["file_search_call", "message"]);
  });

  test("that was cut off by a kill is made again, three times at most", async () => {
    await using one = await office(answered, "in_progress");
    expect(await one.run(3)).toEqual({ type: "done" });
    expect((await one.kept())?.status).toBe("completed");
    await using other = await office(answered, "in_progress");
    expect(await other.run(4)).toEqual({ type: "done" });
    expect(await other.kept()).toMatchObject({
      status: "failed",
      outcome: { error: { code: "server_error", message: "The server was stopped while it answered." } },
    });
    expect(other.asked).toEqual([]);
  });

  test("that the stop interrupts is left for the next start", async () => {
    const stop = new AbortController();
    await using one = await office(() => {
      stop.abort();
      return Promise.reject(new Error("aborted"));
    });
    expect(await one.run(1, stop.signal)).toEqual({ type: "interrupted" });
    expect(await one.kept()).toMatchObject({ status: "in_progress", question: { text: "q" } });
  });

  test.each([
    [new AppError("vector_store_not_found", "gone"), { code: "vector_store_not_found", type: "invalid_request_error" }],
    [new AppError("overloaded", "busy"), { code: "rate_limit_exceeded", type: "rate_limit_error" }],
    [new AppError("embedding_model_unavailable", "away"), { code: "server_error", type: "server_error" }],
  ])("that cannot be given ends as failed: %s", async (error, expected) => {
    await using one = await office(() => Promise.reject(error));
    expect(await one.run()).toEqual({ type: "done" });
    expect(await one.kept()).toMatchObject({ status: "failed", outcome: { error: expected } });
  });

  test("that fails unexpectedly is tried again by the runner", async () => {
    await using one = await office(() => Promise.reject(new TypeError("a bug")));
    await expect(one.run()).rejects.toThrow("a bug");
    expect((await one.kept())?.status).toBe("in_progress");
  });

  test("that was cancelled meanwhile is not kept, and one that is gone is nothing", async () => {
    await using one = await office(async () => {
      await one.storage.transaction(async ({ responses }) => {
        const outcome = { usage: null, error: null, reason: null, warnings: [] };
        await responses.end(TENANT, "resp_1", { status: "cancelled", at: 7, outcome, output: [] });
      });
      return ANSWER;
    });
    expect(await one.run()).toEqual({ type: "done" });
    expect([(await one.kept())?.status, one.ends]).toEqual(["cancelled", []]);
    expect(await one.storage.responses.items(TENANT, 1, "output")).toEqual([]);
    await one.storage.responses.remove(TENANT, "resp_1");
    expect(await one.run()).toEqual({ type: "done" });
  });
});
