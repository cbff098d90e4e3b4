import type { ChunkId, ChunkSet, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { twin } from "./dialect.ts";

export interface ChunkSamples {
  /** Ids of up to `count` chunks spread evenly over a store. */
  sampleIds(tenantId: TenantId, storeId: StoreId, chunkSet: ChunkSet, count: number): Promise<ChunkId[]>;
}

// The files in which every k-th chunk of a store lies: from files alone, because there may be millions of chunks.
const SAMPLED_FILES = twin(
  /*sql*/ `SELECT * FROM (
    SELECT seq, revision, n_chunks, sum(n_chunks) OVER (ORDER BY seq) - n_chunks AS before,
           max(1, sum(n_chunks) OVER () / ?3) AS step
    FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND n_chunks > 0)
  WHERE (before + step - 1) / step < (before + n_chunks + step - 1) / step`,
  /*sql*/ `SELECT * FROM (
    SELECT seq, revision, n_chunks, CAST(sum(n_chunks) OVER (ORDER BY seq) AS BIGINT) - n_chunks AS before,
           greatest(1, CAST(sum(n_chunks) OVER () AS BIGINT) / CAST(?3 AS BIGINT)) AS step
    FROM store_file WHERE tenant_id = ?1 AND store_id = ?2 AND status = 'completed' AND n_chunks > 0) f
  WHERE (before + step - 1) / step < (before + n_chunks + step - 1) / step ORDER BY seq`,
);
const CHUNK_AT = twin(
  /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3
  AND idx = CAST(?4 * (SELECT max(idx) + 1 FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3) AS INTEGER)`,
  // Here a cast rounds.
  /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3
  AND idx = CAST(floor(CAST(?4 AS DOUBLE PRECISION) *
    (SELECT max(idx) + 1 FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND revision = ?3)) AS BIGINT)`,
);

interface SampledFile {
  seq: StoreFileSeq;
  revision: number;
  n_chunks: number;
  /** Chunks of the files before it. */
  before: number;
  step: number;
}

export function chunkSamples(sql: Sql): ChunkSamples {
  const sampleIds: ChunkSamples["sampleIds"] = async (tenantId, storeId, chunkSet, count) => {
    const ids: ChunkId[] = [];
    for (const file of await sql.all<SampledFile>(SAMPLED_FILES, [tenantId, storeId, count])) {
      const { seq, revision, n_chunks, before, step } = file;
      for (let at = Math.ceil(before / step) * step; at < before + n_chunks && ids.length < count; at += step) {
        // Another set of chunks of the same file has more or fewer of them.
        const row = await sql.get<{ id: ChunkId }>(CHUNK_AT, [seq, chunkSet, revision, (at - before) / n_chunks]);
        if (row !== null) ids.push(row.id);
      }
    }
    return ids;
  };
  return { sampleIds };
}
