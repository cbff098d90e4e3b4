import type { FileId, KeyId, TenantId, UploadId, UploadPartId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, nullable, type RowOf, table, text } from "./table.ts";

export const UPLOAD = table("upload", {
  seq: integer(),
  id: id<UploadId>(),
  tenant_id: id<TenantId>(),
  filename: text(),
  /** As announced. */
  bytes: integer(),
  purpose: text(),
  mime: text(),
  status: text<"pending" | "completed" | "cancelled" | "expired">(),
  created_at: integer(),
  expires_at: integer(),
  /** `expires_after.seconds` of the file to be. */
  file_expires_s: nullable(integer()),
  /** Once it is completed. */
  file_id: nullable(id<FileId>()),
  /** The key that began it; null for those of older versions. */
  key_id: nullable(id<KeyId>()),
});

export const UPLOAD_PART = table("upload_part", {
  /** Of its blob as well. */
  id: id<UploadPartId>(),
  tenant_id: id<TenantId>(),
  upload_id: id<UploadId>(),
  bytes: integer(),
  created_at: integer(),
});

export type UploadRow = RowOf<typeof UPLOAD>;
export type NewUploadRow = Omit<UploadRow, "seq" | "status" | "file_id" | "key_id"> & { key_id?: KeyId | null };
export type UploadPartRow = RowOf<typeof UPLOAD_PART>;

/** Uploads in parts. The parts' bytes are blobs under the part's id until the upload ends. */
export interface UploadsTable {
  insert(upload: NewUploadRow): Promise<UploadRow>;
  get(tenantId: TenantId, id: UploadId): Promise<UploadRow | null>;
  /** Ends a pending upload; false when it was not pending any more. */
  end(
    tenantId: TenantId,
    id: UploadId,
    status: Exclude<UploadRow["status"], "pending">,
    fileId: FileId | null,
  ): Promise<boolean>;
  addPart(part: UploadPartRow): Promise<void>;
  parts(tenantId: TenantId, uploadId: UploadId): Promise<UploadPartRow[]>;
  removeParts(tenantId: TenantId, uploadId: UploadId): Promise<void>;
  /** Up to 100 pending uploads of any tenant whose hour is over (for the janitor). */
  expired(nowSeconds: number): Promise<UploadRow[]>;
  /** Removes up to so many that have ended and whose hour was over before; returns how many. */
  trim(beforeSeconds: number, step: number): Promise<number>;
  /** Bytes of parts whose uploads have not ended: of all, and of those that this key began. */
  pendingBytes(tenantId: TenantId, keyId: KeyId): Promise<{ ofTenant: number; ofKey: number }>;
  /** Ids of every tenant's upload parts, for a backup. */
  allPartIds(): Promise<UploadPartId[]>;
  /** Removes all of a tenant's; returns the parts, whose bytes are the caller's to remove. */
  removeOfTenant(tenantId: TenantId): Promise<UploadPartRow[]>;
  /** Whether a part of this id exists (for the sweep of orphaned blobs). */
  partExists(id: UploadPartId): Promise<boolean>;
}

const BY_ID = /*sql*/ `SELECT ${UPLOAD.list} FROM upload WHERE tenant_id = ?1 AND id = ?2`;
const END = /*sql*/ `UPDATE upload SET status = ?3, file_id = ?4 WHERE tenant_id = ?1 AND id = ?2 AND status = 'pending'`;
const PARTS = /*sql*/ `SELECT ${UPLOAD_PART.list} FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2 ORDER BY rowid`;
const REMOVE_PARTS = /*sql*/ `DELETE FROM upload_part WHERE tenant_id = ?1 AND upload_id = ?2`;
const EXPIRED = /*sql*/ `SELECT ${UPLOAD.list} FROM upload WHERE status = 'pending' AND expires_at <= ?1 LIMIT 100`;
// Parts that an interrupted end left go with it; their bytes are orphans from then on, which the sweep removes.
const TRIM = /*sql*/ `DELETE FROM upload WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM upload
  WHERE status <> 'pending' AND expires_at < ?1 ORDER BY expires_at LIMIT ?2)`;
const PENDING_BYTES = /*sql*/ `SELECT CAST(coalesce(sum(p.bytes), 0) AS BIGINT) AS "ofTenant",
  CAST(coalesce(sum(p.bytes) FILTER (WHERE u.key_id = ?2), 0) AS BIGINT) AS "ofKey"
  FROM upload_part p JOIN upload u ON u.id = p.upload_id WHERE p.tenant_id = ?1`;
const ALL_PARTS = /*sql*/ `SELECT id FROM upload_part`;
const PARTS_OF_TENANT = /*sql*/ `SELECT ${UPLOAD_PART.list} FROM upload_part WHERE tenant_id = ?1`;
// Parts go with their upload.
const REMOVE_OF_TENANT = /*sql*/ `DELETE FROM upload WHERE tenant_id = ?1`;
const PART_EXISTS = /*sql*/ `SELECT count(*) AS n FROM upload_part WHERE id = ?1`;

export function uploadsTable(sql: Sql): UploadsTable {
  return {
    insert: (upload) => UPLOAD.insert(sql, { ...upload, status: "pending" }),
    get: (tenantId, id) => UPLOAD.get(sql, BY_ID, [tenantId, id]),
    end: async (tenantId, id, status, fileId) => (await sql.run(END, [tenantId, id, status, fileId])) > 0,
    addPart: async (part) => void (await UPLOAD_PART.insert(sql, part)),
    parts: (tenantId, uploadId) => UPLOAD_PART.all(sql, PARTS, [tenantId, uploadId]),
    removeParts: async (tenantId, uploadId) => void (await sql.run(REMOVE_PARTS, [tenantId, uploadId])),
    expired: (nowSeconds) => UPLOAD.all(sql, EXPIRED, [nowSeconds]),
    trim: (beforeSeconds, step) => sql.run(TRIM, [beforeSeconds, step]),
    pendingBytes: async (tenantId, keyId) =>
      (await sql.get<{ ofTenant: number; ofKey: number }>(PENDING_BYTES, [tenantId, keyId])) ?? {
        ofTenant: 0,
        ofKey: 0,
      },
    allPartIds: async () => (await sql.all<{ id: UploadPartId }>(ALL_PARTS)).map((row) => row.id),
    removeOfTenant: (tenantId) =>
      sql.atomic(async (tx) => {
        const parts = await UPLOAD_PART.all(tx, PARTS_OF_TENANT, [tenantId]);
        await tx.run(REMOVE_OF_TENANT, [tenantId]);
        return parts;
      }),
    partExists: async (id) => ((await sql.get<{ n: number }>(PART_EXISTS, [id]))?.n ?? 0) > 0,
  };
}
