import { AppError } from "../errors.ts";
import type { EmbedFailure } from "../embed/provider.ts";
import type { RerankResult } from "../embed/reranker.ts";

/** What the api room knows of rerankers. */
export interface RankerCatalog {
  /** Names that may be asked for: rerankers, other names of them, and the bundled ranking. */
  names(): string[];
  /** What a name stands for. */
  choose(name: string): RankerChoice;
  /** The same, and names of hosted rerankers, which the default one answers for so that unmodified clients work. */
  chooseHosted(name: string): RankerChoice;
  /** The reranker that the operator chose for searches and requests that name none, or null. */
  readonly preferred: string | null;
  /** Rerankers that are there, without other names and without the bundled ranking. */
  installed(): string[];
  /** Candidates of a search that are reranked. */
  readonly candidates: number;
  rerank(model: string, query: string, documents: readonly string[], signal: AbortSignal): Promise<RerankResult>;
}

/** `model` null: the ranking that searches have without a reranker. */
export type RankerChoice =
  | { ok: true; model: string | null }
  | { ok: false; reason: "unknown" | "unavailable"; message: string };

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
