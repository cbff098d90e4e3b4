import type { KeyId, TenantId, ThreadId, ThreadSeq } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, type RowOf, table } from "./table.ts";
import type { KeptResources } from "./thread-items.ts";

export const THREAD = table("thread", {
  seq: integer<ThreadSeq>(),
  id: id<ThreadId>(),
  tenant_id: id<TenantId>(),
  /** The key that made it. */
  key_id: id<KeyId>(),
  created_at: integer(),
  /** When something was last put into it. */
  used_at: integer(),
  /** Number of its next message, from 0; never used twice. */
  next_number: integer(),
  metadata: json<Record<string, string>>(),
  tool_resources: json<KeptResources>(),
});

export type ThreadRow = RowOf<typeof THREAD>;

/** `keyId`: only those that this key made; null: all. Messages, runs and steps go with their thread. */
export interface ThreadsTable {
  insert(thread: Omit<ThreadRow, "seq" | "next_number">): Promise<ThreadRow>;
  get(tenantId: TenantId, id: ThreadId): Promise<ThreadRow | null>;
  list(tenantId: TenantId, keyId: KeyId | null, page: PageQuery): Promise<Page<ThreadRow>>;
  update(
    tenantId: TenantId,
    id: ThreadId,
    changes: Partial<Pick<ThreadRow, "metadata" | "tool_resources">>,
  ): Promise<void>;
  /** Something is put into it: so many messages, whose first number is returned. Inside a transaction of the caller. */
  use(thread: ThreadRow, messages: number, at: number): Promise<number>;
  /** Nobody else begins a run in it, or puts something into it, before the transaction of the caller ends. */
  lock(thread: ThreadRow): Promise<void>;
  remove(tenantId: TenantId, id: ThreadId): Promise<boolean>;
  /** Removes up to `limit` that were not used since `before` and have no active run; returns how many. */
  trim(before: number, limit: number): Promise<number>;
  removeOfTenant(tenantId: TenantId, limit: number): Promise<number>;
}

const BY_ID = /*sql*/ `SELECT ${THREAD.list} FROM thread WHERE tenant_id = ?1 AND id = ?2`;
const LISTED = /*sql*/ `thread WHERE tenant_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR key_id = ?2)`;
const USE = /*sql*/ `UPDATE thread SET next_number = next_number + ?2, used_at = CASE WHEN used_at > ?3 THEN used_at ELSE ?3 END WHERE seq = ?1
  RETURNING next_number - ?2 AS first`;
const LOCK = /*sql*/ `SELECT seq FROM thread WHERE tenant_id = ?1 AND seq = ?2 FOR UPDATE`;
const REMOVE = /*sql*/ `DELETE FROM thread WHERE tenant_id = ?1 AND id = ?2`;
const TRIM = /*sql*/ `DELETE FROM thread WHERE seq IN (SELECT seq FROM thread t WHERE used_at < ?1
    AND NOT EXISTS (SELECT 1 FROM run r WHERE r.thread = t.seq
                      AND r.status IN ('queued', 'in_progress', 'requires_action', 'cancelling'))
  LIMIT ?2)`;
const OF_TENANT = /*sql*/ `DELETE FROM thread WHERE seq IN (SELECT seq FROM thread WHERE tenant_id = ?1 LIMIT ?2)`;

export function threadsTable(sql: Sql): ThreadsTable {
  const erased = (statement: string, params: (string | number)[]) =>
    sql.atomic(async (tx) => {
      tx.erase();
      return await tx.run(statement, params);
    });
  return {
    insert: (thread) => THREAD.insert(sql, { ...thread, next_number: 0 }),
    get: (tenantId, threadId) => THREAD.get(sql, BY_ID, [tenantId, threadId]),
    list: (tenantId, keyId, page) => THREAD.page(sql, { from: LISTED, params: [tenantId, keyId] }, page),
    update: async (tenantId, threadId, changes) =>
      void (await THREAD.update(sql, { tenant_id: tenantId, id: threadId }, changes)),
    use: async ({ seq }, messages, at) => (await sql.get<{ first: number }>(USE, [seq, messages, at]))?.first ?? 0,
    async lock({ tenant_id: tenantId, seq }) {
      // SQLite has one transaction at a time.
      if (sql.dialect === "postgres") await sql.get(LOCK, [tenantId, seq]);
    },
    remove: async (tenantId, threadId) => (await erased(REMOVE, [tenantId, threadId])) > 0,
    trim: (before, limit) => erased(TRIM, [before, limit]),
    removeOfTenant: (tenantId, limit) => erased(OF_TENANT, [tenantId, limit]),
  };
}
