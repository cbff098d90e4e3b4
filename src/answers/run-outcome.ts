/** From an answer to what a run keeps of it. */
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import type { KeptRunError, RunRow } from "../storage/runs.ts";
import type { KeptMark } from "../storage/thread-items.ts";
import { EXTRACTIVE_MODEL } from "./limits.ts";
import { failureOf } from "./outcome.ts";

/** Id of what answered a run, or is to answer it. */
export function answererOf({ request, outcome }: Pick<RunRow, "request" | "outcome">): string {
  return outcome?.model ?? request.answers ?? EXTRACTIVE_MODEL;
}

/** The citation, with which of the results it is of. */
export function markOf(citation: KeptCitation, results: readonly KeptResult[]): KeptMark {
  const at = results.findIndex(
    ({ chunk_id, vector_store_id }) => chunk_id === citation.chunk_id && vector_store_id === citation.vector_store_id,
  );
  return { ...citation, passage: Math.max(0, at) };
}

/** What a client is told of a run that failed. */
export function runFailure(error: unknown): KeptRunError {
  const { code, message } = failureOf(error);
  return { code: code === "rate_limit_exceeded" ? code : "server_error", message };
}
