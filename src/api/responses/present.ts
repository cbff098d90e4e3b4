/** A stored answer as clients see it. */
import { EXTRACTIVE_MODEL } from "../../answers/limits.ts";
import type { Dialect } from "../../http/dialect.ts";
import { float } from "../../http/openai.ts";
import type { KeptCitation, KeptItem, KeptResult } from "../../storage/response-items.ts";
import type { ResponseRow } from "../../storage/responses.ts";
import type { FileCitation, FoundPassage, Item, OutputItem } from "./items.ts";
import type { Echo, Include, Response } from "./schema.ts";

/** An answer, stored or not. */
export interface Answered {
  row: Omit<ResponseRow, "seq" | "question">;
  output: readonly KeptItem[];
}

export interface StoredAnswer extends Answered {
  row: ResponseRow;
}

export interface View {
  dialect: Dialect;
  include: readonly Include[];
}

/** What OpenAI's schemas have, and nothing else. */
const isStrict = ({ dialect }: View) => dialect === "openai-strict";

export function hasEnded({ row }: Answered): boolean {
  return row.status !== "queued" && row.status !== "in_progress";
}

export function showResponse({ row, output }: Answered, view: View): Response {
  const { outcome, status } = row;
  // Stored as it was made, with every default filled in.
  const echo = row.request.echo as unknown as Echo;
  const usage = outcome?.usage ?? null;
  const isOver = status === "completed" || status === "incomplete";
  return {
    id: row.id,
    object: "response",
    created_at: row.created_at,
    status,
    background: row.background,
    completed_at: status === "completed" ? row.completed_at : null,
    ...(row.request.conversation === undefined ? {} : { conversation: { id: row.request.conversation } }),
    error: errorOf(row, view),
    incomplete_details:
      status === "incomplete"
        ? { reason: outcome?.reason === "content_filter" ? outcome.reason : "max_output_tokens" }
        : null,
    instructions: echo.instructions,
    max_output_tokens: echo.max_output_tokens,
    max_tool_calls: echo.max_tool_calls,
    model: modelOf(row),
    output: output.flatMap((item) => outputItem(item, view)),
    parallel_tool_calls: echo.parallel_tool_calls,
    previous_response_id: row.previous_id,
    prompt_cache_key: echo.prompt_cache_key,
    prompt_cache_retention: echo.prompt_cache_retention,
    reasoning: echo.reasoning,
    safety_identifier: echo.safety_identifier,
    service_tier: isOver ? "default" : "auto",
    store: echo.store,
    temperature: echo.temperature,
    text: echo.text,
    tool_choice: echo.tool_choice,
    tools: echo.tools,
    top_logprobs: echo.top_logprobs,
    top_p: echo.top_p,
    truncation: echo.truncation,
    usage:
      usage === null
        ? null
        : {
            input_tokens: usage.input,
            input_tokens_details: { cached_tokens: usage.cached ?? 0, cache_write_tokens: 0 },
            output_tokens: usage.output,
            output_tokens_details: { reasoning_tokens: usage.reasoning ?? 0 },
            total_tokens: usage.input + usage.output,
          },
    user: echo.user,
    metadata: echo.metadata,
    ...(isStrict(view) ? {} : { lectern: noteOf(row) }),
  };
}

/** What answers, or answered. */
export function modelOf({ request, outcome }: Answered["row"]): string {
  return outcome?.model ?? request.model ?? EXTRACTIVE_MODEL;
}

function noteOf(row: Answered["row"]): NonNullable<Response["lectern"]> {
  const model = modelOf(row);
  return {
    answered_by: model === EXTRACTIVE_MODEL ? "extractive" : "model",
    model,
    rounds: row.outcome?.rounds ?? 0,
    ignored: row.request.ignored,
    warnings: row.outcome?.warnings ?? [],
  };
}

function errorOf({ outcome }: Answered["row"], view: View): Response["error"] {
  const error = outcome?.error ?? null;
  if (error === null || !isStrict(view)) return error;
  const { code, message } = error;
  return { code, message };
}

export function showItem(item: KeptItem, view: View): Item | null {
  switch (item.type) {
    case "message":
    case "file_search_call":
      if (item.type === "message" && item.role !== "assistant") return item;
      return outputItem(item, view)[0] ?? null;
    case "function_call":
    case "function_call_output":
      return item;
    case "item_reference":
      return null;
  }
}

/** Empty for what is no output. */
export function outputItem(item: KeptItem, view: View): OutputItem[] {
  if (item.type === "function_call") return [item];
  if (item.type === "file_search_call") {
    const isShown = view.include.includes("file_search_call.results");
    const results = isShown ? (item.results?.map((result) => passageOf(result, view)) ?? null) : null;
    return [{ id: item.id, type: item.type, status: item.status, queries: item.queries, results }];
  }
  if (item.type !== "message" || item.role !== "assistant") return [];
  const content = item.content.map((part) =>
    part.type === "refusal" ? part : { ...part, annotations: part.annotations.map((one) => citationOf(one, view)) },
  );
  return [{ id: item.id, type: item.type, status: item.status, role: item.role, content }];
}

function passageOf(result: KeptResult, view: View): FoundPassage {
  const { file_id, filename, text, attributes } = result;
  const score = float(result.score);
  return isStrict(view) ? { file_id, filename, score, text, attributes } : { ...result, score };
}

export function citationOf(citation: KeptCitation, view: View): FileCitation {
  const { type, index, file_id, filename } = citation;
  return isStrict(view) ? { type, index, file_id, filename } : citation;
}
