import type { IndexLease, IndexRegistry } from "../index/registry.ts";
import type { StoreIndex } from "../index/store-index.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../platform/log.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { type LookTimes, RepeatedLook } from "../platform/repeated-look.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { StoreFileSeq, TenantId } from "../storage/ids.ts";
import { type Changed, type StoreVersion, tellAll } from "../storage/store-changes.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { FreshIndex, type FreshIndexDeps } from "./fresh-index.ts";

/** A store as whoever asks has read it: what is committed by then is in the answer. */
export type StoreAt = Pick<StoreRow, "id" | "version">;

export interface FreshIndexesDeps {
  storage: FreshIndexDeps["storage"] & Pick<Storage, "storeChanges">;
  registry: IndexRegistry;
  log: Log;
  turns: FreshIndexDeps["turns"];
  /** How many runs of the database's server were seen: what an index has of an earlier one may never have lasted. */
  runs(): number;
  grew(generation: GenerationRow): void;
  /** The store's index is to be of another kind. */
  modeChanged(storeId: string): void;
  /** Nobody searches the generation any more. Resolves when its index is out of memory. */
  retired(generation: Pick<GenerationRow, "id" | "store_id">): Promise<void>;
  /** The same for a store that is being deleted, or is. */
  storeGone(storeId: string): Promise<void>;
}

/** Of looks at what other servers changed, so that a search seldom finds much to do; later where the database does not answer. */
const TIMES: LookTimes = { everyMs: 250, failedMs: 1000 };
/** Every so many looks, also for stores whose indexes left memory: of what was read for them something is still here. */
const WIDE_EVERY = 40;
/** Changes of such a store that are looked at one by one; files, where that is not possible. */
const MOST_CHANGES = 1000;
const FILES = 500;
/** An index is brought up to a version by one step, by two where one was under way, by more where a file was written at. */
const MOST_STEPS = 20;

/** An index as it was read; `run`: of the database's server when that was begun. */
interface Known {
  readonly fresh: FreshIndex;
  readonly run: number;
}

/** What was read of a store by this process. */
interface Read {
  readonly tenantId: string;
  readonly generations: Set<number>;
  /** Of what was removed up to this version nothing is here. */
  version: number;
}

/**
 * The indexes of a server that shares its database: a search gets one that has everything of the store that was committed
 * before the search began, whichever server it was committed on. See jobs/fresh-index.ts for how one is brought up to date.
 */
export class FreshIndexes implements AsyncDisposable {
  readonly #deps: FreshIndexesDeps;
  readonly #known = new WeakMap<StoreIndex, Known>();
  readonly #read = new Map<string, Read>();
  readonly #repeated: RepeatedLook;
  #looks = 0;
  /** Something may be here of files that were removed, of which no change tells any more. */
  #isUnswept = false;
  #isClosed = false;

