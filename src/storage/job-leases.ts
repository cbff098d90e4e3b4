import { CLAIMED_JOB, type JobKind, type JobLeases } from "./jobs.ts";
import { sharedLeases } from "./shared-leases.ts";
import type { Sql } from "./sql.ts";
import { numbers, texts } from "./dialect.ts";

// A plus before `due_ms` keeps the planner from the index on it, which leads through everything that waits: with it the
// next job is the first entry of another index.
const DUE_TENANTS = /*sql*/ `SELECT * FROM (SELECT c.tenant_id, (SELECT j.priority FROM job j
      WHERE j.kind = ?1 AND j.tenant_id = c.tenant_id AND j.lease_owner IS NULL AND +j.due_ms <= ?2
      ORDER BY j.priority, j.id LIMIT 1) AS priority, c.running
    FROM job_count c WHERE c.kind = ?1 AND c.waiting > 0)
  WHERE priority IS NOT NULL ORDER BY priority, tenant_id`;
const WAITING_KINDS = /*sql*/ `SELECT k.value AS kind FROM json_each(?1) k
  WHERE EXISTS (SELECT 1 FROM job j WHERE j.kind = k.value AND j.lease_owner IS NULL)`;
const CLAIM = /*sql*/ `UPDATE job SET lease_owner = ?4, lease_ms = ?5, attempt = attempt + 1
  WHERE id = (SELECT id FROM job WHERE kind = ?1 AND tenant_id = ?2 AND lease_owner IS NULL AND +due_ms <= ?3
                AND (store_id IS NULL OR store_id NOT IN ${texts(6)})
              ORDER BY priority, id LIMIT 1)
  RETURNING ${CLAIMED_JOB.list}`;
const FINISH = /*sql*/ `DELETE FROM job WHERE id = ?1 AND lease_owner = ?2 AND attempt > 0`;
// An insert of the same subject sets `attempt` to 0; a claim makes it 1.
const ASKED_AGAIN = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL WHERE id = ?1 AND lease_owner = ?2`;
const RELEASE = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, due_ms = ?3 WHERE id = ?1 AND lease_owner = ?2`;
const GIVE_BACK = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL, attempt = CASE WHEN attempt > 1 THEN attempt - 1 ELSE 0 END WHERE id = ?1 AND lease_owner = ?2`;
const RENEW = /*sql*/ `UPDATE job SET lease_ms = ?3 WHERE lease_owner = ?1 AND id IN ${numbers(2)}`;
// From the sixth lost try on a job waits 1, 2, 4 … 30 s: should it be what brings the process down, the server lives
// in between; should the process just be killed often, the job's tries are not used up in a minute.
const RELEASE_LOST = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL,
    due_ms = CASE WHEN attempt <= 5 THEN due_ms ELSE CAST(?2 AS BIGINT)
      + CASE attempt WHEN 6 THEN 1000 WHEN 7 THEN 2000 WHEN 8 THEN 4000 WHEN 9 THEN 8000 WHEN 10 THEN 16000 ELSE 30000 END END
  WHERE lease_owner IS NOT NULL AND (lease_owner <> ?1 OR lease_ms < ?2)`;
const REVOKE = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL
  WHERE kind = ?1 AND subject = ?2 AND lease_owner IS NOT NULL AND lease_owner <> ?3`;
const REVOKE_STORE = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL
  WHERE store_id = ?1 AND lease_owner IS NOT NULL AND lease_owner <> ?2`;
// In the order of the index, so that the look ends with the first that is of these kinds.
const NEXT_DUE = /*sql*/ `SELECT due_ms FROM job INDEXED BY job_by_due WHERE lease_owner IS NULL AND kind IN ${texts(1)}
  ORDER BY due_ms LIMIT 1`;

export function jobLeases(sql: Sql): JobLeases {
  return {
    waitingKinds: async (kinds) => {
      const rows = await sql.all<{ kind: JobKind }>(WAITING_KINDS, [JSON.stringify(kinds)]);
      return rows.map(({ kind }) => kind);
    },
    dueTenants: (kind, nowMs) => sql.all(DUE_TENANTS, [kind, nowMs]),
    claim: (kind, tenantId, nowMs, owner, leaseMs, { exceptStores = [], onClaimed } = {}) =>
      sql.atomic(async (tx) => {
        const values = [kind, tenantId, nowMs, owner, leaseMs, JSON.stringify(exceptStores)];
        const job = await CLAIMED_JOB.get(tx, CLAIM, values);
        if (job !== null && onClaimed !== undefined) tx.onCommit(() => onClaimed(job));
        return job;
      }, "work"),
    finish: (id, owner) =>
      sql.atomic(async (tx) => {
        if ((await tx.run(FINISH, [id, owner])) === 0) await tx.run(ASKED_AGAIN, [id, owner]);
      }, "work"),
    retry: async (id, owner, dueMs) => void (await sql.atomic((tx) => tx.run(RELEASE, [id, owner, dueMs]), "work")),
    giveBack: async (id, owner) => void (await sql.atomic((tx) => tx.run(GIVE_BACK, [id, owner]), "work")),
    renew: async (owner, ids, _nowMs, leaseMs) =>
      void (await sql.atomic((tx) => tx.run(RENEW, [owner, JSON.stringify(ids), leaseMs]), "work")),
    releaseLost: (owner, nowMs) => sql.run(RELEASE_LOST, [owner, nowMs]),
    revoke: async (kind, subject, owner) => void (await sql.run(REVOKE, [kind, subject, owner])),
    revokeStore: async (storeId, owner) => void (await sql.run(REVOKE_STORE, [storeId, owner])),
    ...(sql.dialect === "postgres" ? sharedLeases(sql) : {}),
    nextDueMs: async (kinds) => (await sql.get<{ due_ms: number }>(NEXT_DUE, [JSON.stringify(kinds)]))?.due_ms ?? null,
  };
}
