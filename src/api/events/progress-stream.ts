import { AppError } from "../../errors.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { ShownBatch } from "../file-batches/service.ts";
import type { FileStatus, Progress } from "../vector-store-files/schema.ts";
import type { FileCounts } from "../vector-stores/schema.ts";
import type { Changes } from "./long-poll.ts";

export interface StreamDeps {
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

/** What a stream looks at, again and again. */
export interface Watched {
  storeId: string;
  batchId: string | null;
  signal: AbortSignal;
  counts: () => Promise<FileCounts>;
  files: () => Promise<StoreFileRow[]>;
  /** The final batch; null where no batch is watched. */
  end: (() => Promise<ShownBatch>) | null;
}

/** At most four events a second. */
const LEAST_MS = 250;
/** Progress inside a file changes without notice: looked at this often. */
const LOOK_MS = 1000;
/** Files reported in one event at most; the rest follows in the next. */
const MOST_FILES = 1000;

/** Events until nothing that is watched is in progress, or `signal` aborts. */
export async function* progressStream(deps: StreamDeps, watched: Watched): AsyncGenerator<StoreEvent> {
  const { signal, storeId } = watched;
  const report = new Report(deps, watched);
  while (!signal.aborted) {
    const beganAt = performance.now();
    // Waited for from before the look: a change in between is not slept through.
    const changed = deps.changes.wait(storeId, signal, LOOK_MS);
    const now = await look(watched);
    // The store or the batch was deleted meanwhile.
    if (now === null) return;
    const { data, isNews } = report.next(now, beganAt);
    if (isNews) yield { event: "progress", data };
    if (now.counts.in_progress === 0) {
      yield { event: "done", data: watched.end === null ? data : await watched.end() };
      return;
    }
    await changed;
    const rest = LEAST_MS - (performance.now() - beganAt);
    if (rest > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, rest));
  }
}

interface Look {
  counts: FileCounts;
  rows: StoreFileRow[];
}

async function look({ counts, files }: Watched): Promise<Look | null> {
  try {
    return { counts: await counts(), rows: await files() };
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}

/** What one stream has told so far: each event holds what is new since the last. */
class Report {
  readonly #deps: Pick<StreamDeps, "progressOf">;
  readonly #watched: Watched;
  readonly #seen = new Map<string, string>();
  readonly #startedAt = performance.now();
  #chunksAtStart: number | null = null;
  #isFirst = true;

  constructor(deps: Pick<StreamDeps, "progressOf">, watched: Watched) {
    this.#deps = deps;
    this.#watched = watched;
  }

  /** `beganAt`: when the look began. The first event is news whatever it holds. */
  next({ counts, rows }: Look, beganAt: number): { data: ProgressEvent; isNews: boolean } {
    const files = newsOf(
      rows.map((row) => this.#reported(row)),
      this.#seen,
    );
    const chunks = rows.reduce((sum, row) => sum + row.n_chunks, 0) + this.#runningChunks(rows);
    this.#chunksAtStart ??= chunks;
    const seconds = (beganAt - this.#startedAt) / 1000;
    const perSecond = (chunks - this.#chunksAtStart) / seconds;
    const data: ProgressEvent = {
      object: "vector_store.progress",
      vector_store_id: this.#watched.storeId,
      batch_id: this.#watched.batchId,
      file_counts: counts,
      files,
      chunks_per_second: seconds < 0.5 ? 0 : Math.max(0, Math.round(perSecond * 10) / 10),
      eta_seconds: eta(counts, seconds),
    };
    const isNews = this.#isFirst || files.length > 0;
    this.#isFirst = false;
    return { data, isNews };
  }

  #reported(row: StoreFileRow): ProgressEvent["files"][number] {
    const progress =
      row.status === "in_progress" ? (this.#deps.progressOf(row.seq) ?? { stage: "queued", done: 0, total: 0 }) : null;
    return { id: row.file_id, status: row.status, progress };
  }

  #runningChunks(rows: readonly StoreFileRow[]): number {
    return rows.reduce((sum, row) => {
      const progress = row.status === "in_progress" ? this.#deps.progressOf(row.seq) : null;
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
