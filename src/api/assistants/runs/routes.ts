import { EXTRACTIVE_MODEL } from "../../../answers/limits.ts";
import { answererOf } from "../../../answers/run-outcome.ts";
import { NO_BODY, SMALL_BODY } from "../../../http/body-limit.ts";
import type { ErrorCode } from "../../../errors.ts";
import { frameStream } from "../../../http/frames.ts";
import { listPage, readCursor } from "../../../http/openai.ts";
import { type Call, type Operation, operation } from "../../../http/operation.ts";
import type { Changes } from "../../../platform/changes.ts";
import type { RunRow } from "../../../storage/runs.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { readBody, TEXT_BODY } from "../body.ts";
import { showThread } from "../threads/service.ts";
import { eventsOf, type RunEvent } from "./events.ts";
import { follow } from "./follow.ts";
import { type RunView, showRun } from "./present.ts";
import { refuseToolChoice } from "./request.ts";
import {
  CreateRunBody,
  CreateRunQuery,
  CreateThreadAndRunBody,
  ListRunsQuery,
  ModifyRunBody,
  Run,
  RunList,
  SubmitToolOutputsBody,
} from "./schema.ts";
import type { RunPlace, RunsService } from "./service.ts";

export interface RunRoutesDeps {
  runs: RunsService;
  changes: Changes;
  settings: () => { citationMarkers: "on" | "off" };
}

const PATH = "/v1/threads/{thread_id}/runs";
/** Programs keep the first value that they see: it is a constant. */
const POLL_AFTER_MS = 150;
/** Characters of a header at most that names what was ignored; the body has all of it. */
const MOST_IGNORED = 1_000;

const CREATING: readonly ErrorCode[] = [
  "assistant_not_found",
  "vector_store_not_found",
  "vector_store_suspended",
  "vector_store_limit_reached",
  "file_not_found",
  "file_limit_reached",
  "unsupported_file",
  "missing_required_parameter",
  "invalid_value",
  "unsupported_value",
  "language_model_required",
  "model_not_found",
  "reranker_unavailable",
  "overloaded",
];
const EXAMPLE = { assistant_id: "asst_abc123" };

/** `/v1/threads/runs` and `/v1/threads/{thread_id}/runs` */
export function runOperations(deps: RunRoutesDeps): Operation[] {
  return [...creating(deps), ...reading(deps), ...changing(deps)];
}

function creating(deps: RunRoutesDeps): Operation[] {
  const { runs } = deps;
  return [
    operation(
      {
        method: "POST",
        path: "/v1/threads/runs",
        operationId: "createThreadAndRun",
        summary: "Create a thread and run it",
        description: "With `stream` the run comes as OpenAI's server-sent events.",
        tag: "Assistants",
        role: "read",
        query: CreateRunQuery,
        body: CreateThreadAndRunBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Run,
        returns: "The run",
        errors: CREATING,
        examples: {
          body: { ...EXAMPLE, thread: { messages: [{ role: "user", content: "How long do refunds take?" }] } },
        },
      },
      async (call) => {
        refuseToolChoice(call.body);
        const body = readBody(CreateThreadAndRunBody, call.body);
        const { thread, run } = await runs.createWithThread(call, body);
        return answered(deps, call, { run, thread, isStreamed: body.stream === true });
      },
    ),
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createRun",
        summary: "Run a thread: answer its last message from documents",
        description:
          "Quotes the best passages word for word and cites them. One run of a thread is active at a time. With `stream` the run comes as OpenAI's server-sent events; leaving the stream does not stop it.",
        tag: "Assistants",
        role: "read",
        query: CreateRunQuery,
        body: CreateRunBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Run,
        returns: "The run",
        errors: ["thread_not_found", "thread_locked", ...CREATING],
        examples: { body: EXAMPLE },
      },
      async (call) => {
        refuseToolChoice(call.body);
        const body = readBody(CreateRunBody, call.body);
        const run = await runs.create(call, call.params.thread_id, body);
        return answered(deps, call, { run, thread: null, isStreamed: body.stream === true });
      },
    ),
  ];
}

