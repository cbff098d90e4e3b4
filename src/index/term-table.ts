import { memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";

/**
 * Term hash -> dense term id, by open addressing over typed arrays (a Map of half a million numbers costs five times
 * the memory). Ids of removed terms are given out again. Sixteen tables share the hashes between them, so that the
 * growth of one never copies more than a sixteenth of the vocabulary at once.
 */
export class TermTable {
  readonly #shards: Shard[] = Array.from({ length: 16 }, () => new Shard());
  #free: number[] = [];
  #next = 0;

  /** Ids are below this. */
  get idLimit(): number {
    return this.#next;
  }

  get byteLength(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.byteLength, 0);
  }

  /** The id of a term, or -1. */
  find(hash: number): number {
    return this.#shards[hash >>> 28]!.find(hash);
  }

  /** The id of a term, given out now if it is new. */
  findOrAdd(hash: number): number {
    const shard = this.#shards[hash >>> 28]!;
    const known = shard.find(hash);
    if (known >= 0) return known;
    const id = this.#free.pop() ?? this.#next++;
    shard.add(hash, id);
    return id;
  }

  /** Only of a table that nothing was ever removed from. */
  writeTo(image: SectionWriter): void {
    image.value("next", this.#next);
    this.#shards.forEach((shard, i) => shard.writeTo(image.part(String(i))));
  }

  static from(image: SectionReader): TermTable {
    const table = new TermTable();
    table.#next = image.number("next");
    table.#shards.forEach((shard, i) => shard.readFrom(image.part(String(i))));
    return table;
  }

  remove(hash: number): void {
    const id = this.#shards[hash >>> 28]!.remove(hash);
    if (id >= 0) this.#free.push(id);
  }
}

/** Pairs of (hash, id + 1) side by side, so that a look-up touches one cache line; id part 0 = empty. */
class Shard {
  #pairs = new Int32Array(32);
  #used = 0;

  get byteLength(): number {
    return memoryOf(this.#pairs);
  }

  writeTo(image: SectionWriter): void {
    image.value("used", this.#used);
    image.array("pairs", this.#pairs);
  }

  readFrom(image: SectionReader): void {
    this.#used = image.number("used");
    this.#pairs = image.array("pairs", "i32");
  }

  find(hash: number): number {
    const pairs = this.#pairs;
    const mask = pairs.length - 2;
    for (let at = home(hash) & mask; pairs[at + 1] !== 0; at = (at + 2) & mask) {
      if (pairs[at] === hash) return pairs[at + 1]! - 1;
    }
    return -1;
  }

  add(hash: number, id: number): void {
    if ((this.#used + 1) * 10 > this.#pairs.length * 3) this.#grow();
    const mask = this.#pairs.length - 2;
    let at = home(hash) & mask;
    while (this.#pairs[at + 1] !== 0) at = (at + 2) & mask;
    this.#pairs[at] = hash;
    this.#pairs[at + 1] = id + 1;
    this.#used++;
  }

  /** Removes a hash and moves later ones of its run back, so that no search stops at a hole. */
  remove(hash: number): number {
    const pairs = this.#pairs;
    const mask = pairs.length - 2;
    let hole = home(hash) & mask;
    while (pairs[hole + 1] !== 0 && pairs[hole] !== hash) hole = (hole + 2) & mask;
    const id = pairs[hole + 1]! - 1;
    if (id < 0) return -1;
    for (let at = (hole + 2) & mask; pairs[at + 1] !== 0; at = (at + 2) & mask) {
      const wish = home(pairs[at]!) & mask;
      if (((at - wish) & mask) >= ((at - hole) & mask)) {
        pairs[hole] = pairs[at]!;
        pairs[hole + 1] = pairs[at + 1]!;
        hole = at;
      }
    }
    pairs[hole + 1] = 0;
    this.#used--;
    return id;
  }

  #grow(): void {
    const pairs = this.#pairs;
    this.#pairs = new Int32Array(pairs.length * 2);
    this.#used = 0;
    for (let at = 0; at < pairs.length; at += 2) if (pairs[at + 1] !== 0) this.add(pairs[at]!, pairs[at + 1]! - 1);
  }
}

/** Hashes arrive well mixed but share their top bits within a shard; the low bits choose the place, an even one. */
function home(hash: number): number {
  return (hash ^ (hash >>> 15)) << 1;
}
