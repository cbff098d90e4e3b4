import type { Clock } from "../../platform/clock.ts";
import { schedulePurge } from "../../storage/removal.ts";
import type { Tx } from "../../storage/sql.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { Attaching, AttachingWithin, StoreOwner } from "./attach-request.ts";
import { filesToAttach, type FoundFile } from "./attachable.ts";
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
  maxFilesPerStore: (store: StoreOwner) => Promise<number | null>;
  /** Files that may wait to be indexed. */
  maxQueuedFiles: number;
}

/** A transaction under way. */
export interface Within {
  tables: Tables;
  tx: Tx;
}

/**
 * Attaching, re-indexing, cancelling and detaching: rows and job rows in one transaction, effects in the turn of its
 * commit. Each function opens a transaction of its own, or is part of the caller's where one is given.
 */
export interface Attacher {
  /** What `attachWithin` needs to know and cannot ask for inside a transaction. */
  limitOf(store: StoreOwner): Promise<number | null>;
  /**
   * Attaches all or, where one file is unknown or a limit would be passed, none. Attaching again is harmless:
   * other attributes are taken over, another strategy or an earlier failure starts over.
   */
  attach(attaching: Attaching): Promise<StoreFileRow[]>;
  /** The same as part of the caller's transaction. */
  attachWithin(at: Within, attaching: AttachingWithin): Promise<StoreFileRow[]>;
  /** Starts a file that failed or was cancelled over; harmless for one that was started over meanwhile. */
  retry(row: StoreFileRow): Promise<StoreFileRow>;
  setAttributes(row: StoreFileRow, attributes: Attributes | null): Promise<StoreFileRow>;
  /** What was indexed of it so far goes. Harmless for a file that is not in progress. */
  cancel(row: StoreFileRow): Promise<StoreFileRow>;
  /** The same as part of the caller's transaction. */
  cancelWithin(at: Within, row: StoreFileRow): Promise<StoreFileRow>;
  detach(row: StoreFileRow): Promise<void>;
}

export function attacher(deps: AttachDeps): Attacher {
  return new StoreFileAttacher(deps);
}

class StoreFileAttacher implements Attacher {
  readonly #deps: AttachDeps;

  constructor(deps: AttachDeps) {
    this.#deps = deps;
  }

  limitOf(store: StoreOwner): Promise<number | null> {
    return this.#deps.maxFilesPerStore(store);
  }

  async attach(attaching: Attaching): Promise<StoreFileRow[]> {
    const most = await this.limitOf(attaching.store);
    return await this.#deps.transaction((tables, tx) => this.attachWithin({ tables, tx }, { ...attaching, most }));
  }

