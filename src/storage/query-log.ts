import { nextTurn } from "../platform/next-turn.ts";
import { containsPattern } from "./contains.ts";
import type { KeyId, StoreId, TenantId } from "./ids.ts";
import { cutSearch, HEAD, type LoggedSearch, LONGEST_BODY, OF_ITSELF } from "./logged-search.ts";
import { type Page, pageBounds, type PageQuery, toPage } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";
import { numbers, twin } from "./dialect.ts";

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

/** Which searches a list has. */
export interface WantedSearches {
  /** Unix seconds: from then on, and before then. */
  since: number;
  until: number;
  /** Asked for something that contains this, whatever the case; null: all. */
  text: string | null;
  /** Found nothing. */
  empty: boolean;
  /** Took so long at least; null: all. */
  leastMs: number | null;
  /** Made with this key; null: all. */
  keyId: KeyId | null;
}

export const ALL_SEARCHES: WantedSearches = {
  since: 0,
  until: Number.MAX_SAFE_INTEGER,
  text: null,
  empty: false,
  leastMs: null,
  keyId: null,
};

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
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery, wanted: WantedSearches): Promise<Page<QueryLogRow>>;
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

/** Entries that are held against what a list wants, in one turn and in all: so far does it look. */
const LOOK = 100;
const LOOK_OVER = 20_000;

/** Bytes of the entries of a page, and of those that one transaction removes; always one entry at least. */
const PAGE_BYTES = 4 * 1024 * 1024;
const TRIM_BYTES = 64 * 1024 * 1024;
/** Bytes of a query, as it is kept, that is still a question. */
const QUESTION_BYTES = 8192;

const BYTES = /*sql*/ `octet_length(body) + coalesce(octet_length(query), 0) AS bytes`;
const INSERT = QUERY_LOG.into("tenant_id", "store_id", "created_at", "query", "query_sha256", "body");
const SIZES = (direction: "ASC" | "DESC") => /*sql*/ `SELECT seq, ${BYTES} FROM query_log
  WHERE tenant_id = ?1 AND store_id = ?2 AND created_at >= ?3 AND created_at < ?4 AND seq > ?5 AND seq < ?6
  ORDER BY seq ${direction} LIMIT ?7`;
/** A body or a query that is too long to be read fits no wish about it. */
const FITTING = twin(
  /*sql*/ `SELECT seq FROM query_log WHERE seq IN (SELECT value FROM json_each(?1))
  AND (?2 IS NULL OR (octet_length(query) <= ${QUESTION_BYTES} AND query GLOB ?2))
  AND CASE WHEN ?3 = 0 AND ?4 IS NULL AND ?5 IS NULL THEN 1 WHEN octet_length(body) > ${LONGEST_BODY} THEN 0 ELSE
    (?3 = 0 OR json_array_length(body, '$.results') = 0) AND (?4 IS NULL OR body ->> '$.latency_ms.total' >= ?4)
    AND (?5 IS NULL OR body ->> '$.key_id' = ?5) END`,
  /*sql*/ `SELECT seq FROM query_log WHERE seq IN ${numbers(1)}
  AND (CAST(?2 AS TEXT) IS NULL OR (octet_length(query) <= ${QUESTION_BYTES} AND glob(?2, query)))
  AND CASE WHEN CAST(?3 AS BIGINT) = 0 AND CAST(?4 AS DOUBLE PRECISION) IS NULL AND CAST(?5 AS TEXT) IS NULL THEN true
    WHEN octet_length(body) > ${LONGEST_BODY} THEN false ELSE (?3 = 0 OR json_array_length(body, '$.results') = 0)
    AND (?4 IS NULL OR CAST(json_extract(body, '$.latency_ms.total') AS DOUBLE PRECISION) >= ?4)
    AND (?5 IS NULL OR json_extract(body, '$.key_id') = ?5) END`,
);
const CHOSEN = twin(
  /*sql*/ `SELECT seq, created_at, query, query_sha256, octet_length(body) AS bytes,
    CASE WHEN octet_length(body) <= ?2 THEN body END AS body,
    CASE WHEN octet_length(body) > ?2 THEN substr(body, 1, ?3) END AS head,
    CASE WHEN octet_length(body) > ?2 THEN substr(body, -?2) END AS tail
  FROM query_log WHERE seq IN (SELECT value FROM json_each(?1))`,
  /*sql*/ `SELECT seq, created_at, query, query_sha256, octet_length(body) AS bytes,
    CASE WHEN octet_length(body) <= CAST(?2 AS BIGINT) THEN body END AS body,
    CASE WHEN octet_length(body) > ?2 THEN left(body, CAST(?3 AS INTEGER)) END AS head,
    CASE WHEN octet_length(body) > ?2 THEN right(body, CAST(?2 AS INTEGER)) END AS tail
  FROM query_log WHERE seq IN ${numbers(1)}`,
);
const NEWEST = /*sql*/ `SELECT max(seq) AS seq FROM query_log WHERE tenant_id = ?1 AND store_id = ?2`;
const QUESTIONS = /*sql*/ `SELECT seq, query FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
    AND octet_length(query) <= ${QUESTION_BYTES} ORDER BY seq DESC LIMIT ?3`;
