import type { Sql } from "./sql.ts";

export type JobKind =
  | "ingest"
  | "purge_file"
  | "purge_store"
  | "build_index"
  | "migrate"
  | "catch_up"
  | "retire"
  | "finish_deletion"
  | "evaluate"
  | "reanalyze";

export interface JobRow {
  id: number;
  tenant_id: string;
  kind: JobKind;
  store_id: string | null;
  subject: string;
  priority: number;
  /** 1 while it is tried for the first time. */
  attempt: number;
  /** JSON */
  payload: string;
}

export interface NewJob {
  tenantId: string;
  kind: JobKind;
  storeId: string | null;
  /** One job of a kind per subject: a second insert brings the waiting one forward. */
  subject: string;
  priority: 0 | 1;
  dueMs: number;
  payload?: string | undefined;
}

const COLUMNS = "id, tenant_id, kind, store_id, subject, priority, attempt, payload";

export type JobsTable = ReturnType<typeof jobsTable>;

/** Durable work with leases. A job is done exactly when its row is gone. */
export function jobsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO job (tenant_id, kind, store_id, subject, priority, due_ms, payload, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (kind, subject) DO UPDATE SET due_ms = min(due_ms, excluded.due_ms), attempt = 0,
               priority = min(priority, excluded.priority), payload = excluded.payload`;
  // A plus before `due_ms` keeps the planner from the index on it, which leads through everything that waits: with it the
  // next job is the first entry of another index.
  const dueTenants = /*sql*/ `SELECT * FROM (SELECT c.tenant_id, (SELECT j.priority FROM job j
                 WHERE j.kind = ?1 AND j.tenant_id = c.tenant_id AND j.lease_owner IS NULL AND +j.due_ms <= ?2
                 ORDER BY j.priority, j.id LIMIT 1) AS priority
               FROM job_count c WHERE c.kind = ?1 AND c.waiting > 0)
             WHERE priority IS NOT NULL ORDER BY priority, tenant_id`;
  const claim = /*sql*/ `UPDATE job SET lease_owner = ?4, lease_ms = ?5, attempt = attempt + 1
             WHERE id = (SELECT id FROM job WHERE kind = ?1 AND tenant_id = ?2 AND lease_owner IS NULL AND +due_ms <= ?3
                           AND (store_id IS NULL OR store_id NOT IN (SELECT value FROM json_each(?6)))
                         ORDER BY priority, id LIMIT 1)
             RETURNING ${COLUMNS}`;
  const finish = /*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner = ?2 AND attempt > 0`;
  // An insert of the same subject sets `attempt` to 0; a claim makes it 1.
  const askedAgain = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL WHERE id = ?1 AND lease_owner = ?2`;
  const release = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, due_ms = ?3 WHERE id = ?1 AND lease_owner = ?2`;
  const giveBack = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, attempt = max(attempt - 1, 0) WHERE id = ?1 AND lease_owner = ?2`;
  const renew = /*sql*/ `UPDATE job SET lease_ms = ?2 WHERE lease_owner = ?1`;
  // From the sixth lost try on a job waits 1, 2, 4 … 30 s: should it be what brings the process down, the server lives
  // in between; should the process just be killed often, the job's tries are not used up in a minute.
  const releaseLost = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL,
               due_ms = CASE WHEN attempt <= 5 THEN due_ms ELSE ?2 + min(30000, 1000 << min(attempt - 6, 5)) END
             WHERE lease_owner IS NOT NULL AND (lease_owner <> ?1 OR lease_ms < ?2)`;
  const drop = /*sql*/ `DELETE FROM job WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3`;
  const nextDue = /*sql*/ `SELECT min(due_ms) AS due_ms FROM job WHERE lease_owner IS NULL`;
  const ofStore = /*sql*/ `SELECT id, lease_owner FROM job WHERE tenant_id = ?1 AND store_id = ?2
             AND kind IN (SELECT value FROM json_each(?3))`;
  const removeById = /*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner IS NULL`;
  // Files in progress that nothing works on: the job row was lost, which no code path should do.
  const stuck = /*sql*/ `SELECT f.tenant_id, f.store_id, f.seq FROM vector_store s
             JOIN store_file f ON f.store_id = s.id AND f.status = 'in_progress'
             WHERE s.n_in_progress > 0 AND s.lifecycle <> 'deleting'
               AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = 'ingest' AND j.subject = CAST(f.seq AS TEXT))
             LIMIT ?1`;
  const depth = /*sql*/ `SELECT kind, sum(waiting) AS waiting, sum(running) AS running FROM job_count GROUP BY kind`;

  return {
    insert: async (job: NewJob) => {
      await sql.run(insert, [
        job.tenantId,
        job.kind,
        job.storeId,
        job.subject,
        job.priority,
        job.dueMs,
        job.payload ?? "{}",
        Math.floor(job.dueMs / 1000),
      ]);
    },
    /** Tenants with due work of this kind, those with urgent work first. */
    dueTenants: (kind: JobKind, nowMs: number) =>
      sql.all<{ tenant_id: string; priority: number }>(dueTenants, [kind, nowMs]),
    /**
     * Leases the tenant's next due job, of none of these stores, to `owner` until `leaseMs`; null when there is none.
     * `onClaimed` runs in the turn of the commit: whoever cancels it from then on finds it running.
     */
    claim: (
      kind: JobKind,
      tenantId: string,
      nowMs: number,
      owner: string,
      leaseMs: number,
      exceptStores: readonly string[] = [],
      onClaimed?: (job: JobRow) => void,
    ): Promise<JobRow | null> =>
      sql.atomic(async (tx) => {
        const job = await tx.get<JobRow>(claim, [kind, tenantId, nowMs, owner, leaseMs, JSON.stringify(exceptStores)]);
        if (job !== null && onClaimed !== undefined) tx.onCommit(() => onClaimed(job));
        return job;
      }, "work"),
    /** Done: the row goes, unless the work was asked for again meanwhile (`insert`); then it is due at once. */
    finish: async (id: number, owner: string): Promise<void> => {
      await sql.atomic(async (tx) => {
        if ((await tx.run(finish, [id, owner])) === 0) await tx.run(askedAgain, [id, owner]);
      }, "work");
    },
    /** To be tried again at `dueMs`. */
    retry: async (id: number, owner: string, dueMs: number) => {
      await sql.atomic((tx) => tx.run(release, [id, owner, dueMs]), "work");
    },
    /** Interrupted through no fault of its own (a stop): due at once, the attempt is not counted. */
    giveBack: async (id: number, owner: string) => {
      await sql.atomic((tx) => tx.run(giveBack, [id, owner]), "work");
    },
    renew: async (owner: string, leaseMs: number) => {
      await sql.atomic((tx) => tx.run(renew, [owner, leaseMs]), "work");
    },
    /** Makes due again what a dead process, or a lease that ran out, still holds. */
    releaseLost: (owner: string, nowMs: number): Promise<number> => sql.run(releaseLost, [owner, nowMs]),
    drop: async (tenantId: string, kind: JobKind, subject: string) => {
      await sql.run(drop, [tenantId, kind, subject]);
    },
    /** Drops a store's waiting jobs of these kinds; returns how many are running. */
    dropWaiting(tenantId: string, storeId: string, kinds: readonly JobKind[]): Promise<number> {
      const values = [tenantId, storeId, JSON.stringify(kinds)];
      return sql.atomic(async (tx) => {
        const rows = await tx.all<{ id: number; lease_owner: string | null }>(ofStore, values);
        for (const row of rows) if (row.lease_owner === null) await tx.run(removeById, [row.id]);
        return rows.filter((row) => row.lease_owner !== null).length;
      });
    },
    /** Files in progress without a job (for the janitor). */
    filesWithoutJob: (limit: number) => sql.all<{ tenant_id: string; store_id: string; seq: number }>(stuck, [limit]),
    nextDueMs: async (): Promise<number | null> => (await sql.get<{ due_ms: number | null }>(nextDue))?.due_ms ?? null,
    depth: () => sql.all<{ kind: JobKind; waiting: number; running: number }>(depth),
  };
}
