import type { Sql } from "./sql.ts";
import type { StatusCounts, StoreFileStatus } from "./store-files.ts";

export interface BatchRow {
  seq: number;
  id: string;
  tenant_id: string;
  store_id: string;
  created_at: number;
  /** 1 once a cancel was asked for. */
  cancelled: number;
}

export type BatchesTable = ReturnType<typeof batchesTable>;

/** File batches: a name for files attached together. Their counts are counted, never stored. */
export function batchesTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO file_batch (id, tenant_id, store_id, created_at) VALUES (?1, ?2, ?3, ?4)`;
  const insertMember = /*sql*/ `INSERT OR IGNORE INTO file_batch_member (batch_id, store_file, tenant_id) VALUES (?1, ?2, ?3)`;
  const byId = /*sql*/ `SELECT seq, id, tenant_id, store_id, created_at, cancelled FROM file_batch
             WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
  const counts = /*sql*/ `SELECT f.status, count(*) AS n FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
             WHERE m.tenant_id = ?1 AND m.batch_id = ?2 GROUP BY f.status`;
  const inProgress = /*sql*/ `SELECT f.seq FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
             WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND f.status = 'in_progress'`;
  const setCancelled = /*sql*/ `UPDATE file_batch SET cancelled = 1 WHERE tenant_id = ?1 AND id = ?2`;

  return {
    insert: async (batch: { id: string; tenantId: string; storeId: string; createdAt: number }) => {
      await sql.run(insert, [batch.id, batch.tenantId, batch.storeId, batch.createdAt]);
    },
    addMember: async (tenantId: string, batchId: string, storeFile: number) => {
      await sql.run(insertMember, [batchId, storeFile, tenantId]);
    },
    get: (tenantId: string, storeId: string, id: string): Promise<BatchRow | null> =>
      sql.get<BatchRow>(byId, [tenantId, storeId, id]),
    async counts(tenantId: string, batchId: string): Promise<StatusCounts> {
      const result: StatusCounts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
      for (const { status, n } of await sql.all<{ status: StoreFileStatus; n: number }>(counts, [tenantId, batchId])) {
        result[status] = n;
        result.total += n;
      }
      return result;
    },
    /** `store_file.seq` of the members still in progress. */
    inProgress: async (tenantId: string, batchId: string): Promise<number[]> =>
      (await sql.all<{ seq: number }>(inProgress, [tenantId, batchId])).map((row) => row.seq),
    setCancelled: async (tenantId: string, id: string) => {
      await sql.run(setCancelled, [tenantId, id]);
    },
  };
}
