/**
 * The open indexes: at most one per generation of a store, loaded when first asked for, dropped least recently used
 * when they take more memory than the budget.
 *
 * Loading while writes go on: `load` reads SQLite in slices and awaits between them, so it may or may not see a write
 * that is committed meanwhile. Whoever commits a write calls `apply` right after the commit, in the same turn of the
 * event loop. If the index is open the write is made at once; if it is being loaded the write is kept and repeated,
 * in order, before the index is published (writes are idempotent, so one that was already read does no harm); if it
 * is not open there is nothing to do, because a later load reads it from SQLite.
 */
import type { StoreIndex } from "./store-index.ts";

export type IndexWrite = (index: StoreIndex) => void;

export type RegistryOptions = {
  /** Reads one generation from SQLite into a new index. May await between slices; rejects when `signal` aborts. */
  readonly load: (storeId: string, generation: number, signal: AbortSignal) => Promise<StoreIndex>;
  readonly budgetBytes: number;
};

/** The right to use an index. It is not evicted or retired before `release`; `using` does that by itself. */
export type IndexLease = { readonly index: StoreIndex; release(): void; [Symbol.dispose](): void };

export type RegistryStats = {
  readonly open: number;
  readonly loading: number;
  readonly bytes: number;
  readonly chunks: number;
  readonly vectors: number;
  readonly loads: number;
  readonly evictions: number;
};

type Entry = {
  readonly key: string;
  index: StoreIndex | null;
  ready: Promise<StoreIndex>;
  readonly abort: AbortController;
  readonly missed: IndexWrite[];
  leases: number;
  /** Counts up from 1 over all loads. */
  load: number;
  retired: PromiseWithResolvers<void> | null;
  /** What is being loaded to take its place. */
  successor: Entry | null;
};

