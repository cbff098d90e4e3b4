import type { Db } from "./db.ts";
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
export function judgmentsTable(db: Db) {
  const { raw } = db;
  const put = raw.query<
    JudgmentRow,
    [string, string, string, number, number, string, string]
  >(/*sql*/ `INSERT INTO judgment (id, tenant_id, store_id, evaluation, created_at, query, relevant)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (store_id, evaluation, query) DO UPDATE SET relevant = excluded.relevant RETURNING ${COLUMNS}`);
  const byId = raw.query<JudgmentRow, [string, string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0 AND id = ?3`,
  );
  const count = raw.query<{ n: number }, [string, string, number]>(
    /*sql*/ `SELECT count(*) AS n FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3`,
  );
  const after = raw.query<
    JudgmentRow,
    [string, string, number, number, number]
  >(/*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = ?3 AND seq > ?4
             ORDER BY seq LIMIT ?5`);
  const removeOne = raw.query<null, [string, string, string]>(
    /*sql*/ `DELETE FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0 AND id = ?3`,
  );
  const removeSome = raw.query<
    null,
    [string, string, number | null, number]
  >(/*sql*/ `DELETE FROM judgment WHERE seq IN (SELECT seq FROM judgment WHERE tenant_id = ?1 AND store_id = ?2
             AND (?3 IS NULL OR evaluation = ?3) LIMIT ?4)`);
  const files = raw.query<
    { file_id: string; searchable: number },
    [string, string, string]
  >(/*sql*/ `SELECT f.file_id, f.status = 'completed' AS searchable FROM json_each(?3) j
             JOIN store_file f ON f.store_id = ?2 AND f.file_id = j.value WHERE f.tenant_id = ?1`);
  const chunks = raw.query<
    { id: number; file_id: string },
    [string, string, string]
  >(/*sql*/ `SELECT c.id, f.file_id FROM json_each(?3) j JOIN chunk c ON c.id = j.value
             JOIN store_file f ON f.seq = c.store_file AND f.revision = c.revision AND f.status = 'completed'
             JOIN vector_store s ON s.id = f.store_id
             JOIN generation g ON g.id = s.live_generation AND g.chunk_set = c.chunk_set
             WHERE f.tenant_id = ?1 AND f.store_id = ?2`);

  return {
    /** Adds a judged query, or gives one that is there a new list of answers; inside a transaction of the caller. */
    put(owner: JudgmentOwner, judgment: NewJudgment, at: number): JudgmentRow {
      const { id, query, relevant } = judgment;
      const { tenantId, storeId, evaluation } = owner;
      const row = put.get(id, tenantId, storeId, evaluation, at, query, JSON.stringify(relevant));
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, id: string): JudgmentRow | null => byId.get(tenantId, storeId, id),
    count: ({ tenantId, storeId, evaluation }: JudgmentOwner): number =>
      count.get(tenantId, storeId, evaluation)?.n ?? 0,
    /** Judged queries after `afterSeq`, in the order in which they came. */
    slice: ({ tenantId, storeId, evaluation }: JudgmentOwner, afterSeq: number, limit: number): JudgmentRow[] =>
      after.all(tenantId, storeId, evaluation, afterSeq, limit),
    list(tenantId: string, storeId: string, page: PageQuery): Page<JudgmentRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          JudgmentRow,
          [string, string, number, number, number]
        >(/*sql*/ `SELECT ${COLUMNS} FROM judgment WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation = 0
                   AND seq > ?3 AND seq < ?4 ORDER BY seq ${direction} LIMIT ?5`)
        .all(tenantId, storeId, above, below, limit);
      return toPage(rows, page);
    },
    remove: (tenantId: string, storeId: string, id: string): boolean =>
      db.erasing(() => removeOne.run(tenantId, storeId, id).changes > 0),
    /** Removes up to `limit` of the owner's; with `evaluation` null, of the store and every evaluation. Returns how many. */
    removeSome: (
      { tenantId, storeId, evaluation }: Omit<JudgmentOwner, "evaluation"> & { evaluation: number | null },
      limit: number,
    ): number => db.erasing(() => removeSome.run(tenantId, storeId, evaluation, limit).changes),
    /** Of these files those in the store, and whether a search can find them. */
    filesOf: (tenantId: string, storeId: string, fileIds: readonly string[]): Map<string, { searchable: boolean }> =>
      new Map(
        files
          .all(tenantId, storeId, JSON.stringify(fileIds))
          .map((row) => [row.file_id, { searchable: row.searchable === 1 }]),
      ),
    /** Of these chunks those that searches of the store can find, with their files. */
    chunksOf: (tenantId: string, storeId: string, chunkIds: readonly number[]): Map<number, string> =>
      new Map(chunks.all(tenantId, storeId, JSON.stringify(chunkIds)).map((row) => [row.id, row.file_id])),
  };
}
