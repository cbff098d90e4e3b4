import { memoryOf } from "./image-sections.ts";

/**
 * A set of small non-negative integers (ordinals) in 32-bit words.
 * Grows on `add`; reading beyond the end answers false.
 */
export class Bitset {
  #words: Int32Array;

  constructor(capacity = 0) {
    this.#words = new Int32Array((capacity + 31) >>> 5);
  }

  /** The set {0 … size-1}. */
  static full(size: number): Bitset {
    const set = new Bitset(size);
    set.#words.fill(-1);
    const rest = size & 31;
    if (rest !== 0) set.#words[set.#words.length - 1] = (1 << rest) - 1;
    return set;
  }

  /** The set that these words are. They are the set's from now on. */
  static over(words: Int32Array): Bitset {
    const set = new Bitset();
    set.#words = words;
    return set;
  }

  /** The words themselves, for loops that must not call a method per member. Bit i is `words[i >>> 5] >>> (i & 31)`. */
  get words(): Int32Array {
    return this.#words;
  }

  get byteLength(): number {
    return memoryOf(this.#words);
  }

  /** False for negative numbers too. */
  has(index: number): boolean {
    const word = index >>> 5;
    return word < this.#words.length && ((this.#words[word]! >>> (index & 31)) & 1) === 1;
  }

  add(index: number): void {
    const word = index >>> 5;
    if (word >= this.#words.length) this.#grow(word + 1);
    this.#words[word]! |= 1 << (index & 31);
  }

  delete(index: number): void {
    const word = index >>> 5;
    if (word < this.#words.length) this.#words[word]! &= ~(1 << (index & 31));
  }

  clear(): void {
    this.#words.fill(0);
  }

  clone(): Bitset {
    const copy = new Bitset();
    copy.#words = this.#words.slice();
    return copy;
  }

  /** Becomes the same set. The two may differ in capacity, here and below. */
  copyFrom(other: Bitset): void {
    const words = other.#words;
    if (words.length > this.#words.length) this.#words = words.slice();
    else {
      this.#words.set(words);
      this.#words.fill(0, words.length);
    }
  }

  /** Keeps what is in both. */
  intersect(other: Bitset): void {
    const [words, others] = [this.#words, other.#words];
    const shared = Math.min(words.length, others.length);
    for (let i = 0; i < shared; i++) words[i]! &= others[i]!;
    words.fill(0, shared);
  }

  /** Adds what is in the other. */
  unite(other: Bitset): void {
    const others = other.#words;
    if (others.length > this.#words.length) this.#grow(others.length);
    const words = this.#words;
    for (let i = 0; i < others.length; i++) words[i]! |= others[i]!;
  }

  /** Becomes what is in `all` and was not in this set. */
  invertWithin(all: Bitset): void {
    const others = all.#words;
    if (others.length > this.#words.length) this.#grow(others.length);
    const words = this.#words;
    for (let i = 0; i < others.length; i++) words[i] = others[i]! & ~words[i]!;
    words.fill(0, others.length);
  }

  count(): number {
    let total = 0;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) total += popcount(words[i]!);
    return total;
  }

  /** Calls `visit` for every member in ascending order. */
  forEach(visit: (index: number) => void): void {
    const words = this.#words;
    for (let i = 0; i < words.length; i++) {
      for (let word = words[i]!; word !== 0; word &= word - 1) visit((i << 5) + lowestBit(word));
    }
  }

  /** Members in ascending order. */
  toArray(): Int32Array {
    const out = new Int32Array(this.count());
    let n = 0;
    this.forEach((index) => {
      out[n++] = index;
    });
    return out;
  }

  #grow(words: number): void {
    const grown = new Int32Array(Math.max(words, this.#words.length * 2, 4));
    grown.set(this.#words);
    this.#words = grown;
  }
}

/** Position of the lowest set bit of a non-zero word. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
