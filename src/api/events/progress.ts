import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { FileStatus, Progress } from "../attaching/schema.ts";
import type { FileCounts } from "../store-schema.ts";

export interface ProgressEvent {
  object: "vector_store.progress";
  vector_store_id: string;
  batch_id: string | null;
  file_counts: FileCounts;
  /** Files that changed since the last event. */
  files: { id: string; status: FileStatus; progress: Progress | null }[];
  chunks_per_second: number;
  /** Until the files that are followed have ended, by what was done since the stream began; null while nothing was. */
  eta_seconds: number | null;
}

/** The files that are followed, as the tables have them. */
export interface Source {
  storeId: string;
  batchId: string | null;
  /** A batch's files all count; of a store only those in progress do, and each once more when it has ended. */
  forgetsEnded: boolean;
  /** A change of the counts is told although no file that is followed changed: one was deleted. */
  tellsCounts: boolean;
  counts: (store: StoreRow) => Promise<FileCounts>;
  /** In pages, in the order of their `seq`. */
  all: () => Promise<StoreFileRow[]>;
  inProgress: () => Promise<number[]>;
  rows: (seqs: readonly number[]) => Promise<StoreFileRow[]>;
  /** How far a file in progress is. */
  progress: { fresh(): Promise<void>; get(storeFile: number): Progress | null };
}

/** Told to one stream: an event, and what it has heard of afterwards. */
export interface Told {
  bytes: Uint8Array;
  upTo: number;
}

interface Entry {
  seq: number;
  id: string;
  status: FileStatus;
  progress: Progress | null;
  chunks: number;
  bytes: number;
  /** How much of it was done when it was seen first. */
  shareAtStart: number;
  /** Grows with every change of any file: streams remember up to which they were told. */
  version: number;
  changedAtMs: number;
}

/** Files reported in one event at most; the rest follows in the next. */
const MOST_FILES = 1000;
/** Changed rows that are read at once. */
const PAGE = 2000;
/** Two changes that undo each other in the store's counts are noticed after this long. */
const FULL_LOOK_MS = 5000;
/** Whoever has not heard of a file's end by then is closed (event-stream.ts). */
const ENDED_KEPT_MS = 60_000;
/** From so many on, what was done tells a pace. */
const LEAST_SECONDS = 0.5;
const QUEUED: Progress = { stage: "queued", done: 0, total: 0 };

/**
 * What is known of the files of a batch, or of a store, and the events that tell it. One look reads the store's counts;
 * only where they changed does it read which files are in progress, and the rows of those that came, went or ended.
 * An event's bytes are made once for all streams that were told the same before.
 */
export class FilesProgress {
  readonly #source: Source;
  /** By `seq`, in the order of their last change. */
  readonly #entries = new Map<number, Entry>();
  readonly #running = new Set<number>();
  readonly #nowMs: () => number;
  readonly #startedAt: number;
  readonly #encoder = new TextEncoder();
  readonly #made = new Map<number, Told | null>();
  #version = 0;
  #chunks = 0;
  /** Done of files that are not known any more. */
  #bytesForgotten = 0;
  #chunksAtStart: number | null = null;
  #counts: FileCounts | null = null;
  /** When the counts last changed, as a version. */
  #countsVersion = 0;
  #mark = "";
  #readAt = 0;
  #lookedAt = 0;

  constructor(source: Source, nowMs: () => number = () => performance.now()) {
    this.#source = source;
    this.#nowMs = nowMs;
    this.#startedAt = nowMs();
  }

