/** Kept runs and their steps as clients see them. */
import { EXTRACTIVE_MODEL } from "../../../answers/limits.ts";
import { answererOf } from "../../../answers/run-outcome.ts";
import { float } from "../../../http/openai.ts";
import type { KeptResult } from "../../../storage/response-items.ts";
import type { StepRow } from "../../../storage/run-steps.ts";
import { hasEnded, type RunRow } from "../../../storage/runs.ts";
import type { KeptCall, KeptSearch, KeptTokens } from "../../../storage/thread-items.ts";
import type { MessageView } from "../messages/present.ts";
import type { Run, RunUsage } from "./schema.ts";
import type { RunStep, StepDetails, StepResult } from "./steps-schema.ts";

export interface RunView extends MessageView {
  /** Whether steps have the text of what was found. */
  content: boolean;
}

export function showRun(row: RunRow, view: Pick<RunView, "dialect">): Run {
  const { status, request, outcome, ended_at: endedAt } = row;
  const at = (one: RunRow["status"]) => (status === one ? endedAt : null);
  return {
    id: row.id,
    object: "thread.run",
    created_at: row.created_at,
    assistant_id: row.assistant_id,
    thread_id: row.thread_id,
    status,
    started_at: row.started_at,
    expires_at: hasEnded(row) && status !== "expired" ? null : row.expires_at,
    cancelled_at: at("cancelled"),
    failed_at: at("failed"),
    completed_at: at("completed"),
    required_action: status === "requires_action" ? requiredOf(row.required_action ?? []) : null,
    last_error: outcome?.error ?? null,
    model: request.model,
    instructions: request.instructions,
    tools: request.tools,
    tool_resources: request.tool_resources,
    metadata: row.metadata,
    temperature: request.temperature,
    top_p: request.top_p,
    reasoning_effort: request.reasoning_effort,
    max_completion_tokens: request.max_completion_tokens,
    max_prompt_tokens: request.max_prompt_tokens,
    truncation_strategy: request.truncation_strategy,
    incomplete_details: outcome?.reason == null ? null : { reason: outcome.reason },
    usage: usageOf(outcome?.usage ?? null),
    // Both are read from a body that was valid.
    response_format: request.response_format as Run["response_format"],
    tool_choice: request.tool_choice as Run["tool_choice"],
    parallel_tool_calls: request.parallel_tool_calls,
    ...(view.dialect === "openai-strict" ? {} : { lectern: noteOf(row) }),
  };
}

function noteOf(row: RunRow): NonNullable<Run["lectern"]> {
  const { status, request, outcome } = row;
  const isAnswered = status === "completed" || status === "incomplete";
  const model = answererOf(row);
  return {
    answered_by: isAnswered ? (model === EXTRACTIVE_MODEL ? "extractive" : "model") : null,
    model: isAnswered ? model : null,
    rounds: outcome?.rounds ?? 0,
    ignored: request.ignored,
    warnings: outcome?.warnings ?? [],
  };
}

function requiredOf(calls: readonly KeptCall[]): NonNullable<Run["required_action"]> {
  const shown = calls.map(({ id, type, name, arguments: text }) => ({ id, type, function: { name, arguments: text } }));
  return { type: "submit_tool_outputs", submit_tool_outputs: { tool_calls: shown } };
}

function usageOf(tokens: KeptTokens | null): RunUsage | null {
  if (tokens === null) return null;
  return {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_token_details: { cached_tokens: tokens.cached ?? 0 },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning ?? 0 },
  };
}

export function showStep(row: StepRow, run: RunRow, view: RunView): RunStep {
  const { status, ended_at: endedAt } = row;
  const at = (one: StepRow["status"]) => (status === one ? endedAt : null);
  return {
    id: row.id,
    object: "thread.run.step",
    created_at: row.created_at,
    run_id: run.id,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    type: row.details.type,
    status,
    cancelled_at: at("cancelled"),
    completed_at: at("completed"),
    expires_at: run.expires_at,
    expired_at: at("expired"),
    failed_at: at("failed"),
    last_error: row.error,
    step_details: showDetails(row, view),
    usage: status === "in_progress" ? null : usageOf(row.usage),
    metadata: {},
  };
}

function showDetails({ details }: StepRow, view: RunView): StepDetails {
  if (details.type === "message_creation")
    return { type: details.type, message_creation: { message_id: details.message_id } };
  return {
    type: details.type,
    tool_calls: details.tool_calls.map((call) => (call.type === "function" ? showCall(call) : showSearch(call, view))),
  };
}

function showCall({ id, type, name, arguments: text, output }: KeptCall) {
  return { id, type, function: { name, arguments: text, output } };
}

function showSearch({ id, type, ranking_options, results }: KeptSearch, view: RunView) {
  return { id, type, file_search: { ranking_options, results: results.map((result) => showResult(result, view)) } };
}

function showResult({ file_id, filename, text, attributes, score, ...more }: KeptResult, view: RunView): StepResult {
  return {
    file_id,
    file_name: filename,
    score: float(score),
    attributes,
    ...(view.content ? { content: [{ type: "text" as const, text }] } : {}),
    ...(view.dialect === "openai-strict" ? {} : more),
  };
}
