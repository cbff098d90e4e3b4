import type { EngineLease } from "../index/engine.ts";
import type { Clock } from "../platform/clock.ts";
import type { Failpoint } from "../platform/failpoint.ts";
import { cutOver, retireGeneration } from "../storage/cutover.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { MigrationRow } from "../storage/migration-table.ts";
import type { Storage } from "../storage/storage.ts";
import { catchUp, type CatchUpDeps, NO_PROGRESS } from "./catch-up.ts";
import { retry } from "./retry.ts";
import type { JobOutcome } from "./runner.ts";

export interface RollbackDeps extends CatchUpDeps {
  clock: Clock;
  failpoint: Failpoint;
  /** Loads an index ahead of its first search. */
  acquire(storeId: string, generation: number): Promise<EngineLease>;
  /** The generation is out of use: its index leaves memory when its last reader has ended. */
  forgetIndex(storeId: string, generation: number): Promise<void>;
}

/** Both generations of a completed migration. */
export interface Flip {
  live: GenerationRow;
  old: GenerationRow;
}

/** The old generation is brought up to date, if it is not already, and goes live again. */
export class Rollback {
  readonly #deps: RollbackDeps;
  readonly #row: MigrationRow;
  readonly #signal: AbortSignal;

  constructor(deps: RollbackDeps, row: MigrationRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#row = row;
    this.#signal = signal;
  }

  async run(attempt: number): Promise<JobOutcome> {
    const { storage, acquire, forgetIndex } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId, id } = this.#row;
    const flip = await this.#generations();
    if (this.#row.status !== "completed" || flip === null) return { type: "done" };
    using _lease = await acquire(storeId, flip.old.id);
    for (;;) {
      const options = { generation: flip.old, strategy: null, progress: NO_PROGRESS, freeChunks: 0 };
      const result = await catchUp(this.#deps, options, this.#signal);
      if (result.type === "interrupted") return { type: "interrupted" };
      if (result.type !== "done") {
        const error = { error_code: "embedding_model_unavailable", error_message: result.detail };
        await storage.migrations.update(tenantId, id, error);
        return retry("migration_model", attempt);
      }
      if (await flipBack(this.#deps, this.#row, flip)) break;
      // Another request was quicker.
      if ((await storage.migrations.ofJob(tenantId, id))?.status !== "completed") return { type: "done" };
    }
    await forgetIndex(storeId, flip.live.id);
    return { type: "done" };
  }

  async #generations(): Promise<Flip | null> {
    const { generations } = this.#deps.storage;
    const { tenant_id: tenantId, from_generation: from, to_generation: to } = this.#row;
    const old = await generations.get(tenantId, from);
    const live = to === null ? null : await generations.get(tenantId, to);
    return old === null || live === null ? null : { old, live };
  }
}

/**
 * The flip of a rollback alone; false when files are missing in the old generation, or when it was rolled back meanwhile.
 * Also used by the API, to be instant.
 */
export async function flipBack(
  { storage, clock, failpoint }: { storage: Storage; clock: Clock; failpoint: Failpoint },
  row: MigrationRow,
  { live, old }: Flip,
): Promise<boolean> {
  const was = row.from_identity;
  const identity = { embeddingModel: was.embedding_model, embeddingDimensions: was.embedding_dimensions };
  failpoint("migrate:before-rollback");
  const flipped = await storage.transaction(async (tables) => {
    // What one rollback has retired is being removed: another must not make it a generation to go back to.
    const current = await tables.migrations.ofJob(row.tenant_id, row.id);
    if (current?.status !== "completed" || !(await cutOver(tables, live, old, identity))) return false;
    await tables.migrations.update(row.tenant_id, row.id, {
      status: "rolled_back",
      rolled_back_at: clock.nowSeconds(),
      rollback_until: null,
      asked: null,
      error_code: null,
      error_message: null,
    });
    await retireGeneration(tables, live);
    return true;
  });
  if (flipped) failpoint("migrate:after-rollback");
  return flipped;
}
