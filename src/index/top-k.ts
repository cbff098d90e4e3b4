/** One score in so many is looked at to guess where the best begin; below so many scores it does not pay. */
const SAMPLE_STRIDE = 16;
const LEAST_SAMPLED = 2048;

/**
 * A score that more than `k` of all are above, very likely, and not many more; -Infinity where looking for one does not
 * pay. With it as a first bar, finding the k best takes a third of the time. The caller must look again without it
 * where too few were found.
 */
export function likelyFloor(parts: readonly { scores: Float32Array; count: number }[], k: number): number {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total < LEAST_SAMPLED || k * 4 > total) return -Infinity;
  const expected = k / SAMPLE_STRIDE;
  const sample = new TopK(Math.ceil(expected + 4 * Math.sqrt(expected)) + 4);
  let { floor } = sample;
  for (const { scores, count } of parts) {
    for (let i = 0; i < count; i += SAMPLE_STRIDE) {
      const score = scores[i]!;
      if (score <= floor) continue;
      sample.offer(score, i);
      floor = sample.floor;
    }
  }
  return floor;
}

/** The k best among the first `count` scores that are above zero, by their places. */
export function bestPositive(scores: Float32Array, count: number, k: number): TopK {
  const offered = (bottom: number): TopK => {
    const top = new TopK(k);
    let floor = bottom;
    for (let i = 0; i < count; i++) {
      const score = scores[i]!;
      if (score <= floor) continue;
      top.offer(score, i);
      floor = Math.max(bottom, top.floor);
    }
    return top;
  };
  const bottom = Math.max(0, likelyFloor([{ scores, count }], k));
  const top = offered(bottom);
  return top.size === k || bottom === 0 ? top : offered(0);
}

/**
 * Keeps the k best (score, id) pairs of a stream in a binary heap whose root is the worst kept.
 * Equal scores are won by the smaller id, so that a result never depends on the order of the stream.
 */
export class TopK {
  readonly #limit: number;
  readonly #scores: Float64Array;
  readonly #ids: Int32Array;
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#scores = new Float64Array(limit);
    this.#ids = new Int32Array(limit);
  }

  /** A score at or below this can be skipped without asking (`-Infinity` until the heap is full). */
  get floor(): number {
    return this.#limit === 0 ? Infinity : this.#size < this.#limit ? -Infinity : this.#scores[0]!;
  }

  get size(): number {
    return this.#size;
  }

  offer(score: number, id: number): void {
    if (this.#size < this.#limit) {
      let at = this.#size++;
      while (at > 0) {
        const parent = (at - 1) >>> 1;
        if (!this.#worse(score, id, parent)) break;
        this.#move(parent, at);
        at = parent;
      }
      this.#put(at, score, id);
    } else if (this.#limit > 0 && !this.#worse(score, id, 0)) {
      this.#sink(0, score, id);
    }
  }

  /** Best first. Empties the heap: ask once. */
  sorted(): { ids: Int32Array; scores: Float64Array } {
    const ids = new Int32Array(this.#size);
    const scores = new Float64Array(this.#size);
    while (this.#size > 0) {
      const last = --this.#size;
      ids[last] = this.#ids[0]!;
      scores[last] = this.#scores[0]!;
      if (last > 0) this.#sink(0, this.#scores[last]!, this.#ids[last]!);
    }
    return { ids, scores };
  }

  #sink(from: number, score: number, id: number): void {
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#worse(this.#scores[child + 1]!, this.#ids[child + 1]!, child)) child++;
      if (this.#worse(score, id, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, score, id);
  }

  #worse(score: number, id: number, than: number): boolean {
    const other = this.#scores[than]!;
    return score < other || (score === other && id > this.#ids[than]!);
  }

  #move(from: number, to: number): void {
    this.#scores[to] = this.#scores[from]!;
    this.#ids[to] = this.#ids[from]!;
  }

  #put(at: number, score: number, id: number): void {
    this.#scores[at] = score;
    this.#ids[at] = id;
  }
}
