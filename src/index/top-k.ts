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

  /** Best first. */
  sorted(): { ids: Int32Array; scores: Float64Array } {
    const order = Array.from({ length: this.#size }, (_, i) => i).sort(
      (a, b) => this.#scores[b]! - this.#scores[a]! || this.#ids[a]! - this.#ids[b]!,
    );
    return {
      ids: Int32Array.from(order, (i) => this.#ids[i]!),
      scores: Float64Array.from(order, (i) => this.#scores[i]!),
    };
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
