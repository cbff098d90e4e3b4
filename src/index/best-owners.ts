/** Side by side, best first. */
export type OwnerScores = {
  readonly owners: Int32Array;
  readonly scores: Float64Array;
  /** Where each has its score from. */
  readonly slots: Int32Array;
};

/**
 * The k best owners of a stream of (owner, score) pairs in which an owner may come several times and counts with its
 * best score. A binary heap whose root is the worst kept, with the place of every kept owner. Equal scores come
 * out by owner.
 */
export class BestOwners {
  /** How many are kept. */
  readonly limit: number;
  readonly #places: Int32Array; // by owner; place in the heap + 1, 0 = not kept
  readonly #owners: Int32Array;
  readonly #scores: Float64Array;
  readonly #slots: Int32Array;
  #size = 0;

  /** `places` is scratch: zero for every owner, at least as long as the largest owner; `drained` leaves it so again. */
  constructor(limit: number, places: Int32Array) {
    this.limit = limit;
    this.#places = places;
    this.#owners = new Int32Array(limit);
    this.#scores = new Float64Array(limit);
    this.#slots = new Int32Array(limit);
  }

  get size(): number {
    return this.#size;
  }

  /** A score at or below this changes nothing. */
  get floor(): number {
    return this.limit === 0 ? Infinity : this.#size < this.limit ? -Infinity : this.#scores[0]!;
  }

  offer(owner: number, score: number, slot: number): void {
    const place = this.#places[owner]! - 1;
    if (place >= 0) {
      if (score > this.#scores[place]!) this.#sink(place, owner, score, slot);
    } else if (this.#size < this.limit) {
      this.#rise(this.#size++, owner, score, slot);
    } else if (score > this.floor) {
      this.#places[this.#owners[0]!] = 0;
      this.#sink(0, owner, score, slot);
    }
  }

  /** Best first; equal scores by owner. Empties the heap and leaves `places` as it was. */
  drained(): OwnerScores {
    const found = {
      owners: new Int32Array(this.#size),
      scores: new Float64Array(this.#size),
      slots: new Int32Array(this.#size),
    };
    while (this.#size > 0) {
      const last = --this.#size;
      const owner = this.#owners[0]!;
      found.owners[last] = owner;
      found.scores[last] = this.#scores[0]!;
      found.slots[last] = this.#slots[0]!;
      this.#places[owner] = 0;
      if (last > 0) this.#sink(0, this.#owners[last]!, this.#scores[last]!, this.#slots[last]!);
    }
    return found;
  }

  #rise(from: number, owner: number, score: number, slot: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#isWorse(score, owner, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, owner, score, slot);
  }

  #sink(from: number, owner: number, score: number, slot: number): void {
    let at = from;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#isWorse(this.#scores[child + 1]!, this.#owners[child + 1]!, child)) child++;
      if (this.#isWorse(score, owner, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, owner, score, slot);
  }

  #isWorse(score: number, owner: number, than: number): boolean {
    const other = this.#scores[than]!;
    return score < other || (score === other && owner > this.#owners[than]!);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#owners[from]!, this.#scores[from]!, this.#slots[from]!);
  }

  #put(at: number, owner: number, score: number, slot: number): void {
    this.#owners[at] = owner;
    this.#scores[at] = score;
    this.#slots[at] = slot;
    this.#places[owner] = at + 1;
  }
}

/**
 * The same of a stream that comes best first, in which nobody gets better: whoever comes first stays, without a heap.
 */
export class FirstOwners {
  /** How many are kept. */
  readonly limit: number;
  readonly #places: Int32Array; // by owner; not zero: kept
  readonly #owners: Int32Array;
  readonly #scores: Float64Array;
  readonly #slots: Int32Array;
  #size = 0;

  /** `places` as of `BestOwners`. */
  constructor(limit: number, places: Int32Array) {
    this.limit = limit;
    this.#places = places;
    this.#owners = new Int32Array(limit);
    this.#scores = new Float64Array(limit);
    this.#slots = new Int32Array(limit);
  }

  /** A score at or below this changes nothing. */
  get floor(): number {
    return this.limit === 0 ? Infinity : this.#size < this.limit ? -Infinity : this.#scores[this.limit - 1]!;
  }

  /** `score` is at most what was offered before. */
  offer(owner: number, score: number, slot: number): void {
    if (this.#size === this.limit || this.#places[owner] !== 0) return;
    this.#places[owner] = 1;
    let at = this.#size++;
    for (; at > 0 && this.#scores[at - 1] === score && this.#owners[at - 1]! > owner; at--) {
      this.#owners[at] = this.#owners[at - 1]!;
      this.#scores[at] = score;
      this.#slots[at] = this.#slots[at - 1]!;
    }
    this.#owners[at] = owner;
    this.#scores[at] = score;
    this.#slots[at] = slot;
  }

  /** Best first; equal scores by owner. Leaves `places` as it was; ask once. */
  drained(): OwnerScores {
    const size = this.#size;
    for (let i = 0; i < size; i++) this.#places[this.#owners[i]!] = 0;
    if (size === this.limit) return { owners: this.#owners, scores: this.#scores, slots: this.#slots };
    return {
      owners: this.#owners.subarray(0, size),
      scores: this.#scores.subarray(0, size),
      slots: this.#slots.subarray(0, size),
    };
  }
}
