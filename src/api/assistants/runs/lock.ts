/** A thread with an active run takes no messages and no other run. A run whose time is over holds it no longer. */
import { AppError } from "../../../errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { expireRun } from "../../../storage/run-end.ts";
import type { RunRow } from "../../../storage/runs.ts";
import type { Storage, Tables } from "../../../storage/storage.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import type { Within } from "../../attaching/attach.ts";

export interface ExpiryDeps {
  storage: Pick<Storage, "transaction">;
  clock: Clock;
  /** Stops the job that works on the run. */
  interrupt: (runId: string) => void;
  notify: (key: string) => void;
  onEnd: (status: RunRow["status"], run: RunRow) => void;
}

/** Throws a 400 where another run is active. Part of the caller's transaction. */
export async function assertFree(
  deps: ExpiryDeps,
  at: Within,
  { thread, refusal }: { thread: ThreadRow; refusal: (run: RunRow) => string },
): Promise<void> {
  await at.tables.threads.lock(thread);
  const active = await at.tables.runs.active(thread.seq);
  if (active === null || (await expiredWithin(deps, at, active))) return;
  throw new AppError("thread_locked", refusal(active));
}

/** The run as it is now: one whose time is over has expired. */
export async function settled(deps: ExpiryDeps, tables: Pick<Tables, "runs">, run: RunRow): Promise<RunRow> {
  const isOver = run.ended_at === null && run.expires_at <= deps.clock.nowSeconds();
  if (!isOver) return run;
  await deps.storage.transaction((within, tx) => expiredWithin(deps, { tables: within, tx }, run));
  return (await tables.runs.get(run.tenant_id, run.id)) ?? run;
}

async function expiredWithin(
  { clock, interrupt, notify, onEnd }: ExpiryDeps,
  { tables, tx }: Within,
  run: RunRow,
): Promise<boolean> {
  const isExpired = await expireRun(tables, run, clock.nowSeconds());
  if (isExpired)
    tx.onCommit(() => {
      interrupt(run.id);
      notify(run.id);
      onEnd("expired", run);
    });
  return isExpired;
}
