import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { KeptIdentity } from "../storage/migration-table.ts";
import type { Storage } from "../storage/storage.ts";

/**
 * Another version of Lectern may bring another revision of the bundled model. Stores made with the old one are migrated
 * by themselves; until that is done their hybrid searches answer from keywords. The old generation is of no use for a
 * rollback, so it is not kept.
 */
export async function scheduleModelUpgrade(
  storage: Storage,
  model: { id: string; revision: string },
  clock: Clock,
  log: Log,
): Promise<void> {
  for (const from of await storage.generations.liveOfOtherRevision(model.id, model.revision)) {
    const store = await storage.stores.get(from.tenant_id, from.store_id);
    if (store === null || store.lifecycle === "deleting") continue;
    const identity: KeptIdentity = {
      model: model.id,
      model_revision: from.model_revision,
      dimensions: from.dimensions,
      embedding_model: store.embedding_model,
      embedding_dimensions: store.embedding_dimensions,
      number: from.number,
    };
    const isBegun = await storage.transaction(async ({ migrations, jobs }) => {
      // Asked here, for another server may start at the same time.
      if ((await migrations.unfinished(from.tenant_id, from.store_id)) !== null) return false;
      const { id } = await migrations.insert({
        id: newId("mig_"),
        tenantId: from.tenant_id,
        storeId: from.store_id,
        createdAt: clock.nowSeconds(),
        fromGeneration: from.id,
        fromIdentity: identity,
        toIdentity: { ...identity, model_revision: model.revision, number: null },
        maxTokens: null,
        overlapTokens: null,
        gate: null,
        dryRun: false,
        retainHours: 0,
      });
      await jobs.insert({
        tenantId: from.tenant_id,
        kind: "migrate",
        storeId: from.store_id,
        subject: id,
        priority: 1,
        dueMs: 0,
      });
      return true;
    });
    if (isBegun) log.info("a store is moved to the bundled model of this version", { store: from.store_id });
  }
}
