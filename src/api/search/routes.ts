import { float } from "../../http/openai.ts";
import type { Operation } from "../../http/operation.ts";
import { LARGE_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { askingOf } from "../asking.ts";
import { SearchBody, SearchPage } from "./schema.ts";
import type { SearchService } from "./service.ts";

export function searchOperations(service: SearchService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/vector_stores/{vector_store_id}/search",
        operationId: "searchVectorStore",
        summary: "Search a vector store",
        description:
          "Vectors and keywords together, unless `search_mode` says otherwise; filters apply before anything is ranked.",
        tag: "Vector stores",
        role: "read",
        body: SearchBody,
        bodyLimit: LARGE_BODY,
        foreignKeys: ["return_metadata", "provider_id", "extra_body"],
        response: SearchPage,
        returns: "The best chunks, best first",
        errors: [
          "vector_store_not_found",
          "vector_store_expired",
          "vector_store_suspended",
          "invalid_filter",
          "invalid_dimensions",
          "permission_denied",
          "migration_not_found",
          "migration_not_searchable",
          "embedding_model_unavailable",
          "embedding_provider_error",
          "reranker_unavailable",
          "overloaded",
        ],
        examples: {
          body: {
            query: "What is the return policy?",
            max_num_results: 5,
            filters: { type: "eq", key: "category", value: "support" },
          },
        },
      },
      async (call) => {
        const { search } = presenterFor(call.dialect);
        const { page, generation } = await service.search(askingOf(call), call.body, call.signal);
        call.headers.set("x-lectern-generation", String(generation));
        return search({ ...page, data: page.data.map((result) => ({ ...result, score: float(result.score) })) });
      },
    ),
  ];
}
