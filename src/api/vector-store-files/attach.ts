import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { FileRow } from "../../storage/files.ts";
import { schedulePurge } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { mayUseFile } from "../files/scope.ts";
import type { Strategy } from "./input.ts";
import { AUTO_STRATEGY, sameAttributes } from "./input.ts";
import type { Attributes } from "./schema.ts";

/** What the indexes in memory are told when a file of a store changes or goes; called after the commit. */
export interface IndexHooks {
  removeFile(storeId: string, storeFile: number): void;
  setAttributes(
    storeId: string,
    storeFile: number,
    file: { fileId: string; filename: string; attributes: Attributes },
  ): void;
}

export interface AttachDeps extends Pick<Storage, "db" | "files" | "stores" | "storeFiles" | "jobs" | "statistics"> {
  clock: Clock;
  index: IndexHooks;
  wakeJobs: () => void;
  /** Stops a running ingest. */
  cancelIngest: (storeFile: number) => void;
  notify: (storeId: string) => void;
  /** Files that may be in one store; null: no limit. */
  maxFilesPerStore: (store: StoreRow) => number | null;
  /** Files that may wait to be indexed. */
  maxQueuedFiles: number;
  /** Files of all stores that wait to be indexed. */
  queuedFiles: () => number;
}

export interface FileToAttach {
  fileId: string;
  /** Undefined: as it is, or none. */
  attributes: Attributes | null | undefined;
  /** Null: as it is, or automatic. */
  strategy: Strategy | null;
  /** Where the id stands in the body, for errors. */
  param: string;
}

export type Attacher = ReturnType<typeof attacher>;

/**
 * Attaching, re-indexing, cancelling and detaching: rows and job rows in one transaction, effects after it.
 * Everything here must be called inside a transaction of the caller, or opens one of its own.
 */
