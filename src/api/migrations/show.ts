import type { Clock } from "../../platform/clock.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { KeptIdentity, MigrationRow } from "../../storage/migration-table.ts";
import type { Storage } from "../../storage/storage.ts";
import { showStrategy } from "../attaching/input.ts";
import type { Migration } from "./schema.ts";

export interface ShowMigrationDeps extends Pick<Storage, "generations" | "generationFiles"> {
  clock: Clock;
  /** US dollars for a million tokens of this model; null for one that runs here. */
  priceOf: (model: string) => number | null;
}

/** A migration as clients see it, with how far it is now. */
export async function showMigration(deps: ShowMigrationDeps, row: MigrationRow): Promise<Migration> {
  const { from_identity: from, to_identity: to } = row;
  const generation = row.to_generation === null ? null : await deps.generations.get(row.tenant_id, row.to_generation);
  const strategy =
    row.max_tokens === null
      ? null
      : showStrategy({ maxTokens: row.max_tokens, overlapTokens: row.overlap_tokens ?? 0 });
  return {
    id: row.id,
    object: "vector_store.migration",
    vector_store_id: row.store_id,
    created_at: row.created_at,
    started_at: row.started_at,
    completed_at: row.completed_at,
    status: row.status,
    from: { ...showIdentity(from), chunking_strategy: null },
    to: { ...showIdentity({ ...to, number: generation?.number ?? to.number }), chunking_strategy: strategy },
    progress: await progressOf(deps, row, { generation, to }),
    gate: row.gate,
    dry_run: row.dry_run,
    report: reportOf(row),
    last_error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
    rollback_until: row.rollback_until,
    rolled_back_at: row.rolled_back_at,
  };
}

/** Without what is shown by itself (changes.ts). */
function reportOf({ report }: MigrationRow): Migration["report"] {
  if (report === null) return null;
  const { changed: _, ...shown } = report;
  return shown;
}

async function progressOf(
  { generationFiles, clock, priceOf }: ShowMigrationDeps,
  row: MigrationRow,
  { generation, to }: { generation: GenerationRow | null; to: KeptIdentity },
): Promise<Migration["progress"]> {
  const building = generation?.state === "building";
  const behind = building ? await generationFiles.countMissing(generation) : { files: 0, chunks: 0 };
  const end = row.completed_at ?? clock.nowSeconds();
  const seconds = row.started_at === null ? 0 : Math.max(1, end - row.started_at);
  const rate = seconds === 0 ? 0 : row.chunks_done / seconds;
  const price = priceOf(to.model);
  return {
    chunks_done: row.chunks_done,
    chunks_total: row.chunks_done + behind.chunks,
    files_behind: behind.files,
    tokens: row.tokens,
    chunks_per_second: Math.round(rate * 10) / 10,
    eta_seconds: building && rate > 0 ? Math.ceil(behind.chunks / rate) : null,
    cost_usd: price === null ? null : (row.tokens / 1_000_000) * price,
  };
}

export function showIdentity(identity: KeptIdentity): Omit<Migration["from"], "chunking_strategy"> {
  const { number, embedding_model, model_revision, dimensions } = identity;
  return { generation: number, embedding_model, model_revision, dimensions };
}
