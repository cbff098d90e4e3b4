import type { Bitset } from "./bitset.ts";

/** Prefixes of the order that are kept as sets: what lies between two of them is put in file by file. */
const PREFIXES = 16;

/**
 * All files of a column in the order of their values, so that the files of a value, and those of a range of values, are
 * one run of it. Made at once, and good until the column changes.
 */
export class ColumnOrder {
  readonly #files: Int32Array;
  /** By value id: where its run begins. */
  readonly #starts: Int32Array;
  readonly #counts: Int32Array;
  /** The first `i * #stride` files of the order, as words of a set. */
  readonly #prefixes: Int32Array[];
  readonly #stride: number;

  /** `ids`: every value once, in order. `files`: how many files there are, and `walk` puts those of a value in a row. */
  constructor(ids: Iterable<number>, { counts, files, words, walk }: ColumnOrderSource) {
    this.#files = new Int32Array(files);
    this.#starts = new Int32Array(counts.length);
    this.#counts = counts.slice();
    let at = 0;
    for (const id of ids) {
      this.#starts[id] = at;
      at = walk(id, this.#files, at);
    }
    this.#stride = Math.max(1, Math.ceil(files / PREFIXES));
    this.#prefixes = [new Int32Array(words)];
    for (let from = 0; from + this.#stride <= files; from += this.#stride) {
      const prefix = this.#prefixes.at(-1)!.slice();
      setAll(prefix, this.#files.subarray(from, from + this.#stride));
      this.#prefixes.push(prefix);
    }
  }

  get byteLength(): number {
    const prefixes = this.#prefixes.length * this.#prefixes[0]!.byteLength;
    return this.#files.byteLength + this.#starts.byteLength + this.#counts.byteLength + prefixes;
  }

  /** Where the files of a value begin in the order. */
  startOf(id: number): number {
    return this.#starts[id]!;
  }

  /** Puts the files of these values into a set. */
  addValues(ids: readonly number[], into: Bitset): void {
    const [words, files] = [into.words, this.#files];
    for (const id of ids) {
      const start = this.#starts[id]!;
      const end = start + this.#counts[id]!;
      for (let i = start; i < end; i++) words[files[i]! >>> 5]! |= 1 << (files[i]! & 31);
    }
  }

  /** Puts the files in the places `from` to below `to` of the order into an empty set. */
  fillRun(from: number, to: number, into: Bitset): void {
    const words = into.words;
    if (to - from <= this.#stride) return setAll(words, this.#files.subarray(from, to));
    // A run longer than a stride has a prefix that ends in it.
    const first = Math.ceil(from / this.#stride);
    const last = Math.floor(to / this.#stride);
    const [low, high] = [this.#prefixes[first]!, this.#prefixes[last]!];
    const shared = Math.min(words.length, high.length);
    for (let i = 0; i < shared; i++) words[i] = high[i]! & ~low[i]!;
    setAll(words, this.#files.subarray(from, first * this.#stride));
    setAll(words, this.#files.subarray(last * this.#stride, to));
  }
}

export interface ColumnOrderSource {
  /** By value id. */
  counts: Int32Array;
  files: number;
  /** Words of a set of all of them. */
  words: number;
  /** Writes the files of a value from `at` on; returns where they end. */
  walk: (id: number, into: Int32Array, at: number) => number;
}

function setAll(words: Int32Array, files: Int32Array): void {
  for (let i = 0; i < files.length; i++) words[files[i]! >>> 5]! |= 1 << (files[i]! & 31);
}
