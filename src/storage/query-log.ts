import type { StoreId, TenantId } from "./ids.ts";
import { cutSearch, HEAD, type LoggedSearch, LONGEST_BODY, OF_ITSELF } from "./logged-search.ts";
import { type Page, pageBounds, type PageQuery, toPage } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

export const QUERY_LOG = table("query_log", {
  /** What clients see is made of it (shown-ids.ts). */
  seq: integer(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  created_at: integer(),
  /** Null where only hashes are kept. */
  query: nullable(json<string[]>()),
  /** Hex; of several queries, joined by line feeds. */
  query_sha256: text(),
  body: json<LoggedSearch>(),
});

/** Kept by triggers on `query_log`. */
export const QUERY_LOG_SIZE = table("query_log_size", { one: integer(), bytes: integer() });

const SHOWN = QUERY_LOG.pick("seq", "created_at", "query", "query_sha256", "body");
const ASKED = QUERY_LOG.pick("seq", "query");
export type QueryLogRow = RowOf<typeof SHOWN>;

/** An entry as it is read: of a body that is too long to be read, both ends. */
interface ChosenRow {
  seq: number;
  created_at: number;
  query: string | null;
  query_sha256: string;
  bytes: number;
  body: string | null;
  head: string | null;
  tail: string | null;
}

export interface NewQueryLogRow {
  tenantId: TenantId;
  storeId: StoreId;
  createdAt: number;
  query: readonly string[] | null;
  sha256: string;
  body: LoggedSearch;
}

/** What the log may hold, of all stores together. */
export interface LogBounds {
  /** Unix seconds; what is older goes. */
  since: number;
  rows: number;
  bytes: number;
}

export interface TopQuery {
  query: string | null;
  query_sha256: string;
  count: number;
}

/** A query with its place: which search asked it, and as which of its queries. */
export interface LoggedQuestion {
  query: string;
  seq: number;
  place: number;
}

/** Searches made. Written in groups, off the search's path. */
export interface QueryLogTable {
  /** Inside a transaction of the caller. */
  add(rows: readonly NewQueryLogRow[]): Promise<void>;
  /** A page ends early, and says that there is more, where its entries would have more than 4 MiB. */
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery, sinceSeconds: number): Promise<Page<QueryLogRow>>;
  /** The place of the newest entry; null where there is none. */
  newest(tenantId: TenantId, storeId: StoreId): Promise<number | null>;
  /** What was asked in the newest `limit` searches, the newest first, without texts that are too long for a question. */
  questions(tenantId: TenantId, storeId: StoreId, limit: number): Promise<LoggedQuestion[]>;
  /** What was asked in a search; null where it is not kept, or not any more. */
  asked(tenantId: TenantId, storeId: StoreId, seq: number): Promise<string[] | null>;
  /** The most frequent queries among the newest 20,000 entries since then; one of several queries counts each. */
  top(tenantId: TenantId, storeId: StoreId, sinceSeconds: number, limit: number): Promise<TopQuery[]>;
  /** Removes some `limit` of the oldest entries where there is more than may be; returns how many. */
  trim(bounds: LogBounds, limit: number): Promise<number>;
  /** Removes up to `limit` entries of a store; returns how many. */
  removeSome(tenantId: TenantId, storeId: StoreId, limit: number): Promise<number>;
}

/** Entries that the most frequent queries are counted over, the newest first: it bounds what a look at them costs. */
const TOP_OVER = 20_000;

/** Bytes of the entries of a page, and of those that one transaction removes; always one entry at least. */
const PAGE_BYTES = 4 * 1024 * 1024;
const TRIM_BYTES = 64 * 1024 * 1024;
/** Bytes of a query, as it is kept, that is still a question. */
const QUESTION_BYTES = 8192;

const BYTES = /*sql*/ `octet_length(body) + coalesce(octet_length(query), 0) AS bytes`;
const INSERT = QUERY_LOG.into("tenant_id", "store_id", "created_at", "query", "query_sha256", "body");
const LISTED = /*sql*/ `query_log WHERE tenant_id = ?1 AND store_id = ?2 AND created_at >= ?3`;
const CHOSEN = /*sql*/ `SELECT seq, created_at, query, query_sha256, octet_length(body) AS bytes,
    CASE WHEN octet_length(body) <= ?2 THEN body END AS body,
    CASE WHEN octet_length(body) > ?2 THEN substr(body, 1, ?3) END AS head,
    CASE WHEN octet_length(body) > ?2 THEN substr(body, -?2) END AS tail
  FROM query_log WHERE seq IN (SELECT value FROM json_each(?1))`;
