import { bytesOf } from "./chunks.ts";
import type { FileId, TenantId } from "./ids.ts";
import type { Sql, Tx } from "./sql.ts";
import { blob, id, integer, table, text } from "./table.ts";

export const EMBEDDING_CACHE = table("embedding_cache", {
  /** The oldest are trimmed first. */
  seq: integer(),
  tenant_id: id<TenantId>(),
  /** The file whose text it was; it goes with it. */
  file_id: id<FileId>(),
  /** Of the model. */
  revision: text(),
  dimensions: integer(),
  /** Of the text. */
  sha256: blob(),
  /** Float32, windows x dimensions. */
  vectors: blob(),
});

/** Kept by triggers on `embedding_cache`. */
export const EMBEDDING_CACHE_SIZE = table("embedding_cache_size", {
  tenant_id: id<TenantId>(),
  entries: integer(),
  bytes: integer(),
});

/** Whose text it is, and what its vectors were made with. */
export interface CacheScope {
  tenantId: TenantId;
  fileId: FileId;
  revision: string;
  dimensions: number;
}

/**
 * Vectors of texts by the SHA-256 of the text, per tenant, so that none is embedded (and paid for) twice. An entry
 * belongs to the file that it was made for and goes with that file, whoever else uses it.
 */
export interface EmbeddingCacheTable {
  get(scope: CacheScope, sha256: Uint8Array): Promise<Float32Array | null>;
  /** `alongside` runs in the same transaction. After a power cut the texts are embedded again. */
  add(
    scope: CacheScope,
    entries: readonly { sha256: Uint8Array; vectors: Float32Array }[],
    alongside?: (tx: Tx) => Promise<void>,
  ): Promise<void>;
  /** How many were removed, at most `limit`. */
  removeOfFile(tenantId: TenantId, fileId: FileId, limit: number): Promise<number>;
  countOfFile(tenantId: TenantId, fileId: FileId): Promise<number>;
  removeOldest(limit: number): Promise<number>;
  size(): Promise<{ entries: number; bytes: number }>;
}

const FIND = /*sql*/ `SELECT vectors FROM embedding_cache
  WHERE tenant_id = ?1 AND revision = ?2 AND dimensions = ?3 AND sha256 = ?4`;
// A file that was deleted meanwhile leaves nothing behind.
const INSERT = /*sql*/ `INSERT INTO embedding_cache (tenant_id, file_id, revision, dimensions, sha256, vectors)
  SELECT ?1, ?2, ?3, CAST(?4 AS BIGINT), ?5, ?6 WHERE EXISTS (SELECT 1 FROM file WHERE id = ?2 AND tenant_id = ?1)
  ON CONFLICT DO NOTHING`;
const REMOVE_OF_FILE = /*sql*/ `DELETE FROM embedding_cache WHERE seq IN
  (SELECT seq FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1 LIMIT ?3)`;
const COUNT_OF_FILE = /*sql*/ `SELECT count(*) AS n FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1`;
const REMOVE_OLDEST = /*sql*/ `DELETE FROM embedding_cache WHERE seq IN (SELECT seq FROM embedding_cache ORDER BY seq LIMIT ?1)`;
const SIZE = /*sql*/ `SELECT CAST(coalesce(sum(entries), 0) AS BIGINT) AS entries, CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes FROM embedding_cache_size`;

export function embeddingCacheTable(sql: Sql): EmbeddingCacheTable {
  return {
    async get({ tenantId, revision, dimensions }, sha256) {
      const row = await sql.get<{ vectors: Uint8Array }>(FIND, [tenantId, revision, dimensions, sha256]);
      // The copy is aligned as float32 must be.
      return row === null ? null : new Float32Array(new Uint8Array(row.vectors).buffer);
    },
    async add({ tenantId, fileId, revision, dimensions }, entries, alongside) {
      await sql.atomic(async (tx) => {
        for (const { sha256, vectors } of entries)
          await tx.run(INSERT, [tenantId, fileId, revision, dimensions, sha256, bytesOf(vectors)]);
        await alongside?.(tx);
      }, "work");
    },
    removeOfFile: (tenantId, fileId, limit) => sql.run(REMOVE_OF_FILE, [tenantId, fileId, limit]),
    countOfFile: async (tenantId, fileId) => (await sql.get<{ n: number }>(COUNT_OF_FILE, [tenantId, fileId]))?.n ?? 0,
    removeOldest: (limit) => sql.run(REMOVE_OLDEST, [limit]),
    size: async () => (await sql.get<{ entries: number; bytes: number }>(SIZE)) ?? { entries: 0, bytes: 0 },
  };
}