function reading({ runs }: RunRoutesDeps): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listRuns",
        summary: "List the runs of a thread",
        tag: "Assistants",
        role: "read",
        query: ListRunsQuery,
        bodyLimit: NO_BODY,
        response: RunList,
        returns: "A page of runs",
        errors: ["thread_not_found", "invalid_value"],
      },
      async (call) => {
        const { rows, hasMore } = await runs.list(call, call.params.thread_id, readCursor(call.query));
        return listPage(
          rows.map((row) => showRun(row, call)),
          hasMore,
          call.dialect,
        );
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{run_id}`,
        operationId: "getRun",
        summary: "Retrieve a run",
        description: "While it is worked on the header `openai-poll-after-ms` says when to ask again.",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: Run,
        returns: "The run",
        errors: ["thread_not_found", "run_not_found"],
      },
      async (call) => shown(call, await runs.get(call.caller, placeOf(call))),
    ),
  ];
}

function changing(deps: RunRoutesDeps): Operation[] {
  const { runs } = deps;
  return [
    operation(
      {
        method: "POST",
        path: `${PATH}/{run_id}`,
        operationId: "modifyRun",
        summary: "Change the metadata of a run",
        tag: "Assistants",
        role: "read",
        alsoPatch: true,
        body: ModifyRunBody,
        readsBody: true,
        bodyLimit: SMALL_BODY,
        response: Run,
        returns: "The run",
        errors: ["thread_not_found", "run_not_found"],
        examples: { body: { metadata: { topic: "refunds" } } },
      },
      async (call) => {
        const { metadata } = readBody(ModifyRunBody, call.body);
        return shown(call, await runs.modify(call, placeOf(call), metadata));
      },
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{run_id}/cancel`,
        operationId: "cancelRun",
        summary: "Cancel a run",
        description: "One that is worked on is `cancelling` first, and `cancelled` within a second.",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: Run,
        returns: "The run",
        errors: ["thread_not_found", "run_not_found", "run_not_cancellable"],
      },
      async (call) => shown(call, await runs.cancel(call, placeOf(call))),
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{run_id}/submit_tool_outputs`,
        operationId: "submitToolOutputsToRun",
        summary: "Give a run what came of its calls",
        description: "Of all of them in one request. A run asks for it only where a language model answers.",
        tag: "Assistants",
        role: "read",
        body: SubmitToolOutputsBody,
        bodyLimit: TEXT_BODY,
        response: Run,
        returns: "The run",
        errors: ["thread_not_found", "run_not_found", "tool_outputs_refused"],
        examples: { body: { tool_outputs: [{ tool_call_id: "call_abc123", output: "17 degrees" }] } },
      },
      async (call) => {
        const { body } = call;
        const place = placeOf(call);
        const view = viewOf(deps, call, []);
        const next = body.stream === true ? eventsOf(await runs.progress(call.caller, place), view).length : 0;
        const run = await runs.submit(call, place, body.tool_outputs);
        if (body.stream !== true) return shown(call, run);
        return streamed(deps, call, { place, view, next, first: [] });
      },
    ),
  ];
}

type Asking = Pick<Call, "caller" | "callerNow" | "dialect" | "headers" | "keepOpen" | "signal" | "stopping">;

function answered(
  deps: RunRoutesDeps,
  call: Asking & { query: { include?: readonly string[] } },
  { run, thread, isStreamed }: { run: RunRow; thread: ThreadRow | null; isStreamed: boolean },
): Run | Response {
  if (!isStreamed) return shown(call, run);
  markMode(call, run);
  const first = thread === null ? [] : [{ event: "thread.created", data: showThread(thread) }];
  const place = { threadId: run.thread_id, runId: run.id };
  return streamed(deps, call, { place, view: viewOf(deps, call, call.query.include), next: 0, first });
}

function streamed(
  { runs, changes }: RunRoutesDeps,
  call: Asking,
  { place, view, next, first }: { place: RunPlace; view: RunView; next: number; first: RunEvent[] },
): Response {
  call.keepOpen();
  const over = AbortSignal.any([call.signal, call.stopping]);
  return frameStream((gone) => {
    const following = { runs, changes, callerNow: call.callerNow };
    const events = follow(following, place, { next, view, signal: AbortSignal.any([gone, over]) });
    return after(first, events);
  });
}

async function* after(first: readonly RunEvent[], events: AsyncGenerator<RunEvent>): AsyncGenerator<RunEvent> {
  yield* first;
  yield* events;
}

function viewOf(
  { settings }: RunRoutesDeps,
  { dialect }: Pick<Call, "dialect">,
  include: readonly string[] = [],
): RunView {
  return { dialect, markers: settings().citationMarkers === "on", content: include.length > 0 };
}

function placeOf({ params }: { params: { thread_id: string; run_id: string } }): RunPlace {
  return { threadId: params.thread_id, runId: params.run_id };
}

const POLLED: readonly RunRow["status"][] = ["queued", "in_progress", "cancelling"];

function shown(call: Pick<Call, "headers" | "dialect">, run: RunRow): Run {
  if (POLLED.includes(run.status)) call.headers.set("openai-poll-after-ms", String(POLL_AFTER_MS));
  markMode(call, run);
  return showRun(run, call);
}

/** For clients that cannot see the object. */
function markMode({ headers }: Pick<Call, "headers">, run: RunRow): void {
  const model = answererOf(run);
  headers.set("x-lectern-answer-mode", model === EXTRACTIVE_MODEL ? "extractive" : "model");
  headers.set("x-lectern-answer-model", model);
  const named = run.request.ignored.join(",");
  if (named !== "")
    headers.set("x-lectern-ignored", named.length > MOST_IGNORED ? `${named.slice(0, MOST_IGNORED)}...` : named);
}
