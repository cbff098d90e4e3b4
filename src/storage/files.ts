import type { FileId, KeyId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, nullable, type RowOf, table, text } from "./table.ts";
import { texts } from "./dialect.ts";

export const FILE = table("file", {
  /** Order of creation, and the cursor of lists: it never repeats. */
  seq: integer(),
  /** Of its blob as well. */
  id: id<FileId>(),
  tenant_id: id<TenantId>(),
  filename: text(),
  bytes: integer(),
  purpose: text(),
  /** Content type as sent; a hint only. */
  mime: nullable(text()),
  /** Hex, of the bytes. */
  sha256: text(),
  created_at: integer(),
  expires_at: nullable(integer()),
  /** The key that uploaded it; null for files of older versions. */
  key_id: nullable(id<KeyId>()),
  /** Of texts that were put in for it with their vectors, in all stores; kept by triggers on `store_file`. */
  content_bytes: integer(),
});

/** What each tenant and each key has uploaded and not deleted; kept by triggers on `file`. */
export const USAGE = table("usage", {
  /** A tenant's or a key's id. */
  owner: text(),
  tenant_id: id<TenantId>(),
  files: integer(),
  bytes: integer(),
});

export type FileRow = RowOf<typeof FILE>;
export type NewFileRow = Omit<FileRow, "seq" | "key_id" | "content_bytes"> & { key_id?: KeyId | null };

/** The stores of a restricted key: it sees its own uploads and the files in these stores. */
export interface FileScope {
  keyId: KeyId;
  storeIds: readonly StoreId[];
}

/** Uploaded files; their bytes are in blobs.ts under the same id. */
export interface FilesTable {
  insert(file: NewFileRow): Promise<FileRow>;
  get(tenantId: TenantId, id: FileId): Promise<FileRow | null>;
  /** Those of them that are there, in no order. */
  times(tenantId: TenantId, ids: readonly FileId[]): Promise<Pick<FileRow, "id" | "expires_at">[]>;
  remove(tenantId: TenantId, id: FileId): Promise<boolean>;
  /** Whether a restricted key may know of the file. */
  isInScope(tenantId: TenantId, id: FileId, scope: FileScope): Promise<boolean>;
  /** Those of them that a restricted key may know of. */
  inScope(tenantId: TenantId, ids: readonly FileId[], scope: FileScope): Promise<FileId[]>;
  list(tenantId: TenantId, page: PageQuery, purpose?: string, scope?: FileScope): Promise<Page<FileRow>>;
  /** What a tenant, or a key, has uploaded. */
  usage(tenantOrKey: string): Promise<{ files: number; bytes: number }>;
  /** Names of the tenant's files with these bytes (up to 1,000). */
  namesOfBytes(tenantId: TenantId, sha256: string): Promise<string[]>;
  /** The oldest `limit` files of a tenant. */
  someOf(tenantId: TenantId, limit: number): Promise<FileId[]>;
  /** Up to 100 files whose time has come, of every tenant (for the janitor). */
  expired(nowSeconds: number): Promise<Pick<FileRow, "tenant_id" | "id">[]>;
  /** Ids of every tenant's files, for a backup. */
  allIds(): Promise<FileId[]>;
  /** Whether any tenant has a file of this id (for the sweep of orphaned blobs). */
  exists(id: FileId): Promise<boolean>;
}

const BY_ID = /*sql*/ `SELECT ${FILE.list} FROM file WHERE tenant_id = ?1 AND id = ?2`;
const REMOVE = /*sql*/ `DELETE FROM file WHERE tenant_id = ?1 AND id = ?2`;
const OF_OWNER = /*sql*/ `SELECT files, bytes FROM usage WHERE owner = ?1`;
// By their ids, each one step: the planner would look through all files of the tenant.
const BY_IDS = "INDEXED BY sqlite_autoindex_file_1";
const TIMES = /*sql*/ `SELECT id, expires_at FROM file ${BY_IDS} WHERE tenant_id = ?1 AND id IN ${texts(2)}`;
const IN_SCOPE = /*sql*/ `SELECT f.id FROM file f ${BY_IDS}
  WHERE f.tenant_id = ?1 AND f.id IN ${texts(2)} AND (f.key_id = ?3 OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = f.id AND s.tenant_id = ?1
             AND s.store_id IN ${texts(4)}))`;
const LISTED = /*sql*/ `file WHERE tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR purpose = ?2)
  AND (CAST(?3 AS TEXT) IS NULL OR key_id = ?3 OR EXISTS (SELECT 1 FROM store_file s WHERE s.file_id = file.id
       AND s.tenant_id = ?1 AND s.store_id IN ${texts(4)}))`;
const WITH_SAME_BYTES = /*sql*/ `SELECT filename FROM file WHERE tenant_id = ?1 AND sha256 = ?2 LIMIT 1000`;
const SOME_OF = /*sql*/ `SELECT id FROM file WHERE tenant_id = ?1 ORDER BY seq LIMIT ?2`;
const EXPIRED = /*sql*/ `SELECT tenant_id, id FROM file WHERE expires_at IS NOT NULL AND expires_at <= ?1 ORDER BY expires_at LIMIT 100`;
const ALL_IDS = /*sql*/ `SELECT id FROM file ORDER BY seq`;
const ANY_WITH_ID = /*sql*/ `SELECT count(*) AS n FROM file WHERE id = ?1`;

export function filesTable(sql: Sql): FilesTable {
  const inScope: FilesTable["inScope"] = async (tenantId, ids, { keyId, storeIds }) => {
    const values = [tenantId, JSON.stringify(ids), keyId, JSON.stringify(storeIds)];
    return (await sql.all<{ id: FileId }>(IN_SCOPE, values)).map((row) => row.id);
  };
  return {
    insert: (file) => FILE.insert(sql, file),
    get: (tenantId, id) => FILE.get(sql, BY_ID, [tenantId, id]),
    remove: async (tenantId, id) => (await sql.run(REMOVE, [tenantId, id])) > 0,
    times: (tenantId, ids) => sql.all(TIMES, [tenantId, JSON.stringify(ids)]),
    isInScope: async (tenantId, id, scope) => (await inScope(tenantId, [id], scope)).length > 0,
    inScope,
    list: (tenantId, page, purpose, scope) => {
      const params = [tenantId, purpose ?? null, scope?.keyId ?? null, JSON.stringify(scope?.storeIds ?? [])];
      return FILE.page(sql, { from: LISTED, params }, page);
    },
    usage: async (tenantOrKey) =>
      (await sql.get<{ files: number; bytes: number }>(OF_OWNER, [tenantOrKey])) ?? { files: 0, bytes: 0 },
    namesOfBytes: async (tenantId, sha256) =>
      (await sql.all<{ filename: string }>(WITH_SAME_BYTES, [tenantId, sha256])).map((row) => row.filename),
    someOf: async (tenantId, limit) => (await sql.all<{ id: FileId }>(SOME_OF, [tenantId, limit])).map((row) => row.id),
    expired: (nowSeconds) => sql.all(EXPIRED, [nowSeconds]),
    allIds: async () => (await sql.all<{ id: FileId }>(ALL_IDS)).map((row) => row.id),
    exists: async (id) => ((await sql.get<{ n: number }>(ANY_WITH_ID, [id]))?.n ?? 0) > 0,
  };
}
