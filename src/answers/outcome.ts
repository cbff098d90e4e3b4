/** How an answer ends, as it is kept: the same for one that is given at once and for one in the background. */
import { AppError } from "../errors.ts";
import type { KeptOutcome, ResponseEnd } from "../storage/responses.ts";
import type { AnswerWriter } from "./steps.ts";

/** `writer`: what there is of the answer. */
export function failedEnd(error: KeptOutcome["error"], at: number, writer?: AnswerWriter): ResponseEnd {
  return ended("failed", at, { error, writer });
}

export function cancelledEnd(at: number, writer: AnswerWriter | null): ResponseEnd {
  return ended("cancelled", at, { error: null, writer: writer ?? undefined });
}

function ended(
  status: "failed" | "cancelled",
  at: number,
  { error, writer }: { error: KeptOutcome["error"]; writer: AnswerWriter | undefined },
): ResponseEnd {
  writer?.breakOff();
  const cuts = writer === undefined ? {} : { cuts: writer.cuts };
  return {
    status,
    at,
    outcome: { usage: null, error, reason: null, warnings: [], ...cuts },
    output: writer?.items ?? [],
  };
}

const BUSY: readonly string[] = ["overloaded", "rate_limit_exceeded"];
const OURS: readonly string[] = [
  "embedding_model_unavailable",
  "embedding_provider_error",
  "reranker_unavailable",
  "shutting_down",
  "insufficient_storage",
  "internal_error",
  "chat_model_unavailable",
  "chat_model_timeout",
  "chat_model_rejected_key",
  "chat_model_not_found",
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
