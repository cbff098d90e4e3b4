import type { Changes } from "../../platform/changes.ts";

/** Something of a store that requests follow while it changes. */
export interface Subject<Seen> {
  /** Those with the same key are looked at together. */
  key: string;
  /** Its changes wake the look. */
  storeId: string;
  /** From one look to the next at least, and without a change at most. */
  leastMs: number;
  mostMs: number;
  /** Milliseconds that each follower, of all such subjects together, puts between two looks: telling it costs as well. */
  eachMs: number;
  /** What it is like now. `isLast`: there is nothing more to follow. Never called twice at the same time. */
  look: () => Promise<Look<Seen>>;
}

export interface Look<Seen> {
  seen: Seen;
  isLast: boolean;
}

/** Is told what each look saw, in the turn of the look. */
export type Follower<Seen> = (look: Look<Seen>) => void;

/**
 * Whoever follows the same thing shares one look at it: what a look costs does not depend on how many follow. A watch
 * begins with its first follower and ends with its last.
 */
export class Watches {
  readonly #changes: Changes;
  readonly #turns = new Turns();
  readonly #open = new Map<string, Watch<unknown>>();
  readonly #audience: Audience = { restMs: 0 };

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  /** Things that are looked at, for tests. */
  get size(): number {
    return this.#open.size;
  }

  /** Tells `follower` of every look from the latest on, until the last one or until the returned function is called. */
  follow<Seen>(subject: Subject<Seen>, follower: Follower<Seen>): () => void {
    const { key } = subject;
    let watch = this.#open.get(key) as Watch<Seen> | undefined;
    if (watch === undefined) {
      const made = new Watch(subject, { changes: this.#changes, turns: this.#turns, audience: this.#audience });
      made.onEnd = () => {
        if (this.#open.get(key) === (made as Watch<unknown>)) this.#open.delete(key);
      };
      this.#open.set(key, made as Watch<unknown>);
      watch = made;
    }
    return watch.add(follower);
  }
}

/** What the followers of all watches put between two looks. */
interface Audience {
  restMs: number;
}

interface WatchDeps {
  changes: Changes;
  turns: Turns;
  audience: Audience;
}

class Watch<Seen> {
  onEnd: () => void = () => {};
  readonly #subject: Subject<Seen>;
  readonly #deps: WatchDeps;
  readonly #followers = new Set<Follower<Seen>>();
  readonly #over = new AbortController();
  #latest: Look<Seen> | null = null;

  constructor(subject: Subject<Seen>, deps: WatchDeps) {
    this.#subject = subject;
    this.#deps = deps;
  }

  add(follower: Follower<Seen>): () => void {
    this.#followers.add(follower);
    this.#deps.audience.restMs += this.#subject.eachMs;
    if (this.#followers.size === 1 && this.#latest === null) void this.#run();
    else if (this.#latest !== null) follower(this.#latest);
    return () => {
      if (!this.#followers.delete(follower)) return;
      this.#deps.audience.restMs -= this.#subject.eachMs;
      if (this.#followers.size > 0) return;
      this.onEnd();
      this.#over.abort();
    };
  }

  async #run(): Promise<void> {
    const { storeId, leastMs, mostMs, eachMs } = this.#subject;
    const { signal } = this.#over;
    while (!signal.aborted) {
      const beganAt = performance.now();
      // Waited for from before the look: a change in between is not slept through.
      const changed = this.#deps.changes.wait(storeId, signal, mostMs);
      await this.#deps.turns.take(() => this.#look());
      await changed;
      await pause(
        Math.max(leastMs, eachMs > 0 ? this.#deps.audience.restMs : 0) - (performance.now() - beganAt),
        signal,
      );
    }
  }

  async #look(): Promise<void> {
    if (this.#over.signal.aborted) return;
    let look: Look<Seen>;
    try {
      look = await this.#subject.look();
    } catch {
      // A disk that fails for a moment; what is asked next says so where it lasts.
      return;
    }
    this.#latest = look;
    if (look.isLast) {
      this.onEnd();
      this.#over.abort();
    }
    for (const follower of this.#followers) follower(look);
  }
}

/** Of the thread's time, looks together take at most a tenth: this many times as long as a look took nobody looks. */
const REST = 9;
const MOST_REST_MS = 1000;

/** One look at a time, and time for everybody else after each. */
class Turns {
  #free: Promise<void> = Promise.resolve();

  async take(work: () => Promise<void>): Promise<void> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    const startedAt = performance.now();
    try {
      await work();
    } finally {
      const restMs = Math.min(MOST_REST_MS, REST * (performance.now() - startedAt));
      if (restMs < 1) resolve();
      else setTimeout(resolve, restMs);
    }
  }
}

/** Until the time is over or `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
