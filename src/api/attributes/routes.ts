import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { askingOf } from "../asking.ts";
import { StoreAttributes } from "./schema.ts";
import type { AttributesService } from "./service.ts";

/** `…/attributes` */
export function attributeOperations(attributes: AttributesService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/attributes",
        operationId: "listVectorStoreAttributes",
        summary: "List the attributes of a store's files and chunks",
        description: "Which names and values a filter can ask for, as the files of the store have them now.",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: StoreAttributes,
        returns: "Names and values",
        errors: ["vector_store_not_found", "vector_store_suspended"],
      },
      (call) => attributes.of(askingOf(call)),
    ),
  ];
}
