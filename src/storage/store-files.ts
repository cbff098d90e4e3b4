import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export type StoreFileStatus = "in_progress" | "completed" | "failed" | "cancelled";
export type StoreFileErrorCode = "server_error" | "unsupported_file" | "invalid_file";

export interface StoreFileRow {
  seq: number;
  tenant_id: string;
  store_id: string;
  file_id: string;
  filename: string;
  file_bytes: number;
  created_at: number;
  status: StoreFileStatus;
  error_code: StoreFileErrorCode | null;
  error_message: string | null;
  /** JSON object or null. */
  attributes: string | null;
  max_tokens: number;
  overlap_tokens: number;
  revision: number;
  chunked: number;
  usage_bytes: number;
  n_chunks: number;
  n_vectors: number;
  /** JSON array of strings or null. */
  warnings: string | null;
}

const COLUMNS = `seq, tenant_id, store_id, file_id, filename, file_bytes, created_at, status, error_code, error_message,
  attributes, max_tokens, overlap_tokens, revision, chunked, usage_bytes, n_chunks, n_vectors, warnings`;
const QUALIFIED = COLUMNS.replace(/\b([a-z_]+)\b/g, "f.$1");

/** Also read by index-reads.ts. */
export const STORE_FILE = /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;

export interface NewStoreFile {
  tenantId: string;
  storeId: string;
  fileId: string;
  filename: string;
  fileBytes: number;
  createdAt: number;
  attributes: string | null;
  maxTokens: number;
  overlapTokens: number;
}

export interface StatusCounts {
  in_progress: number;
  completed: number;
  failed: number;
  cancelled: number;
  total: number;
}

export type StoreFilesTable = ReturnType<typeof storeFilesTable>;

