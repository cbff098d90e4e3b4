import type { Clock } from "../../platform/clock.ts";
import { schedulePurge, schedulePurges } from "../../storage/removal.ts";
import type { Tx } from "../../storage/sql.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileSeq } from "../../storage/ids.ts";
import type { AttachedFile, StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Attaching, AttachingWithin, StoreOwner } from "./attach-request.ts";
import { filesToAttach, type FoundFile } from "./attachable.ts";
import type { Strategy } from "./input.ts";
import { AUTO_STRATEGY, sameAttributes } from "./input.ts";
import type { Attributes } from "./schema.ts";
import type { Caller } from "../../http/caller.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { CreateStoreBody } from "../store-schema.ts";

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

/** Files attached between two turns of the event loop: some milliseconds' worth. */
const SLICE = 250;

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
  /** The same as part of the caller's transaction; returns the files' `seq`, each once. */
  attachWithin(at: Within, attaching: AttachingWithin): Promise<StoreFileSeq[]>;
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
    return await this.#deps.transaction(async (tables, tx) => {
      const seqs = await this.attachWithin({ tables, tx }, { ...attaching, most });
      return await tables.storeFiles.bySeqs(attaching.store.tenant_id, seqs);
    });
  }

  async attachWithin(at: Within, attaching: AttachingWithin): Promise<StoreFileSeq[]> {
    const { clock, maxQueuedFiles } = this.#deps;
    const { store } = attaching;
    const found = await filesToAttach(at.tables, attaching, { nowSeconds: clock.nowSeconds(), maxQueuedFiles });
    const seqs: StoreFileSeq[] = [];
    // There may be thousands, and requests wait meanwhile: a statement for many, and others have their turn in between.
    let inPiece = 0;
    for (const alike of runsOf(found)) {
      inPiece += alike.files.length;
      if (inPiece > SLICE) {
        await at.tx.nextTurn();
        inPiece = alike.files.length;
      }
      if (alike.isNew) seqs.push(...(await this.#attachNew(at, attaching, alike)));
      else seqs.push(...(await this.#attachAgain(at, attaching, alike)));
    }
    await at.tables.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
    this.#changed(at, store.id);
    return seqs;
  }

  async retry(row: StoreFileRow): Promise<StoreFileRow> {
    return await this.#deps.transaction(async (tables, tx) => {
      const now = await current(tables, row);
      if (now === null || (now.status !== "failed" && now.status !== "cancelled")) return now ?? row;
      const store = { tenant_id: now.tenant_id, id: now.store_id };
      await this.#reindex({ tables, tx }, store, { seqs: [now.seq], strategy: strategyOf(now), priority: 0 });
      return (await current(tables, now)) ?? now;
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

  async #attachNew(at: Within, { store, priority }: Attaching, alike: Alike): Promise<StoreFileSeq[]> {
    const { maxTokens, overlapTokens } = alike.strategy ?? AUTO_STRATEGY;
    const rows = await at.tables.storeFiles.insertAll({
      tenantId: store.tenant_id,
      storeId: store.id,
      fileIds: alike.files.map((file) => file.fileId),
      createdAt: this.#deps.clock.nowSeconds(),
      attributes: alike.attributes ?? null,
      maxTokens,
      overlapTokens,
    });
    const seqs = rows.map((row) => row.seq);
    await this.#ingest(at, store, { seqs, priority });
    return seqs;
  }

  async #attachAgain(at: Within, { store, priority }: Attaching, alike: Alike): Promise<StoreFileSeq[]> {
    const rows = alike.files.flatMap(({ there }) => there ?? []);
    if (alike.attributes !== undefined) await this.#setAttributesOf(at, store, { rows, attributes: alike.attributes });
    const starting = new Map<string, { strategy: Strategy; seqs: StoreFileSeq[] }>();
    for (const row of rows) {
      const strategy = alike.strategy ?? strategyOf(row);
      const sameChunks = strategy.maxTokens === row.max_tokens && strategy.overlapTokens === row.overlap_tokens;
      if (sameChunks && row.status !== "failed" && row.status !== "cancelled") continue;
      const name = `${strategy.maxTokens} ${strategy.overlapTokens}`;
      const of = starting.get(name) ?? { strategy, seqs: [] };
      of.seqs.push(row.seq);
      starting.set(name, of);
    }
    for (const { strategy, seqs } of starting.values()) await this.#reindex(at, store, { seqs, strategy, priority });
    return rows.map((row) => row.seq);
  }

  async #ingest(
    { tables }: Within,
    { tenant_id: tenantId, id: storeId }: StoreOfFiles,
    { seqs, priority }: { seqs: readonly StoreFileSeq[]; priority: 0 | 1 },
  ): Promise<void> {
    const job = { tenantId, kind: "ingest", storeId, priority, dueMs: this.#deps.clock.nowMs() } as const;
    await tables.jobs.insertEach(job, seqs.map(String));
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
    store: StoreOfFiles,
    { seqs, strategy, priority }: { seqs: readonly StoreFileSeq[]; strategy: Strategy; priority: 0 | 1 },
  ): Promise<void> {
    const { tables, tx } = at;
    await tables.jobs.dropEach(store.tenant_id, "ingest", seqs.map(String));
    await tables.storeFiles.reindexAll(store.tenant_id, seqs, strategy);
    tx.onCommit(() => {
      for (const seq of seqs) {
        this.#deps.cancelIngest(seq);
        this.#deps.index.removeFile(store.id, seq);
      }
    });
    await schedulePurges(tables, store, seqs);
    await this.#ingest(at, store, { seqs, priority });
    this.#changed(at, store.id);
  }

  async #setAttributesOf(
    { tables, tx }: Within,
    store: StoreOfFiles,
    { rows, attributes }: { rows: readonly AttachedFile[]; attributes: Attributes | null },
  ): Promise<void> {
    const seqs = rows.map((row) => row.seq);
    const changed = new Set(await tables.storeFiles.setAttributesOfAll(store.tenant_id, seqs, attributes));
    tx.onCommit(() => {
      for (const { seq, file_id: fileId, filename } of rows)
        if (changed.has(seq))
          this.#deps.index.setAttributes(store.id, seq, { fileId, filename, attributes: attributes ?? {} });
    });
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

/** Whose the files are. */
type StoreOfFiles = Pick<StoreRow, "tenant_id" | "id">;

/** Files that stand together and are to have the same. */
interface Alike extends Pick<FoundFile, "attributes" | "strategy"> {
  isNew: boolean;
  files: FoundFile[];
}

/** In pieces of what may be done in one turn. */
function runsOf(found: readonly FoundFile[]): Alike[] {
  const runs: Alike[] = [];
  for (const file of found) {
    const { attributes, strategy } = file;
    const isNew = file.there === null;
    const last = runs.at(-1);
    // Where a request names them once for all, they are the same object.
    if (
      last?.isNew === isNew &&
      last.files.length < SLICE &&
      last.attributes === attributes &&
      sameStrategy(last.strategy, strategy)
    )
      last.files.push(file);
    else runs.push({ isNew, attributes, strategy, files: [file] });
  }
  return runs;
}

function sameStrategy(a: Strategy | null, b: Strategy | null): boolean {
  return a?.maxTokens === b?.maxTokens && a?.overlapTokens === b?.overlapTokens;
}

export function strategyOf(row: Pick<StoreFileRow, "max_tokens" | "overlap_tokens">): Strategy {
  return { maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens };
}

/** Makes a vector store as part of the caller's transaction. */
export type MakeStore = (at: Within) => Promise<StoreRow>;

/** Vector stores for features that make them beside something else. */
export interface StoreMaker {
  /** Throws what can be told before; what it gives makes the store and attaches `file_ids`, or does neither. */
  plan(caller: Caller, body: CreateStoreBody, rules: DialectRules): Promise<MakeStore>;
}
