import type { PartEntry } from "../index/generation.ts";
import type { Natives } from "../platform/native.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import { threads as threadsOf } from "../platform/worker-link.ts";
import { createWorkerPool, type WorkerPool } from "../platform/worker-pool.ts";
import { nativeWorkerUrl } from "../worker-urls.ts";
import type { GraphBatch, GraphPlan, NativeInit, NativeMethods } from "./protocol.ts";

/** The part to extend is not what it was when it was sealed: build without it. */
export class DamagedBaseError extends Error {
  override name = "DamagedBaseError";
}

/**
 * The lane that builds graphs: one worker of its own at low priority, with threads to help it, because a build takes minutes and must hold up
 * neither ingest nor queries. Started when first needed.
 */
export class GraphLane implements AsyncDisposable {
  readonly #pool: WorkerPool<NativeMethods>;

  /** @param threads that add to a graph at once, all at low priority */
  constructor(natives: Natives, threads = 1) {
    const init: NativeInit = { natives, threads, nice: BACKGROUND_NICE };
    this.#pool = createWorkerPool<NativeMethods>({
      start: threadsOf(nativeWorkerUrl),
      size: 1,
      terminable: false,
      init,
      name: "graph-lane",
    });
  }

  /**
   * Builds one part from `batches`. Null when `signal` aborted; rejects with DamagedBaseError, or with what the builder
   * or the disk says. Nothing is left of a part that was not finished.
   */
  async build(
    plan: GraphPlan,
    batches: AsyncIterable<GraphBatch> | Iterable<GraphBatch>,
    signal: AbortSignal,
  ): Promise<PartEntry | null> {
    return await this.#pool.session(async (worker) => {
      try {
        await worker.call("graphStart", plan);
      } catch (error) {
        if (error instanceof Error && error.name === "DamagedFileError") throw new DamagedBaseError(error.message);
        throw error;
      }
      try {
        for await (const batch of batches) {
          if (signal.aborted) return null;
          await worker.call("graphAdd", batch, {
            transfer: [batch.ids.buffer as ArrayBuffer, batch.vectors.buffer as ArrayBuffer],
          });
        }
        return await worker.call("graphFinish", null);
      } finally {
        await worker.call("graphRelease", null);
      }
    }, signal);
  }

  stats() {
    return this.#pool.stats();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}
