import type { Blobs } from "../storage/blobs.ts";
import type { RemovedRows } from "../storage/deletions.ts";
import type { JobKind } from "../storage/jobs.ts";
import { scheduleEndOfDeletion } from "../storage/removal.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "./next-turn.ts";
import type { JobHandler } from "./runner.ts";

/**
 * Reclaims what deleted, detached, failed and re-indexed files left. What they had is out of every answer from the
 * moment their row changed; here the rows go, in steps small enough that searches do not notice.
 */
export interface PurgeDeps {
  storage: Storage;
  blobs: Blobs;
  /** Removes what is on disk and in memory for a store that is gone (indexes). */
  removeIndexFiles(storeId: string): Promise<void>;
  /** Stops what still works on the store. */
  cancelStore(storeId: string): void;
}

const STEP = 500;
/** Free pages (4 KiB each) given back to the file system after a purge. */
const RECLAIMED_PAGES = 20_000;
const ANY_REVISION = Number.MAX_SAFE_INTEGER;
const WRITERS: readonly JobKind[] = ["ingest", "catch_up", "migrate", "build_index"];
const WRITERS_END_MS = 50;

/** Subject: a `store_file.seq`, whether its row still exists or not. */
export function createPurgeFileHandler({ storage }: PurgeDeps): JobHandler {
  return {
    kind: "purge_file",
    concurrency: 1,
    async run(job, signal) {
      const seq = Number(job.subject);
      const deletion = storage.deletions.ofStoreFile(seq);
      const note = deletion === null ? undefined : (removed: RemovedRows) => storage.deletions.note(deletion, removed);
      for (;;) {
        if (signal.aborted) return { type: "interrupted" };
        // Looked at before every step: the file may be attached anew meanwhile, under a higher revision.
        const row = storage.storeFiles.bySeq(job.tenant_id, seq);
        const alive = row !== null && (row.status === "in_progress" || row.status === "completed");
        const removed = storage.chunks.removeSome(seq, alive ? row.revision : ANY_REVISION, STEP, note);
        if (removed === 0) break;
        await nextTurn();
      }
      if (deletion !== null) scheduleEndOfDeletion(storage, deletion.tenant_id, deletion.id);
      return { type: "done" };
    },
  };
}

/** Subject: the id of a store whose lifecycle is `deleting`, or one that expired. */
export function createPurgeStoreHandler({ storage, removeIndexFiles, cancelStore }: PurgeDeps): JobHandler {
  return {
    kind: "purge_store",
    concurrency: 1,
    async run(job, signal) {
      const { tenant_id: tenantId, subject: storeId } = job;
      const store = storage.stores.get(tenantId, storeId);
      if (store === null) return { type: "done" };
      // Who still writes to the store would leave rows behind.
      if (storage.jobs.dropWaiting(tenantId, storeId, WRITERS) > 0) {
        cancelStore(storeId);
        return { type: "retry", inMs: WRITERS_END_MS };
      }
      const deletion = storage.deletions.ofStore(storeId);
      const note = deletion === null ? undefined : (removed: RemovedRows) => storage.deletions.note(deletion, removed);
      for (;;) {
        if (signal.aborted) return { type: "interrupted" };
        const [seq] = storage.storeFiles.firstOf(tenantId, storeId, 1);
        if (seq === undefined) break;
        while (storage.chunks.removeSome(seq, ANY_REVISION, STEP, note) > 0) await nextTurn();
        storage.db.transaction(() => {
          storage.storeFiles.remove(tenantId, seq);
          if (deletion === null) return;
          storage.deletions.noteFiles(deletion.seq, 1);
          storage.deletions.addStoreFile(deletion.seq, tenantId, storeId, seq);
        });
      }
      while (storage.queryLog.removeSome(tenantId, storeId, STEP) > 0) await nextTurn();
      while (storage.judgments.removeSome({ tenantId, storeId, evaluation: null }, STEP) > 0) await nextTurn();
      await removeIndexFiles(storeId);
      storage.db.transaction(() => {
        // An expired store keeps its metadata; a deleted one goes.
        if (store.lifecycle !== "deleting") return;
        storage.statistics.removeOfStore(tenantId, storeId);
        storage.stores.remove(tenantId, storeId);
        if (deletion !== null) scheduleEndOfDeletion(storage, tenantId, deletion.id);
      });
      storage.db.reclaim(RECLAIMED_PAGES);
      return { type: "done" };
    },
  };
}
