import type { Changes } from "../platform/changes.ts";
import type { JobKind, JobRow } from "../storage/jobs.ts";
import type { JobHandler, JobRunner } from "./runner.ts";

/** Notified by whoever ends what has this id while a job may be working on it. */
export function endKey(id: string): string {
  return `end ${id}`;
}

/** Notified when there is work that any server may take. */
export const WORK = "jobs";

/** Stops the job that works on what has this id, at whichever server. */
export function interrupter(
  runner: Pick<JobRunner, "cancel">,
  changes: Pick<Changes, "notify">,
  kind: JobKind,
): (id: string) => void {
  return (id) => {
    runner.cancel(kind, id);
    changes.notify(endKey(id));
  };
}

/** Has work looked for that is due, at every server. */
export function waker(runner: Pick<JobRunner, "wake">, changes: Pick<Changes, "notify">): () => void {
  return () => {
    runner.wake();
    changes.notify(WORK);
  };
}

const LOOK_EVERY_MS = 1000;

/**
 * The handler where several servers share a database: what a job works on may be ended by a request to another server,
 * which cannot reach the job. So while one runs `isOver` is asked every second, and when told of the end; where it says so
 * the job is interrupted as a request to this server would interrupt it.
 */
export function endedElsewhere(
  handler: JobHandler,
  changes: Pick<Changes, "wait">,
  isOver: (job: JobRow) => Promise<boolean>,
): JobHandler {
  return {
    ...handler,
    async run(job, signal, lease) {
      const over = new AbortController();
      const done = new AbortController();
      void untilOver(changes, { key: endKey(job.subject), isOver: () => isOver(job), signal: done.signal }, over);
      try {
        return await handler.run(job, AbortSignal.any([signal, over.signal]), lease);
      } finally {
        done.abort();
      }
    },
  };
}

async function untilOver(
  changes: Pick<Changes, "wait">,
  { key, isOver, signal }: { key: string; isOver: () => Promise<boolean>; signal: AbortSignal },
  over: AbortController,
): Promise<void> {
  while (!signal.aborted) {
    await changes.wait(key, signal, LOOK_EVERY_MS);
    if (signal.aborted) return;
    // A database that is away says nothing of an end.
    if (await isOver().catch(() => false)) return over.abort();
  }
}
