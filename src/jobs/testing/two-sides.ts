/** Two servers over one database, for tests of indexes that one of them writes for: what one has in memory, what the other does. */
import { encodeTerms } from "../../index/analyzer.ts";
import { IndexRegistry } from "../../index/registry.ts";
import type { StoreIndex } from "../../index/store-index.ts";
import { createLog } from "../../platform/log.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { PostgresDatabase } from "../../storage/postgres/database.ts";
import { openRemoteStorage } from "../../storage/postgres/storage.ts";
import type { Storage } from "../../storage/storage.ts";
import type { FileAttributes } from "../../storage/store-files.ts";
import type { TestStorage } from "../../storage/testing/kinds.ts";
import { insertStoreFile } from "../../storage/testing/rows.ts";
import { FreshIndexes } from "../fresh-indexes.ts";
import { loadIndex, loadTurns } from "../load-index.ts";

export const T = "ten_a";
export const S = "vs_1";
export const STRATEGY = { maxTokens: 800, overlapTokens: 400 };

/** What one server has in memory of the database. */
export class Side implements AsyncDisposable {
  readonly storage: Storage;
  readonly registry: IndexRegistry;
  readonly fresh: FreshIndexes;
  readonly retired: number[] = [];
  readonly gone: string[] = [];
  /** Runs before each slice of chunks is read to bring an index up to date. */
  beforeSlice: () => Promise<void> = async () => {};
  looks = 0;
  /** Of the database's server. */
  runs = 1;
  readonly #close: () => void;

  private constructor(storage: Storage, close: () => void) {
    this.storage = storage;
    this.#close = close;
    this.registry = new IndexRegistry({ budgetBytes: 2 ** 30, load: (...asked) => this.#load(...asked) });
    this.fresh = new FreshIndexes({
      storage: {
        ...storage,
        storeChanges: {
          ...storage.storeChanges,
          since: (...asked) => {
            this.looks++;
            return storage.storeChanges.since(...asked);
          },
        },
        chunks: {
          ...storage.chunks,
          forIndex: async (...asked) => {
            const slice = await storage.chunks.forIndex(...asked);
            await this.beforeSlice();
            return slice;
          },
        },
      },
      registry: this.registry,
      log: createLog({ level: "error", format: "human", write: () => {} }),
      turns: loadTurns(new AbortController().signal),
      runs: () => this.runs,
      grew: () => {},
      modeChanged: () => {},
      retired: async ({ store_id, id }) => {
        await this.registry.retire(store_id, id);
        this.retired.push(id);
      },
      storeGone: async (id) => {
        await this.registry.retireStore(id);
        this.gone.push(id);
      },
    });
  }

  static async open(open: TestStorage, path: string): Promise<Side> {
    const remote = await openRemoteStorage(open.db as PostgresDatabase, path);
    return new Side(remote.storage, () => remote[Symbol.dispose]());
  }

  async #load(storeId: string, id: number, signal: AbortSignal): Promise<StoreIndex> {
    const generation = await this.storage.generations.byId(id);
    const store = await this.storage.stores.ofAnyTenant(storeId);
    if (generation === null || store === null) throw new Error("gone");
    const { runs: run } = this;
    const index = await loadIndex({ storage: this.storage }, generation, signal);
    this.fresh.loaded(index, generation, { version: store.version, run });
    return index;
  }

  /** As a search does. */
  async acquire(generation: GenerationRow) {
    const store = await this.storage.stores.get(T, S);
    if (store === null) throw new Error("gone");
    return await this.fresh.acquire(store, generation.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fresh[Symbol.asyncDispose]();
    this.registry.close();
    this.#close();
  }
}

/** What the other server does, and what is to be found then. */
export class Writer {
  readonly #storage: Storage;
  readonly #generation: GenerationRow;
  /** Of completed files: their chunks, and what they say of themselves. */
  readonly files = new Map<number, { revision: number; chunks: number[]; attributes: FileAttributes }>();
  readonly gone: number[] = [];
  #made = 0;

  constructor(storage: Storage, generation: GenerationRow) {
    this.#storage = storage;
    this.#generation = generation;
  }

  async add(count: number, attributes: FileAttributes = {}): Promise<number> {
    const fileId = `file-${++this.#made}`;
    const { seq } = await insertStoreFile(this.#storage, { tenantId: T, storeId: S, fileId, attributes });
    await this.#fill(seq, 1, count);
    this.files.set(seq, { revision: 1, chunks: await this.#complete(seq, 1, count), attributes });
    return seq;
  }

  async remove(seq: number): Promise<void> {
    await this.#storage.storeFiles.remove(T, seq);
    this.#leave(seq);
  }

  async replace(seq: number, count: number): Promise<void> {
    const { revision, attributes } = this.files.get(seq) ?? { revision: 0, attributes: {} };
    await this.#storage.storeFiles.reindex(T, seq, STRATEGY);
    this.#leave(seq);
    await this.#fill(seq, revision + 1, count);
    const chunks = await this.#complete(seq, revision + 1, count);
    this.files.set(seq, { revision: revision + 1, chunks, attributes });
  }

  async describe(seq: number, attributes: FileAttributes): Promise<void> {
    await this.#storage.storeFiles.setAttributes(T, seq, attributes);
    const file = this.files.get(seq);
    if (file !== undefined) file.attributes = attributes;
  }

  async grow(seq: number, count: number): Promise<void> {
    const file = this.files.get(seq);
    if (file === undefined) return;
    await this.#storage.transaction(async ({ chunks, storeFiles }) => {
      const at = { ...this.#owner(seq, file.revision), tenantId: T, storeId: S };
      const ids = await chunks.add(at, chunksOf(file.chunks.length, count, seq));
      await chunks.addVectors(T, this.#generation.id, vectorsOf(ids));
      await storeFiles.addContent(T, seq, count);
      await storeFiles.addTotals(T, seq, { chunks: count, vectors: count, usageBytes: count });
      file.chunks.push(...ids);
    });
  }

  #leave(seq: number): void {
    this.gone.push(...(this.files.get(seq)?.chunks ?? []));
    this.files.delete(seq);
  }

  #owner(seq: number, revision: number) {
    return { storeFile: seq, chunkSet: this.#generation.chunk_set, revision };
  }

  #ids: number[] = [];

  async #fill(seq: number, revision: number, count: number): Promise<void> {
    const { chunks } = this.#storage;
    const at = { ...this.#owner(seq, revision), tenantId: T, storeId: S };
    this.#ids = await chunks.add(at, chunksOf(0, count, seq));
    await chunks.addVectors(T, this.#generation.id, vectorsOf(this.#ids));
  }

  async #complete(seq: number, revision: number, count: number): Promise<number[]> {
    await this.#storage.storeFiles.complete(T, seq, revision, { chunks: count, vectors: count, usageBytes: count });
    return this.#ids;
  }
}

function chunksOf(from: number, count: number, seq: number) {
  const place = { tokens: 1, start: 0, end: 1, page: null, pageEnd: null, line: null, lineEnd: null, heading: [] };
  return Array.from({ length: count }, (_, i) => {
    const text = `word${seq} place${from + i}`;
    return { ...place, idx: from + i, text, terms: encodeTerms({ text, heading: [], title: "" }) };
  });
}

function vectorsOf(ids: readonly number[]) {
  return ids.map((chunkId) => ({ chunkId, data: Float32Array.of(Math.sin(chunkId), Math.cos(chunkId)) }));
}
