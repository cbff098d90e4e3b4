/**
 * A hash table from words, as they stand in a text, to numbers. Looks up a stretch of a text without making a string of
 * it, which is what a tokenizer spends most of its time on otherwise. Open addressing, linear probing.
 */

/** What `find` gives for a word that is not there. */
export const MISSING = -0x8000_0000;

/** Start value and step of the hash that `find` and `add` expect: FNV-1a over UTF-16 units. */
export const HASH_START = 0x811c9dc5 | 0;
export function hashStep(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x01000193);
}

export class WordTable {
  readonly #capacity: number;
  readonly #mask: number;
  /** Entry + 1; 0 is free. At most half full. */
  readonly #slots: Int32Array;
  readonly #hashes: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #values: Int32Array;
  #units = new Uint16Array(1 << 16);
  #used = 0;
  #count = 0;

  /** @param capacity words held at most; `add` tells when it is reached */
  constructor(capacity: number) {
    this.#capacity = capacity;
    const size = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#mask = size - 1;
    this.#slots = new Int32Array(size);
    this.#hashes = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
    this.#lengths = new Int32Array(capacity);
    this.#values = new Int32Array(capacity);
  }

  /** The number of the word that stands in `text` from `start` to `end`, or MISSING. */
  find(text: string, start: number, end: number, hash: number): number {
    const length = end - start;
    for (let slot = spread(hash) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = (this.#slots[slot] as number) - 1;
      if (entry < 0) return MISSING;
      if (this.#hashes[entry] !== hash || this.#lengths[entry] !== length) continue;
      if (this.#equals(entry, text, start, length)) return this.#values[entry] as number;
    }
  }

  /** Adds a word that is not there; false, and nothing added, when the table is full. */
  add(text: string, start: number, end: number, hash: number, value: number): boolean {
    if (this.#count === this.#capacity) return false;
    let slot = spread(hash) & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    const entry = this.#count++;
    this.#slots[slot] = entry + 1;
    this.#hashes[entry] = hash;
    this.#starts[entry] = this.#used;
    this.#lengths[entry] = end - start;
    this.#values[entry] = value;
    if (this.#used + end - start > this.#units.length) this.#grow();
    for (let i = start; i < end; i++) this.#units[this.#used++] = text.charCodeAt(i);
    return true;
  }

  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
    this.#used = 0;
  }

  #equals(entry: number, text: string, start: number, length: number): boolean {
    const at = this.#starts[entry] as number;
    for (let i = 0; i < length; i++) if (this.#units[at + i] !== text.charCodeAt(start + i)) return false;
    return true;
  }

  #grow(): void {
    const wider = new Uint16Array(this.#units.length * 2);
    wider.set(this.#units);
    this.#units = wider;
  }
}

/** FNV's low bits depend on few characters; the high ones are mixed in. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
