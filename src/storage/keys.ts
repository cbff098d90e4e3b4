import type { KeyId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import { untilCommit } from "./until-commit.ts";
import { NO_QUOTAS, type Quotas, wholeQuotas } from "./quotas.ts";
import type { Sql } from "./sql.ts";
import { blob, id, integer, json, nullable, rowid, type RowOf, Selection, table, text } from "./table.ts";

/** By name of the quota, and the time by which the key ends at the latest. */
export type OperatorLimits = Partial<Record<keyof Quotas | "expires_at", number>>;

export const API_KEY = table("api_key", {
  /** Place in lists. */
  seq: rowid(),
  id: id<KeyId>(),
  tenant_id: id<TenantId>(),
  /** sha256 of the key; the key itself is never kept. */
  hash: blob(),
  name: text(),
  role: text<"admin" | "write" | "read">(),
  /** The only stores it may see; null: all of the tenant's. */
  store_ids: nullable(json<StoreId[]>()),
  dialect: nullable(text()),
  quotas: json<Quotas>(NO_QUOTAS),
  /** First and last characters, for people. */
  hint: text(),
  created_at: integer(),
  expires_at: nullable(integer()),
  last_used_at: nullable(integer()),
  /** What an operator allowed it at most; its tenant's own administrators may not go beyond it. */
  operator_limits: json<OperatorLimits>({}),
});

const SHOWN = API_KEY.pick(
  "seq",
  "id",
  "tenant_id",
  "name",
  "role",
  "store_ids",
  "dialect",
  "quotas",
  "hint",
  "created_at",
  "expires_at",
  "last_used_at",
  "operator_limits",
);
export type KeyRow = RowOf<typeof SHOWN>;

// Not a join: few keys make the planner scan both tables, which takes ten times as long.
const WITH_TENANT = SHOWN.as("k").and(
  new Selection(
    { tenant_status: text<"active" | "suspended">(), tenant_quotas: json<Quotas>(NO_QUOTAS) },
    /*sql*/ `(SELECT t.status FROM tenant t WHERE t.id = k.tenant_id) AS tenant_status,
      (SELECT t.quotas FROM tenant t WHERE t.id = k.tenant_id) AS tenant_quotas`,
  ),
);
/** A key with its tenant's state. */
export type FoundKey = RowOf<typeof WITH_TENANT>;

export interface NewKey {
  id: KeyId;
  tenantId: TenantId;
  hash: Uint8Array;
  name: string;
  role: KeyRow["role"];
  storeIds: StoreId[] | null;
  dialect: string | null;
  quotas?: Partial<Quotas>;
  operatorLimits?: OperatorLimits;
  hint: string;
  createdAt: number;
  expiresAt: number | null;
}

/** What is undefined stays as it is. */
export interface KeyChanges {
  name?: string | undefined;
  role?: KeyRow["role"] | undefined;
  storeIds?: StoreId[] | null | undefined;
  dialect?: string | null | undefined;
  quotas?: Partial<Quotas> | undefined;
  expiresAt?: number | null | undefined;
  operatorLimits?: OperatorLimits | undefined;
}

/** API keys of tenants, known only by their sha256. */
export interface KeysTable {
  insertKey(key: NewKey): Promise<void>;
  /** The key with this hash, with its tenant's state; expiry is the caller's to check. */
  findKey(hash: Uint8Array): Promise<FoundKey | null>;
  getKey(id: KeyId): Promise<KeyRow | null>;
  /** `tenantId` null: the keys of all tenants. */
  pageOfKeys(tenantId: TenantId | null, page: PageQuery): Promise<Page<KeyRow>>;
  updateKey(tenantId: TenantId, id: KeyId, changes: KeyChanges): Promise<void>;
  removeKey(tenantId: TenantId, id: KeyId): Promise<boolean>;
  removeKeys(tenantId: TenantId): Promise<number>;
  /** Of all tenants. */
  removeAllKeys(): Promise<number>;
  touchKey(id: KeyId, at: number): Promise<void>;
  /** Whether what this key made may be kept: its tenant is active, and the key is known and has not expired. */
  mayKeep(tenantId: TenantId, keyId: KeyId | null, nowSeconds: number): Promise<boolean>;
}

const BY_HASH = /*sql*/ `SELECT ${WITH_TENANT.list} FROM api_key k WHERE k.hash = ?1`;
const BY_ID = /*sql*/ `SELECT ${SHOWN.list} FROM api_key WHERE id = ?1`;
const LISTED = /*sql*/ `api_key WHERE (CAST(?1 AS TEXT) IS NULL OR tenant_id = ?1)`;
const REMOVE = /*sql*/ `DELETE FROM api_key WHERE tenant_id = ?1 AND id = ?2`;
const REMOVE_ALL = /*sql*/ `DELETE FROM api_key WHERE tenant_id = ?1`;
const MAY_KEEP = /*sql*/ `SELECT count(*) AS n FROM tenant t WHERE t.id = ?1 AND t.status = 'active'
  AND (CAST(?2 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM api_key k WHERE k.id = ?2 AND k.tenant_id = ?1
                             AND (k.expires_at IS NULL OR k.expires_at > ?3)))`;
const REMOVE_EVERY = /*sql*/ `DELETE FROM api_key`;
const TOUCH = /*sql*/ `UPDATE api_key SET last_used_at = ?2 WHERE id = ?1`;

export function keysTable(sql: Sql): KeysTable {
  return {
    async insertKey({ id, tenantId, hash, hint, createdAt, ...more }) {
      const given = { id, tenant_id: tenantId, hash, hint, created_at: createdAt };
      await API_KEY.insert(sql, { ...given, ...columnsOf(more) });
    },
    findKey: untilCommit(sql, (hash: Uint8Array) => WITH_TENANT.get(sql, BY_HASH, [hash])),
    getKey: (id) => SHOWN.get(sql, BY_ID, [id]),
    pageOfKeys: (tenantId, page) => SHOWN.page(sql, { from: LISTED, params: [tenantId], cursor: "rowid" }, page),
    updateKey: async (tenantId, id, changes) =>
      void (await API_KEY.update(sql, { tenant_id: tenantId, id }, columnsOf(changes))),
    removeKey: async (tenantId, id) => (await sql.run(REMOVE, [tenantId, id])) > 0,
    removeKeys: (tenantId) => sql.run(REMOVE_ALL, [tenantId]),
    mayKeep: async (tenantId, keyId, nowSeconds) =>
      ((await sql.get<{ n: number }>(MAY_KEEP, [tenantId, keyId, nowSeconds]))?.n ?? 0) > 0,
    removeAllKeys: () => sql.run(REMOVE_EVERY),
    touchKey: async (id, at) => void (await sql.atomic((tx) => tx.run(TOUCH, [id, at]), "work")),
  };
}

function columnsOf({ name, role, storeIds, dialect, quotas, expiresAt, operatorLimits }: KeyChanges) {
  return {
    name,
    role,
    store_ids: storeIds,
    dialect,
    quotas: quotas && wholeQuotas(quotas),
    expires_at: expiresAt,
    operator_limits: operatorLimits,
  };
}
