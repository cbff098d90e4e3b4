/**
 * The exact vector index of one store: every vector rounded to 8 bits in WebAssembly memory, scanned by SIMD, the
 * best rescored with full precision.
 *
 * Vectors belong to owners (chunk ordinals); an owner has one vector per window, which it may share with owners before it
 * (slot-owners.ts), and counts with its best one, less a little for the next best ones (`nextShare`), so that owners
 * that share their best are told apart. Nothing is approximate in the answer: the rounding error of each score is
 * bounded, and every owner that could still be among the asked-for best is rescored.
 *
 * Memory: dimensions (to the next 32) + 20 bytes a vector, + 8 bytes an owner, + 10 where owners share.
 */
import { BestOwners, type OwnerScores } from "./best-owners.ts";
import type { Bitset } from "./bitset.ts";
import type { SectionReader, SectionWriter } from "./image-sections.ts";
import { ScanSegment, segmentCapacity } from "./scan-segment.ts";
import { NOT_SHARED, type Shared, SlotOwners } from "./slot-owners.ts";
import { likelyFloor } from "./top-k.ts";
import { unitQuery } from "./vector-input.ts";

/**
 * Full-precision vectors of the given owners: for each, the windows that it brought one after another (`windows × dimensions`), or
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
/** The vectors of an owner that storage no longer has. */
const GONE = new Float32Array(0);
/** Windows after the best one that count: a tenth of a tenth of a tenth decides nothing but ties. */
const MOST_NEXT = 3;

export class ExactIndex {
  readonly dimensions: number;
  readonly #segmentCapacity: number;
  readonly #segments: ScanSegment[] = [];
  #owners = new SlotOwners();
  readonly #nextShare: number;
  #largestScale = 0;
  #places = new Int32Array(64); // scratch of BestOwners, by owner
  /** Owners rescored since the start. */
  rescored = 0;

  /**
   * @param nextShare 0 … 1: an owner scores what its best window does, less this share of what the next best one is below
   * it, and this share of that share of what the one after that is below it, and so on
   */
  constructor(dimensions: number, nextShare = 0) {
    this.dimensions = dimensions;
    this.#nextShare = nextShare;
    this.#segmentCapacity = segmentCapacity(dimensions);
  }

  /** Vectors held; slots are 0 … count-1. */
  get count(): number {
    return this.#owners.count;
  }

  get byteLength(): number {
    const vectors = this.#segments.reduce((sum, segment) => sum + segment.byteLength, 0);
    return vectors + this.#owners.byteLength + this.#places.byteLength;
  }

