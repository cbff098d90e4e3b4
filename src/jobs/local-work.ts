import { messageOf } from "../errors.ts";
import type { Log } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobRow } from "../storage/jobs.ts";
import { underLease } from "../storage/leased.ts";
import type { JobHandler } from "./runner.ts";

/**
 * Work on what this server alone has, where jobs are shared with other servers: a row would be taken by any of them. So it
 * is no row, and in memory: what ends with the process is found missing when its index is loaded again. One at a time; at
 * most one waits for each generation.
 */
export class LocalWork implements AsyncDisposable {
  readonly #handler: JobHandler;
  readonly #log: Pick<Log, "error">;
  readonly #waiting = new Map<number, JobRow>();
  readonly #later = new Set<Timer>();
  #running: { job: JobRow; abort: AbortController; done: Promise<void> } | null = null;
  #isOver = false;

  /** `handler`: of jobs whose subject is a generation. */
  constructor(handler: JobHandler, log: Pick<Log, "error">) {
    this.#handler = handler;
    this.#log = log;
  }

  schedule(generation: Pick<GenerationRow, "id" | "tenant_id" | "store_id">): void {
    const { id, tenant_id, store_id } = generation;
    const { kind } = this.#handler;
    this.#add(id, { id: 0, tenant_id, kind, store_id, subject: String(id), priority: 1, attempt: 1, payload: "{}" });
  }

  /** What is done or waits for the store is not wanted any more. */
  cancelStore(storeId: string): void {
    for (const [id, job] of this.#waiting) if (job.store_id === storeId) this.#waiting.delete(id);
    if (this.#running?.job.store_id === storeId) this.#running.abort.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#waiting.clear();
    for (const timer of this.#later) clearTimeout(timer);
    this.#running?.abort.abort();
    await this.#running?.done;
  }

  #add(generation: number, job: JobRow): void {
    if (this.#isOver) return;
    this.#waiting.set(generation, job);
    this.#next();
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#running !== null || this.#isOver) return;
    const [generation, job] = next;
    this.#waiting.delete(generation);
    const abort = new AbortController();
    // Whoever asked for it: it is no part of his work.
    const done = underLease(null, () => this.#run(generation, job, abort.signal));
    this.#running = { job, abort, done };
  }

  async #run(generation: number, job: JobRow, signal: AbortSignal): Promise<void> {
    try {
      const outcome = await this.#handler.run(job, signal);
      if (outcome.type === "retry") this.#again(generation, { ...job, attempt: job.attempt + 1 }, outcome.inMs);
    } catch (error) {
      this.#log.error("work on this server's own files failed", { kind: job.kind, error: messageOf(error) });
    } finally {
      this.#running = null;
      this.#next();
    }
  }

  #again(generation: number, job: JobRow, inMs: number): void {
    if (this.#isOver) return;
    const timer = setTimeout(() => {
      this.#later.delete(timer);
      this.#add(generation, job);
    }, inMs);
    timer.unref();
    this.#later.add(timer);
  }
}