/** Files attached to stores. Counts in vector_store follow by trigger. */
export function storeFilesTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO store_file (tenant_id, store_id, file_id, filename, file_bytes, created_at, status, attributes,
               max_tokens, overlap_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'in_progress', ?7, ?8, ?9) RETURNING ${COLUMNS}`;
  const byFile = /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND file_id = ?3`;
  const ofFile = /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND file_id = ?2`;
  const remove = /*sql*/ `DELETE FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
  const setAttributes = /*sql*/ `UPDATE store_file SET attributes = ?3 WHERE tenant_id = ?1 AND seq = ?2`;
  const reindex = /*sql*/ `UPDATE store_file SET status = 'in_progress', error_code = NULL, error_message = NULL, max_tokens = ?3,
               overlap_tokens = ?4, revision = revision + 1, chunked = 0, usage_bytes = 0, n_chunks = 0, n_vectors = 0, warnings = NULL
             WHERE tenant_id = ?1 AND seq = ?2`;
  const setChunked = /*sql*/ `UPDATE store_file SET chunked = 1, warnings = ?4 WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3`;
  const resetChunked = /*sql*/ `UPDATE store_file SET chunked = 0 WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'in_progress'`;
  const complete = /*sql*/ `UPDATE store_file SET status = 'completed', error_code = NULL, error_message = NULL, usage_bytes = ?4,
               n_chunks = ?5, n_vectors = ?6
             WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`;
  const setTotals = /*sql*/ `UPDATE store_file SET usage_bytes = ?3, n_chunks = ?4, n_vectors = ?5
             WHERE tenant_id = ?1 AND seq = ?2 AND status = 'completed'`;
  const fail = /*sql*/ `UPDATE store_file SET status = 'failed', error_code = ?4, error_message = ?5, usage_bytes = 0, n_chunks = 0, n_vectors = 0
             WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`;
  const cancel = /*sql*/ `UPDATE store_file SET status = 'cancelled', usage_bytes = 0, n_chunks = 0, n_vectors = 0
             WHERE tenant_id = ?1 AND seq = ?2 AND status = 'in_progress'`;
  const countInStore = /*sql*/ `SELECT n_in_progress + n_completed + n_failed + n_cancelled AS n FROM vector_store WHERE tenant_id = ?1 AND id = ?2`;
  const seqsAfter = /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4`;
  const nextSlice = /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY seq LIMIT ?3`;

  return {
    insert: async (file: NewStoreFile): Promise<StoreFileRow> => {
      const row = await sql.get<StoreFileRow>(insert, [
        file.tenantId,
        file.storeId,
        file.fileId,
        file.filename,
        file.fileBytes,
        file.createdAt,
        file.attributes,
        file.maxTokens,
        file.overlapTokens,
      ]);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, fileId: string): Promise<StoreFileRow | null> =>
      sql.get<StoreFileRow>(byFile, [tenantId, storeId, fileId]),
    bySeq: (tenantId: string, seq: number): Promise<StoreFileRow | null> =>
      sql.get<StoreFileRow>(STORE_FILE, [tenantId, seq]),
    /** Every store this file is attached to. */
    ofFile: (tenantId: string, fileId: string): Promise<StoreFileRow[]> =>
      sql.all<StoreFileRow>(ofFile, [tenantId, fileId]),
    remove: async (tenantId: string, seq: number): Promise<boolean> => (await sql.run(remove, [tenantId, seq])) > 0,
    setAttributes: async (tenantId: string, seq: number, attributes: string | null) => {
      await sql.run(setAttributes, [tenantId, seq, attributes]);
    },
    /** Back to `in_progress` under a new revision; what the old one left is garbage from now on. */
    reindex: async (tenantId: string, seq: number, strategy: { maxTokens: number; overlapTokens: number }) => {
      await sql.run(reindex, [tenantId, seq, strategy.maxTokens, strategy.overlapTokens]);
    },
    setChunked: async (tenantId: string, seq: number, revision: number, warnings: readonly string[]) => {
      await sql.run(setChunked, [tenantId, seq, revision, warnings.length === 0 ? null : JSON.stringify(warnings)]);
    },
    /** Files in progress must be chunked again: another set of chunks went live. */
    resetChunked: async (tenantId: string, storeId: string) => {
      await sql.run(resetChunked, [tenantId, storeId]);
    },
    /** False when it was cancelled, detached or re-attached meanwhile: then nothing changed. */
    complete: async (
      tenantId: string,
      seq: number,
      revision: number,
      result: { usageBytes: number; chunks: number; vectors: number },
    ): Promise<boolean> =>
      (await sql.run(complete, [tenantId, seq, revision, result.usageBytes, result.chunks, result.vectors])) > 0,
    /** What a completed file holds now that chunks were added to it. */
    setTotals: async (
      tenantId: string,
      seq: number,
      totals: { usageBytes: number; chunks: number; vectors: number },
    ) => {
      await sql.run(setTotals, [tenantId, seq, totals.usageBytes, totals.chunks, totals.vectors]);
    },
    fail: async (
      tenantId: string,
      seq: number,
      revision: number,
      code: StoreFileErrorCode,
      message: string,
    ): Promise<boolean> => (await sql.run(fail, [tenantId, seq, revision, code, message])) > 0,
    cancel: async (tenantId: string, seq: number): Promise<boolean> => (await sql.run(cancel, [tenantId, seq])) > 0,
    count: async (tenantId: string, storeId: string): Promise<number> =>
      (await sql.get<{ n: number }>(countInStore, [tenantId, storeId]))?.n ?? 0,
    /** `seq` of the store's files after `afterSeq`, whatever their status. */
    seqsAfter: async (tenantId: string, storeId: string, afterSeq: number, limit: number): Promise<number[]> =>
      (await sql.all<{ seq: number }>(seqsAfter, [tenantId, storeId, afterSeq, limit])).map((row) => row.seq),
    /** The first `limit` files of a store, for the janitor's small steps. */
    firstOf: async (tenantId: string, storeId: string, limit: number): Promise<number[]> =>
      (await sql.all<{ seq: number }>(nextSlice, [tenantId, storeId, limit])).map((row) => row.seq),
    async list(
      tenantId: string,
      storeId: string,
      page: PageQuery,
      status: StoreFileStatus | null,
    ): Promise<Page<StoreFileRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<StoreFileRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND (?3 IS NULL OR status = ?3)
                   AND seq > ?4 AND seq < ?5 ORDER BY seq ${direction} LIMIT ?6`,
        [tenantId, storeId, status, above, below, limit],
      );
      return toPage(rows, page);
    },
    async listOfBatch(
      tenantId: string,
      batchId: string,
      page: PageQuery,
      status: StoreFileStatus | null,
    ): Promise<Page<StoreFileRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<StoreFileRow>(
        /*sql*/ `SELECT ${QUALIFIED} FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
                   WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND (?3 IS NULL OR f.status = ?3)
                   AND f.seq > ?4 AND f.seq < ?5 ORDER BY f.seq ${direction} LIMIT ?6`,
        [tenantId, batchId, status, above, below, limit],
      );
      return toPage(rows, page);
    },
  };
}
