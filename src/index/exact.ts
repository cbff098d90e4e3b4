/**
 * The exact vector index of one store: every vector rounded to 8 bits, scanned by native code (native-scan.ts), the best rescored
 * with full precision.
 *
 * Vectors belong to owners (chunk ordinals); an owner has one vector per window, which it may share with owners before it
 * (slot-owners.ts), and counts with its best one, less a little for the next best ones (`nextShare`), so that owners
 * that share their best are told apart. Nothing is approximate in the answer: the rounding error of each score is
 * bounded, and every owner that could still be among the asked-for best is rescored. So is the error of the sketches by
 * which a scan leaves most vectors out (native/sketch.h).
 *
 * Memory: dimensions (to the next 64) + a quarter of them for a sketch + 16 bytes a vector, + 8 bytes an owner, + 10 where
 * owners share.
 */
import { cosinesOf, roundQuery } from "./cosines.ts";
import { BestOwners, FirstOwners, type OwnerScores } from "./best-owners.ts";
import type { Bitset } from "./bitset.ts";
import { memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";
import { scanKernels } from "./native-scan.ts";
import type { ScanKernels, ScanQuery } from "./scan.ts";
import { BestStep, GatherStep } from "./scan-steps.ts";
import { ScanSegment, segmentCapacity, strideOf } from "./scan-segment.ts";
import { NOT_SHARED, type Shared, SlotOwners } from "./slot-owners.ts";
import { runNow, type Steps } from "./steps.ts";
import { unitQuery } from "./vector-input.ts";
import { type View, Views } from "./views.ts";

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
  /** Of a search that goes on while owners come and go: whom it sees. */
  readonly view?: View | null | undefined;
};

/**
 * The rounding of a component is as good as uniform noise within half a step, and a query has unit length, so the
 * error of a score has a standard deviation of step / sqrt(12). Six of them are exceeded once in a thousand million.
 */
const ERROR_DEVIATIONS = 6 / Math.sqrt(12);
/** Rescoring reads from storage; beyond this many the candidates are near-duplicates and any of them will do. */
const MOST_RESCORED = 2_000;
/** Of fewer listed slots the scores are there before a thread would have begun. */
const MANY_SLOTS = 4096;
/** The vectors of an owner that storage no longer has. */
const GONE = new Float32Array(0);
/** Windows after the best one that count: a tenth of a tenth of a tenth decides nothing but ties. */
const MOST_NEXT = 3;

export interface ExactIndexOptions {
  readonly dimensions: number;
  readonly nextShare?: number | undefined;
}

export class ExactIndex {
  readonly dimensions: number;
  readonly #kernels: ScanKernels;
  readonly #segmentCapacity: number;
  readonly #segments: ScanSegment[] = [];
  #owners = new SlotOwners();
  readonly #nextShare: number;
  #largestScale = 0;
  #places = new Int32Array(64); // scratch of BestOwners, by owner; zeros between two steps of a search
  readonly #top = new Float64Array(1 + MOST_NEXT); // scratch of a score
  /** Searches that are under way. */
  readonly views = new Views();
  /** Owners rescored since the start. */
  rescored = 0;

  /**
   * @param nextShare 0 … 1: an owner scores what its best window does, less this share of what the next best one is below
   * it, and this share of that share of what the one after that is below it, and so on
   */
  constructor(dimensions: number, nextShare = 0, kernels: ScanKernels = scanKernels()) {
    this.dimensions = dimensions;
    this.#kernels = kernels;
    this.#nextShare = nextShare;
    this.#segmentCapacity = segmentCapacity(dimensions);
  }

  /** Vectors held, with those that were removed while a view was open and still is; slots are 0 … count-1. */
  get count(): number {
    return this.#owners.count;
  }

  /** Whether owners share vectors. */
  get isShared(): boolean {
    return this.#owners.isShared;
  }

  get byteLength(): number {
    const vectors = this.#segments.reduce((sum, segment) => sum + segment.byteLength, 0);
    return vectors + this.#owners.byteLength + memoryOf(this.#places);
  }

