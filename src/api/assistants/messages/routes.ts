import { NO_BODY, SMALL_BODY } from "../../../http/body-limit.ts";
import { listPage, readCursor } from "../../../http/openai.ts";
import { type Operation, operation } from "../../../http/operation.ts";
import { readBody, TEXT_BODY } from "../body.ts";
import {
  CreateMessageBody,
  ListMessagesQuery,
  Message,
  MessageDeleted,
  MessageList,
  ModifyMessageBody,
} from "./schema.ts";
import type { MessagesService } from "./service.ts";

const PATH = "/v1/threads/{thread_id}/messages";

/** `/v1/threads/{thread_id}/messages` */
export function messageOperations(messages: MessagesService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createMessage",
        summary: "Post a message to a thread",
        description:
          "Not while a run of the thread is active. A file attached for `file_search` needs a key of role `write`.",
        tag: "Assistants",
        role: "read",
        body: CreateMessageBody,
        bodyLimit: TEXT_BODY,
        response: Message,
        returns: "The message",
        errors: [
          "thread_not_found",
          "thread_locked",
          "file_not_found",
          "unsupported_file",
          "vector_store_not_found",
          "vector_store_suspended",
          "vector_store_limit_reached",
          "file_limit_reached",
          "overloaded",
          "missing_required_parameter",
          "invalid_value",
        ],
        examples: { body: { role: "user", content: "How long do refunds take?" } },
      },
      (call) => messages.create(call, call.params.thread_id, call.body),
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "listMessages",
        summary: "List the messages of a thread",
        tag: "Assistants",
        role: "read",
        query: ListMessagesQuery,
        bodyLimit: NO_BODY,
        response: MessageList,
        returns: "A page of messages",
        errors: ["thread_not_found", "invalid_value"],
      },
      async (call) => {
        const { query, params, dialect } = call;
        const asked = { cursor: readCursor(query), runId: query.run_id ?? null };
        const { data, hasMore } = await messages.list(call, params.thread_id, asked);
        return listPage(data, hasMore, dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${PATH}/{message_id}`,
        operationId: "getMessage",
        summary: "Retrieve a message",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: Message,
        returns: "The message",
        errors: ["thread_not_found", "message_not_found"],
      },
      (call) => messages.get(call, call.params.thread_id, call.params.message_id),
    ),
    operation(
      {
        method: "POST",
        path: `${PATH}/{message_id}`,
        operationId: "modifyMessage",
        summary: "Change the metadata of a message",
        tag: "Assistants",
        role: "read",
        alsoPatch: true,
        body: ModifyMessageBody,
        readsBody: true,
        bodyLimit: SMALL_BODY,
        response: Message,
        returns: "The message",
        errors: ["thread_not_found", "message_not_found"],
        examples: { body: { metadata: { topic: "refunds" } } },
      },
      (call) => {
        const { thread_id: threadId, message_id: id } = call.params;
        return messages.modify(call, { threadId, id }, readBody(ModifyMessageBody, call.body));
      },
    ),
    operation(
      {
        method: "DELETE",
        path: `${PATH}/{message_id}`,
        operationId: "deleteMessage",
        summary: "Delete a message",
        description: "Later runs do not know of it.",
        tag: "Assistants",
        role: "read",
        bodyLimit: NO_BODY,
        response: MessageDeleted,
        returns: "That it is gone",
        errors: ["thread_not_found", "message_not_found"],
      },
      async (call) => {
        const id = call.params.message_id;
        await messages.remove(call, call.params.thread_id, id);
        return { id, object: "thread.message.deleted", deleted: true };
      },
    ),
  ];
}
