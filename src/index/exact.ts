/**
 * The exact vector index of one store: every vector rounded to 8 bits in WebAssembly memory, scanned by SIMD, the
 * best rescored with full precision.
 *
 * Vectors belong to owners (chunk ordinals); an owner has one vector per window and counts with its best one. Slots
 * are dense: removing moves the last vector into the hole. Nothing is approximate in the answer: the rounding error
 * of each score is bounded, and every owner that could still be among the asked-for best is rescored.
 *
 * Memory: dimensions (to the next 32) + 20 bytes a vector, + 8 bytes an owner.
 */
import { BestOwners, type OwnerScores } from "./best-owners.ts";
import type { Bitset } from "./bitset.ts";
import { likelyFloor } from "./top-k.ts";
import { ScanSegment, segmentCapacity } from "./scan-segment.ts";
import { unitQuery } from "./vector-input.ts";

/**
 * Full-precision vectors of the given owners: for each, its windows one after another (`windows × dimensions`), or
 * null if they are gone. Need not be of unit length.
 */
export type FetchVectors = (owners: readonly number[]) => readonly (Float32Array | null)[];

export type VectorHit = { readonly owner: number; readonly score: number };

export type ExactSearchOptions = {
  /** How many owners to answer. */
  readonly depth: number;
  /** How many of the best are certain, in order and with exact scores; the others may carry 8-bit scores. */
  readonly exact: number;
  /** Only these slots, in ascending order. Cost is in proportion to their number; best for less than a third of all. */
  readonly slots?: Int32Array | null | undefined;
  /** Only these owners. Costs as much as a search without it, so it is the better way to keep most of them. */
  readonly allowed?: Bitset | null | undefined;
  readonly fetch: FetchVectors | null;
};

/**
 * The rounding of a component is as good as uniform noise within half a step, and a query has unit length, so the
 * error of a score has a standard deviation of step / sqrt(12). Six of them are exceeded once in a thousand million.
 */
const ERROR_DEVIATIONS = 6 / Math.sqrt(12);
/** Rescoring reads from storage; beyond this many the candidates are near-duplicates and any of them will do. */
const MOST_RESCORED = 2_000;

