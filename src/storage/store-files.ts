import type { Db } from "./db.ts";
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
export function storeFilesTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    StoreFileRow,
    [string, string, string, string, number, number, string | null, number, number]
  >(/*sql*/ `INSERT INTO store_file (tenant_id, store_id, file_id, filename, file_bytes, created_at, status, attributes,
               max_tokens, overlap_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'in_progress', ?7, ?8, ?9) RETURNING ${COLUMNS}`);
  const byFile = raw.query<StoreFileRow, [string, string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND file_id = ?3`,
  );
  const bySeq = raw.query<StoreFileRow, [string, number]>(
    /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND seq = ?2`,
  );
  const ofFile = raw.query<StoreFileRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND file_id = ?2`,
  );
  const remove = raw.query<null, [string, number]>(/*sql*/ `DELETE FROM store_file WHERE tenant_id = ?1 AND seq = ?2`);
  const setAttributes = raw.query<null, [string, number, string | null]>(
    /*sql*/ `UPDATE store_file SET attributes = ?3 WHERE tenant_id = ?1 AND seq = ?2`,
  );
  const reindex = raw.query<
    null,
    [string, number, number, number]
  >(/*sql*/ `UPDATE store_file SET status = 'in_progress', error_code = NULL, error_message = NULL, max_tokens = ?3,
               overlap_tokens = ?4, revision = revision + 1, chunked = 0, usage_bytes = 0, n_chunks = 0, n_vectors = 0, warnings = NULL
             WHERE tenant_id = ?1 AND seq = ?2`);
  const setChunked = raw.query<null, [string, number, number, string | null]>(
    /*sql*/ `UPDATE store_file SET chunked = 1, warnings = ?4 WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3`,
  );
  const resetChunked = raw.query<null, [string, string]>(
    /*sql*/ `UPDATE store_file SET chunked = 0 WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'in_progress'`,
  );
  const complete = raw.query<
    null,
    [string, number, number, number, number, number]
  >(/*sql*/ `UPDATE store_file SET status = 'completed', error_code = NULL, error_message = NULL, usage_bytes = ?4,
               n_chunks = ?5, n_vectors = ?6
             WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`);
  const setTotals = raw.query<
    null,
    [string, number, number, number, number]
  >(/*sql*/ `UPDATE store_file SET usage_bytes = ?3, n_chunks = ?4, n_vectors = ?5
             WHERE tenant_id = ?1 AND seq = ?2 AND status = 'completed'`);
  const fail = raw.query<
    null,
    [string, number, number, string, string]
  >(/*sql*/ `UPDATE store_file SET status = 'failed', error_code = ?4, error_message = ?5, usage_bytes = 0, n_chunks = 0, n_vectors = 0
             WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`);
  const cancel = raw.query<
    null,
    [string, number]
  >(/*sql*/ `UPDATE store_file SET status = 'cancelled', usage_bytes = 0, n_chunks = 0, n_vectors = 0
             WHERE tenant_id = ?1 AND seq = ?2 AND status = 'in_progress'`);
  const countInStore = raw.query<{ n: number }, [string, string]>(
    /*sql*/ `SELECT n_in_progress + n_completed + n_failed + n_cancelled AS n FROM vector_store WHERE tenant_id = ?1 AND id = ?2`,
  );
  const seqsAfter = raw.query<{ seq: number }, [string, string, number, number]>(
    /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4`,
  );
  const nextSlice = raw.query<{ seq: number }, [string, string, number]>(
    /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY seq LIMIT ?3`,
  );

  return {
    insert: (file: NewStoreFile): StoreFileRow => {
      const row = insert.get(
        file.tenantId,
        file.storeId,
        file.fileId,
        file.filename,
        file.fileBytes,
        file.createdAt,
        file.attributes,
        file.maxTokens,
        file.overlapTokens,
      );
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, fileId: string): StoreFileRow | null =>
      byFile.get(tenantId, storeId, fileId),
    bySeq: (tenantId: string, seq: number): StoreFileRow | null => bySeq.get(tenantId, seq),
    /** Every store this file is attached to. */
    ofFile: (tenantId: string, fileId: string): StoreFileRow[] => ofFile.all(tenantId, fileId),
    remove: (tenantId: string, seq: number): boolean => remove.run(tenantId, seq).changes > 0,
    setAttributes: (tenantId: string, seq: number, attributes: string | null) => {
      setAttributes.run(tenantId, seq, attributes);
    },
    /** Back to `in_progress` under a new revision; what the old one left is garbage from now on. */
    reindex: (tenantId: string, seq: number, strategy: { maxTokens: number; overlapTokens: number }) => {
      reindex.run(tenantId, seq, strategy.maxTokens, strategy.overlapTokens);
    },
    setChunked: (tenantId: string, seq: number, revision: number, warnings: readonly string[]) => {
      setChunked.run(tenantId, seq, revision, warnings.length === 0 ? null : JSON.stringify(warnings));
    },
    /** Files in progress must be chunked again: another set of chunks went live. */
    resetChunked: (tenantId: string, storeId: string) => {
      resetChunked.run(tenantId, storeId);
    },
    /** False when it was cancelled, detached or re-attached meanwhile: then nothing changed. */
    complete: (
      tenantId: string,
      seq: number,
      revision: number,
      result: { usageBytes: number; chunks: number; vectors: number },
    ): boolean => complete.run(tenantId, seq, revision, result.usageBytes, result.chunks, result.vectors).changes > 0,
    /** What a completed file holds now that chunks were added to it. */
    setTotals: (tenantId: string, seq: number, totals: { usageBytes: number; chunks: number; vectors: number }) => {
      setTotals.run(tenantId, seq, totals.usageBytes, totals.chunks, totals.vectors);
    },
    fail: (tenantId: string, seq: number, revision: number, code: StoreFileErrorCode, message: string): boolean =>
      fail.run(tenantId, seq, revision, code, message).changes > 0,
    cancel: (tenantId: string, seq: number): boolean => cancel.run(tenantId, seq).changes > 0,
    count: (tenantId: string, storeId: string): number => countInStore.get(tenantId, storeId)?.n ?? 0,
    /** `seq` of the store's files after `afterSeq`, whatever their status. */
    seqsAfter: (tenantId: string, storeId: string, afterSeq: number, limit: number): number[] =>
      seqsAfter.all(tenantId, storeId, afterSeq, limit).map((row) => row.seq),
    /** The first `limit` files of a store, for the janitor's small steps. */
    firstOf: (tenantId: string, storeId: string, limit: number): number[] =>
      nextSlice.all(tenantId, storeId, limit).map((row) => row.seq),
    list(tenantId: string, storeId: string, page: PageQuery, status: StoreFileStatus | null): Page<StoreFileRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          StoreFileRow,
          [string, string, string | null, number, number, number]
        >(/*sql*/ `SELECT ${COLUMNS} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND (?3 IS NULL OR status = ?3)
                   AND seq > ?4 AND seq < ?5 ORDER BY seq ${direction} LIMIT ?6`)
        .all(tenantId, storeId, status, above, below, limit);
      return toPage(rows, page);
    },
    listOfBatch(
      tenantId: string,
      batchId: string,
      page: PageQuery,
      status: StoreFileStatus | null,
    ): Page<StoreFileRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          StoreFileRow,
          [string, string, string | null, number, number, number]
        >(/*sql*/ `SELECT ${QUALIFIED} FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
                   WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND (?3 IS NULL OR f.status = ?3)
                   AND f.seq > ?4 AND f.seq < ?5 ORDER BY f.seq ${direction} LIMIT ?6`)
        .all(tenantId, batchId, status, above, below, limit);
      return toPage(rows, page);
    },
  };
}
