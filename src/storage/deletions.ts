import { extname } from "node:path";
import { newId } from "../platform/ids.ts";
import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface DeletionRow extends RemovedCounts {
  seq: number;
  id: string;
  tenant_id: string;
  subject_type: "file" | "vector_store";
  subject_id: string;
  requested_at: number;
  completed_at: number | null;
  verified_at: number | null;
  cache_sha256: string | null;
  cache_extension: string | null;
  /** JSON of RemovedCounts as last checked, or null. */
  remaining: string | null;
}

export interface RemovedCounts {
  files: number;
  chunks: number;
  vectors: number;
  keyword_postings: number;
  cache_entries: number;
  bytes: number;
}

export interface NewDeletion {
  tenantId: string;
  type: DeletionRow["subject_type"];
  id: string;
  at: number;
  files: number;
  bytes: number;
  /** Of a deleted file: what its parsed form is kept under. */
  cached: { sha256: string; filename: string } | null;
}

/** A deletion under way. */
export type OpenDeletion = Pick<DeletionRow, "seq" | "id" | "tenant_id">;

/** Rows removed in one step. */
export interface RemovedRows {
  chunkIds: readonly number[];
  terms: number;
  vectors: number;
}

const COUNTS = "files, chunks, vectors, keyword_postings, cache_entries, bytes";
const COLUMNS = `seq, id, tenant_id, subject_type, subject_id, requested_at, completed_at, verified_at, cache_sha256,
  cache_extension, remaining, ${COUNTS}`;

export type DeletionsTable = ReturnType<typeof deletionsTable>;

/**
 * What was deleted, what went with it, and enough of where it stood to check later that nothing is left: which files in
 * stores, which chunk ids. No name and no text of what was deleted is kept.
 */
