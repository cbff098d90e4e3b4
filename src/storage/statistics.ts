import { HOUR_SECONDS } from "../platform/clock.ts";
import type { StoreId, TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, table } from "./table.ts";

// Hours are Unix hours (seconds / 3600).
export const QUERY_HOUR = table("query_hour", {
  store_id: id<StoreId>(),
  hour: integer(),
  tenant_id: id<TenantId>(),
  queries: integer(),
  /** Searches that found nothing. */
  empty: integer(),
  /** Bucket of the latency -> searches in it. */
  latency: json<Record<string, number>>(),
});

export const INGEST_HOUR = table("ingest_hour", {
  store_id: id<StoreId>(),
  hour: integer(),
  tenant_id: id<TenantId>(),
  completed: integer(),
  failed: integer(),
  cancelled: integer(),
  /** Of completed files. */
  bytes: integer(),
  chunks: integer(),
});

const QUERIES = QUERY_HOUR.pick("hour", "queries", "empty", "latency");
const INGESTS = INGEST_HOUR.pick("hour", "completed", "failed", "cancelled", "bytes", "chunks");
export type QueryHourRow = RowOf<typeof QUERIES>;
export type IngestHourRow = RowOf<typeof INGESTS>;

export interface IngestOutcome {
  tenantId: TenantId;
  storeId: StoreId;
  /** Unix seconds. */
  at: number;
  status: "completed" | "failed" | "cancelled";
  bytes: number;
  chunks: number;
}

/** What happened in one hour of one store. */
export interface QueryHour {
  tenantId: TenantId;
  storeId: StoreId;
  hour: number;
  queries: number;
  empty: number;
  latency: Record<string, number>;
}

/**
 * Counts per store and hour, added up as things happen: statistics cost the same however much happened, and need no log.
 * Times of searches are kept as counts per bucket; what a bucket means is the caller's.
 */
export interface StatisticsTable {
  /** Inside a transaction of the caller. */
  addQueries(added: QueryHour): Promise<void>;
  queryHours(tenantId: TenantId, storeId: StoreId, fromHour: number): Promise<QueryHourRow[]>;
  addIngest(outcome: IngestOutcome): Promise<void>;
  ingestHours(tenantId: TenantId, storeId: StoreId, fromHour: number): Promise<IngestHourRow[]>;
  /** Forgets hours before this one. */
  trim(hour: number): Promise<void>;
  removeOfStore(tenantId: TenantId, storeId: StoreId): Promise<void>;
}

const ONE_QUERY_HOUR = /*sql*/ `SELECT ${QUERIES.list} FROM query_hour WHERE store_id = ?1 AND hour = ?2`;
const QUERY_HOURS = /*sql*/ `SELECT ${QUERIES.list} FROM query_hour WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`;
const PUT_QUERY_HOUR = /*sql*/ `ON CONFLICT (store_id, hour) DO UPDATE SET queries = excluded.queries, empty = excluded.empty,
  latency = excluded.latency`;
/** Several servers add at the same time: nothing is read before. */
const ADD_QUERIES = /*sql*/ `INSERT INTO query_hour (tenant_id, store_id, hour, queries, empty, latency) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
  ON CONFLICT (tenant_id, store_id, hour) DO UPDATE SET queries = query_hour.queries + excluded.queries,
    empty = query_hour.empty + excluded.empty, latency = (SELECT coalesce(json_object_agg(key, n), '{}')::text FROM
      (SELECT key, CAST(sum(CAST(value AS BIGINT)) AS BIGINT) AS n FROM
        (SELECT key, value FROM json_each_text(query_hour.latency::json) UNION ALL
         SELECT key, value FROM json_each_text(excluded.latency::json)) parts GROUP BY key) sums)`;
const INGEST_HOURS = /*sql*/ `SELECT ${INGESTS.list} FROM ingest_hour WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`;
const ADD_INGEST = /*sql*/ `ON CONFLICT (store_id, hour) DO UPDATE SET completed = ingest_hour.completed + excluded.completed,
  failed = ingest_hour.failed + excluded.failed, cancelled = ingest_hour.cancelled + excluded.cancelled,
  bytes = ingest_hour.bytes + excluded.bytes, chunks = ingest_hour.chunks + excluded.chunks`;
const HOURLY = [QUERY_HOUR.name, INGEST_HOUR.name];
const TRIMS = HOURLY.map((name) => /*sql*/ `DELETE FROM ${name} WHERE hour < ?1`);
const REMOVALS = HOURLY.map((name) => /*sql*/ `DELETE FROM ${name} WHERE tenant_id = ?1 AND store_id = ?2`);

export function statisticsTable(sql: Sql): StatisticsTable {
  return {
    async addQueries({ tenantId, storeId, hour, queries, empty, latency }) {
      if (sql.dialect === "postgres") {
        await sql.run(ADD_QUERIES, [tenantId, storeId, hour, queries, empty, JSON.stringify(latency)]);
        return;
      }
      const before = await QUERIES.get(sql, ONE_QUERY_HOUR, [storeId, hour]);
      const sum = before?.latency ?? {};
      for (const [bucket, count] of Object.entries(latency)) sum[bucket] = (sum[bucket] ?? 0) + count;
      const counts = { queries: (before?.queries ?? 0) + queries, empty: (before?.empty ?? 0) + empty, latency: sum };
      await QUERY_HOUR.insert(sql, { store_id: storeId, hour, tenant_id: tenantId, ...counts }, PUT_QUERY_HOUR);
    },
    queryHours: (tenantId, storeId, fromHour) => QUERIES.all(sql, QUERY_HOURS, [tenantId, storeId, fromHour]),
    async addIngest({ tenantId, storeId, at, status, bytes, chunks }) {
      const counts = { completed: 0, failed: 0, cancelled: 0, [status]: 1, bytes, chunks };
      const hour = Math.floor(at / HOUR_SECONDS);
      await INGEST_HOUR.insert(sql, { store_id: storeId, hour, tenant_id: tenantId, ...counts }, ADD_INGEST);
    },
    ingestHours: (tenantId, storeId, fromHour) => INGESTS.all(sql, INGEST_HOURS, [tenantId, storeId, fromHour]),
    async trim(hour) {
      for (const statement of TRIMS) await sql.run(statement, [hour]);
    },
    async removeOfStore(tenantId, storeId) {
      for (const statement of REMOVALS) await sql.run(statement, [tenantId, storeId]);
    },
  };
}
