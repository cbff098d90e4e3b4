/**
 * A lane that tenants share: the slices of their requests run in turns (fair-queue.ts), at most `slots` at a time. A
 * request whose client is gone leaves at once, with what of it is still waiting; what is under way is told by its signal.
 */
import { FairQueue, type FairQueueOptions, type Slice } from "./fair-queue.ts";
import { WorkerCallError } from "./worker-pool.ts";

export interface FairLaneOptions<T, R> extends FairQueueOptions {
  slots: number;
  run: (item: T, signal: AbortSignal) => Promise<R>;
}

interface Turn<T> {
  item: T;
  index: number;
  owner: Owner;
}

/** A request, as its slices know it. */
interface Owner {
  readonly signal: AbortSignal;
  isSettled: boolean;
  done(index: number, result: unknown): void;
  fail(error: unknown): void;
}

export class FairLane<T, R> implements Disposable {
  readonly #options: FairLaneOptions<T, R>;
  readonly #queue: FairQueue<Turn<T>>;
  #running = 0;
  #isClosed = false;

  constructor(options: FairLaneOptions<T, R>) {
    this.#options = options;
    this.#queue = new FairQueue(options);
  }

  /**
   * What the slices gave, in their order; null where the tenant's share is full. Rejects as the first slice that fails,
   * and with a WorkerCallError when aborted or closed.
   */
  submit(tenant: string, slices: readonly Slice<T>[], signal: AbortSignal): Promise<R[]> | null {
    if (this.#isClosed) return Promise.reject(new WorkerCallError("closed", "the lane is closed"));
    if (signal.aborted) return Promise.reject(aborted());
    if (slices.length === 0) return Promise.resolve([]);
    const outcome = Promise.withResolvers<R[]>();
    const results = new Array<R>(slices.length);
    let missing = slices.length;
    const end = (settle: () => void): void => {
      if (owner.isSettled) return;
      owner.isSettled = true;
      signal.removeEventListener("abort", onAbort);
      waiting?.leave();
      settle();
    };
    const owner: Owner = {
      signal,
      isSettled: false,
      done: (index, result) => {
        results[index] = result as R;
        if (--missing === 0) end(() => outcome.resolve(results));
      },
      fail: (error) => end(() => outcome.reject(error)),
    };
    const onAbort = (): void => owner.fail(aborted());
    const turns = slices.map(({ item, cost }, index) => ({ item: { item, index, owner }, cost }));
    const waiting = this.#queue.add(tenant, turns);
    if (waiting === null) return null;
    signal.addEventListener("abort", onAbort, { once: true });
    this.#fill();
    return outcome.promise;
  }

  /** Nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#queue.waiting.slices === 0;
  }

  stats(): { waiting: number; cost: number; running: number } {
    const { slices, cost } = this.#queue.waiting;
    return { waiting: slices, cost, running: this.#running };
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    const error = new WorkerCallError("closed", "the lane is closed");
    for (const { owner } of this.#queue.clear()) owner.fail(error);
  }

  #fill(): void {
    while (this.#running < this.#options.slots) {
      const turn = this.#queue.take();
      if (turn === undefined) return;
      this.#queue.passOn();
      void this.#run(turn);
    }
  }

  async #run({ item, index, owner }: Turn<T>): Promise<void> {
    this.#running++;
    try {
      owner.done(index, await this.#options.run(item, owner.signal));
    } catch (error) {
      owner.fail(error);
    } finally {
      this.#running--;
      this.#fill();
    }
  }
}

function aborted(): WorkerCallError {
  return new WorkerCallError("aborted", "the request was aborted");
}
