import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { VectorStore } from "../vector-stores/schema.ts";

export interface SuspensionDeps extends Pick<Storage, "transaction"> {
  show: (row: StoreRow) => Promise<VectorStore>;
  notify: (storeId: string) => void;
}

export type SuspensionService = ReturnType<typeof suspensionService>;

/** Suspends stores of any tenant: they keep their data, are listed, and answer 402 to everything else. */
export function suspensionService({ transaction, show, notify }: SuspensionDeps) {
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
    suspend: (id: string) => set(id, "suspended"),
    resume: (id: string) => set(id, "active"),
  };
}
