import type { GenerationRow } from "./generations.ts";
import type { Tables } from "./storage.ts";

/** The name and the dimensions that a store shows for its model. */
export interface StoreIdentity {
  embeddingModel: string;
  embeddingDimensions: number | null;
}

/**
 * Makes another generation of a store the live one, as part of a transaction, and only if it has every completed file
 * whole. Returns false, with nothing changed, when files are missing.
 *
 * A search leases one generation's index before it embeds its query, so each answer is wholly from one of the two.
 * Files being ingested at this moment notice at their completion and are embedded (and, for another set of chunks,
 * cut) anew.
 */
export async function cutOver(
  tables: Tables,
  from: GenerationRow,
  to: GenerationRow,
  identity: StoreIdentity,
): Promise<boolean> {
  if ((await tables.generationFiles.countMissing(to)).files > 0) return false;
  await tables.stores.setLiveGeneration(to.tenant_id, to.store_id, to.id);
  await tables.stores.update(to.tenant_id, to.store_id, identity);
  await tables.generations.setState(to.tenant_id, to.id, "live");
  await tables.generations.setState(from.tenant_id, from.id, "retained");
  await tables.generationFiles.copyTotals(to);
  if (from.chunk_set !== to.chunk_set) await tables.storeFiles.resetChunked(to.tenant_id, to.store_id);
  return true;
}

/** Takes a generation out of use, as part of a transaction; its rows are removed in steps by a `retire` job. */
export async function retireGeneration(
  tables: Pick<Tables, "generations" | "jobs">,
  generation: GenerationRow,
): Promise<void> {
  await tables.generations.setState(generation.tenant_id, generation.id, "retired");
  await tables.jobs.insert({
    tenantId: generation.tenant_id,
    kind: "retire",
    storeId: generation.store_id,
    subject: String(generation.id),
    priority: 1,
    dueMs: 0,
  });
}
