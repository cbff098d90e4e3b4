import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface FileRow {
  seq: number;
  id: string;
  tenant_id: string;
  filename: string;
  bytes: number;
  purpose: string;
  mime: string | null;
  sha256: string;
  created_at: number;
  expires_at: number | null;
  /** The key that uploaded it, if known. */
  key_id: string | null;
}

export type NewFileRow = Omit<FileRow, "seq" | "key_id"> & { key_id?: string | null };

/** The stores of a restricted key: it sees its own uploads and the files in these stores. */
export interface FileScope {
  keyId: string;
  storeIds: readonly string[];
}

const COLUMNS = "seq, id, tenant_id, filename, bytes, purpose, mime, sha256, created_at, expires_at, key_id";

export type FilesTable = ReturnType<typeof filesTable>;

/** Uploaded files; their bytes are in blobs.ts under the same id. */
export function filesTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO file (id, tenant_id, filename, bytes, purpose, mime, sha256, created_at, expires_at, key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING seq`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM file WHERE tenant_id = ?1 AND id = ?2`;
  const remove = /*sql*/ `DELETE FROM file WHERE tenant_id = ?1 AND id = ?2`;
  const usage = /*sql*/ `SELECT files, bytes FROM usage WHERE owner = ?1`;
  const inScope = /*sql*/ `SELECT count(*) AS n FROM file f WHERE f.tenant_id = ?1 AND f.id = ?2 AND (f.key_id = ?3
               OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = f.id AND s.tenant_id = ?1
                          AND s.store_id IN (SELECT value FROM json_each(?4))))`;
  const withSameBytes = /*sql*/ `SELECT filename FROM file WHERE tenant_id = ?1 AND sha256 = ?2 LIMIT 1000`;
  const someOf = /*sql*/ `SELECT id FROM file WHERE tenant_id = ?1 ORDER BY seq LIMIT ?2`;
  const expired = /*sql*/ `SELECT tenant_id, id FROM file WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT 100`;
  const anyWithId = /*sql*/ `SELECT count(*) AS n FROM file WHERE id = ?1`;

  return {
    async insert(file: NewFileRow): Promise<FileRow> {
      const row = await sql.get<{ seq: number }>(insert, [
        file.id,
        file.tenant_id,
        file.filename,
        file.bytes,
        file.purpose,
        file.mime,
        file.sha256,
        file.created_at,
        file.expires_at,
        file.key_id ?? null,
      ]);
      return { seq: row?.seq ?? 0, key_id: null, ...file };
    },
    get: (tenantId: string, id: string): Promise<FileRow | null> => sql.get<FileRow>(byId, [tenantId, id]),
    remove: async (tenantId: string, id: string): Promise<boolean> => (await sql.run(remove, [tenantId, id])) > 0,
    /** Whether a restricted key may know of the file. */
    isInScope: async (tenantId: string, id: string, { keyId, storeIds }: FileScope): Promise<boolean> =>
      ((await sql.get<{ n: number }>(inScope, [tenantId, id, keyId, JSON.stringify(storeIds)]))?.n ?? 0) > 0,
    async list(tenantId: string, page: PageQuery, purpose?: string, scope?: FileScope): Promise<Page<FileRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<FileRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM file WHERE tenant_id = ?1 AND (?2 IS NULL OR purpose = ?2)
                   AND seq > ?3 AND seq < ?4
                   AND (?6 IS NULL OR key_id = ?6 OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = file.id
                        AND s.tenant_id = ?1 AND s.store_id IN (SELECT value FROM json_each(?7))))
                   ORDER BY seq ${direction} LIMIT ?5`,
        [tenantId, purpose ?? null, above, below, limit, scope?.keyId ?? null, JSON.stringify(scope?.storeIds ?? [])],
      );
      return toPage(rows, page);
    },
    /** What a tenant, or a key, has uploaded. */
    usage: async (tenantOrKey: string) =>
      (await sql.get<{ files: number; bytes: number }>(usage, [tenantOrKey])) ?? { files: 0, bytes: 0 },
    /** Names of the tenant's files with these bytes (up to 1,000). */
    namesOfBytes: async (tenantId: string, sha256: string): Promise<string[]> =>
      (await sql.all<{ filename: string }>(withSameBytes, [tenantId, sha256])).map((row) => row.filename),
    /** The oldest `limit` files of a tenant. */
    someOf: async (tenantId: string, limit: number): Promise<string[]> =>
      (await sql.all<{ id: string }>(someOf, [tenantId, limit])).map((row) => row.id),
    /** Up to 100 files whose time has come, of every tenant (for the janitor). */
    expired: (nowSeconds: number) => sql.all<{ tenant_id: string; id: string }>(expired, [nowSeconds]),
    /** Ids of every tenant's files, for a backup. */
    allIds: async (): Promise<string[]> =>
      (await sql.all<{ id: string }>(/*sql*/ `SELECT id FROM file ORDER BY seq`)).map((row) => row.id),
    /** Whether any tenant has a file of this id (for the sweep of orphaned blobs). */
    exists: async (id: string): Promise<boolean> => ((await sql.get<{ n: number }>(anyWithId, [id]))?.n ?? 0) > 0,
  };
}
