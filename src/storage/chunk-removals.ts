import { removeChunks, removeTexts } from "./chunk-writes.ts";
import type { NoteRemoved } from "./chunks.ts";
import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { numbers, twin } from "./dialect.ts";

export interface ChunkRemovals {
  /**
   * Removes up to `limit` chunks of a file older than `belowRevision` with all that hangs on them; returns how many.
   * `note` is told what went, in the same transaction; then it was deleted for good and is overwritten.
   */
  removeSome(storeFile: StoreFileSeq, belowRevision: number, limit: number, note?: NoteRemoved): Promise<number>;
  /**
   * Removes up to 500 of a file's vectors in one generation, and the chunks with them if `withChunks`. Returns the last
   * chunk id seen, to go on from, or null when there is no more.
   */
  removeFromGeneration(
    generation: { id: GenerationId; chunk_set: ChunkSet },
    storeFile: StoreFileSeq,
    afterId: ChunkId,
    withChunks: boolean,
  ): Promise<ChunkId | null>;
  /**
   * Files (by `store_file.seq`) that left garbage behind, among the next `limit` ones with chunks, and the last of those;
   * null where there was none any more. Takes some microseconds a file.
   */
  filesWithGarbage(after: StoreFileSeq, limit: number): Promise<GarbagePage>;
}

export interface GarbagePage {
  found: { tenant_id: TenantId; store_file: StoreFileSeq }[];
  last: StoreFileSeq | null;
}

const GARBAGE = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND revision < ?2 LIMIT ?3`;
const IDS_OF_FILE = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND id > ?3 ORDER BY id LIMIT 500`;
const REMOVE_VECTORS_OF = /*sql*/ `DELETE FROM vector WHERE generation = ?1 AND chunk_id IN ${numbers(2)}`;
// From one file to the next through the index; of a file whose row is in order it is asked for chunks of an older revision.
const NEXT_FILES = /*sql*/ `SELECT min(store_file) FROM chunk WHERE store_file > ?1
  UNION ALL
  SELECT (SELECT min(store_file) FROM chunk WHERE store_file > file.seq) FROM file WHERE file.seq IS NOT NULL`;
const OF_GARBAGE = /*sql*/ `SELECT file.seq, CASE WHEN f.seq IS NULL OR f.status IN ('failed', 'cancelled')
      OR EXISTS (SELECT 1 FROM chunk c WHERE c.store_file = f.seq AND c.revision < f.revision)
    THEN (SELECT tenant_id FROM chunk WHERE store_file = file.seq LIMIT 1) END AS tenant_id`;
// PostgreSQL has no limit within a recursion: it ends with what is read of it.
const FILES_WITH_CHUNKS = twin(
  /*sql*/ `WITH RECURSIVE file (seq) AS (${NEXT_FILES} LIMIT ?2) ${OF_GARBAGE}
    FROM file LEFT JOIN store_file f ON f.seq = file.seq WHERE file.seq IS NOT NULL`,
  /*sql*/ `WITH RECURSIVE file (seq) AS (${NEXT_FILES}) ${OF_GARBAGE}
    FROM (SELECT seq FROM file WHERE seq IS NOT NULL LIMIT ?2) file LEFT JOIN store_file f ON f.seq = file.seq
    ORDER BY file.seq`,
);

export function chunkRemovals(sql: Sql): ChunkRemovals {
  return {
    removeSome: (storeFile, belowRevision, limit, note) =>
      sql.atomic(async (tx) => {
        if (note !== undefined) tx.erase();
        const rows = await tx.all<{ id: ChunkId }>(GARBAGE, [storeFile, belowRevision, limit]);
        const chunkIds = rows.map((row) => row.id);
        if (chunkIds.length === 0) return 0;
        const removed = await removeChunks(tx, chunkIds);
        await note?.({ chunkIds, ...removed }, tx);
        return chunkIds.length;
      }, "work"),
    removeFromGeneration: (generation, storeFile, afterId, withChunks) =>
      sql.atomic(async (tx) => {
        const rows = await tx.all<{ id: ChunkId }>(IDS_OF_FILE, [storeFile, generation.chunk_set, afterId]);
        const ids = rows.map((row) => row.id);
        if (ids.length === 0) return null;
        await tx.run(REMOVE_VECTORS_OF, [generation.id, JSON.stringify(ids)]);
        if (withChunks) await removeTexts(tx, ids);
        return ids.at(-1) ?? null;
      }, "work"),
    async filesWithGarbage(after, limit) {
      const files = await sql.all<{ seq: StoreFileSeq; tenant_id: TenantId | null }>(FILES_WITH_CHUNKS, [after, limit]);
      const found = files.flatMap(({ seq, tenant_id }) => (tenant_id === null ? [] : [{ tenant_id, store_file: seq }]));
      return { found, last: files.at(-1)?.seq ?? null };
    },
  };
}
