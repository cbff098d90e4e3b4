/** How far each file in progress is: for people who watch, so it lives in memory. */
import { Pace } from "./pace.ts";

export type IngestStage = "queued" | "parse" | "chunk" | "embed" | "index";

export interface IngestProgress {
  stage: IngestStage;
  done: number;
  total: number;
}

/** What is known of files in progress, wherever they are worked on. */
export interface FileProgress {
  /** Brings in what other servers told; what was brought in a moment ago will do. */
  fresh(): Promise<void>;
  get(storeFile: number): IngestProgress | null;
  /**
   * Seconds until a store's files are indexed, by the pace of the last minutes; null while that cannot be told.
   *
   * @param files in progress, those that wait included
   */
  secondsLeft(storeId: string, files: number): number | null;
}

/** A file in progress. */
interface Running {
  progress: IngestProgress;
  sinceMs: number;
  storeId: string | null;
  share: number;
}

interface StoreRun {
  pace: Pace;
  /** Files of the store that run. */
  running: Set<number>;
  lastMs: number;
}

/** A store of which nothing ran for so long begins anew: waiting for a model is no pace. */
const STORE_KEPT_MS = 60_000;

/** `onStage` is told how long each stage of each file took. */
export class ProgressBoard implements FileProgress {
  readonly #onStage: (stage: IngestStage, seconds: number) => void;
  readonly #nowMs: () => number;
  readonly #current = new Map<number, Running>();
  readonly #stores = new Map<string, StoreRun>();

  constructor(
    onStage: (stage: IngestStage, seconds: number) => void = () => {},
    nowMs: () => number = () => performance.now(),
  ) {
    this.#onStage = onStage;
    this.#nowMs = nowMs;
  }

  set(storeFile: number, progress: IngestProgress, storeId: string | null = null): void {
    const nowMs = this.#nowMs();
    const known = this.#current.get(storeFile);
    const share = shareOf(progress);
    if (known !== undefined && known.progress.stage !== progress.stage) this.#tellStage(known, nowMs);
    const sinceMs = known?.progress.stage === progress.stage ? known.sinceMs : nowMs;
    this.#current.set(storeFile, { progress, sinceMs, storeId, share });
    if (storeId === null) return;
    const store = this.#storeAt(storeId, nowMs);
    store.running.add(storeFile);
    // A run that goes on from where an earlier one was interrupted has not done what it finds done.
    store.pace.add(known === undefined ? 0 : Math.max(0, share - known.share), nowMs);
  }

  fresh(): Promise<void> {
    return Promise.resolve();
  }

  /** Every file that is worked on here. */
  *all(): Generator<{ storeFile: number; storeId: string; progress: IngestProgress }> {
    for (const [storeFile, { storeId, progress }] of this.#current)
      if (storeId !== null) yield { storeFile, storeId, progress };
  }

  /** Files of the store that are indexed here in a second; null while that cannot be told. */
  paceOf(storeId: string): number | null {
    return this.#stores.get(storeId)?.pace.perSecond(this.#nowMs()) ?? null;
  }

  get(storeFile: number): IngestProgress | null {
    return this.#current.get(storeFile)?.progress ?? null;
  }

  secondsLeft(storeId: string, files: number): number | null {
    const store = this.#stores.get(storeId);
    if (store === undefined) return null;
    const begun = [...store.running].reduce((sum, file) => sum + (this.#current.get(file)?.share ?? 0), 0);
    return store.pace.secondsFor(files - begun, this.#nowMs());
  }

  end(storeFile: number): void {
    const known = this.#current.get(storeFile);
    if (known === undefined) return;
    const nowMs = this.#nowMs();
    this.#tellStage(known, nowMs);
    this.#current.delete(storeFile);
    const store = known.storeId === null ? undefined : this.#stores.get(known.storeId);
    if (store === undefined) return;
    store.running.delete(storeFile);
    store.pace.add(known.progress.stage === "index" ? 1 - known.share : 0, nowMs);
    store.lastMs = nowMs;
  }

  #storeAt(storeId: string, nowMs: number): StoreRun {
    const known = this.#stores.get(storeId);
    if (known !== undefined && (known.running.size > 0 || nowMs - known.lastMs < STORE_KEPT_MS)) return known;
    for (const [id, { running, lastMs }] of this.#stores)
      if (running.size === 0 && nowMs - lastMs >= STORE_KEPT_MS) this.#stores.delete(id);
    const store = { pace: new Pace(nowMs), running: new Set<number>(), lastMs: nowMs };
    this.#stores.set(storeId, store);
    return store;
  }

  #tellStage({ progress, sinceMs }: Running, nowMs: number): void {
    this.#onStage(progress.stage, (nowMs - sinceMs) / 1000);
  }
}

/** How much of a file's work is done, 0 to 1: with a model that reads, nearly all of it is embedding. */
export function shareOf({ stage, done, total }: IngestProgress): number {
  switch (stage) {
    case "queued":
    case "parse":
      return 0;
    case "chunk":
      return 0.02;
    case "embed":
      return 0.05 + (total === 0 ? 0 : (0.93 * done) / total);
    case "index":
      return 0.99;
  }
}
