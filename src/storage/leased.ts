import { AsyncLocalStorage } from "node:async_hooks";

/**
 * The lease under which work is done. Over a database that several servers share, whoever works on a job may have lost it
 * meanwhile (it was paused, or cut off, and another went on), so that every write of such work is one with a look whether
 * the lease still stands (postgres/storage.ts). Which lease that is follows the work by itself: no job has to care.
 */
export interface Lease {
  readonly jobId: number;
  readonly owner: string;
  /** Told when it is found to be another's, or nobody's; nothing was written. */
  lost(): void;
  /** The work has ended in order: what it has set going besides is no part of it. */
  readonly isOver: boolean;
}

/** The work goes on elsewhere, or is not wanted any more: stop, and touch nothing. */
export class LeaseLost extends Error {
  override name = "LeaseLost";

  constructor() {
    super("the lease of this work was lost: another server goes on with it, or nobody wants it any more");
  }
}

const current = new AsyncLocalStorage<Lease | null>();

/** Does some work under a lease; null: under none, whoever sets it going. */
export function underLease<T>(lease: Lease | null, work: () => T): T {
  return current.run(lease, work);
}

export function currentLease(): Lease | null {
  const lease = current.getStore() ?? null;
  return lease?.isOver === true ? null : lease;
}
