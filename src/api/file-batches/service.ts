import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { BatchRow } from "../../storage/batches.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StatusCounts, StoreFileStatus } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { Attacher, FileToAttach } from "../vector-store-files/attach.ts";
import { readAttributes, readStrategy } from "../vector-store-files/input.ts";
import type { FileStatus } from "../vector-store-files/schema.ts";
import type { StoreFilePage, StoreFilesService } from "../vector-store-files/service.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { CreateBatchBody, FileBatch } from "./schema.ts";

export interface BatchesDeps extends Pick<Storage, "transaction" | "batches" | "storeFiles"> {
  clock: Clock;
  access: StoreAccess;
  attacher: Attacher;
  files: Pick<StoreFilesService, "page">;
  /** Files of one batch at most; a dialect may allow fewer. */
  maxBatchFiles: number;
}

/** A batch, and whether files of it still run although a cancel was asked for. */
export interface ShownBatch {
  batch: FileBatch;
  cancelling: boolean;
}

export type BatchesService = ReturnType<typeof batchesService>;

export function batchesService(deps: BatchesDeps) {
  const { storeFiles, access, attacher, clock } = deps;

  async function show(row: BatchRow, from: Pick<Tables, "batches"> = deps): Promise<ShownBatch> {
    const counts = await from.batches.counts(row.tenant_id, row.id);
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

  async function find(store: StoreRow, batchId: string, from: Pick<Tables, "batches"> = deps): Promise<BatchRow> {
    const row = await from.batches.get(store.tenant_id, store.id, batchId);
    if (row !== null) return row;
    if (batchId.startsWith("vs_")) {
      throw new AppError(
        "invalid_value",
        `Invalid 'batch_id': '${batchId}'. Expected an ID that begins with 'vsfb_'.`,
        {
          param: "batch_id",
        },
      );
    }
    throw new AppError("file_batch_not_found", `No file batch found with id '${batchId}'`);
  }

  return {
    show,

    /** Attaches all files or none. Files that are attached already belong to the new batch as well. */
    async create(caller: Caller, storeId: string, body: CreateBatchBody, rules: DialectRules): Promise<ShownBatch> {
      const store = await access.usable(caller, storeId, rules);
      const wanted = filesOf(body, Math.min(deps.maxBatchFiles, rules.maxBatchFiles), rules.tooManyFiles);
      const id = newId("vsfb_");
      const most = await attacher.limitOf(store);
      return await deps.transaction(async (tables, tx) => {
        await tables.batches.insert({ id, tenantId: caller.tenantId, storeId, createdAt: clock.nowSeconds() });
        const attaching = { caller, store, wanted, priority: wanted.length === 1 ? 0 : 1, most } as const;
        const rows = await attacher.attachWithin({ tables, tx }, attaching);
        for (const row of rows) await tables.batches.addMember(caller.tenantId, id, row.seq);
        return await show(await find(store, id, tables), tables);
      });
    },

    get: async (caller: Caller, storeId: string, batchId: string, rules: DialectRules): Promise<ShownBatch> =>
      show(await find(await access.open(caller, storeId, rules), batchId)),

    /** Files still in progress become `cancelled`; those that ended stay as they are. */
    async cancel(caller: Caller, storeId: string, batchId: string, rules: DialectRules): Promise<ShownBatch> {
      const row = await find(await access.open(caller, storeId, rules), batchId);
      return await deps.transaction(async (tables, tx) => {
        const running = await tables.batches.inProgress(row.tenant_id, row.id);
        if (running.length > 0) await tables.batches.setCancelled(row.tenant_id, row.id);
        for (const seq of running) {
          const file = await tables.storeFiles.bySeq(row.tenant_id, seq);
          if (file !== null) await attacher.cancelWithin({ tables, tx }, file);
        }
        return await show({ ...row, cancelled: running.length > 0 || row.cancelled }, tables);
      });
    },

    async listFiles(
      caller: Caller,
      storeId: string,
      batchId: string,
      cursor: Cursor,
      filter: StoreFileStatus | null,
      rules: DialectRules,
    ): Promise<StoreFilePage> {
      const store = await access.open(caller, storeId, rules);
      const batch = await find(store, batchId);
      return await deps.files.page(store, cursor, (query) =>
        storeFiles.listOfBatch(store.tenant_id, batch.id, query, filter),
      );
    },
  };
}

/** While anything runs: in progress. Then what the files came to. */
export function batchStatus(counts: StatusCounts, cancelAsked: boolean): FileStatus {
  if (counts.in_progress > 0) return "in_progress";
  if (cancelAsked || (counts.total > 0 && counts.cancelled === counts.total)) return "cancelled";
  return counts.total > 0 && counts.failed === counts.total ? "failed" : "completed";
}

function filesOf(body: CreateBatchBody, most: number, tooMany: DialectRules["tooManyFiles"]): FileToAttach[] {
  const { file_ids: ids, files } = body;
  if (ids !== undefined && files !== undefined) {
    throw new AppError("invalid_value", "Invalid 'files': 'file_ids' and 'files' are mutually exclusive.", {
      param: "files",
    });
  }
  const given = ids ?? files;
  const param = files === undefined ? "file_ids" : "files";
  if (given === undefined) {
    throw new AppError("missing_required_parameter", "Missing required parameter: 'file_ids'.", { param: "file_ids" });
  }
  if (given.length > most) {
    throw new AppError(
      tooMany,
      `Invalid '${param}': array too long. Expected an array with maximum length ${most}, but got an array with length ${given.length} instead.`,
      { param },
    );
  }
  if (files !== undefined) {
    return files.map((file, i) => ({
      fileId: file.file_id,
      attributes: readAttributes(file, `files[${i}].`),
      strategy: readStrategy(file.chunking_strategy, `files[${i}].chunking_strategy`),
      param: `files[${i}].file_id`,
    }));
  }
  const attributes = readAttributes(body);
  const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
  return (ids ?? []).map((fileId) => ({ fileId, attributes, strategy, param: "file_ids" }));
}
