import { DATABASE_SECONDS } from "./dialect.ts";
import type { TenantId } from "./ids.ts";
import type { Sql } from "./sql.ts";
import { id, integer, table, text } from "./table.ts";

export const LIST_PLACE = table("list_place", {
  tenant_id: id<TenantId>(),
  /** The list, and the id in it. */
  name: text(),
  seq: integer(),
  /** Unix seconds, by the database's clock. */
  noted_at: integer(),
});

/**
 * Where the ends of pages stood, for whoever goes on from a row that is there no more at another server than the one that
 * handed the page out: so with PostgreSQL alone.
 */
export interface ListPlacesTable {
  note(tenantId: TenantId, places: readonly { name: string; seq: number }[]): Promise<void>;
  find(tenantId: TenantId, name: string): Promise<number | undefined>;
  /** Forgets up to `limit` that were noted longer ago. */
  trim(seconds: number, limit: number): Promise<number>;
}

const NOTE = /*sql*/ `INSERT INTO list_place (tenant_id, name, seq, noted_at) VALUES (?1, ?2, ?3, ${DATABASE_SECONDS})
  ON CONFLICT (tenant_id, name) DO UPDATE SET seq = excluded.seq, noted_at = excluded.noted_at`;
const FIND = /*sql*/ `SELECT seq FROM list_place WHERE tenant_id = ?1 AND name = ?2`;
const TRIM = /*sql*/ `DELETE FROM list_place WHERE (tenant_id, name) IN (
  SELECT tenant_id, name FROM list_place WHERE noted_at < ${DATABASE_SECONDS} - ?1 ORDER BY noted_at LIMIT ?2)`;

export function listPlacesTable(sql: Sql): ListPlacesTable {
  return {
    note: (tenantId, places) =>
      sql.atomic(async (tx) => {
        // In one order, so that two pages noted at the same time do not wait for each other.
        for (const { name, seq } of places.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
          await tx.run(NOTE, [tenantId, name, seq]);
      }, "work"),
    find: async (tenantId, name) => (await sql.get<{ seq: number }>(FIND, [tenantId, name]))?.seq,
    trim: (seconds, limit) => sql.atomic((tx) => tx.run(TRIM, [seconds, limit]), "work"),
  };
}
