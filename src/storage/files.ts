import type { Db } from "./db.ts";
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
export function filesTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    { seq: number },
    [string, string, string, number, string, string | null, string, number, number | null, string | null]
  >(/*sql*/ `INSERT INTO file (id, tenant_id, filename, bytes, purpose, mime, sha256, created_at, expires_at, key_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING seq`);
  const byId = raw.query<FileRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM file WHERE tenant_id = ?1 AND id = ?2`,
  );
  const remove = raw.query<null, [string, string]>(/*sql*/ `DELETE FROM file WHERE tenant_id = ?1 AND id = ?2`);
  const usage = raw.query<{ files: number; bytes: number }, [string]>(
    /*sql*/ `SELECT files, bytes FROM usage WHERE owner = ?1`,
  );
  const inScope = raw.query<
    { n: number },
    [string, string, string, string]
  >(/*sql*/ `SELECT count(*) AS n FROM file f WHERE f.tenant_id = ?1 AND f.id = ?2 AND (f.key_id = ?3
               OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = f.id AND s.tenant_id = ?1
                          AND s.store_id IN (SELECT value FROM json_each(?4))))`);
  const withSameBytes = raw.query<{ filename: string }, [string, string]>(
    /*sql*/ `SELECT filename FROM file WHERE tenant_id = ?1 AND sha256 = ?2 LIMIT 1000`,
  );
  const someOf = raw.query<{ id: string }, [string, number]>(
    /*sql*/ `SELECT id FROM file WHERE tenant_id = ?1 ORDER BY seq LIMIT ?2`,
  );
  const expired = raw.query<{ tenant_id: string; id: string }, [number]>(
    /*sql*/ `SELECT tenant_id, id FROM file WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT 100`,
  );
  const anyWithId = raw.query<{ n: number }, [string]>(/*sql*/ `SELECT count(*) AS n FROM file WHERE id = ?1`);

  return {
    insert(file: NewFileRow): FileRow {
      const row = insert.get(
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
      );
      return { seq: row?.seq ?? 0, key_id: null, ...file };
    },
    get: (tenantId: string, id: string): FileRow | null => byId.get(tenantId, id),
    remove: (tenantId: string, id: string): boolean => remove.run(tenantId, id).changes > 0,
    /** Whether a restricted key may know of the file. */
    isInScope: (tenantId: string, id: string, { keyId, storeIds }: FileScope): boolean =>
      (inScope.get(tenantId, id, keyId, JSON.stringify(storeIds))?.n ?? 0) > 0,
    list(tenantId: string, page: PageQuery, purpose?: string, scope?: FileScope): Page<FileRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          FileRow,
          [string, string | null, number, number, number, string | null, string]
        >(/*sql*/ `SELECT ${COLUMNS} FROM file WHERE tenant_id = ?1 AND (?2 IS NULL OR purpose = ?2)
                   AND seq > ?3 AND seq < ?4
                   AND (?6 IS NULL OR key_id = ?6 OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = file.id
                        AND s.tenant_id = ?1 AND s.store_id IN (SELECT value FROM json_each(?7))))
                   ORDER BY seq ${direction} LIMIT ?5`)
        .all(
          tenantId,
          purpose ?? null,
          above,
          below,
          limit,
          scope?.keyId ?? null,
          JSON.stringify(scope?.storeIds ?? []),
        );
      return toPage(rows, page);
    },
    /** What a tenant, or a key, has uploaded. */
    usage: (tenantOrKey: string) => usage.get(tenantOrKey) ?? { files: 0, bytes: 0 },
    /** Names of the tenant's files with these bytes (up to 1,000). */
    namesOfBytes: (tenantId: string, sha256: string): string[] =>
      withSameBytes.all(tenantId, sha256).map((row) => row.filename),
    /** The oldest `limit` files of a tenant. */
    someOf: (tenantId: string, limit: number): string[] => someOf.all(tenantId, limit).map((row) => row.id),
    /** Up to 100 files whose time has come, of every tenant (for the janitor). */
    expired: (nowSeconds: number) => expired.all(nowSeconds),
    /** Ids of every tenant's files, for a backup. */
    allIds: (): string[] =>
      raw
        .query<{ id: string }, []>(/*sql*/ `SELECT id FROM file ORDER BY seq`)
        .all()
        .map((row) => row.id),
    /** Whether any tenant has a file of this id (for the sweep of orphaned blobs). */
    exists: (id: string): boolean => (anyWithId.get(id)?.n ?? 0) > 0,
  };
}
