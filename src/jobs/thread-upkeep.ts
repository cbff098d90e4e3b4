import type { Storage } from "../storage/storage.ts";
import { DAY_SECONDS } from "../platform/clock.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { expireRun } from "../storage/run-end.ts";
import type { RunRow } from "../storage/runs.ts";

export interface ThreadUpkeepDeps {
  storage: Pick<Storage, "runs" | "threads" | "transaction">;
  /** Days without use after which a thread goes; null: none does. */
  threadDays: () => number | null;
  /** A run's time was over: who works on it stops, who follows it is told. */
  runExpired: (run: RunRow) => void;
}

/** Runs, and threads, in one transaction. */
const RUNS_STEP = 100;
const THREADS_STEP = 20;

/** Runs whose time is over expire, though nobody looks at them; threads that nobody used for long go. */
export async function keepThreads(
  { storage, threadDays, runExpired }: ThreadUpkeepDeps,
  now: number,
  isStopped: () => boolean,
): Promise<void> {
  for (;;) {
    const overdue = await storage.runs.overdue(now, RUNS_STEP);
    for (const run of overdue)
      await storage.transaction(async (tables, tx) => {
        if (await expireRun(tables, run, now)) tx.onCommit(() => runExpired(run));
      });
    if (overdue.length < RUNS_STEP || isStopped()) break;
  }
  const days = threadDays();
  if (days === null) return;
  const step = () => storage.transaction(({ threads }) => threads.trim(now - days * DAY_SECONDS, THREADS_STEP), "work");
  while ((await step()) > 0 && !isStopped()) await nextTurn();
}
