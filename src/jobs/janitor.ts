import { messageOf } from "../errors.ts";
import { type Clock, DAY_SECONDS, HOUR_SECONDS } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { GarbagePage } from "../storage/chunk-removals.ts";
import { retireGeneration } from "../storage/cutover.ts";
import type { StoreFileSeq } from "../storage/ids.ts";
import { deleteFile, scheduleEndOfDeletion, schedulePurge, type Detached } from "../storage/removal.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { keepThreads, type ThreadUpkeepDeps } from "./thread-upkeep.ts";

/**
 * Keeps promises that have a time: expired files and uploads go, expired stores lose their data after the grace
 * period. At start it also removes what a crash may have left: bytes no row points to, rows no file owns.
 */
export interface JanitorDeps extends Omit<ThreadUpkeepDeps, "storage"> {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  clock: Clock;
  log: Log;
  /** Seconds that an expired store keeps its data, read at every round. */
  graceSeconds: () => number;
  /** How long, how many and how much of searches is logged, read at every round. */
  queryLog: () => { days: number; rows: number; bytes: number };
  /** Days that answers are kept. */
  responseDays: () => number;
  /** Bytes of cached vectors that are kept at most. */
  embeddingCacheBytes: () => number;
  /** Files left these stores: indexes in memory forget them, running ingests stop. */
  detached(detached: readonly Detached[]): void;
  wakeJobs(): void;
  /** Whether a round is this server's, where there are several; without, each is. */
  mayRun?(): Promise<boolean>;
  /** Removes up to so many rows of rates that say nothing; returns how many. */
  trimRates?(step: number): Promise<number>;
}

const EVERY_MS = 10_000;
/** Log entries removed in one transaction. */
const TRIM_STEP = 2_000;
/** What an upload in parts came to can be told for a day after its hour; its file stays. */
const UPLOAD_SECONDS = DAY_SECONDS;
const UPLOADS_STEP = 500;
const EMBEDDINGS_STEP = 500;
const RESPONSES_STEP = 50;
const DELETIONS_STEP = 200;
/** What other servers are told of a store's changes; whoever is further behind loads it anew. */
const CHANGES_SECONDS = HOUR_SECONDS;
const CHANGES_STEP = 2_000;
const RATES_STEP = 1000;
/** Hours of statistics that are kept: the longest window, and a day. */
const STATISTICS_HOURS = 31 * 24;
/** Files looked at in one step: about a millisecond. */
const GARBAGE_STEP = 100;
const SWEEP_SECONDS = 6 * HOUR_SECONDS;
/** Files in progress that nothing works on, put back to work in one round. */
const REVIVED = 1_000;

export class Janitor implements AsyncDisposable {
  readonly #deps: JanitorDeps;
  #timer: Timer | null = null;
  #busy: Promise<void> = Promise.resolve();
  #stopped = false;
  /** When orphans were looked for last. */
  #swept = 0;
  /** In which hour statistics were trimmed last. */
  #trimmedHour: number | null = null;

  constructor(deps: JanitorDeps) {
    this.#deps = deps;
  }

