import { Type } from "@sinclair/typebox";
import { JUDGED_BODY } from "../judgment-schema.ts";
import { cursorQuery, listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
import { EvaluateBody, Evaluation, EvaluationPage, EvaluationResultPage, ListResultsQuery } from "./schema.ts";
import type { EvaluationsService } from "./service.ts";

const PATH = "/v1/vector_stores/{vector_store_id}/evals";
const ERRORS = ["vector_store_not_found", "vector_store_suspended"] as const;

/** `…/evals` */
export function evaluationOperations(evaluations: EvaluationsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "evaluateVectorStore",
        summary: "Measure a store on judged queries",
        description:
          "Runs every judged query in the background through the search that clients have and computes nDCG, recall and mean reciprocal rank. These searches are not logged.",
        tag: "Lectern",
        role: "write",
        body: EvaluateBody,
        bodyLimit: JUDGED_BODY,
        response: Evaluation,
        returns: "The evaluation",
        errors: [...ERRORS, "vector_store_expired", "invalid_value", "overloaded"],
        examples: {
          body: {
            modes: ["hybrid", "keyword"],
            k: 10,
            judgments: [{ query: "What is the return policy?", relevant: [{ file_id: "file-abc123" }] }],
          },
        },
      },
      (call) => evaluations.start(askingOf(call), call.body),
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listVectorStoreEvaluations",
        summary: "List a store's evaluations",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: Type.Object({ ...cursorQuery() }),
        response: EvaluationPage,
        returns: "A page of evaluations",
        errors: [...ERRORS, "invalid_value"],
      },
      async (call) => {
        const { data, hasMore } = await evaluations.list(askingOf(call), readCursor(call.query));
        return listPage(data, hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{eval_id}`,
        operationId: "getVectorStoreEvaluation",
        summary: "Get an evaluation",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: Evaluation,
        returns: "The evaluation",
        errors: [...ERRORS, "eval_not_found"],
      },
      (call) => evaluations.get(askingOf(call), call.params.eval_id),
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{eval_id}/results`,
        operationId: "listVectorStoreEvaluationResults",
        summary: "List what an evaluation found for each query",
        description:
          "Of the newest evaluations of the judged queries that are kept with the store, five at least. What got worse since the evaluation before comes first, then what was answered worst.",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: ListResultsQuery,
        response: EvaluationResultPage,
        returns: "A page of judged queries with what was found",
        errors: [...ERRORS, "eval_not_found", "invalid_value"],
      },
      async (call) => {
        const { eval_id: id } = call.params;
        const { data, hasMore } = await evaluations.results(askingOf(call), id, {
          cursor: readCursor(call.query),
          mode: call.query.mode,
        });
        return listPage(data, hasMore, call.dialect);
      },
    ),
  ];
}
