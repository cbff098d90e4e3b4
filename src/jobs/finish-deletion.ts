import type { Clock } from "../platform/clock.ts";
import type { Blobs } from "../storage/blobs.ts";
import { checkDeletion, type DeletionCheckDeps, dropParsed, lastCheck } from "../storage/deletion-check.ts";
import type { DeletionRow } from "../storage/deletions.ts";
import type { StoreId } from "../storage/ids.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { retry } from "./retry.ts";
import type { JobHandler } from "./runner.ts";

export interface FinishDeletionDeps extends DeletionCheckDeps {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  clock: Clock;
  /**
   * Has index images of the store that may hold what was there at this time be written anew, or (`atOnce`) takes them away.
   */
  renewImages(storeId: StoreId, atSeconds: number, atOnce: boolean): Promise<void>;
}

/** Looks after which an image that is still as it was goes without another in its place. */
const PATIENCE = 4;

const STEP = 500;
/** Items of answers, each with up to some hundred passages. */
const ITEMS_STEP = 20;

/**
 * Subject: a deletion's id. Waits until what was deleted has been reclaimed, removes its bytes and its cache entry, and
 * records that nothing is left (or what is).
 */
export function createFinishDeletionHandler(deps: FinishDeletionDeps): JobHandler {
  const { deletions } = deps.storage;
  return {
    kind: "finish_deletion",
    concurrency: 1,
    async run(job, signal) {
      const row = await deletions.get(job.subject);
      if (row === null || row.completed_at !== null) return { type: "done" };
      if (await deletions.isPending(row)) return retry("deletion_pending");
      const isClean = await new DeletionEnd(deps, row, signal).run(job.attempt > PATIENCE);
      return isClean ? { type: "done" } : retry("deletion_remains", job.attempt);
    },
  };
}

class DeletionEnd {
  readonly #deps: FinishDeletionDeps;
  readonly #row: DeletionRow;
  readonly #signal: AbortSignal;

  constructor(deps: FinishDeletionDeps, row: DeletionRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#row = row;
    this.#signal = signal;
  }

  /** Whether nothing is left. */
  async run(isLate: boolean): Promise<boolean> {
    const { storage, blobs, clock } = this.#deps;
    const { seq, subject_type: type, subject_id: id } = this.#row;
    if (type === "file") {
      await blobs.remove(id);
      await this.#forgetEmbeddings();
    }
    await this.#forgetParsed();
    await this.#emptyResults();
    const stores = new Set((await storage.deletions.storeFiles(seq)).map(({ store_id }) => store_id));
    for (const store of stores) await this.#deps.renewImages(store, this.#row.requested_at, isLate);
    const check = await checkDeletion(this.#deps, this.#row, true);
    // The text of answers is not the file's.
    const isEmpty = Object.entries(check.remaining).every(([what, count]) => what === "answers" || count === 0);
    const isClean = isEmpty && check.isWhole;
    await storage.transaction(async ({ deletions }) => {
      await deletions.setVerified(seq, ...lastCheck(check, clock.nowSeconds()));
      if (isClean) await deletions.complete(seq, clock.nowSeconds());
    });
    return isClean;
  }

  async #forgetParsed(): Promise<void> {
    if (await dropParsed(this.#deps, this.#row)) await this.#deps.storage.deletions.noteCacheEntries(this.#row.seq, 1);
  }

  /** What answers hold of its text: passages that were found, and quotations. */
  async #emptyResults(): Promise<void> {
    const { tenant_id: tenantId, subject_type: type, subject_id: id, seq } = this.#row;
    while (!this.#signal.aborted) {
      const emptied = await this.#deps.storage.transaction(
        async ({ responseSources, threadSources, deletions }, tx) => {
          tx.erase();
          const answers = await responseSources.empty(tenantId, { type, id }, ITEMS_STEP);
          const threads = await threadSources.empty(tenantId, { type, id }, ITEMS_STEP);
          await deletions.noteResults(seq, answers.results + threads.results);
          return answers.items + threads.items;
        },
      );
      if (emptied === 0) return;
      await nextTurn();
    }
  }

  async #forgetEmbeddings(): Promise<void> {
    const { tenant_id: tenantId, subject_id: fileId, seq } = this.#row;
    while (!this.#signal.aborted) {
      const removed = await this.#deps.storage.transaction(async ({ embeddingCache, deletions }) => {
        const entries = await embeddingCache.removeOfFile(tenantId, fileId, STEP);
        await deletions.noteCacheEntries(seq, entries);
        return entries;
      });
      if (removed === 0) return;
      await nextTurn();
    }
  }
}
