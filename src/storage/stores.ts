import { containsPattern } from "./contains.ts";
import type { GenerationId, KeyId, StoreId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { type Changes, id, integer, json, nullable, type RowOf, table, text } from "./table.ts";
import { texts } from "./dialect.ts";

export const VECTOR_STORE = table("vector_store", {
  seq: integer(),
  id: id<StoreId>(),
  tenant_id: id<TenantId>(),
  /** The key that created it: its quota counts the store. */
  key_id: nullable(id<KeyId>()),
  name: text(),
  description: nullable(text()),
  metadata: nullable(json<Record<string, unknown>>()),
  created_at: integer(),
  last_active_at: integer(),
  /** After so many days without use it expires. */
  expires_days: nullable(integer()),
  expires_at: nullable(integer()),
  /** When an expired store's data was reclaimed. */
  data_removed_at: nullable(integer()),
  lifecycle: text<"active" | "suspended" | "deleting">(),
  /** The name as asked for, or the default's. */
  embedding_model: text(),
  /** Only when asked for. */
  embedding_dimensions: nullable(integer()),
  index_mode: text<"auto" | "exact" | "hnsw">(),
  /** The generation that searches read. */
  live_generation: nullable(integer<GenerationId>()),
  // Kept by triggers on `store_file`, so that they are right after any crash.
  n_in_progress: integer(),
  n_completed: integer(),
  n_failed: integer(),
  n_cancelled: integer(),
  /** Of texts and vectors. */
  usage_bytes: integer(),
  /** Of the files as uploaded. */
  file_bytes: integer(),
  n_chunks: integer(),
  n_vectors: integer(),
  /** Of the newest change that searches see, where servers share the database (store-changes.ts). */
  version: integer(),
});

export type StoreRow = RowOf<typeof VECTOR_STORE>;

export interface NewStore {
  id: StoreId;
  tenantId: TenantId;
  keyId: KeyId | null;
  name: string;
  description: string | null;
  metadata: Record<string, unknown> | null;
  createdAt: number;
  expiresDays: number | null;
  expiresAt: number | null;
  embeddingModel: string;
  embeddingDimensions: number | null;
  indexMode: StoreRow["index_mode"];
}

/** What is undefined stays as it is. */
export interface StoreChanges {
  name?: string | undefined;
  description?: string | null | undefined;
  metadata?: Record<string, unknown> | null | undefined;
  expiresDays?: number | null | undefined;
  expiresAt?: number | null | undefined;
  indexMode?: StoreRow["index_mode"] | undefined;
  embeddingModel?: string | undefined;
  embeddingDimensions?: number | null | undefined;
}

/** Which stores a list has. */
export interface WantedStores {
  /** The ids a restricted key may see; null: all. */
  only: readonly StoreId[] | null;
  /** Those whose name contains this, whatever the case; null: all. */
  name: string | null;
}

export const ALL_STORES: WantedStores = { only: null, name: null };

/** Vector stores. A store whose lifecycle is `deleting` is returned by `get` (some dialects say 409), never by lists. */
export interface StoresTable {
  insert(store: NewStore): Promise<void>;
  get(tenantId: TenantId, id: StoreId): Promise<StoreRow | null>;
  /** Whether there was one of this id that is deleted by now. */
  wasDeleted(tenantId: TenantId, id: StoreId): Promise<boolean>;
  /** For operators only, who administer the stores of all tenants. */
  ofAnyTenant(id: StoreId): Promise<StoreRow | null>;
  list(tenantId: TenantId, page: PageQuery, wanted: WantedStores): Promise<Page<StoreRow>>;
  /** Ids of up to `limit` stores of exactly this name, the oldest first. */
  named(tenantId: TenantId, name: string, only: WantedStores["only"], limit: number): Promise<StoreId[]>;
  update(tenantId: TenantId, id: StoreId, changes: StoreChanges): Promise<void>;
  setLiveGeneration(tenantId: TenantId, id: StoreId, generation: GenerationId): Promise<void>;
  /** The store was used: moves `last_active_at` and with it the expiry. */
  touch(tenantId: TenantId, id: StoreId, at: number): Promise<void>;
  setLifecycle(tenantId: TenantId, id: StoreId, lifecycle: StoreRow["lifecycle"]): Promise<void>;
  setDataRemoved(tenantId: TenantId, id: StoreId, at: number): Promise<void>;
  /** Removes the row of a store that is `deleting`; its files, batches and generations go with it. */
  remove(tenantId: TenantId, id: StoreId): Promise<boolean>;
  countByTenant(tenantId: TenantId): Promise<number>;
  countByKey(tenantId: TenantId, keyId: KeyId): Promise<number>;
  /** Up to 100 stores of any tenant that expired at or before `at` and still have their data (for the janitor). */
  expiredWithData(at: number): Promise<Pick<StoreRow, "tenant_id" | "id">[]>;
}

const DELETED = /*sql*/ `SELECT 1 AS n FROM deletion WHERE tenant_id = ?1 AND subject_id = ?2 AND subject_type = 'vector_store' LIMIT 1`;
const BY_ID = /*sql*/ `SELECT ${VECTOR_STORE.list} FROM vector_store WHERE tenant_id = ?1 AND id = ?2`;
const ANY_BY_ID = /*sql*/ `SELECT ${VECTOR_STORE.list} FROM vector_store WHERE id = ?1`;
const LISTED = /*sql*/ `vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'
  AND (CAST(?2 AS TEXT) IS NULL OR id IN ${texts(2)}) AND (CAST(?3 AS TEXT) IS NULL OR glob(?3, name))`;
const NAMED = /*sql*/ `SELECT id FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'
  AND (CAST(?2 AS TEXT) IS NULL OR id IN ${texts(2)}) AND name = ?3 ORDER BY seq LIMIT ?4`;
const TOUCH = /*sql*/ `UPDATE vector_store SET last_active_at = ?3,
    expires_at = CASE WHEN expires_days IS NULL THEN NULL ELSE ?3 + expires_days * 86400 END
  WHERE tenant_id = ?1 AND id = ?2 AND (last_active_at <> ?3)`;
const REMOVE = /*sql*/ `DELETE FROM vector_store WHERE tenant_id = ?1 AND id = ?2 AND lifecycle = 'deleting'`;
const COUNT_BY_TENANT = /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'`;
const COUNT_BY_KEY = /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND key_id = ?2 AND lifecycle <> 'deleting'`;
const PAST_GRACE = /*sql*/ `SELECT tenant_id, id FROM vector_store
  WHERE expires_at IS NOT NULL AND expires_at <= ?1 AND data_removed_at IS NULL AND lifecycle <> 'deleting' LIMIT 100`;

export function storesTable(sql: Sql): StoresTable {
  const update = async (tenantId: TenantId, id: StoreId, changes: Changes<StoreRow>) =>
    void (await VECTOR_STORE.update(sql, { tenant_id: tenantId, id }, changes));
  return {
    async insert({ id, tenantId, keyId, createdAt, ...store }) {
      const owned = { id, tenant_id: tenantId, key_id: keyId, created_at: createdAt, last_active_at: createdAt };
      await VECTOR_STORE.insert(sql, { ...owned, ...columnsOf(store) });
    },
    get: (tenantId, id) => VECTOR_STORE.get(sql, BY_ID, [tenantId, id]),
    wasDeleted: async (tenantId, id) => (await sql.get(DELETED, [tenantId, id])) !== null,
    ofAnyTenant: (id) => VECTOR_STORE.get(sql, ANY_BY_ID, [id]),
    list: (tenantId, page, { only, name }) => {
      const params = [tenantId, onlyOf(only), name === null ? null : containsPattern(name)];
      return VECTOR_STORE.page(sql, { from: LISTED, params }, page);
    },
    named: async (tenantId, name, only, limit) => {
      const rows = await sql.all<{ id: StoreId }>(NAMED, [tenantId, onlyOf(only), name, limit]);
      return rows.map(({ id }) => id);
    },
    update: (tenantId, id, changes) => update(tenantId, id, columnsOf(changes)),
    setLiveGeneration: (tenantId, id, generation) => update(tenantId, id, { live_generation: generation }),
    touch: async (tenantId, id, at) => void (await sql.atomic((tx) => tx.run(TOUCH, [tenantId, id, at]), "work")),
    setLifecycle: (tenantId, id, lifecycle) => update(tenantId, id, { lifecycle }),
    setDataRemoved: (tenantId, id, at) => update(tenantId, id, { data_removed_at: at }),
    remove: async (tenantId, id) => (await sql.run(REMOVE, [tenantId, id])) > 0,
    countByTenant: async (tenantId) => (await sql.get<{ n: number }>(COUNT_BY_TENANT, [tenantId]))?.n ?? 0,
    countByKey: async (tenantId, keyId) => (await sql.get<{ n: number }>(COUNT_BY_KEY, [tenantId, keyId]))?.n ?? 0,
    expiredWithData: (at) => sql.all(PAST_GRACE, [at]),
  };
}

function onlyOf(only: WantedStores["only"]): string | null {
  return only === null ? null : JSON.stringify(only);
}

function columnsOf(changes: StoreChanges) {
  return {
    name: changes.name,
    description: changes.description,
    metadata: changes.metadata,
    expires_days: changes.expiresDays,
    expires_at: changes.expiresAt,
    index_mode: changes.indexMode,
    embedding_model: changes.embeddingModel,
    embedding_dimensions: changes.embeddingDimensions,
  };
}
