/**
 * The events of a run, made from the run itself: what has been sent of one that goes on is the beginning of what it will
 * have been when it has ended. So a run can be followed from any event on, and what is not kept cannot be said.
 */
import type { StepRow } from "../../../storage/run-steps.ts";
import { hasEnded, type RunRow, type RunStatus } from "../../../storage/runs.ts";
import type { KeptCall, KeptSearch } from "../../../storage/thread-items.ts";
import type { MessageRow } from "../../../storage/thread-messages.ts";
import { piecesOf, showMessage } from "../messages/present.ts";
import { type RunView, showRun, showStep } from "./present.ts";

export interface RunEvent {
  event: string;
  data: object | string;
}

/** A run with everything that it has done. */
export interface Progress {
  run: RunRow;
  /** In order. */
  steps: readonly StepRow[];
  messages: readonly MessageRow[];
}

export const DONE: RunEvent = { event: "done", data: "[DONE]" };

/** Every event so far, without the last, which says that no more come. */
export function eventsOf(progress: Progress, view: RunView): RunEvent[] {
  return [...new Events(progress, view).all()];
}

class Events {
  readonly #progress: Progress;
  readonly #view: RunView;

  constructor(progress: Progress, view: RunView) {
    this.#progress = progress;
    this.#view = view;
  }

  *all(): Generator<RunEvent> {
    const { run, steps } = this.#progress;
    yield this.#stage("created", "queued");
    yield this.#stage("queued", "queued");
    if (run.started_at !== null) yield this.#stage("in_progress", "in_progress");
    let isCancelling = run.cancelling_at !== null;
    for (const [i, step] of steps.entries()) {
      yield* this.#opening(step);
      // What was open when it was cancelled ends after that.
      if (isCancelling && i === steps.length - 1 && step.status === "cancelled") {
        yield this.#stage("cancelling", "cancelling");
        isCancelling = false;
      }
      yield* this.#ending(step, i === steps.length - 1);
    }
    if (isCancelling) yield this.#stage("cancelling", "cancelling");
    if (hasEnded(run)) yield { event: `thread.run.${run.status}`, data: showRun(run, this.#view) };
  }

  /** The run as it was in an earlier status. */
  #stage(event: string, status: RunStatus, hasStarted = status !== "queued"): RunEvent {
    const { run } = this.#progress;
    const started = hasStarted ? run.started_at : null;
    const row: RunRow = { ...run, status, started_at: started, ended_at: null, outcome: null };
    return { event: `thread.run.${event}`, data: showRun(row, this.#view) };
  }

  *#opening(step: StepRow): Generator<RunEvent> {
    const { details } = step;
    const empty = details.type === "tool_calls" ? { ...details, tool_calls: [] } : details;
    const open: StepRow = { ...step, status: "in_progress", ended_at: null, error: null, usage: null, details: empty };
    yield this.#ofStep("created", open);
    yield this.#ofStep("in_progress", open);
    if (details.type === "message_creation") {
      const message = this.#progress.messages.find(({ id }) => id === details.message_id);
      if (message !== undefined) yield* this.#words(message);
      return;
    }
    for (const [index, call] of details.tool_calls.entries())
      yield* call.type === "file_search" ? searchDelta(step, call, index) : callDeltas(step, call, index);
  }

  *#ending(step: StepRow, isLast: boolean): Generator<RunEvent> {
    const { details, status } = step;
    const { run } = this.#progress;
    if (details.type === "message_creation") {
      const message = this.#progress.messages.find(({ id }) => id === details.message_id);
      if (message !== undefined && message.status !== "in_progress")
        yield { event: `thread.message.${message.status}`, data: showMessage(message, this.#view) };
    }
    const calls = details.type === "tool_calls" ? details.tool_calls.filter((call) => call.type === "function") : [];
    const waits = calls.length > 0 && (status === "completed" || run.status === "requires_action");
    if (waits) {
      const asked = calls.map((call) => ({ ...call, output: null }));
      const row: RunRow = { ...run, status: "requires_action", required_action: asked, ended_at: null, outcome: null };
      yield { event: "thread.run.requires_action", data: showRun(row, this.#view) };
    }
    if (status !== "in_progress") yield this.#ofStep(status, step);
    if (calls.length === 0 || status !== "completed") return;
    // The outputs came: it was queued once more.
    yield this.#stage("queued", "queued", true);
    if (!isLast || run.status !== "queued") yield this.#stage("in_progress", "in_progress");
  }

  *#words(message: MessageRow): Generator<RunEvent> {
    const begun: MessageRow = {
      ...message,
      status: "in_progress",
      completed_at: null,
      incomplete_at: null,
      reason: null,
      content: [],
    };
    const shown = showMessage(begun, this.#view);
    yield { event: "thread.message.created", data: shown };
    yield { event: "thread.message.in_progress", data: shown };
    for (const [index, part] of message.content.entries()) {
      if (part.type !== "text") continue;
      let cited = 0;
      let isFirst = true;
      for (const { text: value, citation } of piecesOf(part, message.number, this.#view)) {
        const annotations = citation === null ? (isFirst ? [] : undefined) : [{ index: cited++, ...citation }];
        isFirst = false;
        const text = annotations === undefined ? { value } : { value, annotations };
        yield {
          event: "thread.message.delta",
          data: {
            id: message.id,
            object: "thread.message.delta",
            delta: { content: [{ index, type: "text", text }] },
          },
        };
      }
    }
  }

  #ofStep(event: string, step: StepRow): RunEvent {
    return { event: `thread.run.step.${event}`, data: showStep(step, this.#progress.run, this.#view) };
  }
}

function* searchDelta(step: StepRow, { id, type, ranking_options }: KeptSearch, index: number): Generator<RunEvent> {
  yield stepDelta(step, { index, id, type, file_search: { ranking_options, results: [] } });
}

function* callDeltas(step: StepRow, call: KeptCall, index: number): Generator<RunEvent> {
  const { id, type, name, arguments: text } = call;
  yield stepDelta(step, { index, id, type, function: { name, arguments: "", output: null } });
  yield stepDelta(step, { index, type, function: { arguments: text } });
}

function stepDelta({ id }: StepRow, call: object): RunEvent {
  const delta = { step_details: { type: "tool_calls", tool_calls: [call] } };
  return { event: "thread.run.step.delta", data: { id, object: "thread.run.step.delta", delta } };
}
