import { retireDirectory } from "../index/generation.ts";
import { IndexRegistry } from "../index/registry.ts";
import type { StoreIndex } from "../index/store-index.ts";
import { attachGraph, graphDirectory, removeGraphsOfStore, removeStrayGraphs } from "../jobs/build-graph.ts";
import { GraphWatch } from "../jobs/graph-watch.ts";
import type { IndexWrites } from "../jobs/ingest.ts";
import { addSlice, growFile, loadIndex, replaceFile } from "../jobs/load-index.ts";
import type { Log } from "../platform/log.ts";
import type { Natives } from "../platform/native.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { StoreRow } from "../storage/stores.ts";

export interface IndexSettings {
  /** Memory of all open indexes, MiB. */
  indexMemoryMb: number;
  /** Vectors from which on a store's index has a graph. */
  hnswThreshold: number;
}

export interface IndexParts {
  dataDir: string;
  storage: Storage;
  natives: Natives;
  log: Log;
  /** There is a graph to build. */
  wakeJobs: () => void;
}

/** The indexes in memory and the graphs beside them: caches of what storage holds. */
export interface Indexes extends Disposable {
  readonly registry: IndexRegistry;
  /** What an ingest writes, in the turn of its commit. */
  readonly writes: IndexWrites;
  /** A generation's index grew, or may need a graph. */
  touch(generation: GenerationRow): void;
  removeFile(storeId: string, storeFile: number): void;
  setAttributes(storeId: string, storeFile: number, attributes: Record<string, string | number | boolean>): void;
  /** A file got more chunks in a generation; called in the turn of the commit. */
  growFile(file: StoreFileRow, generation: GenerationRow): void;
  /** What answers searches of the store now: an index that is not in memory will say when it is. */
  kindOf(store: StoreRow): "exact" | "hnsw";
  /** Forces, forbids or frees the choice of the index of a store. */
  setMode(storeId: string, mode: StoreRow["index_mode"]): void;
  /** A deleted store's indexes leave memory when their last reader has ended; its graphs leave the disk. */
  forgetStore(storeId: string): Promise<void>;
  /** The graph of a generation that is out of use leaves the disk. */
  removeGraph(generation: Pick<GenerationRow, "store_id" | "id">): void;
}

const MB = 1024 * 1024;

/** Nothing is loaded before it is asked for; graphs that belong to nothing are removed. */
export async function openIndexes(settings: IndexSettings, parts: IndexParts): Promise<Indexes> {
  await removeStrayGraphs(parts.storage, parts.dataDir);
  return new OpenIndexes(settings, parts);
}

class OpenIndexes implements Indexes {
  readonly registry: IndexRegistry;
  readonly writes: IndexWrites;
  readonly #settings: IndexSettings;
  readonly #parts: IndexParts;
  readonly #watch: GraphWatch;

  constructor(settings: IndexSettings, parts: IndexParts) {
    const { storage } = parts;
    this.#settings = settings;
    this.#parts = parts;
    const registry = new IndexRegistry({
      budgetBytes: settings.indexMemoryMb * MB,
      load: (storeId, generation, signal) => this.#load(storeId, generation, signal),
    });
    this.registry = registry;
    this.#watch = new GraphWatch({
      storage,
      tryAcquire: (storeId, generation) => registry.tryAcquire(storeId, generation),
      wakeJobs: parts.wakeJobs,
    });
    this.writes = {
      addChunks: (file, generation, slice) => {
        registry.apply(file.store_id, generation.id, (index) => addSlice(index, file, slice));
        this.touch(generation);
      },
      removeFile: (storeId, generation, storeFile) =>
        registry.apply(storeId, generation, (index) => index.removeFile(storeFile)),
      loadOf: (storeId, generation) => registry.loadOf(storeId, generation),
      replaceFile: ({ store_id, seq }, generation) =>
        registry.apply(store_id, generation.id, (index) => replaceFile(storage.indexReads, index, { generation, seq })),
    };
  }

  touch(generation: GenerationRow): void {
    this.#watch.touch(generation);
  }

  removeFile(storeId: string, storeFile: number): void {
    this.registry.applyToStore(storeId, (index) => index.removeFile(storeFile));
  }

  setAttributes(storeId: string, storeFile: number, attributes: Record<string, string | number | boolean>): void {
    this.registry.applyToStore(storeId, (index) => index.setAttributes(storeFile, attributes));
  }

  growFile({ store_id, seq }: StoreFileRow, generation: GenerationRow): void {
    const { indexReads } = this.#parts.storage;
    this.registry.apply(store_id, generation.id, (index) => growFile(indexReads, index, { generation, seq }));
    this.touch(generation);
  }

  kindOf(store: StoreRow): "exact" | "hnsw" {
    if (store.live_generation === null) return "exact";
    using lease = this.registry.tryAcquire(store.id, store.live_generation);
    return lease?.index.stats.used === "hnsw" ? "hnsw" : "exact";
  }

  setMode(storeId: string, mode: StoreRow["index_mode"]): void {
    this.registry.applyToStore(storeId, (index) => index.setKind(mode));
    void this.#watchGraphsOf(storeId);
  }

  async forgetStore(storeId: string): Promise<void> {
    const { storage, dataDir } = this.#parts;
    for (const generation of await storage.generations.idsOfStore(storeId)) {
      await this.registry.retire(storeId, generation);
    }
    removeGraphsOfStore(dataDir, storeId);
  }

  removeGraph({ store_id, id }: Pick<GenerationRow, "store_id" | "id">): void {
    retireDirectory(graphDirectory(this.#parts.dataDir, store_id, id));
  }

  [Symbol.dispose](): void {
    this.registry.close();
    this.#watch[Symbol.dispose]();
  }

  async #load(storeId: string, generationId: number, signal: AbortSignal): Promise<StoreIndex> {
    const { storage, dataDir, natives, log } = this.#parts;
    const generation = await storage.generations.byId(generationId);
    if (generation === null || generation.store_id !== storeId) throw new Error(`generation ${generationId} is gone`);
    const index = await loadIndex({ storage, graphFrom: this.#settings.hnswThreshold }, generation, signal);
    const mode = (await storage.stores.get(generation.tenant_id, storeId))?.index_mode;
    index.setKind(mode ?? "auto");
    await attachGraph({ dataDir, natives, log }, generation, index);
    this.touch(generation);
    return index;
  }

  /** Another kind of index may need a graph; looked at in the background, and again with the next change if that fails. */
  async #watchGraphsOf(storeId: string): Promise<void> {
    const { storage, log } = this.#parts;
    try {
      for (const id of await storage.generations.idsOfStore(storeId)) {
        const row = await storage.generations.byId(id);
        if (row !== null) this.touch(row);
      }
    } catch (error) {
      log.debug("the graphs of a store were not looked at", { store: storeId, error: String(error) });
    }
  }
}
