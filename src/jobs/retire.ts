import type { Failpoint } from "../platform/failpoint.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

export interface RetireDeps {
  storage: Storage;
  failpoint: Failpoint;
  /** Takes its index out of memory; resolves when the last search has left it. */
  forgetIndex(storeId: string, generation: number): Promise<void>;
  /** Removes what is on disk for it; its index is out of memory. */
  removeGraph(generation: GenerationRow): void;
}

/** What was taken out of use is kept so long after that, where other servers may still search it: longer than any search. */
const REST_SECONDS = 120;
/** Free pages (4 KiB) given back to the file system; what is left is used again. */
const RECLAIMED = 20_000;
const RECLAIMED_AT_ONCE = 50;
const FILES = 100;

/**
 * Takes a generation that is out of use down in small steps: its vectors, its chunks unless another generation shares
 * them, its rows. Subject: the generation's id. Idempotent: what is gone is not found again.
 */
export function createRetireHandler(deps: RetireDeps): JobHandler {
  return {
    kind: "retire",
    concurrency: 1,
    async run(job, signal) {
      const generation = await deps.storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || generation.state !== "retired") return { type: "done" };
      const since = await deps.storage.storeChanges.retiredFor(job.tenant_id, generation.id);
      if (since !== null && since < REST_SECONDS) return { type: "retry", inMs: (REST_SECONDS - since) * 1000 };
      return await new Retirement(deps, generation, signal).run();
    },
  };
}

class Retirement {
  readonly #deps: RetireDeps;
  readonly #generation: GenerationRow;
  readonly #signal: AbortSignal;

  constructor(deps: RetireDeps, generation: GenerationRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#generation = generation;
    this.#signal = signal;
  }

  async run(): Promise<JobOutcome> {
    const { storage, failpoint, forgetIndex, removeGraph } = this.#deps;
    const { store_id: storeId, id } = this.#generation;
    await forgetIndex(storeId, id);
    if (!(await this.#removeRows(await this.#ownsChunks()))) return { type: "interrupted" };
    removeGraph(this.#generation);
    failpoint("retire:before-row");
    // The row stays: its number is not given to another generation, and migrations go on naming it.
    await storage.generationFiles.removeAll(id);
    for (let left = RECLAIMED; left > 0 && !this.#signal.aborted; left -= RECLAIMED_AT_ONCE) {
      await storage.reclaim(RECLAIMED_AT_ONCE);
      await nextTurn();
    }
    return { type: "done" };
  }

  async #ownsChunks(): Promise<boolean> {
    const { tenant_id: tenantId, store_id: storeId, id, chunk_set: chunkSet } = this.#generation;
    const others = await this.#deps.storage.generations.ofStore(tenantId, storeId);
    return !others.some((other) => other.id !== id && other.chunk_set === chunkSet && other.state !== "retired");
  }

  /**
   * Files without a row here may have chunks or vectors of an interrupted build: every file of the store is looked at.
   * False when interrupted.
   */
  async #removeRows(withChunks: boolean): Promise<boolean> {
    const { storage, failpoint } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId } = this.#generation;
    for (let after = 0; ;) {
      const files = await storage.storeFiles.seqsAfter(tenantId, storeId, after, FILES);
      for (const seq of files) {
        for (let last: number | null = 0; last !== null;) {
          if (this.#signal.aborted) return false;
          last = await storage.chunks.removeFromGeneration(this.#generation, seq, last, withChunks);
          failpoint("retire:some-removed");
          await nextTurn();
        }
      }
      const last = files.at(-1);
      if (last === undefined) return true;
      after = last;
    }
  }
}
