import { extname } from "node:path";
import { newId } from "../platform/ids.ts";
import type { ChunkId, DeletionId, DeletionSeq, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

export interface RemovedCounts {
  files: number;
  chunks: number;
  vectors: number;
  keyword_postings: number;
  cache_entries: number;
  bytes: number;
  /** Passages in stored answers. */
  results: number;
}

/** What a check found. */
export interface RemainingCounts extends RemovedCounts {
  /** Stored answers whose text cites it: they belong to the conversation, and go with it. */
  answers: number;
}

/** What the last check found. */
export interface LastCheck extends RemainingCounts {
  /** Servers that were not looked at, in sentences; null: none. */
  unchecked: string | null;
}

/** No name and no text of what was deleted is kept. */
export const DELETION = table("deletion", {
  seq: integer<DeletionSeq>(),
  id: id<DeletionId>(),
  tenant_id: id<TenantId>(),
  subject_type: text<"file" | "vector_store">(),
  subject_id: text(),
  requested_at: integer(),
  /** When everything of it was reclaimed. */
  completed_at: nullable(integer()),
  /** When it was last checked; null where a server did not answer. */
  verified_at: nullable(integer()),
  /** Of a file: names its entry in the cache of parsed documents. */
  cache_sha256: nullable(text()),
  cache_extension: nullable(text()),
  // What went with it so far.
  files: integer(),
  chunks: integer(),
  vectors: integer(),
  keyword_postings: integer(),
  cache_entries: integer(),
  bytes: integer(),
  results: integer(),
  /** What the last check found. */
  remaining: nullable(json<LastCheck>({ results: 0, answers: 0, unchecked: null } as LastCheck)),
});

/** The files in stores that a deletion takes away. */
export const DELETION_FILE = table("deletion_file", {
  store_file: integer<StoreFileSeq>(),
  deletion: integer<DeletionSeq>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
});

/** The chunks that were removed, so that it can be checked that nothing points to them. Both ends belong to it. */
export const DELETION_RANGE = table("deletion_range", {
  deletion: integer<DeletionSeq>(),
  first_id: integer<ChunkId>(),
  last_id: integer<ChunkId>(),
  tenant_id: id<TenantId>(),
});

export type DeletionRow = RowOf<typeof DELETION>;

/** A deletion under way. */
export type OpenDeletion = Pick<DeletionRow, "seq" | "id" | "tenant_id">;

export interface NewDeletion {
  tenantId: TenantId;
  type: DeletionRow["subject_type"];
  id: string;
  at: number;
  files: number;
  bytes: number;
  /** Of a deleted file: what its parsed form is kept under. */
  cached: { sha256: string; filename: string } | null;
}

/** Rows removed in one step. */
export interface RemovedRows {
  chunkIds: readonly ChunkId[];
  terms: number;
  vectors: number;
}

/** Rows that are still there. */
export interface RowsLeft {
  files: number;
  chunks: number;
  terms: number;
  vectors: number;
}

/**
 * What was deleted, what went with it, and enough of where it stood to check later that nothing is left: which files in
 * stores, which chunk ids.
 */
export interface DeletionsTable {
  /** Inside the transaction that deletes. Returns its `seq` for `addStoreFile`. */
  open(deletion: NewDeletion): Promise<{ seq: DeletionSeq; id: DeletionId }>;
  addStoreFile(deletion: DeletionSeq, tenantId: TenantId, storeId: StoreId, storeFile: StoreFileSeq): Promise<void>;
  get(id: DeletionId): Promise<DeletionRow | null>;
  /** `tenantId` null: of all tenants. */
  list(tenantId: TenantId | null, page: PageQuery): Promise<Page<DeletionRow>>;
  /** The deletion that takes this file of a store away, if one does. */
  ofStoreFile(storeFile: StoreFileSeq): Promise<OpenDeletion | null>;
  /** The unfinished deletion of a store. */
  ofStore(storeId: StoreId): Promise<OpenDeletion | null>;
  /** Notes what a step removed; in the transaction of the removal. */
  note(deletion: OpenDeletion, removed: RemovedRows): Promise<void>;
  noteFiles(deletion: DeletionSeq, files: number): Promise<void>;
  noteCacheEntries(deletion: DeletionSeq, entries: number): Promise<void>;
  noteResults(deletion: DeletionSeq, results: number): Promise<void>;
  complete(deletion: DeletionSeq, at: number): Promise<void>;
  /** `at` null: the check is no proof. */
  setVerified(deletion: DeletionSeq, at: number | null, found: LastCheck): Promise<void>;
  /** Deletions after `seq` that name an entry in the cache of parsed documents, in order. */
  withParsed(seq: DeletionSeq, limit: number): Promise<DeletionRow[]>;
  storeFiles(deletion: DeletionSeq): Promise<{ store_file: StoreFileSeq; store_id: StoreId }[]>;
  /** Deletions that are not complete and that no job looks at, the oldest first. */
  unended(limit: number): Promise<OpenDeletion[]>;
  /** Whether jobs still remove parts of it. */
  isPending(row: DeletionRow): Promise<boolean>;
  left(row: DeletionRow): Promise<RowsLeft>;
}

/** Whose it is already it stays: the purge of the file tells that deletion, and no other, that it has ended. */
const ADD_FILE = /*sql*/ `INSERT INTO deletion_file (store_file, deletion, tenant_id, store_id) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (store_file) DO NOTHING`;
const UNENDED = /*sql*/ `SELECT seq, id, tenant_id FROM deletion d WHERE completed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = 'finish_deletion' AND j.subject = d.id) ORDER BY seq LIMIT ?1`;
const BY_ID = /*sql*/ `SELECT ${DELETION.list} FROM deletion WHERE id = ?1`;
const WITH_PARSED = /*sql*/ `SELECT ${DELETION.list} FROM deletion WHERE seq > ?1 AND cache_sha256 IS NOT NULL
  ORDER BY seq LIMIT ?2`;
const LISTED = /*sql*/ `deletion WHERE (CAST(?1 AS TEXT) IS NULL OR tenant_id = ?1)`;
const OF_STORE_FILE = /*sql*/ `SELECT d.seq, d.id, d.tenant_id FROM deletion_file f JOIN deletion d ON d.seq = f.deletion
  WHERE f.store_file = ?1`;
const OPEN_OF_STORE = /*sql*/ `SELECT seq, id, tenant_id FROM deletion WHERE subject_id = ?1 AND subject_type = 'vector_store'
  AND completed_at IS NULL ORDER BY seq DESC LIMIT 1`;
const ADD_COUNTS = /*sql*/ `UPDATE deletion SET chunks = chunks + ?2, vectors = vectors + ?3, keyword_postings = keyword_postings + ?4
  WHERE seq = ?1`;
const ADD_FILES = /*sql*/ `UPDATE deletion SET files = files + ?2 WHERE seq = ?1`;
const ADD_CACHE = /*sql*/ `UPDATE deletion SET cache_entries = cache_entries + ?2 WHERE seq = ?1`;
const ADD_RESULTS = /*sql*/ `UPDATE deletion SET results = results + ?2 WHERE seq = ?1`;
const ADD_RANGE = /*sql*/ `INSERT INTO deletion_range (deletion, first_id, last_id, tenant_id) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (deletion, first_id) DO UPDATE SET last_id = excluded.last_id, tenant_id = excluded.tenant_id`;
const COMPLETE = /*sql*/ `UPDATE deletion SET completed_at = ?2 WHERE seq = ?1 AND completed_at IS NULL`;
const STORE_FILES = /*sql*/ `SELECT store_file, store_id FROM deletion_file WHERE deletion = ?1`;
const PENDING_FILE = /*sql*/ `SELECT count(*) AS n FROM deletion_file d
  JOIN job j ON j.subject = CAST(d.store_file AS TEXT) AND j.kind IN ('purge_file', 'ingest')
  WHERE d.deletion = ?1`;
const PENDING_STORE = /*sql*/ `SELECT (SELECT count(*) FROM vector_store WHERE id = ?1)
  + (SELECT count(*) FROM job WHERE kind = 'purge_store' AND subject = ?1) AS n`;
const LEFT = /*sql*/ `SELECT
  (SELECT count(*) FROM deletion_file d JOIN store_file f ON f.seq = d.store_file WHERE d.deletion = ?1)
    + (SELECT count(*) FROM file WHERE id = ?2) + (SELECT count(*) FROM vector_store WHERE id = ?2) AS files,
  (SELECT count(*) FROM deletion_range r JOIN chunk c ON c.id BETWEEN r.first_id AND r.last_id WHERE r.deletion = ?1)
    + (SELECT count(*) FROM deletion_file d JOIN chunk c ON c.store_file = d.store_file WHERE d.deletion = ?1)
    + (SELECT count(*) FROM deletion_range r JOIN chunk_attributes a ON a.chunk_id BETWEEN r.first_id AND r.last_id
       WHERE r.deletion = ?1) AS chunks,
  (SELECT count(*) FROM deletion_range r JOIN chunk_terms t ON t.chunk_id BETWEEN r.first_id AND r.last_id
     WHERE r.deletion = ?1) AS terms,
  (SELECT count(*) FROM deletion_range r JOIN vector v ON v.chunk_id BETWEEN r.first_id AND r.last_id
     WHERE r.deletion = ?1) AS vectors`;

export function deletionsTable(sql: Sql): DeletionsTable {
  return {
    async open(deletion) {
      const { seq, id } = await DELETION.insert(sql, newRow(deletion));
      return { seq, id };
    },
    addStoreFile: async (deletion, tenantId, storeId, storeFile) =>
      void (await sql.run(ADD_FILE, [storeFile, deletion, tenantId, storeId])),
    get: (id) => DELETION.get(sql, BY_ID, [id]),
    list: (tenantId, page) => DELETION.page(sql, { from: LISTED, params: [tenantId] }, page),
    ofStoreFile: (storeFile) => sql.get(OF_STORE_FILE, [storeFile]),
    ofStore: (storeId) => sql.get(OPEN_OF_STORE, [storeId]),
    async note({ seq, tenant_id: tenantId }, removed) {
      await sql.run(ADD_COUNTS, [seq, removed.chunkIds.length, removed.vectors, removed.terms]);
      for (const [first, last] of ranges(removed.chunkIds)) await sql.run(ADD_RANGE, [seq, first, last, tenantId]);
    },
    noteFiles: async (deletion, files) => void (await sql.run(ADD_FILES, [deletion, files])),
    noteCacheEntries: async (deletion, entries) => void (await sql.run(ADD_CACHE, [deletion, entries])),
    noteResults: async (deletion, results) => void (await sql.run(ADD_RESULTS, [deletion, results])),
    complete: async (deletion, at) => void (await sql.run(COMPLETE, [deletion, at])),
    setVerified: async (deletion, at, found) =>
      void (await DELETION.update(sql, { seq: deletion }, { verified_at: at, remaining: found })),
    withParsed: (seq, limit) => DELETION.all(sql, WITH_PARSED, [seq, limit]),
    storeFiles: (deletion) => sql.all(STORE_FILES, [deletion]),
    unended: (limit) => sql.all<OpenDeletion>(UNENDED, [limit]),
    async isPending({ seq, subject_type: type, subject_id: subject }) {
      const row = await (type === "vector_store"
        ? sql.get<{ n: number }>(PENDING_STORE, [subject])
        : sql.get<{ n: number }>(PENDING_FILE, [seq]));
      return row?.n !== 0;
    },
    left: async ({ seq, subject_id: subject }) =>
      (await sql.get<RowsLeft>(LEFT, [seq, subject])) ?? { files: 0, chunks: 0, terms: 0, vectors: 0 },
  };
}

function newRow({ tenantId, type, id, at, files, bytes, cached }: NewDeletion) {
  return {
    id: newId("del_"),
    tenant_id: tenantId,
    subject_type: type,
    subject_id: id,
    requested_at: at,
    cache_sha256: cached?.sha256 ?? null,
    cache_extension: cached === null ? null : extname(cached.filename).toLowerCase(),
    files,
    bytes,
  };
}

/** `[1, 2, 3, 7]` -> `[[1, 3], [7, 7]]` */
function ranges(ids: readonly ChunkId[]): [first: ChunkId, last: ChunkId][] {
  const result: [number, number][] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && last[1] + 1 === id) last[1] = id;
    else result.push([id, id]);
  }
  return result;
}
