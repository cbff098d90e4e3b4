import type { EmbedFailure } from "../embed/provider.ts";
import type { Clock } from "../platform/clock.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { KeptIdentity, MigrationRow } from "../storage/migration-table.ts";
import type { Storage } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import { freeBytes } from "../platform/disk-reserve.ts";

export interface MigrationPlanDeps {
  storage: Storage;
  embed: EmbedPassages;
  dataDir: string;
  clock: Clock;
}

export interface Planned {
  type: "planned";
  from: GenerationRow;
  to: GenerationRow;
}

export type Plan =
  | Planned
  | { type: "interrupted" }
  /** Waiting can help. */
  | { type: "away"; detail: string; retryAfterMs: number | undefined }
  | { type: "failed"; code: string; message: string };

/** Free space that must be left when a migration begins, in proportion to what it will write. */
const FREE_SPACE_FACTOR = 2;

/** Checks room and model, and makes the generation's row; found again when it was made before. */
export class MigrationPlan {
  readonly #deps: MigrationPlanDeps;
  readonly #row: MigrationRow;

  constructor(deps: MigrationPlanDeps, row: MigrationRow) {
    this.#deps = deps;
    this.#row = row;
  }

  async make(signal: AbortSignal): Promise<Plan> {
    const { generations } = this.#deps.storage;
    const { tenant_id: tenantId, from_generation: fromId, to_generation: toId } = this.#row;
    const from = await generations.get(tenantId, fromId);
    if (from === null) return failed("internal_error", "The generation to migrate from is gone.");
    if (toId !== null) {
      const to = await generations.get(tenantId, toId);
      return to === null ? failed("internal_error", "The new generation is gone.") : { type: "planned", from, to };
    }
    const wanted = this.#row.to_identity;
    if (!(await this.#hasRoom(wanted.dimensions)))
      return failed(
        "insufficient_storage",
        "There is not enough free disk space for a second generation beside the live one.",
      );
    const refusal = await this.#probe(wanted, signal);
    return refusal ?? { type: "planned", from, to: await this.#insert(from, wanted) };
  }

  async #hasRoom(dimensions: number): Promise<boolean> {
    const { storage, dataDir } = this.#deps;
    const store = await storage.stores.get(this.#row.tenant_id, this.#row.store_id);
    if (store === null) return false;
    const vectors = store.n_vectors * dimensions * 4;
    const needed = this.#row.max_tokens === null ? vectors : vectors + store.usage_bytes;
    return (await freeBytes(dataDir)) >= needed * FREE_SPACE_FACTOR;
  }

  /** Null when the model answers. */
  async #probe(wanted: KeptIdentity, signal: AbortSignal): Promise<Plan | null> {
    const model = { id: wanted.model, revision: wanted.model_revision, dimensions: wanted.dimensions };
    const options = { signal, source: null };
    const probe = await this.#deps.embed.embed(model, ["A probe before the work begins."], options);
    if (probe.ok) return null;
    if (probe.reason === "aborted") return { type: "interrupted" };
    const detail = `The model '${wanted.model}' does not answer: ${probe.detail}`;
    if (isPassing(probe)) return { type: "away", detail, retryAfterMs: probe.retryAfterMs };
    const isWrong = probe.reason === "rejected" || probe.reason === "too_long";
    return failed(isWrong ? "embedding_provider_error" : "embedding_model_unavailable", detail);
  }

  async #insert(from: GenerationRow, wanted: KeptIdentity): Promise<GenerationRow> {
    const { storage, clock } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId, id, max_tokens: maxTokens } = this.#row;
    const model = { id: wanted.model, revision: wanted.model_revision, dimensions: wanted.dimensions };
    const { windowTokens } = this.#deps.embed.batching(model);
    return await storage.transaction(async ({ generations, migrations }) => {
      const generation = await generations.insert({
        tenantId,
        storeId,
        model: wanted.model,
        modelRevision: wanted.model_revision,
        dimensions: wanted.dimensions,
        chunkSet: maxTokens === null ? from.chunk_set : null,
        state: "building",
        createdAt: clock.nowSeconds(),
        windowTokens,
      });
      await migrations.update(tenantId, id, { to_generation: generation.id, started_at: clock.nowSeconds() });
      return generation;
    });
  }
}

/** Whether waiting can help. */
function isPassing(failure: EmbedFailure): boolean {
  return failure.reason === "overloaded" || (failure.reason === "unavailable" && failure.isLasting !== true);
}

function failed(code: string, message: string): Plan {
  return { type: "failed", code, message };
}
