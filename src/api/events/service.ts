import type { Storage } from "../../storage/storage.ts";
import { ALL_FILES } from "../../storage/store-files.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { AppError } from "../../errors.ts";
import type { ShownBatch } from "../presenters/presenter.ts";
import type { Progress } from "../attaching/schema.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import type { FileCounts } from "../store-schema.ts";
import { FilesProgress, type Source } from "./progress.ts";
import type { Look, Subject } from "../following/watches.ts";

export interface EventsDeps extends Pick<Storage, "storeFiles" | "batches"> {
  access: StoreAccess;
  batchesService: { get(asking: Asking, batchId: string): Promise<ShownBatch> };
  progress: { fresh(): Promise<void>; get(storeFile: number): Progress | null };
}

/** What a look at the files of a batch or a store saw. */
export type Seen =
  | { state: "running"; files: FilesProgress }
  /** Nothing is in progress any more. `batch`: as it ended; null where a store is followed. */
  | { state: "done"; files: FilesProgress; batch: ShownBatch | null }
  /** It may not be followed any more, by anybody. */
  | { state: "gone"; why: AppError };

/** What happens in a store while files are indexed. Both throw what the client is told in place of events. */
export interface EventsService {
  /** One batch, until every file has ended. */
  batch(asking: Asking, batchId: string): Promise<Subject<Seen>>;
  /** A whole store, until nothing in it is in progress; `follow`: for as long as anybody listens. */
  store(asking: Asking, options: { follow: boolean }): Promise<Subject<Seen>>;
  /** Throws where the caller, as it is now, would not be let in. */
  mayFollow(asking: Asking): Promise<void>;
}

/** At most four events a second. */
const LEAST_MS = 250;
/** Progress inside a file changes without notice: looked at this often. */
const MOST_MS = 1000;
/** A thousand streams hear once a second. */
const EACH_MS = 1;

export function eventsService(deps: EventsDeps): EventsService {
  const { access, batchesService, batches, storeFiles, progress } = deps;
  return {
    async batch(asking, batchId) {
      const { tenantId } = asking.caller;
      const { batch } = await batchesService.get(asking, batchId);
      return subject(deps, asking, {
        storeId: asking.storeId,
        batchId: batch.id,
        forgetsEnded: false,
        tellsCounts: false,
        counts: () => batches.counts(tenantId, batch.id),
        all: () => allFiles((page) => storeFiles.listOfBatch(tenantId, batch.id, page, null)),
        inProgress: () => batches.inProgress(tenantId, batch.id),
        rows: (seqs) => storeFiles.bySeqs(tenantId, seqs),
        progress,
      });
    },

    async store(asking, { follow }) {
      const { caller, storeId } = asking;
      await access.open(asking);
      return subject(deps, asking, {
        storeId,
        batchId: null,
        forgetsEnded: true,
        tellsCounts: follow,
        counts: (row) => Promise.resolve(countsOf(row)),
        all: () =>
          allFiles((page) => storeFiles.list(caller.tenantId, storeId, page, { ...ALL_FILES, status: "in_progress" })),
        inProgress: () => storeFiles.inProgress(caller.tenantId, storeId),
        rows: (seqs) => storeFiles.bySeqs(caller.tenantId, seqs),
        progress,
      });
    },

    async mayFollow(asking) {
      await access.open(asking);
    },
  };
}

function subject({ access, batchesService }: EventsDeps, asking: Asking, source: Source): Subject<Seen> {
  const files = new FilesProgress(source);
  const { storeId, batchId, tellsCounts: follow } = source;
  const look = async (): Promise<Look<Seen>> => {
    try {
      await files.look(await access.open(asking));
      if (follow || files.counts.in_progress > 0) return { seen: { state: "running", files }, isLast: false };
      const batch = batchId === null ? null : await batchesService.get(asking, batchId);
      return { seen: { state: "done", files, batch }, isLast: true };
    } catch (error) {
      if (error instanceof AppError) return { seen: { state: "gone", why: error }, isLast: true };
      throw error;
    }
  };
  return {
    key: `events ${storeId} ${batchId ?? ""}${follow ? "follow" : ""}`,
    storeId,
    leastMs: LEAST_MS,
    mostMs: MOST_MS,
    eachMs: EACH_MS,
    look,
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
