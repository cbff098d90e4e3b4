import { removeChunks, removeTexts } from "./chunk-writes.ts";
import type { NoteRemoved } from "./chunks.ts";
import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { numbers } from "./dialect.ts";

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
  /** Files (by `store_file.seq`) that left garbage behind; a full scan, for start and `doctor` only. */
  filesWithGarbage(limit: number): Promise<{ tenant_id: TenantId; store_file: StoreFileSeq }[]>;
}

const GARBAGE = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND revision < ?2 LIMIT ?3`;
const IDS_OF_FILE = /*sql*/ `SELECT id FROM chunk WHERE store_file = ?1 AND chunk_set = ?2 AND id > ?3 ORDER BY id LIMIT 500`;
const REMOVE_VECTORS_OF = /*sql*/ `DELETE FROM vector WHERE generation = ?1 AND chunk_id IN ${numbers(2)}`;
const ORPHAN_FILES = /*sql*/ `SELECT DISTINCT c.tenant_id, c.store_file FROM chunk c LEFT JOIN store_file f ON f.seq = c.store_file
  WHERE f.seq IS NULL OR c.revision < f.revision OR f.status IN ('failed', 'cancelled') LIMIT ?1`;

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
    filesWithGarbage: (limit) => sql.all(ORPHAN_FILES, [limit]),
  };
}
