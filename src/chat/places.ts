import { AppError } from "../errors.ts";
import { FairQueue } from "../platform/fair-queue.ts";
import type { ChatModel } from "./chat-models.ts";

/** Calls of one model that wait at most, of all tenants together. */
const MOST_WAITING = 100;

interface Waiter {
  go: (leave: () => void) => void;
}

interface Lane {
  running: number;
  waiting: FairQueue<Waiter>;
}

/** How many calls of each chat model are under way at once; those that wait come in turns of their tenants. */
export class Places {
  readonly #lanes = new Map<string, Lane>();

  /** Calls that wait, of all models. */
  get waiting(): number {
    let sum = 0;
    for (const { waiting } of this.#lanes.values()) sum += waiting.waiting.slices;
    return sum;
  }

  /** Resolves, once there is a place, to what gives it back. Rejects with a 429 where too many wait, or for too long. */
  async enter(model: ChatModel, tenant: string, { signal, waitMs }: { signal: AbortSignal; waitMs: number }) {
    signal.throwIfAborted();
    const lane = this.#lane(model);
    if (lane.running < model.parallel) return this.#begin(lane, model);
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const busy = () =>
      new AppError("overloaded", `The chat model '${model.id}' is busy. Try again later.`, { retryAfterSeconds: 5 });
    const waiting =
      lane.waiting.waiting.slices < MOST_WAITING
        ? lane.waiting.add(tenant, [{ item: { go: resolve }, cost: 1 }])
        : null;
    if (waiting === null) throw busy();
    const leave = (error: unknown) => {
      waiting.leave();
      reject(error as Error);
    };
    const timer = setTimeout(() => leave(busy()), waitMs);
    const onAbort = () => leave(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #lane({ id }: ChatModel): Lane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = { running: 0, waiting: new FairQueue({ quantum: 1, most: MOST_WAITING, mostOfOne: MOST_WAITING }) };
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  #begin(lane: Lane, model: ChatModel): () => void {
    lane.running++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      lane.running--;
      if (lane.running < model.parallel) lane.waiting.take()?.go(this.#begin(lane, model));
    };
  }
}
