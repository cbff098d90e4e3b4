import { listPage, readCursor } from "../../http/openai.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { ListQueriesQuery, LoggedQueryList } from "./schema.ts";
import type { QueriesService } from "./service.ts";

/** `…/queries` */
export function queryOperations(queries: QueriesService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/queries",
        operationId: "listVectorStoreQueries",
        summary: "List a store's searches",
        description: "The query log, kept for as long and as much as the operator allows.",
        tag: "Lectern",
        role: "read",
        query: ListQueriesQuery,
        response: LoggedQueryList,
        returns: "A page of searches",
        errors: ["vector_store_not_found", "vector_store_suspended", "invalid_since", "invalid_value"],
      },
      async ({ caller, params, query, dialect }) => {
        const { rules } = presenterFor(dialect);
        const { data, hasMore } = await queries.list(
          caller,
          params.vector_store_id,
          readCursor(query),
          query.since,
          rules,
        );
        return listPage(data, hasMore, dialect);
      },
    ),
  ];
}
