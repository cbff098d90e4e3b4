import { AppError, messageOf } from "../errors.ts";
import { wishOf } from "../answers/chat-wish.ts";
import type { LiveAnswers } from "../answers/live-answers.ts";
import { failedEnd, failureOf } from "../answers/outcome.ts";
import type { Responding, RespondRequest } from "../answers/responding.ts";
import type { FileSearchTool } from "../answers/search-tool.ts";
import { AnswerWriter, WrittenOff } from "../answers/steps.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { KeptOutcome, ResponseEnd, ResponseRow } from "../storage/responses.ts";
import type { Storage } from "../storage/storage.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Answers what was asked for in the background. All of an answer is kept in one transaction, that only succeeds while the
 * answer has not ended. One that was cut off is made again from its beginning, unless something of it was sent to a client:
 * then it has failed. So nothing is answered twice.
 */
export interface AnswerDeps {
  storage: Pick<Storage, "responses" | "transaction">;
  clock: Clock;
  log: Log;
  responding: Responding;
  live: LiveAnswers;
  /** Wakes those who follow the answer of this id. */
  changed: (responseId: string) => void;
  onEnd: (status: ResponseRow["status"], row: ResponseRow, outcome: KeptOutcome) => void;
}

/** A process that was killed while it answered begins anew so often. */
const MOST_ATTEMPTS = 3;
const LONGEST_MS = 600_000;
const STOPPED = "The server was stopped while it answered.";

/** Subject: an answer's id. */
export function createAnswerHandler(deps: AnswerDeps): JobHandler {
  return {
    kind: "answer",
    concurrency: 4,
    async run(job, signal): Promise<JobOutcome> {
      const row = await deps.storage.responses.get(job.tenant_id, job.subject);
      if (row === null || (row.status !== "queued" && row.status !== "in_progress")) return { type: "done" };
      if (job.attempt > MOST_ATTEMPTS || row.question?.isShown === true) {
        await end(deps, row, failedEnd(serverError(STOPPED), now(deps)));
        return { type: "done" };
      }
      await deps.storage.responses.start(row.tenant_id, row.id);
      deps.changed(row.id);
      const result = await answered(deps, row, signal);
      return { type: result === null ? "interrupted" : "done" };
    },
  };
}

/** Null when interrupted. */
async function answered(deps: AnswerDeps, row: ResponseRow, signal: AbortSignal): Promise<ResponseEnd | null> {
  const { responding, live, log } = deps;
  const timeout = AbortSignal.timeout(LONGEST_MS);
  const either = AbortSignal.any([signal, timeout]);
  const request = await requestOf(deps, row);
  // What is quoted is there all at once, and made again if need be.
  const writer = request.chat === null ? new AnswerWriter() : await live.begin(row);
  if (writer === null) {
    const result = failedEnd(serverError(STOPPED), now(deps));
    await end(deps, row, result);
    return result;
  }
  try {
    const result = await responding.respond(await responding.prepare(request, either), writer, either);
    await end(deps, row, result);
    return result;
  } catch (error) {
    // Cancelled, if it is not the stop: what there is of it is kept already.
    if (signal.aborted || error instanceof WrittenOff) return null;
    if (!timeout.aborted && !(error instanceof AppError)) {
      if (request.chat === null) throw error;
      log.error("an answer failed", { error: messageOf(error) });
    }
    const failure = timeout.aborted ? serverError("Answering took longer than 600 seconds.") : failureOf(error);
    const result = failedEnd(failure, now(deps), writer);
    await end(deps, row, result);
    return result;
  } finally {
    live.end(row.id, writer);
  }
}

async function end({ storage, changed, onEnd }: AnswerDeps, row: ResponseRow, result: ResponseEnd): Promise<void> {
  const hasEnded = await storage.transaction(async ({ responses }, tx) => {
    tx.onCommit(() => changed(row.id));
    return await responses.end(row.tenant_id, row.id, result);
  });
  if (hasEnded) onEnd(result.status, row, result.outcome);
}

async function requestOf({ storage }: AnswerDeps, row: ResponseRow): Promise<RespondRequest> {
  const { echo, model } = row.request;
  const { chat: wish, ...question } = row.question ?? { text: "", previous: null };
  const tools = (echo["tools"] as { type: string }[]).flatMap((tool, i) =>
    tool.type === "file_search" ? [{ tool: tool as FileSearchTool, param: `tools[${i}]` }] : [],
  );
  const chat =
    model === undefined || wish === undefined
      ? null
      : {
          wish: wishOf(model, echo, wish),
          history: await storage.responses.conversation(
            row.tenant_id,
            row.conversation === null ? { response: row.seq } : { conversation: row.conversation, of: row.seq },
          ),
        };
  return {
    tenantId: row.tenant_id,
    keyId: row.key_id,
    responseId: row.id,
    question,
    tools,
    maxOutputTokens: echo["max_output_tokens"] as number | null,
    chat,
  };
}

function serverError(message: string): NonNullable<KeptOutcome["error"]> {
  return { code: "server_error", message, type: "server_error", param: null };
}

function now({ clock }: AnswerDeps): number {
  return clock.nowSeconds();
}
