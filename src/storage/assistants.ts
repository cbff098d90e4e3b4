import type { AssistantId, KeyId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, table } from "./table.ts";
import type { KeptResources } from "./thread-items.ts";

/** What an assistant is, with every default filled in. */
export interface KeptAssistant {
  name: string | null;
  description: string | null;
  model: string;
  instructions: string | null;
  tools: Record<string, unknown>[];
  top_p: number;
  temperature: number;
  reasoning_effort: string | null;
  tool_resources: KeptResources;
  metadata: Record<string, string>;
  response_format: unknown;
}

export const ASSISTANT = table("assistant", {
  seq: integer(),
  id: id<AssistantId>(),
  tenant_id: id<TenantId>(),
  /** The key that made it. */
  key_id: id<KeyId>(),
  created_at: integer(),
  definition: json<KeptAssistant>(),
});

export type AssistantRow = RowOf<typeof ASSISTANT>;

/** `keyId`: only those that this key made; null: all. */
export interface AssistantsTable {
  insert(assistant: Omit<AssistantRow, "seq">): Promise<AssistantRow>;
  get(tenantId: TenantId, id: AssistantId): Promise<AssistantRow | null>;
  list(tenantId: TenantId, keyId: KeyId | null, page: PageQuery): Promise<Page<AssistantRow>>;
  update(tenantId: TenantId, id: AssistantId, definition: KeptAssistant): Promise<void>;
  remove(tenantId: TenantId, id: AssistantId): Promise<boolean>;
  removeOfTenant(tenantId: TenantId, limit: number): Promise<number>;
}

const BY_ID = /*sql*/ `SELECT ${ASSISTANT.list} FROM assistant WHERE tenant_id = ?1 AND id = ?2`;
const LISTED = /*sql*/ `assistant WHERE tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR key_id = ?2)`;
const REMOVE = /*sql*/ `DELETE FROM assistant WHERE tenant_id = ?1 AND id = ?2`;
const OF_TENANT = /*sql*/ `DELETE FROM assistant WHERE seq IN (SELECT seq FROM assistant WHERE tenant_id = ?1 LIMIT ?2)`;

export function assistantsTable(sql: Sql): AssistantsTable {
  return {
    insert: (assistant) => ASSISTANT.insert(sql, assistant),
    get: (tenantId, assistantId) => ASSISTANT.get(sql, BY_ID, [tenantId, assistantId]),
    list: (tenantId, keyId, page) => ASSISTANT.page(sql, { from: LISTED, params: [tenantId, keyId] }, page),
    update: async (tenantId, assistantId, definition) =>
      void (await ASSISTANT.update(sql, { tenant_id: tenantId, id: assistantId }, { definition })),
    remove: (tenantId, assistantId) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return (await tx.run(REMOVE, [tenantId, assistantId])) > 0;
      }),
    removeOfTenant: (tenantId, limit) =>
      sql.atomic(async (tx) => {
        tx.erase();
        return await tx.run(OF_TENANT, [tenantId, limit]);
      }),
  };
}
