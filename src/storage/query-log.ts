import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface QueryLogRow {
  seq: number;
  created_at: number;
  /** JSON array, or null where only hashes are kept. */
  query: string | null;
  query_sha256: string;
  /** JSON: what else clients see of it. */
  body: string;
}

export interface NewQueryLogRow {
  tenantId: string;
  storeId: string;
  createdAt: number;
  query: string | null;
  sha256: string;
  body: string;
}

export interface TopQuery {
  query: string | null;
  query_sha256: string;
  count: number;
}

/** Entries that the most frequent queries are counted over, the newest first: it bounds what a look at them costs. */
const TOP_OVER = 20_000;

export type QueryLogTable = ReturnType<typeof queryLogTable>;

/** Searches made. Written in groups, off the search's path. */
export function queryLogTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO query_log (tenant_id, store_id, created_at, query, query_sha256, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`;
  const trimOld = /*sql*/ `DELETE FROM query_log WHERE seq IN (SELECT seq FROM query_log WHERE created_at < ?1 ORDER BY seq LIMIT ?2)`;
  const trimMany = /*sql*/ `DELETE FROM query_log WHERE seq IN (
               SELECT seq FROM query_log WHERE seq <= (SELECT max(seq) FROM query_log) - ?1 ORDER BY seq LIMIT ?2)`;
  const oldest = /*sql*/ `SELECT created_at FROM query_log ORDER BY seq LIMIT 1`;
  const removeOfStore = /*sql*/ `DELETE FROM query_log WHERE seq IN (SELECT seq FROM query_log WHERE store_id = ?2 AND tenant_id = ?1 LIMIT ?3)`;
  const top = /*sql*/ `SELECT query, query_sha256, count(*) AS count FROM (
               SELECT j.value AS query, CASE WHEN j.value IS NULL THEN l.query_sha256 ELSE j.value END AS same,
                      l.query_sha256, l.seq
               FROM (SELECT seq, query, query_sha256 FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
                     AND created_at >= ?3 ORDER BY seq DESC LIMIT ${TOP_OVER}) l
               LEFT JOIN json_each(l.query) j)
             GROUP BY same ORDER BY count DESC, max(seq) DESC LIMIT ?4`;

  return {
    /** Inside a transaction of the caller. */
    async add(rows: readonly NewQueryLogRow[]) {
      for (const row of rows)
        await sql.run(insert, [row.tenantId, row.storeId, row.createdAt, row.query, row.sha256, row.body]);
    },
    async list(tenantId: string, storeId: string, page: PageQuery, sinceSeconds: number): Promise<Page<QueryLogRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<QueryLogRow>(
        /*sql*/ `SELECT seq, created_at, query, query_sha256, body FROM query_log
                   WHERE tenant_id = ?1 AND store_id = ?2 AND created_at >= ?3
                   AND seq > ?4 AND seq < ?5 ORDER BY seq ${direction} LIMIT ?6`,
        [tenantId, storeId, sinceSeconds, above, below, limit],
      );
      return toPage(rows, page);
    },
    /** The most frequent queries among the newest 20,000 entries since then; one of several queries counts each. */
    top: (tenantId: string, storeId: string, sinceSeconds: number, limit: number): Promise<TopQuery[]> =>
      sql.all<TopQuery>(top, [tenantId, storeId, sinceSeconds, limit]),
    /** Removes up to `limit` entries older than `before`, or beyond the newest `keep`; returns how many. */
    async trim(before: number, keep: number, limit: number): Promise<number> {
      return await sql.atomic(async (tx) => {
        // Entries are in order of time, so a look at the oldest one says whether any is too old.
        const first = (await tx.get<{ created_at: number }>(oldest))?.created_at;
        const old = first !== undefined && first < before ? await tx.run(trimOld, [before, limit]) : 0;
        return old + (await tx.run(trimMany, [keep, limit]));
      }, "work");
    },
    /** Removes up to `limit` entries of a store; returns how many. */
    removeSome: (tenantId: string, storeId: string, limit: number): Promise<number> =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(removeOfStore, [tenantId, storeId, limit]);
      }),
  };
}
