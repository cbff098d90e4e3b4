import type { StepRow } from "./run-steps.ts";
import type { KeptRunError, KeptRunOutcome, RunEndStatus, RunRow, RunStatus } from "./runs.ts";
import type { Tables } from "./storage.ts";
import type { MessageRow } from "./thread-messages.ts";

/**
 * How runs end, for requests, jobs and the janitor alike: in one transaction the run, its open step and its open
 * message, so that whoever sees the end finds the thread free.
 */
export interface RunEnd {
  status: RunEndStatus;
  at: number;
  outcome?: Partial<KeptRunOutcome> | undefined;
}

const NOTHING: KeptRunOutcome = { usage: null, error: null, reason: null, rounds: 0, warnings: [] };
const ANY_ACTIVE: readonly RunStatus[] = ["queued", "in_progress", "requires_action", "cancelling"];

const STEPS: Record<RunEndStatus, Exclude<StepRow["status"], "in_progress">> = {
  cancelled: "cancelled",
  failed: "failed",
  expired: "expired",
  completed: "completed",
  incomplete: "completed",
};
const MESSAGES: Record<RunEndStatus, NonNullable<MessageRow["reason"]>> = {
  cancelled: "run_cancelled",
  failed: "run_failed",
  expired: "run_expired",
  completed: "max_tokens",
  incomplete: "max_tokens",
};

/** False where it has ended already, or its status is none of `from`: then nothing changed. */
export async function endRun(
  { runs, steps, messages, jobs }: Pick<Tables, "runs" | "steps" | "messages" | "jobs">,
  run: RunRow,
  { status, at, outcome }: RunEnd,
  from: readonly RunStatus[] = ANY_ACTIVE,
): Promise<boolean> {
  const ended = { status, at, outcome: { ...NOTHING, ...outcome } };
  if (!(await runs.end(run, from, ended))) return false;
  await steps.close(run.seq, { status: STEPS[status], at, error: stepError(outcome?.error ?? null) });
  await messages.close(run.id, MESSAGES[status], at);
  await jobs.drop(run.tenant_id, "run", run.id);
  return true;
}

/** Of a step only two codes are known. */
function stepError(error: KeptRunError | null): KeptRunError | null {
  return error?.code === "invalid_prompt" ? { ...error, code: "server_error" } : error;
}

/** Ends an active run whose time is over; false where it is not, or the run has ended. */
export async function expireRun(
  tables: Pick<Tables, "runs" | "steps" | "messages" | "jobs">,
  run: RunRow,
  now: number,
): Promise<boolean> {
  return run.expires_at <= now && (await endRun(tables, run, { status: "expired", at: now }));
}