export function deletionsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO deletion (id, tenant_id, subject_type, subject_id, requested_at, cache_sha256, cache_extension, files, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING seq`;
  const addFile = /*sql*/ `INSERT OR REPLACE INTO deletion_file (store_file, deletion, tenant_id, store_id) VALUES (?1, ?2, ?3, ?4)`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM deletion WHERE id = ?1`;
  const ofStoreFile = /*sql*/ `SELECT d.seq, d.id, d.tenant_id FROM deletion_file f JOIN deletion d ON d.seq = f.deletion
             WHERE f.store_file = ?1`;
  const openOfStore = /*sql*/ `SELECT seq, id, tenant_id FROM deletion WHERE subject_id = ?1 AND subject_type = 'vector_store'
               AND completed_at IS NULL ORDER BY seq DESC LIMIT 1`;
  const addCounts = /*sql*/ `UPDATE deletion SET chunks = chunks + ?2, vectors = vectors + ?3, keyword_postings = keyword_postings + ?4
             WHERE seq = ?1`;
  const addFiles = /*sql*/ `UPDATE deletion SET files = files + ?2 WHERE seq = ?1`;
  const addCache = /*sql*/ `UPDATE deletion SET cache_entries = cache_entries + ?2 WHERE seq = ?1`;
  const addRange = /*sql*/ `INSERT OR REPLACE INTO deletion_range (deletion, first_id, last_id, tenant_id) VALUES (?1, ?2, ?3, ?4)`;
  const complete = /*sql*/ `UPDATE deletion SET completed_at = ?2 WHERE seq = ?1 AND completed_at IS NULL`;
  const verified = /*sql*/ `UPDATE deletion SET verified_at = ?2, remaining = ?3 WHERE seq = ?1`;
  const storeFiles = /*sql*/ `SELECT store_file, store_id FROM deletion_file WHERE deletion = ?1`;
  const pendingFile = /*sql*/ `SELECT count(*) AS n FROM deletion_file d
             JOIN job j ON j.subject = CAST(d.store_file AS TEXT) AND j.kind IN ('purge_file', 'ingest')
             WHERE d.deletion = ?1`;
  const pendingStore = /*sql*/ `SELECT (SELECT count(*) FROM vector_store WHERE id = ?1)
               + (SELECT count(*) FROM job WHERE kind = 'purge_store' AND subject = ?1) AS n`;
  const left = /*sql*/ `SELECT
      (SELECT count(*) FROM deletion_file d JOIN store_file f ON f.seq = d.store_file WHERE d.deletion = ?1)
        + (SELECT count(*) FROM file WHERE id = ?2) + (SELECT count(*) FROM vector_store WHERE id = ?2) AS files,
      (SELECT count(*) FROM deletion_range r JOIN chunk c ON c.id BETWEEN r.first_id AND r.last_id WHERE r.deletion = ?1)
        + (SELECT count(*) FROM deletion_file d JOIN chunk c ON c.store_file = d.store_file WHERE d.deletion = ?1) AS chunks,
      (SELECT count(*) FROM deletion_range r JOIN chunk_terms t ON t.chunk_id BETWEEN r.first_id AND r.last_id
         WHERE r.deletion = ?1) AS terms,
      (SELECT count(*) FROM deletion_range r JOIN vector v ON v.chunk_id BETWEEN r.first_id AND r.last_id
         WHERE r.deletion = ?1) AS vectors`;

  return {
    /** Inside the transaction that deletes. Returns its `seq` for `addStoreFile`. */
    async open(deletion: NewDeletion): Promise<{ seq: number; id: string }> {
      const id = newId("del_");
      const row = await sql.get<{ seq: number }>(insert, [
        id,
        deletion.tenantId,
        deletion.type,
        deletion.id,
        deletion.at,
        deletion.cached?.sha256 ?? null,
        deletion.cached === null ? null : extname(deletion.cached.filename).toLowerCase(),
        deletion.files,
        deletion.bytes,
      ]);
      return { seq: row?.seq ?? 0, id };
    },
    addStoreFile: async (deletion: number, tenantId: string, storeId: string, storeFile: number) => {
      await sql.run(addFile, [storeFile, deletion, tenantId, storeId]);
    },
    get: (id: string): Promise<DeletionRow | null> => sql.get<DeletionRow>(byId, [id]),
    /** `tenantId` null: of all tenants. */
    async list(tenantId: string | null, page: PageQuery): Promise<Page<DeletionRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<DeletionRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM deletion WHERE (?1 IS NULL OR tenant_id = ?1)
                   AND seq > ?2 AND seq < ?3 ORDER BY seq ${direction} LIMIT ?4`,
        [tenantId, above, below, limit],
      );
      return toPage(rows, page);
    },
    /** The deletion that takes this file of a store away, if one does. */
    ofStoreFile: (storeFile: number) => sql.get<OpenDeletion>(ofStoreFile, [storeFile]),
    /** The unfinished deletion of a store. */
    ofStore: (storeId: string) => sql.get<OpenDeletion>(openOfStore, [storeId]),
    /** Notes what a step removed; in the transaction of the removal. */
    async note({ seq, tenant_id: tenantId }: OpenDeletion, removed: RemovedRows) {
      await sql.run(addCounts, [seq, removed.chunkIds.length, removed.vectors, removed.terms]);
      for (const [first, last] of ranges(removed.chunkIds)) await sql.run(addRange, [seq, first, last, tenantId]);
    },
    noteFiles: async (deletion: number, files: number) => {
      await sql.run(addFiles, [deletion, files]);
    },
    noteCacheEntries: async (deletion: number, entries: number) => {
      await sql.run(addCache, [deletion, entries]);
    },
    complete: async (deletion: number, at: number) => {
      await sql.run(complete, [deletion, at]);
    },
    setVerified: async (deletion: number, at: number, remaining: RemovedCounts) => {
      await sql.run(verified, [deletion, at, JSON.stringify(remaining)]);
    },
    storeFiles: (deletion: number) => sql.all<{ store_file: number; store_id: string }>(storeFiles, [deletion]),
    /** Whether jobs still remove parts of it. */
    isPending: async (row: DeletionRow): Promise<boolean> =>
      (row.subject_type === "vector_store"
        ? await sql.get<{ n: number }>(pendingStore, [row.subject_id])
        : await sql.get<{ n: number }>(pendingFile, [row.seq])
      )?.n !== 0,
    /** Rows that are still there. */
    left: async (row: DeletionRow) =>
      (await sql.get<{ files: number; chunks: number; terms: number; vectors: number }>(left, [
        row.seq,
        row.subject_id,
      ])) ?? { files: 0, chunks: 0, terms: 0, vectors: 0 },
  };
}

/** `[1, 2, 3, 7]` -> `[[1, 3], [7, 7]]` */
function ranges(ids: readonly number[]): [first: number, last: number][] {
  const result: [number, number][] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && last[1] + 1 === id) last[1] = id;
    else result.push([id, id]);
  }
  return result;
}
