/**
 * Keeps back what has just changed: a file that is being written, or one that an editor takes away for a moment to put
 * another in its place.
 */
export class Settling {
  readonly #quietMs: number;
  readonly #mostMs: number;
  /** By name: what it was when it was first seen so, since when, and since when it has not been at rest. */
  #seen = new Map<string, { stamp: string; sinceMs: number; firstMs: number }>();
  #next = new Map<string, { stamp: string; sinceMs: number; firstMs: number }>();

  /** `mostMs`: what never comes to rest, such as a log, is taken as it is after so long. */
  constructor({ quietMs, mostMs }: { quietMs: number; mostMs: number }) {
    this.#quietMs = quietMs;
    this.#mostMs = mostMs;
  }

  /** Whether `name` has been as it is for long enough. What is not asked for in a round is forgotten with it. */
  isAtRest(name: string, stamp: string, nowMs: number): boolean {
    const before = this.#seen.get(name);
    const isSame = before?.stamp === stamp;
    const entry = { stamp, sinceMs: isSame ? before.sinceMs : nowMs, firstMs: before?.firstMs ?? nowMs };
    this.#next.set(name, entry);
    return nowMs - entry.sinceMs >= this.#quietMs || nowMs - entry.firstMs >= this.#mostMs;
  }

  /** Ends a round; how many were kept back in it. */
  endRound(nowMs: number): number {
    [this.#seen, this.#next] = [this.#next, new Map()];
    let waiting = 0;
    for (const { sinceMs, firstMs } of this.#seen.values())
      if (nowMs - sinceMs < this.#quietMs && nowMs - firstMs < this.#mostMs) waiting += 1;
    return waiting;
  }
}
