/** Wakes those who wait for something to change under a key: long-polls and event streams. */
export interface Changes {
  notify(key: string): void;
  /** Resolves at the next `notify` of this key, when `signal` aborts, or after `timeoutMs`. */
  wait(key: string, signal: AbortSignal, timeoutMs: number): Promise<void>;
}

export function createChanges(): Changes {
  const waiting = new Map<string, Set<() => void>>();
  return {
    notify(key) {
      const set = waiting.get(key);
      if (set === undefined) return;
      waiting.delete(key);
      for (const wake of set) wake();
    },
    wait(key, signal, timeoutMs) {
      if (signal.aborted) return Promise.resolve();
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
    },
  };
}
