import type { Sql, Tx } from "./sql.ts";

/** Whose text it is, and what its vectors were made with. */
export interface CacheScope {
  tenantId: string;
  fileId: string;
  revision: string;
  dimensions: number;
}

export type EmbeddingCacheTable = ReturnType<typeof embeddingCacheTable>;

/**
 * Vectors of texts by the SHA-256 of the text, per tenant, so that none is embedded (and paid for) twice. An entry
 * belongs to the file that it was made for and goes with that file, whoever else uses it.
 */
export function embeddingCacheTable(sql: Sql) {
  const find = /*sql*/ `SELECT vectors FROM embedding_cache
             WHERE tenant_id = ?1 AND revision = ?2 AND dimensions = ?3 AND sha256 = ?4`;
  // A file that was deleted meanwhile leaves nothing behind.
  const insert = /*sql*/ `INSERT INTO embedding_cache (tenant_id, file_id, revision, dimensions, sha256, vectors)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM file WHERE id = ?2 AND tenant_id = ?1)
             ON CONFLICT DO NOTHING`;
  const removeOfFile = /*sql*/ `DELETE FROM embedding_cache WHERE seq IN
             (SELECT seq FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1 LIMIT ?3)`;
  const countOfFile = /*sql*/ `SELECT count(*) AS n FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1`;
  const removeOldest = /*sql*/ `DELETE FROM embedding_cache WHERE seq IN (SELECT seq FROM embedding_cache ORDER BY seq LIMIT ?1)`;
  const size = /*sql*/ `SELECT coalesce(sum(entries), 0) AS entries, coalesce(sum(bytes), 0) AS bytes FROM embedding_cache_size`;

  return {
    async get({ tenantId, revision, dimensions }: CacheScope, sha256: Uint8Array): Promise<Float32Array | null> {
      const row = await sql.get<{ vectors: Uint8Array }>(find, [tenantId, revision, dimensions, sha256]);
      // The copy is aligned as float32 must be.
      return row === null ? null : new Float32Array(new Uint8Array(row.vectors).buffer);
    },
    /** `alongside` runs in the same transaction. After a power cut the texts are embedded again. */
    async add(
      scope: CacheScope,
      entries: readonly { sha256: Uint8Array; vectors: Float32Array }[],
      alongside: (tx: Tx) => Promise<void> = () => Promise.resolve(),
    ): Promise<void> {
      const { tenantId, fileId, revision, dimensions } = scope;
      await sql.atomic(async (tx) => {
        for (const { sha256, vectors } of entries) {
          const bytes = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
          await tx.run(insert, [tenantId, fileId, revision, dimensions, sha256, bytes]);
        }
        await alongside(tx);
      }, "work");
    },
    /** How many were removed, at most `limit`. */
    removeOfFile: (tenantId: string, fileId: string, limit: number): Promise<number> =>
      sql.run(removeOfFile, [tenantId, fileId, limit]),
    countOfFile: async (tenantId: string, fileId: string): Promise<number> =>
      (await sql.get<{ n: number }>(countOfFile, [tenantId, fileId]))?.n ?? 0,
    removeOldest: (limit: number): Promise<number> => sql.run(removeOldest, [limit]),
    size: async (): Promise<{ entries: number; bytes: number }> =>
      (await sql.get<{ entries: number; bytes: number }>(size)) ?? { entries: 0, bytes: 0 },
  };
}
