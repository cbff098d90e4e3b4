import { describe, expect, test } from "bun:test";
import { problemWith } from "../../responses/testing/openai-schemas.ts";
import type { StepRow } from "../../../storage/run-steps.ts";
import type { RunRow } from "../../../storage/runs.ts";
import type { KeptCall, KeptStepDetails } from "../../../storage/thread-items.ts";
import type { MessageRow } from "../../../storage/thread-messages.ts";
import { eventsOf, type Progress } from "./events.ts";

const VIEW = { dialect: "openai", markers: true, content: false } as const;

function runRow(more: Partial<RunRow> = {}): RunRow {
  return {
    seq: 1,
    id: "run_1",
    tenant_id: "ten_a",
    key_id: "key_1",
    thread: 1,
    thread_id: "thread_1",
    assistant_id: "asst_1",
    status: "in_progress",
    created_at: 1,
    started_at: 2,
    expires_at: 600,
    cancelling_at: null,
    ended_at: null,
    metadata: {},
    request: {
      model: "gpt-4o",
      instructions: null,
      tools: [],
      tool_resources: {},
      temperature: 1,
      top_p: 1,
      reasoning_effort: null,
      max_completion_tokens: null,
      max_prompt_tokens: null,
      truncation_strategy: { type: "auto", last_messages: null },
      response_format: "auto",
      tool_choice: "auto",
      parallel_tool_calls: true,
      stores: [],
      ignored: [],
    },
    required_action: null,
    outcome: null,
    ...more,
  };
}

const OUTCOME = { usage: { input: 1, output: 2 }, error: null, reason: null, rounds: 0, warnings: [] };
const CALLS: KeptCall[] = ["a", "b"].map((id) => ({
  id: `call_${id}`,
  type: "function",
  name: "weather",
  arguments: `{"city":"${id}"}`,
  output: null,
}));

function stepRow(id: string, details: KeptStepDetails, more: Partial<StepRow> = {}): StepRow {
  return {
    seq: 1,
    id,
    tenant_id: "ten_a",
    run: 1,
    status: "in_progress",
    created_at: 2,
    ended_at: null,
    error: null,
    details,
    usage: null,
    ...more,
  };
}

const search = (more: Partial<StepRow> = {}) =>
  stepRow(
    "step_1",
    {
      type: "tool_calls",
      tool_calls: [
        {
          id: "call_1",
          type: "file_search",
          ranking_options: { ranker: "auto", score_threshold: 0 },
          queries: [],
          results: [],
        },
      ],
    },
    more,
  );
const writing = (more: Partial<StepRow> = {}) =>
  stepRow("step_2", { type: "message_creation", message_id: "msg_1" }, more);
const calling = (calls: KeptCall[], more: Partial<StepRow> = {}) =>
  stepRow("step_3", { type: "tool_calls", tool_calls: calls }, more);

function messageRow(more: Partial<MessageRow> = {}): MessageRow {
  return {
    seq: 1,
    id: "msg_1",
    tenant_id: "ten_a",
    thread: 1,
    thread_id: "thread_1",
    number: 1,
    role: "assistant",
    created_at: 2,
    run_id: "run_1",
    assistant_id: "asst_1",
    status: "in_progress",
    completed_at: null,
    incomplete_at: null,
    reason: null,
    content: [{ type: "text", text: "Half a", marks: [] }],
    attachments: [],
    metadata: {},
    ...more,
  };
}

/** Each fits OpenAI's schema; their names. */
function names(progress: Progress): string[] {
  const events = eventsOf(progress, VIEW);
  for (const event of events)
    expect([event.event, problemWith("AssistantStreamEvent", JSON.parse(JSON.stringify(event)))]).toEqual([
      event.event,
      null,
    ]);
  return events.map(({ event }) => event.replace(/^thread\./, ""));
}

const done = { status: "completed", ended_at: 3, usage: { input: 1, output: 0 } } as const;
const QUEUED = ["run.created", "run.queued"];
const BEGUN = [...QUEUED, "run.in_progress"];
const SEARCHING = ["run.step.created", "run.step.in_progress", "run.step.delta"];
const WRITING = ["run.step.created", "run.step.in_progress", "message.created", "message.in_progress", "message.delta"];

