import { CHUNKS_FOR_INDEX, INDEXED_CHUNK } from "./chunk-reads.ts";
import { type ChunkOwner, floatsOf, type IndexedChunk } from "./chunks.ts";
import type { ChunkId, GenerationId, StoreFileSeq, TenantId } from "./ids.ts";
import type { SyncReads } from "./sql.ts";
import { STORE_FILE, STORE_FILE_BY_SEQ, type StoreFileRow, type StoreFilesTable } from "./store-files.ts";

/**
 * The narrow synchronous door, for indexes in memory and nothing else. Two things in the house cannot wait for an answer:
 * a search, which reads the vectors and terms of its candidates in the middle of its walk, and a change of an index, which
 * must be of the same instant as the rows that it is made from (what a commit changed in between would be overwritten in
 * memory by what was read before it). On a database elsewhere these rows come from a copy on this machine, which is why
 * nothing else may read here.
 */
export interface IndexReads {
  storeFile(tenantId: TenantId, seq: StoreFileSeq): StoreFileRow | null;
  /** A slice of a file's chunks with terms and vectors, from `fromIdx` on. */
  chunks(tenantId: TenantId, at: ChunkOwner, generation: GenerationId, fromIdx: number, limit: number): IndexedChunk[];
  /** The vectors that each chunk brought, windows x dimensions, in the order asked; null for one that is gone. */
  vectors(chunkIds: readonly ChunkId[], generation: GenerationId): (Float32Array | null)[];
  /** Encoded keyword terms of chunks, in the order asked; null for one that is gone. */
  terms(chunkIds: readonly ChunkId[]): (Uint8Array | null)[];
  /**
   * Reads a slice of a file's chunks with its row and hands both to `then`, which runs before anything is committed that
   * would have changed them. Returns what `then` returns.
   */
  slice<T>(at: SliceOfFile, then: (file: StoreFileRow | null, chunks: IndexedChunk[]) => T): Promise<T>;
  /**
   * Inside a transaction in whose effects the file is read: brings its row to what the transaction sees. Nothing where the
   * database itself is read.
   */
  bring(tables: { storeFiles: StoreFilesTable }, tenantId: TenantId, seq: StoreFileSeq): Promise<void>;
  /** Another server removed chunks of the file of revisions before this one (default: of all): a copy on this machine has none any more. */
  forget(seq: StoreFileSeq, belowRevision?: number): void;
  /** Files after `seq` of which a copy on this machine has chunks, in order; none where there is no copy. */
  kept(seq: StoreFileSeq, limit: number): KeptFile[];
  /** The same as `forget` for some hundreds of chunks of a generation that nothing here searches any more; true where there are more. */
  forgetGeneration(generation: GenerationId): boolean;
}

/** Chunks of one revision of a file in one generation, from a place on. */
export interface SliceOfFile {
  tenantId: TenantId;
  owner: ChunkOwner;
  generation: GenerationId;
  from: number;
  limit: number;
}

export interface KeptFile {
  tenant_id: TenantId;
  store_file: StoreFileSeq;
}

const VECTORS = /*sql*/ `SELECT chunk_id, data FROM vector
  WHERE chunk_id IN (SELECT value FROM json_each(?1)) AND generation = ?2`;
const TERMS = /*sql*/ `SELECT chunk_id, terms FROM chunk_terms WHERE chunk_id IN (SELECT value FROM json_each(?1))`;

export function indexReads(now: SyncReads): IndexReads {
  const storeFile: IndexReads["storeFile"] = (tenantId, seq) =>
    STORE_FILE.decode(now.all(STORE_FILE_BY_SEQ, [tenantId, seq]))[0] ?? null;
  const chunks: IndexReads["chunks"] = (tenantId, at, generation, fromIdx, limit) =>
    INDEXED_CHUNK.decode(
      now.all(CHUNKS_FOR_INDEX, [tenantId, at.storeFile, at.chunkSet, at.revision, generation, fromIdx, limit]),
    );
  return {
    storeFile,
    chunks,
    vectors: (chunkIds, generation) =>
      inOrder(chunkIds, now.values(VECTORS, [JSON.stringify(chunkIds), generation]), floatsOf),
    terms: (chunkIds) => inOrder(chunkIds, now.values(TERMS, [JSON.stringify(chunkIds)]), (terms) => terms),
    // In one turn of the event loop, in which nobody else commits.
    slice: async ({ tenantId, owner, generation, from, limit }, then) =>
      then(storeFile(tenantId, owner.storeFile), chunks(tenantId, owner, generation, from, limit)),
    bring: async () => {},
    forget: () => {},
    kept: () => [],
    forgetGeneration: () => false,
  };
}

/** Typed arrays of numbers need an aligned start. */
const ALIGNMENT = 4;

/**
 * What `read` makes of the BLOB of each id; rows are pairs of id and BLOB in any order. The BLOBs are put into one buffer:
 * to look into each by a buffer of its own, as they come, costs as much as to read it from the database.
 */
function inOrder<T>(
  ids: readonly number[],
  rows: readonly (readonly unknown[])[],
  read: (bytes: Uint8Array) => T,
): (T | null)[] {
  let total = 0;
  for (const [, bytes] of rows) if (bytes instanceof Uint8Array) total += alignedLength(bytes);
  const all = new Uint8Array(new ArrayBuffer(total));
  const found = new Map<unknown, Uint8Array>();
  let at = 0;
  for (const [id, bytes] of rows) {
    if (!(bytes instanceof Uint8Array)) continue;
    all.set(bytes, at);
    found.set(id, all.subarray(at, at + bytes.byteLength));
    at += alignedLength(bytes);
  }
  return ids.map((id) => {
    const bytes = found.get(id);
    return bytes === undefined ? null : read(bytes);
  });
}

function alignedLength({ byteLength }: Uint8Array): number {
  return Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
}
