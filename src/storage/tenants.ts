import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface TenantRow {
  /** Place in lists. */
  seq: number;
  id: string;
  name: string;
  status: "active" | "suspended";
  /** JSON: see Quotas. */
  quotas: string;
  created_at: number;
}

export interface KeyRow {
  /** Place in lists. */
  seq: number;
  id: string;
  tenant_id: string;
  name: string;
  role: "admin" | "write" | "read";
  /** JSON array of store ids, or null for all stores of the tenant. */
  store_ids: string | null;
  dialect: string | null;
  quotas: string;
  hint: string;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
}

/** What a tenant or a key may have; null: the server's default, for a key the tenant's. */
export interface Quotas {
  max_vector_stores: number | null;
  max_files_per_store: number | null;
  max_bytes: number | null;
  requests_per_minute: number | null;
  concurrent_ingests: number | null;
}

export const NO_QUOTAS: Quotas = {
  max_vector_stores: null,
  max_files_per_store: null,
  max_bytes: null,
  requests_per_minute: null,
  concurrent_ingests: null,
};

/** Quotas as a row keeps them. */
export function parseQuotas(json: string): Quotas {
  return json === "{}" ? NO_QUOTAS : { ...NO_QUOTAS, ...(JSON.parse(json) as Partial<Quotas>) };
}

export interface NewKey {
  id: string;
  tenantId: string;
  hash: Uint8Array;
  name: string;
  role: KeyRow["role"];
  storeIds: string[] | null;
  dialect: string | null;
  quotas?: Partial<Quotas>;
  hint: string;
  createdAt: number;
  expiresAt: number | null;
}

export interface KeyChanges {
  name?: string | undefined;
  role?: KeyRow["role"] | undefined;
  storeIds?: string[] | null | undefined;
  dialect?: string | null | undefined;
  quotas?: Partial<Quotas> | undefined;
  expiresAt?: number | null | undefined;
}

const TENANT_COLUMNS = "rowid AS seq, id, name, status, quotas, created_at";
const KEY_COLUMNS =
  "rowid AS seq, id, tenant_id, name, role, store_ids, dialect, quotas, hint, created_at, expires_at, last_used_at";

export type TenantsTable = ReturnType<typeof tenantsTable>;