  async attachWithin(at: Within, attaching: AttachingWithin): Promise<StoreFileRow[]> {
    const { clock, maxQueuedFiles } = this.#deps;
    const { store } = attaching;
    const found = await filesToAttach(at.tables, attaching, { nowSeconds: clock.nowSeconds(), maxQueuedFiles });
    const rows: StoreFileRow[] = [];
    for (const file of found) rows.push(await this.#attachOne(at, attaching, file));
    await at.tables.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
    this.#changed(at, store.id);
    return rows;
  }

  async retry(row: StoreFileRow): Promise<StoreFileRow> {
    return await this.#deps.transaction(async (tables, tx) => {
      const now = await current(tables, row);
      if (now === null || (now.status !== "failed" && now.status !== "cancelled")) return now ?? row;
      return await this.#reindex({ tables, tx }, now, { strategy: strategyOf(now), priority: 0 });
    });
  }

  async setAttributes(row: StoreFileRow, attributes: Attributes | null): Promise<StoreFileRow> {
    return await this.#deps.transaction(async (tables, tx) => {
      const now = await current(tables, row);
      return now === null ? row : await this.#setAttributes({ tables, tx }, now, attributes);
    });
  }

  async cancel(row: StoreFileRow): Promise<StoreFileRow> {
    return await this.#deps.transaction((tables, tx) => this.cancelWithin({ tables, tx }, row));
  }

  async cancelWithin(at: Within, row: StoreFileRow): Promise<StoreFileRow> {
    const { tables } = at;
    if (!(await tables.storeFiles.cancel(row.tenant_id, row.seq))) return (await current(tables, row)) ?? row;
    await tables.statistics.addIngest({
      tenantId: row.tenant_id,
      storeId: row.store_id,
      at: this.#deps.clock.nowSeconds(),
      status: "cancelled",
      bytes: 0,
      chunks: 0,
    });
    await this.#stopIngest(at, row);
    await schedulePurge(tables, row);
    this.#changed(at, row.store_id);
    return (await current(tables, row)) ?? row;
  }

  async detach(row: StoreFileRow): Promise<void> {
    await this.#deps.transaction(async (tables, tx) => {
      const at = { tables, tx };
      await tables.storeFiles.remove(row.tenant_id, row.seq);
      await this.#stopIngest(at, row);
      tx.onCommit(() => this.#deps.index.removeFile(row.store_id, row.seq));
      await schedulePurge(tables, row);
      this.#changed(at, row.store_id);
    });
  }

  async #attachOne(at: Within, { store, priority }: Attaching, { file, wanted }: FoundFile): Promise<StoreFileRow> {
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
        createdAt: this.#deps.clock.nowSeconds(),
        attributes: wanted.attributes ?? null,
        maxTokens,
        overlapTokens,
      });
      await this.#ingest(at.tables, row, priority);
      return row;
    }
    const row = wanted.attributes === undefined ? there : await this.#setAttributes(at, there, wanted.attributes);
    const strategy = wanted.strategy ?? strategyOf(row);
    const sameChunks = strategy.maxTokens === row.max_tokens && strategy.overlapTokens === row.overlap_tokens;
    const ended = row.status === "failed" || row.status === "cancelled";
    return sameChunks && !ended ? row : await this.#reindex(at, row, { strategy, priority });
  }

  async #ingest({ jobs }: Tables, row: StoreFileRow, priority: 0 | 1): Promise<void> {
    await jobs.insert({
      tenantId: row.tenant_id,
      kind: "ingest",
      storeId: row.store_id,
      subject: String(row.seq),
      priority,
      dueMs: this.#deps.clock.nowMs(),
    });
  }

  async #stopIngest({ tables, tx }: Within, row: StoreFileRow): Promise<void> {
    await tables.jobs.drop(row.tenant_id, "ingest", String(row.seq));
    tx.onCommit(() => this.#deps.cancelIngest(row.seq));
  }

  #changed({ tx }: Within, storeId: string): void {
    tx.onCommit(() => {
      this.#deps.wakeJobs();
      this.#deps.notify(storeId);
    });
  }

  /** Back to the beginning, with this strategy. */
  async #reindex(
    at: Within,
    row: StoreFileRow,
    { strategy, priority }: { strategy: Strategy; priority: 0 | 1 },
  ): Promise<StoreFileRow> {
    await this.#stopIngest(at, row);
    await at.tables.storeFiles.reindex(row.tenant_id, row.seq, strategy);
    at.tx.onCommit(() => this.#deps.index.removeFile(row.store_id, row.seq));
    await schedulePurge(at.tables, row);
    await this.#ingest(at.tables, row, priority);
    this.#changed(at, row.store_id);
    return (await current(at.tables, row)) ?? row;
  }

  async #setAttributes(at: Within, row: StoreFileRow, attributes: Attributes | null): Promise<StoreFileRow> {
    const { tables, tx } = at;
    if (sameAttributes(attributes, row.attributes)) return row;
    await tables.storeFiles.setAttributes(row.tenant_id, row.seq, attributes);
    tx.onCommit(() => {
      this.#deps.index.setAttributes(row.store_id, row.seq, {
        fileId: row.file_id,
        filename: row.filename,
        attributes: attributes ?? {},
      });
    });
    return (await current(tables, row)) ?? row;
  }
}

/** The row as it is in this transaction; null where the file was detached since it was read. */
async function current({ storeFiles }: Tables, row: StoreFileRow): Promise<StoreFileRow | null> {
  return await storeFiles.bySeq(row.tenant_id, row.seq);
}

export function strategyOf(row: StoreFileRow): Strategy {
  return { maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens };
}
