/**
 * A fixed pool of workers, threads or processes, that answer typed calls, one call at a time each.
 *
 * - A call waits for an idle worker in order of arrival; the queue is bounded by whoever calls (jobs hold leases,
 *   queries hold permits).
 * - `terminable` pools hold pure JavaScript: a call past its deadline, or aborted, costs its worker, which is replaced.
 * - Other pools hold native code, where terminating a busy worker would abort the whole process: an abort only stops
 *   waiting for the answer, and `close` lets every worker finish the call it is in.
 * - A worker that dies by itself rejects only its own call and is replaced when next needed.
 */
import { assert } from "../errors.ts";
import {
  type CallFailure,
  type SentError,
  type StartLink,
  type ToWorker,
  WARM_UP_ID,
  type WorkerLink,
} from "./worker-link.ts";

/** Maps a method's name to what it takes and what it gives. */
export type Methods = Record<string, { args: unknown; result: unknown }>;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds this call may run (not wait); only in terminable pools. */
  deadlineMs?: number | undefined;
  transfer?: Bun.Transferable[] | undefined;
}

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
  /** Replaces idle workers that have grown by so many bytes (default: all), which gives their memory back. */
  recycleIdle(least?: number): void;
  /** Processes of idle workers in places from this one on are ended, and not replaced before they are needed. */
  endIdleFrom(place: number): void;
  /** Of the workers that are processes, in bytes. */
  residentBytes(): number;
  /** Of the workers that are processes. */
  pids(): number[];
  stats(): { size: number; busy: number; waiting: number; restarts: number };
}

export interface PoolOptions {
  /** What a worker is: `threads(url)` or `processes(…)`. */
  start: StartLink;
  size: number;
  terminable: boolean;
  /** Sent to every new worker before its first call; plain data. */
  init: unknown;
  name: string;
  /** Called in every new worker before anything else; a worker that was ended is replaced at once. */
  warmUp?: string | undefined;
  /** Bytes: a worker that has grown by more when its session ends is replaced. */
  replaceAbove?: number | undefined;
}

interface Slot {
  link: WorkerLink | null;
  /** Until the worker that was here has given its memory back. */
  leaving: Promise<void> | null;
  busy: boolean;
  pending: Pending | null;
}

interface Pending {
  id: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

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
    this.#slots = Array.from({ length: options.size }, () => ({
      link: null,
      leaving: null,
      busy: false,
      pending: null,
    }));
  }

  async session<T>(use: (session: WorkerSession<M>) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const slot = await this.#acquire(signal);
    try {
      if (slot.leaving !== null) await slot.leaving;
      return await use({ call: (method, args, call = {}) => this.#callOn(slot, { method, args, call }) });
    } finally {
      this.#release(slot);
    }
  }

  call<K extends keyof M & string>(method: K, args: M[K]["args"], call: CallOptions = {}): Promise<M[K]["result"]> {
    return this.session((held) => held.call(method, args, call), call.signal);
  }

  recycleIdle(least = 0): void {
    if (!this.#options.terminable) return;
    for (const slot of this.#slots) {
      if (!slot.busy && slot.link !== null && slot.link.grownBytes() >= least) this.#drop(slot, "closed", "replaced");
    }
  }

  endIdleFrom(place: number): void {
    for (const slot of this.#slots.slice(place)) {
      if (!slot.busy && slot.link !== null) void this.#takeAway(slot).link?.terminate();
    }
  }

  residentBytes(): number {
    return this.#slots.reduce((sum, { link }) => sum + (link?.residentBytes() ?? 0), 0);
  }

  pids(): number[] {
    return this.#slots.flatMap(({ link }) => link?.pid ?? []);
  }

  stats(): { size: number; busy: number; waiting: number; restarts: number } {
    const busy = this.#slots.filter((slot) => slot.busy).length;
    return { size: this.#options.size, busy, waiting: this.#waiting.length, restarts: this.#restarts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const entry of this.#waiting.splice(0)) entry.reject(this.#stopping());
    if (this.#options.terminable) {
      for (const slot of this.#slots) if (slot.link !== null) this.#drop(slot, "closed", "stopping");
      await Promise.all(this.#slots.flatMap(({ leaving }) => leaving ?? []));
      return;
    }
    await Promise.all(this.#slots.flatMap(({ link }) => link?.stop() ?? []));
  }

  #stopping(): WorkerCallError {
    return new WorkerCallError("closed", `the ${this.#options.name} lane is stopping`);
  }

  #start(slot: Slot): WorkerLink {
    const { start, name, init, warmUp } = this.#options;
    const link = start(name, {
      message: (message) => {
        const { pending } = slot;
        if (slot.link !== link || pending === null || message.id !== pending.id) return;
        slot.pending = null;
        if (message.type === "result") pending.resolve(message.result);
        else pending.reject(rebuildError(message.error));
      },
      ended: (reason, message) => {
        if (slot.link === link) this.#drop(slot, reason, message);
      },
    });
    slot.link = link;
    link.post({ type: "init", init }, []);
    if (warmUp !== undefined) link.post({ type: "call", id: WARM_UP_ID, method: warmUp, args: null }, []);
    return link;
  }

  /** Takes a slot's worker away and fails the call it had. */
  #drop(slot: Slot, reason: CallFailure, message: string): void {
    const { link, pending } = this.#takeAway(slot);
    if (!this.#closed) this.#restarts += 1;
    if (this.#options.terminable && link !== null) {
      const leaving = link.terminate().then(() => {
        if (slot.leaving === leaving) slot.leaving = null;
        // One that dies by itself is waited with: it may die at its start, over and over.
        const isWanted = this.#options.warmUp !== undefined && reason !== "crashed" && !this.#closed;
        if (isWanted && slot.link === null) this.#start(slot);
      });
      slot.leaving = leaving;
    }
    pending?.reject(new WorkerCallError(reason, message));
  }

  #takeAway(slot: Slot): { link: WorkerLink | null; pending: Pending | null } {
    const { link, pending } = slot;
    slot.link = null;
    slot.pending = null;
    return { link, pending };
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
    const { replaceAbove } = this.#options;
    if (replaceAbove !== undefined && slot.link !== null && slot.link.grownBytes() > replaceAbove)
      this.#drop(slot, "closed", "replaced");
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
    if (this.#closed && slot.link === null && this.#options.terminable) return Promise.reject(this.#stopping());
    assert(slot.pending === null, "a worker was given a call while it had one");
    const { terminable } = this.#options;
    const link = slot.link ?? this.#start(slot);
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
      link.post({ type: "call", id, method, args } satisfies ToWorker, call.transfer ?? []);
    });
  }
}

function rebuildError(data: SentError): Error {
  const error = Object.assign(new Error(data.message), data.system);
  error.name = data.name;
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}