/** Tenants and their API keys. Keys are known only by their sha256. */
export function tenantsTable(sql: Sql) {
  const insertTenant = /*sql*/ `INSERT INTO tenant (id, name, status, created_at) VALUES (?1, ?2, 'active', ?3)`;
  const tenantById = /*sql*/ `SELECT ${TENANT_COLUMNS} FROM tenant WHERE id = ?1`;
  const firstTenant = /*sql*/ `SELECT ${TENANT_COLUMNS} FROM tenant ORDER BY created_at, rowid LIMIT 1`;
  const updateTenant = /*sql*/ `UPDATE tenant SET name = coalesce(?2, name), status = coalesce(?3, status), quotas = coalesce(?4, quotas)
             WHERE id = ?1`;
  const removeTenant = /*sql*/ `DELETE FROM tenant WHERE id = ?1`;
  const keyByHash = /*sql*/ `SELECT k.rowid AS seq, k.id, k.tenant_id, k.name, k.role, k.store_ids, k.dialect, k.quotas, k.hint,
                    k.created_at, k.expires_at, k.last_used_at,
                    -- Not a join: few keys make the planner scan both tables, which takes ten times as long.
                    (SELECT t.status FROM tenant t WHERE t.id = k.tenant_id) AS tenant_status,
                    (SELECT t.quotas FROM tenant t WHERE t.id = k.tenant_id) AS tenant_quotas
             FROM api_key k WHERE k.hash = ?1`;
  const insertKey = /*sql*/ `INSERT INTO api_key (id, tenant_id, hash, name, role, store_ids, dialect, quotas, hint, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`;
  const keyById = /*sql*/ `SELECT ${KEY_COLUMNS} FROM api_key WHERE id = ?1`;
  const removeKey = /*sql*/ `DELETE FROM api_key WHERE tenant_id = ?1 AND id = ?2`;
  const removeKeys = /*sql*/ `DELETE FROM api_key WHERE tenant_id = ?1`;
  const touchKey = /*sql*/ `UPDATE api_key SET last_used_at = ?2 WHERE id = ?1`;

  return {
    insert: async (tenant: { id: string; name: string; createdAt: number }) => {
      await sql.run(insertTenant, [tenant.id, tenant.name, tenant.createdAt]);
    },
    get: (id: string): Promise<TenantRow | null> => sql.get<TenantRow>(tenantById, [id]),
    /** The tenant made at first start; its administrators administer the server. */
    first: (): Promise<TenantRow | null> => sql.get<TenantRow>(firstTenant),
    async update(id: string, changes: { name?: string; status?: TenantRow["status"]; quotas?: Partial<Quotas> }) {
      const { name, status, quotas } = changes;
      await sql.run(updateTenant, [
        id,
        name ?? null,
        status ?? null,
        quotas === undefined ? null : JSON.stringify(quotas),
      ]);
    },
    /** The tenant and its keys; what it owns must be gone before. */
    remove: async (id: string): Promise<boolean> => (await sql.run(removeTenant, [id])) > 0,
    /** `only`: the one tenant that may be seen, or null for all. */
    async list(page: PageQuery, only: string | null): Promise<Page<TenantRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<TenantRow>(
        /*sql*/ `SELECT ${TENANT_COLUMNS} FROM tenant WHERE (?1 IS NULL OR id = ?1)
                   AND rowid > ?2 AND rowid < ?3 ORDER BY rowid ${direction} LIMIT ?4`,
        [only, above, below, limit],
      );
      return toPage(rows, page);
    },

    insertKey: async (key: NewKey) => {
      await sql.run(insertKey, [
        key.id,
        key.tenantId,
        key.hash,
        key.name,
        key.role,
        key.storeIds === null ? null : JSON.stringify(key.storeIds),
        key.dialect,
        JSON.stringify(key.quotas ?? {}),
        key.hint,
        key.createdAt,
        key.expiresAt,
      ]);
    },
    /** The key with this hash, with its tenant's state; expiry is the caller's to check. */
    findKey: (hash: Uint8Array) =>
      sql.get<KeyRow & { tenant_status: TenantRow["status"]; tenant_quotas: string }>(keyByHash, [hash]),
    getKey: (id: string): Promise<KeyRow | null> => sql.get<KeyRow>(keyById, [id]),
    /** `tenantId` null: the keys of all tenants. */
    async pageOfKeys(tenantId: string | null, page: PageQuery): Promise<Page<KeyRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<KeyRow>(
        /*sql*/ `SELECT ${KEY_COLUMNS} FROM api_key WHERE (?1 IS NULL OR tenant_id = ?1)
                   AND rowid > ?2 AND rowid < ?3 ORDER BY rowid ${direction} LIMIT ?4`,
        [tenantId, above, below, limit],
      );
      return toPage(rows, page);
    },
    async updateKey(tenantId: string, id: string, changes: KeyChanges) {
      const { storeIds, quotas } = changes;
      const columns: [string, string | number | null | undefined][] = [
        ["name", changes.name],
        ["role", changes.role],
        ["store_ids", storeIds === undefined || storeIds === null ? storeIds : JSON.stringify(storeIds)],
        ["dialect", changes.dialect],
        ["quotas", quotas === undefined ? undefined : JSON.stringify(quotas)],
        ["expires_at", changes.expiresAt],
      ];
      const set = columns.filter((column): column is [string, string | number | null] => column[1] !== undefined);
      if (set.length === 0) return;
      const assignments = set.map(([column], i) => `${column} = ?${i + 3}`).join(", ");
      await sql.run(/*sql*/ `UPDATE api_key SET ${assignments} WHERE tenant_id = ?1 AND id = ?2`, [
        tenantId,
        id,
        ...set.map(([, value]) => value),
      ]);
    },
    removeKey: async (tenantId: string, id: string): Promise<boolean> => (await sql.run(removeKey, [tenantId, id])) > 0,
    removeKeys: (tenantId: string): Promise<number> => sql.run(removeKeys, [tenantId]),
    touchKey: async (id: string, at: number) => {
      await sql.atomic((tx) => tx.run(touchKey, [id, at]), "work");
    },
  };
}
