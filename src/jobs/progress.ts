/** How far each file in progress is: for people who watch, so it lives in memory only. */
export type IngestStage = "queued" | "parse" | "chunk" | "embed" | "index";

export interface IngestProgress {
  stage: IngestStage;
  done: number;
  total: number;
}

/** `onStage` is told how long each stage of each file took. */
export class ProgressBoard {
  readonly #onStage: (stage: IngestStage, seconds: number) => void;
  readonly #current = new Map<number, IngestProgress>();
  readonly #since = new Map<number, number>();

  constructor(onStage: (stage: IngestStage, seconds: number) => void = () => {}) {
    this.#onStage = onStage;
  }

  set(storeFile: number, progress: IngestProgress): void {
    if (this.#current.get(storeFile)?.stage !== progress.stage) {
      this.#endStage(storeFile);
      this.#since.set(storeFile, performance.now());
    }
    this.#current.set(storeFile, progress);
  }

  get(storeFile: number): IngestProgress | null {
    return this.#current.get(storeFile) ?? null;
  }

  end(storeFile: number): void {
    this.#endStage(storeFile);
    this.#since.delete(storeFile);
    this.#current.delete(storeFile);
  }

  #endStage(storeFile: number): void {
    const [before, startedMs] = [this.#current.get(storeFile), this.#since.get(storeFile)];
    if (before !== undefined && startedMs !== undefined)
      this.#onStage(before.stage, (performance.now() - startedMs) / 1000);
  }
}
