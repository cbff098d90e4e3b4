/** Follows a run, event by event, until it ends, waits for its client, or whoever follows may not see it any more. */
import type { Caller } from "../../../http/caller.ts";
import type { Changes } from "../../../platform/changes.ts";
import { hasEnded } from "../../../storage/runs.ts";
import { DONE, eventsOf, type RunEvent } from "./events.ts";
import type { RunView } from "./present.ts";
import type { RunPlace, RunsService } from "./service.ts";

/** Looked at this often even where nobody tells of a change. */
const LOOK_EVERY_MS = 5_000;

export interface Following {
  runs: Pick<RunsService, "progress">;
  changes: Changes;
  callerNow: () => Promise<Caller>;
}

export async function* follow(
  { runs, changes, callerNow }: Following,
  place: RunPlace,
  { next: first, view, signal }: { next: number; view: RunView; signal: AbortSignal },
): AsyncGenerator<RunEvent> {
  let next = first;
  while (!signal.aborted) {
    // Waited for from before the look: a change in between is not slept through.
    const looking = new AbortController();
    const changed = changes.wait(place.runId, AbortSignal.any([signal, looking.signal]), LOOK_EVERY_MS);
    try {
      const progress = await callerNow()
        .then((caller) => runs.progress(caller, place))
        .catch(() => null);
      // Deleted meanwhile, or the key lost the right to it.
      if (progress === null) return;
      for (const event of eventsOf(progress, view).slice(next)) {
        next += 1;
        yield event;
      }
      if (hasEnded(progress.run) || progress.run.status === "requires_action") {
        yield DONE;
        return;
      }
      await changed;
    } finally {
      looking.abort();
    }
  }
}
