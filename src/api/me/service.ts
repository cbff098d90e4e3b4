import { type Caller, usableStores } from "../../http/caller.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Me } from "./schema.ts";

export interface MeDeps {
  tenants: Pick<Storage["tenants"], "get" | "getKey">;
  features: Me["features"];
}

/** Tells a caller who it is. */
export type MeService = (caller: Caller) => Promise<Me>;

export function meService({ tenants, features }: MeDeps): MeService {
  return async (caller) => {
    // A key of this run of the server is in no table.
    const [key, tenant] = await Promise.all([tenants.getKey(caller.keyId), tenants.get(caller.tenantId)]);
    return {
      object: "me",
      key_id: caller.keyId,
      name: key?.name ?? "this run of the server",
      role: caller.role,
      operator: caller.isOperator === true,
      tenant: { id: caller.tenantId, name: tenant?.name ?? "" },
      vector_store_ids: usableStores(caller),
      dialect: caller.dialect,
      expires_at: key?.expires_at ?? null,
      features,
    };
  };
}
