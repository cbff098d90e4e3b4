import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { VectorStore } from "../store-schema.ts";

export interface SuspensionDeps extends Pick<Storage, "transaction"> {
  show: (row: StoreRow) => Promise<VectorStore>;
  notify: (storeId: string) => void;
}

/** Suspends stores of any tenant: they keep their data, are listed, and answer 402 to everything else. */
export interface SuspensionService {
  suspend(id: string): Promise<VectorStore>;
  resume(id: string): Promise<VectorStore>;
}

export function suspensionService({ transaction, show, notify }: SuspensionDeps): SuspensionService {
  async function set(id: string, lifecycle: "active" | "suspended"): Promise<VectorStore> {
    const row = await transaction(async ({ stores }, tx) => {
      const found = await stores.ofAnyTenant(id);
      if (found === null || found.lifecycle === "deleting") throw storeNotFound(id);
      await stores.setLifecycle(found.tenant_id, id, lifecycle);
      tx.onCommit(() => notify(id));
      return found;
    });
    return await show({ ...row, lifecycle });
  }
  return {
    suspend: (id) => set(id, "suspended"),
    resume: (id) => set(id, "active"),
  };
}
