import type { StoreRow } from "../storage/stores.ts";
import { NO_QUOTAS, type Quotas } from "../storage/quotas.ts";
import type { TenantsTable } from "../storage/tenants.ts";

/** The server's own limits, by the names of its settings; read at every use, so that they can be changed while it runs. */
export interface DefaultQuotas {
  maxUserVectorStores: number | null;
  maxTeamVectorStores: number | null;
  maxVectorStoreFiles: number | null;
  maxUserMb: number | null;
  maxTeamMb: number | null;
}

const MB = 1024 * 1024;

/**
 * What a tenant and its keys may have: each one's own quota, else the server's. A store counts for the key that made it,
 * a file for the key that uploaded it.
 */
export interface QuotaRules {
  /** Vector stores. */
  stores(owner: QuotaOwner): Promise<QuotaPair>;
  /** Uploaded bytes. `from`: the tables of a transaction that this is part of. */
  bytes(owner: QuotaOwner, from?: QuotaTables): Promise<QuotaPair>;
  /** Files in one store: the lesser of the tenant's number and that of the key that made the store. */
  filesPerStore(store: Pick<StoreRow, "tenant_id" | "key_id">): Promise<number | null>;
}

export type QuotaTables = Pick<TenantsTable, "get" | "getKey">;

export interface QuotaOwner {
  tenantId: string;
  keyId: string;
}

/** Null: any number. */
export interface QuotaPair {
  perTenant: number | null;
  perKey: number | null;
}

export function quotaRules(tenants: QuotaTables, defaults: DefaultQuotas): QuotaRules {
  const ofTenant = async (id: string, from = tenants): Promise<Quotas> => (await from.get(id))?.quotas ?? NO_QUOTAS;
  const ofKey = async (id: string | null, from = tenants): Promise<Quotas> =>
    (id === null ? null : await from.getKey(id))?.quotas ?? NO_QUOTAS;

  return {
    stores: async ({ tenantId, keyId }) => ({
      perTenant: (await ofTenant(tenantId)).max_vector_stores ?? defaults.maxTeamVectorStores,
      perKey: (await ofKey(keyId)).max_vector_stores ?? defaults.maxUserVectorStores,
    }),
    bytes: async ({ tenantId, keyId }, from) => ({
      perTenant: (await ofTenant(tenantId, from)).max_bytes ?? mebibytes(defaults.maxTeamMb),
      perKey: (await ofKey(keyId, from)).max_bytes ?? mebibytes(defaults.maxUserMb),
    }),
    async filesPerStore(store) {
      const tenant = (await ofTenant(store.tenant_id)).max_files_per_store ?? defaults.maxVectorStoreFiles;
      const key = (await ofKey(store.key_id)).max_files_per_store;
      if (key === null || tenant === null) return key ?? tenant;
      return Math.min(key, tenant);
    },
  };
}

function mebibytes(count: number | null): number | null {
  return count === null ? null : count * MB;
}
