import type { TenantId } from "./ids.ts";
import { type KeysTable, keysTable } from "./keys.ts";
import type { Page, PageQuery } from "./page.ts";
import { NO_QUOTAS, type Quotas, wholeQuotas } from "./quotas.ts";
import type { Sql } from "./sql.ts";
import { untilCommit } from "./until-commit.ts";
import { id, integer, json, rowid, type RowOf, table, text } from "./table.ts";

export const TENANT = table("tenant", {
  /** Place in lists. */
  seq: rowid(),
  id: id<TenantId>(),
  name: text(),
  status: text<"active" | "suspended">(),
  quotas: json<Quotas>(NO_QUOTAS),
  created_at: integer(),
});

export type TenantRow = RowOf<typeof TENANT>;

export interface TenantChanges {
  name?: string;
  status?: TenantRow["status"];
  quotas?: Partial<Quotas>;
}

/** Tenants and their API keys. */
export interface TenantsTable extends KeysTable {
  insert(tenant: { id: TenantId; name: string; createdAt: number }): Promise<void>;
  get(id: TenantId): Promise<TenantRow | null>;
  /** The tenant made at first start; its administrators administer the server. */
  first(): Promise<TenantRow | null>;
  update(id: TenantId, changes: TenantChanges): Promise<void>;
  /** The tenant and its keys; what it owns must be gone before. */
  remove(id: TenantId): Promise<boolean>;
  /** `only`: the one tenant that may be seen, or null for all. */
  list(page: PageQuery, only: TenantId | null): Promise<Page<TenantRow>>;
}

const BY_ID = /*sql*/ `SELECT ${TENANT.list} FROM tenant WHERE id = ?1`;
const FIRST = /*sql*/ `SELECT ${TENANT.list} FROM tenant ORDER BY created_at, rowid LIMIT 1`;
const REMOVE = /*sql*/ `DELETE FROM tenant WHERE id = ?1`;
const LISTED = /*sql*/ `tenant WHERE (CAST(?1 AS TEXT) IS NULL OR id = ?1)`;

export function tenantsTable(sql: Sql): TenantsTable {
  return {
    ...keysTable(sql),
    async insert({ id, name, createdAt }) {
      await TENANT.insert(sql, { id, name, status: "active", created_at: createdAt });
    },
    get: untilCommit(sql, (id: TenantId) => TENANT.get(sql, BY_ID, [id])),
    first: () => TENANT.get(sql, FIRST),
    async update(id, { quotas, ...changes }) {
      await TENANT.update(sql, { id }, { ...changes, quotas: quotas && wholeQuotas(quotas) });
    },
    remove: async (id) => (await sql.run(REMOVE, [id])) > 0,
    list: (page, only) => TENANT.page(sql, { from: LISTED, params: [only], cursor: "rowid" }, page),
  };
}
