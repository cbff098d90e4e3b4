import type { Natives } from "../platform/native.ts";
import { BACKGROUND_NICE } from "../platform/priority.ts";
import type { ProcessBounds } from "../platform/process-bounds.ts";
import { createWorkerPool, type WorkerPool } from "../platform/worker-pool.ts";
import { processes } from "../platform/worker-process.ts";
import type { ImageInit, ImageMethods, ImagePlan, ImageResult } from "./protocol.ts";

export interface ImageLaneOptions {
  natives: Natives;
  bounds: ProcessBounds;
  failpoint: string | null;
}

/** A process holds what was read since it last mapped what it wrote; pages of a mapping are the system's to take back. */
const BASE_BYTES = 2 * 2 ** 30;
const CHUNK_BYTES = 8 * 2 ** 10;

/**
 * Writes images of indexes: a process at low priority for each, one at a time, so that what it held is given back at its
 * end, and a machine without memory ends it and not the server.
 */
export class ImageLane implements AsyncDisposable {
  readonly #options: ImageLaneOptions;
  #pool: WorkerPool<ImageMethods> | null = null;

  constructor(options: ImageLaneOptions) {
    this.#options = options;
  }

  /** Rejects with WorkerCallError, of an abort too, or with what the disk says. `chunks`: about how many there are. */
  async write(plan: ImagePlan, chunks: number, signal: AbortSignal): Promise<ImageResult> {
    const { natives, bounds, failpoint } = this.#options;
    const init: ImageInit = { natives, nice: BACKGROUND_NICE, failpoint };
    await using pool = createWorkerPool<ImageMethods>({
      start: processes({ entry: "image", bounds, memoryBytes: () => BASE_BYTES + CHUNK_BYTES * chunks }),
      size: 1,
      terminable: true,
      init,
      name: "image",
    });
    this.#pool = pool;
    try {
      return await pool.call("write", plan, { signal });
    } finally {
      this.#pool = null;
    }
  }

  stats(): { busy: number; waiting: number; restarts: number } {
    return this.#pool?.stats() ?? { busy: 0, waiting: 0, restarts: 0 };
  }

  residentBytes(): number {
    return this.#pool?.residentBytes() ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
  }
}
