import type { EvaluationId, EvaluationSeq, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

/** The modes of a search that can be measured. */
export type EvaluatedMode = "hybrid" | "vector" | "keyword";

/** Figures of one mode. */
export interface ModeMetrics {
  ndcg_at_k: number;
  recall_at_k: number;
  mrr_at_k: number;
  /** Of a search, with the embedding of its query. */
  latency_ms: { p50: number; p95: number };
}

export const EVALUATION = table("evaluation", {
  seq: integer<EvaluationSeq>(),
  id: id<EvaluationId>(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  created_at: integer(),
  completed_at: nullable(integer()),
  status: text<"queued" | "in_progress" | "completed" | "failed">(),
  modes: json<EvaluatedMode[]>(),
  k: integer(),
  /** Number within the store: of the generation that answered. */
  generation: integer(),
  queries: integer(),
  /** It brought its own judged queries, which go when it ends. */
  own: boolean(),
  /** Judged files and chunks that no search could find. */
  missing: integer(),
  /** By mode; null until it is completed. */
  metrics: nullable(json<Partial<Record<EvaluatedMode, ModeMetrics>>>()),
  error_code: nullable(text()),
  error_message: nullable(text()),
});

export type EvaluationRow = RowOf<typeof EVALUATION>;

export interface NewEvaluation {
  id: EvaluationId;
  tenantId: TenantId;
  storeId: StoreId;
  createdAt: number;
  modes: readonly EvaluatedMode[];
  k: number;
  generation: number;
  queries: number;
  own: boolean;
}

export interface EvaluationEnd {
  at: number;
  generation: number;
  queries: number;
  missing: number;
  metrics: NonNullable<EvaluationRow["metrics"]>;
}

/** Evaluations of stores on judged queries. The newest of a store are kept. */
export interface EvaluationsTable {
  insert(evaluation: NewEvaluation): Promise<EvaluationRow>;
  get(tenantId: TenantId, storeId: StoreId, id: EvaluationId): Promise<EvaluationRow | null>;
  ofJob(tenantId: TenantId, id: EvaluationId): Promise<EvaluationRow | null>;
  start(tenantId: TenantId, id: EvaluationId): Promise<void>;
  complete(tenantId: TenantId, id: EvaluationId, end: EvaluationEnd): Promise<void>;
  fail(tenantId: TenantId, id: EvaluationId, at: number, error: { code: string; message: string }): Promise<void>;
  /** Evaluations of the store that have not ended. */
  unfinished(tenantId: TenantId, storeId: StoreId): Promise<number>;
  /** Forgets ended ones beyond the newest `keep` of the store. */
  trim(tenantId: TenantId, storeId: StoreId, keep: number): Promise<void>;
  list(tenantId: TenantId, storeId: StoreId, page: PageQuery): Promise<Page<EvaluationRow>>;
}

const BY_ID = /*sql*/ `SELECT ${EVALUATION.list} FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2 AND id = ?3`;
const OF_JOB = /*sql*/ `SELECT ${EVALUATION.list} FROM evaluation WHERE tenant_id = ?1 AND id = ?2`;
const START = /*sql*/ `UPDATE evaluation SET status = 'in_progress' WHERE tenant_id = ?1 AND id = ?2 AND status = 'queued'`;
const UNFINISHED = /*sql*/ `SELECT count(*) AS n FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2
  AND status IN ('queued', 'in_progress')`;
const TRIM = /*sql*/ `DELETE FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2 AND status IN ('completed', 'failed')
  AND seq <= (SELECT seq FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2
              ORDER BY seq DESC LIMIT 1 OFFSET ?3)`;
const LISTED = /*sql*/ `evaluation WHERE tenant_id = ?1 AND store_id = ?2`;

export function evaluationsTable(sql: Sql): EvaluationsTable {
  return {
    insert: ({ tenantId, storeId, createdAt, modes, ...more }) =>
      EVALUATION.insert(sql, {
        tenant_id: tenantId,
        store_id: storeId,
        created_at: createdAt,
        status: "queued",
        modes: [...modes],
        ...more,
      }),
    get: (tenantId, storeId, id) => EVALUATION.get(sql, BY_ID, [tenantId, storeId, id]),
    ofJob: (tenantId, id) => EVALUATION.get(sql, OF_JOB, [tenantId, id]),
    start: async (tenantId, id) => void (await sql.atomic((tx) => tx.run(START, [tenantId, id]), "work")),
    async complete(tenantId, id, { at, generation, queries, missing, metrics }) {
      const end = { status: "completed", completed_at: at, generation, queries, missing, metrics } as const;
      await EVALUATION.update(sql, { tenant_id: tenantId, id }, end);
    },
    async fail(tenantId, id, at, { code, message }) {
      const end = { status: "failed", completed_at: at, error_code: code, error_message: message } as const;
      await EVALUATION.update(sql, { tenant_id: tenantId, id }, end);
    },
    unfinished: async (tenantId, storeId) => (await sql.get<{ n: number }>(UNFINISHED, [tenantId, storeId]))?.n ?? 0,
    trim: async (tenantId, storeId, keep) => void (await sql.run(TRIM, [tenantId, storeId, keep])),
    list: (tenantId, storeId, page) => EVALUATION.page(sql, { from: LISTED, params: [tenantId, storeId] }, page),
  };
}
