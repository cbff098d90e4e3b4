/** How far each file in progress is: for people who watch, so it lives in memory only. */
export type IngestStage = "queued" | "parse" | "chunk" | "embed" | "index";

export interface IngestProgress {
  stage: IngestStage;
  done: number;
  total: number;
}

export interface ProgressBoard {
  set(storeFile: number, stage: IngestStage, done: number, total: number): void;
  /** Null: the file is not in progress here. */
  get(storeFile: number): IngestProgress | null;
  end(storeFile: number): void;
}

/** `onStage` is told how long each stage of each file took. */
export function createProgress(onStage: (stage: IngestStage, seconds: number) => void = () => {}): ProgressBoard {
  const current = new Map<number, IngestProgress>();
  const since = new Map<number, number>();
  const endStage = (storeFile: number) => {
    const [before, startedMs] = [current.get(storeFile), since.get(storeFile)];
    if (before !== undefined && startedMs !== undefined) onStage(before.stage, (performance.now() - startedMs) / 1000);
  };
  return {
    set(storeFile, stage, done, total) {
      if (current.get(storeFile)?.stage !== stage) {
        endStage(storeFile);
        since.set(storeFile, performance.now());
      }
      current.set(storeFile, { stage, done, total });
    },
    get: (storeFile) => current.get(storeFile) ?? null,
    end(storeFile) {
      endStage(storeFile);
      since.delete(storeFile);
      current.delete(storeFile);
    },
  };
}
