import {
  CHUNK_ATTRIBUTES,
  type ChunkHit,
  type ChunkOwner,
  type ChunkPlace,
  type ChunkRow,
  floatsOf,
  type IndexedChunk,
  LISTED_CHUNK,
  withOwn,
} from "./chunks.ts";
import { type ChunkHits, chunkHits, CURRENT } from "./chunk-hits.ts";
import type { GenerationRow } from "./generations.ts";
import type { ChunkId, ChunkSet, FileId, GenerationId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { type FileAttributes, type FileTotals, STORE_FILE } from "./store-files.ts";
import { blob, integer, json, nullable, type RowOf, Selection } from "./table.ts";
import { texts, twin } from "./dialect.ts";

/** A chunk that is to be embedded. */
export interface UnembeddedChunk {
  id: ChunkId;
  idx: number;
  text: string;
  tokens: number;
  start: number;
  end: number;
}

const COMPLETED_FILE = STORE_FILE.pick("seq", "file_id", "filename", "attributes", "revision");
export type CompletedFile = RowOf<typeof COMPLETED_FILE>;

export type ChunkNeighbour = Pick<
  ChunkHit,
  "idx" | "text" | "start_cp" | "end_cp" | "page" | "page_end" | "line" | "line_end"
>;

export type ChunkPiece = Pick<ChunkHit, "idx" | "text" | "start_cp" | "end_cp">;

export interface ChunkReads {
  /** Chunks of a file revision, after the one in place `afterIdx`, that have no vector in this generation yet, in order. */
  withoutVector(
    tenantId: TenantId,
    at: ChunkOwner,
    generation: GenerationId,
    limit: number,
    afterIdx?: number,
  ): Promise<UnembeddedChunk[]>;
  /** Where the chunks `fromIdx` to `toIdx` of a file begin and end, in order. */
  places(tenantId: TenantId, at: ChunkOwner, fromIdx: number, toIdx: number): Promise<ChunkPlace[]>;
  /** The texts of the chunks `fromIdx` to `toIdx` of a file, and where they stand, in order. */
  pieces(tenantId: TenantId, at: ChunkOwner, fromIdx: number, toIdx: number): Promise<ChunkPiece[]>;
  /** The last chunk of a file revision; null where it has none. */
  last(tenantId: TenantId, at: ChunkOwner): Promise<{ idx: number; end_cp: number } | null>;
  totals(tenantId: TenantId, at: ChunkOwner, generation: GenerationId): Promise<ChunkTotals>;
  /** What is kept of a file revision, once all of it is embedded. */
  fileTotals(
    tenantId: TenantId,
    at: ChunkOwner,
    generation: { id: GenerationId; dimensions: number },
  ): Promise<FileTotals>;
  /** A slice of a file's chunks with terms and vectors, from `fromIdx` on. */
  forIndex(
    tenantId: TenantId,
    at: ChunkOwner,
    generation: GenerationId,
    fromIdx: number,
    limit: number,
  ): Promise<IndexedChunk[]>;
  /** Completed files of a store after `afterSeq`, for loading an index. */
  completedFiles(tenantId: TenantId, storeId: StoreId, afterSeq: StoreFileSeq, limit: number): Promise<CompletedFile[]>;
  /**
   * Of completed files of a store after `afterSeq`: a text that is another one as soon as an index of the live generation
   * would have something else of the file.
   */
  marksOfCompleted(
    tenantId: TenantId,
    storeId: StoreId,
    afterSeq: StoreFileSeq,
    limit: number,
  ): Promise<{ seq: StoreFileSeq; mark: string }[]>;
  /** No chunk of any tenant ever had a higher id. */
  highestId(): Promise<ChunkId>;
  readonly hits: ChunkHits;
  /** The texts alone of the chunks of these ids that still count. */
  texts(tenantId: TenantId, ids: readonly ChunkId[]): Promise<Map<ChunkId, string>>;
  /** A chunk that still counts with up to `before` and `after` neighbours of the same file, in order; none where it does not. */
  neighbours(tenantId: TenantId, id: ChunkId, before: number, after: number): Promise<ChunkNeighbour[]>;
  /** The vectors that a chunk brought, windows x dimensions; null when it is gone. */
  vector(chunkId: ChunkId, generation: GenerationId): Promise<Float32Array | null>;
  /** The chunks of these ids that still count, in order of their ids, as `list` has them. */
  listed(tenantId: TenantId, ids: readonly ChunkId[]): Promise<ChunkRow[]>;
  /** What the newest chunks before `beforeId` have of their own, the newest first; of those that still count. */
  attributesBefore(
    { tenant_id, store_id, chunk_set }: OfGeneration,
    beforeId: ChunkId,
    limit: number,
  ): Promise<ChunkAttributes[]>;
  list(
    tenantId: TenantId,
    storeId: StoreId,
    chunkSet: ChunkSet,
    page: PageQuery,
    files: readonly FileId[] | null,
  ): Promise<Page<ChunkRow>>;
}

type OfGeneration = Pick<GenerationRow, "tenant_id" | "store_id" | "chunk_set">;

const OWN_ATTRIBUTES = CHUNK_ATTRIBUTES.pick("chunk_id", "attributes").as("a");
export type ChunkAttributes = RowOf<typeof OWN_ATTRIBUTES>;

interface ChunkTotals {
  chunks: number;
  vectors: number;
  text_bytes: number;
  vector_bytes: number;
}

/** Also read by index-reads.ts, as what follows is. */
export const INDEXED_CHUNK = new Selection(
  {
    chunk_id: integer<ChunkId>(),
    store_file: integer<StoreFileSeq>(),
    terms: blob(),
    data: blob(),
    shared: integer(),
    attributes: nullable(json<FileAttributes>()),
  },
  "c.id AS chunk_id, c.store_file, t.terms, v.data, v.shared, a.attributes",
);
/**
 * The index is named because the planner goes by how large the tables were when the server was last stopped: after a
 * first start with one file it would look through all vectors for each chunk.
 */
export const CHUNKS_FOR_INDEX = /*sql*/ `SELECT ${INDEXED_CHUNK.list} FROM chunk c
  JOIN chunk_terms t ON t.chunk_id = c.id
  JOIN vector v INDEXED BY vector_by_chunk ON v.chunk_id = c.id AND v.generation = ?5
  LEFT JOIN chunk_attributes a ON a.chunk_id = c.id
  WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx >= ?6
  ORDER BY c.idx LIMIT ?7`;
const WITHOUT_VECTOR = /*sql*/ `SELECT c.id, c.idx, c.text, c.tokens, c.start_cp AS start, c.end_cp AS "end" FROM chunk c
  WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4 AND c.idx > ?7
    AND NOT EXISTS (SELECT 1 FROM vector v WHERE v.chunk_id = c.id AND v.generation = ?5)
  ORDER BY c.idx LIMIT ?6`;
const PLACES = /*sql*/ `SELECT idx, start_cp AS start, end_cp AS "end", length(text) AS length FROM chunk
  WHERE tenant_id = ?1 AND store_file = ?2 AND chunk_set = ?3 AND revision = ?4 AND idx BETWEEN ?5 AND ?6 ORDER BY idx`;
const PIECES = /*sql*/ `SELECT idx, text, start_cp, end_cp FROM chunk
  WHERE tenant_id = ?1 AND store_file = ?2 AND chunk_set = ?3 AND revision = ?4 AND idx BETWEEN ?5 AND ?6 ORDER BY idx`;
const TOTALS = /*sql*/ `SELECT count(*) AS chunks, count(v.id) AS vectors, CAST(coalesce(sum(octet_length(c.text)), 0) AS BIGINT) AS text_bytes,
         CAST(coalesce(sum(octet_length(v.data)), 0) AS BIGINT) AS vector_bytes
  FROM chunk c LEFT JOIN vector v ON v.chunk_id = c.id AND v.generation = ?5
  WHERE c.tenant_id = ?1 AND c.store_file = ?2 AND c.chunk_set = ?3 AND c.revision = ?4`;
const COMPLETED_FILES = /*sql*/ `SELECT ${COMPLETED_FILE.list} FROM store_file
  WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND seq > ?3 ORDER BY seq LIMIT ?4`;
// A revision's chunks never change, they only get more, and then what was put in has more bytes.
const MARKS = /*sql*/ `SELECT seq, revision || ' ' || n_chunks || ' ' || n_vectors || ' ' || usage_bytes || ' ' || content_bytes || ' '
    || file_id || ' ' || json_quote(filename) || coalesce(attributes, '') AS mark FROM store_file
  WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND seq > ?3 ORDER BY seq LIMIT ?4`;
const HIGHEST_ID = twin(
  /*sql*/ `SELECT coalesce(max(seq), 0) AS id FROM sqlite_sequence WHERE name = 'chunk'`,
  /*sql*/ `SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('chunk', 'id')::regclass), 0) AS id`,
);
const OF_IDS = /*sql*/ `SELECT ${LISTED_CHUNK.list} FROM ${CURRENT} ORDER BY c.id`;
const TEXTS = /*sql*/ `SELECT c.id, c.text FROM ${CURRENT}`;
const NEIGHBOURS = /*sql*/ `SELECT n.idx, n.text, n.start_cp, n.end_cp, n.page, n.page_end, n.line, n.line_end FROM chunk c
  JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
  JOIN chunk n ON n.store_file = c.store_file AND n.chunk_set = c.chunk_set AND n.revision = c.revision
  WHERE c.tenant_id = ?1 AND c.id = ?2 AND n.idx BETWEEN c.idx - ?3 AND c.idx + ?4 ORDER BY n.idx`;
const VECTOR_OF = /*sql*/ `SELECT data FROM vector WHERE chunk_id = ?1 AND generation = ?2`;
const LAST = /*sql*/ `SELECT idx, end_cp FROM chunk
  WHERE tenant_id = ?1 AND store_file = ?2 AND chunk_set = ?3 AND revision = ?4 ORDER BY idx DESC LIMIT 1`;
const LISTED = /*sql*/ `store_file f JOIN chunk c ON c.store_file = f.seq AND c.revision = f.revision AND c.chunk_set = ?3
  LEFT JOIN chunk_attributes a ON a.chunk_id = c.id
  WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed'
    AND (CAST(?4 AS TEXT) IS NULL OR f.file_id IN ${texts(4)})`;
const ATTRIBUTES_BEFORE = /*sql*/ `SELECT ${OWN_ATTRIBUTES.list} FROM chunk_attributes a
  JOIN chunk c ON c.id = a.chunk_id AND c.chunk_set = ?3
  JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
  WHERE a.tenant_id = ?1 AND a.store_id = ?2 AND a.chunk_id < ?4 ORDER BY a.chunk_id DESC LIMIT ?5`;
const NOTHING: ChunkTotals = { chunks: 0, vectors: 0, text_bytes: 0, vector_bytes: 0 };

export function chunkReads(sql: Sql): ChunkReads {
  const totals = async (tenantId: TenantId, at: ChunkOwner, generation: GenerationId) =>
    (await sql.get<ChunkTotals>(TOTALS, [tenantId, at.storeFile, at.chunkSet, at.revision, generation])) ?? NOTHING;
  return {
    withoutVector: (tenantId, at, generation, limit, afterIdx = -1) =>
      sql.all(WITHOUT_VECTOR, [tenantId, at.storeFile, at.chunkSet, at.revision, generation, limit, afterIdx]),
    places: (tenantId, at, fromIdx, toIdx) =>
      sql.all(PLACES, [tenantId, at.storeFile, at.chunkSet, at.revision, fromIdx, toIdx]),
    pieces: (tenantId, at, fromIdx, toIdx) =>
      sql.all(PIECES, [tenantId, at.storeFile, at.chunkSet, at.revision, fromIdx, toIdx]),
    totals,
    async fileTotals(tenantId, at, { id, dimensions }) {
      const { chunks, text_bytes: textBytes, vector_bytes: vectorBytes } = await totals(tenantId, at, id);
      return {
        chunks,
        vectors: Math.round(vectorBytes / Float32Array.BYTES_PER_ELEMENT / dimensions),
        usageBytes: textBytes + vectorBytes,
      };
    },
    forIndex: (tenantId, at, generation, fromIdx, limit) =>
      INDEXED_CHUNK.all(sql, CHUNKS_FOR_INDEX, [
        tenantId,
        at.storeFile,
        at.chunkSet,
        at.revision,
        generation,
        fromIdx,
        limit,
      ]),
    completedFiles: (tenantId, storeId, afterSeq, limit) =>
      COMPLETED_FILE.all(sql, COMPLETED_FILES, [tenantId, storeId, afterSeq, limit]),
    marksOfCompleted: (tenantId, storeId, afterSeq, limit) => sql.all(MARKS, [tenantId, storeId, afterSeq, limit]),
    highestId: async () => (await sql.get<{ id: ChunkId }>(HIGHEST_ID))?.id ?? 0,
    hits: chunkHits(sql),
    async texts(tenantId, ids) {
      const rows = await sql.all<Pick<ChunkHit, "id" | "text">>(TEXTS, [tenantId, JSON.stringify(ids)]);
      return new Map(rows.map((row) => [row.id, row.text]));
    },
    neighbours: (tenantId, id, before, after) => sql.all(NEIGHBOURS, [tenantId, id, before, after]),
    async vector(chunkId, generation) {
      const row = await sql.get<{ data: Uint8Array }>(VECTOR_OF, [chunkId, generation]);
      return row === null ? null : floatsOf(row.data);
    },
    last: (tenantId, at) => sql.get(LAST, [tenantId, at.storeFile, at.chunkSet, at.revision]),
    listed: async (tenantId, ids) => withOwn(await LISTED_CHUNK.all(sql, OF_IDS, [tenantId, JSON.stringify(ids)])),
    attributesBefore: ({ tenant_id: tenantId, store_id: storeId, chunk_set: chunkSet }, beforeId, limit) =>
      OWN_ATTRIBUTES.all(sql, ATTRIBUTES_BEFORE, [tenantId, storeId, chunkSet, beforeId, limit]),
    list: async (tenantId, storeId, chunkSet, page, files) => {
      const params = [tenantId, storeId, chunkSet, files === null ? null : JSON.stringify(files)];
      const { rows, hasMore } = await LISTED_CHUNK.page(sql, { from: LISTED, params, cursor: "c.id" }, page);
      return { rows: withOwn(rows), hasMore };
    },
  };
}
