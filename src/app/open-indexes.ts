import { existsSync, rmSync } from "node:fs";
import type { EngineLease } from "../index/engine.ts";
import { retireDirectory } from "../index/generation.ts";
import { useSearchThreads } from "../index/native-scan.ts";
import { IndexRegistry } from "../index/registry.ts";
import type { StoreIndex } from "../index/store-index.ts";
import {
  attachGraph,
  graphDirectory,
  hasGraphsOfStore,
  removeGraphsOfStore,
  removeStrayGraphs,
} from "../jobs/build-graph.ts";
import { EngineIndexes } from "../jobs/engine-indexes.ts";
import { FreshIndexes, type StoreAt } from "../jobs/fresh-indexes.ts";
import { GraphWatch } from "../jobs/graph-watch.ts";
import { ImageWatch } from "../jobs/image-watch.ts";
import { imagePath, openIndexImage } from "../jobs/index-image.ts";
import { type ImageEnd, imagesBefore, removeImage, scheduleImage } from "../jobs/write-image.ts";
import type { IndexWrites } from "../jobs/ingest.ts";
import { addSlice, growFile, loadIndex, loadTurns, replaceFile } from "../jobs/load-index.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import type { Natives } from "../platform/native.ts";
import type { EngineTables } from "../storage/postgres/engine-tables.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { StoreRow } from "../storage/stores.ts";
import { INDEX_IMAGES } from "./metric-list.ts";

export interface IndexSettings {
  /** Memory of all open indexes, MiB. */
  indexMemoryMb: number;
  /** Vectors from which on a store's index has a graph. */
  hnswThreshold: number;
  /** That search beside the serving thread. */
  searchThreads: number;
  /** Chunks from which on a store is searched in the database, where it can. */
  pgvectorFrom: number;
}

export interface IndexParts {
  dataDir: string;
  storage: Storage;
  /**
   * How many runs of the database's server were seen (others may use it too). Null where the database is a file here, which
   * nobody else writes: images of indexes are made of it.
   */
  serverRuns: (() => number) | null;
  /** Of stores that the database searches; null where it cannot. */
  engine: EngineTables | null;
  natives: Natives;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  /** There is a graph to build, or an image to write. */
  wakeJobs: () => void;
  /** Builds a graph on this server, where jobs are shared with others; null: by a job. */
  buildHere: ((generation: GenerationRow) => void) | null;
}

/** The indexes in memory, and the graphs and images beside them: caches of what storage holds. */
export interface Indexes extends AsyncDisposable {
  readonly registry: IndexRegistry;
  /** Of large stores that the database searches; null where it cannot. */
  readonly engine: EngineIndexes | null;
  /** For whoever searches it: with everything of the store that was committed when the store was read, by any server. */
  acquire(store: StoreAt, generation: number): Promise<EngineLease>;
  /** The same for a store that was not read: with everything that is committed by now. A generation that may be live next is made ready. */
  acquireNow(storeId: string, generation: number): Promise<EngineLease>;
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
  imageEnded(generation: GenerationRow, end: ImageEnd): void;
  /** Generations of the store whose images may hold what was there at this time. */
  imagesOf(storeId: string, atSeconds: number): number[];
  /** Has such images be written anew, or (`atOnce`) removes them. */
  renewImages(storeId: string, atSeconds: number, atOnce: boolean): Promise<void>;
  /** Whether anything of the store's indexes is on the disk. */
  hasFilesOf(storeId: string): boolean;
  /** Of the images that open indexes lie on. */
  mappedBytes(): number;
  /** The graph and the image of a generation that is out of use leave the disk. */
  removeGraph(generation: Pick<GenerationRow, "store_id" | "id">): void;
}

const MB = 1024 * 1024;

/** Nothing is loaded before it is asked for; graphs that belong to nothing are removed. */
export async function openIndexes(settings: IndexSettings, parts: IndexParts): Promise<Indexes> {
  await removeStrayGraphs(parts.storage, parts.dataDir);
  useSearchThreads(settings.searchThreads);
  const indexes = new OpenIndexes(settings, parts);
  indexes.follow();
  return indexes;
}

