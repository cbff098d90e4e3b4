/** Wakes those who wait for something to change under a key: long-polls and event streams. */
export interface Changes {
  /** Wakes whoever waits, at every server of the database. */
  notify(key: string): void;
  /** Wakes whoever waits at this server: of what others cannot see yet, or need not. */
  notifyHere(key: string): void;
  /**
   * Resolves at the next `notify` of this key, when `signal` aborts, or after `timeoutMs`. Where servers share a database
   * it may resolve sooner without a reason, for what others told may have been lost: whoever waits looks again.
   */
  wait(key: string, signal: AbortSignal, timeoutMs: number): Promise<void>;
  /** Calls `effect` at every `notify` of this key by another server, for as long as the process lives. */
  onNotify(key: string, effect: () => void): void;
}

/** Carries keys to the other servers of a database. What it carries is a hint: it may be lost. */
export interface ChangeBus {
  /** Whether what others tell arrives here just now. */
  readonly isHeard: boolean;
  /** Tells the others, soon. Never throws. */
  tell(key: string): void;
  /** From now on `hear` is called with every key that another told; with null where some may have been missed. */
  listen(hear: (key: string | null) => void): void;
}

/** From one look to the next where nothing is heard of other servers: then this is how late a change is seen at most. */
const DEAF_MS = 1000;
/** The same where they are heard, for what is lost on the way. */
const HEARD_MS = 5000;

/** `bus` null: this server has its database alone. */
export function createChanges(bus: ChangeBus | null = null): Changes {
  return bus === null ? new OwnChanges() : new SharedChanges(bus);
}

class OwnChanges implements Changes {
  readonly #waiting = new Map<string, Set<() => void>>();

  readonly notifyHere = (key: string): void => {
    const set = this.#waiting.get(key);
    if (set === undefined) return;
    this.#waiting.delete(key);
    for (const wake of set) wake();
  };

  readonly notify = this.notifyHere;

  notifyAll(): void {
    for (const key of [...this.#waiting.keys()]) this.notifyHere(key);
  }

  wait(key: string, signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const waiting = this.#waiting;
    return new Promise((resolve) => {
      const set = waiting.get(key) ?? new Set();
      waiting.set(key, set);
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        set.delete(wake);
        if (set.size === 0 && waiting.get(key) === set) waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal.addEventListener("abort", wake, { once: true });
      set.add(wake);
    });
  }

  onNotify(): void {}
}

/** Rows are the truth: a wait ends after a while without a word, and then whoever waits looks. */
class SharedChanges implements Changes {
  readonly #own = new OwnChanges();
  readonly #bus: ChangeBus;
  readonly #effects = new Map<string, () => void>();

  constructor(bus: ChangeBus) {
    this.#bus = bus;
    bus.listen((key) => {
      if (key === null) return this.#missed();
      this.#own.notifyHere(key);
      this.#effects.get(key)?.();
    });
  }

  readonly notify = (key: string): void => {
    this.#own.notifyHere(key);
    this.#bus.tell(key);
  };

  readonly notifyHere = (key: string): void => this.#own.notifyHere(key);

  wait(key: string, signal: AbortSignal, timeoutMs: number): Promise<void> {
    return this.#own.wait(key, signal, Math.min(timeoutMs, this.#bus.isHeard ? HEARD_MS : DEAF_MS));
  }

  onNotify(key: string, effect: () => void): void {
    this.#effects.set(key, effect);
  }

  #missed(): void {
    this.#own.notifyAll();
    for (const effect of this.#effects.values()) effect();
  }
}
