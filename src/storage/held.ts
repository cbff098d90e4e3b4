import { DATABASE_MS } from "./dialect.ts";
import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, table, text } from "./table.ts";

export const HELD = table("held", {
  tenant_id: id<TenantId>(),
  name: text(),
  holder: text(),
  /** By the database's clock. */
  until_ms: integer(),
});

/**
 * What one request at a time has the use of, of all servers of a database: so with PostgreSQL alone. Held until a time,
 * for whoever holds it may be gone; its clock is the database's.
 */
export interface HeldTable {
  /** False where somebody else holds it. For the same holder again: longer. */
  take(tenantId: TenantId, name: string, holder: string, ms: number): Promise<boolean>;
  free(tenantId: TenantId, name: string, holder: string): Promise<void>;
  isHeld(tenantId: TenantId, name: string): Promise<boolean>;
}

const TAKE = /*sql*/ `INSERT INTO held (tenant_id, name, holder, until_ms) VALUES (?1, ?2, ?3, ${DATABASE_MS} + ?4)
  ON CONFLICT (tenant_id, name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
    WHERE held.until_ms < ${DATABASE_MS} OR held.holder = excluded.holder`;
const FREE = /*sql*/ `DELETE FROM held WHERE tenant_id = ?1 AND name = ?2 AND holder = ?3`;
const IS_HELD = /*sql*/ `SELECT 1 AS n FROM held WHERE tenant_id = ?1 AND name = ?2 AND until_ms >= ${DATABASE_MS}`;

export function heldTable(sql: Sql): HeldTable {
  return {
    take: async (tenantId, name, holder, ms) =>
      (await sql.atomic((tx) => tx.run(TAKE, [tenantId, name, holder, ms]), "work")) > 0,
    free: async (tenantId, name, holder) =>
      void (await sql.atomic((tx) => tx.run(FREE, [tenantId, name, holder]), "work")),
    isHeld: async (tenantId, name) => (await sql.get(IS_HELD, [tenantId, name])) !== null,
  };
}
