import { AppError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { tracedAlone } from "../platform/tracing.ts";
import { JOB_SECONDS, JOBS } from "./metrics.ts";
import type { JobKind, JobRow, JobsTable } from "../storage/jobs.ts";
import { type Retry, retry } from "./retry.ts";

/**
 * Everything that happens without a request. A service inserts a job row in the transaction that makes the work
 * necessary and wakes the runner; they meet only in that table, so a crash between them loses nothing.
 *
 * Invariants: a job runs under a lease of this process run; a lease of an earlier run is void at once (the data
 * directory's lock proves that run dead); handlers are idempotent, because a job may run again from any instant.
 * Fairness: whoever has the fewest jobs running is served next, so one tenant's long batch does not hold up another's
 * single file; within a tenant single files come before batches. What a job would have to wait for is taken before its
 * row is, so that no tenant's waiting jobs fill the places of others.
 */
export interface JobHandler {
  kind: JobKind;
  /** How many may run at once. */
  concurrency: number;
  /**
   * One job more may run, of a tenant that has none, while another tenant's take all places: what has begun is not
   * interrupted, and may be slow.
   */
  hasSparePlace?: boolean;
  /** What a job begins with and there are few of. A tenant's jobs wait while there is none for it; whoever frees one wakes the runner. */
  lease?(tenantId: string): Disposable | null;
  /** `lease` is the handler's to dispose of once it is not needed; what is not is, when the job ends. */
  run(job: JobRow, signal: AbortSignal, lease?: Disposable | null): Promise<JobOutcome>;
}

export type JobOutcome =
  | { type: "done" }
  | Retry
  /** Interrupted by the stop; not counted as a try. */
  | { type: "interrupted" };

export interface RunnerOptions {
  jobs: JobsTable;
  handlers: readonly JobHandler[];
  clock: Clock;
  log: Log;
  metrics: Metrics;
  /** Names this run of the process in leases. */
  owner: string;
  /** Jobs of a kind that a tenant may have running at once; null: any number. */
  tenantLimit?: (kind: JobKind, tenantId: string) => Promise<number | null>;
  /** Stores whose jobs of a kind wait now; whoever lets them go wakes the runner. */
  heldStores?: (kind: JobKind) => readonly string[];
}

const LEASE_MS = 60_000;
const RENEW_EVERY_MS = 15_000;
/** Due jobs that are held are not looked at more often than this. */
const HELD_POLL_MS = 500;
/** Looked at this often even when nobody wakes the runner: due times and moved clocks. */
const POLL_MS = 5_000;
const UNWRITTEN_RETRY_MS = 1_000;
/** Tenants whose last turn is remembered; then all begin anew. */
const MOST_SERVED = 10_000;

interface Running {
  job: JobRow;
  abort: AbortController;
  done: Promise<void>;
}

export class JobRunner implements AsyncDisposable {
  readonly #options: RunnerOptions;
  readonly #running = new Map<number, Running>();
  readonly #lastServed = new Map<string, number>();
  #served = 0;
  #timer: Timer | null = null;
  #renewal: Timer | null = null;
  #started = false;
  #pumpScheduled = false;
  /** One after the other: two at once would each count what runs before the other's claims. */
  #pumping: Promise<void> = Promise.resolve();

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { jobs, owner, clock } = this.#options;
    await jobs.releaseLost(owner, clock.nowMs());
    this.#started = true;
    this.#renewal = setInterval(() => {
      if (this.#running.size > 0) void this.#written(() => jobs.renew(owner, clock.nowMs() + LEASE_MS));
    }, RENEW_EVERY_MS);
    this.wake();
  }

  /** Work may be due. Cheap; many calls in one turn of the event loop are one. */
  wake(): void {
    if (!this.#started || this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    // Not in the turn of the commit that brought the work: whoever wakes has held the thread for that.
    this.#pumping = this.#pumping.then(nextTurn).then(() => {
      this.#pumpScheduled = false;
      return this.#pump();
    });
  }

  /** Aborts the running job on this subject, if there is one; what it had begun is redone or dropped by its handler. */
  cancel(kind: JobKind, subject: string): void {
    for (const { job, abort } of this.#running.values())
      if (job.kind === kind && job.subject === subject) abort.abort();
  }

  /** Aborts every running job of this store. */
  cancelStore(storeId: string): void {
    for (const { job, abort } of this.#running.values()) if (job.store_id === storeId) abort.abort();
  }

  async stats(): Promise<{ kind: JobKind; waiting: number; running: number }[]> {
    return await this.#options.jobs.depth();
  }

  /** Stops claiming, interrupts what runs and waits for it; the rows stay and are due at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#started = false;
    await this.#pumping;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#renewal !== null) clearInterval(this.#renewal);
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  async #pump(): Promise<void> {
    if (!this.#started) return;
    const claimed = await this.#written(async () => {
      for (const handler of this.#options.handlers) {
        while (this.#started && this.#runningOf(handler.kind) < placesOf(handler)) {
          if (!(await this.#claimNext(handler))) break;
        }
      }
    });
    const isHeld = this.#options.handlers.some(({ kind }) => this.#heldStores(kind).length > 0);
    await this.#schedule(claimed ? (isHeld ? HELD_POLL_MS : 50) : UNWRITTEN_RETRY_MS);
  }

  /** A full disk must end neither the process nor the work for good: false when the rows could not be changed now. */
  async #written(change: () => Promise<void>): Promise<boolean> {
    try {
      await change();
      return true;
    } catch (error) {
      // Said once, by whoever found it.
      if (error instanceof AppError && error.code === "storage_unavailable") return false;
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.#options.log.error("the job rows cannot be changed now", { error: detail });
      return false;
    }
  }

  /** Runs the next job of the handler's kind, if one is due. */
  async #claimNext(handler: JobHandler): Promise<boolean> {
    const { kind } = handler;
    const { jobs, clock, owner } = this.#options;
    const nowMs = clock.nowMs();
    const due = await jobs.dueTenants(kind, nowMs);
    const may = await Promise.all(due.map(({ tenant_id }) => this.#mayRunMore(handler, tenant_id)));
    const tenants = due
      .filter((_, i) => may[i])
      .map(({ tenant_id, priority }) => ({
        tenantId: tenant_id,
        order: [this.#runningOf(kind, tenant_id), priority, this.#lastServed.get(tenant_id) ?? 0] as const,
      }))
      .sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1] || a.order[2] - b.order[2]);
    const held = this.#heldStores(kind);
    for (const { tenantId } of tenants) {
      const lease = handler.lease?.(tenantId) ?? null;
      if (handler.lease !== undefined && lease === null) continue;
      let launched = false;
      // Launched in the turn of the commit: a cancel that comes after the claim finds the job running.
      const launch = (job: JobRow) => {
        launched = true;
        this.#launch(handler, job, lease);
      };
      try {
        await jobs.claim(kind, tenantId, nowMs, owner, nowMs + LEASE_MS, held, launch);
      } finally {
        if (!launched) lease?.[Symbol.dispose]();
      }
      if (!launched) continue;
      if (this.#lastServed.size >= MOST_SERVED) this.#lastServed.clear();
      this.#lastServed.set(tenantId, ++this.#served);
      return true;
    }
    return false;
  }

  #heldStores(kind: JobKind): readonly string[] {
    return this.#options.heldStores?.(kind) ?? [];
  }

  async #mayRunMore(handler: JobHandler, tenantId: string): Promise<boolean> {
    const { kind, concurrency } = handler;
    if (this.#runningOf(kind) >= concurrency && !this.#mayHaveSpare(kind, tenantId)) return false;
    const limit = (await this.#options.tenantLimit?.(kind, tenantId)) ?? null;
    return limit === null || this.#runningOf(kind, tenantId) < limit;
  }

  /** Whether one other tenant has every place. */
  #mayHaveSpare(kind: JobKind, tenantId: string): boolean {
    const tenants = new Set<string>();
    for (const { job } of this.#running.values()) if (job.kind === kind) tenants.add(job.tenant_id);
    return tenants.size === 1 && !tenants.has(tenantId);
  }

  #launch(handler: JobHandler, job: JobRow, lease: Disposable | null): void {
    const abort = new AbortController();
    const done = this.#run(handler, job, { signal: abort.signal, lease }).finally(async () => {
      // Thousands of jobs that wait for nothing but the database would otherwise be one piece of work.
      await nextTurn();
      this.#running.delete(job.id);
      this.wake();
    });
    this.#running.set(job.id, { job, abort, done });
  }

  async #run(
    handler: JobHandler,
    job: JobRow,
    { signal, lease }: { signal: AbortSignal; lease: Disposable | null },
  ): Promise<void> {
    const { jobs, owner, clock, log, metrics } = this.#options;
    const startedMs = performance.now();
    let outcome: JobOutcome;
    try {
      outcome = await tracedAlone(`job ${job.kind}`, { "lectern.attempt": job.attempt }, async (span) => {
        const ended = await handler.run(job, signal, lease);
        span.set({ "lectern.outcome": ended.type });
        return ended;
      });
    } catch (error) {
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      log.error("job failed unexpectedly", { kind: job.kind, job: job.id, attempt: job.attempt, error: detail });
      outcome = retry("unexpected", job.attempt);
    } finally {
      lease?.[Symbol.dispose]();
    }
    const end = async () => {
      switch (outcome.type) {
        case "done":
          await jobs.finish(job.id, owner);
          break;
        case "retry":
          await jobs.retry(job.id, owner, clock.nowMs() + outcome.inMs);
          break;
        case "interrupted":
          await jobs.giveBack(job.id, owner);
      }
    };
    // A row that cannot be written before the stop is released by the next start.
    while (!(await this.#written(end)) && this.#started) await Bun.sleep(UNWRITTEN_RETRY_MS);
    metrics.count(JOBS, { kind: job.kind, outcome: outcome.type });
    metrics.observe(JOB_SECONDS, (performance.now() - startedMs) / 1000, { kind: job.kind });
  }

  #runningOf(kind: JobKind, tenantId?: string): number {
    let count = 0;
    for (const { job } of this.#running.values())
      if (job.kind === kind && (tenantId === undefined || job.tenant_id === tenantId)) count += 1;
    return count;
  }

  async #schedule(leastMs: number): Promise<void> {
    const { jobs, clock } = this.#options;
    // Rows that cannot be read now are looked at again with the next poll.
    const due = await jobs.nextDueMs().catch(() => null);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#started) return;
    const wait = due === null ? POLL_MS : Math.min(POLL_MS, Math.max(leastMs, due - clock.nowMs()));
    this.#timer = setTimeout(() => this.wake(), wait);
  }
}

function placesOf({ concurrency, hasSparePlace }: JobHandler): number {
  return hasSparePlace === true ? concurrency + 1 : concurrency;
}
