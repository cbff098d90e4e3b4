import { compareCodePoints, inRange, type RangeOp } from "./filter.ts";

/** Values that may wait unsorted: a range over them is a short scan, and a merge is rare. */
const UNSORTED_LIMIT = 512;

type Ordered = string | number;

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

  /** Ids of the values for which `value op bound` holds, in no particular order. */
  idsInRange(op: RangeOp, bound: Ordered): number[] {
    if (this.#recent.length > UNSORTED_LIMIT) this.#merge();
    const from = op === "gt" ? this.#position(bound, true) : op === "gte" ? this.#position(bound, false) : 0;
    const to =
      op === "lt" ? this.#position(bound, false) : op === "lte" ? this.#position(bound, true) : this.#sorted.length;
    const ids = this.#sortedIds.slice(from, Math.max(from, to));
    for (let i = 0; i < this.#recent.length; i++) {
      if (inRange(op, this.#recent[i]!, bound)) ids.push(this.#recentIds[i]!);
    }
    return ids;
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

  #merge(): void {
    const order = this.#recent.map((_, i) => i).sort((a, b) => compare(this.#recent[a]!, this.#recent[b]!));
    const values: Ordered[] = [];
    const ids: number[] = [];
    let at = 0;
    for (const i of order) {
      while (at < this.#sorted.length && compare(this.#sorted[at]!, this.#recent[i]!) <= 0) {
        values.push(this.#sorted[at]!);
        ids.push(this.#sortedIds[at++]!);
      }
      values.push(this.#recent[i]!);
      ids.push(this.#recentIds[i]!);
    }
    for (; at < this.#sorted.length; at++) {
      values.push(this.#sorted[at]!);
      ids.push(this.#sortedIds[at]!);
    }
    this.#sorted = values;
    this.#sortedIds = ids;
    this.#recent = [];
    this.#recentIds = [];
  }
}

function compare(a: Ordered, b: Ordered): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return compareCodePoints(String(a), String(b));
}
