import type { ChunkId, EvaluationSeq, FileId, JudgmentId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, json, type RowOf, Selection, table, text } from "./table.ts";
import { twin } from "./dialect.ts";

/** What answers a judged query: a whole file, or one chunk of it. */
export interface Relevant {
  /** The file, or the file that the chunk was of when it was judged; null where that is not known. */
  file: FileId | null;
  /** Null where the whole file is meant. */
  chunk: ChunkId | null;
  /** 0: judged, and no answer. */
  grade: number;
}

export const JUDGMENT = table("judgment", {
  seq: integer(),
  id: id<JudgmentId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  /** The evaluation that brought it; 0: it belongs to the store. */
  evaluation: integer<EvaluationSeq>(),
  created_at: integer(),
  query: text(),
  relevant: json<Relevant[]>(),
});

const SHOWN = JUDGMENT.pick("seq", "id", "created_at", "query", "relevant");
export type JudgmentRow = RowOf<typeof SHOWN>;

export interface NewJudgment {
  id: JudgmentId;
  query: string;
  relevant: readonly Relevant[];
}

/** Whose judged queries: a store's, or those that one evaluation brought along. */
export interface JudgmentOwner {
  tenantId: TenantId;
  storeId: StoreId;
  /** 0 for those of the store. */
  evaluation: EvaluationSeq;
}

/** The judged queries of a store itself. */
export const OF_STORE = 0;

/** Queries with what should be found, and whether that is still there to be found. */
export interface JudgmentsTable {
  /** Adds a judged query, or gives one that is there a new list of answers; inside a transaction of the caller. */
  put(owner: JudgmentOwner, judgment: NewJudgment, at: number): Promise<JudgmentRow>;
  get(tenantId: TenantId, storeId: StoreId, id: JudgmentId): Promise<JudgmentRow | null>;
  /** What is judged for this query. */
  ofQuery(owner: JudgmentOwner, query: string): Promise<JudgmentRow | null>;
  count(owner: JudgmentOwner): Promise<number>;
  /** Judged queries after `afterSeq`, in the order in which they came. */
  slice(owner: JudgmentOwner, afterSeq: number, limit: number): Promise<JudgmentRow[]>;
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery): Promise<Page<JudgmentRow>>;
  remove(tenantId: TenantId, storeId: StoreId, id: JudgmentId): Promise<boolean>;
  /** Removes up to `limit` of the owner's; with `evaluation` null, of the store and every evaluation. Returns how many. */
  removeSome(
    owner: Omit<JudgmentOwner, "evaluation"> & { evaluation: EvaluationSeq | null },
    limit: number,
  ): Promise<number>;
  /** Of these files those in the store, with their names, and whether a search can find them. */
  filesOf(
    tenantId: TenantId,
    storeId: StoreId,
    fileIds: readonly FileId[],
  ): Promise<Map<FileId, { filename: string; searchable: boolean }>>;
  /** Of these chunks those that searches of the store can find, with their files. */
  chunksOf(tenantId: TenantId, storeId: StoreId, chunkIds: readonly ChunkId[]): Promise<Map<ChunkId, FileId>>;
}

const NEW = JUDGMENT.into("id", "tenant_id", "store_id", "evaluation", "created_at", "query", "relevant");
const OR_CHANGE = /*sql*/ `DO UPDATE SET relevant = excluded.relevant RETURNING ${SHOWN.list}`;
const PUT = twin(
  /*sql*/ `${NEW} ON CONFLICT (store_id, evaluation, query) ${OR_CHANGE}`,
  /*sql*/ `${NEW} ON CONFLICT (tenant_id, store_id, evaluation, text_hash(query)) ${OR_CHANGE}`,
);
const LISTED = /*sql*/ `judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0`;
const BY_ID = /*sql*/ `SELECT ${SHOWN.list} FROM ${LISTED} AND id = ?3`;
const OF_QUERY = twin(
  /*sql*/ `SELECT ${SHOWN.list} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3 AND query = ?4`,
  /*sql*/ `SELECT ${SHOWN.list} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3
    AND text_hash(query) = text_hash(?4) AND query = ?4`,
);
const COUNT = /*sql*/ `SELECT count(*) AS n FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3`;
const AFTER = /*sql*/ `SELECT ${SHOWN.list} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3 AND seq > ?4
  ORDER BY seq LIMIT ?5`;
const REMOVE_ONE = /*sql*/ `DELETE FROM ${LISTED} AND id = ?3`;
const REMOVE_SOME = /*sql*/ `DELETE FROM judgment WHERE seq IN (SELECT seq FROM judgment WHERE tenant_id = ?1 AND store_id = ?2
  AND (CAST(?3 AS BIGINT) IS NULL OR evaluation = ?3) LIMIT ?4)`;
const JUDGED_FILE = new Selection(
  { file_id: id<FileId>(), filename: text(), searchable: boolean() },
  "f.file_id, f.filename, CASE WHEN f.status = 'completed' THEN 1 ELSE 0 END AS searchable",
);
const FILES = /*sql*/ `SELECT ${JUDGED_FILE.list} FROM json_each(?3) j
  JOIN store_file f ON f.store_id = ?2 AND f.file_id = j.value WHERE f.tenant_id = ?1`;
const CHUNKS = /*sql*/ `SELECT c.id, f.file_id FROM json_each(?3) j JOIN chunk c ON c.id = CAST(j.value AS BIGINT)
  JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
  JOIN vector_store s ON s.id = f.store_id
  JOIN generation g ON g.id = s.live_generation AND g.chunk_set = c.chunk_set
  WHERE f.tenant_id = ?1 AND f.store_id = ?2`;

export function judgmentsTable(sql: Sql): JudgmentsTable {
  return {
    async put({ tenantId, storeId, evaluation }, { id, query, relevant }, at) {
      const values = [id, tenantId, storeId, evaluation, at, query, JSON.stringify(relevant)];
      const row = await SHOWN.get(sql, PUT, values);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId, storeId, id) => SHOWN.get(sql, BY_ID, [tenantId, storeId, id]),
    ofQuery: ({ tenantId, storeId, evaluation }, query) =>
      SHOWN.get(sql, OF_QUERY, [tenantId, storeId, evaluation, query]),
    count: async ({ tenantId, storeId, evaluation }) =>
      (await sql.get<{ n: number }>(COUNT, [tenantId, storeId, evaluation]))?.n ?? 0,
    slice: ({ tenantId, storeId, evaluation }, afterSeq, limit) =>
      SHOWN.all(sql, AFTER, [tenantId, storeId, evaluation, afterSeq, limit]),
    list: (tenantId, storeId, page) => SHOWN.page(sql, { from: LISTED, params: [tenantId, storeId] }, page),
    remove: (tenantId, storeId, id) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return (await tx.run(REMOVE_ONE, [tenantId, storeId, id])) > 0;
      }),
    removeSome: ({ tenantId, storeId, evaluation }, limit) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(REMOVE_SOME, [tenantId, storeId, evaluation, limit]);
      }),
    async filesOf(tenantId, storeId, fileIds) {
      const rows = await JUDGED_FILE.all(sql, FILES, [tenantId, storeId, JSON.stringify(fileIds)]);
      return new Map(rows.map(({ file_id: file, ...more }) => [file, more]));
    },
    async chunksOf(tenantId, storeId, chunkIds) {
      const values = [tenantId, storeId, JSON.stringify(chunkIds)];
      const rows = await sql.all<{ id: ChunkId; file_id: FileId }>(CHUNKS, values);
      return new Map(rows.map((row) => [row.id, row.file_id]));
    },
  };
}
