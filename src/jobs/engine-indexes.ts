import { messageOf } from "../errors.ts";
import type { EngineLease } from "../index/engine.ts";
import { GRAPH_FROM_VECTORS } from "../index/graph-work.ts";
import type { Log } from "../platform/log.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { type LookTimes, RepeatedLook } from "../platform/repeated-look.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { canHaveGraph } from "../storage/postgres/engine-schema.ts";
import type { EngineState, EngineTables } from "../storage/postgres/engine-tables.ts";
import type { Storage } from "../storage/storage.ts";
import { EngineIndex } from "./engine-index.ts";
import { bringOnce, loadSome } from "./engine-writes.ts";
import type { StoreAt } from "./fresh-indexes.ts";
import { nextShareOf } from "./load-index.ts";

export interface EngineIndexesDeps {
  tables: EngineTables;
  storage: Pick<Storage, "generations" | "stores">;
  log: Log;
  /** Chunks from which on a store is searched in the database; 0: every store, from its first search on. */
  from: number;
  /** Vectors from which on it has a graph. */
  graphFrom?: number | undefined;
}

/** Of looks at what is to be done; later where the database does not answer. */
const TIMES: LookTimes = { everyMs: 500, failedMs: 2000 };
/** Every so many looks, also for stores that grew large, and for tables that nobody uses. */
const WIDE_EVERY = 20;
/** Vectors that are moved into a graph at a time: each takes milliseconds, and nobody else writes to the tables meanwhile. */
const MOVED_AT_ONCE = 50;
/** Of the vectors so many may be beside the graph, at least and as a share of all, before it is built anew. */
const MUCH_FRESH = 20_000;
const FRESH_SHARE = 0.2;
/** A store keeps its tables until it has fewer chunks than this share of those from which it gets them. */
const KEPT_SHARE = 0.5;
/** Steps by which tables are brought up to a version; with more somebody changes the store faster than it can be followed. */
const MOST_STEPS = 1000;

/**
 * The generations of large stores that are searched in the database, where its extension `vector` is there. Their tables are a
 * cache in the database of what is in the database (storage/postgres/engine-schema.ts), which all servers share:
 *
 * - A search brings them to the version of its store first, in the transaction of whoever does it first. So what was
 *   acknowledged anywhere is found, as with indexes in memory (fresh-indexes.ts).
 * - Whatever is to be done is found in rows, by every server, every half second: tables to fill, to index, to bring up to date,
 *   to drop. A server that dies in the middle leaves a transaction undone, which another does.
 * - Until the tables of a generation are whole, and where anything is wrong with them, it is searched in memory.
 */
export class EngineIndexes implements AsyncDisposable {
  readonly #deps: EngineIndexesDeps;
  /** Those with tables, as they were at the last look. */
  #states = new Map<number, EngineState>();
  readonly #bringing = new Map<number, Promise<boolean>>();
  readonly #filling = new Map<number, Promise<void>>();
  readonly #repeated: RepeatedLook;
  #looks = 0;
  #isClosed = false;