export class IndexRegistry {
  readonly #options: RegistryOptions;
  /** In order of use, the least recent first. */
  readonly #entries = new Map<string, Entry>();
  /** No longer to be found, but still leased. */
  readonly #leaving = new Map<string, Set<Entry>>();
  #loads = 0;
  #evictions = 0;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** The index of a generation, loaded if need be; one load serves all who wait. Rejects with the load's error. */
  async acquire(storeId: string, generation: number): Promise<IndexLease> {
    if (this.#closed) throw new Error("the index registry is closed");
    const key = keyOf(storeId, generation);
    let entry = this.#entries.get(key);
    if (entry === undefined) entry = this.#open(key, storeId, generation);
    entry.leases++;
    try {
      const index = await entry.ready;
      if (index.isIntact) {
        this.#touch(entry);
        this.#evict();
        return lease(index, () => this.#release(entry));
      }
      // The file that it lies on is not what it was.
      this.#drop(entry);
    } catch (error) {
      // Invalidated while it was loading: whoever waited wants the state after that.
      if (!entry.abort.signal.aborted || this.#closed) {
        this.#release(entry);
        throw error;
      }
    }
    this.#release(entry);
    return await this.acquire(storeId, generation);
  }

  /** A lease on an index that is open already, or null: for callers that must not wait. */
  tryAcquire(storeId: string, generation: number): IndexLease | null {
    const entry = this.#entries.get(keyOf(storeId, generation));
    if (entry === undefined || entry.index === null) return null;
    entry.leases++;
    this.#touch(entry);
    return lease(entry.index, () => this.#release(entry));
  }

  /** The same for upkeep: it is no sign that somebody uses the index. */
  borrow(storeId: string, generation: number): IndexLease | null {
    const entry = this.#entries.get(keyOf(storeId, generation));
    if (entry === undefined || entry.index === null) return null;
    entry.leases++;
    return lease(entry.index, () => this.#release(entry));
  }

  /** The index where it is open already: to be looked at in this turn, and no sign that somebody uses it. */
  peek(storeId: string, generation: number): StoreIndex | null {
    return this.#entries.get(keyOf(storeId, generation))?.index ?? null;
  }

  /**
   * Loads an open index once more and puts the new one in its place when it is whole; until then the old one serves, and
   * writes reach both. Who holds a lease keeps what he has. Resolves when that is done, or was not possible.
   */
  async refresh(storeId: string, generation: number): Promise<void> {
    const key = keyOf(storeId, generation);
    const old = this.#entries.get(key);
    if (this.#closed || old === undefined || old.index === null || old.successor !== null) return;
    const next = this.#load(key, storeId, generation);
    old.successor = next;
    try {
      const index = await next.ready;
      if (this.#entries.get(key) !== old) return index.close();
      this.#entries.set(key, next); // in the old one's place in the order of use
      this.#drop(old);
    } catch {
      // The old one is as good as before.
    } finally {
      old.successor = null;
    }
  }

  /** Names the load that the index comes from, or is coming from; null where there is none. */
  loadOf(storeId: string, generation: number): number | null {
    return this.#entries.get(keyOf(storeId, generation))?.load ?? null;
  }

  /** Whether the index is open or being loaded. */
  has(storeId: string, generation: number): boolean {
    return this.#entries.has(keyOf(storeId, generation));
  }

  /** Whether any index of the store is open or being loaded. */
  hasStore(storeId: string): boolean {
    return [...this.#entries.keys()].some((key) => key.startsWith(`${storeId}/`));
  }

  /** Whether an index of the store is in memory, in use or not, for which `test` holds. */
  holds(storeId: string, test: (index: StoreIndex) => boolean): boolean {
    const entries = [...this.#entries.values(), ...[...this.#leaving.values()].flatMap((set) => [...set])];
    return entries.some(({ key, index }) => key.startsWith(`${storeId}/`) && index !== null && test(index));
  }

  /** Makes a committed write visible. Call in the same turn as the commit. Throws what the write throws. */
  apply(storeId: string, generation: number, write: IndexWrite): void {
    const entry = this.#entries.get(keyOf(storeId, generation));
    if (entry !== undefined) writeTo(entry, write);
  }

  /** The same for every generation of a store that is in memory or on its way there. */
  applyToStore(storeId: string, write: IndexWrite): void {
    for (const entry of this.#entries.values()) if (entry.key.startsWith(`${storeId}/`)) writeTo(entry, write);
  }

  /** Forgets an index, so that the next use loads it again. Readers that hold a lease finish with what they have. */
  invalidate(storeId: string, generation: number): void {
    const entry = this.#entries.get(keyOf(storeId, generation));
    if (entry !== undefined) this.#drop(entry);
  }

  /** Forgets an index and resolves when its last lease has ended: after that its files may be deleted. */
  async retire(storeId: string, generation: number): Promise<void> {
    await this.#retire(keyOf(storeId, generation));
  }

  /** The same for every index of a store: also of generations that are retired, which a waiter may have loaded again. */
  async retireStore(storeId: string): Promise<void> {
    const keys = new Set([...this.#entries.keys(), ...this.#leaving.keys()]);
    await Promise.all([...keys].filter((key) => key.startsWith(`${storeId}/`)).map((key) => this.#retire(key)));
  }

  async #retire(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#drop(entry);
    const waits = [...(this.#leaving.get(key) ?? [])].map((entry) => {
      entry.retired ??= Promise.withResolvers<void>();
      return entry.retired.promise;
    });
    await Promise.all(waits);
  }

  open(): StoreIndex[] {
    return [...this.#entries.values()].flatMap(({ index }) => index ?? []);
  }

  /** Whose indexes are open. */
  opened(): { storeId: string; generation: number; index: StoreIndex }[] {
    return [...this.#entries.values()].flatMap(({ key, index }) => {
      const [storeId = "", generation] = key.split("/");
      return index === null ? [] : [{ storeId, generation: Number(generation), index }];
    });
  }

  get stats(): RegistryStats {
    const open = this.open().map((index) => index.stats);
    return {
      open: open.length,
      loading: this.#entries.size - open.length,
      bytes: open.reduce((sum, stats) => sum + stats.bytes, 0),
      chunks: open.reduce((sum, stats) => sum + stats.chunks, 0),
      vectors: open.reduce((sum, stats) => sum + stats.vectors, 0),
      loads: this.#loads,
      evictions: this.#evictions,
    };
  }

  /** Stops loads and forgets everything. */
  close(): void {
    this.#closed = true;
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  #open(key: string, storeId: string, generation: number): Entry {
    const entry = this.#load(key, storeId, generation);
    this.#entries.set(key, entry);
    return entry;
  }

  #load(key: string, storeId: string, generation: number): Entry {
    const abort = new AbortController();
    const entry: Entry = {
      key,
      index: null,
      ready: this.#options.load(storeId, generation, abort.signal),
      abort,
      missed: [],
      leases: 0,
      load: ++this.#loads,
      retired: null,
      successor: null,
    };
    entry.ready = entry.ready.then(
      (index) => {
        for (const write of entry.missed) write(index);
        entry.missed.length = 0;
        entry.index = index;
        return index;
      },
      (error: unknown) => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      },
    );
    return entry;
  }

  #touch(entry: Entry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  /** The most recently used index always stays, whatever its size: it is the one that is needed. */
  #evict(): void {
    if (this.#entries.size < 2) return;
    let bytes = 0;
    for (const { index } of this.#entries.values()) bytes += index?.byteLength ?? 0;
    if (bytes <= this.#options.budgetBytes) return;
    const newest = [...this.#entries.keys()].at(-1);
    for (const entry of [...this.#entries.values()]) {
      if (bytes <= this.#options.budgetBytes) return;
      if (entry.leases > 0 || entry.index === null || entry.key === newest) continue;
      bytes -= entry.index.byteLength;
      this.#evictions++;
      this.#drop(entry);
    }
  }

  #drop(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    if (entry.index === null) entry.abort.abort();
    if (entry.successor?.index === null) entry.successor.abort.abort();
    if (entry.leases === 0) {
      entry.index?.close();
      return;
    }
    const leaving = this.#leaving.get(entry.key) ?? new Set();
    this.#leaving.set(entry.key, leaving.add(entry));
  }

  #release(entry: Entry): void {
    if (--entry.leases > 0) return;
    const leaving = this.#leaving.get(entry.key);
    if (leaving?.delete(entry) === true) {
      entry.index?.close();
      if (leaving.size === 0) this.#leaving.delete(entry.key);
    }
    entry.retired?.resolve();
  }
}

function writeTo({ index, missed, successor }: Entry, write: IndexWrite): void {
  if (index === null) missed.push(write);
  else writeIntact(index, write);
  if (successor !== null) writeTo(successor, write);
}

/** Whoever asks next for one that is not intact has it loaded anew, and this write with it. */
function writeIntact(index: StoreIndex, write: IndexWrite): void {
  if (!index.isIntact) return;
  try {
    write(index);
  } catch (error) {
    if (index.isIntact) throw error;
  }
}

function keyOf(storeId: string, generation: number): string {
  return `${storeId}/${generation}`;
}

function lease(index: StoreIndex, end: () => void): IndexLease {
  let held = true;
  const release = (): void => {
    if (held) end();
    held = false;
  };
  return { index, release, [Symbol.dispose]: release };
}
