import type { StoreFileRow } from "../storage/store-files.ts";
import { type IndexedChunk as LoadedChunk, StoreIndex, type StoreIndexOptions } from "../index/store-index.ts";
import type { ChunkReads, CompletedFile } from "../storage/chunk-reads.ts";
import { floatsOf, type ChunkOwner, type IndexedChunk } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { IndexReads } from "../storage/index-reads.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "../platform/next-turn.ts";

/**
 * Where chunks share windows, two of them are often found by the same one: the next best ones tell which of them has more
 * of what was asked for.
 */
export const NEXT_SHARE = 0.1;
/** Files per query, chunks per slice; the thread is given back about this often, in milliseconds. */
const FILES = 200;
const CHUNKS = 32;
const TURN_MS = 2;

/** What an index is read from, and reads from later. */
export interface LoadedFrom {
  storage: Pick<Storage, "chunks" | "indexReads">;
  graphFrom?: number | undefined;
}

/** Of long work on the serving thread. */
export interface LoadTurns {
  signal?: AbortSignal | undefined;
  /** Gives the thread back where it was held for long enough. Rejects with the signal's reason when aborted. */
  breathe(): Promise<void>;
}

export function loadTurns(signal: AbortSignal): LoadTurns {
  let turnEnds = performance.now() + TURN_MS;
  return {
    signal,
    async breathe() {
      if (performance.now() < turnEnds) return;
      await nextTurn();
      signal.throwIfAborted();
      turnEnds = performance.now() + TURN_MS;
    },
  };
}

export function indexOptions({ storage, graphFrom }: LoadedFrom, generation: GenerationRow): StoreIndexOptions {
  return {
    dimensions: generation.dimensions,
    nextShare: nextShareOf(generation),
    graphFrom,
    fetchVectors: (ids) => storage.indexReads.vectors(ids, generation.id),
    fetchTerms: (ids) => storage.indexReads.terms(ids),
  };
}

export function nextShareOf(generation: Pick<GenerationRow, "window_tokens">): number {
  return generation.window_tokens === null ? 0 : NEXT_SHARE;
}

/**
 * Reads one generation of a store from SQLite into a new index, in slices, so that requests go on meanwhile.
 * Writes made meanwhile are repeated on it by the registry. Rejects with the signal's reason when aborted.
 */
export async function loadIndex(from: LoadedFrom, generation: GenerationRow, signal: AbortSignal): Promise<StoreIndex> {
  const turns = loadTurns(signal);
  const { tenant_id: tenantId, store_id: storeId } = generation;
  const index = new StoreIndex(indexOptions(from, generation));
  for (let afterSeq = 0; ;) {
    const files = await from.storage.chunks.completedFiles(tenantId, storeId, afterSeq, FILES);
    for (const file of files) await readInto(from.storage.chunks, { index, generation, file }, turns);
    const last = files.at(-1);
    if (last === undefined) return index;
    afterSeq = last.seq;
  }
}

export interface FileToRead {
  index: StoreIndex;
  generation: Pick<GenerationRow, "id" | "tenant_id" | "chunk_set">;
  file: CompletedFile;
}

/** Reads a file's chunks into an index. */
export async function readInto(
  reads: Pick<ChunkReads, "forIndex">,
  { index, generation, file }: FileToRead,
  turns: LoadTurns,
): Promise<void> {
  const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  for (let from = 0; ; from += CHUNKS) {
    const chunks = await reads.forIndex(generation.tenant_id, owner, generation.id, from, CHUNKS);
    addSlice(index, file, { chunks, from });
    await turns.breathe();
    if (chunks.length < CHUNKS) return;
  }
}

/** The first (`from` 0) or a further slice of a file's chunks. */
export interface ChunkSlice {
  chunks: readonly IndexedChunk[];
  from: number;
}

export function addSlice(
  index: StoreIndex,
  file: Pick<StoreFileRow, "seq" | "file_id" | "filename" | "attributes">,
  slice: ChunkSlice,
): void {
  const chunks: LoadedChunk[] = slice.chunks.map((chunk) => ({
    chunkId: chunk.chunk_id,
    terms: chunk.terms,
    vectors: floatsOf(chunk.data),
    shared: chunk.shared,
    attributes: chunk.attributes,
  }));
  if (slice.from > 0) return index.addChunks(file.seq, chunks);
  const { seq: fileKey, file_id: fileId, filename, attributes } = file;
  index.addFile({ fileKey, fileId, filename, attributes: attributes ?? {}, chunks });
}

/** Puts a file as it is in SQLite now into an open index; all at once, so that no search sees half of it. */
export function replaceFile(indexReads: IndexReads, index: StoreIndex, { generation, seq }: FileOfIndex): void {
  readNow(indexReads, index, { generation, seq, from: 0 });
}

/** The same for a file that got more chunks after those that it had: what the index has of it stays. */
export function growFile(indexReads: IndexReads, index: StoreIndex, { generation, seq }: FileOfIndex): void {
  readNow(indexReads, index, { generation, seq, from: index.chunksOf(seq) });
}

interface FileOfIndex {
  generation: GenerationRow;
  seq: number;
}

function readNow(indexReads: IndexReads, index: StoreIndex, at: FileOfIndex & { from: number }): void {
  const { generation, seq } = at;
  const file = indexReads.storeFile(generation.tenant_id, seq);
  if (file === null || file.status !== "completed") return index.removeFile(seq);
  const owner: ChunkOwner = { storeFile: seq, chunkSet: generation.chunk_set, revision: file.revision };
  for (let { from } = at; ; from += CHUNKS) {
    const chunks = indexReads.chunks(generation.tenant_id, owner, generation.id, from, CHUNKS);
    addSlice(index, file, { chunks, from });
    if (chunks.length < CHUNKS) return;
  }
}