  start(): void {
    // Taken before the first request: a blob that comes later may be ahead of its row.
    const before = this.#deps.blobs.settled();
    this.#busy = this.#busy.then(() => this.#guard(() => this.#begin(before)));
    this.#swept = this.#deps.clock.nowSeconds();
    this.#timer = setInterval(() => {
      this.#busy = this.#busy.then(() => this.#guard(() => this.#round()));
    }, EVERY_MS);
  }

  async #begin(blobIds: AsyncIterable<string>): Promise<void> {
    const { mayRun, blobs } = this.#deps;
    if (mayRun === undefined || (await mayRun())) return await this.#sweepOrphans(blobIds);
    // Bytes in a directory of its own nobody else looks at.
    if (!blobs.isShared) await this.#removeOrphans(blobIds);
  }

  async #round(): Promise<void> {
    const { mayRun } = this.#deps;
    if (mayRun === undefined || (await mayRun())) await this.tick();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#busy;
  }

  /** One round. */
  async tick(): Promise<void> {
    const { storage, blobs, clock, wakeJobs } = this.#deps;
    const now = clock.nowSeconds();
    await this.#expireFiles(now);
    await this.#expireUploads(now);
    await this.#endRetention(now);
    await this.#expireStores(now);
    await this.#revive();
    await this.#trimLogs(now);
    await this.#trimResponses(now);
    await keepThreads(this.#deps, now, () => this.#stopped);
    await storage.settleErased();
    await this.#trimEmbeddings();
    while (((await this.#deps.trimRates?.(RATES_STEP)) ?? 0) === RATES_STEP && !this.#stopped) await nextTurn();
    // Where other servers put blobs, orphans are what one of them left that died.
    if (blobs.isShared && now - this.#swept >= SWEEP_SECONDS) {
      this.#swept = now;
      await this.#removeOrphans(blobs.settled());
    }
    wakeJobs();
  }

  async #expireFiles(now: number): Promise<void> {
    const { storage, blobs, parsed, detached } = this.#deps;
    for (const { tenant_id, id } of await storage.files.expired(now)) {
      const row = await storage.files.get(tenant_id, id);
      const removed = await storage.transaction(async (tables, tx) => {
        const gone = await deleteFile(tables, tenant_id, id, now);
        if (gone !== null) tx.onCommit(() => detached(gone.detached));
        return gone;
      });
      if (row === null || removed === null) continue;
      await blobs.remove(id);
      await parsed.remove({ tenantId: tenant_id, sha256: row.sha256, filename: row.filename });
    }
  }

  async #expireUploads(now: number): Promise<void> {
    const { storage, blobs } = this.#deps;
    for (const upload of await storage.uploads.expired(now)) {
      const parts = await storage.uploads.parts(upload.tenant_id, upload.id);
      await storage.transaction(async ({ uploads }) => {
        await uploads.end(upload.tenant_id, upload.id, "expired", null);
        await uploads.removeParts(upload.tenant_id, upload.id);
      });
      for (const part of parts) await blobs.remove(part.id);
    }
    while ((await storage.uploads.trim(now - UPLOAD_SECONDS, UPLOADS_STEP)) > 0 && !this.#stopped) await nextTurn();
  }

  /** What a migration left behind for a rollback goes when its time is over. */
  async #endRetention(now: number): Promise<void> {
    const { storage } = this.#deps;
    for (const migration of await storage.migrations.pastRetention(now)) {
      await storage.transaction(async (tables) => {
        const old = await tables.generations.get(migration.tenant_id, migration.from_generation);
        await tables.migrations.update(migration.tenant_id, migration.id, { rollback_until: null });
        if (old?.state === "retained") await retireGeneration(tables, old);
      });
    }
  }

  async #expireStores(now: number): Promise<void> {
    const { storage, graceSeconds } = this.#deps;
    for (const { tenant_id: tenantId, id } of await storage.stores.expiredWithData(now - graceSeconds())) {
      await storage.transaction(async ({ stores, jobs }) => {
        await stores.setDataRemoved(tenantId, id, now);
        await jobs.insert({ tenantId, kind: "purge_store", storeId: id, subject: id, priority: 1, dueMs: 0 });
      });
    }
  }

  /** No file stays in progress without a job: where its row was lost, it gets another. */
  async #revive(): Promise<void> {
    const { storage, clock, log } = this.#deps;
    const stuck = await storage.jobs.filesWithoutJob(REVIVED);
    if (stuck.length === 0) return;
    await storage.transaction(async ({ jobs }) => {
      for (const { tenant_id, store_id, seq } of stuck) {
        await jobs.insert({
          tenantId: tenant_id,
          kind: "ingest",
          storeId: store_id,
          subject: String(seq),
          priority: 1,
          dueMs: clock.nowMs(),
        });
      }
    });
    log.warn("files in progress had no job and got one", { files: stuck.length });
  }

  async #trimLogs(now: number): Promise<void> {
    const { storage } = this.#deps;
    const { days, rows, bytes } = this.#deps.queryLog();
    const bounds = { since: now - days * DAY_SECONDS, rows, bytes };
    while ((await storage.queryLog.trim(bounds, TRIM_STEP)) > 0 && !this.#stopped) await nextTurn();
    while ((await storage.storeChanges.trim(CHANGES_SECONDS, CHANGES_STEP)) > 0 && !this.#stopped) await nextTurn();
    const hour = Math.floor(now / HOUR_SECONDS);
    // Every row is looked at for it.
    if (hour === this.#trimmedHour) return;
    await storage.statistics.trim(hour - STATISTICS_HOURS);
    this.#trimmedHour = hour;
  }

  async #trimResponses(now: number): Promise<void> {
    const { storage, responseDays } = this.#deps;
    const before = now - responseDays() * DAY_SECONDS;
    const step = () => storage.transaction(({ responses }) => responses.trim(before, RESPONSES_STEP), "work");
    while ((await step()) > 0 && !this.#stopped) await nextTurn();
  }

  async #trimEmbeddings(): Promise<void> {
    const { embeddingCache } = this.#deps.storage;
    const limit = this.#deps.embeddingCacheBytes();
    while ((await embeddingCache.size()).bytes > limit && !this.#stopped) {
      if ((await embeddingCache.removeOldest(EMBEDDINGS_STEP)) === 0) return;
      await nextTurn();
    }
  }

  async #removeOrphans(blobIds: AsyncIterable<string>): Promise<void> {
    const { storage, blobs } = this.#deps;
    for await (const id of blobIds) {
      if (this.#stopped) return;
      if (!(await storage.files.exists(id)) && !(await storage.uploads.partExists(id))) await blobs.remove(id);
      await nextTurn();
    }
  }

  async #sweepOrphans(blobIds: AsyncIterable<string>): Promise<void> {
    const { storage, wakeJobs } = this.#deps;
    await this.#removeOrphans(blobIds);
    if (this.#stopped) return;
    for (let after: StoreFileSeq | null = 0; after !== null && !this.#stopped; await nextTurn()) {
      const { found, last }: GarbagePage = await storage.chunks.filesWithGarbage(after, GARBAGE_STEP);
      for (const { tenant_id, store_file } of found)
        await schedulePurge(storage, { tenant_id, store_id: null, seq: store_file });
      after = last;
    }
    await this.#endDeletions();
    wakeJobs();
    await this.tick();
  }

  /** A deletion whose job was lost is looked at by another; one that still goes on takes no harm from it. */
  async #endDeletions(): Promise<void> {
    const { storage } = this.#deps;
    for (let open = await storage.deletions.unended(DELETIONS_STEP); open.length > 0 && !this.#stopped;) {
      for (const { tenant_id, id } of open) await scheduleEndOfDeletion(storage, tenant_id, id);
      await nextTurn();
      open = await storage.deletions.unended(DELETIONS_STEP);
    }
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      if (!this.#stopped) await work();
    } catch (error) {
      this.#deps.log.error("janitor round failed", { error: messageOf(error) });
    }
  }
}
