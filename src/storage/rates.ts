import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";

/**
 * Requests a minute that several servers answer together. A row says when an owner may make a whole minute's requests
 * again, which is all there is to a bucket that fills evenly: to take some puts that moment off by their share of the
 * minute, and there is none left when it is a minute away (the generic cell rate algorithm, ITU-T I.371). By the
 * database's clock.
 */
export interface RatesTable {
  /** Takes `wanted` of `perMinute`, or one where that is too many; `granted` 0: `retryMs` until there is one. */
  take(tenantId: TenantId, owner: string, asked: { perMinute: number; wanted: number }): Promise<Lot>;
  /** Removes up to `limit` rows that say nothing; returns how many. */
  trim(limit: number): Promise<number>;
}

export interface Lot {
  readonly granted: number;
  readonly retryMs: number;
}

const MINUTE_MS = 60_000;
/** ?3: ms of the minute that are taken. */
const TAKE = /*sql*/ `INSERT INTO rate (tenant_id, owner, full_ms) VALUES (?1, ?2, lectern_now_ms() + CAST(?3 AS BIGINT))
  ON CONFLICT ON CONSTRAINT rate_pkey DO UPDATE
    SET full_ms = greatest(rate.full_ms, lectern_now_ms()) + CAST(?3 AS BIGINT)
    WHERE greatest(rate.full_ms, lectern_now_ms()) + CAST(?3 AS BIGINT) <= lectern_now_ms() + ${MINUTE_MS}`;
const LEFT = /*sql*/ `SELECT full_ms + CAST(?3 AS BIGINT) - lectern_now_ms() - ${MINUTE_MS} AS ms FROM rate
  WHERE tenant_id = ?1 AND owner = ?2`;
const TRIM = /*sql*/ `DELETE FROM rate WHERE (tenant_id, owner) IN (
  SELECT tenant_id, owner FROM rate WHERE full_ms < lectern_now_ms() LIMIT ?1)`;

/** Over PostgreSQL. Each statement is a transaction of its own, and holds one row. */
export function ratesTable(sql: Sql): RatesTable {
  return {
    async take(tenantId, owner, { perMinute, wanted }) {
      for (const count of wanted > 1 ? [wanted, 1] : [1]) {
        // Rounded up: a limit is not passed for a fraction of a millisecond.
        const share = Math.ceil((count * MINUTE_MS) / perMinute);
        if ((await sql.run(TAKE, [tenantId, owner, share])) > 0) return { granted: count, retryMs: 0 };
      }
      const share = Math.ceil(MINUTE_MS / perMinute);
      const ms = (await sql.get<{ ms: number }>(LEFT, [tenantId, owner, share]))?.ms ?? 0;
      return { granted: 0, retryMs: Math.max(1, ms) };
    },
    trim: (limit) => sql.run(TRIM, [limit]),
  };
}
