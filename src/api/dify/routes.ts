import { LARGE_BODY } from "../../http/body-limit.ts";
import { operation, type Operation, type RefusalShape } from "../../http/operation.ts";
import { DifyBody, DifyError, DifyRecords } from "./schema.ts";
import type { DifyService } from "./service.ts";

/** Dify takes a connection for good unless it hears 403, 404 or 502: a 401 would be saved as working. */
const REFUSAL: RefusalShape = {
  schema: DifyError,
  status: (code, usual) => (code === "invalid_api_key" ? 403 : usual),
  body({ code, message }, { status, request }): DifyError {
    return { error_code: numberOf(code, status, request.headers), error_msg: message };
  },
};

function numberOf(code: string, status: number, headers: Headers): number {
  if (code === "vector_store_not_found") return 2001;
  if (code !== "invalid_api_key") return 1000 + status;
  return /^Bearer\s+\S/i.test(headers.get("authorization") ?? "") || headers.has("api-key") ? 1002 : 1001;
}

export function difyOperations(service: DifyService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/dify/retrieval",
        operationId: "retrieveForDify",
        summary: "Search a vector store, as Dify asks for external knowledge",
        description:
          "Dify appends `/retrieval` to the endpoint that is entered there: `http://…/dify`. `/api/v1/dify/retrieval` (RAGFlow's) and `/v1/dify/retrieval` are the same. Conditions are on the attributes of files.",
        tag: "Other programs",
        role: "read",
        body: DifyBody,
        bodyLimit: LARGE_BODY,
        foreignKeys: ["use_kg"],
        response: DifyRecords,
        returns: "The best passages, best first",
        errors: [
          "missing_required_parameter",
          "invalid_value",
          "invalid_filter",
          "vector_store_not_found",
          "vector_store_expired",
          "vector_store_suspended",
          "embedding_model_unavailable",
          "embedding_provider_error",
          "overloaded",
        ],
        refusal: REFUSAL,
        examples: {
          body: {
            knowledge_id: "vs_abc123",
            query: "What is the return policy?",
            retrieval_setting: { top_k: 3, score_threshold: 0.1 },
            metadata_condition: {
              logical_operator: "and",
              conditions: [{ name: "category", comparison_operator: "is", value: "support" }],
            },
          },
        },
      },
      ({ body, caller, signal }) => service.retrieve(caller, body, signal),
    ),
  ];
}
