import { CHUNK, CHUNK_ATTRIBUTES, CHUNK_HIT, type ChunkHit, OF_HIT, withOwn } from "./chunks.ts";
import type { ChunkId, StoreFileSeq, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { STORE_FILE } from "./store-files.ts";
import { untilCommit } from "./until-commit.ts";

/** The chunks of these ids that still count, in no particular order. */
export type ChunkHits = (tenantId: TenantId, ids: readonly ChunkId[]) => Promise<ChunkHit[]>;

/** Chunks of the ids that are a parameter, their files, and what they have of their own, of those that still count. */
export const CURRENT = /*sql*/ `json_each(?2) j JOIN chunk c ON c.id = CAST(j.value AS BIGINT)
  JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
  LEFT JOIN chunk_attributes a ON a.chunk_id = c.id
  WHERE c.tenant_id = ?1`;
const HITS = /*sql*/ `SELECT ${CHUNK_HIT.list} FROM ${CURRENT}`;

const BARE = CHUNK.pick(...OF_HIT, "store_file", "revision").as("c");
const BARE_HITS = /*sql*/ `SELECT ${BARE.list} FROM json_each(?2) j JOIN chunk c ON c.id = j.value WHERE c.tenant_id = ?1`;
const FILE = STORE_FILE.pick("file_id", "filename", "attributes", "status", "revision");
const FILE_BY_SEQ = /*sql*/ `SELECT ${FILE.list} FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
const ANY_OWN = /*sql*/ `SELECT EXISTS (SELECT 1 FROM ${CHUNK_ATTRIBUTES.name}) AS found`;

/**
 * Where what was read is known to be so still (until-commit.ts), the files of the chunks and whether any chunk has
 * attributes of its own are read once and the chunks alone each time: the joins take as long as all else of it.
 */
export function chunkHits(sql: Sql): ChunkHits {
  const fileOf = untilCommit(sql, (tenantId: TenantId, seq: StoreFileSeq) =>
    FILE.get(sql, FILE_BY_SEQ, [tenantId, seq]),
  );
  const anyOwn = untilCommit(sql, () => sql.get<{ found: number }>(ANY_OWN));

  const joined: ChunkHits = async (tenantId, ids) =>
    withOwn(await CHUNK_HIT.all(sql, HITS, [tenantId, JSON.stringify(ids)]));

  return async (tenantId, ids) => {
    if (sql.commits === undefined || (await anyOwn())?.found !== 0) return await joined(tenantId, ids);
    const hits: ChunkHit[] = [];
    for (const { store_file: seq, revision, ...chunk } of await BARE.all(sql, BARE_HITS, [
      tenantId,
      JSON.stringify(ids),
    ])) {
      const file = await fileOf(tenantId, seq);
      if (file === null || file.status !== "completed" || file.revision !== revision) continue;
      const { file_id, filename, attributes } = file;
      hits.push({ ...chunk, file_id, filename, attributes });
    }
    return hits;
  };
}
