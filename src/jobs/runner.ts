import { AppError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { tracedAlone } from "../platform/tracing.ts";
import { JOB_SECONDS, JOBS } from "./metrics.ts";
import type { JobId } from "../storage/ids.ts";
import type { JobKind, JobRow, JobsTable } from "../storage/jobs.ts";
import { type Lease, LeaseLost, underLease } from "../storage/leased.ts";
import { type Retry, retry } from "./retry.ts";

/**
 * Everything that happens without a request. A service inserts a job row in the transaction that makes the work
 * necessary and wakes the runner; they meet only in that table, so a crash between them loses nothing.
 *
 * Invariants: a job runs under a lease of this process run; a lease of an earlier run is void at once (the data
 * directory's lock proves that run dead); handlers are idempotent, because a job may run again from any instant.
 * Where several servers work on the same jobs, one of them has the lease, and whoever has lost it writes nothing more
 * (storage/leased.ts): that job is let go of here, whatever became of it.
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
  /** Of the server among those that work on the same jobs; without, this one does alone. */
  shared?: SharedWork | null;
}

export interface SharedWork {
  /** ms after which others' work is looked at again: what they asked for, and what they left. */
  readonly everyMs: number;
  /** Models that others have and this server has not. */
  lacking(): readonly string[];
}

const LEASE_MS = 60_000;
const RENEW_EVERY_MS = 15_000;
const UNWRITTEN_RETRY_MS = 1_000;
/** Tenants whose last turn is remembered; then all begin anew. */
const MOST_SERVED = 10_000;

/** Looked at this often even when nobody wakes the runner: due times and moved clocks, and what other servers asked for. */
const POLL_MS = 5_000;
const SHARED_POLL_MS = 1_000;
/**
 * Due jobs that were not taken are not looked at more often than this: they wait for their tenant's limit, or for another
 * server; for their store to be let go of.
 */
const LEAST_MS = 50;
const SHARED_LEAST_MS = 250;
const HELD_LEAST_MS = 500;

interface Running {
  job: JobRow;
  abort: AbortController;
  done: Promise<void>;
}

