import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { JudgmentList, ShownRelevant } from "../judgment-schema.ts";
import { cursorQuery, listSchema, nullable, oneOf, unixSeconds } from "../../http/openai.ts";
import { SEARCH_MODES } from "../../search/ranking.ts";

/** A search gives no more results. */
const MAX_K = 50;

export const EvaluateBody = Type.Object(
  {
    modes: Type.Optional(
      Type.Array(oneOf(SEARCH_MODES), { minItems: 1, maxItems: 3, description: "All three unless given." }),
    ),
    k: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_K, default: 10, description: "How many results count." })),
    judgments: Type.Optional(JudgmentList),
  },
  {
    $id: "EvaluateRequest",
    additionalProperties: false,
    description: "With `judgments`, those are run instead of the store's and are not kept.",
  },
);
export type EvaluateBody = Static<typeof EvaluateBody>;

const Metrics = Type.Object(
  {
    ndcg_at_k: Type.Number({
      minimum: 0,
      maximum: 1,
      description: "With linear gains and ranks discounted by log2, as trec_eval and BEIR compute it.",
    }),
    recall_at_k: Type.Number({ minimum: 0, maximum: 1 }),
    mrr_at_k: Type.Number({ minimum: 0, maximum: 1 }),
    latency_ms: Type.Object(
      { p50: Type.Number(), p95: Type.Number() },
      { description: "Of a search inside the server, with the embedding of its query." },
    ),
  },
  { $id: "EvaluationMetrics", description: "Means over all judged queries." },
);

const EVALUATION_STATUSES = ["queued", "in_progress", "completed", "failed"] as const;

export const Evaluation = Type.Object(
  {
    id: Type.String({ description: "`eval_…`" }),
    object: Type.Literal("vector_store.eval"),
    vector_store_id: Type.String(),
    status: oneOf(EVALUATION_STATUSES),
    created_at: unixSeconds("When it was asked for."),
    completed_at: nullable(unixSeconds("When it ended.")),
    generation: Type.Integer({ description: "The generation of the index that was measured." }),
    modes: Type.Array(oneOf(SEARCH_MODES)),
    k: Type.Integer(),
    queries: Type.Integer({ description: "Judged queries." }),
    missing: Type.Integer({
      description: "Judged files and chunks that are not in the index any more; they count as not found.",
    }),
    metrics: Type.Object(
      { hybrid: Type.Optional(Metrics), vector: Type.Optional(Metrics), keyword: Type.Optional(Metrics) },
      { description: "By mode; empty until it is completed." },
    ),
    last_error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  },
  { $id: "Evaluation", description: "How well a store answers judged queries." },
);
export type Evaluation = Static<typeof Evaluation>;

export const EvaluationPage = listSchema(Evaluation, "EvaluationList");

export const EvaluationResult = Type.Object(
  {
    id: Type.String({ description: "`q_…`: the judged query's." }),
    object: Type.Literal("vector_store.eval.result"),
    query: Type.String(),
    mode: oneOf(SEARCH_MODES),
    ndcg_at_k: Type.Number({ minimum: 0, maximum: 1 }),
    recall_at_k: Type.Number({ minimum: 0, maximum: 1 }),
    mrr_at_k: Type.Number({ minimum: 0, maximum: 1 }),
    previous_ndcg_at_k: nullable(Type.Number({ minimum: 0, maximum: 1 }), {
      description: "In the evaluation before, with the same `k`; null where the query was not in it.",
    }),
    relevant: Type.Array(ShownRelevant, { description: "What is judged for it now." }),
    found: Type.Array(
      Type.Object({
        file_id: Type.String(),
        filename: nullable(Type.String(), { description: "Null where the file is not in the store any more." }),
        chunk_id: Type.String(),
        grade: nullable(Type.Number(), { description: "Null where nobody had judged it." }),
      }),
      { description: "The first ten results, best first." },
    ),
  },
  { $id: "EvaluationResult", description: "What an evaluation found for one judged query." },
);
export type EvaluationResult = Static<typeof EvaluationResult>;

export const EvaluationResultPage = listSchema(EvaluationResult, "EvaluationResultList");

export const ListResultsQuery = Type.Object({
  ...cursorQuery(),
  order: Type.Optional(
    oneOf(["asc", "desc"], { default: "desc", description: "What got worse comes first by default." }),
  ),
  mode: Type.Optional(oneOf(SEARCH_MODES, { description: "The first one that was measured unless given." })),
});
