import type { Sql } from "./sql.ts";
import { type Page, type PageQuery, pageBounds, toPage } from "./page.ts";

export interface StoreRow {
  seq: number;
  id: string;
  tenant_id: string;
  key_id: string | null;
  name: string;
  description: string | null;
  /** JSON object or null. */
  metadata: string | null;
  created_at: number;
  last_active_at: number;
  expires_days: number | null;
  expires_at: number | null;
  data_removed_at: number | null;
  lifecycle: "active" | "suspended" | "deleting";
  embedding_model: string;
  embedding_dimensions: number | null;
  index_mode: "auto" | "exact" | "hnsw";
  live_generation: number | null;
  n_in_progress: number;
  n_completed: number;
  n_failed: number;
  n_cancelled: number;
  usage_bytes: number;
  file_bytes: number;
  n_chunks: number;
  n_vectors: number;
}

const COLUMNS = `seq, id, tenant_id, key_id, name, description, metadata, created_at, last_active_at, expires_days, expires_at,
  data_removed_at, lifecycle, embedding_model, embedding_dimensions, index_mode, live_generation,
  n_in_progress, n_completed, n_failed, n_cancelled, usage_bytes, file_bytes, n_chunks, n_vectors`;

export interface NewStore {
  id: string;
  tenantId: string;
  keyId: string | null;
  name: string;
  description: string | null;
  metadata: string | null;
  createdAt: number;
  expiresDays: number | null;
  expiresAt: number | null;
  embeddingModel: string;
  embeddingDimensions: number | null;
  indexMode: StoreRow["index_mode"];
}

export interface StoreChanges {
  name?: string | undefined;
  description?: string | null | undefined;
  metadata?: string | null | undefined;
  expiresDays?: number | null | undefined;
  expiresAt?: number | null | undefined;
  indexMode?: StoreRow["index_mode"] | undefined;
  embeddingModel?: string | undefined;
  embeddingDimensions?: number | null | undefined;
}

export type StoresTable = ReturnType<typeof storesTable>;

/** Vector stores. A store whose lifecycle is `deleting` is returned by `get` (some dialects say 409), never by lists. */
export function storesTable(sql: Sql) {
  const insert = /*sql*/ `INSERT INTO vector_store (id, tenant_id, key_id, name, description, metadata, created_at, last_active_at,
               expires_days, expires_at, embedding_model, embedding_dimensions, index_mode)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12)`;
  const byId = /*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE tenant_id = ?1 AND id = ?2`;
  const anyById = /*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE id = ?1`;
  const setLive = /*sql*/ `UPDATE vector_store SET live_generation = ?3 WHERE tenant_id = ?1 AND id = ?2`;
  const touch = /*sql*/ `UPDATE vector_store SET last_active_at = ?3,
               expires_at = CASE WHEN expires_days IS NULL THEN NULL ELSE ?3 + expires_days * 86400 END
             WHERE tenant_id = ?1 AND id = ?2 AND (last_active_at <> ?3)`;
  const setLifecycle = /*sql*/ `UPDATE vector_store SET lifecycle = ?3 WHERE tenant_id = ?1 AND id = ?2`;
  const setDataRemoved = /*sql*/ `UPDATE vector_store SET data_removed_at = ?3 WHERE tenant_id = ?1 AND id = ?2`;
  const remove = /*sql*/ `DELETE FROM vector_store WHERE tenant_id = ?1 AND id = ?2 AND lifecycle = 'deleting'`;
  const countByTenant = /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'`;
  const countByKey = /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND key_id = ?2 AND lifecycle <> 'deleting'`;
  const pastGrace = /*sql*/ `SELECT tenant_id, id FROM vector_store
             WHERE expires_at IS NOT NULL AND expires_at <= ?1 AND data_removed_at IS NULL AND lifecycle <> 'deleting' LIMIT 100`;

  return {
    async insert(store: NewStore) {
      await sql.run(insert, [
        store.id,
        store.tenantId,
        store.keyId,
        store.name,
        store.description,
        store.metadata,
        store.createdAt,
        store.expiresDays,
        store.expiresAt,
        store.embeddingModel,
        store.embeddingDimensions,
        store.indexMode,
      ]);
    },
    get: (tenantId: string, id: string): Promise<StoreRow | null> => sql.get<StoreRow>(byId, [tenantId, id]),
    /** For operators only, who administer the stores of all tenants. */
    ofAnyTenant: (id: string): Promise<StoreRow | null> => sql.get<StoreRow>(anyById, [id]),
    /** `only`: the ids a restricted key may see. */
    async list(tenantId: string, page: PageQuery, only: readonly string[] | null): Promise<Page<StoreRow>> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = await sql.all<StoreRow>(
        /*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'
                   AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))
                   AND seq > ?3 AND seq < ?4 ORDER BY seq ${direction} LIMIT ?5`,
        [tenantId, only === null ? null : JSON.stringify(only), above, below, limit],
      );
      return toPage(rows, page);
    },
    async update(tenantId: string, id: string, changes: StoreChanges) {
      const columns: [string, string | number | null | undefined][] = [
        ["name", changes.name],
        ["description", changes.description],
        ["metadata", changes.metadata],
        ["expires_days", changes.expiresDays],
        ["expires_at", changes.expiresAt],
        ["index_mode", changes.indexMode],
        ["embedding_model", changes.embeddingModel],
        ["embedding_dimensions", changes.embeddingDimensions],
      ];
      const set = columns.filter((column): column is [string, string | number | null] => column[1] !== undefined);
      if (set.length === 0) return;
      const assignments = set.map(([column], i) => `${column} = ?${i + 3}`).join(", ");
      await sql.run(/*sql*/ `UPDATE vector_store SET ${assignments} WHERE tenant_id = ?1 AND id = ?2`, [
        tenantId,
        id,
        ...set.map(([, value]) => value),
      ]);
    },
    setLiveGeneration: async (tenantId: string, id: string, generation: number) => {
      await sql.run(setLive, [tenantId, id, generation]);
    },
    /** The store was used: moves `last_active_at` and with it the expiry. */
    touch: async (tenantId: string, id: string, at: number) => {
      await sql.atomic((tx) => tx.run(touch, [tenantId, id, at]), "work");
    },
    setLifecycle: async (tenantId: string, id: string, lifecycle: StoreRow["lifecycle"]) => {
      await sql.run(setLifecycle, [tenantId, id, lifecycle]);
    },
    setDataRemoved: async (tenantId: string, id: string, at: number) => {
      await sql.run(setDataRemoved, [tenantId, id, at]);
    },
    /** Removes the row of a store that is `deleting`; its files, batches and generations go with it. */
    remove: async (tenantId: string, id: string): Promise<boolean> => (await sql.run(remove, [tenantId, id])) > 0,
    countByTenant: async (tenantId: string): Promise<number> =>
      (await sql.get<{ n: number }>(countByTenant, [tenantId]))?.n ?? 0,
    countByKey: async (tenantId: string, keyId: string): Promise<number> =>
      (await sql.get<{ n: number }>(countByKey, [tenantId, keyId]))?.n ?? 0,
    /** Up to 100 stores of any tenant that expired at or before `at` and still have their data (for the janitor). */
    expiredWithData: (at: number) => sql.all<{ tenant_id: string; id: string }>(pastGrace, [at]),
  };
}
