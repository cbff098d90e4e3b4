import { compareCodePoints, inRange, type RangeOp } from "./filter.ts";

/** Values that may wait unsorted: a range over them is a short scan, and a merge is rare. */
const UNSORTED_LIMIT = 512;

type Ordered = string | number;

/** Places in the order of values, from `from` to below `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The distinct values of one type under one key, for ranges: a sorted part and a short unsorted one, so that
 * ranges stay fast while values keep arriving. All values of one object have one type.
 */
export class SortedValues {
  #sorted: Ordered[] = [];
  #sortedIds: number[] = [];
  #recent: Ordered[] = [];
  #recentIds: number[] = [];

  add(value: Ordered, id: number): void {
    this.#recent.push(value);
    this.#recentIds.push(id);
  }

  /** Where the sorted values stand for which `value op bound` holds. Those of `recentIn` are not among them. */
  span(op: RangeOp, bound: Ordered): Span {
    if (this.#recent.length > UNSORTED_LIMIT) this.#merge();
    const from = op === "gt" ? this.#position(bound, true) : op === "gte" ? this.#position(bound, false) : 0;
    const to =
      op === "lt" ? this.#position(bound, false) : op === "lte" ? this.#position(bound, true) : this.#sorted.length;
    return { from, to: Math.max(from, to) };
  }

  /** The id of the value in a place of the order. */
  idAt(place: number): number {
    return this.#sortedIds[place]!;
  }

  /** Ids of the values for which `value op bound` holds and that have no place in the order yet. */
  recentIn(op: RangeOp, bound: Ordered): number[] {
    return this.#recentIds.filter((_, i) => inRange(op, this.#recent[i]!, bound));
  }

  /** Ids of all values, each of which has its place then. */
  idsInOrder(): readonly number[] {
    this.#merge();
    return this.#sortedIds;
  }

  /** Gives every value its place. */
  #merge(): void {
    if (this.#recent.length === 0) return;
    const order = this.#recent.map((_, i) => i).sort((a, b) => compare(this.#recent[a]!, this.#recent[b]!));
    const size = this.#sorted.length + order.length;
    const values = new Array<Ordered>(size);
    const ids = new Array<number>(size);
    let next = 0;
    let out = 0;
    for (const i of order) {
      const value = this.#recent[i]!;
      for (; next < this.#sorted.length && compare(this.#sorted[next]!, value) <= 0; next++) {
        values[out] = this.#sorted[next]!;
        ids[out++] = this.#sortedIds[next]!;
      }
      values[out] = value;
      ids[out++] = this.#recentIds[i]!;
    }
    for (; next < this.#sorted.length; next++) {
      values[out] = this.#sorted[next]!;
      ids[out++] = this.#sortedIds[next]!;
    }
    this.#sorted = values;
    this.#sortedIds = ids;
    this.#recent = [];
    this.#recentIds = [];
  }

  /** How many sorted values are below `bound`, or below or equal to it. */
  #position(bound: Ordered, orEqual: boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(this.#sorted[middle]!, bound);
      if (order < 0 || (orEqual && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: Ordered, b: Ordered): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return compareCodePoints(String(a), String(b));
}
