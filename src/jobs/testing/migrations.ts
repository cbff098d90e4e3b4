import type { KeptIdentity, MigrationRow } from "../../storage/migration-table.ts";
import { MODEL, STORE, TENANT, type Workshop } from "./workshop.ts";

/** The one migration of the store. */
export const MIGRATION = "mig_1";

export interface AskedMigration {
  dryRun?: boolean;
  gate?: object | null;
  /** Another chunking. */
  maxTokens?: number | null;
}

/** Asks for a migration of the store from its first generation to the model `n`, and queues its job. */
export async function askMigration(shop: Workshop, asked: AskedMigration = {}): Promise<void> {
  const { migrations, generations } = shop.storage;
  const [first] = await generations.ofStore(TENANT, STORE);
  if (first === undefined) throw new Error("the store has no generation");
  const from: KeptIdentity = {
    model: MODEL.model,
    model_revision: MODEL.modelRevision,
    dimensions: MODEL.dimensions,
    embedding_model: "m",
    embedding_dimensions: null,
    number: 1,
  };
  const to = { ...from, model: "n", model_revision: "r2", dimensions: 16, embedding_model: "n", number: null };
  await migrations.insert({
    id: MIGRATION,
    tenantId: TENANT,
    storeId: STORE,
    createdAt: 1,
    fromGeneration: first.id,
    fromIdentity: from,
    toIdentity: to,
    maxTokens: asked.maxTokens ?? null,
    overlapTokens: null,
    gate: asked.gate ?? null,
    dryRun: asked.dryRun ?? false,
    retainHours: 24,
  });
  await queueMigration(shop);
}

export async function queueMigration({ storage }: Workshop): Promise<void> {
  const job = { tenantId: TENANT, kind: "migrate", storeId: STORE, subject: MIGRATION, priority: 1, dueMs: 0 } as const;
  await storage.jobs.insert(job);
}

export async function migrationOf({ storage }: Workshop): Promise<MigrationRow> {
  const row = await storage.migrations.ofJob(TENANT, MIGRATION);
  if (row === null) throw new Error("no migration");
  return row;
}

/** Of the store's generations in order, the live one marked. */
export async function statesOf({ storage }: Workshop): Promise<string[]> {
  const live = (await storage.stores.get(TENANT, STORE))?.live_generation;
  const generations = await storage.generations.ofStore(TENANT, STORE);
  return generations.map(({ id, state }) => (id === live ? `*${state}` : state));
}
