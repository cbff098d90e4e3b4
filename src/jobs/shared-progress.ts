import type { JobsTable, ToldProgress } from "../storage/jobs.ts";
import { type FileProgress, type IngestProgress, type ProgressBoard, shareOf } from "./progress.ts";

export interface SharedProgressDeps {
  jobs: Pick<JobsTable, "tellProgress" | "toldProgress">;
  /** Of the files that are worked on here. */
  board: ProgressBoard;
  /** Names this run of the process in leases. */
  owner: string;
  nowMs?: () => number;
}

/** Between two times that it is told, and between two that it is read. */
const EVERY_MS = 1000;

/**
 * The progress of files at every server of a database: each writes its own into the rows of its jobs, once a second and
 * only what has changed, and reads that of the others when it is asked for it.
 */
export class SharedProgress implements FileProgress, Disposable {
  readonly #deps: SharedProgressDeps;
  readonly #timer: Timer;
  /** As it was last written, by file. */
  readonly #told = new Map<number, string>();
  #others = new Map<number, ToldProgress>();
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;
  #isTelling = false;

  constructor(deps: SharedProgressDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.tell(), EVERY_MS);
    this.#timer.unref();
  }

  /** Writes what has changed. A database that is away is told later. */
  async tell(): Promise<void> {
    if (this.#isTelling) return;
    const { board, jobs, owner } = this.#deps;
    const now = new Map<number, string>();
    const changed: Omit<ToldProgress, "owner">[] = [];
    for (const { storeFile, storeId, progress } of board.all()) {
      const kept = { ...progress, pace: board.paceOf(storeId) };
      now.set(storeFile, JSON.stringify(progress));
      if (this.#told.get(storeFile) !== now.get(storeFile)) changed.push({ storeFile, storeId, progress: kept });
    }
    for (const storeFile of this.#told.keys()) if (!now.has(storeFile)) this.#told.delete(storeFile);
    if (changed.length === 0) return;
    this.#isTelling = true;
    try {
      await jobs.tellProgress(owner, changed);
      for (const { storeFile } of changed) this.#told.set(storeFile, now.get(storeFile) ?? "");
    } catch {
      // For people who watch; the next time will do.
    } finally {
      this.#isTelling = false;
    }
  }

  async fresh(): Promise<void> {
    const nowMs = this.#deps.nowMs ?? (() => performance.now());
    if (nowMs() - this.#readAt < EVERY_MS) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
      this.#readAt = nowMs();
    });
    await this.#reading;
  }

  get(storeFile: number): IngestProgress | null {
    const own = this.#deps.board.get(storeFile);
    const other = this.#others.get(storeFile)?.progress;
    if (own !== null || other === undefined) return own;
    const { stage, done, total } = other;
    return { stage, done, total };
  }

  secondsLeft(storeId: string, files: number): number | null {
    const { board } = this.#deps;
    const others = [...this.#others.values()].filter((one) => one.storeId === storeId);
    if (others.length === 0) return board.secondsLeft(storeId, files);
    const paces = new Map(others.map(({ owner, progress }) => [owner, progress.pace]));
    const pace = [board.paceOf(storeId), ...paces.values()].reduce<number>((sum, one) => sum + (one ?? 0), 0);
    if (pace === 0) return null;
    let begun = 0;
    for (const one of board.all()) if (one.storeId === storeId) begun += shareOf(one.progress);
    for (const { progress } of others) begun += shareOf(progress);
    return Math.max(0, Math.ceil((files - begun) / pace));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #read(): Promise<void> {
    const { jobs, owner } = this.#deps;
    try {
      this.#others = new Map((await jobs.toldProgress(owner)).map((one) => [one.storeFile, one]));
    } catch {
      // Whoever asks is answered with what is known; other reads say that the database is away.
    }
  }
}
