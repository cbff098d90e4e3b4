import { numbers, texts } from "./dialect.ts";
import { CLAIMED_JOB, type JobLeases } from "./jobs.ts";
import type { Sql } from "./sql.ts";

/**
 * Leases where several servers work on the same jobs. Times of leases are the database's clock's. A lease is void when it
 * has run out, or when whoever owns it was not seen for his term; any server may make such a job due again, and nobody
 * makes another's due before. What a tenant may have running, and which stores are held, is counted over all servers, in
 * the statement that claims.
 */
export type SharedLeases = Pick<JobLeases, "dueTenants" | "claim" | "renew" | "releaseLost">;

// From tenant to tenant by the index that leads to the next job: as many steps as there are tenants. Those that run are few.
const DUE_TENANTS = /*sql*/ `WITH RECURSIVE waiting (tenant_id) AS (
    (SELECT tenant_id FROM job WHERE kind = ?1 AND lease_owner IS NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL SELECT (SELECT j.tenant_id FROM job j WHERE j.kind = ?1 AND j.lease_owner IS NULL
      AND j.tenant_id > w.tenant_id ORDER BY j.tenant_id LIMIT 1) FROM waiting w WHERE w.tenant_id IS NOT NULL),
  active (tenant_id, running) AS (SELECT tenant_id, count(*) FROM job
    WHERE kind = ?1 AND lease_owner IS NOT NULL GROUP BY tenant_id)
  SELECT due.tenant_id, due.priority, coalesce(a.running, 0) AS running
  FROM (SELECT w.tenant_id, (SELECT j.priority FROM job j
      WHERE j.kind = ?1 AND j.tenant_id = w.tenant_id AND j.lease_owner IS NULL AND +j.due_ms <= ?2
      ORDER BY j.priority, j.id LIMIT 1) AS priority
    FROM waiting w WHERE w.tenant_id IS NOT NULL) due LEFT JOIN active a ON a.tenant_id = due.tenant_id
  WHERE due.priority IS NOT NULL ORDER BY due.priority, due.tenant_id`;

/** A migration holds back what enters its store (jobs/ingest-brake.ts). */
const IS_HELD = /*sql*/ `j.kind = 'ingest' AND EXISTS (SELECT 1 FROM migration m WHERE m.tenant_id = j.tenant_id
  AND m.store_id = j.store_id AND m.ingest_credit <= 0)`;
/** Of the models in ?9, which another server has and this one has not. */
const NEEDS_OTHERS = /*sql*/ `j.kind IN ('ingest', 'catch_up', 'migrate', 'evaluate') AND (
  EXISTS (SELECT 1 FROM generation g WHERE g.tenant_id = j.tenant_id AND g.store_id = j.store_id
    AND g.state IN ('live', 'building') AND g.model IN ${texts(9)})
  OR EXISTS (SELECT 1 FROM migration m WHERE j.kind = 'migrate' AND m.tenant_id = j.tenant_id AND m.id = j.subject
    AND json_extract(m.to_identity, '$.model') IN ${texts(9)}))`;
// What another transaction is about to lease is passed over.
const CLAIM = /*sql*/ `UPDATE job SET lease_owner = ?4, attempt = attempt + 1,
    lease_ms = lectern_now_ms() + CAST(?5 AS BIGINT) - CAST(?3 AS BIGINT)
  WHERE id = (SELECT j.id FROM job j WHERE j.kind = ?1 AND j.tenant_id = ?2 AND j.lease_owner IS NULL AND +j.due_ms <= ?3
      AND (j.store_id IS NULL OR j.store_id NOT IN ${texts(6)}) AND j.id NOT IN ${numbers(7)}
      AND (CAST(?8 AS BIGINT) IS NULL OR CAST(?8 AS BIGINT) > (SELECT count(*) FROM job r
        WHERE r.kind = ?1 AND r.tenant_id = ?2 AND r.lease_owner IS NOT NULL))
      AND NOT (${IS_HELD}) AND (CAST(?9 AS TEXT) = '[]' OR NOT (${NEEDS_OTHERS}))
    ORDER BY j.priority, j.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED)
  RETURNING ${CLAIMED_JOB.list}`;
const RENEW = /*sql*/ `UPDATE job SET lease_ms = lectern_now_ms() + CAST(?3 AS BIGINT) - CAST(?2 AS BIGINT)
  WHERE lease_owner = ?1 AND id IN ${numbers(4)}`;
// Tries of a job that were lost are spaced out as beside a file (job-leases.ts).
const RELEASE_LOST = /*sql*/ `UPDATE job SET lease_owner = NULL, lease_ms = NULL,
    due_ms = CASE WHEN attempt <= 5 THEN due_ms ELSE CAST(?2 AS BIGINT) + least(30, 1 << least(5, attempt - 6)::integer) * 1000 END
  WHERE lease_owner IS NOT NULL AND (lease_ms < lectern_now_ms() OR (lease_owner <> ?1 AND NOT EXISTS (
    SELECT 1 FROM replica r WHERE r.id = job.lease_owner AND r.seen_ms + r.term_ms >= lectern_now_ms())))`;

export function sharedLeases(sql: Sql): SharedLeases {
  return {
    dueTenants: (kind, nowMs) => sql.all(DUE_TENANTS, [kind, nowMs]),
    claim: (kind, tenantId, nowMs, owner, leaseMs, claim = {}) =>
      sql.atomic(async (tx) => {
        const { exceptStores = [], exceptJobs = [], limit = null, lacking = [], onClaimed } = claim;
        const lists = [JSON.stringify(exceptStores), JSON.stringify(exceptJobs), limit, JSON.stringify(lacking)];
        const job = await CLAIMED_JOB.get(tx, CLAIM, [kind, tenantId, nowMs, owner, leaseMs, ...lists]);
        if (job !== null && onClaimed !== undefined) tx.onCommit(() => onClaimed(job));
        return job;
      }, "work"),
    renew: async (owner, ids, nowMs, leaseMs) =>
      void (await sql.atomic((tx) => tx.run(RENEW, [owner, nowMs, leaseMs, JSON.stringify(ids)]), "work")),
    releaseLost: (owner, nowMs) => sql.run(RELEASE_LOST, [owner, nowMs]),
  };
}
