import type { Sql } from "./sql.ts";
import type { GenerationRow } from "./generations.ts";

/** What a generation still lacks of one completed file. */
export interface MissingFile {
  seq: number;
  file_id: string;
  filename: string;
  revision: number;
  attributes: string | null;
  max_tokens: number;
  overlap_tokens: number;
  n_chunks: number;
  /** 1: its chunks are there, vectors are missing. */
  chunked: number;
}

export interface FileInGeneration {
  seq: number;
  revision: number;
}

export interface ChunkStrategy {
  maxTokens: number;
  overlapTokens: number;
}

export interface FileTotals {
  chunks: number;
  vectors: number;
  usageBytes: number;
}

export type GenerationFilesTable = ReturnType<typeof generationFilesTable>;

/**
 * Which files each generation has whole: chunks of its chunk set, each with a vector. A generation may go live in the
 * transaction that finds nothing missing. A row of an older revision counts as missing.
 */
export function generationFilesTable(sql: Sql) {
  const setChunked = /*sql*/ `INSERT INTO generation_file (generation, store_file, tenant_id, revision, chunked, done, max_tokens, overlap_tokens)
             VALUES (?1, ?2, ?3, ?4, 1, 0, ?5, ?6)
             ON CONFLICT (generation, store_file) DO UPDATE SET revision = ?4, chunked = 1, done = 0, max_tokens = ?5, overlap_tokens = ?6`;
  const setDone = /*sql*/ `INSERT INTO generation_file (generation, store_file, tenant_id, revision, chunked, done, max_tokens, overlap_tokens,
               n_chunks, n_vectors, usage_bytes)
             VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (generation, store_file) DO UPDATE SET revision = ?4, chunked = 1, done = 1, max_tokens = ?5,
               overlap_tokens = ?6, n_chunks = ?7, n_vectors = ?8, usage_bytes = ?9`;
  const copyTotals = /*sql*/ `UPDATE store_file SET max_tokens = g.max_tokens, overlap_tokens = g.overlap_tokens, n_chunks = g.n_chunks,
               n_vectors = g.n_vectors, usage_bytes = g.usage_bytes
             FROM generation_file g
             WHERE g.generation = ?1 AND g.store_file = store_file.seq AND g.revision = store_file.revision AND store_file.status = 'completed'`;
  const outdateElsewhere = /*sql*/ `UPDATE generation_file SET done = 0 WHERE store_file = ?1 AND generation <> ?2`;
  const removeAll = /*sql*/ `DELETE FROM generation_file WHERE generation = ?1`;
  const missing = /*sql*/ `SELECT f.seq, f.file_id, f.filename, f.revision, f.attributes, f.max_tokens, f.overlap_tokens, f.n_chunks,
                    coalesce(g.chunked, 0) AS chunked
             FROM store_file f LEFT JOIN generation_file g ON g.generation = ?3 AND g.store_file = f.seq AND g.revision = f.revision
             WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed' AND coalesce(g.done, 0) = 0 AND f.seq > ?4
             ORDER BY f.seq LIMIT ?5`;
  const countMissing = /*sql*/ `SELECT count(*) AS files, coalesce(sum(f.n_chunks), 0) AS chunks
             FROM store_file f LEFT JOIN generation_file g ON g.generation = ?3 AND g.store_file = f.seq AND g.revision = f.revision
             WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed' AND coalesce(g.done, 0) = 0`;

  return {
    setChunked: async (generation: GenerationRow, file: FileInGeneration, strategy: ChunkStrategy) => {
      await sql.run(setChunked, [
        generation.id,
        file.seq,
        generation.tenant_id,
        file.revision,
        strategy.maxTokens,
        strategy.overlapTokens,
      ]);
    },
    setDone: async (generation: GenerationRow, file: FileInGeneration, strategy: ChunkStrategy, totals: FileTotals) => {
      const { maxTokens, overlapTokens } = strategy;
      const { chunks, vectors, usageBytes } = totals;
      await sql.run(setDone, [
        generation.id,
        file.seq,
        generation.tenant_id,
        file.revision,
        maxTokens,
        overlapTokens,
        chunks,
        vectors,
        usageBytes,
      ]);
    },
    /** Makes what clients see of the files what they are in this generation. */
    copyTotals: async (generation: GenerationRow) => {
      await sql.run(copyTotals, [generation.id]);
    },
    /** The file got more chunks in this generation: the others do not have it whole any more. */
    outdateElsewhere: async (storeFile: number, generation: GenerationRow) => {
      await sql.run(outdateElsewhere, [storeFile, generation.id]);
    },
    removeAll: async (generation: number) => {
      await sql.run(removeAll, [generation]);
    },
    /** Completed files after `afterSeq` that the generation does not have whole. */
    missing: (generation: GenerationRow, afterSeq: number, limit: number): Promise<MissingFile[]> =>
      sql.all<MissingFile>(missing, [generation.tenant_id, generation.store_id, generation.id, afterSeq, limit]),
    countMissing: async (generation: GenerationRow) =>
      (await sql.get<{ files: number; chunks: number }>(countMissing, [
        generation.tenant_id,
        generation.store_id,
        generation.id,
      ])) ?? { files: 0, chunks: 0 },
  };
}
