/**
 * How much text a batch holds: as much as a lane answers within a while. Whoever comes waits for what is under way, so
 * a batch that is right for a table of word vectors would keep a small file waiting for many seconds behind a model that
 * reads.
 */
export interface BatchSizeOptions {
  /** UTF-16 units. Below the least a run is so small that a model gives fewer tokens a second. */
  least: number;
  most: number;
  /** From the start of a batch to its answer, waiting for a worker included; null: every batch may hold the most. */
  targetMs: number | null;
}

/** Until a batch was timed, in parts of the least. */
const FIRST = 2;
/** Of the newest batch in what is expected of the next. */
const NEWEST = 0.3;

export class BatchSize {
  readonly #options: BatchSizeOptions;
  #charsPerMs: number | null = null;

  constructor(options: BatchSizeOptions) {
    this.#options = options;
  }

  get chars(): number {
    const { least, most, targetMs } = this.#options;
    if (targetMs === null) return most;
    if (this.#charsPerMs === null) return Math.min(most, FIRST * least);
    return Math.min(most, Math.max(least, Math.round(this.#charsPerMs * targetMs)));
  }

  /** Batches of little text tell how long a call takes, not how fast the model reads. */
  took(chars: number, ms: number): void {
    if (chars < Math.min(this.#options.least, this.#options.most) / 2) return;
    const rate = chars / Math.max(ms, 0.01);
    this.#charsPerMs = this.#charsPerMs === null ? rate : this.#charsPerMs * (1 - NEWEST) + rate * NEWEST;
  }
}