export class ExactIndex {
  readonly dimensions: number;
  readonly #segmentCapacity: number;
  readonly #segments: ScanSegment[] = [];
  #count = 0;
  #owners = 0;
  #largestScale = 0;
  #ownerOf = new Int32Array(64); // by slot
  #nextSlot = new Int32Array(64); // by slot; next slot of the same owner + 1, 0 = last
  #firstSlot = new Int32Array(64); // by owner; slot + 1, 0 = none
  #places = new Int32Array(64); // scratch of BestOwners, by owner
  /** Owners rescored since the start. */
  rescored = 0;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.#segmentCapacity = segmentCapacity(dimensions);
  }

  /** Vectors held; slots are 0 … count-1. */
  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    const vectors = this.#segments.reduce((sum, segment) => sum + segment.byteLength, 0);
    return vectors + this.#ownerOf.byteLength * 2 + this.#firstSlot.byteLength * 2;
  }

  hasOwner(owner: number): boolean {
    return owner < this.#firstSlot.length && this.#firstSlot[owner] !== 0;
  }

  forEachSlotOf(owner: number, visit: (slot: number) => void): void {
    if (owner >= this.#firstSlot.length) return;
    for (let at = this.#firstSlot[owner]!; at !== 0; at = this.#nextSlot[at - 1]!) visit(at - 1);
  }

  /** Adds an owner's vectors, already of unit length (`unitVectors`). */
  add(owner: number, vectors: Float32Array): void {
    if (owner >= this.#firstSlot.length) {
      this.#firstSlot = grown(this.#firstSlot, owner + 1);
      this.#places = new Int32Array(this.#firstSlot.length);
    }
    if (vectors.length > 0 && !this.hasOwner(owner)) this.#owners++;
    for (let offset = 0; offset < vectors.length; offset += this.dimensions) {
      const slot = this.#count++;
      if (slot >= this.#ownerOf.length) {
        this.#ownerOf = grown(this.#ownerOf, slot + 1);
        this.#nextSlot = grown(this.#nextSlot, slot + 1);
      }
      const scale = this.#segmentOf(slot).write(slot % this.#segmentCapacity, vectors, offset, this.dimensions);
      if (scale > this.#largestScale) this.#largestScale = scale;
      this.#ownerOf[slot] = owner;
      this.#nextSlot[slot] = this.#firstSlot[owner]!;
      this.#firstSlot[owner] = slot + 1;
    }
  }

  /** Removes an owner's vectors; other vectors may change their slots. */
  remove(owner: number): void {
    if (this.hasOwner(owner)) this.#owners--;
    while (this.hasOwner(owner)) {
      const slot = this.#firstSlot[owner]! - 1;
      this.#firstSlot[owner] = this.#nextSlot[slot]!;
      const last = --this.#count;
      if (slot !== last) this.#moveSlot(last, slot);
    }
  }

  /** The best owners by cosine similarity, best first. Synchronous. Throws VectorRejectedError on a bad query. */
  search(query: Float32Array, options: ExactSearchOptions): VectorHit[] {
    const unit = unitQuery(query, this.dimensions);
    const scan = this.#score(unit, options.slots ?? null);
    const allowed = options.allowed ?? null;
    const exact = Math.min(options.exact, options.depth);
    // A little more than asked: enough, nearly always, to prove that nothing outside belongs to the exact ones.
    const limit = Math.max(options.depth, exact * 2 + 32);
    const best = new BestOwners(limit, this.#places);
    // Where a filter keeps a part of the owners, so many more of all scores are above the worst that is wanted.
    const kept = allowed === null ? 1 : allowed.count() / this.#owners;
    const bottom = this.#likelyFloor(scan, Math.min(this.#count, limit / kept));
    this.#collect(scan, allowed, best, bottom);
    if (best.size < limit && bottom > -Infinity) this.#collect(scan, allowed, best, -Infinity);
    const { floor } = best;
    const found = best.drained();
    if (options.fetch === null || exact === 0) return merged([], found, null, options.depth);
    const certain = this.#rescored(unit, candidatesOf(found, 0, exact), options.fetch);
    // The exact-th best owner has this score for certain, whatever the others turn out to have.
    const bar = certain.length < exact ? -Infinity : Math.min(...certain.map((hit) => hit.score)) - scan.error;
    const overlooked = floor > -Infinity && floor + this.#largestScale * ERROR_DEVIATIONS >= bar;
    const known = new Set(certain.map((hit) => hit.owner));
    const others = overlooked ? this.#above(scan, allowed, bar) : candidatesOf(found, exact, found.owners.length);
    const contenders = others.filter((one) => !known.has(one.owner) && one.score + this.#errorOf(one.slot) >= bar);
    const most = Math.max(MOST_RESCORED, exact * 4) - certain.length;
    const exactly = [...certain, ...this.#rescored(unit, contenders.slice(0, most), options.fetch)];
    for (const hit of exactly) known.add(hit.owner);
    return merged(exactly.sort(byScore), found, known, options.depth);
  }

  /** Similarity of a query to single owners (their best windows), from the 8-bit vectors; 0 for unknown owners. */
  scoresOf(query: Float32Array, owners: readonly number[]): Float64Array {
    const result = new Float64Array(owners.length);
    const slots: number[] = [];
    const positions: number[] = [];
    for (let i = 0; i < owners.length; i++) {
      const owner = owners[i]!;
      if (!this.hasOwner(owner)) continue;
      result[i] = -1;
      for (let at = this.#firstSlot[owner]!; at !== 0; at = this.#nextSlot[at - 1]!) {
        slots.push(at - 1);
        positions.push(i);
      }
    }
    const { counts } = this.#score(unitQuery(query, this.dimensions), Int32Array.from(slots));
    // Each segment has its slots' scores in the order in which they were listed.
    const next = counts.map(() => 0);
    for (let n = 0; n < slots.length; n++) {
      const index = Math.floor(slots[n]! / this.#segmentCapacity);
      const score = asCosine(this.#segments[index]!.scores[next[index]!++]!);
      if (score > result[positions[n]!]!) result[positions[n]!] = score;
    }
    return result;
  }

  #segmentOf(slot: number): ScanSegment {
    const index = Math.floor(slot / this.#segmentCapacity);
    return (this.#segments[index] ??= new ScanSegment(this.dimensions));
  }

  #moveSlot(from: number, to: number): void {
    const capacity = this.#segmentCapacity;
    this.#segmentOf(to).copyFrom(this.#segmentOf(from), from % capacity, to % capacity);
    const owner = this.#ownerOf[from]!;
    this.#ownerOf[to] = owner;
    this.#nextSlot[to] = this.#nextSlot[from]!;
    if (this.#firstSlot[owner] === from + 1) {
      this.#firstSlot[owner] = to + 1;
      return;
    }
    let at = this.#firstSlot[owner]! - 1;
    while (this.#nextSlot[at] !== from + 1) at = this.#nextSlot[at]! - 1;
    this.#nextSlot[at] = to + 1;
  }

  /** Runs the kernel over all slots or the given ones; the scores lie in the segments until the next run. */
  #score(unit: Float32Array, slots: Int32Array | null): Scan {
    const { values, step } = roundQuery(unit, this.#segments[0]?.stride ?? this.dimensions);
    const counts: number[] = [];
    const capacity = this.#segmentCapacity;
    if (slots === null) {
      this.#segments.forEach((segment, i) => {
        const count = Math.min(capacity, Math.max(0, this.#count - i * capacity));
        segment.scan(values, step, count);
        counts.push(count);
      });
    } else {
      for (const _ of this.#segments) counts.push(0);
      // Slots of one segment come together nearly always: what is looked up for one holds for the run.
      for (let i = 0; i < slots.length;) {
        const index = Math.floor(slots[i]! / capacity);
        const { list } = this.#segments[index]!;
        const base = index * capacity;
        let count = counts[index]!;
        for (let place = slots[i]! - base; i < slots.length && place >= 0 && place < capacity;) {
          list[count++] = place;
          place = slots[++i]! - base;
        }
        counts[index] = count;
      }
      this.#segments.forEach((segment, i) => segment.gather(values, step, counts[i]!));
    }
    return { counts, listed: slots !== null, error: step * ERROR_DEVIATIONS };
  }

  /** Offers every owner with a score above `bottom`. */
  #collect(scan: Scan, allowed: Bitset | null, best: BestOwners, bottom: number): void {
    const ownerOf = this.#ownerOf;
    let floor = Math.max(bottom, best.floor);
    for (const [index, segment] of this.#segments.entries()) {
      const { scores, list } = segment;
      const base = index * this.#segmentCapacity;
      const count = scan.counts[index]!;
      for (let i = 0; i < count; i++) {
        const score = scores[i]!;
        if (score <= floor) continue;
        const slot = base + (scan.listed ? list[i]! : i);
        const owner = ownerOf[slot]!;
        if (allowed !== null && !allowed.has(owner)) continue;
        best.offer(owner, score, slot);
        floor = Math.max(bottom, best.floor);
      }
    }
  }

  #likelyFloor(scan: Scan, owners: number): number {
    const slots = Math.ceil((owners * this.#count) / Math.max(1, this.#owners));
    return likelyFloor(
      this.#segments.map(({ scores }, i) => ({ scores, count: scan.counts[i]! })),
      slots,
    );
  }

  /** Every owner with a window that may reach the bar, most promising first. The query's own error is in the bar. */
  #above(scan: Scan, allowed: Bitset | null, bar: number): Candidate[] {
    const found = new Map<number, Candidate>();
    this.#forEachScore(scan, (slot, score) => {
      if (score + this.#errorOf(slot) < bar) return;
      const owner = this.#ownerOf[slot]!;
      if (allowed !== null && !allowed.has(owner)) return;
      const known = found.get(owner);
      if (known === undefined || known.score < score) found.set(owner, { owner, score, slot });
    });
    return [...found.values()].sort((a, b) => b.score - a.score || a.owner - b.owner);
  }

  #forEachScore(scan: Scan, visit: (slot: number, score: number) => void): void {
    this.#segments.forEach((segment, index) => {
      const base = index * this.#segmentCapacity;
      for (let i = 0; i < scan.counts[index]!; i++) {
        visit(base + (scan.listed ? segment.list[i]! : i), segment.scores[i]!);
      }
    });
  }

  #errorOf(slot: number): number {
    const index = Math.floor(slot / this.#segmentCapacity);
    return this.#segments[index]!.scales[slot - index * this.#segmentCapacity]! * ERROR_DEVIATIONS;
  }

  /** The owners with their full-precision scores, in the same order. */
  #rescored(unit: Float32Array, owners: readonly Candidate[], fetch: FetchVectors): VectorHit[] {
    if (owners.length === 0) return [];
    this.rescored += owners.length;
    const vectors = fetch(owners.map((candidate) => candidate.owner));
    return owners.map(({ owner, score }, i) => {
      const full = vectors[i] ?? null;
      // Vectors that storage no longer has keep their rounded score: the row is about to leave the index.
      return { owner, score: asCosine(full === null ? score : bestCosine(unit, full)) };
    });
  }
}

type Candidate = { readonly owner: number; readonly score: number; readonly slot: number };
type Scan = { readonly counts: readonly number[]; readonly listed: boolean; readonly error: number };

function candidatesOf({ owners, scores, slots }: OwnerScores, from: number, to: number): Candidate[] {
  const list: Candidate[] = [];
  for (let i = from; i < Math.min(to, owners.length); i++) {
    list.push({ owner: owners[i]!, score: scores[i]!, slot: slots[i]! });
  }
  return list;
}

/** The best `depth` of hits with exact scores and of all others that were found, both best first already. */
function merged(
  exactly: readonly VectorHit[],
  found: OwnerScores,
  known: ReadonlySet<number> | null,
  depth: number,
): VectorHit[] {
  const hits: VectorHit[] = [];
  let next = 0;
  for (let i = 0; i < found.owners.length && hits.length < depth; i++) {
    const owner = found.owners[i]!;
    if (known?.has(owner) === true) continue;
    const hit = { owner, score: asCosine(found.scores[i]!) };
    while (next < exactly.length && hits.length < depth && byScore(exactly[next]!, hit) < 0)
      hits.push(exactly[next++]!);
    if (hits.length < depth) hits.push(hit);
  }
  while (next < exactly.length && hits.length < depth) hits.push(exactly[next++]!);
  return hits;
}

function byScore(a: VectorHit, b: VectorHit): number {
  return b.score - a.score || a.owner - b.owner;
}

/** Rounding can carry a score past what a cosine can be. */
function asCosine(score: number): number {
  return Math.min(1, Math.max(-1, score));
}

/** The best cosine of a unit query with any of an owner's windows. */
function bestCosine(unit: Float32Array, windows: Float32Array): number {
  const dimensions = unit.length;
  let best = -1;
  for (let start = 0; start + dimensions <= windows.length; start += dimensions) {
    let dot = 0;
    let squares = 0;
    for (let i = 0; i < dimensions; i++) {
      const value = windows[start + i]!;
      dot += value * unit[i]!;
      squares += value * value;
    }
    const cosine = squares > 0 ? dot / Math.sqrt(squares) : 0;
    if (cosine > best) best = cosine;
  }
  return best;
}

/** The query in 16-bit steps, fine enough to add next to no error and coarse enough for 32-bit sums. */
function roundQuery(unit: Float32Array, stride: number): { values: Int16Array; step: number } {
  let largest = 0;
  for (let i = 0; i < unit.length; i++) largest = Math.max(largest, Math.abs(unit[i]!));
  const levels = Math.min(8191, Math.floor(0x7fffffff / (127 * stride)));
  const step = largest / levels;
  const values = new Int16Array(stride);
  for (let i = 0; i < unit.length; i++) values[i] = step > 0 ? Math.round(unit[i]! / step) : 0;
  return { values, step };
}

function grown(from: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(size, from.length * 2));
  to.set(from);
  return to;
}
