import type { Blobs } from "../storage/blobs.ts";
import type { NoteRemoved } from "../storage/chunks.ts";
import type { OpenDeletion } from "../storage/deletions.ts";
import type { JobKind } from "../storage/jobs.ts";
import { scheduleEndOfDeletion } from "../storage/removal.ts";
import { type Storage, tablesOf } from "../storage/storage.ts";
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
      const deletion = await storage.deletions.ofStoreFile(seq);
      const note = noteFor(deletion);
      for (;;) {
        if (signal.aborted) return { type: "interrupted" };
        const removed = await storage.transaction(async ({ storeFiles, chunks }) => {
          // Looked at in every step: the file may be attached anew meanwhile, under a higher revision.
          const row = await storeFiles.bySeq(job.tenant_id, seq);
          const alive = row !== null && (row.status === "in_progress" || row.status === "completed");
          return await chunks.removeSome(seq, alive ? row.revision : ANY_REVISION, STEP, note);
        }, "work");
        if (removed === 0) break;
        await nextTurn();
      }
      if (deletion !== null) await scheduleEndOfDeletion(storage, deletion.tenant_id, deletion.id);
      return { type: "done" };
    },
  };
}

/** What a step removes is written down in its transaction, where somebody asked for the deletion. */
function noteFor(deletion: OpenDeletion | null): NoteRemoved | undefined {
  if (deletion === null) return undefined;
  return (removed, tx) => tablesOf(tx).deletions.note(deletion, removed);
}

/** Subject: the id of a store whose lifecycle is `deleting`, or one that expired. */
export function createPurgeStoreHandler({ storage, removeIndexFiles, cancelStore }: PurgeDeps): JobHandler {
  return {
    kind: "purge_store",
    concurrency: 1,
    async run(job, signal) {
      const { tenant_id: tenantId, subject: storeId } = job;
      const store = await storage.stores.get(tenantId, storeId);
      if (store === null) return { type: "done" };
      // Who still writes to the store would leave rows behind.
      if ((await storage.jobs.dropWaiting(tenantId, storeId, WRITERS)) > 0) {
        cancelStore(storeId);
        return { type: "retry", inMs: WRITERS_END_MS };
      }
      const deletion = await storage.deletions.ofStore(storeId);
      const note = noteFor(deletion);
      for (;;) {
        if (signal.aborted) return { type: "interrupted" };
        const [seq] = await storage.storeFiles.firstOf(tenantId, storeId, 1);
        if (seq === undefined) break;
        while ((await storage.chunks.removeSome(seq, ANY_REVISION, STEP, note)) > 0) await nextTurn();
        await storage.transaction(async ({ storeFiles, deletions }) => {
          await storeFiles.remove(tenantId, seq);
          if (deletion === null) return;
          await deletions.noteFiles(deletion.seq, 1);
          await deletions.addStoreFile(deletion.seq, tenantId, storeId, seq);
        });
      }
      while ((await storage.queryLog.removeSome(tenantId, storeId, STEP)) > 0) await nextTurn();
      while ((await storage.judgments.removeSome({ tenantId, storeId, evaluation: null }, STEP)) > 0) await nextTurn();
      await removeIndexFiles(storeId);
      await storage.transaction(async (tables) => {
        // An expired store keeps its metadata; a deleted one goes.
        if (store.lifecycle !== "deleting") return;
        await tables.statistics.removeOfStore(tenantId, storeId);
        await tables.stores.remove(tenantId, storeId);
        if (deletion !== null) await scheduleEndOfDeletion(tables, tenantId, deletion.id);
      });
      await storage.reclaim(RECLAIMED_PAGES);
      return { type: "done" };
    },
  };
}
