import type { GenerationId, StoreFileSeq, TenantId } from "./ids.ts";
import type { GenerationRow } from "./generations.ts";
import type { Sql } from "./sql.ts";
import { type FileTotals, STORE_FILE } from "./store-files.ts";
import { boolean, id, integer, type RowOf, Selection, table } from "./table.ts";

export const GENERATION_FILE = table("generation_file", {
  generation: integer<GenerationId>(),
  store_file: integer<StoreFileSeq>(),
  tenant_id: id<TenantId>(),
  /** Of the file; an older one counts as missing. */
  revision: integer(),
  /** Every chunk of this revision is in the generation's chunk set. */
  chunked: boolean(),
  /** Every chunk has its vector. */
  done: boolean(),
  // What the file is like in this generation; copied to `store_file` when the generation goes live.
  max_tokens: integer(),
  overlap_tokens: integer(),
  n_chunks: integer(),
  n_vectors: integer(),
  usage_bytes: integer(),
});

const MISSING_FILE = STORE_FILE.pick(
  "seq",
  "file_id",
  "filename",
  "revision",
  "attributes",
  "max_tokens",
  "overlap_tokens",
  "n_chunks",
)
  .as("f")
  .and(new Selection({ chunked: boolean() }, "coalesce(g.chunked, 0) AS chunked"));

/** What a generation still lacks of one completed file. `chunked`: its chunks are there, vectors are missing. */
export type MissingFile = RowOf<typeof MISSING_FILE>;

export interface FileInGeneration {
  seq: StoreFileSeq;
  revision: number;
}

export interface ChunkStrategy {
  maxTokens: number;
  overlapTokens: number;
}

/**
 * Which files each generation has whole: chunks of its chunk set, each with a vector. A generation may go live in the
 * transaction that finds nothing missing. A row of an older revision counts as missing.
 */
export interface GenerationFilesTable {
  /** Nothing is written down of a file that was detached meanwhile. */
  setChunked(generation: GenerationRow, file: FileInGeneration, strategy: ChunkStrategy): Promise<void>;
  setDone(
    generation: GenerationRow,
    file: FileInGeneration,
    strategy: ChunkStrategy,
    totals: FileTotals,
  ): Promise<void>;
  /** Makes what clients see of the files what they are in this generation. */
  copyTotals(generation: GenerationRow): Promise<void>;
  /** The file got more chunks in this generation: the others do not have it whole any more. */
  outdateElsewhere(storeFile: StoreFileSeq, generation: GenerationRow): Promise<void>;
  removeAll(generation: GenerationId): Promise<void>;
  /** Completed files after `afterSeq` that the generation does not have whole. */
  missing(generation: GenerationRow, afterSeq: StoreFileSeq, limit: number): Promise<MissingFile[]>;
  countMissing(generation: GenerationRow): Promise<{ files: number; chunks: number }>;
}

const SET_CHUNKED = /*sql*/ `INSERT INTO generation_file (generation, store_file, tenant_id, revision, chunked, done, max_tokens, overlap_tokens)
  SELECT CAST(?1 AS BIGINT), seq, ?3, CAST(?4 AS BIGINT), 1, 0, CAST(?5 AS BIGINT), CAST(?6 AS BIGINT) FROM store_file WHERE seq = ?2
  ON CONFLICT (generation, store_file) DO UPDATE SET revision = ?4, chunked = 1, done = 0, max_tokens = ?5, overlap_tokens = ?6`;
const SET_DONE = /*sql*/ `INSERT INTO generation_file (generation, store_file, tenant_id, revision, chunked, done, max_tokens, overlap_tokens,
    n_chunks, n_vectors, usage_bytes)
  VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (generation, store_file) DO UPDATE SET revision = ?4, chunked = 1, done = 1, max_tokens = ?5,
    overlap_tokens = ?6, n_chunks = ?7, n_vectors = ?8, usage_bytes = ?9`;
const COPY_TOTALS = /*sql*/ `UPDATE store_file SET max_tokens = g.max_tokens, overlap_tokens = g.overlap_tokens, n_chunks = g.n_chunks,
    n_vectors = g.n_vectors, usage_bytes = g.usage_bytes
  FROM generation_file g
  WHERE g.generation = ?1 AND g.store_file = store_file.seq AND g.revision = store_file.revision AND store_file.status = 'completed'`;
const OUTDATE_ELSEWHERE = /*sql*/ `UPDATE generation_file SET done = 0 WHERE store_file = ?1 AND generation <> ?2`;
const REMOVE_ALL = /*sql*/ `DELETE FROM generation_file WHERE generation = ?1`;
const NOT_WHOLE = /*sql*/ `store_file f LEFT JOIN generation_file g ON g.generation = ?3 AND g.store_file = f.seq AND g.revision = f.revision
  WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed' AND coalesce(g.done, 0) = 0`;
const MISSING = /*sql*/ `SELECT ${MISSING_FILE.list} FROM ${NOT_WHOLE} AND f.seq > ?4 ORDER BY f.seq LIMIT ?5`;
const COUNT_MISSING = /*sql*/ `SELECT count(*) AS files, CAST(coalesce(sum(f.n_chunks), 0) AS BIGINT) AS chunks FROM ${NOT_WHOLE}`;

export function generationFilesTable(sql: Sql): GenerationFilesTable {
  return {
    async setChunked({ id, tenant_id: tenantId }, { seq, revision }, { maxTokens, overlapTokens }) {
      await sql.run(SET_CHUNKED, [id, seq, tenantId, revision, maxTokens, overlapTokens]);
    },
    async setDone({ id, tenant_id: tenantId }, { seq, revision }, { maxTokens, overlapTokens }, totals) {
      const { chunks, vectors, usageBytes } = totals;
      const values = [id, seq, tenantId, revision, maxTokens, overlapTokens, chunks, vectors, usageBytes];
      await sql.run(SET_DONE, values);
    },
    copyTotals: async (generation) => void (await sql.run(COPY_TOTALS, [generation.id])),
    outdateElsewhere: async (storeFile, generation) =>
      void (await sql.run(OUTDATE_ELSEWHERE, [storeFile, generation.id])),
    removeAll: async (generation) => void (await sql.run(REMOVE_ALL, [generation])),
    missing: ({ id, tenant_id: tenantId, store_id: storeId }, afterSeq, limit) =>
      MISSING_FILE.all(sql, MISSING, [tenantId, storeId, id, afterSeq, limit]),
    countMissing: async ({ id, tenant_id: tenantId, store_id: storeId }) =>
      (await sql.get<{ files: number; chunks: number }>(COUNT_MISSING, [tenantId, storeId, id])) ?? {
        files: 0,
        chunks: 0,
      },
  };
}