export class JobRunner implements AsyncDisposable {
  readonly #options: RunnerOptions;
  readonly #running = new Map<JobId, Running>();
  readonly #lastServed = new Map<string, number>();
  #served = 0;
  #timer: Timer | null = null;
  #renewal: Timer | null = null;
  #look: Timer | null = null;
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
      const ids = [...this.#running.keys()];
      if (ids.length > 0) void this.#written(() => jobs.renew(owner, ids, clock.nowMs(), clock.nowMs() + LEASE_MS));
    }, RENEW_EVERY_MS);
    const { shared } = this.#options;
    if (shared) this.#look = setInterval(() => void this.#takeOver(), shared.everyMs);
    this.wake();
  }

  /** Work may be due. Cheap; many calls in one turn of the event loop are one. */
  wake(): void {
    if (!this.#started || this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    // Not in the turn of the commit that brought the work: whoever wakes has held the thread for that.
    // Nor under the lease of the job in which somebody woke it.
    underLease(null, () => {
      this.#pumping = this.#pumping.then(nextTurn).then(() => {
        this.#pumpScheduled = false;
        return this.#pump();
      });
    });
  }

  /**
   * Aborts the running job on this subject, if there is one, wherever it runs; what it had begun is redone or dropped by its
   * handler.
   */
  cancel(kind: JobKind, subject: string): void {
    for (const { job, abort } of this.#running.values())
      if (job.kind === kind && job.subject === subject) abort.abort();
    // Of a file that goes the row goes too, and one that is taken up anew is of another revision: who works on it notices.
    if (kind !== "ingest") this.#revoke((jobs, owner) => jobs.revoke(kind, subject, owner));
  }

  /** Aborts every running job of this store. */
  cancelStore(storeId: string): void {
    for (const { job, abort } of this.#running.values()) if (job.store_id === storeId) abort.abort();
    this.#revoke((jobs, owner) => jobs.revokeStore(storeId, owner));
  }

  /** Another server learns it with its next write. */
  #revoke(revoke: (jobs: JobsTable, owner: string) => Promise<void>): void {
    const { jobs, owner, shared } = this.#options;
    if (!shared) return;
    void underLease(null, () => this.#written(() => revoke(jobs, owner))).then(() => this.wake());
  }

  /** What others left, or lost. */
  async #takeOver(): Promise<void> {
    const { jobs, owner, clock, log } = this.#options;
    await this.#written(async () => {
      const released = await jobs.releaseLost(owner, clock.nowMs());
      if (released === 0) return;
      log.warn("jobs of a server that is gone are due again", { jobs: released });
      this.wake();
    });
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
    if (this.#look !== null) clearInterval(this.#look);
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  async #pump(): Promise<void> {
    if (!this.#started) return;
    const claimed = await this.#written(async () => {
      // Most kinds have nothing to do most of the time: one look tells which, for all of them.
      const waiting = new Set(await this.#options.jobs.waitingKinds(this.#kindsWithPlaces()));
      for (const handler of this.#options.handlers) {
        if (!waiting.has(handler.kind)) continue;
        while (this.#started && this.#runningOf(handler.kind) < placesOf(handler)) {
          if (!(await this.#claimNext(handler))) break;
        }
      }
    });
    await this.#schedule(claimed ? this.#leastMs() : UNWRITTEN_RETRY_MS);
  }

  #leastMs(): number {
    const { handlers, shared } = this.#options;
    if (handlers.some(({ kind }) => this.#heldStores(kind).length > 0)) return HELD_LEAST_MS;
    return shared ? SHARED_LEAST_MS : LEAST_MS;
  }

  /** A full disk must end neither the process nor the work for good: false when the rows could not be changed now. */
  async #written(change: () => Promise<void>): Promise<boolean> {
    try {
      await change();
      return true;
    } catch (error) {
      // Said once, by whoever found it.
      if (error instanceof AppError && error.code === "storage_unavailable") return false;
      this.#options.log.error("the job rows cannot be changed now", { error: nameAndMessageOf(error) });
      return false;
    }
  }

  /** Runs the next job of the handler's kind, if one is due. */
  async #claimNext(handler: JobHandler): Promise<boolean> {
    const { kind } = handler;
    const { jobs, clock, owner } = this.#options;
    const nowMs = clock.nowMs();
    const due = await jobs.dueTenants(kind, nowMs);
    const limits = await Promise.all(due.map(({ tenant_id }) => this.#limitOf(kind, tenant_id)));
    const tenants = due
      .map(({ tenant_id, priority, running }, i) => ({
        tenantId: tenant_id,
        limit: limits[i] ?? null,
        // Of other servers too.
        order: [
          Math.max(running, this.#runningOf(kind, tenant_id)),
          priority,
          this.#lastServed.get(tenant_id) ?? 0,
        ] as const,
      }))
      .filter(({ tenantId, limit }) => this.#mayRunMore(handler, tenantId, limit))
      .sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1] || a.order[2] - b.order[2]);
    const held = this.#heldStores(kind);
    const shared = this.#options.shared ?? null;
    for (const { tenantId, limit } of tenants) {
      const lease = handler.lease?.(tenantId) ?? null;
      if (handler.lease !== undefined && lease === null) continue;
      let launched = false;
      // Launched in the turn of the commit: a cancel that comes after the claim finds the job running.
      const launch = (job: JobRow) => {
        launched = true;
        this.#launch(handler, job, lease);
      };
      try {
        const claim = { exceptStores: held, onClaimed: launch, limit, lacking: shared?.lacking() };
        // Of one that was lost, and still runs here, the lease would be taken for its own.
        const exceptJobs = shared === null ? undefined : [...this.#running.keys()];
        await jobs.claim(kind, tenantId, nowMs, owner, nowMs + LEASE_MS, { ...claim, exceptJobs });
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

  async #limitOf(kind: JobKind, tenantId: string): Promise<number | null> {
    return (await this.#options.tenantLimit?.(kind, tenantId)) ?? null;
  }

  #mayRunMore({ kind, concurrency }: JobHandler, tenantId: string, limit: number | null): boolean {
    if (this.#runningOf(kind) >= concurrency && !this.#mayHaveSpare(kind, tenantId)) return false;
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
    const done = this.#run(handler, job, { abort, lease }).finally(async () => {
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
    { abort, lease }: { abort: AbortController; lease: Disposable | null },
  ): Promise<void> {
    const { owner, log, metrics } = this.#options;
    const startedMs = performance.now();
    const held = new JobLease(job.id, owner, () => abort.abort());
    let outcome: JobOutcome;
    try {
      outcome = await tracedAlone(`job ${job.kind}`, { "lectern.attempt": job.attempt }, async (span) => {
        const work = () => handler.run(job, abort.signal, lease);
        const ended = await (this.#options.shared ? underLease(held, work) : work());
        span.set({ "lectern.outcome": ended.type });
        return ended;
      });
    } catch (error) {
      outcome = retry("unexpected", job.attempt);
      if (!(error instanceof LeaseLost)) {
        const told = { kind: job.kind, job: job.id, attempt: job.attempt, error: nameAndMessageOf(error) };
        log.error("job failed unexpectedly", told);
      }
    } finally {
      held.end();
      lease?.[Symbol.dispose]();
    }
    if (held.isLost) {
      log.info("a job is let go of: its lease is lost", { kind: job.kind, job: job.id });
      // Of another's nothing is changed: each of these names its owner. Its own, of before a crash of the database, is due.
      outcome = { type: "interrupted" };
    }
    // A row that cannot be written before the stop is released by the next start.
    while (!(await this.#written(() => this.#end(job, outcome))) && this.#started) await Bun.sleep(UNWRITTEN_RETRY_MS);
    metrics.count(JOBS, { kind: job.kind, outcome: held.isLost ? "lost" : outcome.type });
    metrics.observe(JOB_SECONDS, (performance.now() - startedMs) / 1000, { kind: job.kind });
  }

  async #end({ id }: JobRow, outcome: JobOutcome): Promise<void> {
    const { jobs, owner, clock } = this.#options;
    switch (outcome.type) {
      case "done":
        return await jobs.finish(id, owner);
      case "retry":
        return await jobs.retry(id, owner, clock.nowMs() + outcome.inMs);
      case "interrupted":
        return await jobs.giveBack(id, owner);
    }
  }

  #kindsWithPlaces(): JobKind[] {
    const free = this.#options.handlers.filter((handler) => this.#runningOf(handler.kind) < placesOf(handler));
    return free.map(({ kind }) => kind);
  }

  #runningOf(kind: JobKind, tenantId?: string): number {
    let count = 0;
    for (const { job } of this.#running.values())
      if (job.kind === kind && (tenantId === undefined || job.tenant_id === tenantId)) count += 1;
    return count;
  }

  async #schedule(leastMs: number): Promise<void> {
    const { jobs, clock } = this.#options;
    // Others are not this release's to do: a newer one left them, before it was taken back. Kinds that have every place
    // taken are looked at when a job ends.
    const kinds = this.#kindsWithPlaces();
    // Rows that cannot be read now are looked at again with the next poll.
    const due = await jobs.nextDueMs(kinds).catch(() => null);
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#started) return;
    const pollMs = this.#options.shared ? SHARED_POLL_MS : POLL_MS;
    const wait = due === null ? pollMs : Math.min(pollMs, Math.max(leastMs, due - clock.nowMs()));
    this.#timer = setTimeout(() => this.wake(), wait);
  }
}

class JobLease implements Lease {
  readonly jobId: JobId;
  readonly owner: string;
  readonly #onLost: () => void;
  isLost = false;
  #hasEnded = false;

  constructor(jobId: JobId, owner: string, onLost: () => void) {
    this.jobId = jobId;
    this.owner = owner;
    this.#onLost = onLost;
  }

  /** What is left of work that was lost writes nothing either. */
  get isOver(): boolean {
    return this.#hasEnded && !this.isLost;
  }

  lost(): void {
    this.isLost = true;
    this.#onLost();
  }

  end(): void {
    this.#hasEnded = true;
  }
}

/** A bug is told by its kind: `TypeError: …`. */
function nameAndMessageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function placesOf({ concurrency, hasSparePlace }: JobHandler): number {
  return hasSparePlace === true ? concurrency + 1 : concurrency;
}
