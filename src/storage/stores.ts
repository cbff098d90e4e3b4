import type { Db } from "./db.ts";
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
export function storesTable(db: Db) {
  const { raw } = db;
  const insert = raw.query<
    null,
    [
      string,
      string,
      string | null,
      string,
      string | null,
      string | null,
      number,
      number | null,
      number | null,
      string,
      number | null,
      string,
    ]
  >(/*sql*/ `INSERT INTO vector_store (id, tenant_id, key_id, name, description, metadata, created_at, last_active_at,
               expires_days, expires_at, embedding_model, embedding_dimensions, index_mode)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12)`);
  const byId = raw.query<StoreRow, [string, string]>(
    /*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE tenant_id = ?1 AND id = ?2`,
  );
  const anyById = raw.query<StoreRow, [string]>(/*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE id = ?1`);
  const setLive = raw.query<null, [string, string, number]>(
    /*sql*/ `UPDATE vector_store SET live_generation = ?3 WHERE tenant_id = ?1 AND id = ?2`,
  );
  const touch = raw.query<null, [string, string, number]>(/*sql*/ `UPDATE vector_store SET last_active_at = ?3,
               expires_at = CASE WHEN expires_days IS NULL THEN NULL ELSE ?3 + expires_days * 86400 END
             WHERE tenant_id = ?1 AND id = ?2 AND (last_active_at <> ?3)`);
  const setLifecycle = raw.query<null, [string, string, string]>(
    /*sql*/ `UPDATE vector_store SET lifecycle = ?3 WHERE tenant_id = ?1 AND id = ?2`,
  );
  const setDataRemoved = raw.query<null, [string, string, number]>(
    /*sql*/ `UPDATE vector_store SET data_removed_at = ?3 WHERE tenant_id = ?1 AND id = ?2`,
  );
  const remove = raw.query<null, [string, string]>(
    /*sql*/ `DELETE FROM vector_store WHERE tenant_id = ?1 AND id = ?2 AND lifecycle = 'deleting'`,
  );
  const countByTenant = raw.query<{ n: number }, [string]>(
    /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'`,
  );
  const countByKey = raw.query<{ n: number }, [string, string]>(
    /*sql*/ `SELECT count(*) AS n FROM vector_store WHERE tenant_id = ?1 AND key_id = ?2 AND lifecycle <> 'deleting'`,
  );
  const pastGrace = raw.query<
    { tenant_id: string; id: string },
    [number]
  >(/*sql*/ `SELECT tenant_id, id FROM vector_store
             WHERE expires_at IS NOT NULL AND expires_at <= ?1 AND data_removed_at IS NULL AND lifecycle <> 'deleting' LIMIT 100`);

  return {
    insert(store: NewStore) {
      insert.run(
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
      );
    },
    get: (tenantId: string, id: string): StoreRow | null => byId.get(tenantId, id),
    /** For operators only, who administer the stores of all tenants. */
    ofAnyTenant: (id: string): StoreRow | null => anyById.get(id),
    /** `only`: the ids a restricted key may see. */
    list(tenantId: string, page: PageQuery, only: readonly string[] | null): Page<StoreRow> {
      const { above, below, direction, limit } = pageBounds(page);
      const rows = raw
        .query<
          StoreRow,
          [string, string | null, number, number, number]
        >(/*sql*/ `SELECT ${COLUMNS} FROM vector_store WHERE tenant_id = ?1 AND lifecycle <> 'deleting'
                   AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))
                   AND seq > ?3 AND seq < ?4 ORDER BY seq ${direction} LIMIT ?5`)
        .all(tenantId, only === null ? null : JSON.stringify(only), above, below, limit);
      return toPage(rows, page);
    },
    update(tenantId: string, id: string, changes: StoreChanges) {
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
      raw
        .query(/*sql*/ `UPDATE vector_store SET ${assignments} WHERE tenant_id = ?1 AND id = ?2`)
        .run(tenantId, id, ...set.map(([, value]) => value));
    },
    setLiveGeneration: (tenantId: string, id: string, generation: number) => {
      setLive.run(tenantId, id, generation);
    },
    /** The store was used: moves `last_active_at` and with it the expiry. */
    touch: (tenantId: string, id: string, at: number) => {
      db.relaxed(() => touch.run(tenantId, id, at));
    },
    setLifecycle: (tenantId: string, id: string, lifecycle: StoreRow["lifecycle"]) => {
      setLifecycle.run(tenantId, id, lifecycle);
    },
    setDataRemoved: (tenantId: string, id: string, at: number) => {
      setDataRemoved.run(tenantId, id, at);
    },
    /** Removes the row of a store that is `deleting`; its files, batches and generations go with it. */
    remove: (tenantId: string, id: string): boolean => remove.run(tenantId, id).changes > 0,
    countByTenant: (tenantId: string): number => countByTenant.get(tenantId)?.n ?? 0,
    countByKey: (tenantId: string, keyId: string): number => countByKey.get(tenantId, keyId)?.n ?? 0,
    /** Up to 100 stores of any tenant that expired at or before `at` and still have their data (for the janitor). */
    expiredWithData: (at: number) => pastGrace.all(at),
  };
}
