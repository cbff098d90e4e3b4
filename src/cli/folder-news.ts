/** When a folder is to be looked through: after a change, while something has to come to rest, and now and then. */
import { watchFolder } from "./folder-watch.ts";

export interface FolderNews extends Disposable {
  /** Why changes are not reported; null while they are. */
  readonly problem: string | null;
  /** Resolves when the next look is due, to false when there is to be none any more. `atOnce`: without waiting. */
  next(atOnce: boolean): Promise<boolean>;
  /** Tells how long a look took, and whether the next one is wanted soon. */
  looked(look: { ms: number; againMs: number | null }): void;
  /** Something happened that no report tells. */
  wake: () => void;
}

/** Changes that come together are one look. */
const GATHER_MS = 50;
/** Where nothing is reported. */
const LOOK_MS = 2000;
/** Against reports that were lost. */
const SAFETY_MS = 60_000;
/** While changes pour in, the pause between two looks is a multiple of what the last one took, up to a bound. */
const REST = { changes: 3, mostMs: 500, looking: 20 };

export function folderNews(
  folder: string,
  { avoid, signal, nowMs }: { avoid: string; signal: AbortSignal; nowMs: () => number },
): FolderNews {
  let hasChanged = false;
  let last: { endMs: number; ms: number; againMs: number | null } = { endMs: nowMs(), ms: 0, againMs: null };
  let notify: () => void = () => {};
  const wake = () => {
    hasChanged = true;
    notify();
  };
  const watcher = watchFolder(folder, { onChange: wake, avoid, renewMs: SAFETY_MS, nowMs });
  signal.addEventListener("abort", () => notify(), { once: true });

  /** How long until the next look, as things are. */
  const pauseMs = (): number => {
    const passedMs = nowMs() - last.endMs;
    const least = hasChanged ? Math.max(GATHER_MS, Math.min(REST.mostMs, last.ms * REST.changes)) : Infinity;
    const soon = last.againMs ?? Infinity;
    const regular =
      watcher.problem === null
        ? Math.max(SAFETY_MS, last.ms * REST.looking)
        : Math.max(LOOK_MS, last.ms * REST.looking);
    return Math.max(0, Math.min(least, soon, regular) - passedMs);
  };
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      notify = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  return {
    get problem() {
      return watcher.problem;
    },
    async next(atOnce) {
      // A wake-up may bring the look nearer, never farther away.
      if (!atOnce) for (let ms = pauseMs(); ms > 0 && !signal.aborted; ms = pauseMs()) await pause(ms);
      hasChanged = false;
      if (!signal.aborted) watcher.renew();
      return !signal.aborted;
    },
    looked({ ms, againMs }) {
      last = { endMs: nowMs(), ms, againMs };
    },
    wake,
    [Symbol.dispose]: () => watcher[Symbol.dispose](),
  };
}
