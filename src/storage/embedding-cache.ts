import type { Db } from "./db.ts";

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
export function embeddingCacheTable(db: Db) {
  const { raw } = db;
  const find = raw.query<
    { vectors: Uint8Array },
    [string, string, number, Uint8Array]
  >(/*sql*/ `SELECT vectors FROM embedding_cache
             WHERE tenant_id = ?1 AND revision = ?2 AND dimensions = ?3 AND sha256 = ?4`);
  // A file that was deleted meanwhile leaves nothing behind.
  const insert = raw.query<
    null,
    [string, string, string, number, Uint8Array, Uint8Array]
  >(/*sql*/ `INSERT INTO embedding_cache (tenant_id, file_id, revision, dimensions, sha256, vectors)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM file WHERE id = ?2 AND tenant_id = ?1)
             ON CONFLICT DO NOTHING`);
  const removeOfFile = raw.query<null, [string, string, number]>(/*sql*/ `DELETE FROM embedding_cache WHERE seq IN
             (SELECT seq FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1 LIMIT ?3)`);
  const countOfFile = raw.query<{ n: number }, [string, string]>(
    /*sql*/ `SELECT count(*) AS n FROM embedding_cache WHERE file_id = ?2 AND tenant_id = ?1`,
  );
  const removeOldest = raw.query<null, [number]>(
    /*sql*/ `DELETE FROM embedding_cache WHERE seq IN (SELECT seq FROM embedding_cache ORDER BY seq LIMIT ?1)`,
  );
  const size = raw.query<{ entries: number; bytes: number }, []>(
    /*sql*/ `SELECT coalesce(sum(entries), 0) AS entries, coalesce(sum(bytes), 0) AS bytes FROM embedding_cache_size`,
  );

  return {
    get({ tenantId, revision, dimensions }: CacheScope, sha256: Uint8Array): Float32Array | null {
      const row = find.get(tenantId, revision, dimensions, sha256);
      // The copy is aligned as float32 must be.
      return row === null ? null : new Float32Array(new Uint8Array(row.vectors).buffer);
    },
    /** `alongside` runs in the same transaction. After a power cut the texts are embedded again. */
    add(
      scope: CacheScope,
      entries: readonly { sha256: Uint8Array; vectors: Float32Array }[],
      alongside: () => void = () => {},
    ): void {
      const { tenantId, fileId, revision, dimensions } = scope;
      db.relaxed(() =>
        db.transaction(() => {
          for (const { sha256, vectors } of entries) {
            const bytes = new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
            insert.run(tenantId, fileId, revision, dimensions, sha256, bytes);
          }
          alongside();
        }),
      );
    },
    /** How many were removed, at most `limit`. */
    removeOfFile: (tenantId: string, fileId: string, limit: number): number =>
      removeOfFile.run(tenantId, fileId, limit).changes,
    countOfFile: (tenantId: string, fileId: string): number => countOfFile.get(tenantId, fileId)?.n ?? 0,
    removeOldest: (limit: number): number => removeOldest.run(limit).changes,
    size: (): { entries: number; bytes: number } => size.get() ?? { entries: 0, bytes: 0 },
  };
}
