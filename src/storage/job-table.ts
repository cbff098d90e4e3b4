import { jobLeases } from "./job-leases.ts";
import { JOB, type JobsTable } from "./jobs.ts";
import type { JobId, StoreFileSeq } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { texts } from "./dialect.ts";

const INTO = /*sql*/ `INSERT INTO job (tenant_id, kind, store_id, subject, priority, due_ms, payload, created_at)`;
const OR_BRING_FORWARD = /*sql*/ `ON CONFLICT (kind, subject) DO UPDATE SET attempt = 0,
    due_ms = CASE WHEN job.due_ms < excluded.due_ms THEN job.due_ms ELSE excluded.due_ms END,
    priority = CASE WHEN job.priority < excluded.priority THEN job.priority ELSE excluded.priority END, payload = excluded.payload`;
const INSERT = /*sql*/ `${INTO} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ${OR_BRING_FORWARD}`;
// Without a condition the conflict's ON would be taken for that of a join.
const INSERT_EACH = /*sql*/ `${INTO} SELECT ?1, ?2, ?3, value, CAST(?5 AS BIGINT), CAST(?6 AS BIGINT), ?7, CAST(?8 AS BIGINT) FROM json_each(?4) WHERE true ${OR_BRING_FORWARD}`;
const DROP = /*sql*/ `DELETE FROM job WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3`;
const DROP_EACH = /*sql*/ `DELETE FROM job WHERE tenant_id = ?1 AND kind = ?2 AND subject IN ${texts(3)}`;
const OF_STORE = /*sql*/ `SELECT id, lease_owner FROM job WHERE tenant_id = ?1 AND store_id = ?2
  AND kind IN ${texts(3)}`;
const REMOVE_BY_ID = /*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner IS NULL`;
// Files in progress that nothing works on: the job row was lost, which no code path should do. From the stores that have
// some (CROSS JOIN is the order for SQLite): asked every few seconds, it must not look through all files of all stores.
const STUCK = /*sql*/ `SELECT f.tenant_id, f.store_id, f.seq FROM vector_store s CROSS JOIN store_file f
  WHERE f.store_id = s.id AND f.status = 'in_progress' AND s.n_in_progress > 0 AND s.lifecycle <> 'deleting'
    AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = 'ingest' AND j.subject = CAST(f.seq AS TEXT))
  LIMIT ?1`;
const DEPTH = /*sql*/ `SELECT kind, CAST(sum(waiting) AS BIGINT) AS waiting, CAST(sum(running) AS BIGINT) AS running FROM job_count GROUP BY kind`;
const TELL = /*sql*/ `UPDATE job SET progress = ?3 WHERE kind = 'ingest' AND subject = ?1 AND lease_owner = ?2`;
const TOLD_ROW = JOB.pick("subject", "store_id", "lease_owner", "progress");
const TOLD = /*sql*/ `SELECT ${TOLD_ROW.list} FROM job
  WHERE lease_owner IS NOT NULL AND lease_owner <> ?1 AND kind = 'ingest' AND progress IS NOT NULL`;

export function jobsTable(sql: Sql): JobsTable {
  return {
    ...jobLeases(sql),
    async insert({ tenantId, kind, storeId, subject, priority, dueMs, payload = "{}" }) {
      const createdAt = Math.floor(dueMs / 1000);
      await sql.run(INSERT, [tenantId, kind, storeId, subject, priority, dueMs, payload, createdAt]);
    },
    async insertEach({ tenantId, kind, storeId, priority, dueMs, payload = "{}" }, subjects) {
      const createdAt = Math.floor(dueMs / 1000);
      const list = JSON.stringify(subjects);
      await sql.run(INSERT_EACH, [tenantId, kind, storeId, list, priority, dueMs, payload, createdAt]);
    },
    drop: async (tenantId, kind, subject) => void (await sql.run(DROP, [tenantId, kind, subject])),
    dropEach: async (tenantId, kind, subjects) =>
      void (await sql.run(DROP_EACH, [tenantId, kind, JSON.stringify(subjects)])),
    dropWaiting: (tenantId, storeId, kinds) =>
      sql.atomic(async (tx) => {
        const values = [tenantId, storeId, JSON.stringify(kinds)];
        const rows = await tx.all<{ id: JobId; lease_owner: string | null }>(OF_STORE, values);
        for (const row of rows) if (row.lease_owner === null) await tx.run(REMOVE_BY_ID, [row.id]);
        return rows.filter((row) => row.lease_owner !== null).length;
      }),
    filesWithoutJob: (limit) => sql.all(STUCK, [limit]),
    tellProgress: (owner, files) =>
      sql.atomic(async (tx) => {
        for (const { storeFile, progress } of files)
          await tx.run(TELL, [String(storeFile), owner, JSON.stringify(progress)]);
      }, "work"),
    async toldProgress(owner) {
      const rows = await TOLD_ROW.all(sql, TOLD, [owner]);
      return rows.flatMap(({ subject, store_id: storeId, lease_owner: teller, progress }) =>
        storeId === null || teller === null || progress === null
          ? []
          : [{ storeFile: Number(subject) as StoreFileSeq, storeId, owner: teller, progress }],
      );
    },
    depth: () => sql.all(DEPTH),
  };
}
