import { DATABASE_MS } from "./dialect.ts";
import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, table, text } from "./table.ts";

export const CONSOLE_PASS = table("console_pass", {
  tenant_id: id<TenantId>(),
  /** Hex; what it is of is kept nowhere. */
  hash: text(),
  kind: text<"code" | "session">(),
  /** By the database's clock. */
  ends_ms: integer(),
});

/**
 * Codes that open the console once and the keys made for them, known to all servers of a database: so with PostgreSQL
 * alone, whose clock says when one has ended.
 */
export interface ConsolePassesTable {
  /** Of more than `most` of a kind those that end first are forgotten, and all that have ended. */
  add(tenantId: TenantId, pass: { hash: string; kind: "code" | "session"; ms: number }, most: number): Promise<void>;
  /** Uses a code up; false where it is unknown, used up or too old. */
  take(tenantId: TenantId, hash: string): Promise<boolean>;
  /** Whether the key of this hash is good. */
  isSession(tenantId: TenantId, hash: string): Promise<boolean>;
}

const ADD = /*sql*/ `INSERT INTO console_pass (tenant_id, hash, kind, ends_ms) VALUES (?1, ?2, ?3, ${DATABASE_MS} + ?4)`;
const TRIM = /*sql*/ `DELETE FROM console_pass WHERE tenant_id = ?1 AND (ends_ms <= ${DATABASE_MS} OR (kind = ?2 AND hash IN (
  SELECT hash FROM console_pass WHERE tenant_id = ?1 AND kind = ?2 ORDER BY ends_ms DESC, hash OFFSET ?3)))`;
const TAKE = /*sql*/ `DELETE FROM console_pass WHERE tenant_id = ?1 AND hash = ?2 AND kind = 'code' RETURNING ends_ms > ${DATABASE_MS} AS is_good`;
const IS_SESSION = /*sql*/ `SELECT 1 AS n FROM console_pass WHERE tenant_id = ?1 AND hash = ?2 AND kind = 'session' AND ends_ms > ${DATABASE_MS}`;

export function consolePassesTable(sql: Sql): ConsolePassesTable {
  return {
    add: (tenantId, { hash, kind, ms }, most) =>
      sql.atomic(async (tx) => {
        await tx.run(ADD, [tenantId, hash, kind, ms]);
        await tx.run(TRIM, [tenantId, kind, most]);
      }),
    take: async (tenantId, hash) => (await sql.get<{ is_good: number }>(TAKE, [tenantId, hash]))?.is_good === 1,
    isSession: async (tenantId, hash) => (await sql.get(IS_SESSION, [tenantId, hash])) !== null,
  };
}
