import type { StoreIndex } from "../index/store-index.ts";
import type { Clock } from "../platform/clock.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import { type ImageEnd, LEAST_IMAGED_CHUNKS, scheduleImage } from "./write-image.ts";

/**
 * Notices when an index in memory is no longer what its image says, or has none. Asked every second; costs nothing for what
 * has not changed.
 */
export interface ImageWatchDeps {
  storage: Pick<Storage, "jobs">;
  clock: Pick<Clock, "nowMs">;
  peek(storeId: string, generation: number): StoreIndex | null;
  wakeJobs(): void;
  /** Whether it has an image, of whatever worth. */
  hasImage(generation: GenerationRow): boolean;
  /** Chunks from which a store has an image (default: LEAST_IMAGED_CHUNKS). */
  least?: number | undefined;
}

const EVERY_MS = 1_000;
/** How often it is looked whether the files are there still. */
const MISSING_EVERY_MS = 60_000;
/** Nothing came for so long: whoever puts files in has paused, or is done. */
export const QUIET_MS = 10_000;
/** Changes, as a share of the chunks and at least, for which an image is written anew: after a quiet moment, or at once. */
const AFTER_QUIET = { share: 0.02, least: 500 } as const;
const AT_ONCE = { share: 0.1, least: 5_000 } as const;
/** Writing takes at most one part in so many of the time. */
const PAUSE = 20;
/** After a failure; twice as long after each further one, up to a day. */
const PAUSE_AFTER_FAILURE_MS = 300_000;
const LONGEST_PAUSE_MS = 86_400_000;

interface Watched {
  generation: GenerationRow;
  index: StoreIndex;
  /** `StoreIndex.changes` when the image was read; 0 for none. */
  imaged: number;
  /** Since when an image that is missing is missing, at the earliest. */
  foundAtMs: number;
  seen: number;
  seenAtMs: number;
  notBeforeMs: number;
  failures: number;
}

export class ImageWatch implements Disposable {
  readonly #deps: ImageWatchDeps;
  readonly #watched = new Map<number, Watched>();
  readonly #timer: Timer;

  constructor(deps: ImageWatchDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.look(), EVERY_MS);
    this.#timer.unref();
  }

  /** Its index is in memory, or will be at the next look. */
  touch(generation: GenerationRow): void {
    const index = this.#deps.peek(generation.store_id, generation.id);
    const known = this.#watched.get(generation.id);
    if (index === null || known?.index === index) return;
    const nowMs = this.#deps.clock.nowMs();
    const { changes } = index;
    const { notBeforeMs, failures } = known ?? { notBeforeMs: 0, failures: 0 };
    const seen = { seen: changes, seenAtMs: nowMs };
    const as = { generation, index, imaged: 0, foundAtMs: nowMs };
    this.#watched.set(generation.id, { ...as, ...seen, notBeforeMs, failures });
  }

  /** One round. */
  async look(): Promise<void> {
    const { storage, clock, peek, wakeJobs, least = LEAST_IMAGED_CHUNKS } = this.#deps;
    for (const watched of [...this.#watched.values()]) {
      const { generation } = watched;
      if (peek(generation.store_id, generation.id) !== watched.index) {
        this.#watched.delete(generation.id);
        this.touch(generation);
        continue;
      }
      this.#noteMissing(watched, clock.nowMs());
      if (!isDue(watched, clock.nowMs(), least)) continue;
      try {
        await scheduleImage(storage, generation, clock.nowMs());
        wakeJobs();
      } catch {
        // A full disk: looked at again with the next round.
      }
    }
  }

  /** Somebody else removed it: the next start would read all from the database. */
  #noteMissing(watched: Watched, nowMs: number): void {
    if (nowMs - watched.foundAtMs < MISSING_EVERY_MS) return;
    watched.foundAtMs = nowMs;
    if (!this.#deps.hasImage(watched.generation)) watched.imaged = watched.index.changes - watched.index.chunkCount;
  }

  ended(generation: GenerationRow, { outcome, before, ms }: ImageEnd): void {
    const watched = this.#watched.get(generation.id);
    if (watched === undefined) return;
    watched.failures = outcome === "failed" ? watched.failures + 1 : 0;
    const afterFailureMs = Math.min(LONGEST_PAUSE_MS, PAUSE_AFTER_FAILURE_MS * 2 ** Math.max(0, watched.failures - 1));
    const pauseMs = outcome === "written" ? ms * PAUSE : afterFailureMs;
    watched.notBeforeMs = this.#deps.clock.nowMs() + pauseMs;
    if (outcome === "written" && before?.index === watched.index) watched.imaged = before.changes;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function isDue(watched: Watched, nowMs: number, least: number): boolean {
  const { changes, chunkCount } = watched.index;
  if (changes !== watched.seen) {
    watched.seen = changes;
    watched.seenAtMs = nowMs;
  }
  const fresh = changes - watched.imaged;
  const isMuch = (bound: typeof AFTER_QUIET | typeof AT_ONCE) =>
    fresh >= Math.max(bound.least, chunkCount * bound.share);
  if (chunkCount < least || nowMs < watched.notBeforeMs) return false;
  return isMuch(AT_ONCE) || (nowMs - watched.seenAtMs >= QUIET_MS && isMuch(AFTER_QUIET));
}
