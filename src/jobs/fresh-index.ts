/**
 * One index in memory over a database that other servers change too, and how it is brought up to what they committed.
 *
 * The database counts what becomes visible to searches of a store (storage/store-changes.ts). `version` says up to which of
 * these changes the index has everything; it may have some of the later ones, for what this server commits it applies in
 * the turn of the commit, as ever. To catch up, each file that a change names is compared with its row now and put right:
 * idempotent, so that a change that was applied here already costs a look at a row. What a commit of this server
 * changed is therefore left to it, but for chunks that an ingest puts in and for what is removed.
 *
 * - The store's row is read first, the changes up to its version then, the files' rows last: what is applied is never
 *   older than the version that is claimed for it.
 * - A commit of this server may come between the reading of a file and its writing into the index. Whoever writes a file
 *   here says so (`wrote`, `enters` …); then what was read is not applied, and the file is looked at again.
 * - A file that the index has as it should is replaced in one turn, so that a search beside it finds all of it. Others
 *   enter in slices.
 */
import type { StoreIndex } from "../index/store-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { StoreFileSeq } from "../storage/ids.ts";
import type { ChunkOwner, IndexedChunk } from "../storage/chunks.ts";
import { type Changed, type ChangeKind, tellAll } from "../storage/store-changes.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { addSlice, type LoadTurns } from "./load-index.ts";

export interface FreshIndexDeps {
  storage: Pick<Storage, "stores" | "storeFiles" | "storeChanges" | "chunks" | "indexReads">;
  /** Of the serving thread; never aborted. */
  turns: LoadTurns;
  /** Something other than a file changed. */
  changed(generation: GenerationRow, store: StoreRow, change: Changed): void;
  /** The index has other chunks than before. */
  grew(generation: GenerationRow): void;
}

/** Chunks and files' rows a statement. */
const CHUNKS = 128;
const FILES = 200;
/** Where more than this share of a store's files changed, loading it anew is less work; but for few it is not. */
const OUTDATED_SHARE = 0.25;
const FEW_FILES = 100;
/** A version above all. */
const ANY = Number.MAX_SAFE_INTEGER;

export type Kinds = ReadonlySet<ChangeKind | "again">;

export class FreshIndex {
  readonly #deps: FreshIndexDeps;
  readonly #index: StoreIndex;
  readonly #generation: GenerationRow;
  #version: number;
  /** To be looked at again, whatever the changes say. */
  readonly #again = new Set<StoreFileSeq>();
  /** The revision that this server is putting in, slice by slice, or has put in whole. */
  readonly #entering = new Map<StoreFileSeq, number>();
  readonly #own = new Map<StoreFileSeq, number>();
  /** Written by this server since the rows under work were read. */
  readonly #wrote = new Set<StoreFileSeq>();
  #running: Promise<boolean> | null = null;
  /** How often it was begun, and of the last time that ended: which one, and whether no file was left for the next. */
  #begun = 0;
  #ended = { time: 0, isWhole: true };
  #isWhole = true;

  /** `version` of the store before the index was begun to be loaded. */
  constructor(deps: FreshIndexDeps, loaded: { index: StoreIndex; generation: GenerationRow; version: number }) {
    this.#deps = deps;
    this.#index = loaded.index;
    this.#generation = loaded.generation;
    this.#version = loaded.version;
  }

  get version(): number {
    return this.#version;
  }

  /** How often it was begun to be brought up to date. */
  get begun(): number {
    return this.#begun;
  }

  /** Whether it was brought up to date by work that was begun after this. */
  isBroughtAfter(begun: number): boolean {
    return this.#ended.time > begun && this.#ended.isWhole;
  }

  /** Whether everything up to this version of the store is in the index. */
  isAt(version: number): boolean {
    return this.#version >= version && this.#again.size === 0;
  }

  /**
   * A commit of this server removed or replaced the file in the index. Its answer may have come later than what another
   * server did to the file since, so it is looked at again.
   */
  wrote(seq: StoreFileSeq): void {
    this.#wrote.add(seq);
    this.#again.add(seq);
  }

