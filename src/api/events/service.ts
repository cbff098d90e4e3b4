import { AppError } from "../../errors.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { Caller } from "../../http/caller.ts";
import type { BatchesService, ShownBatch } from "../file-batches/service.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { FileStatus, Progress } from "../vector-store-files/schema.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { FileCounts } from "../vector-stores/schema.ts";
import type { Changes } from "./long-poll.ts";

export interface EventsDeps extends Pick<Storage, "batches" | "storeFiles" | "stores"> {
  access: StoreAccess;
  batchesService: Pick<BatchesService, "get">;
  changes: Changes;
  progressOf: (storeFile: number) => Progress | null;
}

export interface ProgressEvent {
  object: "vector_store.progress";
  vector_store_id: string;
  batch_id: string | null;
  file_counts: FileCounts;
  /** Files that changed since the last event. */
  files: { id: string; status: FileStatus; progress: Progress | null }[];
  chunks_per_second: number;
  eta_seconds: number | null;
}

/** `done` carries the final batch; a store's stream has no end of its own and ends with the work. */
export type StoreEvent =
  | { event: "progress"; data: ProgressEvent }
  | { event: "done"; data: ShownBatch | ProgressEvent };

/** At most four events a second. */
const LEAST_MS = 250;
/** Progress inside a file changes without notice: looked at this often. */
const LOOK_MS = 1000;
/** Files reported in one event at most; the rest follows in the next. */
const MOST_FILES = 1000;

export type EventsService = ReturnType<typeof eventsService>;

export function eventsService(deps: EventsDeps) {
  return {
    /** Events of one batch until every file has ended, or `signal` aborts. Throws before the first event only. */
    async batch(
      caller: Caller,
      storeId: string,
      batchId: string,
      rules: DialectRules,
      signal: AbortSignal,
    ): Promise<AsyncIterable<StoreEvent>> {
      const read = () => deps.batchesService.get(caller, storeId, batchId, rules);
      const { batch } = await read();
      return stream({
        storeId,
        batchId,
        signal,
        counts: async () => (await read()).batch.file_counts,
        files: () => allFiles((page) => deps.storeFiles.listOfBatch(caller.tenantId, batch.id, page, null)),
        end: read,
      });
    },

    /** Events of a whole store until nothing in it is in progress. */
    async store(
      caller: Caller,
      storeId: string,
      rules: DialectRules,
      signal: AbortSignal,
    ): Promise<AsyncIterable<StoreEvent>> {
      const counts = async (): Promise<FileCounts> => {
        const row = await deps.access.open(caller, storeId, rules);
        const { n_in_progress, n_completed, n_failed, n_cancelled } = row;
        return {
          in_progress: n_in_progress,
          completed: n_completed,
          failed: n_failed,
          cancelled: n_cancelled,
          total: n_in_progress + n_completed + n_failed + n_cancelled,
        };
      };
      await counts();
      return stream({
        storeId,
        batchId: null,
        signal,
        counts,
        files: runningAndEnded(caller.tenantId, storeId),
        end: null,
      });
    },
  };

  /** Files in progress, and once more those that were when it was last asked. */
  function runningAndEnded(tenantId: string, storeId: string): () => Promise<StoreFileRow[]> {
    let before: StoreFileRow[] = [];
    return async () => {
      const running = await allFiles((page) => deps.storeFiles.list(tenantId, storeId, page, "in_progress"));
      const still = new Set(running.map((row) => row.seq));
      const ended: StoreFileRow[] = [];
      for (const { seq } of before) {
        const row = still.has(seq) ? null : await deps.storeFiles.bySeq(tenantId, seq);
        if (row !== null) ended.push(row);
      }
      before = running;
      return [...running, ...ended];
    };
  }

  interface Watched {
    storeId: string;
    batchId: string | null;
    signal: AbortSignal;
    counts: () => Promise<FileCounts>;
    files: () => Promise<StoreFileRow[]>;
    end: (() => Promise<ShownBatch>) | null;
  }

  async function* stream(watched: Watched): AsyncGenerator<StoreEvent> {
    const { signal, storeId } = watched;
    const seen = new Map<string, string>();
    const startedAt = performance.now();
    let chunksAtStart: number | null = null;
    let first = true;
    while (!signal.aborted) {
      const beganAt = performance.now();
      // Waited for from before the look: a change in between is not slept through.
      const changed = deps.changes.wait(storeId, signal, LOOK_MS);
      const now = await look(watched);
      // The store or the batch was deleted meanwhile.
      if (now === null) return;
      const { counts, rows } = now;
      const files = newsOf(rows.map(reported), seen);
      const chunks = rows.reduce((sum, row) => sum + row.n_chunks, 0) + runningChunks(rows);
      chunksAtStart ??= chunks;
      const seconds = (beganAt - startedAt) / 1000;
      const ended = counts.in_progress === 0;
      const data: ProgressEvent = {
        object: "vector_store.progress",
        vector_store_id: storeId,
        batch_id: watched.batchId,
        file_counts: counts,
        files,
        chunks_per_second: seconds < 0.5 ? 0 : Math.max(0, Math.round(((chunks - chunksAtStart) / seconds) * 10) / 10),
        eta_seconds: eta(counts, seconds),
      };
      if (first || files.length > 0) yield { event: "progress", data };
      first = false;
      if (ended) {
        yield { event: "done", data: watched.end === null ? data : await watched.end() };
        return;
      }
      await changed;
      const rest = LEAST_MS - (performance.now() - beganAt);
      if (rest > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, rest));
    }
  }

  async function look({ counts, files }: Watched): Promise<{ counts: FileCounts; rows: StoreFileRow[] } | null> {
    try {
      return { counts: await counts(), rows: await files() };
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  }

  function reported(row: StoreFileRow): ProgressEvent["files"][number] {
    const progress =
      row.status === "in_progress" ? (deps.progressOf(row.seq) ?? { stage: "queued", done: 0, total: 0 }) : null;
    return { id: row.file_id, status: row.status, progress };
  }

  function runningChunks(rows: readonly StoreFileRow[]): number {
    return rows.reduce((sum, row) => {
      const progress = row.status === "in_progress" ? deps.progressOf(row.seq) : null;
      return sum + (progress?.stage === "embed" ? progress.done : 0);
    }, 0);
  }
}

/** Files that are not as they were last reported. */
function newsOf(files: ProgressEvent["files"], seen: Map<string, string>): ProgressEvent["files"] {
  const news: ProgressEvent["files"] = [];
  for (const file of files) {
    if (news.length === MOST_FILES) break;
    const state = JSON.stringify(file);
    if (seen.get(file.id) === state) continue;
    seen.set(file.id, state);
    news.push(file);
  }
  return news;
}

/** From the files that ended so far; null while none has. */
function eta({ in_progress: left, total }: FileCounts, seconds: number): number | null {
  if (left === 0) return 0;
  const ended = total - left;
  return ended === 0 || seconds < 0.5 ? null : Math.ceil((left / ended) * seconds);
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