const ONE = /*sql*/ `SELECT seq, query FROM query_log WHERE seq = ?3 AND tenant_id = ?1 AND store_id = ?2`;
const SIZE = /*sql*/ `SELECT bytes FROM query_log_size`;
const OLDEST_SIZES = /*sql*/ `SELECT seq, ${BYTES} FROM query_log ORDER BY seq LIMIT ?1`;
const TRIM_TO = /*sql*/ `DELETE FROM query_log WHERE seq <= ?1`;
const TRIM_OLD = /*sql*/ `DELETE FROM query_log WHERE seq IN (
  SELECT seq FROM (SELECT seq, created_at FROM query_log ORDER BY seq LIMIT ?2) oldest WHERE created_at < ?1)`;
const TRIM_MANY = /*sql*/ `DELETE FROM query_log WHERE seq IN (
  SELECT seq FROM query_log WHERE seq <= (SELECT max(seq) FROM query_log) - ?1 ORDER BY seq LIMIT ?2)`;
const OLDEST = /*sql*/ `SELECT created_at FROM query_log ORDER BY seq LIMIT 1`;
const REMOVE_OF_STORE = /*sql*/ `DELETE FROM query_log WHERE seq IN (SELECT seq FROM query_log WHERE store_id = ?2 AND tenant_id = ?1 LIMIT ?3)`;
const TOP = twin(
  /*sql*/ `SELECT query, query_sha256, count(*) AS count FROM (
    SELECT j.value AS query, CASE WHEN j.value IS NULL THEN l.query_sha256 ELSE j.value END AS same,
           l.query_sha256, l.seq
    FROM (SELECT seq, query, query_sha256 FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
          AND created_at >= ?3 ORDER BY seq DESC LIMIT ${TOP_OVER}) l
    LEFT JOIN json_each(l.query) j)
  GROUP BY same ORDER BY count DESC, max(seq) DESC LIMIT ?4`,
  // The hash is that of the newest search that asked it, as SQLite has it beside max(seq).
  /*sql*/ `SELECT max(query) AS query, (array_agg(query_sha256 ORDER BY seq DESC))[1] AS query_sha256, count(*) AS count FROM (
    SELECT j.value AS query, CASE WHEN j.value IS NULL THEN l.query_sha256 ELSE j.value END AS same,
           l.query_sha256, l.seq
    FROM (SELECT seq, query, query_sha256 FROM query_log WHERE tenant_id = ?1 AND store_id = ?2
          AND created_at >= ?3 ORDER BY seq DESC LIMIT ${TOP_OVER}) l
    LEFT JOIN json_each(l.query) j ON true) asked
  GROUP BY same ORDER BY count DESC, max(seq) DESC LIMIT ?4`,
);

export function queryLogTable(sql: Sql): QueryLogTable {
  return {
    async add(rows) {
      for (const { tenantId, storeId, createdAt, query, sha256, body } of rows) {
        const kept = query === null ? null : JSON.stringify(query);
        await sql.run(INSERT, [tenantId, storeId, createdAt, kept, sha256, JSON.stringify(body)]);
      }
    },
    async list(tenantId, storeId, page, wanted) {
      const sizes = await sizesOf(sql, { tenantId, storeId, page, wanted });
      const { rows: chosen, hasMore } = toPage(sizes, { ...page, limit: countWithin(sizes, PAGE_BYTES, page.limit) });
      const params = [JSON.stringify(chosen.map(({ seq }) => seq)), LONGEST_BODY, HEAD];
      const rows = new Map((await sql.all<ChosenRow>(CHOSEN, params)).map((row) => [row.seq, shownRow(row)]));
      return { rows: chosen.flatMap(({ seq }) => rows.get(seq) ?? []), hasMore };
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
        // Entries are in order of time: a look at the oldest one says whether any is too old, and those that are stand first.
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

interface Listed {
  tenantId: TenantId;
  storeId: StoreId;
  page: PageQuery;
  wanted: WantedSearches;
}

/** Of the entries of a page, and one more where there is more. */
async function sizesOf(sql: Sql, { tenantId, storeId, page, wanted }: Listed): Promise<Size[]> {
  const { since, until, text, empty, leastMs, keyId } = wanted;
  const { direction, limit, ...bounds } = pageBounds(page);
  let { above, below } = bounds;
  const from = (most: number) => sql.all<Size>(SIZES(direction), [tenantId, storeId, since, until, above, below, most]);
  if (text === null && !empty && leastMs === null && keyId === null) return await from(limit);
  // As it is kept: as the JSON of a list of texts.
  const pattern = text === null ? null : containsPattern(JSON.stringify(text).slice(1, -1));
  const fitting: Size[] = [];
  for (let looked = 0; looked < LOOK_OVER && fitting.length < limit; looked += LOOK) {
    if (looked > 0) await nextTurn();
    const sizes = await from(LOOK);
    const seqs = JSON.stringify(sizes.map(({ seq }) => seq));
    const rows = await sql.all<{ seq: number }>(FITTING, [seqs, pattern, empty ? 1 : 0, leastMs, keyId]);
    const fits = new Set(rows.map(({ seq }) => seq));
    fitting.push(...sizes.filter(({ seq }) => fits.has(seq)));
    const last = sizes.at(-1);
    if (last === undefined || sizes.length < LOOK) break;
    if (direction === "ASC") above = last.seq;
    else below = last.seq;
  }
  return fitting.slice(0, limit);
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