const NEWEST = /*sql*/ `SELECT max(seq) AS seq FROM query_log WHERE tenant_id = ?1 AND store_id = ?2`;
const QUESTIONS = /*sql*/ `SELECT seq, query FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
    AND octet_length(query) <= ${QUESTION_BYTES} ORDER BY seq DESC LIMIT ?3`;
const ONE = /*sql*/ `SELECT seq, query FROM query_log WHERE seq = ?3 AND tenant_id = ?1 AND store_id = ?2`;
const SIZE = /*sql*/ `SELECT bytes FROM query_log_size`;
const OLDEST_SIZES = /*sql*/ `SELECT seq, ${BYTES} FROM query_log ORDER BY seq LIMIT ?1`;
const TRIM_TO = /*sql*/ `DELETE FROM query_log WHERE seq <= ?1`;
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
    async list(tenantId, storeId, page, sinceSeconds) {
      const { above, below, direction, limit } = pageBounds(page);
      const sizes = await sql.all<Size>(
        /*sql*/ `SELECT seq, ${BYTES} FROM ${LISTED} AND seq > ?4 AND seq < ?5 ORDER BY seq ${direction} LIMIT ?6`,
        [tenantId, storeId, sinceSeconds, above, below, limit],
      );
      const { rows: wanted, hasMore } = toPage(sizes, { ...page, limit: countWithin(sizes, PAGE_BYTES, page.limit) });
      const params = [JSON.stringify(wanted.map(({ seq }) => seq)), LONGEST_BODY, HEAD];
      const rows = new Map((await sql.all<ChosenRow>(CHOSEN, params)).map((row) => [row.seq, shownRow(row)]));
      return { rows: wanted.flatMap(({ seq }) => rows.get(seq) ?? []), hasMore };
    },
    newest: async (tenantId, storeId) =>
      (await sql.get<{ seq: number | null }>(NEWEST, [tenantId, storeId]))?.seq ?? null,
    async questions(tenantId, storeId, limit) {
      const rows = await ASKED.all(sql, QUESTIONS, [tenantId, storeId, limit]);
      return rows.flatMap(({ seq, query }) => (query ?? []).map((one, place) => ({ query: one, seq, place })));
    },
    asked: async (tenantId, storeId, seq) => (await ASKED.get(sql, ONE, [tenantId, storeId, seq]))?.query ?? null,
    top: (tenantId, storeId, sinceSeconds, limit) => sql.all(TOP, [tenantId, storeId, sinceSeconds, limit]),
    trim: ({ since, rows, bytes }, limit) =>
      sql.atomic(async (tx) => {
        // Entries are in order of time, so a look at the oldest one says whether any is too old.
        const first = (await tx.get<{ created_at: number }>(OLDEST))?.created_at;
        const old = first !== undefined && first < since ? await tx.run(TRIM_OLD, [since, limit]) : 0;
        const beyond = old + (await tx.run(TRIM_MANY, [rows, limit]));
        return beyond + (await trimBytes(tx, bytes, limit));
      }, "work"),
    removeSome: (tenantId, storeId, limit) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(REMOVE_OF_STORE, [tenantId, storeId, limit]);
      }),
  };
}

function shownRow({ bytes, body, head, tail, ...row }: ChosenRow): QueryLogRow {
  const query = row.query === null ? null : (JSON.parse(row.query) as string[]);
  if (body !== null) return { ...row, query, body: { ...OF_ITSELF, ...(JSON.parse(body) as LoggedSearch) } };
  return { ...row, query, body: cutSearch({ bytes, head: head ?? "", tail: tail ?? "" }) };
}

interface Size {
  seq: number;
  bytes: number;
}

/** Of how many the sizes are within the bound together: one at least, `most` at most. */
function countWithin(sizes: readonly Size[], bound: number, most: number): number {
  let bytes = 0;
  let count = 0;
  while (count < most && count < sizes.length) {
    bytes += sizes[count]!.bytes;
    if (bytes > bound && count > 0) break;
    count += 1;
  }
  return Math.max(1, count);
}

async function trimBytes(tx: Sql, most: number, limit: number): Promise<number> {
  const excess = ((await tx.get<{ bytes: number }>(SIZE))?.bytes ?? 0) - most;
  if (excess <= 0) return 0;
  const sizes = await tx.all<Size>(OLDEST_SIZES, [limit]);
  let removed = 0;
  let count = 0;
  while (count < sizes.length && removed < Math.min(excess, TRIM_BYTES)) removed += sizes[count++]!.bytes;
  const last = sizes[count - 1];
  return last === undefined ? 0 : await tx.run(TRIM_TO, [last.seq]);
}
