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
  const slots: Slot[] = Array.from({ length: options.size }, () => ({ worker: null, busy: false, pending: null }));
  const waiting: { resolve(slot: Slot): void; reject(error: Error): void }[] = [];
  let nextId = 1;
  let closed = false;
  let restarts = 0;

  const start = (slot: Slot): Worker => {
    const worker = new Worker(options.url.href, { name: options.name });
    slot.worker = worker;
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => {
      const pending = slot.pending;
      if (slot.worker !== worker || pending === null || event.data.id !== pending.id) return;
      slot.pending = null;
      if (event.data.type === "result") pending.resolve(event.data.result);
      else pending.reject(rebuildError(event.data.error));
    });
    const died = (message: string) => {
      if (slot.worker !== worker) return;
      drop(slot, "crashed", message);
    };
    worker.addEventListener("error", (event) => died(`a ${options.name} worker failed: ${event.message}`));
    worker.addEventListener("close", () => died(`a ${options.name} worker ended`));
    worker.postMessage({ type: "init", init: options.init } satisfies ToWorker);
    return worker;
  };

  const drop = (slot: Slot, reason: CallFailure, message: string) => {
    const { worker, pending } = slot;
    slot.worker = null;
    slot.pending = null;
    if (options.terminable) worker?.terminate();
    if (!closed) restarts += 1;
    pending?.reject(new WorkerCallError(reason, message));
  };

  const acquire = (signal?: AbortSignal): Promise<Slot> => {
    if (closed) return Promise.reject(new WorkerCallError("closed", `the ${options.name} lane is stopping`));
    if (signal?.aborted) return Promise.reject(new WorkerCallError("aborted", "cancelled before it began"));
    const idle = slots.find((slot) => !slot.busy);
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
        const at = waiting.indexOf(entry);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(new WorkerCallError("aborted", "cancelled while waiting"));
      };
      signal?.addEventListener("abort", abort, { once: true });
      waiting.push(entry);
    });
  };

  const release = (slot: Slot) => {
    const next = closed ? undefined : waiting.shift();
    if (next) next.resolve(slot);
    else slot.busy = false;
  };

  const callOn = <K extends keyof M & string>(
    slot: Slot,
    method: K,
    args: M[K]["args"],
    call: CallOptions,
  ): Promise<M[K]["result"]> => {
    if (call.signal?.aborted) return Promise.reject(new WorkerCallError("aborted", "cancelled before it began"));
    assert(slot.pending === null, "a worker was given a call while it had one");
    const worker = slot.worker ?? start(slot);
    const id = nextId++;
    return new Promise<M[K]["result"]>((resolve, reject) => {
      let timer: Timer | undefined;
      const end = () => {
        if (timer !== undefined) clearTimeout(timer);
        call.signal?.removeEventListener("abort", abort);
      };
      const abort = () => {
        if (options.terminable) drop(slot, "aborted", "cancelled");
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
      if (options.terminable && call.deadlineMs !== undefined) {
        timer = setTimeout(() => drop(slot, "deadline", `no answer within ${call.deadlineMs} ms`), call.deadlineMs);
      }
      call.signal?.addEventListener("abort", abort, { once: true });
      worker.postMessage({ type: "call", id, method, args } satisfies ToWorker, call.transfer ?? []);
    });
  };

  const session = async <T>(use: (session: WorkerSession<M>) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const slot = await acquire(signal);
    try {
      return await use({ call: (method, args, call = {}) => callOn(slot, method, args, call) });
    } finally {
      release(slot);
    }
  };

  return {
    session,
    call: (method, args, call = {}) => session((held) => held.call(method, args, call), call.signal),
    killBusy(reason) {
      assert(options.terminable, "only pure JavaScript workers may be terminated");
      const busy = slots.filter((slot) => slot.pending !== null);
      for (const slot of busy) drop(slot, reason, `a ${options.name} worker was ended (${reason})`);
      return busy.length;
    },
    recycleIdle() {
      for (const slot of slots)
        if (!slot.busy && slot.worker !== null && options.terminable) drop(slot, "closed", "replaced");
    },
    stats: () => ({
      size: options.size,
      busy: slots.filter((slot) => slot.busy).length,
      waiting: waiting.length,
      restarts,
    }),
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const entry of waiting.splice(0))
        entry.reject(new WorkerCallError("closed", `the ${options.name} lane is stopping`));
      if (options.terminable) {
        for (const slot of slots) if (slot.worker !== null) drop(slot, "closed", "stopping");
        return;
      }
      await Promise.all(slots.map((slot) => stopCooperatively(slot)));
    },
  };
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
