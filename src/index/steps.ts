/**
 * A search as a row of steps: what native code does, by itself, while the rest of the search waits. The same search is
 * run at once, which is the reference, or step by step on threads of the pool, with other work of this thread in
 * between.
 */
export interface Step {
  /** Does it on this thread. */
  now(): void;
  /** Has it done by others; null where that would cost more than it spares: then `now`. */
  later(): Promise<void> | null;
}

/** Yields each step before it looks at what the step found. */
export type Steps<R> = Generator<Step, R, void>;

export function runNow<R>(steps: Steps<R>): R {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    value.now();
  }
}

/** Rejects with what a step rejects with; the search then ends where it stands. */
export async function runLater<R>(steps: Steps<R>): Promise<R> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    const pending = value.later();
    if (pending === null) value.now();
    else await pending;
  }
}
