import { Type } from "@sinclair/typebox";
import { MAX_JUDGED_BYTES } from "../judgments/routes.ts";
import { cursorQuery, listPage, readCursor } from "../../http/openai.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { EvaluateBody, Evaluation, EvaluationPage } from "./schema.ts";
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
        maxBodyBytes: MAX_JUDGED_BYTES,
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
      ({ caller, params, body, dialect }) =>
        evaluations.start(caller, params.vector_store_id, body, presenterFor(dialect).rules),
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listVectorStoreEvaluations",
        summary: "List a store's evaluations",
        tag: "Lectern",
        role: "read",
        query: Type.Object({ ...cursorQuery() }),
        response: EvaluationPage,
        returns: "A page of evaluations",
        errors: [...ERRORS, "invalid_value"],
      },
      ({ caller, params, query, dialect }) => {
        const { rules } = presenterFor(dialect);
        const { data, hasMore } = evaluations.list(caller, params.vector_store_id, readCursor(query), rules);
        return listPage(data, hasMore, dialect);
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
        response: Evaluation,
        returns: "The evaluation",
        errors: [...ERRORS, "eval_not_found"],
      },
      ({ caller, params, dialect }) =>
        evaluations.get(caller, params.vector_store_id, params.eval_id, presenterFor(dialect).rules),
    ),
  ];
}