  writeTo(image: SectionWriter): void {
    image.value("largestScale", this.#largestScale);
    this.#owners.writeTo(image.part("owners"));
    image.value("segments", this.#segments.length);
    this.#segments.forEach((segment, i) => {
      const count = Math.min(this.#segmentCapacity, Math.max(0, this.count - i * this.#segmentCapacity));
      image.array(`codes${i}`, segment.codes(count));
      image.array(`scales${i}`, segment.scales.subarray(0, count));
    });
  }

  static from(
    image: SectionReader,
    { dimensions, nextShare }: { dimensions: number; nextShare?: number | undefined },
  ): ExactIndex {
    const index = new ExactIndex(dimensions, nextShare);
    index.#largestScale = image.number("largestScale");
    index.#owners = SlotOwners.from(image.part("owners"));
    index.#places = new Int32Array(index.#owners.limit);
    for (let i = 0; i < image.number("segments"); i++) {
      const segment = new ScanSegment(dimensions);
      segment.readFrom(image.array(`codes${i}`, "i8"), image.array(`scales${i}`, "f32"));
      index.#segments.push(segment);
    }
    return index;
  }

  hasOwner(owner: number): boolean {
    return this.#owners.has(owner);
  }

  /** Of the vectors that the owner brought. */
  forEachSlotOf(owner: number, visit: (slot: number) => void): void {
    this.#owners.forEachOwn(owner, visit);
  }

  /** Everybody who has the vector that `owner` brought, `behind` others after it. */
  forEachSharer(owner: number, behind: number, visit: (owner: number) => void): void {
    this.#owners.forEachSharer(owner, behind, visit);
  }

  /** Adds an owner with the vectors that it brings, already of unit length (`unitVectors`), and those that it shares. */
  add(owner: number, vectors: Float32Array, shared: Shared = NOT_SHARED): void {
    const first = this.count;
    const count = vectors.length / this.dimensions;
    for (let i = 0; i < count; i++) {
      const place = (first + i) % this.#segmentCapacity;
      const scale = this.#segmentOf(first + i).write(place, vectors, i * this.dimensions, this.dimensions);
      if (scale > this.#largestScale) this.#largestScale = scale;
    }
    this.#owners.add(owner, count, shared);
    if (this.#owners.limit > this.#places.length) this.#places = new Int32Array(this.#owners.limit);
  }

  /** Removes the vectors that an owner brought, for all who share them; other vectors may change their slots. */
  remove(owner: number): void {
    const capacity = this.#segmentCapacity;
    this.#owners.remove(owner, (from, to) =>
      this.#segmentOf(to).copyFrom(this.#segmentOf(from), from % capacity, to % capacity),
    );
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
    const kept = allowed === null ? 1 : allowed.count() / this.#owners.owners;
    const bottom = this.#likelyFloor(scan, Math.min(this.count, limit / kept));
    this.#collect(scan, allowed, best, bottom);
    if (best.size < limit && bottom > -Infinity) this.#collect(scan, allowed, best, -Infinity);
    const { floor } = best;
    const found = best.drained();
    if (options.fetch === null || exact === 0) return merged([], this.#others(unit, found, null), options.depth);
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
    return merged(exactly.sort(byScore), this.#others(unit, found, known), options.depth);
  }

  /** Similarity of a query to single owners, as `search` scores them, from the 8-bit vectors; 0 for unknown owners. */
  scoresOf(query: Float32Array, owners: readonly number[]): Float64Array {
    const cosines = this.#roundedOf(unitQuery(query, this.dimensions), owners);
    return Float64Array.from(cosines, (list) => (list.length === 0 ? 0 : asCosine(this.#scoreOf(list))));
  }

  /** What `search` scores owners whose best windows have these similarities, from the 8-bit vectors of the others. */
  withNext(query: Float32Array, hits: readonly VectorHit[]): VectorHit[] {
    if (this.#nextShare === 0) return [...hits];
    const owners = hits.map((hit) => hit.owner);
    const cosines = this.#roundedOf(unitQuery(query, this.dimensions), owners);
    return hits.map(({ owner, score }, i) => {
      const [, ...others] = cosines[i]!.sort(descending);
      return { owner, score: this.#scoreOf([score, ...others]) };
    });
  }

  /** The score of an owner whose windows have these similarities; at most the best of them. */
  #scoreOf(cosines: readonly number[]): number {
    if (this.#nextShare === 0) return Math.max(...cosines);
    const [best = -1, ...others] = cosines.toSorted(descending);
    let share = 1;
    return others.slice(0, MOST_NEXT).reduce((score, one) => score - (share *= this.#nextShare) * (best - one), best);
  }

  /** The similarities of each owner's windows by the 8-bit vectors. */
  #roundedOf(unit: Float32Array, owners: readonly number[]): number[][] {
    const places = new Map<number, number>();
    const slots: number[] = [];
    for (const owner of owners) {
      this.#owners.forEachSlot(owner, (slot) => {
        if (places.has(slot)) return;
        places.set(slot, slots.length);
        slots.push(slot);
      });
    }
    const { counts } = this.#score(unit, Int32Array.from(slots));
    // Each segment has its slots' scores in the order in which they were listed.
    const next = counts.map(() => 0);
    const scores = slots.map((slot) => {
      const index = Math.floor(slot / this.#segmentCapacity);
      return this.#segments[index]!.scores[next[index]!++]!;
    });
    return owners.map((owner) => {
      const cosines: number[] = [];
      this.#owners.forEachSlot(owner, (slot) => cosines.push(scores[places.get(slot)!]!));
      return cosines;
    });
  }

  /** Those found that are not known exactly, best first. */
  #others(unit: Float32Array, { owners, scores }: OwnerScores, known: ReadonlySet<number> | null): VectorHit[] {
    const hits: VectorHit[] = [];
    for (let i = 0; i < owners.length; i++) {
      if (known?.has(owners[i]!) !== true) hits.push({ owner: owners[i]!, score: scores[i]! });
    }
    const scored = this.#nextShare === 0 ? hits : this.withNext(unit, hits).sort(byScore);
    return scored.map(({ owner, score }) => ({ owner, score: asCosine(score) }));
  }

  #segmentOf(slot: number): ScanSegment {
    const index = Math.floor(slot / this.#segmentCapacity);
    return (this.#segments[index] ??= new ScanSegment(this.dimensions));
  }

  /** Runs the kernel over all slots or the given ones; the scores lie in the segments until the next run. */
  #score(unit: Float32Array, slots: Int32Array | null): Scan {
    const { values, step } = roundQuery(unit, this.#segments[0]?.stride ?? this.dimensions);
    const counts: number[] = [];
    const capacity = this.#segmentCapacity;
    if (slots === null) {
      this.#segments.forEach((segment, i) => {
        const count = Math.min(capacity, Math.max(0, this.count - i * capacity));
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
    const owners = this.#owners;
    const { isShared } = owners;
    let floor = Math.max(bottom, best.floor);
    for (const [index, segment] of this.#segments.entries()) {
      const { scores, list } = segment;
      const base = index * this.#segmentCapacity;
      const count = scan.counts[index]!;
      for (let i = 0; i < count; i++) {
        const score = scores[i]!;
        if (score <= floor) continue;
        const slot = base + (scan.listed ? list[i]! : i);
        const owner = owners.ownerOf(slot);
        if (isShared) {
          owners.forEachOwner(slot, (one) => {
            if (allowed === null || allowed.has(one)) best.offer(one, score, slot);
          });
        } else {
          if (allowed !== null && !allowed.has(owner)) continue;
          best.offer(owner, score, slot);
        }
        floor = Math.max(bottom, best.floor);
      }
    }
  }

  #likelyFloor(scan: Scan, owners: number): number {
    const slots = Math.ceil((owners * this.count) / Math.max(1, this.#owners.owners));
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
      this.#owners.forEachOwner(slot, (owner) => {
        if (allowed !== null && !allowed.has(owner)) return;
        const known = found.get(owner);
        if (known === undefined || known.score < score) found.set(owner, { owner, score, slot });
      });
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
    const wanted = new Set<number>();
    for (const { owner } of owners) this.#owners.forEachSource(owner, (source) => wanted.add(source));
    const sources = [...wanted];
    const fetched = fetch(sources);
    const cosines = new Map(sources.map((source, i) => [source, cosinesOf(unit, fetched[i] ?? GONE)]));
    return owners.map(({ owner, score }) => {
      const own: number[] = [];
      this.#owners.forEachSource(owner, (source, count) => {
        const known = cosines.get(source)!;
        for (let i = Math.max(0, known.length - count); i < known.length; i++) own.push(known[i]!);
      });
      // Vectors that storage no longer has keep their rounded score: the row is about to leave the index.
      return { owner, score: asCosine(own.length === 0 ? score : this.#scoreOf(own)) };
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

/** The best `depth` of hits with exact scores and of others, both best first already. */
function merged(exactly: readonly VectorHit[], others: readonly VectorHit[], depth: number): VectorHit[] {
  const hits: VectorHit[] = [];
  let next = 0;
  for (let i = 0; i < others.length && hits.length < depth; i++) {
    const hit = others[i]!;
    while (next < exactly.length && hits.length < depth && byScore(exactly[next]!, hit) < 0)
      hits.push(exactly[next++]!);
    if (hits.length < depth) hits.push(hit);
  }
  while (next < exactly.length && hits.length < depth) hits.push(exactly[next++]!);
  return hits;
}

function descending(a: number, b: number): number {
  return b - a;
}

function byScore(a: VectorHit, b: VectorHit): number {
  return b.score - a.score || a.owner - b.owner;
}

/** Rounding can carry a score past what a cosine can be. */
function asCosine(score: number): number {
  return Math.min(1, Math.max(-1, score));
}

/** The cosines of a unit query with windows, in their order. */
function cosinesOf(unit: Float32Array, windows: Float32Array): Float64Array {
  const dimensions = unit.length;
  const cosines = new Float64Array(windows.length / dimensions);
  for (let n = 0; n < cosines.length; n++) {
    const start = n * dimensions;
    let dot = 0;
    let squares = 0;
    for (let i = 0; i < dimensions; i++) {
      const value = windows[start + i]!;
      dot += value * unit[i]!;
      squares += value * value;
    }
    cosines[n] = squares > 0 ? dot / Math.sqrt(squares) : 0;
  }
  return cosines;
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
