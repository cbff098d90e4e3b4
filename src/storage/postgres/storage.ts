import type { GenerationRow } from "../generations.ts";
import { IndexCache } from "../index-cache.ts";
import type { IndexReads } from "../index-reads.ts";
import { SHOWN_ID_ROW, shownIds } from "../shown-ids.ts";
import type { Database, Sql } from "../sql.ts";
import { createStorage, type Storage, type Tables, tablesOf } from "../storage.ts";
import type { StoreFileRow } from "../store-files.ts";

/** Chunks of a file at a time. */
const SLICE = 500;

/** The tables of a database elsewhere, with what indexes in memory read of it on this machine. */
export interface RemoteStorage extends Disposable {
  readonly storage: Storage;
}

/** `cachePath`: a file of this process, made anew. The schema is there. */
export async function openRemoteStorage(db: Database, cachePath: string): Promise<RemoteStorage> {
  const cache = new IndexCache(cachePath);
  try {
    const beside = { indexReads: readsOf(cache), shownIds: shownIds(await db.all(SHOWN_ID_ROW)) };
    const storage = createStorage(db, beside, cachedTables(cache));
    return { storage, [Symbol.dispose]: () => cache.close() };
  } catch (error) {
    cache.close();
    throw error;
  }
}

function readsOf(cache: IndexCache): IndexReads {
  return {
    ...cache.reads,
    async bring({ storeFiles, chunks }, { tenant_id: tenantId, seq }: StoreFileRow, generation: GenerationRow) {
      const row = await storeFiles.bySeq(tenantId, seq);
      if (row !== null) {
        const owner = { storeFile: seq, chunkSet: generation.chunk_set, revision: row.revision };
        // The tables put what they read into the cache.
        for (let from = 0; ; from += SLICE)
          if ((await chunks.forIndex(tenantId, owner, generation.id, from, SLICE)).length < SLICE) break;
      }
      cache.keepFile(tenantId, seq, row);
    },
  };
}

/**
 * The tables, whose chunks pass through the cache on their way into an index and leave it when they are removed. What a
 * transaction removes and then does not is only read again.
 */
function cachedTables(cache: IndexCache): (sql: Sql) => Tables {
  const made = new WeakMap<Sql, Tables>();
  return (sql) => {
    let tables = made.get(sql);
    if (tables === undefined) made.set(sql, (tables = cached(tablesOf(sql), cache)));
    return tables;
  };
}

function cached(tables: Tables, cache: IndexCache): Tables {
  const { chunks, chunkTerms } = tables;
  return {
    ...tables,
    chunks: {
      ...chunks,
      async forIndex(tenantId, at, generation, fromIdx, limit) {
        const slice = await chunks.forIndex(tenantId, at, generation, fromIdx, limit);
        cache.keep(tenantId, at, generation, { from: fromIdx, chunks: slice });
        return slice;
      },
      async removeSome(storeFile, belowRevision, limit, note) {
        const removed = await chunks.removeSome(storeFile, belowRevision, limit, note);
        if (removed > 0) cache.forget(storeFile, belowRevision);
        return removed;
      },
      async removeFromGeneration(generation, storeFile, afterId, withChunks) {
        const last = await chunks.removeFromGeneration(generation, storeFile, afterId, withChunks);
        cache.forgetVectors(generation.id, storeFile);
        return last;
      },
    },
    chunkTerms: {
      ...chunkTerms,
      async replace(replaced) {
        await chunkTerms.replace(replaced);
        cache.keepTerms(replaced);
      },
    },
  };
}
