import type { Db } from "./db.ts";

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
export function jobsTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    null,
    [string, string, string | null, string, number, number, string, number]
  >(/*sql*/ `INSERT INTO job (tenant_id, kind, store_id, subject, priority, due_ms, payload, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (kind, subject) DO UPDATE SET due_ms = min(due_ms, excluded.due_ms), attempt = 0,
               priority = min(priority, excluded.priority), payload = excluded.payload`);
  // A plus before `due_ms` keeps the planner from the index on it, which leads through everything that waits: with it the
  // next job is the first entry of another index.
  const dueTenants = raw.query<
    { tenant_id: string; priority: number },
    [string, number]
  >(/*sql*/ `SELECT * FROM (SELECT c.tenant_id, (SELECT j.priority FROM job j
                 WHERE j.kind = ?1 AND j.tenant_id = c.tenant_id AND j.lease_owner IS NULL AND +j.due_ms <= ?2
                 ORDER BY j.priority, j.id LIMIT 1) AS priority
               FROM job_count c WHERE c.kind = ?1 AND c.waiting > 0)
             WHERE priority IS NOT NULL ORDER BY priority, tenant_id`);
  const claim = raw.query<
    JobRow,
    [string, string, number, string, number, string]
  >(/*sql*/ `UPDATE job SET lease_owner = ?4, lease_ms = ?5, attempt = attempt + 1
             WHERE id = (SELECT id FROM job WHERE kind = ?1 AND tenant_id = ?2 AND lease_owner IS NULL AND +due_ms <= ?3
                           AND (store_id IS NULL OR store_id NOT IN (SELECT value FROM json_each(?6)))
                         ORDER BY priority, id LIMIT 1)
             RETURNING ${COLUMNS}`);
  const finish = raw.query<null, [number, string]>(/*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner = ?2`);
  const release = raw.query<null, [number, string, number]>(
    /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, due_ms = ?3 WHERE id = ?1 AND lease_owner = ?2`,
  );
  const giveBack = raw.query<null, [number, string]>(
    /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, attempt = attempt - 1 WHERE id = ?1 AND lease_owner = ?2`,
  );
  const renew = raw.query<null, [string, number]>(/*sql*/ `UPDATE job SET lease_ms = ?2 WHERE lease_owner = ?1`);
  // From the sixth lost try on a job waits 1, 2, 4 … 30 s: should it be what brings the process down, the server lives
  // in between; should the process just be killed often, the job's tries are not used up in a minute.
  const releaseLost = raw.query<null, [string, number]>(/*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL,
               due_ms = CASE WHEN attempt <= 5 THEN due_ms ELSE ?2 + min(30000, 1000 << min(attempt - 6, 5)) END
             WHERE lease_owner IS NOT NULL AND (lease_owner <> ?1 OR lease_ms < ?2)`);
  const drop = raw.query<null, [string, string, string]>(
    /*sql*/ `DELETE FROM job WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3`,
  );
  const nextDue = raw.query<{ due_ms: number | null }, []>(
    /*sql*/ `SELECT min(due_ms) AS due_ms FROM job WHERE lease_owner IS NULL`,
  );
  const ofStore = raw.query<
    { id: number; lease_owner: string | null },
    [string, string, string]
  >(/*sql*/ `SELECT id, lease_owner FROM job WHERE tenant_id = ?1 AND store_id = ?2
             AND kind IN (SELECT value FROM json_each(?3))`);
  const removeById = raw.query<null, [number]>(/*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner IS NULL`);
  // Files in progress that nothing works on: the job row was lost, which no code path should do.
  const stuck = raw.query<
    { tenant_id: string; store_id: string; seq: number },
    [number]
  >(/*sql*/ `SELECT f.tenant_id, f.store_id, f.seq FROM vector_store s
             JOIN store_file f ON f.store_id = s.id AND f.status = 'in_progress'
             WHERE s.n_in_progress > 0 AND s.lifecycle <> 'deleting'
               AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = 'ingest' AND j.subject = CAST(f.seq AS TEXT))
             LIMIT ?1`);
  const depth = raw.query<{ kind: JobKind; waiting: number; running: number }, []>(
    /*sql*/ `SELECT kind, sum(waiting) AS waiting, sum(running) AS running FROM job_count GROUP BY kind`,
  );

  return {
    insert: (job: NewJob) => {
      insert.run(
        job.tenantId,
        job.kind,
        job.storeId,
        job.subject,
        job.priority,
        job.dueMs,
        job.payload ?? "{}",
        Math.floor(job.dueMs / 1000),
      );
    },
    /** Tenants with due work of this kind, those with urgent work first. */
    dueTenants: (kind: JobKind, nowMs: number) => dueTenants.all(kind, nowMs),
    /** Leases the tenant's next due job, of none of these stores, to `owner` until `leaseMs`; null when there is none. */
    claim: (
      kind: JobKind,
      tenantId: string,
      nowMs: number,
      owner: string,
      leaseMs: number,
      exceptStores: readonly string[] = [],
    ): JobRow | null =>
      db.relaxed(() => claim.get(kind, tenantId, nowMs, owner, leaseMs, JSON.stringify(exceptStores))),
    /** Done: the row goes. */
    finish: (id: number, owner: string) => {
      db.relaxed(() => finish.run(id, owner));
    },
    /** To be tried again at `dueMs`. */
    retry: (id: number, owner: string, dueMs: number) => {
      db.relaxed(() => release.run(id, owner, dueMs));
    },
    /** Interrupted through no fault of its own (a stop): due at once, the attempt is not counted. */
    giveBack: (id: number, owner: string) => {
      db.relaxed(() => giveBack.run(id, owner));
    },
    renew: (owner: string, leaseMs: number) => {
      db.relaxed(() => renew.run(owner, leaseMs));
    },
    /** Makes due again what a dead process, or a lease that ran out, still holds. */
    releaseLost: (owner: string, nowMs: number): number => releaseLost.run(owner, nowMs).changes,
    drop: (tenantId: string, kind: JobKind, subject: string) => {
      drop.run(tenantId, kind, subject);
    },
    /** Drops a store's waiting jobs of these kinds; returns how many are running. */
    dropWaiting(tenantId: string, storeId: string, kinds: readonly JobKind[]): number {
      const rows = ofStore.all(tenantId, storeId, JSON.stringify(kinds));
      for (const row of rows) if (row.lease_owner === null) removeById.run(row.id);
      return rows.filter((row) => row.lease_owner !== null).length;
    },
    /** Files in progress without a job (for the janitor). */
    filesWithoutJob: (limit: number) => stuck.all(limit),
    nextDueMs: (): number | null => nextDue.get()?.due_ms ?? null,
    depth: () => depth.all(),
  };
}