  /** This server begins to put this revision of the file in. */
  enters(seq: StoreFileSeq, revision: number): void {
    this.#wrote.add(seq);
    this.#entering.set(seq, revision);
  }

  /** It has put all of it in, and committed that. */
  entered(seq: StoreFileSeq): void {
    const revision = this.#entering.get(seq);
    this.#entering.delete(seq);
    if (revision !== undefined) this.#own.set(seq, revision);
  }

  /** It has taken the file out again, whatever became of the commit. */
  left(seq: StoreFileSeq): void {
    this.#entering.delete(seq);
    this.wrote(seq);
  }

  /**
   * Applies what is committed by now; those who wait at the same time share it. False: the index has to be loaded anew.
   * The caller holds a lease on it. Rejects with what the database says; then nothing is claimed.
   */
  async bring(): Promise<boolean> {
    this.#running ??= this.#bringOnce(++this.#begun).finally(() => (this.#running = null));
    return await this.#running;
  }

  async #bringOnce(time: number): Promise<boolean> {
    this.#isWhole = true;
    const isCurrent = await this.#bring();
    this.#ended = { time, isWhole: isCurrent && this.#isWhole };
    return isCurrent;
  }

  async #bring(): Promise<boolean> {
    const { storage } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId } = this.#generation;
    const store = await storage.stores.get(tenantId, storeId);
    if (store === null || store.lifecycle === "deleting") {
      // What a search that began before still finds is looked for in the database, as ever.
      this.#version = ANY;
      this.#again.clear();
      return true;
    }
    const from = this.#version;
    // The database was put back.
    if (store.version < from) return false;
    const changes = await this.#changesUpTo(store);
    if (changes === null) return false;
    const again = [...this.#again];
    this.#again.clear();
    try {
      const files = filesOf(changes, again, this.#generation.id);
      const seqs = [...files.keys()];
      for (let at = 0; at < seqs.length; at += FILES) await this.#files(store, seqs.slice(at, at + FILES), files);
      if (files.size > 0) this.#deps.grew(this.#generation);
    } catch (error) {
      for (const seq of again) this.#again.add(seq);
      throw error;
    }
    for (const change of changes) if (change.store_file === null) this.#apply(store, change);
    this.#version = store.version;
    return true;
  }

  /** Null where there are too many, or they are known no more. */
  async #changesUpTo(store: StoreRow): Promise<Changed[] | null> {
    const from = this.#version;
    if (store.version === from) return [];
    const most = Math.max(FEW_FILES, Math.ceil(store.n_completed * OUTDATED_SHARE));
    const range = { from, to: store.version, limit: most + 1 };
    const changes = await this.#deps.storage.storeChanges.since(this.#generation, range);
    return changes.length <= most && tellAll(changes, from, store.version) ? changes : null;
  }

  #apply(store: StoreRow, change: Changed): void {
    if (change.kind === "mode") this.#index.setKind(store.index_mode);
    this.#deps.changed(this.#generation, store, change);
  }

  async #files(store: StoreRow, seqs: readonly StoreFileSeq[], kindsOf: ReadonlyMap<number, Kinds>): Promise<void> {
    const { storage, turns } = this.#deps;
    this.#wrote.clear();
    const rows = await storage.storeFiles.bySeqs(store.tenant_id, seqs);
    const bySeq = new Map(rows.map((row) => [row.seq, row]));
    for (const seq of seqs) {
      const kinds = kindsOf.get(seq) ?? new Set();
      if (this.#wrote.has(seq)) this.#leave(seq);
      else await this.#file(store, seq, { row: bySeq.get(seq) ?? null, kinds });
      await turns.breathe();
    }
  }

  async #file(
    store: StoreRow,
    seq: StoreFileSeq,
    { row, kinds }: { row: StoreFileRow | null; kinds: Kinds },
  ): Promise<void> {
    if (row === null || row.status !== "completed") return this.#remove(seq, row);
    const isLive = store.live_generation === this.#generation.id;
    // What another generation lacks of a file enters it later, and tells when all of it is there.
    if (!isLive && !kinds.has("entered") && !kinds.has("again")) {
      if (kinds.has("completed") || kinds.has("removed")) return this.#remove(seq, row);
      return this.#index.setAttributes(seq, row.attributes ?? {});
    }
    const own = this.#own.get(seq) ?? this.#entering.get(seq);
    this.#own.delete(seq);
    if (
      this.#index.hasFile(seq) &&
      (isMore(kinds) || (own === row.revision && !kinds.has("again") && !kinds.has("terms")))
    ) {
      if (isLive) await this.#grow(row);
      this.#index.setAttributes(seq, row.attributes ?? {});
      return;
    }
    // Its chunks of before are found no more, whether it is there or not.
    if (kinds.has("removed")) this.#remove(seq, row);
    await this.#read(row);
  }

  /** This server wrote to it meanwhile: what was read may be older. */
  #leave(seq: StoreFileSeq): void {
    this.#again.add(seq);
    this.#isWhole = false;
  }

  #remove(seq: StoreFileSeq, row: StoreFileRow | null): void {
    // This server is about to complete it.
    if (row !== null && this.#entering.get(seq) === row.revision) return;
    this.#index.removeFile(seq);
    this.#own.delete(seq);
    this.#deps.storage.indexReads.forget(seq, row?.revision);
  }

  /** Adds the chunks behind those that the index has. */
  async #grow(row: StoreFileRow): Promise<void> {
    const { seq, n_chunks: wanted } = row;
    for (let from = this.#index.chunksOf(seq); from < wanted; from = this.#index.chunksOf(seq)) {
      const chunks = await this.#slice(row, from);
      if (this.#wrote.has(seq)) return this.#leave(seq);
      // This server added them meanwhile.
      if (this.#index.chunksOf(seq) !== from) continue;
      // Another revision by now, of which a later change tells.
      if (chunks.length === 0) return;
      addSlice(this.#index, row, { chunks, from });
      await this.#deps.turns.breathe();
    }
  }

  async #read(row: StoreFileRow): Promise<void> {
    const { seq } = row;
    const isThere = this.#index.hasFile(seq);
    const gathered: IndexedChunk[] = [];
    for (let from = 0; ; from += CHUNKS) {
      const chunks = await this.#slice(row, from);
      if (this.#wrote.has(seq)) return this.#leave(seq);
      if (isThere) gathered.push(...chunks);
      else if (from > 0 && this.#index.chunksOf(seq) !== from) return this.#leave(seq);
      else addSlice(this.#index, row, { chunks, from });
      if (chunks.length < CHUNKS) break;
      await this.#deps.turns.breathe();
    }
    if (isThere) addSlice(this.#index, row, { chunks: gathered, from: 0 });
  }

  async #slice({ tenant_id, seq, revision }: StoreFileRow, from: number): Promise<IndexedChunk[]> {
    const owner: ChunkOwner = { storeFile: seq, chunkSet: this.#generation.chunk_set, revision };
    return await this.#deps.storage.chunks.forIndex(tenant_id, owner, this.#generation.id, from, CHUNKS);
  }
}

/** What is told of each file, as far as it concerns this generation. */
export function filesOf(
  changes: readonly Changed[],
  again: readonly StoreFileSeq[],
  generation: number,
): Map<number, Kinds> {
  const files = new Map<number, Set<ChangeKind | "again">>();
  const tell = (seq: StoreFileSeq, kind: ChangeKind | "again") => {
    const kinds = files.get(seq);
    if (kinds === undefined) files.set(seq, new Set([kind]));
    else kinds.add(kind);
  };
  for (const { kind, store_file: seq, generation: of } of changes)
    if (seq !== null && (of === null || of === generation)) tell(seq, kind);
  for (const seq of again) tell(seq, "again");
  return files;
}

/** Whether the chunks that the index had of a file are still there, and it may have more of them or other attributes. */
export function isMore(kinds: Kinds): boolean {
  return [...kinds].every((kind) => kind === "attributes" || kind === "grown");
}
