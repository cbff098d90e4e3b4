import type { Db } from "./db.ts";

export interface QueryHourRow {
  hour: number;
  queries: number;
  empty: number;
  /** JSON object: latency bucket -> searches. */
  latency: string;
}

export interface IngestHourRow {
  hour: number;
  completed: number;
  failed: number;
  cancelled: number;
  bytes: number;
  chunks: number;
}

export interface IngestOutcome {
  tenantId: string;
  storeId: string;
  /** Unix seconds. */
  at: number;
  status: "completed" | "failed" | "cancelled";
  bytes: number;
  chunks: number;
}

/** What happened in one hour of one store. */
export interface QueryHour {
  tenantId: string;
  storeId: string;
  hour: number;
  queries: number;
  empty: number;
  latency: Record<string, number>;
}

export type StatisticsTable = ReturnType<typeof statisticsTable>;

/**
 * Counts per store and hour, added up as things happen: statistics cost the same however much happened, and need no log.
 * Times of searches are kept as counts per bucket; what a bucket means is the caller's.
 */
export function statisticsTable(db: Db) {
  const { raw } = db;
  const queryHour = raw.query<QueryHourRow, [string, number]>(
    /*sql*/ `SELECT hour, queries, empty, latency FROM query_hour WHERE store_id = ?1 AND hour = ?2`,
  );
  const putQueryHour = raw.query<
    null,
    [string, number, string, number, number, string]
  >(/*sql*/ `INSERT INTO query_hour (store_id, hour, tenant_id, queries, empty, latency) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (store_id, hour) DO UPDATE SET queries = excluded.queries, empty = excluded.empty, latency = excluded.latency`);
  const queryHours = raw.query<QueryHourRow, [string, string, number]>(
    /*sql*/ `SELECT hour, queries, empty, latency FROM query_hour WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`,
  );
  const addIngest = raw.query<
    null,
    [string, number, string, number, number, number, number, number]
  >(/*sql*/ `INSERT INTO ingest_hour (store_id, hour, tenant_id, completed, failed, cancelled, bytes, chunks)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (store_id, hour) DO UPDATE SET completed = completed + excluded.completed,
               failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
               bytes = bytes + excluded.bytes, chunks = chunks + excluded.chunks`);
  const ingestHours = raw.query<
    IngestHourRow,
    [string, string, number]
  >(/*sql*/ `SELECT hour, completed, failed, cancelled, bytes, chunks FROM ingest_hour
             WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`);
  const trims = ["query_hour", "ingest_hour"].map((table) =>
    raw.query<null, [number]>(/*sql*/ `DELETE FROM ${table} WHERE hour < ?1`),
  );
  const removals = ["query_hour", "ingest_hour"].map((table) =>
    raw.query<null, [string, string]>(/*sql*/ `DELETE FROM ${table} WHERE tenant_id = ?1 AND store_id = ?2`),
  );

  return {
    /** Inside a transaction of the caller. */
    addQueries(added: QueryHour) {
      const before = queryHour.get(added.storeId, added.hour);
      const latency = before === null ? {} : (JSON.parse(before.latency) as Record<string, number>);
      for (const [bucket, count] of Object.entries(added.latency)) latency[bucket] = (latency[bucket] ?? 0) + count;
      const queries = (before?.queries ?? 0) + added.queries;
      const empty = (before?.empty ?? 0) + added.empty;
      putQueryHour.run(added.storeId, added.hour, added.tenantId, queries, empty, JSON.stringify(latency));
    },
    queryHours: (tenantId: string, storeId: string, fromHour: number): QueryHourRow[] =>
      queryHours.all(tenantId, storeId, fromHour),
    addIngest({ tenantId, storeId, at, status, bytes, chunks }: IngestOutcome) {
      const one = (which: IngestOutcome["status"]) => (status === which ? 1 : 0);
      const hour = Math.floor(at / 3600);
      addIngest.run(storeId, hour, tenantId, one("completed"), one("failed"), one("cancelled"), bytes, chunks);
    },
    ingestHours: (tenantId: string, storeId: string, fromHour: number): IngestHourRow[] =>
      ingestHours.all(tenantId, storeId, fromHour),
    /** Forgets hours before this one. */
    trim: (hour: number) => {
      for (const statement of trims) statement.run(hour);
    },
    removeOfStore: (tenantId: string, storeId: string) => {
      for (const statement of removals) statement.run(tenantId, storeId);
    },
  };
}
