import type { Caller } from "../../http/caller.ts";
import { RUN_KEY_ID } from "../../http/caller.ts";
import type { Storage } from "../../storage/storage.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { CreateStoreBody } from "../store-schema.ts";

export interface PlaceDeps extends Pick<Storage, "stores" | "tenants"> {
  /** The id of a vector store, or the name of one of the first tenant's. */
  store: string;
  create: (caller: Caller, body: CreateStoreBody, rules: DialectRules) => Promise<{ id: string }>;
  /** Requests a minute of a tenant that has no limit of its own; null: any number. */
  requestsPerMinute: () => number | null;
}

/**
 * Where LibreChat's files are: one vector store, which is made when it is first needed. LibreChat has no key of this
 * server; whoever signs for it may use this store, and nothing else of the tenant's.
 */
export class Place {
  readonly #deps: PlaceDeps;
  #making: Promise<string> | null = null;

  constructor(deps: PlaceDeps) {
    this.#deps = deps;
  }

  async caller(): Promise<Caller> {
    const { stores, tenants, store, requestsPerMinute } = this.#deps;
    const given = await stores.ofAnyTenant(store);
    const tenantId = given?.tenant_id ?? (await tenants.first())?.id ?? "";
    const tenant = await tenants.get(tenantId);
    const caller: Caller = {
      keyId: RUN_KEY_ID,
      tenantId,
      tenantStatus: tenant?.status ?? "active",
      role: "write",
      storeIds: null,
      dialect: null,
      requestsPerMinute: { key: null, tenant: tenant?.quotas.requests_per_minute ?? requestsPerMinute() },
    };
    const storeId = given?.id ?? (await stores.named(tenantId, store, null, 1))[0] ?? (await this.#made(caller));
    return { ...caller, storeIds: new Set([storeId]) };
  }

  /** Requests that come at the same time wait for the same store. */
  async #made(caller: Caller): Promise<string> {
    const { create, store: name } = this.#deps;
    this.#making ??= create(caller, { name }, presenterFor("openai").rules)
      .then(({ id }) => id)
      .finally(() => {
        this.#making = null;
      });
    return await this.#making;
  }
}

/** The one store of a caller that `Place` made. */
export function storeOf({ storeIds }: Caller): string {
  return [...(storeIds ?? [])][0] ?? "";
}
