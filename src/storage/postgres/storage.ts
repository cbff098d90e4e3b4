import { assert } from "../../errors.ts";
import { newId } from "../../platform/ids.ts";
import { IndexCache } from "../index-cache.ts";
import type { IndexReads } from "../index-reads.ts";
import { SHOWN_ID_ROW, shownIds } from "../shown-ids.ts";
import { currentLease, type Lease, LeaseLost } from "../leased.ts";
import type { Database, Sql, Tx } from "../sql.ts";
import { createStorage, type Storage, type Tables, tablesOf } from "../storage.ts";
import { RUN } from "./commit-outcome.ts";
import type { PostgresTx } from "./database.ts";
import { type DatabaseOf, IN_ORDER, OneWriter } from "./one-writer.ts";

/** The tables of a database elsewhere, with what indexes in memory read of it on this machine. */
export interface RemoteStorage extends Disposable {
  readonly storage: Storage;
}

/**
 * `cachePath`: a file of this process, made anew. `writer`: who writes, by whose row a lost commit is told
 * (commit-outcome.ts); a server its id. The schema is there.
 */
export async function openRemoteStorage(
  db: DatabaseOf<PostgresTx>,
  cachePath: string,
  writer: string = newId("req_"),
): Promise<RemoteStorage> {
  const cache = new IndexCache(cachePath);
  try {
    const door = new OneWriter<PostgresTx>(db, async (tx) => {
      tx.markAs(writer);
      await begin(tx);
    });
    const tables = cachedTables(cache);
    const beside = { indexReads: readsOf(door, cache, tables), shownIds: shownIds(await db.all(SHOWN_ID_ROW)) };
    return { storage: createStorage(door, beside, tables), [Symbol.dispose]: () => cache.close() };
  } catch (error) {
    cache.close();
    throw error;
  }
}

/** Kept as it is until the commit. */
const HELD = /*sql*/ `SELECT ${RUN} AS run FROM job WHERE id = ?1 AND lease_owner = ?2 FOR SHARE`;
/** The run of the database's server in which each piece of work wrote first. */
const firstRuns = new WeakMap<Lease, string>();

/**
 * What every write begins with: its turn among the servers, and, of a job, a look whether its lease still stands. Work that
 * wrote before the server crashed may have lost that (jobs wait for no disk) and would go on without it: it is done again.
 */
async function begin(tx: Tx): Promise<void> {
  const lease = currentLease();
  const turn = tx.all(IN_ORDER);
  if (lease === null) return void (await turn);
  // Sent together: the second sees what is committed when the first has its answer.
  const [, held] = await Promise.all([turn, tx.get<{ run: string }>(HELD, [lease.jobId, lease.owner])]);
  if (held !== null) {
    const first = firstRuns.get(lease) ?? held.run;
    firstRuns.set(lease, first);
    if (first === held.run) return;
  }
  lease.lost();
  throw new LeaseLost();
}

/** What the whole database takes on its server. */
export async function remoteBytes(db: Pick<Sql, "get">): Promise<number> {
  return (await db.get<{ bytes: number }>(SIZE))?.bytes ?? 0;
}

const SIZE = /*sql*/ `SELECT pg_database_size(current_database()) AS bytes`;

function readsOf(db: Database, cache: IndexCache, tablesOver: (sql: Sql) => Tables): IndexReads {
  return {
    ...cache.reads,
    forget: (seq, belowRevision = Number.MAX_SAFE_INTEGER) => cache.forget(seq, belowRevision),
    kept: (seq, limit) => cache.kept(seq, limit),
    forgetGeneration: (generation) => cache.forgetGeneration(generation),
    async slice(at, then) {
      const { tenantId, owner, generation, from, limit } = at;
      let outcome: { value: ReturnType<typeof then> } | { error: unknown } | undefined;
      await db.transaction(async (tx) => {
        const { storeFiles, chunks } = tablesOver(tx);
        const file = await storeFiles.bySeq(tenantId, owner.storeFile);
        const slice = file === null ? [] : await chunks.forIndex(tenantId, owner, generation, from, limit);
        // Nobody else writes before this transaction has ended.
        tx.onCommit(() => (outcome = attempt(() => then(file, slice))));
      }, "work");
      assert(outcome !== undefined, "a transaction ended without its effects");
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    },
    async bring({ storeFiles }, tenantId, seq) {
      cache.keepFile(tenantId, seq, await storeFiles.bySeq(tenantId, seq));
    },
  };
}

function attempt<T>(work: () => T): { value: T } | { error: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
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
      async copyToSet(storeFile, revision, from, to) {
        await chunks.copyToSet(storeFile, revision, from, to);
        cache.forgetSet(storeFile, to);
      },
      async removeSome(storeFile, belowRevision, limit, note) {
        const removed = await chunks.removeSome(storeFile, belowRevision, limit, note);
        if (removed > 0) cache.forget(storeFile, belowRevision);
        return removed;
      },
      async removeFromGeneration(generation, storeFile, afterId, withChunks) {
        const last = await chunks.removeFromGeneration(generation, storeFile, afterId, withChunks);
        if (withChunks) cache.forgetSet(storeFile, generation.chunk_set);
        else cache.forgetVectors(generation.id, storeFile);
        return last;
      },
    },
    chunkTerms: {
      ...chunkTerms,
      async replace(replaced, last) {
        await chunkTerms.replace(replaced, last);
        cache.keepTerms(replaced);
      },
    },
  };
}
