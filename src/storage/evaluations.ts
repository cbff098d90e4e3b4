import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface EvaluationRow {
  seq: number;
  id: string;
  tenant_id: string;
  store_id: string;
  created_at: number;
  completed_at: number | null;
  status: "queued" | "in_progress" | "completed" | "failed";
  /** JSON array. */
  modes: string;
  k: number;
  /** Number of the generation, within the store. */
  generation: number;
  queries: number;
  /** 1: it brought its own judged queries. */
  own: number;
  missing: number;
  /** JSON by mode. */
  metrics: string | null;
  error_code: string | null;
  error_message: string | null;
}

export interface NewEvaluation {
  id: string;
  tenantId: string;
  storeId: string;
  createdAt: number;
  modes: readonly string[];
  k: number;
  generation: number;
  queries: number;
  own: boolean;
}

const COLUMNS = `seq, id, tenant_id, store_id, created_at, completed_at, status, modes, k, generation, queries, own, missing,
  metrics, error_code, error_message`;

export type EvaluationsTable = ReturnType<typeof evaluationsTable>;

/** Evaluations of stores on judged queries. The newest of a store are kept. */
export function evaluationsTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO evaluation (id, tenant_id, store_id, created_at, status, modes, k, generation, queries, own)
             VALUES (?1, ?2, ?3, ?4, 'queued', ?5, ?6, ?7, ?8, ?9) RETURNING ${COLUMNS}`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
  const ofJob = /*sql*/ `SELECT ${COLUMNS} FROM evaluation WHERE tenant_id = ?1 AND id = ?2`;
  const start = /*sql*/ `UPDATE evaluation SET status = 'in_progress' WHERE tenant_id = ?1 AND id = ?2 AND status = 'queued'`;
  const complete = /*sql*/ `UPDATE evaluation SET status = 'completed', completed_at = ?3, generation = ?4, queries = ?5, missing = ?6,
               metrics = ?7 WHERE tenant_id = ?1 AND id = ?2`;
  const fail = /*sql*/ `UPDATE evaluation SET status = 'failed', completed_at = ?3, error_code = ?4, error_message = ?5
             WHERE tenant_id = ?1 AND id = ?2`;
  const unfinished = /*sql*/ `SELECT count(*) AS n FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2
             AND status IN ('queued', 'in_progress')`;
  const trim = /*sql*/ `DELETE FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2 AND status IN ('completed', 'failed')
             AND seq <= (SELECT seq FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2
                         ORDER BY seq DESC LIMIT 1 OFFSET ?3)`;

  return {
    insert: async (e: NewEvaluation): Promise<EvaluationRow> => {
      const modes = JSON.stringify(e.modes);
      const row = await sql.get<EvaluationRow>(insert, [
        e.id,
        e.tenantId,
        e.storeId,
        e.createdAt,
        modes,
        e.k,
        e.generation,
        e.queries,
        e.own ? 1 : 0,
      ]);
      if (row === null) throw new Error("INSERT … RETURNING gave no row");
      return row;
    },
    get: (tenantId: string, storeId: string, id: string): Promise<EvaluationRow | null> =>
      sql.get<EvaluationRow>(byId, [tenantId, storeId, id]),
    ofJob: (tenantId: string, id: string): Promise<EvaluationRow | null> =>
      sql.get<EvaluationRow>(ofJob, [tenantId, id]),
    start: async (tenantId: string, id: string) => {
      await sql.atomic((tx) => tx.run(start, [tenantId, id]), "work");
    },
    complete: async (
      tenantId: string,
      id: string,
      end: { at: number; generation: number; queries: number; missing: number; metrics: object },
    ) => {
      await sql.run(complete, [
        tenantId,
        id,
        end.at,
        end.generation,
        end.queries,
        end.missing,
        JSON.stringify(end.metrics),
      ]);
    },
    fail: async (tenantId: string, id: string, at: number, error: { code: string; message: string }) => {
      await sql.run(fail, [tenantId, id, at, error.code, error.message]);
    },
    /** Evaluations of the store that have not ended. */
    unfinished: async (tenantId: string, storeId: string): Promise<number> =>
      (await sql.get<{ n: number }>(unfinished, [tenantId, storeId]))?.n ?? 0,
    /** Forgets ended ones beyond the newest `keep` of the store. */
    trim: async (tenantId: string, storeId: string, keep: number) => {
      await sql.run(trim, [tenantId, storeId, keep]);
    },
    async list(tenantId: string, storeId: string, page: PageQuery): Promise<Page<EvaluationRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<EvaluationRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2 AND seq > ?3 AND seq < ?4
                   ORDER BY seq ${direction} LIMIT ?5`,
        [tenantId, storeId, above, below, limit],
      );
      return toPage(rows, page);
    },
  };
}
