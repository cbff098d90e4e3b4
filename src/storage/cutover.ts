import type { GenerationRow } from "./generations.ts";
import type { Storage } from "./storage.ts";

/** The name and the dimensions that a store shows for its model. */
export interface StoreIdentity {
  embeddingModel: string;
  embeddingDimensions: number | null;
}

/**
 * Makes another generation of a store the live one: in one transaction, and only if it has every completed file whole.
 * Returns false, with nothing changed, when files are missing. `alongside` runs in the same transaction.
 *
 * A search leases one generation's index before it embeds its query, so each answer is wholly from one of the two.
 * Files being ingested at this moment notice at their completion and are embedded (and, for another set of chunks,
 * cut) anew.
 */
export function cutOver(
  storage: Storage,
  from: GenerationRow,
  to: GenerationRow,
  identity: StoreIdentity,
  alongside: () => void,
): boolean {
  return storage.db.transaction(() => {
    if (storage.generationFiles.countMissing(to).files > 0) return false;
    storage.stores.setLiveGeneration(to.tenant_id, to.store_id, to.id);
    storage.stores.update(to.tenant_id, to.store_id, identity);
    storage.generations.setState(to.tenant_id, to.id, "live");
    storage.generations.setState(from.tenant_id, from.id, "retained");
    storage.generationFiles.copyTotals(to);
    if (from.chunk_set !== to.chunk_set) storage.storeFiles.resetChunked(to.tenant_id, to.store_id);
    alongside();
    return true;
  });
}

/** Takes a generation out of use; its rows are removed in steps by a `retire` job. */
export function retireGeneration(storage: Storage, generation: GenerationRow): void {
  storage.db.transaction(() => {
    storage.generations.setState(generation.tenant_id, generation.id, "retired");
    storage.jobs.insert({
      tenantId: generation.tenant_id,
      kind: "retire",
      storeId: generation.store_id,
      subject: String(generation.id),
      priority: 1,
      dueMs: 0,
    });
  });
}
