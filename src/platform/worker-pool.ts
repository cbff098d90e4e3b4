/**
 * A fixed pool of worker threads that answer typed calls, one call at a time each.
 *
 * - A call waits for an idle worker in order of arrival; the queue is bounded by whoever calls (jobs hold leases,
 *   queries hold permits).
 * - `terminable` pools hold pure JavaScript: a call past its deadline, or aborted, costs its worker, which is replaced.
 * - Other pools hold native code, where terminating a busy worker would abort the whole process: an abort only stops
 *   waiting for the answer, and `close` lets every worker finish the call it is in.
 * - A worker that dies by itself rejects only its own call and is replaced when next needed.
 */
import { assert } from "../errors.ts";

/** Maps a method's name to what it takes and what it gives. */
export type Methods = Record<string, { args: unknown; result: unknown }>;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds this call may run (not wait); only in terminable pools. */
  deadlineMs?: number | undefined;
  transfer?: Bun.Transferable[] | undefined;
}

export type CallFailure = "deadline" | "aborted" | "crashed" | "closed" | "memory";

/** The call got no answer. What the worker itself threw arrives as a plain Error instead. */
export class WorkerCallError extends Error {
  override name = "WorkerCallError";
  readonly reason: CallFailure;
  constructor(reason: CallFailure, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** One worker held by one caller, so that calls which belong together meet the same state. */
export interface WorkerSession<M extends Methods> {
  call<K extends keyof M & string>(method: K, args: M[K]["args"], options?: CallOptions): Promise<M[K]["result"]>;
}

export interface WorkerPool<M extends Methods> extends WorkerSession<M>, AsyncDisposable {
  /** Holds an idle worker while `use` runs. */
  session<T>(use: (session: WorkerSession<M>) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Terminable pools: ends every busy worker (their calls reject with `reason`) and gives their memory back. */
  killBusy(reason: CallFailure): number;
  /** Replaces idle workers, which gives their memory back. */
  recycleIdle(): void;
  stats(): { size: number; busy: number; waiting: number; restarts: number };
}

export interface PoolOptions {
  url: URL;
  size: number;
  terminable: boolean;
  /** Sent to every new worker before its first call; plain data. */
  init: unknown;
  name: string;
}

interface Slot {
  worker: Worker | null;
  busy: boolean;
  pending: Pending | null;
}

interface Pending {
  id: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** What crosses the boundary; entries answer with `reply` below. */
export type ToWorker =
  | { type: "init"; init: unknown }
  | { type: "call"; id: number; method: string; args: unknown }
  | { type: "stop" };
export type FromWorker =
  | { type: "result"; id: number; result: unknown }
  | { type: "error"; id: number; error: { name: string; message: string; stack?: string | undefined } };

export function createWorkerPool<M extends Methods>(options: PoolOptions): WorkerPool<M> {
  return new Pool<M>(options);
}

class Pool<M extends Methods> implements WorkerPool<M> {
  readonly #options: PoolOptions;
  readonly #slots: Slot[];
  readonly #waiting: { resolve(slot: Slot): void; reject(error: Error): void }[] = [];
  #nextId = 1;
  #closed = false;
  #restarts = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size }, () => ({ worker: null, busy: false, pending: null }));
  }

  async session<T>(use: (session: WorkerSession<M>) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const slot = await this.#acquire(signal);
    try {
      return await use({ call: (method, args, call = {}) => this.#callOn(slot, { method, args, call }) });
    } finally {
      this.#release(slot);
    }
  }

  call<K extends keyof M & string>(method: K, args: M[K]["args"], call: CallOptions = {}): Promise<M[K]["result"]> {
    return this.session((held) => held.call(method, args, call), call.signal);
  }

  killBusy(reason: CallFailure): number {
    const { terminable, name } = this.#options;
    assert(terminable, "only pure JavaScript workers may be terminated");
    const busy = this.#slots.filter((slot) => slot.pending !== null);
    for (const slot of busy) this.#drop(slot, reason, `a ${name} worker was ended (${reason})`);
    return busy.length;
  }

  recycleIdle(): void {
    if (!this.#options.terminable) return;
    for (const slot of this.#slots) if (!slot.busy && slot.worker !== null) this.#drop(slot, "closed", "replaced");
  }

  stats(): { size: number; busy: number; waiting: number; restarts: number } {
    const busy = this.#slots.filter((slot) => slot.busy).length;
    return { size: this.#options.size, busy, waiting: this.#waiting.length, restarts: this.#restarts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const entry of this.#waiting.splice(0)) entry.reject(this.#stopping());
    if (this.#options.terminable) {
      for (const slot of this.#slots) if (slot.worker !== null) this.#drop(slot, "closed", "stopping");
      return;
    }
    await Promise.all(this.#slots.map((slot) => stopCooperatively(slot)));
  }

  #stopping(): WorkerCallError {
    return new WorkerCallError("closed", `the ${this.#options.name} lane is stopping`);
  }

  #start(slot: Slot): Worker {
    const { url, name, init } = this.#options;
    const worker = new Worker(url.href, { name });
    slot.worker = worker;
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => {
      const pending = slot.pending;
      if (slot.worker !== worker || pending === null || event.data.id !== pending.id) return;
      slot.pending = null;
      if (event.data.type === "result") pending.resolve(event.data.result);
      else pending.reject(rebuildError(event.data.error));
    });
    const died = (message: string) => {
      if (slot.worker === worker) this.#drop(slot, "crashed", message);
    };
    worker.addEventListener("error", (event) => died(`a ${name} worker failed: ${event.message}`));
    worker.addEventListener("close", () => died(`a ${name} worker ended`));
    worker.postMessage({ type: "init", init } satisfies ToWorker);
    return worker;
  }

  /** Takes a slot's worker away and fails the call it had. */
  #drop(slot: Slot, reason: CallFailure, message: string): void {
    const { worker, pending } = slot;
    slot.worker = null;
    slot.pending = null;
    if (this.#options.terminable) worker?.terminate();
    if (!this.#closed) this.#restarts += 1;
    pending?.reject(new WorkerCallError(reason, message));
  }

  #acquire(signal?: AbortSignal): Promise<Slot> {
    if (this.#closed) return Promise.reject(this.#stopping());
    if (signal?.aborted) return Promise.reject(new WorkerCallError("aborted", "cancelled before it began"));
    const idle = this.#slots.find((slot) => !slot.busy);
    if (idle) {
      idle.busy = true;
      return Promise.resolve(idle);
    }
    return new Promise((resolve, reject) => {
      const entry = {
        resolve: (slot: Slot) => {
          signal?.removeEventListener("abort", abort);
          resolve(slot);
        },
        reject,
      };
      const abort = () => {
        const at = this.#waiting.indexOf(entry);
        if (at < 0) return;
        this.#waiting.splice(at, 1);
        reject(new WorkerCallError("aborted", "cancelled while waiting"));
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(entry);
    });
  }

  #release(slot: Slot): void {
    const next = this.#closed ? undefined : this.#waiting.shift();
    if (next) next.resolve(slot);
    else slot.busy = false;
  }

  #callOn<K extends keyof M & string>(
    slot: Slot,
    { method, args, call }: { method: K; args: M[K]["args"]; call: CallOptions },
  ): Promise<M[K]["result"]> {
    if (call.signal?.aborted) return Promise.reject(new WorkerCallError("aborted", "cancelled before it began"));
    // Given its slot in the turn of the close: a worker that is started now would be stopped by nobody.
    if (this.#closed && slot.worker === null && this.#options.terminable) return Promise.reject(this.#stopping());
    assert(slot.pending === null, "a worker was given a call while it had one");
    const { terminable } = this.#options;
    const worker = slot.worker ?? this.#start(slot);
    const id = this.#nextId++;
    return new Promise<M[K]["result"]>((resolve, reject) => {
      let timer: Timer | undefined;
      const end = () => {
        if (timer !== undefined) clearTimeout(timer);
        call.signal?.removeEventListener("abort", abort);
      };
      const abort = () => {
        if (terminable) this.#drop(slot, "aborted", "cancelled");
      };
      slot.pending = {
        id,
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      if (terminable && call.deadlineMs !== undefined) {
        const tooLate = () => this.#drop(slot, "deadline", `no answer within ${call.deadlineMs} ms`);
        timer = setTimeout(tooLate, call.deadlineMs);
      }
      call.signal?.addEventListener("abort", abort, { once: true });
      worker.postMessage({ type: "call", id, method, args } satisfies ToWorker, call.transfer ?? []);
    });
  }
}

/** Resolves when the worker has ended itself: after the call it is in, never in the middle of native code. */
function stopCooperatively(slot: Slot): Promise<void> {
  const { worker } = slot;
  if (worker === null) return Promise.resolve();
  return new Promise((resolve) => {
    worker.addEventListener("close", () => resolve(), { once: true });
    worker.postMessage({ type: "stop" } satisfies ToWorker);
  });
}

function rebuildError(data: { name: string; message: string; stack?: string | undefined }): Error {
  const error = new Error(data.message);
  error.name = data.name;
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}
