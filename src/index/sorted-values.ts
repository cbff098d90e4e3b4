import type { RangeOp } from "./filter.ts";
import { memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";
import type { ValueTable } from "./value-table.ts";

/** Values that may wait unsorted: a range over them is a short scan, and a merge is rare. */
const UNSORTED_LIMIT = 512;

type Ordered = string | number;

/** Places in the order of values, from `from` to below `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The order of the distinct values of one type under one key, for ranges: a sorted part and a short unsorted one, so that
 * ranges stay fast while values keep arriving. All values of one object have one type.
 */
export class SortedValues {
  readonly #values: ValueTable;
  #sorted = new Int32Array(0); // ids
  #recent: number[] = [];

  constructor(values: ValueTable) {
    this.#values = values;
  }

  get byteLength(): number {
    return memoryOf(this.#sorted) + this.#recent.length * 8;
  }

  add(id: number): void {
    this.#recent.push(id);
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
    return this.#sorted[place]!;
  }

  /** Ids of the values for which `value op bound` holds and that have no place in the order yet. */
  recentIn(op: RangeOp, bound: Ordered): number[] {
    return this.#recent.filter((id) => this.#values.isInRange(id, op, bound));
  }

  /** Ids of all values, each of which has its place then. */
  idsInOrder(): Int32Array {
    this.#merge();
    return this.#sorted;
  }

  writeTo(image: SectionWriter, name: string): void {
    image.array(name, this.idsInOrder());
  }

  static from(image: SectionReader, name: string, values: ValueTable): SortedValues {
    const sorted = new SortedValues(values);
    sorted.#sorted = image.array(name, "i32");
    return sorted;
  }

  /** Gives every value its place. Costs some steps for each new one, and a copy of the ids. */
  #merge(): void {
    if (this.#recent.length === 0) return;
    const values = this.#values;
    const recent = Int32Array.from(this.#recent).sort((a, b) => values.compare(a, b));
    const merged = new Int32Array(this.#sorted.length + recent.length);
    let from = 0;
    recent.forEach((id, i) => {
      const place = this.#placeOf(id, from);
      merged.set(this.#sorted.subarray(from, place), from + i);
      merged[place + i] = id;
      from = place;
    });
    merged.set(this.#sorted.subarray(from), from + recent.length);
    this.#sorted = merged;
    this.#recent = [];
  }

  /** How many sorted values are below or equal to one that is not before place `low`. */
  #placeOf(id: number, from: number): number {
    let low = from;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#values.compare(this.#sorted[middle]!, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many sorted values are below `bound`, or below or equal to it. */
  #position(bound: Ordered, orEqual: boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#values.compareTo(this.#sorted[middle]!, bound);
      if (order < 0 || (orEqual && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
