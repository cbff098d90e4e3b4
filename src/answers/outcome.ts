/** How an answer ends, as it is kept: the same for one that is given at once and for one in the background. */
import { AppError } from "../errors.ts";
import type { KeptItem, KeptMessage, KeptSearchCall } from "../storage/response-items.ts";
import type { KeptOutcome, ResponseEnd } from "../storage/responses.ts";
import type { Answer } from "./answering.ts";

/** Made before the answer, so that events can name them. */
export interface ItemIds {
  search: string;
  message: string;
}

export function answeredEnd(answer: Answer, ids: ItemIds, at: number): ResponseEnd {
  const { queries, results, text, citations: annotations, isCut, tokens: usage, warnings } = answer;
  const call: KeptSearchCall = { id: ids.search, type: "file_search_call", status: "completed", queries, results };
  const message: KeptMessage = {
    id: ids.message,
    type: "message",
    status: isCut ? "incomplete" : "completed",
    role: "assistant",
    content: [{ type: "output_text", text, annotations, logprobs: [] }],
  };
  return {
    status: isCut ? "incomplete" : "completed",
    at,
    outcome: { usage, error: null, reason: isCut ? "max_output_tokens" : null, warnings },
    // A message without words is not searched for.
    output: queries.length === 0 ? [message] : [call, message],
  };
}

/** `search`: the search that was under way. */
export function failedEnd(error: KeptOutcome["error"], at: number, search: string | null = null): ResponseEnd {
  const open: KeptItem[] =
    search === null ? [] : [{ id: search, type: "file_search_call", status: "incomplete", queries: [], results: null }];
  return { status: "failed", at, outcome: { usage: null, error, reason: null, warnings: [] }, output: open };
}

export function cancelledEnd(at: number): ResponseEnd {
  return { status: "cancelled", at, outcome: { usage: null, error: null, reason: null, warnings: [] }, output: [] };
}

const BUSY: readonly string[] = ["overloaded", "rate_limit_exceeded"];
const OURS: readonly string[] = [
  "embedding_model_unavailable",
  "embedding_provider_error",
  "reranker_unavailable",
  "shutting_down",
  "insufficient_storage",
  "internal_error",
];

/** What a client is told of a failure after its request was accepted. */
export function failureOf(error: unknown): NonNullable<KeptOutcome["error"]> {
  if (!(error instanceof AppError) || OURS.includes(error.code)) {
    const message = error instanceof AppError ? error.message : "The server had an error while answering.";
    return { code: "server_error", message, type: "server_error", param: null };
  }
  const { message, param } = error;
  if (BUSY.includes(error.code)) return { code: "rate_limit_exceeded", message, type: "rate_limit_error", param };
  return { code: error.code, message, type: "invalid_request_error", param };
}
