import type { KeyId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

/** What clients see of a search besides its query. */
export interface LoggedSearch {
  search_mode: string;
  /** As given; null for none. */
  filters: unknown;
  max_num_results: number;
  results: { file_id: string; chunk_id: string; score: number }[];
  latency_ms: { total: number; embed: number; vector: number; keyword: number; fetch: number };
  key_id: KeyId;
  model: string;
  /** Its number within the store. */
  generation: number;
  /** What it was made for: itself, or an answer of this id. */
  source: "search" | "response";
  source_id: string | null;
}

export const QUERY_LOG = table("query_log", {
  /** Clients see `q_` and the number in base 36. */
  seq: integer(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  created_at: integer(),
  /** Null where only hashes are kept. */
  query: nullable(json<string[]>()),
  /** Hex; of several queries, joined by line feeds. */
  query_sha256: text(),
  body: json<LoggedSearch>({ source: "search", source_id: null } as LoggedSearch),
});

const SHOWN = QUERY_LOG.pick("seq", "created_at", "query", "query_sha256", "body");
export type QueryLogRow = RowOf<typeof SHOWN>;

export interface NewQueryLogRow {
  tenantId: TenantId;
  storeId: StoreId;
  createdAt: number;
  query: readonly string[] | null;
  sha256: string;
  body: LoggedSearch;
}

export interface TopQuery {
  query: string | null;
  query_sha256: string;
  count: number;
}

/** Searches made. Written in groups, off the search's path. */
export interface QueryLogTable {
  /** Inside a transaction of the caller. */
  add(rows: readonly NewQueryLogRow[]): Promise<void>;
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery, sinceSeconds: number): Promise<Page<QueryLogRow>>;
  /** The most frequent queries among the newest 20,000 entries since then; one of several queries counts each. */
  top(tenantId: TenantId, storeId: StoreId, sinceSeconds: number, limit: number): Promise<TopQuery[]>;
  /** Removes up to `limit` entries older than `before`, or beyond the newest `keep`; returns how many. */
  trim(before: number, keep: number, limit: number): Promise<number>;
  /** Removes up to `limit` entries of a store; returns how many. */
  removeSome(tenantId: TenantId, storeId: StoreId, limit: number): Promise<number>;
}

/** Entries that the most frequent queries are counted over, the newest first: it bounds what a look at them costs. */
const TOP_OVER = 20_000;

const INSERT = QUERY_LOG.into("tenant_id", "store_id", "created_at", "query", "query_sha256", "body");
const LISTED = /*sql*/ `query_log WHERE tenant_id = ?1 AND store_id = ?2 AND created_at >= ?3`;
const TRIM_OLD = /*sql*/ `DELETE FROM query_log WHERE seq IN (SELECT seq FROM query_log WHERE created_at < ?1 ORDER BY seq LIMIT ?2)`;
const TRIM_MANY = /*sql*/ `DELETE FROM query_log WHERE seq IN (
  SELECT seq FROM query_log WHERE seq <= (SELECT max(seq) FROM query_log) - ?1 ORDER BY seq LIMIT ?2)`;
const OLDEST = /*sql*/ `SELECT created_at FROM query_log ORDER BY seq LIMIT 1`;
const REMOVE_OF_STORE = /*sql*/ `DELETE FROM query_log WHERE seq IN (SELECT seq FROM query_log WHERE store_id = ?2 AND tenant_id = ?1 LIMIT ?3)`;
const TOP = /*sql*/ `SELECT query, query_sha256, count(*) AS count FROM (
    SELECT j.value AS query, CASE WHEN j.value IS NULL THEN l.query_sha256 ELSE j.value END AS same,
           l.query_sha256, l.seq
    FROM (SELECT seq, query, query_sha256 FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
          AND created_at >= ?3 ORDER BY seq DESC LIMIT ${TOP_OVER}) l
    LEFT JOIN json_each(l.query) j)
  GROUP BY same ORDER BY count DESC, max(seq) DESC LIMIT ?4`;

export function queryLogTable(sql: Sql): QueryLogTable {
  return {
    async add(rows) {
      for (const { tenantId, storeId, createdAt, query, sha256, body } of rows) {
        const kept = query === null ? null : JSON.stringify(query);
        await sql.run(INSERT, [tenantId, storeId, createdAt, kept, sha256, JSON.stringify(body)]);
      }
    },
    list: (tenantId, storeId, page, sinceSeconds) =>
      SHOWN.page(sql, { from: LISTED, params: [tenantId, storeId, sinceSeconds] }, page),
    top: (tenantId, storeId, sinceSeconds, limit) => sql.all(TOP, [tenantId, storeId, sinceSeconds, limit]),
    trim: (before, keep, limit) =>
      sql.atomic(async (tx) => {
        // Entries are in order of time, so a look at the oldest one says whether any is too old.
        const first = (await tx.get<{ created_at: number }>(OLDEST))?.created_at;
        const old = first !== undefined && first < before ? await tx.run(TRIM_OLD, [before, limit]) : 0;
        return old + (await tx.run(TRIM_MANY, [keep, limit]));
      }, "work"),
    removeSome: (tenantId, storeId, limit) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(REMOVE_OF_STORE, [tenantId, storeId, limit]);
      }),
  };
}