  writeTo(image: SectionWriter): void {
    image.value("largestScale", this.#largestScale);
    this.#owners.writeTo(image.part("owners"));
    this.#parts().forEach(({ count }, i) => this.#segments[i]?.writeTo(image.part(String(i)), count));
  }

  static from(image: SectionReader, { dimensions, nextShare }: ExactIndexOptions): ExactIndex {
    const index = new ExactIndex(dimensions, nextShare);
    index.#largestScale = image.number("largestScale");
    index.#owners = SlotOwners.from(image.part("owners"));
    index.#places = new Int32Array(index.#owners.limit);
    index.#parts().forEach(({ count }, i) => index.#segments[i]?.readFrom(image.part(String(i)), count));
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
    const count = vectors.length / this.dimensions;
    for (let i = 0; i < count;) {
      const slot = this.count + i;
      const place = slot % this.#segmentCapacity;
      const here = Math.min(count - i, this.#segmentCapacity - place);
      const piece = vectors.subarray(i * this.dimensions, (i + here) * this.dimensions);
      this.#largestScale = Math.max(this.#largestScale, this.#segmentOf(slot).write(place, piece));
      i += here;
    }
    this.#owners.add(owner, count, shared);
    this.views.added(owner);
    if (this.#owners.limit > this.#places.length) this.#places = new Int32Array(this.#owners.limit);
  }

  /**
   * Removes the vectors that an owner brought, for all who share them; other vectors may change their slots. While views are
   * open it is only seen no more, and its number must not be used again until they are closed.
   */
  remove(owner: number): void {
    const capacity = this.#segmentCapacity;
    this.views.removed(owner);
    this.views.afterwards(() =>
      this.#owners.remove(owner, (from, to) =>
        this.#segmentOf(to).copyFrom(this.#segmentOf(from), from % capacity, to % capacity),
      ),
    );
  }

  /** The best owners by cosine similarity, best first. Synchronous. Throws VectorRejectedError on a bad query. */
  search(query: Float32Array, options: ExactSearchOptions): VectorHit[] {
    return runNow(this.searching(query, options));
  }

  /** The same by steps. Until the last of them `options.view` is open. */
  *searching(query: Float32Array, options: ExactSearchOptions): Steps<VectorHit[]> {
    const asked = this.#asked(query);
    const { unit } = asked;
    const only: Only = { allowed: options.allowed ?? null, view: options.view ?? null };
    const listed = options.slots == null ? null : yield* this.#listed(asked, options.slots);
    const exact = Math.min(options.exact, options.depth);
    // A little more than asked: enough, nearly always, to prove that nothing outside belongs to the exact ones.
    const limit = Math.max(options.depth, exact * 2 + 32);
    const { found, floor } = yield* this.#collect(asked, listed, only, limit);
    if (options.fetch === null || exact === 0) return merged([], this.#others(asked, found, null), options.depth);
    const certain = this.#rescored(unit, candidatesOf(found, 0, exact), options.fetch);
    // The exact-th best owner has this score for certain, whatever the others turn out to have.
    const bar = certain.length < exact ? -Infinity : Math.min(...certain.map((hit) => hit.score)) - asked.error;
    const most = Math.max(MOST_RESCORED, exact * 4) - certain.length;
    const overlooked = floor > -Infinity && floor + this.#largestScale * ERROR_DEVIATIONS >= bar;
    const known = new Set(certain.map((hit) => hit.owner));
    const others = overlooked
      ? yield* this.#above(asked, listed, only, { bar, most })
      : candidatesOf(found, exact, this.#reaching(found, bar));
    const contenders = others.filter((one) => !known.has(one.owner) && one.score + this.#errorOf(one.slot) >= bar);
    const exactly = [...certain, ...this.#rescored(unit, contenders.slice(0, most), options.fetch)];
    for (const hit of exactly) known.add(hit.owner);
    return merged(exactly.sort(byScore), this.#others(asked, found, known), options.depth);
  }

  /** Similarity of a query to single owners, as `search` scores them, from the 8-bit vectors; 0 for unknown owners. */
  scoresOf(query: Float32Array, owners: readonly number[]): Float64Array {
    const { starts, scores } = this.#roundedOf(this.#asked(query), owners);
    const found = new Float64Array(owners.length);
    for (let i = 0; i < found.length; i++) {
      const [from, to] = [starts[i]!, starts[i + 1]!];
      if (to > from) found[i] = asCosine(this.#scoreOf(scores, from, to));
    }
    return found;
  }

  /** What `search` scores owners whose best windows have these similarities, from the 8-bit vectors of the others. */
  withNext(query: Float32Array, hits: readonly VectorHit[]): VectorHit[] {
    return this.#nextShare === 0 ? [...hits] : this.#withNext(this.#asked(query), hits);
  }

  #withNext(asked: Asked, hits: readonly VectorHit[]): VectorHit[] {
    const owners = hits.map((hit) => hit.owner);
    const { starts, scores } = this.#roundedOf(asked, owners);
    return hits.map(({ owner, score }, i) => {
      return { owner, score: this.#scoreOf(scores, starts[i]!, starts[i + 1]!, score) };
    });
  }

  /**
   * The score of an owner whose windows have these similarities, of which there are some; at most the best of them. With
   * `best`, the best of them is taken for this much.
   */
  #scoreOf(cosines: ArrayLike<number>, from: number, to: number, best?: number): number {
    if (to - from <= 1) return best ?? cosines[from]!;
    let largest = from;
    for (let i = from + 1; i < to; i++) if (cosines[i]! > cosines[largest]!) largest = i;
    if (this.#nextShare === 0) return cosines[largest]!;
    const top = this.#top.fill(-Infinity);
    offerTo(top, best ?? cosines[largest]!);
    for (let i = from; i < to; i++) if (i !== largest) offerTo(top, cosines[i]!);
    let score = top[0]!;
    let share = 1;
    for (let i = 1; i < top.length && top[i]! > -Infinity; i++)
      score -= (share *= this.#nextShare) * (top[0]! - top[i]!);
    return score;
  }

  /** The similarities of each owner's windows by the 8-bit vectors. */
  #roundedOf(asked: Asked, owners: readonly number[]): Cosines {
    const starts = new Int32Array(owners.length + 1);
    const slots: number[] = [];
    const add = (slot: number): void => void slots.push(slot);
    for (let i = 0; i < owners.length; i++) {
      const only = this.#owners.onlySlotOf(owners[i]!);
      if (only >= 0) slots.push(only);
      else this.#owners.forEachSlot(owners[i]!, add);
      starts[i + 1] = slots.length;
    }
    return { starts, scores: this.#gatheredAnywhere(asked, slots) };
  }

  /** Scores of slots in any order: each segment is asked once for all that are in it. */
  #gatheredAnywhere(asked: Asked, slots: readonly number[]): Float32Array {
    if (this.count <= this.#segmentCapacity) return this.#gathered(asked, new Int32Array(slots)).scores;
    const count = slots.length;
    const order = new Float64Array(count);
    for (let i = 0; i < count; i++) order[i] = slots[i]! * count + i;
    order.sort();
    const ascending = new Int32Array(count);
    for (let i = 0; i < count; i++) ascending[i] = Math.floor(order[i]! / count);
    const { scores } = this.#gathered(asked, ascending);
    const placed = new Float32Array(count);
    for (let i = 0; i < count; i++) placed[order[i]! % count] = scores[i]!;
    return placed;
  }

  /** Those found that are not known exactly, best first. */
  #others(asked: Asked, { owners, scores }: OwnerScores, known: ReadonlySet<number> | null): VectorHit[] {
    const hits: VectorHit[] = [];
    const isFinal = this.#nextShare === 0;
    for (let i = 0; i < owners.length; i++) {
      if (known?.has(owners[i]!) === true) continue;
      hits.push({ owner: owners[i]!, score: isFinal ? asCosine(scores[i]!) : scores[i]! });
    }
    if (isFinal) return hits;
    const scored = this.#withNext(asked, hits).sort(byScore);
    return scored.map(({ owner, score }) => ({ owner, score: asCosine(score) }));
  }

  #segmentOf(slot: number): ScanSegment {
    const index = Math.floor(slot / this.#segmentCapacity);
    return (this.#segments[index] ??= new ScanSegment(this.dimensions, this.#kernels));
  }

  #asked(query: Float32Array): Asked {
    const unit = unitQuery(query, this.dimensions);
    const { values, step } = roundQuery(unit, strideOf(this.dimensions));
    return { unit, values, step, error: step * ERROR_DEVIATIONS };
  }

  /** Scores of the given slots, in their order. */
  #gathered(asked: Asked, slots: Int32Array): Scored {
    return runNow(this.#gathering(asked, slots));
  }

  /** The same by steps, where they are many. */
  *#listed(asked: Asked, slots: Int32Array): Steps<Scored> {
    return slots.length < MANY_SLOTS ? this.#gathered(asked, slots) : yield* this.#gathering(asked, slots);
  }

  *#gathering(asked: Asked, slots: Int32Array): Steps<Scored> {
    const capacity = this.#segmentCapacity;
    const scores = new Float32Array(slots.length);
    // Slots of one segment come together nearly always.
    for (let i = 0; i < slots.length;) {
      const base = slots[i]! - (slots[i]! % capacity);
      let end = i + 1;
      while (end < slots.length && slots[end]! >= base && slots[end]! < base + capacity) end++;
      const rows = rowsOf(slots, i, end, base);
      yield new GatherStep(this.#kernels, this.#partAt(base), rows, asked, scores.subarray(i, end));
      i = end;
    }
    return { slots, scores, count: slots.length };
  }

  #partAt(base: number) {
    const count = Math.max(0, Math.min(this.#segmentCapacity, this.count - base));
    return this.#segmentOf(base).part(count, base);
  }

  #parts() {
    return Array.from({ length: Math.ceil(this.count / this.#segmentCapacity) }, (_, i) =>
      this.#partAt(i * this.#segmentCapacity),
    );
  }

  /** Slots with the best scores above `bottom`, of owners that are allowed or may be; at least `limit` if there are. */
  *#best(asked: Asked, { allowed }: Only, { limit, bottom }: { limit: number; bottom: number }): Steps<Scored> {
    const parts = this.#parts();
    if (limit * 4 > this.count) {
      const scores = new Float32Array(this.count);
      for (const part of parts) this.#kernels.scan(part, asked, scores.subarray(part.base, part.base + part.count));
      return { slots: null, scores, count: this.count };
    }
    // Who shares a slot does not stand in the array.
    const isFiltered = allowed !== null && !this.#owners.isShared;
    const filter = isFiltered ? { owners: this.#owners.bringers, allowed } : null;
    const step = new BestStep(this.#kernels, parts, asked, { limit, bottom, filter });
    yield step;
    const { slots, scores } = step.found;
    return { slots, scores, count: slots.length, isBestFirst: true };
  }

  /**
   * The best owners of the listed slots, or of the best of all: of so many slots that as many owners are found as are wanted.
   * What was not found scores at most `floor`.
   */
  *#collect(asked: Asked, listed: Scored | null, only: Only, limit: number): Steps<Collected> {
    if (listed !== null) return this.#bestOwners(listed, only, limit);
    const slotsOfOwner = this.count / Math.max(1, this.#owners.owners);
    for (let most = Math.ceil(limit * slotsOfOwner) + 1; ; most *= 8) {
      const scored = yield* this.#best(asked, only, { limit: most, bottom: -Infinity });
      const collected = this.#bestOwners(scored, only, limit);
      if (scored.slots === null || scored.count < most) return collected;
      if (collected.found.owners.length < limit) continue;
      return { ...collected, floor: Math.max(collected.floor, scored.scores[scored.count - 1]!) };
    }
  }

  #bestOwners({ slots, scores, count, isBestFirst = false }: Scored, only: Only, limit: number): Collected {
    const best = isBestFirst ? new FirstOwners(limit, this.#places) : new BestOwners(limit, this.#places);
    const owners = this.#owners;
    const { isShared } = owners;
    const isMeant = this.#isMeant(only);
    let { floor } = best;
    for (let i = 0; i < count; i++) {
      const score = scores[i]!;
      if (score <= floor) continue;
      const slot = slots === null ? i : slots[i]!;
      const owner = owners.ownerOf(slot);
      if (isShared) {
        owners.forEachOwner(slot, (one) => {
          if (isMeant(one)) best.offer(one, score, slot);
        });
      } else {
        if (!isMeant(owner)) continue;
        best.offer(owner, score, slot);
      }
      floor = best.floor;
    }
    return { floor, found: best.drained() };
  }

  /** Every owner with a window that may reach the bar, most promising first; of more than `most` the rest may miss. */
  *#above(asked: Asked, listed: Scored | null, only: Only, { bar, most }: Reach): Steps<Candidate[]> {
    // A little lower: what is compared is rounded to 32 bits.
    const bottom = bar - this.#largestScale * ERROR_DEVIATIONS - 1e-6;
    const slotsOfOwner = this.count / Math.max(1, this.#owners.owners);
    for (let limit = Math.ceil(most * slotsOfOwner) + 1; ; limit *= 8) {
      const scored: Scored = listed ?? (yield* this.#best(asked, only, { limit, bottom }));
      const found = this.#candidates(scored, only, bar);
      if (scored === listed || scored.slots === null || scored.count < limit || found.length >= most) return found;
    }
  }

  /** Whether an owner is among those that are asked for. */
  #isMeant({ allowed, view }: Only): (owner: number) => boolean {
    const { isHiding } = this.views;
    return (owner) => (allowed === null || allowed.has(owner)) && !(isHiding && !this.views.shows(view, owner));
  }

  #candidates({ slots, scores, count }: Scored, only: Only, bar: number): Candidate[] {
    const isMeant = this.#isMeant(only);
    const found = new Map<number, Candidate>();
    for (let i = 0; i < count; i++) {
      const score = scores[i]!;
      const slot = slots === null ? i : slots[i]!;
      if (score + this.#errorOf(slot) < bar) continue;
      this.#owners.forEachOwner(slot, (owner) => {
        if (!isMeant(owner)) return;
        const known = found.get(owner);
        if (known === undefined || known.score < score) found.set(owner, { owner, score, slot });
      });
    }
    return [...found.values()].sort((a, b) => b.score - a.score || a.owner - b.owner);
  }

  /** How many of the found, the best first, may have a score of `bar` whatever was taken from theirs by rounding. */
  #reaching({ scores }: OwnerScores, bar: number): number {
    const error = this.#largestScale * ERROR_DEVIATIONS;
    let count = 0;
    while (count < scores.length && scores[count]! + error >= bar) count++;
    return count;
  }

  #errorOf(slot: number): number {
    const index = Math.floor(slot / this.#segmentCapacity);
    return this.#segments[index]!.scales[slot - index * this.#segmentCapacity]! * ERROR_DEVIATIONS;
  }

  /** The owners with their full-precision scores, in the same order. */
  #rescored(unit: Float32Array, owners: readonly Candidate[], fetch: FetchVectors): VectorHit[] {
    if (owners.length === 0) return [];
    this.rescored += owners.length;
    if (!this.#owners.isShared) return this.#rescoredAlone(unit, owners, fetch);
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
      return { owner, score: asCosine(own.length === 0 ? score : this.#scoreOf(own, 0, own.length)) };
    });
  }

  /** The same where nobody shares. */
  #rescoredAlone(unit: Float32Array, owners: readonly Candidate[], fetch: FetchVectors): VectorHit[] {
    const fetched = fetch(owners.map(({ owner }) => owner));
    return owners.map(({ owner, score }, i) => {
      const known = cosinesOf(unit, fetched[i] ?? GONE);
      const from = Math.max(0, known.length - this.#owners.ownCount(owner));
      return { owner, score: asCosine(from === known.length ? score : this.#scoreOf(known, from, known.length)) };
    });
  }
}

type Candidate = { readonly owner: number; readonly score: number; readonly slot: number };
/** A query, and what its rounding may take from a score. */
type Asked = ScanQuery & { readonly error: number };
/** The cosines of several owners one after the other: those of the i-th are `scores` from `starts[i]` up to `starts[i + 1]`. */
type Cosines = { readonly starts: Int32Array; readonly scores: Float32Array };
/** Scores side by side with their slots; of all slots in order where no list is there. */
type Scored = {
  readonly slots: Int32Array | null;
  readonly scores: Float32Array;
  readonly count: number;
  readonly isBestFirst?: boolean;
};
/** Whose vectors count. */
type Only = { readonly allowed: Bitset | null; readonly view: View | null };
type Collected = { readonly found: OwnerScores; readonly floor: number };
/** What a candidate may still reach, and how many of them are of use. */
type Reach = { readonly bar: number; readonly most: number };

/** Some of the slots as rows of the segment that begins at `base`. */
function rowsOf(slots: Int32Array, from: number, to: number, base: number): Int32Array {
  return base === 0 ? slots.subarray(from, to) : slots.subarray(from, to).map((slot) => slot - base);
}

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

/** Puts a value among the largest, which come in their order. */
function offerTo(top: Float64Array, value: number): void {
  let at = top.length - 1;
  if (!(value > top[at]!)) return;
  for (; at > 0 && value > top[at - 1]!; at--) top[at] = top[at - 1]!;
  top[at] = value;
}

function byScore(a: VectorHit, b: VectorHit): number {
  return b.score - a.score || a.owner - b.owner;
}

/** Rounding can carry a score past what a cosine can be. */
function asCosine(score: number): number {
  return Math.min(1, Math.max(-1, score));
}
