import type { EvaluatedMode } from "./evaluations.ts";
import type { ChunkId, EvaluationSeq, FileId, JudgmentId, StoreId, TenantId } from "./ids.ts";
import type { Relevant } from "./judgments.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, Selection, table, text } from "./table.ts";

export interface ResultScores {
  ndcg: number;
  recall: number;
  mrr: number;
  /** nDCG of the same query in the evaluation before; null where it was not in it. */
  before: number | null;
}

export interface ResultHit {
  file: FileId;
  chunk: ChunkId;
  /** Null where nobody judged it. */
  grade: number | null;
}

export const EVALUATION_RESULT = table("evaluation_result", {
  /** Of a mode: the later, the worse it became. */
  seq: integer(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  evaluation: integer<EvaluationSeq>(),
  judgment: integer(),
  mode: text<EvaluatedMode>(),
  scores: json<ResultScores>(),
  /** Best first. */
  hits: json<ResultHit[]>(),
});

const SHOWN = new Selection(
  {
    seq: integer(),
    id: id<JudgmentId>(),
    query: text(),
    relevant: json<Relevant[]>(),
    scores: json<ResultScores>(),
    hits: json<ResultHit[]>(),
  },
  "r.seq, j.id, j.query, j.relevant, r.scores, r.hits",
);
export type EvaluationResultRow = RowOf<typeof SHOWN>;

export interface NewResult {
  judgment: number;
  scores: ResultScores;
  hits: readonly ResultHit[];
}

/** Which results: of one evaluation, in one mode. */
export interface ResultsOf {
  tenantId: TenantId;
  evaluation: EvaluationSeq;
  mode: EvaluatedMode;
}

/** What the newest evaluations found for each judged query of their stores. It goes with the judged query. */
export interface EvaluationResultsTable {
  /** Those of queries that were deleted meanwhile are left out. */
  add(of: ResultsOf, results: readonly NewResult[]): Promise<void>;
  list(of: ResultsOf, page: PageQuery): Promise<Page<EvaluationResultRow>>;
  /** The place of a judged query in that list. */
  seqOf(of: ResultsOf, judgment: JudgmentId): Promise<number | undefined>;
  /** nDCG by the judged query's `seq`, of those after `afterSeq`. */
  ndcg(of: ResultsOf, afterSeq: number, limit: number): Promise<{ seq: number; judgment: number; ndcg: number }[]>;
  /** The newest completed evaluation before this one that has results of the mode at the same depth. */
  before(of: ResultsOf & { storeId: StoreId; k: number }): Promise<EvaluationSeq | null>;
  /** Removes up to `limit` of one evaluation; returns how many. */
  removeSome(tenantId: TenantId, evaluation: EvaluationSeq, limit: number): Promise<number>;
  /** The same of those that are older than the newest `keep` evaluations of the store's own queries. */
  trim(tenantId: TenantId, storeId: StoreId, keep: number, limit: number): Promise<number>;
}

const ADD = /*sql*/ `INSERT INTO evaluation_result (tenant_id, store_id, evaluation, judgment, mode, scores, hits)
  SELECT e.tenant_id, e.store_id, e.seq, j.seq, ?3, json_extract(r.value, '$.scores'), json_extract(r.value, '$.hits')
  FROM json_each(?4) r JOIN evaluation e ON e.seq = ?2 AND e.tenant_id = ?1
  JOIN judgment j ON j.seq = CAST(json_extract(r.value, '$.judgment') AS BIGINT) AND j.store_id = e.store_id ORDER BY r.key`;
const LISTED = /*sql*/ `evaluation_result r JOIN judgment j ON j.seq = r.judgment
  WHERE r.tenant_id = ?1 AND r.evaluation = ?2 AND r.mode = ?3`;
const SEQ_OF = /*sql*/ `SELECT r.seq FROM ${LISTED} AND j.id = ?4`;
const NDCG = /*sql*/ `SELECT seq, judgment, CAST(json_extract(scores, '$.ndcg') AS DOUBLE PRECISION) AS ndcg FROM evaluation_result
  WHERE tenant_id = ?1 AND evaluation = ?2 AND mode = ?3 AND seq > ?4 ORDER BY seq LIMIT ?5`;
const BEFORE = /*sql*/ `SELECT seq FROM evaluation e WHERE tenant_id = ?1 AND store_id = ?2 AND seq < ?3 AND status = 'completed'
  AND own = 0 AND k = ?5 AND EXISTS (SELECT 1 FROM evaluation_result WHERE evaluation = e.seq AND mode = ?4)
  ORDER BY seq DESC LIMIT 1`;
const REMOVE_SOME = /*sql*/ `DELETE FROM evaluation_result WHERE seq IN (SELECT seq FROM evaluation_result
  WHERE tenant_id = ?1 AND evaluation = ?2 LIMIT ?3)`;
const TRIM = /*sql*/ `DELETE FROM evaluation_result WHERE seq IN (SELECT seq FROM evaluation_result
  WHERE tenant_id = ?1 AND store_id = ?2 AND evaluation < (SELECT seq FROM evaluation WHERE tenant_id = ?1 AND store_id = ?2
    AND status = 'completed' AND own = 0 ORDER BY seq DESC LIMIT 1 OFFSET ?3) LIMIT ?4)`;

export function evaluationResultsTable(sql: Sql): EvaluationResultsTable {
  const removed = (statement: string, params: readonly (string | number)[]) =>
    sql.atomic((tx) => tx.run(statement, params), "work");
  return {
    add: async ({ tenantId, evaluation, mode }, results) =>
      void (await sql.atomic((tx) => tx.run(ADD, [tenantId, evaluation, mode, JSON.stringify(results)]), "work")),
    list: ({ tenantId, evaluation, mode }, page) =>
      SHOWN.page(sql, { from: LISTED, params: [tenantId, evaluation, mode], cursor: "r.seq" }, page),
    seqOf: async ({ tenantId, evaluation, mode }, judgment) =>
      (await sql.get<{ seq: number }>(SEQ_OF, [tenantId, evaluation, mode, judgment]))?.seq,
    ndcg: ({ tenantId, evaluation, mode }, afterSeq, limit) =>
      sql.all(NDCG, [tenantId, evaluation, mode, afterSeq, limit]),
    before: async ({ tenantId, storeId, evaluation, mode, k }) =>
      (await sql.get<{ seq: EvaluationSeq }>(BEFORE, [tenantId, storeId, evaluation, mode, k]))?.seq ?? null,
    removeSome: (tenantId, evaluation, limit) => removed(REMOVE_SOME, [tenantId, evaluation, limit]),
    trim: (tenantId, storeId, keep, limit) => removed(TRIM, [tenantId, storeId, keep - 1, limit]),
  };
}
