import type { Failpoint } from "../platform/failpoint.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import { nextTurn } from "./next-turn.ts";
import type { JobHandler } from "./runner.ts";

export interface RetireDeps {
  storage: Storage;
  failpoint: Failpoint;
  /** Takes its index out of memory; resolves when the last search has left it. */
  forgetIndex(storeId: string, generation: number): Promise<void>;
  /** Removes what is on disk for it; its index is out of memory. */
  removeGraph(generation: GenerationRow): void;
}

/** Free pages (4 KiB) given back to the file system; what is left is used again. */
const RECLAIMED = 20_000;
const RECLAIMED_AT_ONCE = 50;

/**
 * Takes a generation that is out of use down in small steps: its vectors, its chunks unless another generation shares
 * them, its rows. Subject: the generation's id. Idempotent: what is gone is not found again.
 */
export function createRetireHandler({ storage, failpoint, forgetIndex, removeGraph }: RetireDeps): JobHandler {
  return {
    kind: "retire",
    concurrency: 1,
    async run(job, signal) {
      const generation = await storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || generation.state !== "retired") return { type: "done" };
      await forgetIndex(generation.store_id, generation.id);
      const others = await storage.generations.ofStore(generation.tenant_id, generation.store_id);
      const shared = others.some(
        (other) => other.id !== generation.id && other.chunk_set === generation.chunk_set && other.state !== "retired",
      );
      // Files without a row here may have chunks or vectors of an interrupted build: every file of the store is looked at.
      for (let after = 0; ;) {
        const files = await storage.storeFiles.seqsAfter(generation.tenant_id, generation.store_id, after, 100);
        for (const seq of files) {
          for (let last: number | null = 0; last !== null;) {
            if (signal.aborted) return { type: "interrupted" };
            last = await storage.chunks.removeFromGeneration(generation, seq, last, !shared);
            failpoint("retire:some-removed");
            await nextTurn();
          }
        }
        const last = files.at(-1);
        if (last === undefined) break;
        after = last;
      }
      removeGraph(generation);
      failpoint("retire:before-row");
      // The row stays: its number is not given to another generation, and migrations go on naming it.
      await storage.generationFiles.removeAll(generation.id);
      for (let left = RECLAIMED; left > 0 && !signal.aborted; left -= RECLAIMED_AT_ONCE) {
        await storage.reclaim(RECLAIMED_AT_ONCE);
        await nextTurn();
      }
      return { type: "done" };
    },
  };
}