describe("the events of a run", () => {
  test("are at every moment the beginning of what they will have been", () => {
    const moments: Progress[] = [
      { run: runRow({ status: "queued", started_at: null }), steps: [], messages: [] },
      { run: runRow(), steps: [], messages: [] },
      { run: runRow(), steps: [search()], messages: [] },
      { run: runRow(), steps: [search(done)], messages: [] },
      { run: runRow(), steps: [search(done), writing()], messages: [messageRow()] },
      {
        run: runRow({ status: "completed", ended_at: 3, outcome: OUTCOME }),
        steps: [search(done), writing(done)],
        messages: [messageRow({ status: "completed", completed_at: 3 })],
      },
    ];
    const all = moments.map(names);
    for (const [i, some] of all.entries()) expect(all.at(-1)?.slice(0, some.length)).toEqual([...(all[i] ?? [])]);
    expect(all.at(-1)).toEqual([
      ...BEGUN,
      ...SEARCHING,
      "run.step.completed",
      ...WRITING,
      "message.completed",
      "run.step.completed",
      "run.completed",
    ]);
  });

  test("that is cancelled while it writes: cancelling first, then what was open", () => {
    const run = runRow({ status: "cancelling", cancelling_at: 3 });
    const before = names({ run, steps: [writing()], messages: [messageRow()] });
    const after = names({
      run: { ...run, status: "cancelled", ended_at: 3, outcome: OUTCOME },
      steps: [writing({ status: "cancelled", ended_at: 3 })],
      messages: [messageRow({ status: "incomplete", incomplete_at: 3, reason: "run_cancelled" })],
    });
    expect(before).toEqual([...BEGUN, ...WRITING, "run.cancelling"]);
    expect(after).toEqual([...before, "message.incomplete", "run.step.cancelled", "run.cancelled"]);
  });

  test("that is cancelled before it begins has begun nothing", () => {
    const run = runRow({ status: "cancelled", started_at: null, ended_at: 3, outcome: OUTCOME });
    expect(names({ run, steps: [], messages: [] })).toEqual([...QUEUED, "run.cancelled"]);
  });

  test.each([
    ["failed", "run_failed", "failed"],
    ["expired", "run_expired", "expired"],
    ["incomplete", "max_tokens", "completed"],
  ] as const)("that is %s: the message, the step, the run", (status, reason, step) => {
    const error = status === "failed" ? { code: "server_error" as const, message: "away" } : null;
    const cut = status === "incomplete" ? ("max_completion_tokens" as const) : null;
    const outcome = { ...OUTCOME, error, reason: cut };
    expect(
      names({
        run: runRow({ status, ended_at: 3, outcome }),
        steps: [writing({ status: step, ended_at: 3, error, usage: step === "completed" ? done.usage : null })],
        messages: [messageRow({ status: "incomplete", incomplete_at: 3, reason })],
      }),
    ).toEqual([...BEGUN, ...WRITING, "message.incomplete", `run.step.${step}`, `run.${status}`]);
  });

  test("that calls functions: it waits, and goes on from the outputs", () => {
    const waiting = { run: runRow({ status: "requires_action", required_action: CALLS }), steps: [calling(CALLS)] };
    const calls = [
      "run.step.created",
      "run.step.in_progress",
      ...CALLS.flatMap(() => ["run.step.delta", "run.step.delta"]),
    ];
    const before = names({ ...waiting, messages: [] });
    expect(before).toEqual([...BEGUN, ...calls, "run.requires_action"]);
    const outputs = CALLS.map((call) => ({ ...call, output: "sunny" }));
    const again = names({ run: runRow({ status: "queued" }), steps: [calling(outputs, done)], messages: [] });
    expect(again).toEqual([...before, "run.step.completed", "run.queued"]);
    const after = names({ run: runRow(), steps: [calling(outputs, done), search()], messages: [] });
    expect(after).toEqual([...again, "run.in_progress", ...SEARCHING]);
    const events = eventsOf({ ...waiting, messages: [] }, VIEW);
    const deltas = events.filter(({ event }) => event === "thread.run.step.delta").map(({ data }) => data);
    expect(deltas.slice(0, 2)).toMatchObject([
      {
        delta: {
          step_details: { tool_calls: [{ index: 0, id: "call_a", function: { name: "weather", arguments: "" } }] },
        },
      },
      { delta: { step_details: { tool_calls: [{ index: 0, function: { arguments: '{"city":"a"}' } }] } } },
    ]);
    expect(events.at(-1)?.data).toMatchObject({
      status: "requires_action",
      required_action: { submit_tool_outputs: { tool_calls: [{ id: "call_a" }, { id: "call_b" }] } },
    });
  });
});
