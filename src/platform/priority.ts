import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** The nice value of threads whose work yields to searches. */
export const BACKGROUND_NICE = 19;

/** Lowers the priority of the calling thread. Linux only: there a thread has a nice value of its own. */
export function lowerPriority(nice: number): void {
  if (nice === 0 || process.platform !== "linux") return;
  try {
    setPriority(Number(readlinkSync("/proc/thread-self").split("/").pop()), nice);
  } catch {
    // Without the right to, ingest competes with searches as an equal.
  }
}
