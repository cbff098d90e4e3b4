import type { BatchId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import type { StatusCounts, StoreFileStatus } from "./store-files.ts";
import { boolean, id, integer, type RowOf, table } from "./table.ts";

export const FILE_BATCH = table("file_batch", {
  seq: integer(),
  id: id<BatchId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  created_at: integer(),
  /** A cancel was asked for. */
  cancelled: boolean(),
});

export const FILE_BATCH_MEMBER = table("file_batch_member", {
  batch_id: id<BatchId>(),
  store_file: integer<StoreFileSeq>(),
  tenant_id: id<TenantId>(),
});

export type BatchRow = RowOf<typeof FILE_BATCH>;

/** File batches: a name for files attached together. Their counts are counted, never stored. */
export interface BatchesTable {
  insert(batch: { id: BatchId; tenantId: TenantId; storeId: StoreId; createdAt: number }): Promise<void>;
  addMembers(tenantId: TenantId, batchId: BatchId, storeFiles: readonly StoreFileSeq[]): Promise<void>;
  get(tenantId: TenantId, storeId: StoreId, id: BatchId): Promise<BatchRow | null>;
  counts(tenantId: TenantId, batchId: BatchId): Promise<StatusCounts>;
  /** Members still in progress. */
  inProgress(tenantId: TenantId, batchId: BatchId): Promise<StoreFileSeq[]>;
  setCancelled(tenantId: TenantId, id: BatchId): Promise<void>;
}

const INSERT_MEMBERS = /*sql*/ `INSERT INTO file_batch_member (batch_id, store_file, tenant_id)
  SELECT ?1, CAST(value AS BIGINT), ?3 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING`;
const BY_ID = /*sql*/ `SELECT ${FILE_BATCH.list} FROM file_batch WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
const COUNTS = /*sql*/ `SELECT f.status, count(*) AS n FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
  WHERE m.tenant_id = ?1 AND m.batch_id = ?2 GROUP BY f.status`;
const IN_PROGRESS = /*sql*/ `SELECT f.seq FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
  WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND f.status = 'in_progress'`;

export function batchesTable(sql: Sql): BatchesTable {
  return {
    async insert({ id, tenantId, storeId, createdAt }) {
      await FILE_BATCH.insert(sql, { id, tenant_id: tenantId, store_id: storeId, created_at: createdAt });
    },
    addMembers: async (tenantId, batchId, storeFiles) =>
      void (await sql.run(INSERT_MEMBERS, [batchId, JSON.stringify(storeFiles), tenantId])),
    get: (tenantId, storeId, id) => FILE_BATCH.get(sql, BY_ID, [tenantId, storeId, id]),
    async counts(tenantId, batchId) {
      const result: StatusCounts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
      for (const { status, n } of await sql.all<{ status: StoreFileStatus; n: number }>(COUNTS, [tenantId, batchId])) {
        result[status] = n;
        result.total += n;
      }
      return result;
    },
    inProgress: async (tenantId, batchId) =>
      (await sql.all<{ seq: StoreFileSeq }>(IN_PROGRESS, [tenantId, batchId])).map((row) => row.seq),
    setCancelled: async (tenantId, id) =>
      void (await FILE_BATCH.update(sql, { tenant_id: tenantId, id }, { cancelled: true })),
  };
}
