/**
 * Places of a lane, given to owners (tenants) by turns: whoever holds fewest is next, in order of arrival among equals.
 *
 * Work that has begun is not interrupted, so one owner's slow work could keep everybody out for as long as it takes.
 * Therefore there is one place more than are given out: it is for an owner that holds none, while a single other one has
 * held all the rest for a while. Whoever has many slow documents holds all places but one, whatever comes.
 */
export interface TurnsOptions {
  places: number;
  /** Milliseconds that all places are held by one owner before the spare one is given. */
  spareAfterMs: number;
  /** A place may be had that could not be had before. */
  onFree?: (() => void) | undefined;
}

/** A place that is held; disposing of it twice is once. */
export type Turn = Disposable;

interface Held extends Turn {
  readonly owner: string;
  readonly sinceMs: number;
}

interface Waiting {
  owner: string;
  give(turn: Turn): void;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #held = new Set<Held>();
  readonly #waiting: Waiting[] = [];
  #timer: Timer | null = null;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** A place, if this owner may have one now; those that wait in `take` come first. */
  tryTake(owner: string): Turn | null {
    if (this.#waiting.some((other) => this.#heldBy(other.owner) <= this.#heldBy(owner) && this.#mayTake(other.owner)))
      return null;
    if (this.#mayTake(owner)) return this.#hold(owner);
    this.#lookAgain();
    return null;
  }

  /** Waits for a place. Rejects with the signal's reason. */
  async take(owner: string, signal: AbortSignal): Promise<Turn> {
    signal.throwIfAborted();
    const turn = this.tryTake(owner);
    if (turn !== null) return turn;
    return await new Promise<Turn>((resolve, reject) => {
      const entry: Waiting = {
        owner,
        give: (given) => {
          signal.removeEventListener("abort", abort);
          resolve(given);
        },
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(entry);
      this.#lookAgain();
    });
  }

  /** Places held, the spare one included, and owners' calls that wait. */
  stats(): { held: number; waiting: number } {
    return { held: this.#held.size, waiting: this.#waiting.length };
  }

  #hold(owner: string): Turn {
    const turn: Held = {
      owner,
      sinceMs: performance.now(),
      [Symbol.dispose]: () => {
        if (this.#held.delete(turn)) this.#serve();
      },
    };
    this.#held.add(turn);
    return turn;
  }

  #mayTake(owner: string): boolean {
    const { places } = this.#options;
    if (this.#held.size < places) return true;
    return this.#held.size === places && this.#spareFrom(owner) <= performance.now();
  }

  /** When the spare place may be had by this owner; Infinity while it may not. */
  #spareFrom(owner: string): number {
    const owners = new Set([...this.#held].map((turn) => turn.owner));
    if (owners.size !== 1 || owners.has(owner)) return Infinity;
    return Math.max(...[...this.#held].map(({ sinceMs }) => sinceMs)) + this.#options.spareAfterMs;
  }

  #heldBy(owner: string): number {
    return [...this.#held].filter((turn) => turn.owner === owner).length;
  }

  #serve(): void {
    for (;;) {
      const able = this.#waiting.filter(({ owner }) => this.#mayTake(owner));
      const next = able.reduce<Waiting | undefined>(
        (best, entry) => (best === undefined || this.#heldBy(entry.owner) < this.#heldBy(best.owner) ? entry : best),
        undefined,
      );
      if (next === undefined) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      next.give(this.#hold(next.owner));
    }
    if (this.#waiting.length > 0) this.#lookAgain();
    if (this.#held.size < this.#options.places) this.#options.onFree?.();
  }

  /** Somebody could not have a place that becomes the spare one's with time. */
  #lookAgain(): void {
    if (this.#timer !== null || this.#held.size !== this.#options.places) return;
    const fromMs = this.#spareFrom("");
    if (fromMs === Infinity) return;
    const look = () => {
      this.#timer = null;
      this.#serve();
      this.#options.onFree?.();
    };
    // A timer may fire a little early.
    this.#timer = setTimeout(look, Math.max(1, fromMs - performance.now() + 1));
  }
}
