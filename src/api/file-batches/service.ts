import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { nextTurn } from "../../platform/next-turn.ts";
import { newId } from "../../platform/ids.ts";
import type { BatchRow } from "../../storage/batches.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StatusCounts, StoreFileStatus } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursor } from "../../http/openai.ts";
import type { Attacher } from "../attaching/attach.ts";
import type { FileStatus } from "../attaching/schema.ts";
import type { StoreFilePage, StoreFilePages } from "../attaching/pages.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import type { ShownBatch } from "../presenters/presenter.ts";
import { requestedFiles } from "./requested-files.ts";
import type { CreateBatchBody } from "./schema.ts";

export interface BatchesDeps extends Pick<Storage, "transaction" | "batches" | "storeFiles"> {
  clock: Clock;
  access: StoreAccess;
  attacher: Attacher;
  files: StoreFilePages;
  /** Files of one batch at most; a dialect may allow fewer. */
  maxBatchFiles: number;
}

/** Which files of which batch a page is of. */
export interface BatchList {
  batchId: string;
  /** Null: whatever their state. */
  filter: StoreFileStatus | null;
}

/** Files that are attached together. */
export interface BatchesService {
  /** Attaches all files or none. Files that are attached already belong to the new batch as well. */
  create(asking: Asking, body: CreateBatchBody): Promise<ShownBatch>;
  get(asking: Asking, batchId: string): Promise<ShownBatch>;
  /** Files still in progress become `cancelled`; those that ended stay as they are. */
  cancel(asking: Asking, batchId: string): Promise<ShownBatch>;
  listFiles(asking: Asking, list: BatchList, cursor: Cursor): Promise<StoreFilePage>;
}

export function batchesService(deps: BatchesDeps): BatchesService {
  return new Batches(deps);
}

class Batches implements BatchesService {
  readonly #deps: BatchesDeps;

  constructor(deps: BatchesDeps) {
    this.#deps = deps;
  }

  async create(asking: Asking, body: CreateBatchBody): Promise<ShownBatch> {
    const { access, attacher, clock, maxBatchFiles, transaction } = this.#deps;
    const { caller, storeId, rules } = asking;
    const store = await access.usable(asking);
    const wanted = requestedFiles(body, Math.min(maxBatchFiles, rules.maxBatchFiles), rules.tooManyFiles);
    const id = newId("vsfb_");
    const most = await attacher.limitOf(store);
    // Reading a request for thousands takes long enough by itself.
    if (wanted.length > 1) await nextTurn();
    return await transaction(async (tables, tx) => {
      await tables.batches.insert({ id, tenantId: caller.tenantId, storeId, createdAt: clock.nowSeconds() });
      const attaching = { caller, store, wanted, priority: wanted.length === 1 ? 0 : 1, most } as const;
      await tables.batches.addMembers(caller.tenantId, id, await attacher.attachWithin({ tables, tx }, attaching));
      return await show(await find(store, id, tables), tables);
    });
  }

  async get(asking: Asking, batchId: string): Promise<ShownBatch> {
    return await show(await find(await this.#deps.access.open(asking), batchId, this.#deps), this.#deps);
  }

  async cancel(asking: Asking, batchId: string): Promise<ShownBatch> {
    const { access, attacher, transaction } = this.#deps;
    const row = await find(await access.open(asking), batchId, this.#deps);
    return await transaction(async (tables, tx) => {
      const running = await tables.batches.inProgress(row.tenant_id, row.id);
      if (running.length > 0) await tables.batches.setCancelled(row.tenant_id, row.id);
      for (const seq of running) {
        const file = await tables.storeFiles.bySeq(row.tenant_id, seq);
        if (file !== null) await attacher.cancelWithin({ tables, tx }, file);
      }
      return await show({ ...row, cancelled: running.length > 0 || row.cancelled }, tables);
    });
  }

  async listFiles(asking: Asking, { batchId, filter }: BatchList, cursor: Cursor): Promise<StoreFilePage> {
    const { access, files, storeFiles } = this.#deps;
    const store = await access.open(asking);
    const batch = await find(store, batchId, this.#deps);
    return await files.page(store, cursor, (query) => storeFiles.listOfBatch(store.tenant_id, batch.id, query, filter));
  }
}

async function show(row: BatchRow, { batches }: Pick<Tables, "batches">): Promise<ShownBatch> {
  const counts = await batches.counts(row.tenant_id, row.id);
  return {
    batch: {
      id: row.id,
      object: "vector_store.files_batch",
      created_at: row.created_at,
      vector_store_id: row.store_id,
      status: batchStatus(counts, row.cancelled),
      file_counts: counts,
    },
    cancelling: row.cancelled && counts.in_progress > 0,
  };
}

async function find(store: StoreRow, batchId: string, { batches }: Pick<Tables, "batches">): Promise<BatchRow> {
  const row = await batches.get(store.tenant_id, store.id, batchId);
  if (row !== null) return row;
  if (batchId.startsWith("vs_")) {
    throw new AppError("invalid_value", `Invalid 'batch_id': '${batchId}'. Expected an ID that begins with 'vsfb_'.`, {
      param: "batch_id",
    });
  }
  throw new AppError("file_batch_not_found", `No file batch found with id '${batchId}'`);
}

/** While anything runs: in progress. Then what the files came to. */
export function batchStatus(counts: StatusCounts, cancelAsked: boolean): FileStatus {
  if (counts.in_progress > 0) return "in_progress";
  if (cancelAsked || (counts.total > 0 && counts.cancelled === counts.total)) return "cancelled";
  return counts.total > 0 && counts.failed === counts.total ? "failed" : "completed";
}