export function attacher(deps: AttachDeps) {
  const { db, files, stores, storeFiles, jobs, clock, index } = deps;

  function ingest(row: StoreFileRow, priority: 0 | 1): void {
    jobs.insert({
      tenantId: row.tenant_id,
      kind: "ingest",
      storeId: row.store_id,
      subject: String(row.seq),
      priority,
      dueMs: clock.nowMs(),
    });
  }

  function stopIngest(row: StoreFileRow): void {
    jobs.drop(row.tenant_id, "ingest", String(row.seq));
    db.onCommit(() => deps.cancelIngest(row.seq));
  }

  function changed(row: StoreFileRow): void {
    db.onCommit(() => {
      deps.wakeJobs();
      deps.notify(row.store_id);
    });
  }

  /** Back to the beginning, with this strategy. */
  function reindex(row: StoreFileRow, strategy: Strategy, priority: 0 | 1): StoreFileRow {
    stopIngest(row);
    storeFiles.reindex(row.tenant_id, row.seq, strategy);
    db.onCommit(() => index.removeFile(row.store_id, row.seq));
    schedulePurge(deps, row);
    ingest(row, priority);
    changed(row);
    return current(row);
  }

  function setAttributes(row: StoreFileRow, attributes: Attributes | null): StoreFileRow {
    if (sameAttributes(attributes, parseAttributes(row))) return row;
    storeFiles.setAttributes(row.tenant_id, row.seq, attributes === null ? null : JSON.stringify(attributes));
    db.onCommit(() => {
      index.setAttributes(row.store_id, row.seq, {
        fileId: row.file_id,
        filename: row.filename,
        attributes: attributes ?? {},
      });
    });
    return current(row);
  }

  function current(row: StoreFileRow): StoreFileRow {
    return storeFiles.bySeq(row.tenant_id, row.seq) ?? row;
  }

  function attachOne(store: StoreRow, file: FileRow, wanted: FileToAttach, priority: 0 | 1): StoreFileRow {
    const there = storeFiles.get(store.tenant_id, store.id, file.id);
    if (there === null) {
      const { maxTokens, overlapTokens } = wanted.strategy ?? AUTO_STRATEGY;
      const row = storeFiles.insert({
        tenantId: store.tenant_id,
        storeId: store.id,
        fileId: file.id,
        filename: file.filename,
        fileBytes: file.bytes,
        createdAt: clock.nowSeconds(),
        attributes: wanted.attributes ? JSON.stringify(wanted.attributes) : null,
        maxTokens,
        overlapTokens,
      });
      ingest(row, priority);
      return row;
    }
    const row = wanted.attributes === undefined ? there : setAttributes(there, wanted.attributes);
    const strategy = wanted.strategy ?? strategyOf(row);
    const sameChunks = strategy.maxTokens === row.max_tokens && strategy.overlapTokens === row.overlap_tokens;
    const ended = row.status === "failed" || row.status === "cancelled";
    return sameChunks && !ended ? row : reindex(row, strategy, priority);
  }

  return {
    /**
     * Attaches all or, where one file is unknown or a limit would be passed, none. Attaching again is harmless:
     * other attributes are taken over, another strategy or an earlier failure starts over.
     */
    attach(caller: Caller, store: StoreRow, wanted: readonly FileToAttach[], priority: 0 | 1): StoreFileRow[] {
      return db.transaction(() => {
        const found = wanted.map((item) => {
          const file = files.get(store.tenant_id, item.fileId);
          // A file past its time is gone for clients, whether or not the janitor has come by.
          const isExpired = file !== null && file.expires_at !== null && file.expires_at <= clock.nowSeconds();
          if (file === null || isExpired || !mayUseFile(deps, caller, item.fileId))
            throw new AppError("file_not_found", `No such File object: ${item.fileId}`, { param: item.param });
          return file;
        });
        const ids = new Set(wanted.map((item) => item.fileId));
        const added = [...ids].filter((id) => storeFiles.get(store.tenant_id, store.id, id) === null).length;
        refuseAboveLimits(store, added, deps);
        const rows = found.map((file, i) => attachOne(store, file, wanted[i] as FileToAttach, priority));
        stores.touch(store.tenant_id, store.id, clock.nowSeconds());
        db.onCommit(() => {
          deps.wakeJobs();
          deps.notify(store.id);
        });
        return rows;
      });
    },
    reindex: (row: StoreFileRow): StoreFileRow => db.transaction(() => reindex(row, strategyOf(row), 0)),
    setAttributes: (row: StoreFileRow, attributes: Attributes | null): StoreFileRow =>
      db.transaction(() => setAttributes(row, attributes)),
    /** What was indexed of it so far goes. Harmless for a file that is not in progress. */
    cancel: (row: StoreFileRow): StoreFileRow =>
      db.transaction(() => {
        if (!storeFiles.cancel(row.tenant_id, row.seq)) return row;
        deps.statistics.addIngest({
          tenantId: row.tenant_id,
          storeId: row.store_id,
          at: clock.nowSeconds(),
          status: "cancelled",
          bytes: 0,
          chunks: 0,
        });
        stopIngest(row);
        schedulePurge(deps, row);
        changed(row);
        return current(row);
      }),
    detach(row: StoreFileRow): void {
      db.transaction(() => {
        storeFiles.remove(row.tenant_id, row.seq);
        stopIngest(row);
        db.onCommit(() => index.removeFile(row.store_id, row.seq));
        schedulePurge(deps, row);
        changed(row);
      });
    },
  };
}

export function parseAttributes(row: { attributes: string | null }): Attributes | null {
  return row.attributes === null ? null : (JSON.parse(row.attributes) as Attributes);
}

export function strategyOf(row: StoreFileRow): Strategy {
  return { maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens };
}

function refuseAboveLimits(store: StoreRow, added: number, deps: AttachDeps): void {
  if (added === 0) return;
  const most = deps.maxFilesPerStore(store);
  if (most !== null && deps.storeFiles.count(store.tenant_id, store.id) + added > most) {
    throw new AppError("file_limit_reached", `Vector store '${store.id}' may hold ${most} files at most.`);
  }
  if (deps.queuedFiles() + added > deps.maxQueuedFiles) {
    throw new AppError("overloaded", "Too many files are waiting to be indexed. Try again later.", {
      retryAfterSeconds: 10,
    });
  }
}
