import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { FileRow } from "../../storage/files.ts";
import { schedulePurge } from "../../storage/removal.ts";
import type { Tx } from "../../storage/sql.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { mayUseFile } from "../files/scope.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { Strategy } from "./input.ts";
import { AUTO_STRATEGY, sameAttributes } from "./input.ts";
import type { Attributes } from "./schema.ts";

/** What the indexes in memory are told when a file of a store changes or goes; called in the turn of the commit. */
export interface IndexHooks {
  removeFile(storeId: string, storeFile: number): void;
  setAttributes(
    storeId: string,
    storeFile: number,
    file: { fileId: string; filename: string; attributes: Attributes },
  ): void;
}

export interface AttachDeps extends Pick<Storage, "transaction"> {
  clock: Clock;
  index: IndexHooks;
  wakeJobs: () => void;
  /** Stops a running ingest. */
  cancelIngest: (storeFile: number) => void;
  notify: (storeId: string) => void;
  /** Files that may be in one store; null: no limit. */
  maxFilesPerStore: (store: Pick<StoreRow, "tenant_id" | "key_id">) => Promise<number | null>;
  /** Files that may wait to be indexed. */
  maxQueuedFiles: number;
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
 * Attaching, re-indexing, cancelling and detaching: rows and job rows in one transaction, effects in the turn of its
 * commit. Each function opens a transaction of its own, or is part of the caller's where one is given.
 */
export function attacher(deps: AttachDeps) {
  const { clock, index } = deps;

  async function ingest({ jobs }: Tables, row: StoreFileRow, priority: 0 | 1): Promise<void> {
    await jobs.insert({
      tenantId: row.tenant_id,
      kind: "ingest",
      storeId: row.store_id,
      subject: String(row.seq),
      priority,
      dueMs: clock.nowMs(),
    });
  }

  async function stopIngest({ tables, tx }: Within, row: StoreFileRow): Promise<void> {
    await tables.jobs.drop(row.tenant_id, "ingest", String(row.seq));
    tx.onCommit(() => deps.cancelIngest(row.seq));
  }

  function changed({ tx }: Within, storeId: string): void {
    tx.onCommit(() => {
      deps.wakeJobs();
      deps.notify(storeId);
    });
  }

  /** Back to the beginning, with this strategy. */
  async function reindex(at: Within, row: StoreFileRow, strategy: Strategy, priority: 0 | 1): Promise<StoreFileRow> {
    await stopIngest(at, row);
    await at.tables.storeFiles.reindex(row.tenant_id, row.seq, strategy);
    at.tx.onCommit(() => index.removeFile(row.store_id, row.seq));
    await schedulePurge(at.tables, row);
    await ingest(at.tables, row, priority);
    changed(at, row.store_id);
    return (await current(at.tables, row)) ?? row;
  }

  async function setAttributes(at: Within, row: StoreFileRow, attributes: Attributes | null): Promise<StoreFileRow> {
    const { tables, tx } = at;
    if (sameAttributes(attributes, row.attributes)) return row;
    await tables.storeFiles.setAttributes(row.tenant_id, row.seq, attributes);
    tx.onCommit(() => {
      index.setAttributes(row.store_id, row.seq, {
        fileId: row.file_id,
        filename: row.filename,
        attributes: attributes ?? {},
      });
    });
    return (await current(tables, row)) ?? row;
  }

  /** The row as it is in this transaction; null where the file was detached since it was read. */
  async function current({ storeFiles }: Tables, row: StoreFileRow): Promise<StoreFileRow | null> {
    return await storeFiles.bySeq(row.tenant_id, row.seq);
  }

  async function attachOne(
    at: Within,
    store: StoreRow,
    file: FileRow,
    wanted: FileToAttach,
    priority: 0 | 1,
  ): Promise<StoreFileRow> {
    const { storeFiles } = at.tables;
    const there = await storeFiles.get(store.tenant_id, store.id, file.id);
    if (there === null) {
      const { maxTokens, overlapTokens } = wanted.strategy ?? AUTO_STRATEGY;
      const row = await storeFiles.insert({
        tenantId: store.tenant_id,
        storeId: store.id,
        fileId: file.id,
        filename: file.filename,
        fileBytes: file.bytes,
        createdAt: clock.nowSeconds(),
        attributes: wanted.attributes ?? null,
        maxTokens,
        overlapTokens,
      });
      await ingest(at.tables, row, priority);
      return row;
    }
    const row = wanted.attributes === undefined ? there : await setAttributes(at, there, wanted.attributes);
    const strategy = wanted.strategy ?? strategyOf(row);
    const sameChunks = strategy.maxTokens === row.max_tokens && strategy.overlapTokens === row.overlap_tokens;
    const ended = row.status === "failed" || row.status === "cancelled";
    return sameChunks && !ended ? row : await reindex(at, row, strategy, priority);
  }

  async function attachAll(at: Within, { caller, store, wanted, priority, most }: Attaching): Promise<StoreFileRow[]> {
    const { tables } = at;
    // It may have been deleted since the caller found it: then nothing more may be put into it.
    const now = await tables.stores.get(store.tenant_id, store.id);
    if (now === null || now.lifecycle === "deleting") throw storeNotFound(store.id);
    const found: FileRow[] = [];
    for (const item of wanted) {
      const file = await tables.files.get(store.tenant_id, item.fileId);
      // A file past its time is gone for clients, whether or not the janitor has come by.
      const isExpired = file !== null && file.expires_at !== null && file.expires_at <= clock.nowSeconds();
      if (file === null || isExpired || !(await mayUseFile(tables, caller, item.fileId)))
        throw new AppError("file_not_found", `No such File object: ${item.fileId}`, { param: item.param });
      found.push(file);
    }
    let added = 0;
    for (const id of new Set(wanted.map((item) => item.fileId)))
      if ((await tables.storeFiles.get(store.tenant_id, store.id, id)) === null) added += 1;
    await refuseAboveLimits(tables, store, added, { files: most, queued: deps.maxQueuedFiles });
    const rows: StoreFileRow[] = [];
    for (const [i, file] of found.entries())
      rows.push(await attachOne(at, store, file, wanted[i] as FileToAttach, priority));
    await tables.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
    changed(at, store.id);
    return rows;
  }

  return {
    /** What `attachWithin` needs to know and cannot ask for inside a transaction. */
    limitOf: deps.maxFilesPerStore,
    /**
     * Attaches all or, where one file is unknown or a limit would be passed, none. Attaching again is harmless:
     * other attributes are taken over, another strategy or an earlier failure starts over.
     */
    async attach(
      caller: Caller,
      store: StoreRow,
      wanted: readonly FileToAttach[],
      priority: 0 | 1,
    ): Promise<StoreFileRow[]> {
      const most = await deps.maxFilesPerStore(store);
      const attaching = { caller, store, wanted, priority, most };
      return await deps.transaction((tables, tx) => attachAll({ tables, tx }, attaching));
    },
    /** The same as part of the caller's transaction. */
    attachWithin: attachAll,
    /** Starts a file that failed or was cancelled over; harmless for one that was started over meanwhile. */
    retry: (row: StoreFileRow): Promise<StoreFileRow> =>
      deps.transaction(async (tables, tx) => {
        const now = await current(tables, row);
        if (now === null || (now.status !== "failed" && now.status !== "cancelled")) return now ?? row;
        return await reindex({ tables, tx }, now, strategyOf(now), 0);
      }),
    setAttributes: (row: StoreFileRow, attributes: Attributes | null): Promise<StoreFileRow> =>
      deps.transaction(async (tables, tx) => {
        const now = await current(tables, row);
        return now === null ? row : await setAttributes({ tables, tx }, now, attributes);
      }),
    cancel: (row: StoreFileRow): Promise<StoreFileRow> =>
      deps.transaction((tables, tx) => cancelWithin({ tables, tx }, row)),
    /** What was indexed of it so far goes. Harmless for a file that is not in progress. */
    cancelWithin,
    detach: (row: StoreFileRow): Promise<void> =>
      deps.transaction(async (tables, tx) => {
        const at = { tables, tx };
        await tables.storeFiles.remove(row.tenant_id, row.seq);
        await stopIngest(at, row);
        tx.onCommit(() => index.removeFile(row.store_id, row.seq));
        await schedulePurge(tables, row);
        changed(at, row.store_id);
      }),
  };

  async function cancelWithin(at: Within, row: StoreFileRow): Promise<StoreFileRow> {
    const { tables } = at;
    if (!(await tables.storeFiles.cancel(row.tenant_id, row.seq))) return (await current(tables, row)) ?? row;
    await tables.statistics.addIngest({
      tenantId: row.tenant_id,
      storeId: row.store_id,
      at: clock.nowSeconds(),
      status: "cancelled",
      bytes: 0,
      chunks: 0,
    });
    await stopIngest(at, row);
    await schedulePurge(tables, row);
    changed(at, row.store_id);
    return (await current(tables, row)) ?? row;
  }
}

/** A transaction under way. */
export interface Within {
  tables: Tables;
  tx: Tx;
}

interface Attaching {
  caller: Caller;
  store: StoreRow;
  wanted: readonly FileToAttach[];
  priority: 0 | 1;
  /** Files that may be in the store; null: no limit. */
  most: number | null;
}

export function strategyOf(row: StoreFileRow): Strategy {
  return { maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens };
}

async function refuseAboveLimits(
  { storeFiles, jobs }: Tables,
  store: StoreRow,
  added: number,
  most: { files: number | null; queued: number },
): Promise<void> {
  if (added === 0) return;
  if (most.files !== null && (await storeFiles.count(store.tenant_id, store.id)) + added > most.files) {
    throw new AppError("file_limit_reached", `Vector store '${store.id}' may hold ${most.files} files at most.`);
  }
  const waiting = (await jobs.depth()).find(({ kind }) => kind === "ingest")?.waiting ?? 0;
  if (waiting + added > most.queued) {
    throw new AppError("overloaded", "Too many files are waiting to be indexed. Try again later.", {
      retryAfterSeconds: 10,
    });
  }
}
