import type { Sql } from "./sql.ts";

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
export function statisticsTable(sql: Sql) {
  const queryHour = /*sql*/ `SELECT hour, queries, empty, latency FROM query_hour WHERE store_id = ?1 AND hour = ?2`;
  const putQueryHour = /*sql*/ `INSERT INTO query_hour (store_id, hour, tenant_id, queries, empty, latency) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (store_id, hour) DO UPDATE SET queries = excluded.queries, empty = excluded.empty, latency = excluded.latency`;
  const queryHours = /*sql*/ `SELECT hour, queries, empty, latency FROM query_hour WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`;
  const addIngest = /*sql*/ `INSERT INTO ingest_hour (store_id, hour, tenant_id, completed, failed, cancelled, bytes, chunks)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (store_id, hour) DO UPDATE SET completed = completed + excluded.completed,
               failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
               bytes = bytes + excluded.bytes, chunks = chunks + excluded.chunks`;
  const ingestHours = /*sql*/ `SELECT hour, completed, failed, cancelled, bytes, chunks FROM ingest_hour
             WHERE tenant_id = ?1 AND store_id = ?2 AND hour >= ?3 ORDER BY hour`;
  const trims = ["query_hour", "ingest_hour"].map((table) => /*sql*/ `DELETE FROM ${table} WHERE hour < ?1`);
  const removals = ["query_hour", "ingest_hour"].map(
    (table) => /*sql*/ `DELETE FROM ${table} WHERE tenant_id = ?1 AND store_id = ?2`,
  );

  return {
    /** Inside a transaction of the caller. */
    async addQueries(added: QueryHour) {
      const before = await sql.get<QueryHourRow>(queryHour, [added.storeId, added.hour]);
      const latency = before === null ? {} : (JSON.parse(before.latency) as Record<string, number>);
      for (const [bucket, count] of Object.entries(added.latency)) latency[bucket] = (latency[bucket] ?? 0) + count;
      const queries = (before?.queries ?? 0) + added.queries;
      const empty = (before?.empty ?? 0) + added.empty;
      await sql.run(putQueryHour, [added.storeId, added.hour, added.tenantId, queries, empty, JSON.stringify(latency)]);
    },
    queryHours: (tenantId: string, storeId: string, fromHour: number): Promise<QueryHourRow[]> =>
      sql.all<QueryHourRow>(queryHours, [tenantId, storeId, fromHour]),
    async addIngest({ tenantId, storeId, at, status, bytes, chunks }: IngestOutcome) {
      const one = (which: IngestOutcome["status"]) => (status === which ? 1 : 0);
      const hour = Math.floor(at / 3600);
      await sql.run(addIngest, [
        storeId,
        hour,
        tenantId,
        one("completed"),
        one("failed"),
        one("cancelled"),
        bytes,
        chunks,
      ]);
    },
    ingestHours: (tenantId: string, storeId: string, fromHour: number): Promise<IngestHourRow[]> =>
      sql.all<IngestHourRow>(ingestHours, [tenantId, storeId, fromHour]),
    /** Forgets hours before this one. */
    trim: async (hour: number) => {
      for (const statement of trims) await sql.run(statement, [hour]);
    },
    removeOfStore: async (tenantId: string, storeId: string) => {
      for (const statement of removals) await sql.run(statement, [tenantId, storeId]);
    },
  };
}
