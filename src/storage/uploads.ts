import type { Sql } from "./sql.ts";

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
export function uploadsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO upload (id, tenant_id, filename, bytes, purpose, mime, status, created_at, expires_at, file_expires_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, ?9) RETURNING ${COLUMNS}`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM upload WHERE tenant_id = ?1 AND id = ?2`;
  const end = /*sql*/ `UPDATE upload SET status = ?3, file_id = ?4 WHERE tenant_id = ?1 AND id = ?2 AND status = 'pending'`;
  const insertPart = /*sql*/ `INSERT INTO upload_part (id, tenant_id, upload_id, bytes, created_at) VALUES (?1, ?2, ?3, ?4, ?5)`;
  const parts = /*sql*/ `SELECT ${PART_COLUMNS} FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2 ORDER BY rowid`;
  const removeParts = /*sql*/ `DELETE FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2`;
  const expired = /*sql*/ `SELECT ${COLUMNS} FROM upload WHERE status = 'pending' AND expires_at <= ?1 LIMIT 100`;
  const pendingBytes = /*sql*/ `SELECT coalesce(sum(bytes), 0) AS bytes FROM upload_part WHERE tenant_id = ?1`;
  const partsOfTenant = /*sql*/ `SELECT id FROM upload_part WHERE tenant_id = ?1`;
  // Parts go with their upload.
  const removeOfTenant = /*sql*/ `DELETE FROM upload WHERE tenant_id = ?1`;
  const partExists = /*sql*/ `SELECT count(*) AS n FROM upload_part WHERE id = ?1`;

  return {
    insert: async (u: Omit<UploadRow, "seq" | "status" | "file_id">): Promise<UploadRow> => {
      const row = await sql.get<UploadRow>(insert, [
        u.id,
        u.tenant_id,
        u.filename,
        u.bytes,
        u.purpose,
        u.mime,
        u.created_at,
        u.expires_at,
        u.file_expires_s,
      ]);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, id: string): Promise<UploadRow | null> => sql.get<UploadRow>(byId, [tenantId, id]),
    /** Ends a pending upload; false when it was not pending any more. */
    end: async (
      tenantId: string,
      id: string,
      status: "completed" | "cancelled" | "expired",
      fileId: string | null,
    ): Promise<boolean> => (await sql.run(end, [tenantId, id, status, fileId])) > 0,
    addPart: async (part: UploadPartRow) => {
      await sql.run(insertPart, [part.id, part.tenant_id, part.upload_id, part.bytes, part.created_at]);
    },
    parts: (tenantId: string, uploadId: string): Promise<UploadPartRow[]> =>
      sql.all<UploadPartRow>(parts, [tenantId, uploadId]),
    removeParts: async (tenantId: string, uploadId: string) => {
      await sql.run(removeParts, [tenantId, uploadId]);
    },
    /** Up to 100 pending uploads of any tenant whose hour is over (for the janitor). */
    expired: (nowSeconds: number): Promise<UploadRow[]> => sql.all<UploadRow>(expired, [nowSeconds]),
    /** Bytes of parts whose uploads have not ended. */
    pendingBytes: async (tenantId: string): Promise<number> =>
      (await sql.get<{ bytes: number }>(pendingBytes, [tenantId]))?.bytes ?? 0,
    /** Ids of every tenant's upload parts, for a backup. */
    allPartIds: async (): Promise<string[]> =>
      (await sql.all<{ id: string }>(/*sql*/ `SELECT id FROM upload_part`)).map((row) => row.id),
    /** Removes all of a tenant's; returns the ids of the parts, whose bytes are the caller's to remove. */
    removeOfTenant: (tenantId: string): Promise<string[]> =>
      sql.atomic(async (tx) => {
        const parts = await tx.all<{ id: string }>(partsOfTenant, [tenantId]);
        await tx.run(removeOfTenant, [tenantId]);
        return parts.map((row) => row.id);
      }),
    /** Whether a part of this id exists (for the sweep of orphaned blobs). */
    partExists: async (id: string): Promise<boolean> => ((await sql.get<{ n: number }>(partExists, [id]))?.n ?? 0) > 0,
  };
}
