import type { Db } from "./db.ts";

export interface UploadRow {
  seq: number;
  id: string;
  tenant_id: string;
  filename: string;
  /** As announced. */
  bytes: number;
  purpose: string;
  mime: string;
  status: "pending" | "completed" | "cancelled" | "expired";
  created_at: number;
  expires_at: number;
  /** `expires_after.seconds` of the file to be. */
  file_expires_s: number | null;
  file_id: string | null;
}

export interface UploadPartRow {
  id: string;
  tenant_id: string;
  upload_id: string;
  bytes: number;
  created_at: number;
}

const COLUMNS =
  "seq, id, tenant_id, filename, bytes, purpose, mime, status, created_at, expires_at, file_expires_s, file_id";
const PART_COLUMNS = "id, tenant_id, upload_id, bytes, created_at";

export type UploadsTable = ReturnType<typeof uploadsTable>;

/** Uploads in parts. The parts' bytes are blobs under the part's id until the upload ends. */
export function uploadsTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    UploadRow,
    [string, string, string, number, string, string, number, number, number | null]
  >(/*sql*/ `INSERT INTO upload (id, tenant_id, filename, bytes, purpose, mime, status, created_at, expires_at, file_expires_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, ?9) RETURNING ${COLUMNS}`);
  const byId = raw.query<UploadRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM upload WHERE tenant_id = ?1 AND id = ?2`,
  );
  const end = raw.query<null, [string, string, string, string | null]>(
    /*sql*/ `UPDATE upload SET status = ?3, file_id = ?4 WHERE tenant_id = ?1 AND id = ?2 AND status = 'pending'`,
  );
  const insertPart = raw.query<null, [string, string, string, number, number]>(
    /*sql*/ `INSERT INTO upload_part (id, tenant_id, upload_id, bytes, created_at) VALUES (?1, ?2, ?3, ?4, ?5)`,
  );
  const parts = raw.query<UploadPartRow, [string, string]>(
    /*sql*/ `SELECT ${PART_COLUMNS} FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2 ORDER BY rowid`,
  );
  const removeParts = raw.query<null, [string, string]>(
    /*sql*/ `DELETE FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2`,
  );
  const expired = raw.query<UploadRow, [number]>(
    /*sql*/ `SELECT ${COLUMNS} FROM upload WHERE status = 'pending' AND expires_at <= ?1 LIMIT 100`,
  );
  const pendingBytes = raw.query<{ bytes: number }, [string]>(
    /*sql*/ `SELECT coalesce(sum(bytes), 0) AS bytes FROM upload_part WHERE tenant_id = ?1`,
  );
  const partsOfTenant = raw.query<{ id: string }, [string]>(/*sql*/ `SELECT id FROM upload_part WHERE tenant_id = ?1`);
  // Parts go with their upload.
  const removeOfTenant = raw.query<null, [string]>(/*sql*/ `DELETE FROM upload WHERE tenant_id = ?1`);
  const partExists = raw.query<{ n: number }, [string]>(/*sql*/ `SELECT count(*) AS n FROM upload_part WHERE id = ?1`);

  return {
    insert: (u: Omit<UploadRow, "seq" | "status" | "file_id">): UploadRow => {
      const row = insert.get(
        u.id,
        u.tenant_id,
        u.filename,
        u.bytes,
        u.purpose,
        u.mime,
        u.created_at,
        u.expires_at,
        u.file_expires_s,
      );
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, id: string): UploadRow | null => byId.get(tenantId, id),
    /** Ends a pending upload; false when it was not pending any more. */
    end: (
      tenantId: string,
      id: string,
      status: "completed" | "cancelled" | "expired",
      fileId: string | null,
    ): boolean => end.run(tenantId, id, status, fileId).changes > 0,
    addPart: (part: UploadPartRow) => {
      insertPart.run(part.id, part.tenant_id, part.upload_id, part.bytes, part.created_at);
    },
    parts: (tenantId: string, uploadId: string): UploadPartRow[] => parts.all(tenantId, uploadId),
    removeParts: (tenantId: string, uploadId: string) => {
      removeParts.run(tenantId, uploadId);
    },
    /** Up to 100 pending uploads of any tenant whose hour is over (for the janitor). */
    expired: (nowSeconds: number): UploadRow[] => expired.all(nowSeconds),
    /** Bytes of parts whose uploads have not ended. */
    pendingBytes: (tenantId: string): number => pendingBytes.get(tenantId)?.bytes ?? 0,
    /** Ids of every tenant's upload parts, for a backup. */
    allPartIds: (): string[] =>
      raw
        .query<{ id: string }, []>(/*sql*/ `SELECT id FROM upload_part`)
        .all()
        .map((row) => row.id),
    /** Removes all of a tenant's; returns the ids of the parts, whose bytes are the caller's to remove. */
    removeOfTenant: (tenantId: string): string[] =>
      db.transaction(() => {
        const parts = partsOfTenant.all(tenantId).map((row) => row.id);
        removeOfTenant.run(tenantId);
        return parts;
      }),
    /** Whether a part of this id exists (for the sweep of orphaned blobs). */
    partExists: (id: string): boolean => (partExists.get(id)?.n ?? 0) > 0,
  };
}
