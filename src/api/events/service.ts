import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { BatchesService } from "../file-batches/service.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { Asking } from "../vector-stores/asking.ts";
import type { FileCounts } from "../vector-stores/schema.ts";
import { progressStream, type StoreEvent, type StreamDeps } from "./progress-stream.ts";

export interface EventsDeps extends StreamDeps, Pick<Storage, "storeFiles"> {
  access: StoreAccess;
  batchesService: Pick<BatchesService, "get">;
}

/** What happens in a store while files are indexed, as events. Both throw before the first event only. */
export interface EventsService {
  /** Events of one batch until every file has ended, or `signal` aborts. */
  batch(asking: Asking, batchId: string, signal: AbortSignal): Promise<AsyncIterable<StoreEvent>>;
  /** Events of a whole store until nothing in it is in progress. */
  store(asking: Asking, signal: AbortSignal): Promise<AsyncIterable<StoreEvent>>;
}

export function eventsService(deps: EventsDeps): EventsService {
  const { access, batchesService, storeFiles } = deps;
  return {
    async batch(asking, batchId, signal) {
      const { caller, storeId } = asking;
      const read = () => batchesService.get(asking, batchId);
      const { batch } = await read();
      return progressStream(deps, {
        storeId,
        batchId,
        signal,
        counts: async () => (await read()).batch.file_counts,
        files: () => allFiles((page) => storeFiles.listOfBatch(caller.tenantId, batch.id, page, null)),
        end: read,
      });
    },

    async store(asking, signal) {
      const { caller, storeId } = asking;
      const counts = async () => countsOf(await access.open(asking));
      await counts();
      const files = runningAndEnded(storeFiles, caller.tenantId, storeId);
      return progressStream(deps, { storeId, batchId: null, signal, counts, files, end: null });
    },
  };
}

function countsOf({ n_in_progress, n_completed, n_failed, n_cancelled }: StoreRow): FileCounts {
  return {
    in_progress: n_in_progress,
    completed: n_completed,
    failed: n_failed,
    cancelled: n_cancelled,
    total: n_in_progress + n_completed + n_failed + n_cancelled,
  };
}

/** Files in progress, and once more those that were when it was last asked. */
function runningAndEnded(
  storeFiles: EventsDeps["storeFiles"],
  tenantId: string,
  storeId: string,
): () => Promise<StoreFileRow[]> {
  let before: StoreFileRow[] = [];
  return async () => {
    const running = await allFiles((page) => storeFiles.list(tenantId, storeId, page, "in_progress"));
    const still = new Set(running.map((row) => row.seq));
    const ended: StoreFileRow[] = [];
    for (const { seq } of before) {
      const row = still.has(seq) ? null : await storeFiles.bySeq(tenantId, seq);
      if (row !== null) ended.push(row);
    }
    before = running;
    return [...running, ...ended];
  };
}
async function allFiles(
  read: (page: { limit: number; order: "asc"; after: number | undefined }) => Promise<{
    rows: StoreFileRow[];
    hasMore: boolean;
  }>,
): Promise<StoreFileRow[]> {
  const rows: StoreFileRow[] = [];
  for (;;) {
    const page = await read({ limit: 2000, order: "asc", after: rows.at(-1)?.seq });
    rows.push(...page.rows);
    if (!page.hasMore) return rows;
  }
}
