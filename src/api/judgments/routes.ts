import { listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
import {
  AddedJudgments,
  AddJudgmentsBody,
  JUDGED_BODY,
  JudgmentDeleted,
  JudgmentPage,
  JudgmentsDeleted,
  ListJudgmentsQuery,
} from "../judgment-schema.ts";
import type { JudgmentsService } from "./service.ts";

const PATH = "/v1/vector_stores/{vector_store_id}/judgments";
const ERRORS = ["vector_store_not_found", "vector_store_suspended"] as const;
/** `…/judgments` */
export function judgmentOperations(judgments: JudgmentsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "addVectorStoreJudgments",
        summary: "Add judged queries",
        description:
          "Queries with the files or chunks that answer them, for evaluations and for the reports of migrations. A query that is there already gets the new list; with `merge`, only the files and chunks that are given change in it.",
        tag: "Lectern",
        role: "write",
        body: AddJudgmentsBody,
        bodyLimit: JUDGED_BODY,
        response: AddedJudgments,
        returns: "What was added",
        errors: [...ERRORS, "vector_store_expired", "invalid_value", "array_above_max_length"],
        examples: {
          body: {
            judgments: [{ query: "What is the return policy?", relevant: [{ file_id: "file-abc123", grade: 2 }] }],
          },
        },
      },
      async (call) => {
        const { data, ...counts } = await judgments.add(askingOf(call), call.body);
        return { ...listPage(data, false, call.dialect), ...counts };
      },
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listVectorStoreJudgments",
        summary: "List judged queries",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: ListJudgmentsQuery,
        response: JudgmentPage,
        returns: "A page of judged queries",
        errors: [...ERRORS, "invalid_value"],
      },
      async (call) => {
        const { data, hasMore } = await judgments.list(askingOf(call), readCursor(call.query), call.query.query);
        return listPage(data, hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "DELETE",
        path: PATH,
        operationId: "deleteVectorStoreJudgments",
        summary: "Delete every judged query of a store",
        tag: "Lectern",
        role: "write",
        bodyLimit: NO_BODY,
        response: JudgmentsDeleted,
        returns: "How many there were",
        errors: ERRORS,
      },
      async (call) => {
        const id = call.params.vector_store_id;
        const count = await judgments.removeAll(askingOf(call));
        return { id, object: "vector_store.judgments.deleted", deleted: true, count };
      },
    ),
    operation(
      {
        method: "DELETE",
        path: `${PATH}/{judgment_id}`,
        operationId: "deleteVectorStoreJudgment",
        summary: "Delete a judged query",
        tag: "Lectern",
        role: "write",
        bodyLimit: NO_BODY,
        response: JudgmentDeleted,
        returns: "That it is gone",
        errors: [...ERRORS, "judgment_not_found"],
      },
      async (call) => {
        const id = call.params.judgment_id;
        await judgments.remove(askingOf(call), id);
        return { id, object: "vector_store.judgment.deleted", deleted: true };
      },
    ),
  ];
}
