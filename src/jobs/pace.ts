/**
 * How fast work goes on, and so how long the rest will take. Newer work counts more: with a model that reads, a store of
 * short notes and scanned books changes its pace within minutes.
 */

/** After so long, what was done counts for a third. */
const MEMORY_MS = 60_000;
/** Less says nothing. */
const LEAST_MS = 2000;

export class Pace {
  #done = 0;
  #ms = 0;
  #atMs: number;

  /** Work begins. */
  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  add(work: number, nowMs: number): void {
    this.#pass(nowMs);
    this.#done += work;
  }

  /** Seconds that `left` will take; null while that cannot be told. */
  secondsFor(left: number, nowMs: number): number | null {
    this.#pass(nowMs);
    if (left <= 0) return 0;
    if (this.#ms < LEAST_MS || this.#done <= 0) return null;
    return Math.ceil((left * this.#ms) / this.#done / 1000);
  }

  /** Work a second; null while that cannot be told. */
  perSecond(nowMs: number): number | null {
    this.#pass(nowMs);
    return this.#ms < LEAST_MS || this.#done <= 0 ? null : (1000 * this.#done) / this.#ms;
  }

  #pass(nowMs: number): void {
    const passed = Math.max(0, nowMs - this.#atMs);
    const kept = Math.exp(-passed / MEMORY_MS);
    this.#done *= kept;
    this.#ms = this.#ms * kept + MEMORY_MS * (1 - kept);
    this.#atMs = Math.max(this.#atMs, nowMs);
  }
}