  constructor(deps: FreshIndexesDeps) {
    this.#deps = deps;
    this.#repeated = new RepeatedLook(
      () => this.look(),
      TIMES,
      (error) => deps.log.debug("changes of other servers were not looked at", { error: messageOf(error) }),
    );
  }

  start(): void {
    this.#repeated.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#repeated[Symbol.asyncDispose]();
  }

  /** An index was read from the database; `version` of its store, and `run` of the server, before that was begun. */
  loaded(index: StoreIndex, generation: GenerationRow, { version, run }: { version: number; run: number }): void {
    const { storage, turns, grew } = this.#deps;
    const changed = (of: GenerationRow, store: StoreRow, change: Changed) => this.#changed(of, store, change);
    const fresh = new FreshIndex({ storage, turns, grew, changed }, { index, generation, version });
    this.#known.set(index, { fresh, run });
    const { tenant_id: tenantId, store_id: storeId, id } = generation;
    const read = this.#read.get(storeId);
    if (read === undefined) this.#read.set(storeId, { tenantId, generations: new Set([id]), version });
    else read.generations.add(id);
  }

  /** Chunks of a file came through here on their way to an index, which need not be in memory. */
  copied({ tenant_id: tenantId, store_id: storeId, id }: GenerationRow): void {
    const read = this.#read.get(storeId);
    // What was removed before is looked at too: the store's version is not known here.
    if (read === undefined) this.#read.set(storeId, { tenantId, generations: new Set([id]), version: 0 });
    else read.generations.add(id);
  }

  of(index: StoreIndex): FreshIndex | null {
    return this.#known.get(index)?.fresh ?? null;
  }

  /** The index of a generation with everything up to the store's version. Rejects with what the database says. */
  async acquire(store: StoreAt, generation: number): Promise<IndexLease> {
    const { registry } = this.#deps;
    for (;;) {
      const lease = await registry.acquire(store.id, generation);
      try {
        if (await this.#bring(lease.index, store.version)) return lease;
      } catch (error) {
        lease.release();
        throw error;
      }
      this.#invalidate(store.id, generation, lease.index);
      lease.release();
    }
  }

  /** False where it has to be loaded anew. */
  async #bring(index: StoreIndex, version: number): Promise<boolean> {
    const known = this.#known.get(index);
    if (known === undefined) return true;
    const { fresh, run } = known;
    if (run !== this.#deps.runs()) return false;
    const begun = fresh.begun;
    for (let step = 0; !fresh.isAt(version); step++) {
      if (step === MOST_STEPS || !(await fresh.bring())) return false;
      // What this server went on writing since is later than the caller.
      if (fresh.isBroughtAfter(begun)) return true;
    }
    return true;
  }

  /** One look at what changed in the stores that are here. */
  async look(): Promise<void> {
    const { storage, registry } = this.#deps;
    const opened = registry.opened();
    const isWide = this.#looks++ % WIDE_EVERY === 0;
    const ids = new Set(opened.map(({ storeId }) => storeId));
    if (isWide) for (const id of this.#read.keys()) ids.add(id);
    if (ids.size === 0) return;
    const before = new Map(opened.map(({ index }) => [index, this.#known.get(index)?.fresh.version ?? 0]));
    const rows = new Map((await storage.storeChanges.versions([...ids])).map((row) => [row.id, row]));
    if (isWide && this.#isUnswept) await this.#sweep();
    for (const { storeId, generation, index } of opened) {
      const row = rows.get(storeId);
      if (row === undefined || row.lifecycle === "deleting") continue;
      // The database was put back: what the index has may never have been.
      if (row.version < (before.get(index) ?? 0)) this.#invalidate(storeId, generation, index);
      else await this.#follow({ storeId, generation }, row.version);
      if (this.#isClosed) return;
    }
    for (const id of ids) {
      const row = rows.get(id);
      if (row === undefined || row.lifecycle === "deleting") await this.#storeGone(id);
      else if (isWide && !opened.some(({ storeId }) => storeId === id)) await this.#forgetRemoved(row);
    }
  }

  async #follow({ storeId, generation }: { storeId: string; generation: number }, version: number): Promise<void> {
    using lease = this.#deps.registry.borrow(storeId, generation);
    if (lease === null || (await this.#bring(lease.index, version))) return;
    this.#invalidate(storeId, generation, lease.index);
  }

  #invalidate(storeId: string, generation: number, index: StoreIndex): void {
    const { registry } = this.#deps;
    this.#isUnswept = true;
    if (registry.peek(storeId, generation) === index) registry.invalidate(storeId, generation);
  }

  #changed(of: GenerationRow, store: StoreRow, { kind, generation }: Changed): void {
    if (kind === "mode") this.#deps.modeChanged(store.id);
    if (generation === null) return;
    // Loaded ahead of the first search, where the generation before it is here.
    if (kind === "next" || kind === "live") void this.#preload(store, of, generation);
    if (kind === "retired") void this.#retire(store, generation);
  }

  async #preload(store: StoreAt, of: GenerationRow, generation: number): Promise<void> {
    const { registry, log } = this.#deps;
    if (of.id === generation || registry.has(store.id, generation) || this.#isClosed) return;
    try {
      (await registry.acquire(store.id, generation)).release();
    } catch (error) {
      log.debug("an index was not loaded ahead", { store: store.id, error: messageOf(error) });
    }
  }

  /** After its last search, and unless one has loaded it again: then it leaves with the store, or the process. */
  async #retire({ id: storeId }: StoreAt, generation: number): Promise<void> {
    const { retired, log } = this.#deps;
    // Every index of the store learns of it.
    if (this.#read.get(storeId)?.generations.delete(generation) !== true) return;
    try {
      await retired({ store_id: storeId, id: generation });
      await this.#forgetGeneration(storeId, generation);
    } catch (error) {
      log.debug("a generation was not forgotten", { store: storeId, error: messageOf(error) });
    }
  }

  async #storeGone(storeId: string): Promise<void> {
    const read = this.#read.get(storeId);
    await this.#deps.storeGone(storeId);
    for (const generation of read?.generations ?? []) await this.#forgetGeneration(storeId, generation);
    this.#read.delete(storeId);
  }

  /** Of an index that is not here. */
  async #forgetGeneration(storeId: string, generation: number): Promise<void> {
    const { registry, storage } = this.#deps;
    const isNeeded = () => this.#isClosed || registry.has(storeId, generation);
    while (!isNeeded() && storage.indexReads.forgetGeneration(generation)) await nextTurn();
  }

  /** Of a store without an index here: what was read of files that were removed since. */
  async #forgetRemoved({ tenant_id: tenantId, id: storeId, version }: StoreVersion): Promise<void> {
    const { storage } = this.#deps;
    const read = this.#read.get(storeId);
    if (read === undefined || read.version === version) return;
    const { version: from } = read;
    const of = { tenant_id: tenantId, store_id: storeId, id: 0 };
    const changes = await storage.storeChanges.since(of, { from, to: version, limit: MOST_CHANGES });
    if (tellAll(changes, from, version))
      await this.#forgetOld(tenantId, [...new Set(changes.flatMap(({ store_file: seq }) => seq ?? []))]);
    else this.#isUnswept = true;
    read.version = version;
  }

  /** What was read of these files in earlier revisions than they have now. */
  async #forgetOld(tenantId: TenantId, seqs: readonly StoreFileSeq[]): Promise<void> {
    const { indexReads, storeFiles } = this.#deps.storage;
    const rows = new Map((await storeFiles.bySeqs(tenantId, seqs)).map((row) => [row.seq, row]));
    for (const seq of seqs) indexReads.forget(seq, rows.get(seq)?.revision);
  }

  /** Looks at every file of which something is here. */
  async #sweep(): Promise<void> {
    const { indexReads } = this.#deps.storage;
    this.#isUnswept = false;
    for (let after = 0; !this.#isClosed;) {
      const kept = indexReads.kept(after, FILES);
      for (const [tenantId, files] of Map.groupBy(kept, (file) => file.tenant_id))
        await this.#forgetOld(
          tenantId,
          files.map((file) => file.store_file),
        );
      const last = kept.at(-1);
      if (last === undefined) return;
      after = last.store_file;
      await nextTurn();
    }
  }
}
