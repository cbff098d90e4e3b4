import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

/** What answers a judged query: a whole file, or one chunk of it. */
export interface Relevant {
  /** The file, or the file that the chunk was of when it was judged; null where that is not known. */
  file: string | null;
  /** `chunk.id`; null where the whole file is meant. */
  chunk: number | null;
  /** 0: judged, and no answer. */
  grade: number;
}

export interface JudgmentRow {
  seq: number;
  id: string;
  created_at: number;
  query: string;
  /** JSON of `Relevant[]`. */
  relevant: string;
}

export interface NewJudgment {
  id: string;
  query: string;
  relevant: readonly Relevant[];
}

/** Whose judged queries: a store's, or those that one evaluation brought along. */
export interface JudgmentOwner {
  tenantId: string;
  storeId: string;
  /** `evaluation.seq`; 0 for those of the store. */
  evaluation: number;
}

const COLUMNS = "seq, id, created_at, query, relevant";
/** The judged queries of a store itself. */
export const OF_STORE = 0;

export type JudgmentsTable = ReturnType<typeof judgmentsTable>;

/** Queries with what should be found, and whether that is still there to be found. */
export function judgmentsTable(sql: Sql) {
  const put = /*sql*/ `INSERT INTO judgment (id, tenant_id, store_id, evaluation, created_at, query, relevant)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (store_id, evaluation, query) DO UPDATE SET relevant = excluded.relevant RETURNING ${COLUMNS}`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0 AND id = ?3`;
  const count = /*sql*/ `SELECT count(*) AS n FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3`;
  const after = /*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3 AND seq > ?4
             ORDER BY seq LIMIT ?5`;
  const removeOne = /*sql*/ `DELETE FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0 AND id = ?3`;
  const removeSome = /*sql*/ `DELETE FROM judgment WHERE seq IN (SELECT seq FROM judgment WHERE tenant_id = ?1 AND store_id = ?2
             AND (?3 IS NULL OR evaluation = ?3) LIMIT ?4)`;
  const files = /*sql*/ `SELECT f.file_id, f.status = 'completed' AS searchable FROM json_each(?3) j
             JOIN store_file f ON f.store_id = ?2 AND f.file_id = j.value WHERE f.tenant_id = ?1`;
  const chunks = /*sql*/ `SELECT c.id, f.file_id FROM json_each(?3) j JOIN chunk c ON c.id = j.value
             JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
             JOIN vector_store s ON s.id = f.store_id
             JOIN generation g ON g.id = s.live_generation AND g.chunk_set = c.chunk_set
             WHERE f.tenant_id = ?1 AND f.store_id = ?2`;

  return {
    /** Adds a judged query, or gives one that is there a new list of answers; inside a transaction of the caller. */
    async put(owner: JudgmentOwner, judgment: NewJudgment, at: number): Promise<JudgmentRow> {
      const { id, query, relevant } = judgment;
      const { tenantId, storeId, evaluation } = owner;
      const row = await sql.get<JudgmentRow>(put, [
        id,
        tenantId,
        storeId,
        evaluation,
        at,
        query,
        JSON.stringify(relevant),
      ]);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, id: string): Promise<JudgmentRow | null> =>
      sql.get<JudgmentRow>(byId, [tenantId, storeId, id]),
    count: async ({ tenantId, storeId, evaluation }: JudgmentOwner): Promise<number> =>
      (await sql.get<{ n: number }>(count, [tenantId, storeId, evaluation]))?.n ?? 0,
    /** Judged queries after `afterSeq`, in the order in which they came. */
    slice: (
      { tenantId, storeId, evaluation }: JudgmentOwner,
      afterSeq: number,
      limit: number,
    ): Promise<JudgmentRow[]> => sql.all<JudgmentRow>(after, [tenantId, storeId, evaluation, afterSeq, limit]),
    async list(tenantId: string, storeId: string, page: PageQuery): Promise<Page<JudgmentRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<JudgmentRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0
                   AND seq > ?3 AND seq < ?4 ORDER BY seq ${direction} LIMIT ?5`,
        [tenantId, storeId, above, below, limit],
      );
      return toPage(rows, page);
    },
    remove: (tenantId: string, storeId: string, id: string): Promise<boolean> =>
      sql.atomic(async (tx) => {
        tx.erase();
        return (await tx.run(removeOne, [tenantId, storeId, id])) > 0;
      }),
    /** Removes up to `limit` of the owner's; with `evaluation` null, of the store and every evaluation. Returns how many. */
    removeSome: (
      { tenantId, storeId, evaluation }: Omit<JudgmentOwner, "evaluation"> & { evaluation: number | null },
      limit: number,
    ): Promise<number> =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(removeSome, [tenantId, storeId, evaluation, limit]);
      }),
    /** Of these files those in the store, and whether a search can find them. */
    filesOf: async (
      tenantId: string,
      storeId: string,
      fileIds: readonly string[],
    ): Promise<Map<string, { searchable: boolean }>> =>
      new Map(
        (
          await sql.all<{ file_id: string; searchable: number }>(files, [tenantId, storeId, JSON.stringify(fileIds)])
        ).map((row) => [row.file_id, { searchable: row.searchable === 1 }]),
      ),
    /** Of these chunks those that searches of the store can find, with their files. */
    chunksOf: async (tenantId: string, storeId: string, chunkIds: readonly number[]): Promise<Map<number, string>> =>
      new Map(
        (await sql.all<{ id: number; file_id: string }>(chunks, [tenantId, storeId, JSON.stringify(chunkIds)])).map(
          (row) => [row.id, row.file_id],
        ),
      ),
  };
}
