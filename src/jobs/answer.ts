import { AppError } from "../errors.ts";
import type { Answering, AnswerRequest } from "../answers/answering.ts";
import { answeredEnd, failedEnd, failureOf } from "../answers/outcome.ts";
import type { FileSearchTool } from "../answers/search-tool.ts";
import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { KeptOutcome, ResponseEnd, ResponseRow } from "../storage/responses.ts";
import type { Storage } from "../storage/storage.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Answers what was asked for in the background. Nothing of an answer is seen before all of it is kept, in one
 * transaction that only succeeds while the answer has not ended: so one that was cut off is made again from its
 * beginning, and nothing is answered twice.
 */
export interface AnswerDeps {
  storage: Pick<Storage, "responses" | "transaction">;
  clock: Clock;
  answering: Answering;
  /** Wakes those who follow the answer of this id. */
  changed: (responseId: string) => void;
  onEnd: (status: ResponseRow["status"]) => void;
}

/** A process that was killed while it answered begins anew so often. */
const MOST_ATTEMPTS = 3;
const LONGEST_MS = 600_000;

/** Subject: an answer's id. */
export function createAnswerHandler(deps: AnswerDeps): JobHandler {
  return {
    kind: "answer",
    concurrency: 4,
    async run(job, signal): Promise<JobOutcome> {
      const row = await deps.storage.responses.get(job.tenant_id, job.subject);
      if (row === null || (row.status !== "queued" && row.status !== "in_progress")) return { type: "done" };
      if (job.attempt > MOST_ATTEMPTS) {
        await end(deps, row, failedEnd(serverError("The server was stopped while it answered."), now(deps)));
        return { type: "done" };
      }
      await deps.storage.responses.start(row.tenant_id, row.id);
      deps.changed(row.id);
      const result = await answered(deps, row, signal);
      if (result === null) return { type: "interrupted" };
      await end(deps, row, result);
      return { type: "done" };
    },
  };
}

/** Null when interrupted. */
async function answered(deps: AnswerDeps, row: ResponseRow, signal: AbortSignal): Promise<ResponseEnd | null> {
  const timeout = AbortSignal.timeout(LONGEST_MS);
  try {
    const answer = await deps.answering.answer(requestOf(row), AbortSignal.any([signal, timeout]));
    return answeredEnd(answer, { search: newId("fs_"), message: newId("msg_") }, now(deps));
  } catch (error) {
    if (signal.aborted) return null;
    if (timeout.aborted) return failedEnd(serverError("Answering took longer than 600 seconds."), now(deps));
    if (error instanceof AppError) return failedEnd(failureOf(error), now(deps));
    throw error;
  }
}

async function end({ storage, changed, onEnd }: AnswerDeps, row: ResponseRow, result: ResponseEnd): Promise<void> {
  const hasEnded = await storage.transaction(async ({ responses }, tx) => {
    tx.onCommit(() => changed(row.id));
    return await responses.end(row.tenant_id, row.id, result);
  });
  if (hasEnded) onEnd(result.status);
}

function requestOf(row: ResponseRow): AnswerRequest {
  const { echo } = row.request;
  const tools = (echo["tools"] as { type: string }[]).flatMap((tool, i) =>
    tool.type === "file_search" ? [{ tool: tool as FileSearchTool, param: `tools[${i}]` }] : [],
  );
  return {
    tenantId: row.tenant_id,
    keyId: row.key_id,
    responseId: row.id,
    question: row.question ?? { text: "", previous: null },
    tools,
    maxOutputTokens: echo["max_output_tokens"] as number | null,
  };
}

function serverError(message: string): NonNullable<KeptOutcome["error"]> {
  return { code: "server_error", message, type: "server_error", param: null };
}

function now({ clock }: AnswerDeps): number {
  return clock.nowSeconds();
}
