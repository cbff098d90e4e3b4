import { AppError } from "../../errors.ts";
import { type Caller, hasRole } from "../../http/caller.ts";
import { notFound } from "../../http/not-found.ts";
import type { MigrationRow } from "../../storage/migration-table.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";

export interface CandidateAsked {
  caller: Caller;
  store: StoreRow;
  /** As the body of a search names it. */
  migrationId: string | undefined;
}

const PARAM = { param: "migration_id" } as const;

/**
 * The generation that a migration built and that waits for a decision; null where none is asked for, and the live one
 * answers. Throws where the caller may not compare, or there is nothing to compare with.
 */
export async function candidateOf(
  { migrations }: { migrations: Pick<Storage["migrations"], "get"> },
  { caller, store, migrationId }: CandidateAsked,
): Promise<number | null> {
  if (migrationId === undefined) return null;
  if (!hasRole(caller, "write")) {
    const text = `This key may not search the index of a migration: it has the role '${caller.role}', 'migration_id' needs 'write'. Leave 'migration_id' out to search the live index.`;
    throw new AppError("permission_denied", text, PARAM);
  }
  const row = await migrations.get(store.tenant_id, store.id, migrationId);
  if (row === null) throw notFound("migration", migrationId, PARAM);
  if (row.status !== "ready" || row.to_generation === null)
    throw new AppError("migration_not_searchable", `The migration '${row.id}' ${reasonAgainst(row)}`, PARAM);
  return row.to_generation;
}

/** What it is instead of ready, and what to do. */
function reasonAgainst({ status }: MigrationRow): string {
  switch (status) {
    case "completed":
      return "is completed: its index is the live one, or was. Leave 'migration_id' out to search the live index.";
    case "rolled_back":
    case "cancelled":
    case "failed":
      return `is ${status.replaceAll("_", " ")}: nothing of it can be searched. Leave 'migration_id' out to search the live index.`;
    default:
      return `is ${status.replaceAll("_", " ")}: its index can be searched once it is 'ready', where it waits if it was started with 'dry_run' or missed its gate.`;
  }
}
