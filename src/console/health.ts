import type { ServerStatus } from "../api/admin/schema.ts";

/** What deserves a look, and the command or setting that helps; the word for it is the page's. */
export type Concern = "disk" | "queue" | "restarts";

/** A share of the disk that is too little. */
const LITTLE_DISK = 0.1;
/** Waiting files that are many. */
const MANY_WAITING = 1000;

export function concernsOf({ disk, queues, lanes }: Pick<ServerStatus, "disk" | "queues" | "lanes">): Concern[] {
  const concerns: Concern[] = [];
  if (disk.total_bytes > 0 && disk.free_bytes / disk.total_bytes < LITTLE_DISK) concerns.push("disk");
  if (queues.some(({ waiting }) => waiting > MANY_WAITING)) concerns.push("queue");
  if (lanes.some(({ restarts }) => restarts > 0)) concerns.push("restarts");
  return concerns;
}
