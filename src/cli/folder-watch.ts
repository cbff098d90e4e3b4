/**
 * Says that something happened below a folder, not what: whoever is told looks for himself, so that a report that was
 * lost costs time and nothing else. On Linux each folder below has a watch of its own, which Bun sets and follows.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { resolve } from "node:path";
import { messageOf } from "../errors.ts";
import { isLeftOut } from "./collect.ts";
import { isWithin } from "./names.ts";

export interface FolderWatch extends Disposable {
  /** Why changes are not, or not all, reported; null while they are. */
  readonly problem: string | null;
  /** Begins anew where the folder was replaced by another one, and some time after a problem. */
  renew(): void;
}

export interface WatchOptions {
  onChange: () => void;
  /** Never reported: the data directory, which is written to all the time. */
  avoid: string;
  /** How long after a problem it is tried again. */
  renewMs: number;
  nowMs: () => number;
}

export function watchFolder(folder: string, { onChange, avoid, renewMs, nowMs }: WatchOptions): FolderWatch {
  const avoided = resolve(avoid);
  let watcher: FSWatcher | null = null;
  let watched: string | null = null;
  let startedMs = 0;
  let problem: string | null = null;

  const fail = (error: unknown) => {
    problem = messageOf(error);
    onChange();
  };
  const stop = () => {
    watcher?.close();
    watcher = null;
  };
  const start = () => {
    stop();
    problem = null;
    watched = identityOf(folder);
    startedMs = nowMs();
    try {
      watcher = watch(folder, { recursive: true }, (_event, name) => {
        if (name === null || name === undefined) return onChange();
        if (!isLeftOut(name) && !isWithin(resolve(folder, name), avoided)) onChange();
      });
      watcher.on("error", fail);
    } catch (error) {
      fail(error);
    }
  };
  start();
  return {
    get problem() {
      return problem;
    },
    renew() {
      const now = identityOf(folder);
      const isDue = problem !== null && nowMs() - startedMs >= renewMs;
      if (now !== null && (now !== watched || isDue)) start();
    },
    [Symbol.dispose]: stop,
  };
}

/** null while the folder is not there. */
function identityOf(folder: string): string | null {
  const stat = statSync(folder, { throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev} ${stat.ino}`;
}
