import type { IndexLease } from "../index/registry.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import { scheduleBuild } from "./build-graph.ts";

/**
 * Notices when an index in memory has outgrown its graph. Asked every second and only for what was written to or
 * loaded since: finding out what to build looks at every chunk.
 */
export interface GraphWatchDeps {
  storage: Storage;
  tryAcquire(storeId: string, generation: number): IndexLease | null;
  wakeJobs(): void;
  /** Where each server builds its own; else a job is queued. */
  buildHere?: ((generation: GenerationRow) => void) | null;
}

const EVERY_MS = 1_000;
/** Generations that are kept in mind at most while they are not in memory: who is forgotten is touched by the load that brings it. */
const MOST_WAITING = 1_000;

export class GraphWatch implements Disposable {
  readonly #deps: GraphWatchDeps;
  readonly #touched = new Map<number, GenerationRow>();
  readonly #timer: Timer;

  constructor(deps: GraphWatchDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.look(), EVERY_MS);
    this.#timer.unref();
  }

  touch(generation: GenerationRow): void {
    this.#touched.set(generation.id, generation);
  }

  /** One round. */
  async look(): Promise<void> {
    const { storage, tryAcquire, wakeJobs, buildHere } = this.#deps;
    for (const generation of [...this.#touched.values()]) {
      using lease = tryAcquire(generation.store_id, generation.id);
      // Still loading, or not in memory: the next load touches it again.
      if (lease === null) continue;
      this.#touched.delete(generation.id);
      if (lease.index.graphWork() === null) continue;
      if (buildHere) {
        buildHere(generation);
        continue;
      }
      try {
        await scheduleBuild(storage, generation);
        wakeJobs();
      } catch {
        // A full disk: looked at again with the next round.
        this.#touched.set(generation.id, generation);
      }
    }
    for (const id of this.#touched.keys()) {
      if (this.#touched.size <= MOST_WAITING) break;
      this.#touched.delete(id);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
