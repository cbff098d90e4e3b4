import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { RemovedRows } from "./deletions.ts";
import type { Tx } from "./sql.ts";
import { type FileAttributes, STORE_FILE } from "./store-files.ts";
import { blob, id, integer, json, nullable, type RowOf, Selection, table, text } from "./table.ts";

// No foreign keys: a detached file's rows are garbage that is removed in small steps.
export const CHUNK = table("chunk", {
  id: integer<ChunkId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  chunk_set: integer<ChunkSet>(),
  store_file: integer<StoreFileSeq>(),
  /** Of the file. */
  revision: integer(),
  /** 0, 1, … within the file. */
  idx: integer(),
  text: text(),
  /** cl100k_base */
  tokens: integer(),
  /** Unicode code points into the parsed text, end exclusive. */
  start_cp: integer(),
  end_cp: integer(),
  page: nullable(integer()),
  page_end: nullable(integer()),
  /** 1-based lines of the parsed text, for documents without pages. */
  line: nullable(integer()),
  line_end: nullable(integer()),
  /** The headings that it stands under, outermost first; null for none. */
  heading: nullable(json<string[]>()),
});

/** Apart from the text, so that loading an index reads only them. */
export const CHUNK_TERMS = table("chunk_terms", {
  chunk_id: integer<ChunkId>(),
  tenant_id: id<TenantId>(),
  /** Encoded keyword terms (index/analyzer.ts). */
  terms: blob(),
});

/** What a chunk has of its own, where it has: it hides what its file has of the same names. */
export const CHUNK_ATTRIBUTES = table("chunk_attributes", {
  chunk_id: integer<ChunkId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  attributes: json<FileAttributes>(),
});

/** The vectors that a chunk brought into a generation: with those that it shares with chunks before it, all of its. */
export const VECTOR = table("vector", {
  id: integer(),
  tenant_id: id<TenantId>(),
  generation: integer<GenerationId>(),
  chunk_id: integer<ChunkId>(),
  /** Float32 little endian, windows x dimensions, unit length; none where all of the chunk stands in those before it. */
  data: blob(),
  /** How many vectors before its own, in the file's chunks before it, are its too: the last ones. */
  shared: integer(),
});

export const OF_HIT = [
  "id",
  "idx",
  "text",
  "start_cp",
  "end_cp",
  "page",
  "page_end",
  "line",
  "line_end",
  "heading",
] as const;
const OF_FILE = STORE_FILE.pick("file_id", "filename", "attributes").as("f");
const OWN = new Selection({ own: nullable(json<FileAttributes>()) }, "a.attributes AS own");

/** What a search result shows of a chunk, in a statement that calls it `c`, its file `f` and its own attributes `a`. */
export const CHUNK_HIT = CHUNK.pick(...OF_HIT)
  .as("c")
  .and(OF_FILE)
  .and(OWN);
/** `attributes`: its file's, and its own in their place. */
export type ChunkHit = Omit<RowOf<typeof CHUNK_HIT>, "own">;

export const LISTED_CHUNK = CHUNK.pick(...OF_HIT, "tokens", "store_id")
  .as("c")
  .and(OF_FILE)
  .and(OWN);
export type ChunkRow = Omit<RowOf<typeof LISTED_CHUNK>, "own">;

/** The chunks of one revision of a file, in one set. */
export interface ChunkOwner {
  storeFile: StoreFileSeq;
  chunkSet: ChunkSet;
  revision: number;
}

export interface NewChunk {
  idx: number;
  text: string;
  /** cl100k_base */
  tokens: number;
  /** Unicode code points into the parsed text, end exclusive. */
  start: number;
  end: number;
  page: number | null;
  pageEnd: number | null;
  /** 1-based lines of the parsed text, for documents without pages. */
  line: number | null;
  lineEnd: number | null;
  heading: readonly string[];
  /** Encoded keyword terms (index/analyzer.ts). */
  terms: Uint8Array;
  /** Of its own; none where that is not said. */
  attributes?: FileAttributes | null | undefined;
}

/** One chunk as an index loads it. */
export interface IndexedChunk {
  chunk_id: ChunkId;
  store_file: StoreFileSeq;
  terms: Uint8Array;
  /** float32 little endian, windows x dimensions: those that it brought. */
  data: Uint8Array;
  /** How many of the vectors before them are its too. */
  shared: number;
  /** Of its own. */
  attributes: FileAttributes | null;
}

/** What a chunk brings into a generation. */
export interface NewVectors {
  chunkId: ChunkId;
  data: Float32Array;
  /** How many of the vectors before these are the chunk's too; none where that is not said. */
  shared?: number | undefined;
}

/** Where a chunk stands in its file, in code points. */
export interface ChunkPlace {
  idx: number;
  start: number;
  end: number;
  /** Of its text: another one than that of its place where the text is not what stands there. */
  length: number;
}

/** Told what was removed, in the transaction that removes it. */
export type NoteRemoved = (removed: RemovedRows, tx: Tx) => Promise<void>;

/** Rows with what they show as their attributes. */
export function withOwn<R extends { attributes: FileAttributes | null; own: FileAttributes | null }>(
  rows: readonly R[],
): Omit<R, "own">[] {
  return rows.map(({ own, ...row }) => (own === null ? row : { ...row, attributes: { ...row.attributes, ...own } }));
}

/** A BLOB's bytes need not be aligned to four; then they are copied. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const floats = new Float32Array(bytes.byteLength / Float32Array.BYTES_PER_ELEMENT);
  new Uint8Array(floats.buffer).set(bytes);
  return floats;
}

export function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}
