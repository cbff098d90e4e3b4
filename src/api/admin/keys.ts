import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Storage } from "../../storage/storage.ts";
import type { KeyRow } from "../../storage/tenants.ts";
import { parseQuotas } from "../../storage/tenants.ts";
import type { Caller } from "../../http/caller.ts";
import { isDialect } from "../../http/dialect.ts";
import type { Cursor } from "../../http/openai.ts";
import { hashKey } from "../../http/plugins/auth.ts";
import { pageQuery } from "../../http/page-query.ts";
import { keyHint, newKey } from "./key-text.ts";
import type { ApiKey, CreateKeyBody, NewApiKey, UpdateKeyBody } from "./schema.ts";
import type { TenantsService } from "./tenants.ts";
import { definedQuotas, mergedQuotas } from "./tenants.ts";

/**
 * API keys. Operators administer those of all tenants, the administrator of another tenant its own tenant's. A key is
 * 238 random bits, shown once; its row is all there is of it, so that revoking it is removing the row.
 */
export interface KeysDeps {
  storage: Pick<Storage, "tenants" | "stores">;
  clock: Clock;
  tenants: Pick<TenantsService, "find">;
}

export type KeysService = ReturnType<typeof keysService>;

export function keysService({ storage, clock, tenants }: KeysDeps) {
  function find(caller: Caller, id: string): KeyRow {
    const row = storage.tenants.getKey(id);
    if (row === null || (caller.isOperator !== true && row.tenant_id !== caller.tenantId))
      throw new AppError("key_not_found", `No API key found with id '${id.slice(0, 100)}'`);
    return row;
  }

  function check(tenantId: string, role: KeyRow["role"], body: UpdateKeyBody, storeIds: readonly string[] | null) {
    if (role === "admin" && storeIds !== null) {
      const text = "Invalid 'vector_store_ids': an administrator's key cannot be limited to some vector stores.";
      throw new AppError("invalid_value", text, { param: "vector_store_ids" });
    }
    for (const id of body.vector_store_ids ?? []) {
      const store = storage.stores.get(tenantId, id);
      if (store === null || store.lifecycle === "deleting")
        throw new AppError("vector_store_not_found", `No vector store found with id '${id}'`, {
          param: "vector_store_ids",
        });
    }
    if (typeof body.expires_at === "number" && body.expires_at <= clock.nowSeconds())
      throw new AppError("invalid_value", "Invalid 'expires_at': it is in the past.", { param: "expires_at" });
    if (typeof body.quotas?.concurrent_ingests === "number") {
      const text = "Invalid 'quotas.concurrent_ingests': files are indexed for a tenant; set it there.";
      throw new AppError("invalid_value", text, { param: "quotas.concurrent_ingests" });
    }
  }

  return {
    create(caller: Caller, body: CreateKeyBody): NewApiKey {
      const tenantId = tenants.find(caller, body.tenant_id ?? caller.tenantId).id;
      const role = body.role ?? "write";
      const storeIds = body.vector_store_ids ?? null;
      check(tenantId, role, body, storeIds);
      const key = newKey();
      const id = newId("key_");
      storage.tenants.insertKey({
        id,
        tenantId,
        hash: hashKey(key),
        name: body.name,
        role,
        storeIds,
        dialect: body.dialect ?? null,
        quotas: definedQuotas(body.quotas ?? {}),
        hint: keyHint(key),
        createdAt: clock.nowSeconds(),
        expiresAt: body.expires_at ?? null,
      });
      return { ...show(storage.tenants.getKey(id) as KeyRow), key };
    },

    /** `tenantId`: only that tenant's keys. */
    list(caller: Caller, cursor: Cursor, tenantId: string | undefined): { data: ApiKey[]; hasMore: boolean } {
      const own = caller.isOperator === true ? null : caller.tenantId;
      const only = tenantId === undefined ? own : tenants.find(caller, tenantId).id;
      const place = (id: string) => {
        const row = storage.tenants.getKey(id);
        return row === null || (own !== null && row.tenant_id !== own) ? undefined : row.seq;
      };
      const query = pageQuery(cursor, place, "API key");
      const { rows, hasMore } = storage.tenants.pageOfKeys(only, query);
      return { data: rows.map(show), hasMore };
    },

    get: (caller: Caller, id: string): ApiKey => show(find(caller, id)),

    update(caller: Caller, id: string, body: UpdateKeyBody): ApiKey {
      const row = find(caller, id);
      const storeIds = body.vector_store_ids === undefined ? storeIdsOf(row) : body.vector_store_ids;
      check(row.tenant_id, body.role ?? row.role, body, storeIds);
      storage.tenants.updateKey(row.tenant_id, id, {
        name: body.name,
        role: body.role,
        storeIds: body.vector_store_ids,
        dialect: body.dialect,
        quotas: body.quotas === undefined ? undefined : mergedQuotas(row.quotas, body.quotas),
        expiresAt: body.expires_at,
      });
      return show(find(caller, id));
    },

    /** From the next request on the key is unknown. */
    remove(caller: Caller, id: string): void {
      storage.tenants.removeKey(find(caller, id).tenant_id, id);
    },
  };
}

function show(row: KeyRow): ApiKey {
  return {
    id: row.id,
    object: "api_key",
    name: row.name,
    tenant_id: row.tenant_id,
    role: row.role,
    vector_store_ids: storeIdsOf(row),
    dialect: isDialect(row.dialect) ? row.dialect : null,
    quotas: { ...parseQuotas(row.quotas) },
    created_at: row.created_at,
    expires_at: row.expires_at,
    last_used_at: row.last_used_at,
    hint: row.hint,
  };
}

function storeIdsOf(row: KeyRow): string[] | null {
  return row.store_ids === null ? null : (JSON.parse(row.store_ids) as string[]);
}
