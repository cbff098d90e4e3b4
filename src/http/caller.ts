/** The key of verbs on the same machine: of this run of the process only, and in no table. */
export const RUN_KEY_ID = "key_local";

export type Role = "read" | "write" | "admin";

/** Who makes a request, found by the hash of the key. */
export interface Caller {
  keyId: string;
  tenantId: string;
  role: Role;
  /** The only stores that the key may use; null means every store of the tenant. */
  storeIds: ReadonlySet<string> | null;
  /** The dialect stored with the key, if any. */
  dialect: string | null;
  /** A suspended tenant's stores are suspended. */
  tenantStatus: "active" | "suspended";
  /** An administrator of the first tenant: administers the server, all tenants and all keys. */
  isOperator?: boolean;
  /** Null or absent: no limit. A key's requests count for its tenant too. */
  requestsPerMinute?: { key: number | null; tenant: number | null };
}

const RANK: Record<Role, number> = { read: 1, write: 2, admin: 3 };

/** An administrator may do everything that a writer may, a writer everything that a reader may. */
export function hasRole(caller: Caller, needed: Role): boolean {
  return RANK[caller.role] >= RANK[needed];
}

/** The stores that a restricted key may use; null: all of its tenant's. */
export function usableStores({ storeIds }: Pick<Caller, "storeIds">): string[] | null {
  return storeIds === null ? null : [...storeIds];
}

export function mayUseStore(caller: Caller, storeId: string): boolean {
  return caller.storeIds === null || caller.storeIds.has(storeId);
}
