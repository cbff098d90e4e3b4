import { NO_BODY } from "../../../http/body-limit.ts";
import { listPage, readCursor } from "../../../http/openai.ts";
import { type Operation, operation } from "../../../http/operation.ts";
import { readBody, TEXT_BODY } from "../body.ts";
import { CreateThreadBody, ListThreadsQuery, ModifyThreadBody, Thread, ThreadDeleted, ThreadList } from "./schema.ts";
import type { ThreadsService } from "./service.ts";

const PATH = "/v1/threads";
const STORES = [
  "vector_store_not_found",
  "vector_store_suspended",
  "vector_store_limit_reached",
  "file_not_found",
  "file_limit_reached",
  "overloaded",
  "invalid_value",
] as const;

/** `/v1/threads` */
export function threadOperations(threads: ThreadsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createThread",
        summary: "Create a thread",
        description: "Vector stores that are made with it, or for files of its messages, need a key of role `write`.",
        tag: "Assistants",
        role: "read",
        body: CreateThreadBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Thread,
        returns: "The thread",
        errors: ["unsupported_file", ...STORES],
        examples: { body: { messages: [{ role: "user", content: "How long do refunds take?" }] } },
      },
      (call) => threads.create(call, readBody(CreateThreadBody, call.body)),
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listThreads",
        summary: "List threads",
        tag: "Assistants",
        role: "read",
        query: ListThreadsQuery,
        bodyLimit: NO_BODY,
        response: ThreadList,
        returns: "A page of threads",
        errors: ["invalid_value"],
      },
      async (call) => {
        const { data, hasMore } = await threads.list(call, readCursor(call.query));
        return listPage(data, hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{thread_id}`,
        operationId: "getThread",
        summary: "Retrieve a thread",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: Thread,
        returns: "The thread",
        errors: ["thread_not_found"],
      },
      (call) => threads.get(call, call.params.thread_id),
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{thread_id}`,
        operationId: "modifyThread",
        summary: "Modify a thread",
        tag: "Assistants",
        role: "read",
        alsoPatch: true,
        body: ModifyThreadBody,
        readsBody: true,
        bodyLimit: TEXT_BODY,
        response: Thread,
        returns: "The thread",
        errors: ["thread_not_found", ...STORES],
        examples: { body: { metadata: { topic: "refunds" } } },
      },
      (call) => threads.modify(call, call.params.thread_id, readBody(ModifyThreadBody, call.body)),
    ),
    operation(
      {
        method: "DELETE",
        path: `${PATH}/{thread_id}`,
        operationId: "deleteThread",
        summary: "Delete a thread, its messages and its runs",
        description: "A run that is active is stopped. Vector stores stay.",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: ThreadDeleted,
        returns: "That it is gone",
        errors: ["thread_not_found"],
      },
      async (call) => {
        const id = call.params.thread_id;
        await threads.remove(call, id);
        return { id, object: "thread.deleted", deleted: true };
      },
    ),
  ];
}
