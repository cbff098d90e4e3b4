import type { Clock } from "../platform/clock.ts";
import type { Blobs } from "../storage/blobs.ts";
import { type DeletionCheckDeps, parsedSubjectOf, remainingOf } from "../storage/deletion-check.ts";
import type { DeletionRow } from "../storage/deletions.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "./next-turn.ts";
import type { JobHandler } from "./runner.ts";

export interface FinishDeletionDeps extends DeletionCheckDeps {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  clock: Clock;
}

/** While other jobs still remove parts of it. */
const LOOK_AGAIN_MS = 100;
/** Something is left though every job has ended. */
const TRY_AGAIN_MS = 2_000;
const SELDOM_MS = 60_000;
const STEP = 500;

/**
 * Subject: a deletion's id. Waits until what was deleted has been reclaimed, removes its bytes and its cache entry, and
 * records that nothing is left (or what is).
 */
export function createFinishDeletionHandler(deps: FinishDeletionDeps): JobHandler {
  const { storage, blobs, parsed, clock } = deps;
  return {
    kind: "finish_deletion",
    concurrency: 1,
    async run(job, signal) {
      const row = await storage.deletions.get(job.subject);
      if (row === null || row.completed_at !== null) return { type: "done" };
      if (await storage.deletions.isPending(row)) return { type: "retry", inMs: LOOK_AGAIN_MS };
      if (row.subject_type === "file") {
        await blobs.remove(row.subject_id);
        await forgetEmbeddings(deps, row, signal);
      }
      const subject = await parsedSubjectOf(deps, row);
      if (subject !== null && (await Bun.file(parsed.path(subject)).exists())) {
        await parsed.remove(subject);
        await storage.deletions.noteCacheEntries(row.seq, 1);
      }
      const remaining = await remainingOf(deps, row);
      const isClean = Object.values(remaining).every((count) => count === 0);
      await storage.transaction(async ({ deletions }) => {
        await deletions.setVerified(row.seq, clock.nowSeconds(), remaining);
        if (isClean) await deletions.complete(row.seq, clock.nowSeconds());
      });
      return isClean ? { type: "done" } : { type: "retry", inMs: Math.min(SELDOM_MS, TRY_AGAIN_MS * job.attempt) };
    },
  };
}

async function forgetEmbeddings({ storage }: FinishDeletionDeps, row: DeletionRow, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const removed = await storage.transaction(async ({ embeddingCache, deletions }) => {
      const entries = await embeddingCache.removeOfFile(row.tenant_id, row.subject_id, STEP);
      await deletions.noteCacheEntries(row.seq, entries);
      return entries;
    });
    if (removed === 0) return;
    await nextTurn();
  }
}
