import type { NoteRemoved } from "../storage/chunks.ts";
import type { OpenDeletion } from "../storage/deletions.ts";
import type { JobKind, JobRow } from "../storage/jobs.ts";
import { scheduleEndOfDeletion } from "../storage/removal.ts";
import { type Storage, tablesOf } from "../storage/storage.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { retry } from "./retry.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Reclaims what deleted, detached, failed and re-indexed files left. What they had is out of every answer from the
 * moment their row changed; here the rows go, in steps small enough that searches do not notice.
 */
export interface PurgeDeps {
  storage: Storage;
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

/** Subject: a `store_file.seq`, whether its row still exists or not. */
export function createPurgeFileHandler(deps: Pick<PurgeDeps, "storage">): JobHandler {
  return { kind: "purge_file", concurrency: 1, run: (job, signal) => new FilePurge(deps, job, signal).run() };
}

/** Subject: the id of a store whose lifecycle is `deleting`, or one that expired. */
export function createPurgeStoreHandler(deps: PurgeDeps): JobHandler {
  return { kind: "purge_store", concurrency: 1, run: (job, signal) => new StorePurge(deps, job, signal).run() };
}

class FilePurge {
  readonly #storage: Storage;
  readonly #job: JobRow;
  readonly #signal: AbortSignal;

  constructor({ storage }: Pick<PurgeDeps, "storage">, job: JobRow, signal: AbortSignal) {
    this.#storage = storage;
    this.#job = job;
    this.#signal = signal;
  }

  async run(): Promise<JobOutcome> {
    const seq = Number(this.#job.subject);
    const deletion = await this.#storage.deletions.ofStoreFile(seq);
    const note = noteFor(deletion);
    for (;;) {
      if (this.#signal.aborted) return { type: "interrupted" };
      const removed = await this.#storage.transaction(async ({ storeFiles, chunks }) => {
        // Looked at in every step: the file may be attached anew meanwhile, under a higher revision.
        const row = await storeFiles.bySeq(this.#job.tenant_id, seq);
        const alive = row !== null && (row.status === "in_progress" || row.status === "completed");
        return await chunks.removeSome(seq, alive ? row.revision : ANY_REVISION, STEP, note);
      }, "work");
      if (removed === 0) break;
      await nextTurn();
    }
    if (deletion !== null) await scheduleEndOfDeletion(this.#storage, deletion.tenant_id, deletion.id);
    return { type: "done" };
  }
}

class StorePurge {
  readonly #deps: PurgeDeps;
  readonly #tenantId: string;
  readonly #storeId: string;
  readonly #signal: AbortSignal;

  constructor(deps: PurgeDeps, { tenant_id: tenantId, subject: storeId }: JobRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#tenantId = tenantId;
    this.#storeId = storeId;
    this.#signal = signal;
  }

  async run(): Promise<JobOutcome> {
    const { storage, cancelStore, removeIndexFiles } = this.#deps;
    const store = await storage.stores.get(this.#tenantId, this.#storeId);
    if (store === null) return { type: "done" };
    // Who still writes to the store would leave rows behind.
    if ((await storage.jobs.dropWaiting(this.#tenantId, this.#storeId, WRITERS)) > 0) {
      cancelStore(this.#storeId);
      return retry("store_writers");
    }
    const deletion = await storage.deletions.ofStore(this.#storeId);
    if (!(await this.#removeFiles(deletion))) return { type: "interrupted" };
    await this.#removeLogs();
    await removeIndexFiles(this.#storeId);
    // An expired store keeps its metadata; a deleted one goes.
    if (store.lifecycle === "deleting") await this.#removeRow(deletion);
    await storage.reclaim(RECLAIMED_PAGES);
    return { type: "done" };
  }

  /** False when interrupted. */
  async #removeFiles(deletion: OpenDeletion | null): Promise<boolean> {
    const { storage } = this.#deps;
    const [tenantId, storeId] = [this.#tenantId, this.#storeId];
    const note = noteFor(deletion);
    for (;;) {
      if (this.#signal.aborted) return false;
      const [seq] = await storage.storeFiles.firstOf(tenantId, storeId, 1);
      if (seq === undefined) return true;
      while ((await storage.chunks.removeSome(seq, ANY_REVISION, STEP, note)) > 0) await nextTurn();
      await storage.transaction(async ({ storeFiles, deletions }) => {
        await storeFiles.remove(tenantId, seq);
        if (deletion === null) return;
        await deletions.noteFiles(deletion.seq, 1);
        await deletions.addStoreFile(deletion.seq, tenantId, storeId, seq);
      });
    }
  }

  async #removeLogs(): Promise<void> {
    const { queryLog, judgments } = this.#deps.storage;
    const [tenantId, storeId] = [this.#tenantId, this.#storeId];
    while ((await queryLog.removeSome(tenantId, storeId, STEP)) > 0) await nextTurn();
    while ((await judgments.removeSome({ tenantId, storeId, evaluation: null }, STEP)) > 0) await nextTurn();
  }

  async #removeRow(deletion: OpenDeletion | null): Promise<void> {
    await this.#deps.storage.transaction(async (tables) => {
      await tables.statistics.removeOfStore(this.#tenantId, this.#storeId);
      await tables.stores.remove(this.#tenantId, this.#storeId);
      if (deletion !== null) await scheduleEndOfDeletion(tables, this.#tenantId, deletion.id);
    });
  }
}

/** What a step removes is written down in its transaction, where somebody asked for the deletion. */
function noteFor(deletion: OpenDeletion | null): NoteRemoved | undefined {
  if (deletion === null) return undefined;
  return (removed, tx) => tablesOf(tx).deletions.note(deletion, removed);
}
