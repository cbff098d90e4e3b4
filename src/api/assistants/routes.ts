import { NO_BODY } from "../../http/body-limit.ts";
import { listPage, readCursor } from "../../http/openai.ts";
import { type Operation, operation } from "../../http/operation.ts";
import { readBody, TEXT_BODY } from "./body.ts";
import {
  Assistant,
  AssistantDeleted,
  AssistantList,
  CreateAssistantBody,
  ListQuery,
  ModifyAssistantBody,
} from "./schema.ts";
import type { AssistantsService } from "./service.ts";

const PATH = "/v1/assistants";
const TOOLS = ["unsupported_value", "reranker_unavailable", "vector_store_not_found", "file_not_found"] as const;
const STORES = ["vector_store_limit_reached", "file_limit_reached", "vector_store_suspended", "overloaded"] as const;

/** `/v1/assistants` */
export function assistantOperations(assistants: AssistantsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createAssistant",
        summary: "Create an assistant",
        description:
          "What runs of threads answer as. `tool_resources.file_search.vector_stores` makes a vector store with its files.",
        tag: "Assistants",
        role: "write",
        body: CreateAssistantBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Assistant,
        returns: "The assistant",
        errors: ["missing_required_parameter", "invalid_value", ...TOOLS, ...STORES],
        examples: {
          body: {
            model: "gpt-4o",
            name: "Support",
            tools: [{ type: "file_search" }],
            tool_resources: { file_search: { vector_store_ids: ["vs_abc123"] } },
          },
        },
      },
      (call) => assistants.create(call, readBody(CreateAssistantBody, call.body)),
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listAssistants",
        summary: "List assistants",
        tag: "Assistants",
        role: "read",
        query: ListQuery,
        bodyLimit: NO_BODY,
        response: AssistantList,
        returns: "A page of assistants",
        errors: ["invalid_value"],
      },
      async (call) => {
        const { data, hasMore } = await assistants.list(call, readCursor(call.query));
        return listPage(data, hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{assistant_id}`,
        operationId: "getAssistant",
        summary: "Retrieve an assistant",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: Assistant,
        returns: "The assistant",
        errors: ["assistant_not_found"],
      },
      (call) => assistants.get(call, call.params.assistant_id),
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{assistant_id}`,
        operationId: "modifyAssistant",
        summary: "Modify an assistant",
        tag: "Assistants",
        role: "write",
        alsoPatch: true,
        body: ModifyAssistantBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Assistant,
        returns: "The assistant",
        errors: ["assistant_not_found", "invalid_value", ...TOOLS, ...STORES],
        examples: { body: { instructions: "Be brief." } },
      },
      (call) => assistants.modify(call, call.params.assistant_id, readBody(ModifyAssistantBody, call.body)),
    ),
    operation(
      {
        method: "DELETE",
        path: `${PATH}/{assistant_id}`,
        operationId: "deleteAssistant",
        summary: "Delete an assistant",
        description: "Its vector stores stay, and so do threads and the runs that it had.",
        tag: "Assistants",
        role: "write",
        bodyLimit: NO_BODY,
        response: AssistantDeleted,
        returns: "That it is gone",
        errors: ["assistant_not_found"],
      },
      async (call) => {
        const id = call.params.assistant_id;
        await assistants.remove(call, id);
        return { id, object: "assistant.deleted", deleted: true };
      },
    ),
  ];
}
