import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
import { StatsQuery, StoreStats } from "./schema.ts";
import type { StatsService } from "./service.ts";

/** `…/stats` */
export function statsOperations(stats: StatsService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/stats",
        operationId: "getVectorStoreStats",
        summary: "Statistics of a store",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: StatsQuery,
        response: StoreStats,
        returns: "Searches and ingests over time",
        errors: ["vector_store_not_found", "vector_store_suspended", "invalid_window"],
      },
      (call) => stats.of(askingOf(call), call.query.window),
    ),
  ];
}
