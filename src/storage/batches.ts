import type { Db } from "./db.ts";
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
export function batchesTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<null, [string, string, string, number]>(
    /*sql*/ `INSERT INTO file_batch (id, tenant_id, store_id, created_at) VALUES (?1, ?2, ?3, ?4)`,
  );
  const insertMember = raw.query<null, [string, number, string]>(
    /*sql*/ `INSERT OR IGNORE INTO file_batch_member (batch_id, store_file, tenant_id) VALUES (?1, ?2, ?3)`,
  );
  const byId = raw.query<
    BatchRow,
    [string, string, string]
  >(/*sql*/ `SELECT seq, id, tenant_id, store_id, created_at, cancelled FROM file_batch
             WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`);
  const counts = raw.query<
    { status: StoreFileStatus; n: number },
    [string, string]
  >(/*sql*/ `SELECT f.status, count(*) AS n FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
             WHERE m.tenant_id = ?1 AND m.batch_id = ?2 GROUP BY f.status`);
  const inProgress = raw.query<
    { seq: number },
    [string, string]
  >(/*sql*/ `SELECT f.seq FROM file_batch_member m JOIN store_file f ON f.seq = m.store_file
             WHERE m.tenant_id = ?1 AND m.batch_id = ?2 AND f.status = 'in_progress'`);
  const setCancelled = raw.query<null, [string, string]>(
    /*sql*/ `UPDATE file_batch SET cancelled = 1 WHERE tenant_id = ?1 AND id = ?2`,
  );

  return {
    insert: (batch: { id: string; tenantId: string; storeId: string; createdAt: number }) => {
      insert.run(batch.id, batch.tenantId, batch.storeId, batch.createdAt);
    },
    addMember: (tenantId: string, batchId: string, storeFile: number) => {
      insertMember.run(batchId, storeFile, tenantId);
    },
    get: (tenantId: string, storeId: string, id: string): BatchRow | null => byId.get(tenantId, storeId, id),
    counts(tenantId: string, batchId: string): StatusCounts {
      const result: StatusCounts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
      for (const { status, n } of counts.all(tenantId, batchId)) {
        result[status] = n;
        result.total += n;
      }
      return result;
    },
    /** `store_file.seq` of the members still in progress. */
    inProgress: (tenantId: string, batchId: string): number[] =>
      inProgress.all(tenantId, batchId).map((row) => row.seq),
    setCancelled: (tenantId: string, id: string) => {
      setCancelled.run(tenantId, id);
    },
  };
}