class OpenIndexes implements Indexes {
  readonly registry: IndexRegistry;
  readonly writes: IndexWrites;
  readonly #settings: IndexSettings;
  readonly #parts: IndexParts;
  readonly #watch: GraphWatch;
  readonly #images: ImageWatch | null;
  /** Null where nobody else writes: then an index in memory is never behind. */
  readonly #fresh: FreshIndexes | null;
  readonly engine: EngineIndexes | null;
  readonly #mapped = new WeakMap<StoreIndex, number>();

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
      buildHere: parts.buildHere,
    });
    this.#fresh = parts.serverRuns === null ? null : this.#followOthers(parts.serverRuns);
    this.#images =
      parts.serverRuns === null
        ? new ImageWatch({
            storage,
            clock: parts.clock,
            peek: (storeId, generation) => registry.peek(storeId, generation),
            hasImage: ({ store_id, id }) => existsSync(imagePath(parts.dataDir, store_id, id)),
            wakeJobs: parts.wakeJobs,
          })
        : null;
    this.engine = this.#engineOf(parts.engine);
    this.writes = this.#ingestWrites();
  }

  async acquire(store: StoreAt, generation: number): Promise<EngineLease> {
    if (this.engine !== null) {
      const engine = await this.engine.acquire(store, generation);
      if (engine !== null) {
        // Not needed in memory any more.
        if (this.registry.has(store.id, generation)) this.registry.invalidate(store.id, generation);
        return engine;
      }
    }
    if (this.#fresh === null) return await this.registry.acquire(store.id, generation);
    return await this.#fresh.acquire(store, generation);
  }

  async acquireNow(storeId: string, generation: number): Promise<EngineLease> {
    const row = this.engine === null ? null : await this.#parts.storage.generations.byId(generation);
    if (row !== null) await this.engine?.prepare(row);
    const store = this.#fresh === null ? null : await this.#parts.storage.stores.ofAnyTenant(storeId);
    return await this.acquire(store ?? { id: storeId, version: 0 }, generation);
  }

  /** Begins to look at what other servers change. */
  follow(): void {
    this.#fresh?.start();
    this.engine?.start();
  }

  touch(generation: GenerationRow): void {
    this.#watch.touch(generation);
    this.#images?.touch(generation);
  }

  removeFile(storeId: string, storeFile: number): void {
    this.registry.applyToStore(storeId, (index) => {
      index.removeFile(storeFile);
      this.#fresh?.of(index)?.wrote(storeFile);
    });
  }

  setAttributes(storeId: string, storeFile: number, attributes: Record<string, string | number | boolean>): void {
    // Another server's may have come after these: the next search takes what is in the database.
    if (this.#fresh !== null) return;
    this.registry.applyToStore(storeId, (index) => index.setAttributes(storeFile, attributes));
  }

  growFile({ store_id, seq }: StoreFileRow, generation: GenerationRow): void {
    const { indexReads } = this.#parts.storage;
    // Another server may have added some before these: the same.
    if (this.#fresh !== null) return;
    this.registry.apply(store_id, generation.id, (index) => growFile(indexReads, index, { generation, seq }));
    this.touch(generation);
  }

  kindOf(store: StoreRow): "exact" | "hnsw" {
    if (store.live_generation === null) return "exact";
    const kind = this.engine?.kindOf(store.live_generation) ?? null;
    if (kind !== null) return kind;
    using lease = this.registry.tryAcquire(store.id, store.live_generation);
    return lease?.index.stats.used === "hnsw" ? "hnsw" : "exact";
  }

  setMode(storeId: string, mode: StoreRow["index_mode"]): void {
    this.registry.applyToStore(storeId, (index) => index.setKind(mode));
    void this.#watchGraphsOf(storeId);
  }

  async forgetStore(storeId: string): Promise<void> {
    await this.registry.retireStore(storeId);
    removeGraphsOfStore(this.#parts.dataDir, storeId);
    await this.engine?.dropStore(storeId);
  }

  imageEnded(generation: GenerationRow, end: ImageEnd): void {
    this.#images?.ended(generation, end);
    this.#parts.metrics.count(INDEX_IMAGES, { outcome: end.outcome });
  }

  imagesOf(storeId: string, atSeconds: number): number[] {
    return imagesBefore(this.#parts.dataDir, storeId, atSeconds * 1000 + 999);
  }

  hasFilesOf(storeId: string): boolean {
    return hasGraphsOfStore(this.#parts.dataDir, storeId);
  }

  async renewImages(storeId: string, atSeconds: number, atOnce: boolean): Promise<void> {
    const { storage, dataDir, clock, wakeJobs } = this.#parts;
    await this.engine?.bringStore(storeId);
    for (const id of this.imagesOf(storeId, atSeconds)) {
      const generation = await storage.generations.byId(id);
      if (generation === null || atOnce || this.#images === null) removeImage(dataDir, { store_id: storeId, id });
      else await scheduleImage(storage, generation, clock.nowMs());
    }
    wakeJobs();
  }

  mappedBytes(): number {
    return this.registry.open().reduce((sum, index) => sum + (this.#mapped.get(index) ?? 0), 0);
  }

  removeGraph({ store_id, id }: Pick<GenerationRow, "store_id" | "id">): void {
    retireDirectory(graphDirectory(this.#parts.dataDir, store_id, id));
    removeImage(this.#parts.dataDir, { store_id, id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine?.[Symbol.asyncDispose]();
    await this.#fresh?.[Symbol.asyncDispose]();
    this.registry.close();
    this.#watch[Symbol.dispose]();
    this.#images?.[Symbol.dispose]();
  }

  async #load(storeId: string, generationId: number, signal: AbortSignal): Promise<StoreIndex> {
    const { storage, dataDir, natives, log } = this.#parts;
    const run = this.#parts.serverRuns?.() ?? 0;
    const generation = await storage.generations.byId(generationId);
    const before = this.#fresh === null ? null : await storage.stores.ofAnyTenant(storeId);
    if (generation === null || generation.store_id !== storeId) throw new Error(`generation ${generationId} is gone`);
    const imaged =
      this.#images !== null && generation.state === "live" ? await this.#openImage(generation, signal) : null;
    const index = imaged ?? (await loadIndex(this.#source, generation, signal));
    this.#fresh?.loaded(index, generation, { version: before?.version ?? 0, run });
    const mode = (await storage.stores.get(generation.tenant_id, storeId))?.index_mode;
    index.setKind(mode ?? "auto");
    index.expectGraph(true);
    const attached = attachGraph({ dataDir, natives, log }, generation, index);
    // What is there at once does not wait for it: until it is attached, searches scan.
    if (imaged === null) await attached;
    void attached.then(() => {
      index.expectGraph(false);
      // Once the index has its place in the registry.
      setImmediate(() => this.touch(generation));
    });
    return index;
  }

  #ingestWrites(): IndexWrites {
    const { registry } = this;
    const { indexReads } = this.#parts.storage;
    return {
      addChunks: (file, generation, slice) => {
        this.#fresh?.copied(generation);
        registry.apply(file.store_id, generation.id, (index) => {
          if (slice.from === 0) this.#fresh?.of(index)?.enters(file.seq, file.revision);
          addSlice(index, file, slice);
        });
        this.touch(generation);
      },
      removeFile: (storeId, generation, storeFile) =>
        registry.apply(storeId, generation, (index) => {
          index.removeFile(storeFile);
          this.#fresh?.of(index)?.left(storeFile);
        }),
      loadOf: (storeId, generation) => registry.loadOf(storeId, generation),
      completed: ({ store_id, seq }, generation) =>
        registry.apply(store_id, generation.id, (index) => this.#fresh?.of(index)?.entered(seq)),
      replaceFile: ({ store_id, seq }, generation) =>
        registry.apply(store_id, generation.id, (index) => {
          replaceFile(indexReads, index, { generation, seq });
          this.#fresh?.of(index)?.left(seq);
        }),
    };
  }

  #engineOf(tables: EngineTables | null): EngineIndexes | null {
    if (tables === null) return null;
    const { storage, log } = this.#parts;
    const { pgvectorFrom: from, hnswThreshold: graphFrom } = this.#settings;
    return new EngineIndexes({ tables, storage, log, from, graphFrom });
  }

  #followOthers(runs: () => number): FreshIndexes {
    const { storage, log } = this.#parts;
    return new FreshIndexes({
      storage,
      registry: this.registry,
      log,
      turns: loadTurns(new AbortController().signal),
      runs,
      grew: (generation) => this.touch(generation),
      modeChanged: (storeId) => void this.#watchGraphsOf(storeId),
      retired: async (generation) => {
        await this.registry.retire(generation.store_id, generation.id);
        this.removeGraph(generation);
      },
      storeGone: (storeId) => this.forgetStore(storeId),
    });
  }

  get #source() {
    return { storage: this.#parts.storage, graphFrom: this.#settings.hnswThreshold };
  }

  /** Null where there is no image that can be used: then all is read from the database, and an image made of it. */
  async #openImage(generation: GenerationRow, signal: AbortSignal): Promise<StoreIndex | null> {
    const { dataDir, log, metrics } = this.#parts;
    const opened = await openIndexImage(this.#source, { dataDir, generation }, loadTurns(signal));
    if (!opened.ok && opened.reason === "missing") return null;
    metrics.count(INDEX_IMAGES, { outcome: opened.ok ? "opened" : opened.reason });
    if (opened.ok) {
      this.#mapped.set(opened.index, opened.mappedBytes);
      return opened.index;
    }
    const { reason, detail } = opened;
    log.warn("an index image is not used and is written anew", { store: generation.store_id, reason, detail });
    rmSync(imagePath(dataDir, generation.store_id, generation.id), { force: true });
    return null;
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
