import type { ConversationId, ConversationSeq, KeyId, ResponseId, TenantId } from "./ids.ts";
import type { KeptItem } from "./response-items.ts";
import { responsesTable } from "./responses.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, table } from "./table.ts";

export const CONVERSATION = table("conversation", {
  seq: integer<ConversationSeq>(),
  id: id<ConversationId>(),
  tenant_id: id<TenantId>(),
  /** The key that made it. */
  key_id: id<KeyId>(),
  created_at: integer(),
  metadata: json<Record<string, string>>(),
});

export type ConversationRow = RowOf<typeof CONVERSATION>;

/** Conversations, and the items that were said in them. */
export interface ConversationsTable {
  insert(conversation: Omit<ConversationRow, "seq">): Promise<ConversationRow>;
  get(tenantId: TenantId, id: ConversationId): Promise<ConversationRow | null>;
  setMetadata(tenantId: TenantId, id: ConversationId, metadata: Record<string, string>): Promise<void>;
  /** Its items stay where their Responses are. */
  remove(tenantId: TenantId, id: ConversationId): Promise<boolean>;
  /** Items that no Response brought; inside a transaction of the caller. */
  add(conversation: ConversationRow, holder: ResponseId, items: readonly KeptItem[], now: number): Promise<void>;
  /** In order; those that stand for another as that one. */
  items(tenantId: TenantId, conversation: ConversationSeq): Promise<KeptItem[]>;
  /** False where it has none of that id. */
  takeOut(tenantId: TenantId, conversation: ConversationSeq, itemId: string): Promise<boolean>;
  /** Whether an answer in it has not ended. */
  isAnswered(conversation: ConversationSeq): Promise<boolean>;
  removeOfTenant(tenantId: TenantId, limit: number): Promise<number>;
}

const BY_ID = /*sql*/ `SELECT ${CONVERSATION.list} FROM conversation WHERE tenant_id = ?1 AND id = ?2`;
const SET_METADATA = /*sql*/ `UPDATE conversation SET metadata = ?3 WHERE tenant_id = ?1 AND id = ?2`;
const REMOVE = /*sql*/ `DELETE FROM conversation WHERE tenant_id = ?1 AND id = ?2`;
const TAKE_OUT = /*sql*/ `UPDATE response_item SET removed = 1 WHERE seq IN (
  SELECT i.seq FROM response c CROSS JOIN response_item i WHERE i.response = c.seq
    AND c.tenant_id = ?1 AND c.conversation = ?2 AND c.status IN ('completed', 'incomplete')
    AND i.removed = 0 AND (i.id = ?3 OR (i.type = 'item_reference' AND json_extract(i.body, '$.to') = ?3)))`;
const IS_ANSWERED = /*sql*/ `SELECT count(*) AS n FROM response WHERE conversation = ?1 AND status IN ('queued', 'in_progress')`;
const OF_TENANT = /*sql*/ `DELETE FROM conversation WHERE seq IN (SELECT seq FROM conversation WHERE tenant_id = ?1 LIMIT ?2)`;

export function conversationsTable(sql: Sql): ConversationsTable {
  return {
    insert: (conversation) => CONVERSATION.insert(sql, conversation),
    get: (tenantId, conversationId) => CONVERSATION.get(sql, BY_ID, [tenantId, conversationId]),
    async setMetadata(tenantId, conversationId, metadata) {
      await sql.run(SET_METADATA, [tenantId, conversationId, JSON.stringify(metadata)]);
    },
    remove: (tenantId, conversationId) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return (await tx.run(REMOVE, [tenantId, conversationId])) > 0;
      }),
    async add({ seq, tenant_id, key_id }, holder, items, now) {
      const request = { ignored: [], include: [], echo: {} };
      const unseen = { id: holder, tenant_id, key_id, request, conversation: seq, created_at: now, completed_at: now };
      const nothing = { parent: null, previous_id: null, question: null, outcome: null, background: false };
      await responsesTable(sql).insert({ ...unseen, ...nothing, status: "completed" }, { input: items, output: [] });
    },
    items: (tenantId, conversation) => responsesTable(sql).conversation(tenantId, { conversation, of: null }),
    takeOut: async (tenantId, conversation, itemId) => (await sql.run(TAKE_OUT, [tenantId, conversation, itemId])) > 0,
    isAnswered: async (conversation) => ((await sql.get<{ n: number }>(IS_ANSWERED, [conversation]))?.n ?? 0) > 0,
    removeOfTenant: (tenantId, limit) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(OF_TENANT, [tenantId, limit]);
      }),
  };
}
