import { nextTurn } from "../platform/next-turn.ts";
import type { StoreFileRow, StoreFilesTable, WantedFiles } from "../storage/store-files.ts";
import type { StoreRow } from "../storage/stores.ts";

/** Files read between two turns of the event loop: some milliseconds' worth. */
const SLICE = 500;

/** The files of a store in slices, the oldest first; requests have their turn between two. */
export async function* everyFile(
  storeFiles: Pick<StoreFilesTable, "list">,
  { tenant_id: tenantId, id }: Pick<StoreRow, "tenant_id" | "id">,
  wanted: WantedFiles,
  signal: AbortSignal,
): AsyncGenerator<StoreFileRow[]> {
  let after: number | undefined;
  for (;;) {
    const query = { limit: SLICE, order: "asc" as const, after };
    const { rows, hasMore } = await storeFiles.list(tenantId, id, query, wanted);
    yield rows;
    after = rows.at(-1)?.seq;
    if (!hasMore) return;
    await nextTurn();
    signal.throwIfAborted();
  }
}
