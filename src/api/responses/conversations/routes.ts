import { LARGE_BODY, NO_BODY, SMALL_BODY } from "../../../http/body-limit.ts";
import { listPage, readCursor } from "../../../http/openai.ts";
import { type Call, type Operation, operation } from "../../../http/operation.ts";
import type { Validator } from "../../../http/validate.ts";
import { assertNone, compileValidator } from "../../../http/validate.ts";
import type { ConversationRow } from "../../../storage/conversations.ts";
import type { KeptItem } from "../../../storage/response-items.ts";
import { type GivenItem, Item, ItemList } from "../items.ts";
import { pageOf } from "../page.ts";
import { showItem, type View } from "../present.ts";
import { withTypes } from "../request.ts";
import { checkPairs } from "../../attaching/input.ts";
import {
  Conversation,
  ConversationDeleted,
  CreateConversationBody,
  CreateItemsBody,
  IncludeQuery,
  ListQuery,
  UpdateConversationBody,
} from "./schema.ts";
import type { ConversationsService } from "./service.ts";

const PATH = "/v1/conversations";
const ONE = `${PATH}/{conversation_id}` as const;
const NOT_FOUND = "conversation_not_found" as const;
const ITEMS = ["missing_required_parameter", "invalid_value", "unsupported_value", "item_not_found"] as const;
const EXAMPLE = {
  items: [{ type: "message", role: "user", content: "How long do refunds take?" }],
  metadata: { topic: "refunds" },
};

const created = compileValidator(CreateConversationBody);
const added = compileValidator(CreateItemsBody);

/** `/v1/conversations` */
export function conversationOperations(conversations: ConversationsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "createConversation",
        summary: "Create a conversation",
        description: "`conversation` in a request for an answer goes on with it.",
        tag: "Responses",
        role: "read",
        body: CreateConversationBody,
        readsBody: true,
        bodyLimit: LARGE_BODY,
        response: Conversation,
        returns: "The conversation",
        errors: ITEMS,
        examples: { body: EXAMPLE },
      },
      async ({ caller, body }) => {
        const { items, metadata } = read(created, body) as { items?: GivenItem[]; metadata?: Record<string, string> };
        if (metadata) checkPairs(metadata, "metadata");
        return show(await conversations.create(caller, items ?? [], metadata ?? {}));
      },
    ),
    operation(
      {
        method: "GET",
        path: ONE,
        operationId: "getConversation",
        summary: "Retrieve a conversation",
        tag: "Responses",
        role: "read",
        bodyLimit: NO_BODY,
        response: Conversation,
        returns: "The conversation",
        errors: [NOT_FOUND],
      },
      async ({ caller, params }) => show(await conversations.get(caller, params.conversation_id)),
    ),
    operation(
      {
        method: "POST",
        path: ONE,
        operationId: "updateConversation",
        summary: "Change a conversation's metadata",
        tag: "Responses",
        role: "read",
        body: UpdateConversationBody,
        bodyLimit: SMALL_BODY,
        response: Conversation,
        returns: "The conversation",
        errors: [NOT_FOUND],
        examples: { body: { metadata: { topic: "refunds" } } },
      },
      async ({ caller, params, body }) => {
        if (body.metadata) checkPairs(body.metadata, "metadata");
        return show(await conversations.update(caller, params.conversation_id, body.metadata ?? {}));
      },
    ),
    operation(
      {
        method: "DELETE",
        path: ONE,
        operationId: "deleteConversation",
        summary: "Delete a conversation",
        description: "Its items stay where they are as long as their Responses do.",
        tag: "Responses",
        role: "read",
        bodyLimit: NO_BODY,
        response: ConversationDeleted,
        returns: "That it is gone",
        errors: [NOT_FOUND],
      },
      async ({ caller, params }) => {
        await conversations.remove(caller, params.conversation_id);
        return { id: params.conversation_id, object: "conversation.deleted", deleted: true };
      },
    ),
    operation(
      {
        method: "POST",
        path: `${ONE}/items`,
        operationId: "createConversationItems",
        summary: "Add items to a conversation",
        tag: "Responses",
        role: "read",
        query: IncludeQuery,
        body: CreateItemsBody,
        readsBody: true,
        bodyLimit: LARGE_BODY,
        response: ItemList,
        returns: "The items",
        errors: [NOT_FOUND, ...ITEMS],
        examples: { body: { items: EXAMPLE.items } },
      },
      async (call) => {
        const { items } = read(added, call.body) as { items: GivenItem[] };
        const kept = await conversations.add(call.caller, call.params.conversation_id, items);
        return listPage(shown(kept, viewOf(call)), false, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${ONE}/items`,
        operationId: "listConversationItems",
        summary: "List a conversation's items",
        tag: "Responses",
        role: "read",
        query: ListQuery,
        bodyLimit: NO_BODY,
        response: ItemList,
        returns: "A page of items",
        errors: [NOT_FOUND, "invalid_value"],
      },
      async (call) => {
        const all = shown(await conversations.items(call.caller, call.params.conversation_id), viewOf(call));
        const { data, hasMore } = pageOf(all, readCursor(call.query));
        return listPage(data, hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${ONE}/items/{item_id}`,
        operationId: "getConversationItem",
        summary: "Retrieve an item of a conversation",
        tag: "Responses",
        role: "read",
        query: IncludeQuery,
        bodyLimit: NO_BODY,
        response: Item,
        returns: "The item",
        errors: [NOT_FOUND, "item_not_found"],
      },
      async (call) => {
        const { conversation_id: id, item_id: itemId } = call.params;
        const [item = {}] = shown([await conversations.item(call.caller, id, itemId)], viewOf(call));
        return item;
      },
    ),
    operation(
      {
        method: "DELETE",
        path: `${ONE}/items/{item_id}`,
        operationId: "deleteConversationItem",
        summary: "Take an item out of a conversation",
        description: "The Response that it came with keeps it.",
        tag: "Responses",
        role: "read",
        bodyLimit: NO_BODY,
        response: Conversation,
        returns: "The conversation",
        errors: [NOT_FOUND, "item_not_found"],
      },
      async ({ caller, params }) => show(await conversations.takeOut(caller, params.conversation_id, params.item_id)),
    ),
  ];
}

/** The body in the form of its schema, whose items may come without their types. */
function read(validator: Validator, sent: unknown): unknown {
  const { value, problem } = validator.read(withTypes(sent, "items"));
  assertNone(problem);
  return value;
}

function viewOf({
  dialect,
  query,
}: Pick<Call<unknown, { include?: View["include"] | undefined }>, "dialect" | "query">) {
  return { dialect, include: query.include ?? [] };
}

function shown(items: readonly KeptItem[], view: View): Item[] {
  return items.flatMap((item) => showItem(item, view) ?? []);
}

function show({ id, created_at, metadata }: ConversationRow): Conversation {
  return { id, object: "conversation", created_at, metadata };
}
