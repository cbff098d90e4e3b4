/** What a request goes on from: nothing, a Response with all before it, or a conversation. */
import { AppError } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import { shown } from "../../platform/words.ts";
import type { ConversationRow } from "../../storage/conversations.ts";
import type { KeptInputMessage, KeptItem } from "../../storage/response-items.ts";
import type { ResponseRow } from "../../storage/responses.ts";
import type { Storage } from "../../storage/storage.ts";

type Tables = Pick<Storage, "responses" | "conversations">;
type Calls = { type: KeptItem["type"]; call_id: string }[];

export interface Before {
  previous: ResponseRow | null;
  conversation: ConversationRow | null;
  /** Everything that was said, oldest first. */
  items(): Promise<KeptItem[]>;
  /** Calls of functions, and what came of them. */
  calls(): Promise<Calls>;
  lastUserMessage(): Promise<KeptInputMessage | null>;
}

export const NOTHING: Before = {
  previous: null,
  conversation: null,
  items: () => Promise.resolve([]),
  calls: () => Promise.resolve([]),
  lastUserMessage: () => Promise.resolve(null),
};

/** Throws a 400 where it is not there, or cannot be gone on from. */
export async function afterResponse({ responses }: Tables, caller: Caller, id: string): Promise<Before> {
  const { tenantId } = caller;
  const previous = await responses.get(tenantId, id);
  if (previous === null || !mayKnow(caller, previous.key_id)) {
    const text = `Previous response with id '${shown(id)}' not found.`;
    throw new AppError("previous_response_not_found", text, { param: "previous_response_id" });
  }
  const { seq, status } = previous;
  if (status === "queued" || status === "in_progress" || status === "failed") {
    const text = `Invalid 'previous_response_id': the Response '${previous.id}' is ${status}.`;
    throw new AppError("invalid_value", text, { param: "previous_response_id" });
  }
  return {
    previous,
    conversation: null,
    items: () => responses.conversation(tenantId, { response: seq }),
    calls: () => responses.calls(tenantId, seq),
    lastUserMessage: () => responses.lastUserMessage(tenantId, seq),
  };
}

export async function inConversation(tables: Tables, conversation: ConversationRow): Promise<Before> {
  const all = await tables.conversations.items(conversation.tenant_id, conversation.seq);
  return {
    previous: null,
    conversation,
    items: () => Promise.resolve(all),
    calls: () =>
      Promise.resolve(
        all.flatMap((item) =>
          item.type === "function_call" || item.type === "function_call_output"
            ? [{ type: item.type, call_id: item.call_id }]
            : [],
        ),
      ),
    lastUserMessage: () => Promise.resolve(all.findLast(isUserMessage) ?? null),
  };
}

/** Throws a 404 where it is not there. A key that is limited to stores knows only what it made itself. */
export async function conversationOf(
  { conversations }: Pick<Tables, "conversations">,
  caller: Caller,
  id: string,
): Promise<ConversationRow> {
  const row = await conversations.get(caller.tenantId, id);
  if (row !== null && mayKnow(caller, row.key_id)) return row;
  throw new AppError("conversation_not_found", `Conversation with id '${shown(id)}' not found.`);
}

function isUserMessage(item: KeptItem): item is KeptInputMessage {
  return item.type === "message" && item.role === "user";
}

/** A key that is limited to stores sees what it made itself: answers hold passages of other stores. */
export function mayKnow(caller: Caller, keyId: string): boolean {
  return caller.storeIds === null || caller.keyId === keyId;
}

/** Who may only read can take back what it asked for itself. */
export function assertOwn(caller: Caller, { key_id: keyId }: { key_id: string }, what = "Responses"): void {
  if (caller.role !== "read" || caller.keyId === keyId) return;
  throw new AppError("permission_denied", `A key of role 'read' can change only the ${what} that it made itself.`);
}
