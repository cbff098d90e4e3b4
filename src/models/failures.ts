/** What a client is told where a model gave nothing. */
import { AppError } from "../errors.ts";
import type { EmbedAsk } from "../embed/batcher.ts";
import type { EmbedFailure, EmbedResult } from "../embed/provider.ts";

/** Vectors of texts by the model of this id, in its own dimensions; a failure is a value. */
export type Embed = (
  model: string,
  texts: readonly string[],
  asked: Omit<EmbedAsk, "isSearch" | "isRequest">,
) => Promise<EmbedResult>;

/** What a client is told where vectors could not be had. */
export function embedError(failure: EmbedFailure): AppError {
  const retryAfterSeconds = failure.retryAfterMs === undefined ? 1 : failure.retryAfterMs / 1000;
  switch (failure.reason) {
    case "overloaded":
      return new AppError("overloaded", "Too many texts are waiting to be embedded. Try again later.", {
        retryAfterSeconds,
      });
    case "unavailable":
      return new AppError(
        "embedding_model_unavailable",
        failure.advice ?? "The embedding model is not available now.",
        {
          retryAfterSeconds,
        },
      );
    case "too_long":
      return new AppError("invalid_value", "The embedding model refuses a text of this length.", { param: "input" });
    case "rejected":
      return new AppError("embedding_provider_error", "The embedding model could not answer.", {
        cause: failure.detail,
      });
    case "aborted":
      return new AppError("shutting_down", "The request was interrupted.");
  }
}

/** What a client is told where a reranker gave no scores. */
export function rerankError(failure: EmbedFailure, model: string): AppError {
  switch (failure.reason) {
    case "overloaded":
      return new AppError("overloaded", "Too many documents are waiting to be reranked. Try again later.", {
        retryAfterSeconds: (failure.retryAfterMs ?? 1000) / 1000,
      });
    case "aborted":
      return new AppError("shutting_down", "The request was interrupted.");
    default:
      return new AppError("reranker_unavailable", `The reranker '${model}' could not answer.`, {
        cause: failure.detail,
      });
  }
}