  constructor(deps: EngineIndexesDeps) {
    this.#deps = deps;
    this.#repeated = new RepeatedLook(
      () => this.look(),
      TIMES,
      (error) =>
        deps.log.debug("generations that the database searches were not looked at", { error: messageOf(error) }),
    );
  }

  start(): void {
    this.#repeated.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#repeated[Symbol.asyncDispose]();
    await Promise.allSettled([...this.#filling.values(), ...this.#bringing.values()]);
  }

  /** With everything of the store up to its version; null where the generation is searched in memory. */
  async acquire(store: StoreAt, id: number): Promise<EngineLease | null> {
    const { tables, storage, from } = this.#deps;
    if (from > 0 && this.#states.get(id)?.state !== "ready") return null;
    const [generation, listed] = await Promise.all([storage.generations.byId(id), tables.state(id)]);
    if (generation === null) return null;
    let state = listed;
    if (from === 0 && state?.state !== "ready") {
      await this.prepare(generation);
      state = await tables.state(id);
    }
    for (let step = 0; step < MOST_STEPS && !this.#isClosed; step++) {
      if (state === null || state.state !== "ready") return null;
      this.#states.set(id, state);
      if (state.version >= store.version) return leaseOf(this.#indexOf(generation, state));
      if (!(await this.#bring(id, true))) return null;
      state = await tables.state(id);
    }
    return null;
  }

  /** Resolves when the tables of a generation are whole, where it is to have any. */
  async prepare(generation: GenerationRow): Promise<void> {
    const { tables, storage, from } = this.#deps;
    if (this.#states.get(generation.id)?.state === "ready") return;
    const store = await storage.stores.get(generation.tenant_id, generation.store_id);
    if (store === null || store.n_chunks < from) return;
    await tables.prepare(generation);
    await this.#fill(generation.id);
  }

  /** What is committed of a store by now is what its tables have. */
  async bringStore(storeId: string): Promise<void> {
    for (const id of await this.#deps.tables.ofStore(storeId))
      await this.#bring(id, this.#states.get(id)?.state === "ready");
  }

  async dropStore(storeId: string): Promise<void> {
    for (const id of await this.#deps.tables.ofStore(storeId)) await this.#drop(id);
  }

  /** Whether anything of a file, or (null) of a store, is in its tables. */
  async has(storeId: string, storeFile: number | null): Promise<boolean> {
    const { tables } = this.#deps;
    return storeFile === null ? (await tables.ofStore(storeId)).length > 0 : await tables.hasFile(storeId, storeFile);
  }

  /** What searches of the generation use, by the last look; null where they are answered in memory. */
  kindOf(id: number): "exact" | "hnsw" | null {
    const state = this.#states.get(id);
    if (state?.state !== "ready") return null;
    return state.graph === 1 && state.index_mode !== "exact" ? "hnsw" : "exact";
  }

  /** One look at what is to be done. */
  async look(): Promise<void> {
    const { tables, from, log } = this.#deps;
    if (this.#looks++ % WIDE_EVERY === 0) {
      for (const id of await tables.strays(Math.floor(from * KEPT_SHARE))) await this.#drop(id);
      if (from > 0) for (const id of await tables.large(from)) await this.#begin(id);
    }
    const states = await tables.states();
    this.#states = new Map(states.map((state) => [state.id, state]));
    for (const state of states) {
      if (this.#isClosed) return;
      // The database was put back.
      if (state.store_version < state.version) await this.#drop(state.id);
      else if (state.state === "loading") this.#fillBeside(state.id);
      else if (this.#needsGraph(state)) await tables.reopen(state.id);
      else if (state.version < state.store_version) await this.#bring(state.id, false);
      else if (state.fresh > 0) await tables.moveFresh(state.id, MOVED_AT_ONCE);
    }
    log.debug("generations that the database searches were looked at", { generations: states.length });
  }

  #indexOf(generation: GenerationRow, state: EngineState): EngineIndex {
    return new EngineIndex(this.#deps.tables.searchOf(state), state, nextShareOf(generation));
  }

  /** Anew where much has come since it was built: to put one vector after another into it takes longer. */
  #needsGraph(state: EngineState): boolean {
    if (state.graph === 0) return this.#wantsGraph(state);
    return state.fresh > Math.max(MUCH_FRESH, state.vectors * FRESH_SHARE);
  }

  #wantsGraph({
    index_mode: mode,
    vectors,
    dimensions,
  }: Pick<EngineState, "index_mode" | "vectors" | "dimensions">): boolean {
    if (!canHaveGraph(dimensions) || mode === "exact") return false;
    return vectors >= (mode === "hnsw" ? 1 : (this.#deps.graphFrom ?? GRAPH_FROM_VECTORS));
  }

  async #begin(id: number): Promise<void> {
    const generation = await this.#deps.storage.generations.byId(id);
    if (generation !== null) await this.#deps.tables.prepare(generation);
  }

  /**
   * Everything that is committed by now; those who at the same time want it share it. Where another server does it, it is
   * waited for, or left to that one. False: there are no tables any more.
   */
  async #bring(id: number, waits: boolean): Promise<boolean> {
    let bringing = this.#bringing.get(id);
    if (bringing === undefined) {
      bringing = this.#bringNow(id, waits).finally(() => this.#bringing.delete(id));
      this.#bringing.set(id, bringing);
    }
    return await bringing;
  }

  async #bringNow(id: number, waits: boolean): Promise<boolean> {
    for (let step = 0; step < MOST_STEPS && !this.#isClosed; step++) {
      const brought = await bringOnce(this.#deps.tables, id, waits);
      if (brought === "current" || brought === "busy") return true;
      if (brought !== "more") {
        await this.#drop(id);
        return false;
      }
      await nextTurn();
    }
    return true;
  }

  #fillBeside(id: number): void {
    // One at a time: it is the database that works.
    if (this.#filling.size > 0) return;
    this.#fill(id).catch((error: unknown) => {
      this.#deps.log.warn("tables of a large store could not be filled, and are tried again", {
        generation: id,
        error: messageOf(error),
      });
    });
  }

  async #fill(id: number): Promise<void> {
    let filling = this.#filling.get(id);
    if (filling === undefined) {
      filling = this.#fillNow(id).finally(() => this.#filling.delete(id));
      this.#filling.set(id, filling);
    }
    await filling;
  }

  async #fillNow(id: number): Promise<void> {
    const { tables, log } = this.#deps;
    const startedAt = performance.now();
    while (await loadSome(tables, id)) {
      if (this.#isClosed) return;
      // What changed meanwhile is known for an hour only.
      await this.#bring(id, false);
      await nextTurn();
    }
    const state = await tables.state(id);
    if (state === null || state.state === "ready" || this.#isClosed) return;
    await tables.finish(id, (vectors) => this.#wantsGraph({ ...state, vectors }));
    this.#states.set(id, (await tables.state(id)) ?? state);
    const ms = Math.round(performance.now() - startedAt);
    log.info("a store is searched in the database from now on", { store: state.store_id, chunks: state.chunks, ms });
  }

  async #drop(id: number): Promise<void> {
    this.#states.delete(id);
    await this.#deps.tables.drop(id);
  }
}

/** Nothing is held: tables that are dropped meanwhile end the search, which is then asked again. */
function leaseOf(index: EngineIndex): EngineLease {
  return { index, release() {}, [Symbol.dispose]() {} };
}
