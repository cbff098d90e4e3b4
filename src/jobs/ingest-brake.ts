import type { JobRow } from "../storage/jobs.ts";
import type { JobHandler } from "./runner.ts";

/**
 * Files may stream into a store faster than another model takes them up: then a migration of the store would never end.
 * While one adds what is missing, new files enter the store at most half as fast as the migration gets on, beyond a
 * few at its beginning; and after some rounds none, until nothing is missing. Files held back wait in progress.
 */
export interface Brake extends Disposable {
  /** The migration has added a file of so many chunks. */
  added(chunks: number): void;
  /** What was missing at the beginning of a round is there; what came meanwhile is the next round's. */
  roundEnded(): void;
  /** After its end, where others are told: they know. */
  settled?(): Promise<void>;
}

interface Applied {
  /** Chunks that may still enter the store. */
  credit: number;
  addedInRound: number;
  rounds: number;
}

export const SHARE = 0.5;
export const OPEN_ROUNDS = 4;

export class IngestBrake {
  readonly #applied = new Map<string, Applied>();
  readonly #onRelease: () => void;

  /** `onRelease`: files that were held back may enter. */
  constructor(onRelease: () => void) {
    this.#onRelease = onRelease;
  }

  /** For one migration at a time of a store. `credit`: chunks that may enter before it has added any. */
  apply(storeId: string, credit: number): Brake {
    const state: Applied = { credit, addedInRound: 0, rounds: 0 };
    this.#applied.set(storeId, state);
    const change = (make: () => void) => {
      const wasHeld = state.credit <= 0;
      make();
      if (wasHeld && state.credit > 0) this.#onRelease();
    };
    return {
      added: (chunks) =>
        change(() => {
          state.addedInRound += chunks;
          state.credit += chunks * SHARE;
        }),
      roundEnded: () =>
        change(() => {
          state.rounds += 1;
          state.credit = state.rounds < OPEN_ROUNDS ? Math.min(state.credit, state.addedInRound * SHARE) : -Infinity;
          state.addedInRound = 0;
        }),
      [Symbol.dispose]: () => {
        if (this.#applied.get(storeId) === state) this.#applied.delete(storeId);
        if (state.credit <= 0) this.#onRelease();
      },
    };
  }

  /** The same handler, each of whose jobs brings a file of `chunksOf` chunks into its store. */
  watch(handler: JobHandler, chunksOf: (job: JobRow) => Promise<number>): JobHandler {
    return {
      ...handler,
      run: async (job, signal, lease) => {
        const outcome = await handler.run(job, signal, lease);
        const state = job.store_id === null ? undefined : this.#applied.get(job.store_id);
        if (state !== undefined) state.credit -= await chunksOf(job);
        return outcome;
      },
    };
  }

  /** Stores that no new file may enter now. */
  held(): string[] {
    return [...this.#applied].flatMap(([storeId, { credit }]) => (credit <= 0 ? [storeId] : []));
  }
}
