/**
 * When work that did not come to its end is tried again: milliseconds by attempt, the last for every further one. All of
 * the jobs' waits are in this table, so that what a server does while something is away can be read at one place.
 */
const RETRIES = {
  /** There is more to do, or what was done was outdated meanwhile. */
  more: [0],
  /** A bug, or a database that cannot be written. */
  unexpected: [4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000],
  parse_worker_died: [500],
  /** The place that keeps the bytes of uploads does not answer. */
  blobs_away: [2_000, 5_000, 15_000, 60_000],
  /** A file waits for its embedding model. */
  ingest_model: [500, 2_000, 10_000, 60_000, 300_000],
  /** A rollback tells when files are missing; until then there is time. */
  catch_up: [30_000],
  migration_model: [2_000, 5_000, 15_000],
  migration_report: [5_000],
  evaluation_model: [1_000, 2_000, 5_000, 15_000, 60_000],
  /** Another generation went live on the way. */
  evaluation_moved: [1_000],
  graph_disk: [60_000],
  /** Whoever still writes to a store that is removed ends first. */
  store_writers: [50],
  /** While other jobs still remove parts of what was deleted. */
  deletion_pending: [100],
  /** Something is left though every job has ended. */
  deletion_remains: Array.from({ length: 30 }, (_, i) => 2_000 * (i + 1)),
} satisfies Record<string, readonly number[]>;

export type RetryReason = keyof typeof RETRIES;

/** Tried and to be tried again after this time. */
export interface Retry {
  type: "retry";
  inMs: number;
}

/** `attempt`: 1 for the first. */
export function retryMs(reason: RetryReason, attempt = 1): number {
  const waits: readonly number[] = RETRIES[reason];
  return waits[Math.min(Math.max(attempt, 1), waits.length) - 1] ?? 0;
}

export function retry(reason: RetryReason, attempt = 1): Retry {
  return { type: "retry", inMs: retryMs(reason, attempt) };
}

/** Whoever is away may say for how long. */
export function retryAfter(retryAfterMs: number | undefined, reason: RetryReason, attempt: number): Retry {
  return { type: "retry", inMs: retryAfterMs ?? retryMs(reason, attempt) };
}
