import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { VectorStore } from "../vector-stores/schema.ts";

export interface SuspensionDeps extends Pick<Storage, "stores"> {
  show: (row: StoreRow) => VectorStore;
  notify: (storeId: string) => void;
}

export type SuspensionService = ReturnType<typeof suspensionService>;

/** Suspends stores of any tenant: they keep their data, are listed, and answer 402 to everything else. */
export function suspensionService({ stores, show, notify }: SuspensionDeps) {
  function set(id: string, lifecycle: "active" | "suspended"): VectorStore {
    const row = stores.ofAnyTenant(id);
    if (row === null || row.lifecycle === "deleting") throw storeNotFound(id);
    stores.setLifecycle(row.tenant_id, id, lifecycle);
    notify(id);
    return show({ ...row, lifecycle });
  }
  return {
    suspend: (id: string) => set(id, "suspended"),
    resume: (id: string) => set(id, "active"),
  };
}
