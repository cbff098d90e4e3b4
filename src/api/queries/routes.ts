import { listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
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
        description:
          "The query log, kept for as long and as much as the operator allows. Where `query`, `empty`, `min_latency_ms` or `key_id` choose, it looks through 20,000 searches from where the page begins.",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: ListQueriesQuery,
        response: LoggedQueryList,
        returns: "A page of searches",
        errors: ["vector_store_not_found", "vector_store_suspended", "invalid_since", "invalid_value"],
      },
      async (call) => {
        const { data, hasMore } = await queries.list(askingOf(call), readCursor(call.query), call.query);
        return listPage(data, hasMore, call.dialect);
      },
    ),
  ];
}
