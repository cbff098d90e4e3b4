import { type Caller, RUN_KEY_ID } from "../http/caller.ts";
import type { Authenticate } from "../http/plugins/auth.ts";
import { hashKey, keyHint, newKey } from "../http/plugins/auth.ts";
import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { TenantId } from "../storage/ids.ts";
import type { NewKey } from "../storage/keys.ts";
import type { Storage } from "../storage/storage.ts";

/** Last use is written at most this often per key, in seconds: it must not cost every request a write. */
const TOUCH_EVERY = 60;
/** Keys whose last use is known without a look at their row; then all are forgotten, for the row says it too. */
const MOST_TOUCHED = 10_000;

/**
 * Makes the first tenant and its administrator's key in an empty data directory.
 * Returns the key if it was made up here (it is shown once and never kept), else null.
 */
export async function createFirstKey(
  storage: Pick<Storage, "transaction">,
  given: string | null,
  nowSeconds: number,
): Promise<string | null> {
  return await storage.transaction(async ({ tenants }) => {
    if ((await tenants.first()) !== null) return null;
    const tenantId = newId("ten_");
    const key = given ?? newKey();
    await tenants.insert({ id: tenantId, name: "default", createdAt: nowSeconds });
    await tenants.insertKey(administrator(tenantId, key, nowSeconds));
    return given === null ? key : null;
  });
}

/**
 * Makes every key there is invalid, and one for the first tenant's administrator, which is returned and never kept. For a
 * database whose keys may be known to others. Null where there is no tenant yet: the first start makes both.
 */
export async function replaceKeys(storage: Pick<Storage, "transaction">, nowSeconds: number): Promise<string | null> {
  return await storage.transaction(async ({ tenants }) => {
    await tenants.removeAllKeys();
    const first = await tenants.first();
    if (first === null) return null;
    const key = newKey();
    await tenants.insertKey(administrator(first.id, key, nowSeconds));
    return key;
  });
}

function administrator(tenantId: TenantId, key: string, nowSeconds: number): NewKey {
  return {
    id: newId("key_"),
    tenantId,
    hash: hashKey(key),
    name: "first administrator",
    role: "admin",
    storeIds: null,
    dialect: null,
    hint: keyHint(key),
    createdAt: nowSeconds,
    expiresAt: null,
  };
}

/** A key of this process run only, for verbs on the same machine; never written to the database. */
export interface RunKey {
  key: string;
  /** At once: every request asks it first. */
  authenticate(sha256: Uint8Array): Caller | null;
}

export function createRunKey(tenantId: string): RunKey {
  const key = newKey();
  const hash = hashKey(key);
  const caller = runCaller(tenantId);
  return { key, authenticate: (sha256) => (Buffer.compare(sha256, hash) === 0 ? caller : null) };
}

/** A person at the server's machine. */
export function runCaller(tenantId: string): Caller {
  return {
    keyId: RUN_KEY_ID,
    tenantId,
    tenantStatus: "active",
    role: "admin",
    storeIds: null,
    dialect: null,
    isOperator: true,
    requestsPerMinute: { key: null, tenant: null },
  };
}

/** Requests a minute where neither the key nor its tenant says otherwise; read at every request. */
export interface DefaultRates {
  userRequestsPerMinute: number | null;
  teamRequestsPerMinute: number | null;
}

/**
 * Finds callers by the hash of their key; expired keys are unknown. Every request asks the database, so that a revoked
 * key, another quota or a suspended tenant counts from the next request on.
 */
export function keyAuthenticator(storage: Storage, clock: Clock, rates: DefaultRates): Authenticate {
  const touched = new Map<string, number>();
  let operators: string | null = null;
  return async (sha256) => {
    const row = await storage.tenants.findKey(sha256);
    const now = clock.nowSeconds();
    if (row === null || (row.expires_at !== null && row.expires_at <= now)) return null;
    if (now - (touched.get(row.id) ?? row.last_used_at ?? 0) >= TOUCH_EVERY) {
      if (touched.size >= MOST_TOUCHED) touched.clear();
      touched.set(row.id, now);
      try {
        await storage.tenants.touchKey(row.id, now);
      } catch {
        // On a full disk nothing can be noted; the request itself may well be answered.
      }
    }
    // The first tenant cannot be deleted, so this never changes.
    operators ??= (await storage.tenants.first())?.id ?? null;
    return {
      keyId: row.id,
      tenantId: row.tenant_id,
      tenantStatus: row.tenant_status,
      role: row.role,
      storeIds: row.store_ids === null ? null : new Set(row.store_ids),
      dialect: row.dialect,
      isOperator: row.role === "admin" && row.tenant_id === operators,
      requestsPerMinute: {
        key: row.quotas.requests_per_minute ?? rates.userRequestsPerMinute,
        tenant: row.tenant_quotas.requests_per_minute ?? rates.teamRequestsPerMinute,
      },
    };
  };
}
