import { AppError } from "../../errors.ts";
import type { MigrationRow } from "../../storage/migration-table.ts";
import type { StoreRow } from "../../storage/stores.ts";

/** What may be asked of a migration in which state; each throws what the client is told. */
const CANCELLABLE: ReadonlySet<string> = new Set(["queued", "building", "catching_up", "verifying", "ready", "paused"]);

export function assertCancellable({ id, status }: MigrationRow): void {
  if (CANCELLABLE.has(status)) return;
  throw new AppError(
    "migration_not_cancellable",
    `The migration '${id}' is ${status.replaceAll("_", " ")} and cannot be cancelled.`,
  );
}

export function assertPromotable({ id, status }: MigrationRow): void {
  if (status === "ready") return;
  throw new AppError(
    "migration_not_promotable",
    `The migration '${id}' is ${status.replaceAll("_", " ")}; only one that is ready can be promoted.`,
  );
}

export function notRollbackable(row: MigrationRow, store: StoreRow): AppError {
  return new AppError(
    "migration_not_rollbackable",
    `The migration '${row.id}' cannot be rolled back: ${reasonAgainst(row, store)}.`,
  );
}

function reasonAgainst(row: MigrationRow, store: StoreRow): string {
  if (row.status === "rolled_back") return "it was rolled back already";
  if (row.status !== "completed") return `it is ${row.status.replaceAll("_", " ")}`;
  if (store.live_generation !== row.to_generation) return "a later migration is live";
  return "the time for it is over";
}
