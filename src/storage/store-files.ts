import type { BatchId, FileId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import { containsPattern } from "./contains.ts";
import type { Page, PageQuery, SortedQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, json, nullable, type PageSource, type RowOf, table, text } from "./table.ts";
import { numbers, texts, twin } from "./dialect.ts";

export type StoreFileStatus = "in_progress" | "completed" | "failed" | "cancelled";
export type StoreFileErrorCode = "server_error" | "unsupported_file" | "invalid_file";
/** What filters look at. */
export type FileAttributes = Record<string, string | number | boolean>;

export const STORE_FILE = table("store_file", {
  seq: integer<StoreFileSeq>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  file_id: id<FileId>(),
  /** Copied: a search must not join for it. */
  filename: text(),
  file_bytes: integer(),
  created_at: integer(),
  status: text<StoreFileStatus>(),
  error_code: nullable(text<StoreFileErrorCode>()),
  error_message: nullable(text()),
  attributes: nullable(json<FileAttributes>()),
  max_tokens: integer(),
  overlap_tokens: integer(),
  /** Grows when it is indexed anew; chunks of older revisions are garbage. */
  revision: integer(),
  /** Every chunk row of this revision is there, only vectors may be missing. */
  chunked: boolean(),
  /** Of texts and vectors. */
  usage_bytes: integer(),
  n_chunks: integer(),
  n_vectors: integer(),
  warnings: nullable(json<string[]>()),
  /** Of the texts that were put in with their vectors. */
  content_bytes: integer(),
});

export type StoreFileRow = RowOf<typeof STORE_FILE>;

/** Also read by index-reads.ts. */
export const STORE_FILE_BY_SEQ = /*sql*/ `SELECT ${STORE_FILE.list} FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;

/** What is asked of a file that may be attached already. */
const ATTACHED = STORE_FILE.pick("seq", "file_id", "filename", "status", "max_tokens", "overlap_tokens");
export type AttachedFile = RowOf<typeof ATTACHED>;

const DESCRIBED = STORE_FILE.pick("seq", "attributes");
export type AttributesRow = RowOf<typeof DESCRIBED>;

/** Files that are attached with the same. */
export interface NewStoreFiles extends Omit<NewStoreFile, "fileId" | "filename" | "fileBytes"> {
  /** Of the tenant. */
  fileIds: readonly FileId[];
}

export interface NewStoreFile {
  tenantId: TenantId;
  storeId: StoreId;
  fileId: FileId;
  filename: string;
  fileBytes: number;
  createdAt: number;
  attributes: FileAttributes | null;
  maxTokens: number;
  overlapTokens: number;
}

/** What a file holds, once all of it is embedded. */
export interface FileTotals {
  chunks: number;
  vectors: number;
  usageBytes: number;
}

export interface StatusCounts {
  in_progress: number;
  completed: number;
  failed: number;
  cancelled: number;
  total: number;
}

/** Which files of a store a list has. */
export interface WantedFiles {
  status: StoreFileStatus | null;
  /** Those whose name contains this, whatever the case; null: all. */
  filename: string | null;
}

export const ALL_FILES: WantedFiles = { status: null, filename: null };

export type FileSort = "filename" | "bytes" | "status";

/** By which a row is ordered: a value of every row, never null. */
const SORTED_BY: Record<FileSort, string> = {
  filename: "lower(filename)",
  bytes: "file_bytes",
  status: "status",
};

/** What a row has at the place by which it is ordered. */
export function sortValueOf(row: StoreFileRow, by: FileSort): string | number {
  if (by === "bytes") return row.file_bytes;
  // As the databases' lower(): they fold ASCII alone.
  return by === "status" ? row.status : row.filename.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Files attached to stores. Counts in vector_store follow by trigger. */
export interface StoreFilesTable extends StoreFileReads, StoreFileChanges {}

interface StoreFileReads {
  get(tenantId: TenantId, storeId: StoreId, fileId: FileId): Promise<StoreFileRow | null>;
  bySeq(tenantId: TenantId, seq: StoreFileSeq): Promise<StoreFileRow | null>;
  /** Those of them that are there, in the order of their `seq`. */
  bySeqs(tenantId: TenantId, seqs: readonly StoreFileSeq[]): Promise<StoreFileRow[]>;
  /** Those of these files that are attached to the store, in no order. */
  attached(tenantId: TenantId, storeId: StoreId, fileIds: readonly FileId[]): Promise<AttachedFile[]>;
  /** `seq` of every file of the store that is in progress. */
  inProgress(tenantId: TenantId, storeId: StoreId): Promise<StoreFileSeq[]>;
  /** Every store this file is attached to. */
  ofFile(tenantId: TenantId, fileId: FileId): Promise<StoreFileRow[]>;
  count(tenantId: TenantId, storeId: StoreId): Promise<number>;
  /** `seq` of the store's files after `afterSeq`, whatever their status. */
  seqsAfter(tenantId: TenantId, storeId: StoreId, afterSeq: StoreFileSeq, limit: number): Promise<StoreFileSeq[]>;
  /** What the newest files before `beforeSeq` say of themselves, the newest first. */
  attributesBefore(
    tenantId: TenantId,
    storeId: StoreId,
    beforeSeq: StoreFileSeq,
    limit: number,
  ): Promise<AttributesRow[]>;
  /** The first `limit` files of a store, for the janitor's small steps. */
  firstOf(tenantId: TenantId, storeId: StoreId, limit: number): Promise<StoreFileSeq[]>;
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery, wanted: WantedFiles): Promise<Page<StoreFileRow>>;
  /** The same files in another order. */
  sorted(
    tenantId: TenantId,
    storeId: StoreId,
    page: SortedQuery,
    wanted: WantedFiles & { by: FileSort },
  ): Promise<Page<StoreFileRow>>;
  listOfBatch(
    tenantId: TenantId,
    batchId: BatchId,
    page: PageQuery,
    status: StoreFileStatus | null,
  ): Promise<Page<StoreFileRow>>;
}

interface StoreFileChanges {
  insert(file: NewStoreFile): Promise<StoreFileRow>;
  /** In the order given. Returns what they are, in no order. */
  insertAll(files: NewStoreFiles): Promise<Pick<StoreFileRow, "seq" | "file_id">[]>;
  remove(tenantId: TenantId, seq: StoreFileSeq): Promise<boolean>;
  setAttributes(tenantId: TenantId, seq: StoreFileSeq, attributes: FileAttributes | null): Promise<void>;
  /** The same for all of them. Returns those that had others, in no order. */
  setAttributesOfAll(
    tenantId: TenantId,
    seqs: readonly StoreFileSeq[],
    attributes: FileAttributes | null,
  ): Promise<StoreFileSeq[]>;
  /** Back to `in_progress` under a new revision; what the old one left is garbage from now on. */
  reindex(tenantId: TenantId, seq: StoreFileSeq, strategy: { maxTokens: number; overlapTokens: number }): Promise<void>;
  /** The same for all of them. */
  reindexAll(
    tenantId: TenantId,
    seqs: readonly StoreFileSeq[],
    strategy: { maxTokens: number; overlapTokens: number },
  ): Promise<void>;
  setChunked(tenantId: TenantId, seq: StoreFileSeq, revision: number, warnings: readonly string[]): Promise<void>;
  /** Files in progress must be chunked again: another set of chunks went live. */
  resetChunked(tenantId: TenantId, storeId: StoreId): Promise<void>;
  /** False when it was cancelled, detached or re-attached meanwhile: then nothing changed. */
  complete(tenantId: TenantId, seq: StoreFileSeq, revision: number, totals: FileTotals): Promise<boolean>;
  /** Texts of so many bytes were put in. */
  addContent(tenantId: TenantId, seq: StoreFileSeq, bytes: number): Promise<void>;
  /** What a completed file holds more, now that chunks were added to it. */
  addTotals(tenantId: TenantId, seq: StoreFileSeq, totals: FileTotals): Promise<void>;
  fail(
    tenantId: TenantId,
    seq: StoreFileSeq,
    revision: number,
    code: StoreFileErrorCode,
    message: string,
  ): Promise<boolean>;
  cancel(tenantId: TenantId, seq: StoreFileSeq): Promise<boolean>;
}

export function storeFilesTable(sql: Sql): StoreFilesTable {
  return { ...reads(sql), ...changes(sql) };
}

const BY_FILE = /*sql*/ `SELECT ${STORE_FILE.list} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND file_id = ?3`;
const BY_SEQS = /*sql*/ `SELECT ${STORE_FILE.list} FROM store_file WHERE tenant_id = ?1
  AND seq IN ${numbers(2)} ORDER BY seq`;
const ATTACHED_OF = /*sql*/ `SELECT ${ATTACHED.list} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2
  AND file_id IN ${texts(3)}`;
const IN_PROGRESS = /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'in_progress'
  ORDER BY seq`;
const OF_FILE = /*sql*/ `SELECT ${STORE_FILE.list} FROM store_file WHERE tenant_id = ?1 AND file_id = ?2`;
const COUNT_IN_STORE = /*sql*/ `SELECT n_in_progress + n_completed + n_failed + n_cancelled AS n FROM vector_store WHERE tenant_id = ?1 AND id = ?2`;
const SEQS_AFTER = /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4`;
const ATTRIBUTES_BEFORE = /*sql*/ `SELECT ${DESCRIBED.list} FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND seq < ?3
  ORDER BY seq DESC LIMIT ?4`;
const FIRST_OF = /*sql*/ `SELECT seq FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 ORDER BY seq LIMIT ?3`;
const LISTED = /*sql*/ `store_file WHERE tenant_id = ?1 AND store_id = ?2 AND (CAST(?3 AS TEXT) IS NULL OR status = ?3)
  AND (CAST(?4 AS TEXT) IS NULL OR glob(?4, filename))`;
const LISTED_OF_BATCH = /*sql*/ `file_batch_member m JOIN store_file f ON f.seq = m.store_file
  WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND (CAST(?3 AS TEXT) IS NULL OR f.status = ?3)`;
const QUALIFIED = STORE_FILE.as("f");

function listed(tenantId: TenantId, storeId: StoreId, { status, filename }: WantedFiles): PageSource {
  return { from: LISTED, params: [tenantId, storeId, status, filename === null ? null : containsPattern(filename)] };
}

function reads(sql: Sql): StoreFileReads {
  const seqs = async (statement: string, params: readonly (string | number)[]) =>
    (await sql.all<{ seq: StoreFileSeq }>(statement, params)).map((row) => row.seq);
  return {
    get: (tenantId, storeId, fileId) => STORE_FILE.get(sql, BY_FILE, [tenantId, storeId, fileId]),
    bySeq: (tenantId, seq) => STORE_FILE.get(sql, STORE_FILE_BY_SEQ, [tenantId, seq]),
    bySeqs: (tenantId, wanted) => STORE_FILE.all(sql, BY_SEQS, [tenantId, JSON.stringify(wanted)]),
    attached: (tenantId, storeId, fileIds) =>
      ATTACHED.all(sql, ATTACHED_OF, [tenantId, storeId, JSON.stringify(fileIds)]),
    inProgress: (tenantId, storeId) => seqs(IN_PROGRESS, [tenantId, storeId]),
    ofFile: (tenantId, fileId) => STORE_FILE.all(sql, OF_FILE, [tenantId, fileId]),
    count: async (tenantId, storeId) => (await sql.get<{ n: number }>(COUNT_IN_STORE, [tenantId, storeId]))?.n ?? 0,
    seqsAfter: (tenantId, storeId, afterSeq, limit) => seqs(SEQS_AFTER, [tenantId, storeId, afterSeq, limit]),
    attributesBefore: (tenantId, storeId, beforeSeq, limit) =>
      DESCRIBED.all(sql, ATTRIBUTES_BEFORE, [tenantId, storeId, beforeSeq, limit]),
    firstOf: (tenantId, storeId, limit) => seqs(FIRST_OF, [tenantId, storeId, limit]),
    list: (tenantId, storeId, page, wanted) => STORE_FILE.page(sql, listed(tenantId, storeId, wanted), page),
    sorted: (tenantId, storeId, page, { by, ...wanted }) =>
      STORE_FILE.sortedPage(sql, listed(tenantId, storeId, wanted), SORTED_BY[by], page),
    listOfBatch: (tenantId, batchId, page, status) =>
      QUALIFIED.page(sql, { from: LISTED_OF_BATCH, params: [tenantId, batchId, status], cursor: "f.seq" }, page),
  };
}

const INTO = /*sql*/ `INSERT INTO store_file (tenant_id, store_id, file_id, filename, file_bytes, created_at, status,
    attributes, max_tokens, overlap_tokens)`;
const INSERT_ALL = twin(
  /*sql*/ `${INTO} SELECT ?1, ?2, f.id, f.filename, f.bytes, ?3, 'in_progress', ?4, ?5, ?6
  FROM json_each(?7) j CROSS JOIN file f ON f.tenant_id = ?1 AND f.id = j.value ORDER BY j.key RETURNING seq, file_id`,
  /*sql*/ `${INTO} SELECT CAST(?1 AS TEXT), ?2, f.id, f.filename, f.bytes, CAST(?3 AS BIGINT), 'in_progress', ?4,
    CAST(?5 AS BIGINT), CAST(?6 AS BIGINT)
  FROM json_each(?7) j JOIN file f ON f.tenant_id = ?1 AND f.id = j.value ORDER BY j.key RETURNING seq, file_id`,
);
const SET_ATTRIBUTES = /*sql*/ `UPDATE store_file SET attributes = ?3
  WHERE tenant_id = ?1 AND seq IN ${numbers(2)} AND attributes IS DISTINCT FROM ?3 RETURNING seq`;
const REMOVE = /*sql*/ `DELETE FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
const REINDEX = /*sql*/ `UPDATE store_file SET status = 'in_progress', error_code = NULL, error_message = NULL, max_tokens = ?3,
    overlap_tokens = ?4, revision = revision + 1, chunked = 0, usage_bytes = 0, n_chunks = 0, n_vectors = 0, warnings = NULL, content_bytes = 0
  WHERE tenant_id = ?1 AND seq IN ${numbers(2)}`;
const RESET_CHUNKED = /*sql*/ `UPDATE store_file SET chunked = 0 WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'in_progress'`;
const COMPLETE = /*sql*/ `UPDATE store_file SET status = 'completed', error_code = NULL, error_message = NULL, usage_bytes = ?4,
    n_chunks = ?5, n_vectors = ?6
  WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`;
const ADD_TOTALS = /*sql*/ `UPDATE store_file SET usage_bytes = usage_bytes + ?3, n_chunks = n_chunks + ?4, n_vectors = n_vectors + ?5
  WHERE tenant_id = ?1 AND seq = ?2 AND status = 'completed'`;
const ADD_CONTENT = /*sql*/ `UPDATE store_file SET content_bytes = content_bytes + ?3 WHERE tenant_id = ?1 AND seq = ?2`;
const FAIL = /*sql*/ `UPDATE store_file SET status = 'failed', error_code = ?4, error_message = ?5, usage_bytes = 0, n_chunks = 0, n_vectors = 0
  WHERE tenant_id = ?1 AND seq = ?2 AND revision = ?3 AND status = 'in_progress'`;
const CANCEL = /*sql*/ `UPDATE store_file SET status = 'cancelled', usage_bytes = 0, n_chunks = 0, n_vectors = 0
  WHERE tenant_id = ?1 AND seq = ?2 AND status = 'in_progress'`;

function changes(sql: Sql): StoreFileChanges {
  const reindexAll: StoreFileChanges["reindexAll"] = async (tenantId, seqs, { maxTokens, overlapTokens }) =>
    void (await sql.run(REINDEX, [tenantId, JSON.stringify(seqs), maxTokens, overlapTokens]));
  return {
    insert: (file) =>
      STORE_FILE.insert(sql, {
        tenant_id: file.tenantId,
        store_id: file.storeId,
        file_id: file.fileId,
        filename: file.filename,
        file_bytes: file.fileBytes,
        created_at: file.createdAt,
        status: "in_progress",
        attributes: file.attributes,
        max_tokens: file.maxTokens,
        overlap_tokens: file.overlapTokens,
      }),
    insertAll: ({ tenantId, storeId, createdAt, attributes, maxTokens, overlapTokens, fileIds }) => {
      const kept = attributes === null ? null : JSON.stringify(attributes);
      const list = JSON.stringify(fileIds);
      return sql.all(INSERT_ALL, [tenantId, storeId, createdAt, kept, maxTokens, overlapTokens, list]);
    },
    remove: async (tenantId, seq) => (await sql.run(REMOVE, [tenantId, seq])) > 0,
    setAttributes: async (tenantId, seq, attributes) =>
      void (await STORE_FILE.update(sql, { tenant_id: tenantId, seq }, { attributes })),
    async setAttributesOfAll(tenantId, seqs, attributes) {
      const kept = attributes === null ? null : JSON.stringify(attributes);
      const changed = await sql.all<{ seq: StoreFileSeq }>(SET_ATTRIBUTES, [tenantId, JSON.stringify(seqs), kept]);
      return changed.map((row) => row.seq);
    },
    reindex: (tenantId, seq, strategy) => reindexAll(tenantId, [seq], strategy),
    reindexAll,
    async setChunked(tenantId, seq, revision, warnings) {
      const kept = warnings.length === 0 ? null : [...warnings];
      await STORE_FILE.update(sql, { tenant_id: tenantId, seq, revision }, { chunked: true, warnings: kept });
    },
    resetChunked: async (tenantId, storeId) => void (await sql.run(RESET_CHUNKED, [tenantId, storeId])),
    complete: async (tenantId, seq, revision, { usageBytes, chunks, vectors }) =>
      (await sql.run(COMPLETE, [tenantId, seq, revision, usageBytes, chunks, vectors])) > 0,
    addContent: async (tenantId, seq, bytes) => void (await sql.run(ADD_CONTENT, [tenantId, seq, bytes])),
    addTotals: async (tenantId, seq, { usageBytes, chunks, vectors }) =>
      void (await sql.run(ADD_TOTALS, [tenantId, seq, usageBytes, chunks, vectors])),
    fail: async (tenantId, seq, revision, code, message) =>
      (await sql.run(FAIL, [tenantId, seq, revision, code, message])) > 0,
    cancel: async (tenantId, seq) => (await sql.run(CANCEL, [tenantId, seq])) > 0,
  };
}