  get counts(): FileCounts {
    if (this.#counts === null) throw new Error("progress was asked for before the first look");
    return this.#counts;
  }

  /** Takes in what changed; `store` is its row as it is now. */
  async look(store: StoreRow): Promise<void> {
    const now = this.#nowMs();
    await this.#source.progress.fresh();
    const mark = markOf(store);
    const isFirst = this.#counts === null;
    this.#lookedAt = now;
    if (isFirst || mark !== this.#mark || now - this.#readAt > FULL_LOOK_MS) {
      await (isFirst ? this.#readAll() : this.#readChanged());
      this.#takeCounts(await this.#source.counts(store));
      this.#mark = mark;
      this.#readAt = now;
    }
    for (const seq of this.#running) {
      const entry = this.#entries.get(seq);
      if (entry !== undefined) this.#update(entry, { progress: this.#source.progress.get(seq) ?? QUEUED });
    }
    this.#chunksAtStart ??= this.#chunksNow();
    if (this.#source.forgetsEnded) this.#forgetEnded(now);
    this.#made.clear();
  }

  /**
   * What a stream is told that has heard of everything up to `upTo` (0: it is new), as the text of an event; null where
   * that is nothing.
   */
  eventAfter(upTo: number): Told | null {
    let told = this.#made.get(upTo);
    if (told === undefined) {
      const { data, last } = this.#dataAfter(upTo);
      const isNews = upTo === 0 || data.files.length > 0 || upTo < this.#countsVersion;
      told = isNews ? { bytes: this.#encoder.encode(textOf("progress", data)), upTo: last } : null;
      this.#made.set(upTo, told);
    }
    return told;
  }

  /** What a stream's last event tells where no batch is followed. */
  lastData(upTo: number): ProgressEvent {
    return this.#dataAfter(upTo).data;
  }

  #dataAfter(upTo: number): { data: ProgressEvent; last: number } {
    const news = this.#newsAfter(upTo);
    const seconds = (this.#lookedAt - this.#startedAt) / 1000;
    const perSecond = (this.#chunksNow() - (this.#chunksAtStart ?? 0)) / seconds;
    const data: ProgressEvent = {
      object: "vector_store.progress",
      vector_store_id: this.#source.storeId,
      batch_id: this.#source.batchId,
      file_counts: this.counts,
      files: news.files.map(({ id, status, progress }) => ({ id, status, progress })),
      chunks_per_second: seconds < LEAST_SECONDS ? 0 : Math.max(0, Math.round(perSecond * 10) / 10),
      eta_seconds: this.#secondsLeft(seconds),
    };
    return { data, last: news.last };
  }

  /** The oldest changes first, so that none is left behind; within an event in the order of the files. */
  #newsAfter(upTo: number): { files: Entry[]; last: number } {
    const files: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.version <= upTo) continue;
      // A stream that is new hears of what happens from now on.
      if (upTo === 0 && this.#source.forgetsEnded && entry.status !== "in_progress") continue;
      if (files.length === MOST_FILES) return { files: inOrder(files), last: files.at(-1)?.version ?? upTo };
      files.push(entry);
    }
    // Never 0, which stands for a stream that was told nothing.
    return { files: inOrder(files), last: Math.max(1, this.#version) };
  }

  async #readAll(): Promise<void> {
    this.#version = 1;
    for (const row of await this.#source.all()) this.#take(row);
  }

  async #readChanged(): Promise<void> {
    const running = new Set(await this.#source.inProgress());
    const changed = [
      ...[...this.#running].filter((seq) => !running.has(seq)),
      ...[...running].filter((seq) => !this.#running.has(seq)),
    ].toSorted((a, b) => a - b);
    for (let i = 0; i < changed.length; i += PAGE) {
      const page = changed.slice(i, i + PAGE);
      const rows = new Map((await this.#source.rows(page)).map((row) => [row.seq, row]));
      for (const seq of page) {
        const row = rows.get(seq);
        if (row === undefined) this.#drop(seq);
        else this.#take(row);
      }
    }
  }

  #take({ seq, file_id: id, status, n_chunks: chunks, file_bytes: bytes }: StoreFileRow): void {
    const progress = status === "in_progress" ? { ...(this.#source.progress.get(seq) ?? QUEUED) } : null;
    const entry = this.#entries.get(seq);
    if (entry === undefined) {
      const shareAtStart = shareDone({ status, progress });
      this.#change({ seq, id, status, progress, chunks: 0, bytes, shareAtStart, version: 0, changedAtMs: 0 });
    } else this.#update(entry, { status, progress });
    const kept = this.#entries.get(seq);
    if (kept !== undefined) {
      this.#chunks += chunks - kept.chunks;
      kept.chunks = chunks;
    }
    if (status === "in_progress") this.#running.add(seq);
    else this.#running.delete(seq);
  }

  #takeCounts(counts: FileCounts): void {
    const before = this.#counts;
    this.#counts = counts;
    if (!this.#source.tellsCounts || before === null) return;
    if (JSON.stringify(before) !== JSON.stringify(counts)) this.#countsVersion = this.#version += 1;
  }

  #update(entry: Entry, { status = entry.status, progress }: { status?: FileStatus; progress: Progress | null }): void {
    if (status === entry.status && isSame(progress, entry.progress)) return;
    entry.status = status;
    // The board hands out what it goes on changing.
    entry.progress = progress === null ? null : { ...progress };
    this.#change(entry);
  }

  #change(entry: Entry): void {
    this.#version += 1;
    entry.version = this.#version;
    entry.changedAtMs = this.#nowMs();
    this.#entries.delete(entry.seq);
    this.#entries.set(entry.seq, entry);
  }

  #drop(seq: number): void {
    this.#entries.delete(seq);
    this.#running.delete(seq);
  }

  #forgetEnded(now: number): void {
    for (const entry of this.#entries.values()) {
      if (now - entry.changedAtMs < ENDED_KEPT_MS) return;
      if (entry.status === "in_progress") continue;
      this.#bytesForgotten += (entry.bytes + 1) * (1 - entry.shareAtStart);
      this.#entries.delete(entry.seq);
    }
  }

  /** By bytes: files differ. Null while nothing was done; forgotten files (see `forgetsEnded`) are in `#bytesForgotten`. */
  #secondsLeft(seconds: number): number | null {
    let [done, left] = [this.#bytesForgotten, 0];
    for (const entry of this.#entries.values()) {
      const share = shareDone(entry);
      // A byte for the file itself: empty ones are work too.
      done += (entry.bytes + 1) * Math.max(0, share - entry.shareAtStart);
      left += (entry.bytes + 1) * (1 - share);
    }
    if (this.counts.in_progress === 0) return 0;
    return done <= 0 || seconds < LEAST_SECONDS ? null : Math.max(1, Math.round((left / done) * seconds));
  }

  #chunksNow(): number {
    let running = 0;
    for (const seq of this.#running) {
      const progress = this.#entries.get(seq)?.progress;
      if (progress?.stage === "embed") running += progress.done;
    }
    return this.#chunks + running;
  }
}

export function textOf(event: "progress" | "done", data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Changes with every change of a file of the store, or nearly. */
function markOf(store: StoreRow): string {
  const { n_in_progress, n_completed, n_failed, n_cancelled, n_chunks, n_vectors, usage_bytes, file_bytes } = store;
  return [n_in_progress, n_completed, n_failed, n_cancelled, n_chunks, n_vectors, usage_bytes, file_bytes].join(" ");
}

function isSame(a: Progress | null, b: Progress | null): boolean {
  if (a === null || b === null) return a === b;
  return a.stage === b.stage && a.done === b.done && a.total === b.total;
}

function inOrder(files: Entry[]): Entry[] {
  return files.toSorted((a, b) => a.seq - b.seq);
}

/** How much of a file's work is done, 0 to 1: embedding is nearly all of it. */
function shareDone({ status, progress }: { status: FileStatus; progress: Progress | null }): number {
  if (status !== "in_progress") return 1;
  if (progress?.stage === "index") return 1;
  return progress?.stage === "embed" && progress.total > 0 ? progress.done / progress.total : 0;
}
