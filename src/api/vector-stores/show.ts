import type { Clock } from "../../platform/clock.ts";
import { isExpired } from "../../search/store-state.ts";
import type { Tables } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { VectorStore } from "../store-schema.ts";

/** What a store is shown with: the tables, or those of a transaction. */
export type ShownFrom = Pick<Tables, "generations" | "tenants">;

export interface ShowStoreDeps {
  clock: Clock;
  /** What answers searches of the store now. */
  indexType: (store: StoreRow) => "exact" | "hnsw";
  /** Until the store's files in progress are indexed; null while that cannot be told. */
  secondsLeft: (store: StoreRow) => Promise<number | null>;
}

/** A vector store as clients see it. */
export async function showStore(
  { clock, indexType, secondsLeft }: ShowStoreDeps,
  row: StoreRow,
  from: ShownFrom,
): Promise<VectorStore> {
  const generation = await from.generations.liveOf(row);
  const status = isExpired(row, clock.nowSeconds()) ? "expired" : row.n_in_progress > 0 ? "in_progress" : "completed";
  return {
    id: row.id,
    object: "vector_store",
    created_at: row.created_at,
    name: row.name,
    description: row.description,
    usage_bytes: row.usage_bytes,
    file_counts: {
      in_progress: row.n_in_progress,
      completed: row.n_completed,
      failed: row.n_failed,
      cancelled: row.n_cancelled,
      total: row.n_in_progress + row.n_completed + row.n_failed + row.n_cancelled,
    },
    status,
    expires_after: row.expires_days === null ? null : { anchor: "last_active_at", days: row.expires_days },
    expires_at: row.expires_at,
    last_active_at: row.last_active_at,
    metadata: row.metadata ?? {},
    bytes: row.file_bytes,
    embedding_model: row.embedding_model,
    embedding_dimensions: row.embedding_dimensions,
    last_used_at: row.last_active_at,
    lifecycle: await lifecycleOf(row, from),
    ...(row.n_in_progress === 0
      ? {}
      : { progress: { files_left: row.n_in_progress, eta_seconds: await secondsLeft(row) } }),
    ...(generation === null
      ? {}
      : {
          index: {
            generation: generation.number,
            type: indexType(row),
            model: generation.model,
            model_revision: generation.model_revision,
            dimensions: generation.dimensions,
            chunks: row.n_chunks,
            vectors: row.n_vectors,
          },
        }),
  };
}

/** A suspended tenant's stores are suspended. */
async function lifecycleOf(row: StoreRow, { tenants }: ShownFrom): Promise<StoreRow["lifecycle"]> {
  const isActive = row.lifecycle === "active";
  return isActive && (await tenants.get(row.tenant_id))?.status === "suspended" ? "suspended" : row.lifecycle;
}
