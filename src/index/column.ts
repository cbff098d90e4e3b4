import { Bitset } from "./bitset.ts";
import { ColumnOrder } from "./column-order.ts";
import { inRange, type RangeOp, type Scalar } from "./filter.ts";
import { SortedValues } from "./sorted-values.ts";

/** A value nobody has kept this long is worth a rebuild of its column. */
const DEAD_VALUES_BEFORE_REBUILD = 1024;

/** Above this share of the files, lists of a value's files are not walked: the order of all files is made and used. */
const WALK_SHARE = 1 / 8;
/** So many times the files may be walked through lists until the order is made after all. */
const WALKS = 2;
/** Value ids up to which a file's own is looked for one after the other. */
const FEW = 8;

/** The files of a column that one comparison keeps. */
export interface Kept {
  /** How many, or (where `isExact` is false) an upper bound. */
  readonly atMost: number;
  readonly isExact: boolean;
  /** Puts them into an empty set. */
  fill(into: Bitset): void;
  has(file: number): boolean;
}

const NONE: Kept = { atMost: 0, isExact: true, fill: () => {}, has: () => false };

/**
 * One attribute key over all file ordinals: each file's value, and for each value the list of files that have it.
 * The lists are linked through two arrays, so that setting and clearing are O(1), a value costs no object,
 * and walking one costs as many steps as it has files. What a comparison keeps is found through the lists where that
 * is little; else, or where many ask, through an order of all files that is good until the next write.
 */
export class Column {
  #idOf = new Map<Scalar, number>();
  #values: Scalar[] = [];
  #heads: number[] = [];
  #counts: number[] = [];
  #deadValues = 0;
  readonly #present = new Bitset();
  #presentCount = 0;
  #valueIds = new Int32Array(0); // by file; value id + 1, 0 = the file has no such key
  #next = new Int32Array(0); // by file; file + 1, 0 = end
  #previous = new Int32Array(0);
  #numbers = new SortedValues();
  #strings = new SortedValues();
  #order: ColumnOrder | null = null;
  /** Files walked through lists since the last write. */
  #walked = 0;

  /** How many files have the key. */
  get present(): number {
    return this.#presentCount;
  }

  get byteLength(): number {
    const order = this.#order === null ? 0 : this.#order.byteLength;
    return this.#valueIds.byteLength * 3 + this.#present.byteLength + order + this.#values.length * 96;
  }

  get(file: number): Scalar | undefined {
    const id = file < this.#valueIds.length ? this.#valueIds[file]! : 0;
    return id === 0 ? undefined : this.#values[id - 1];
  }

  set(file: number, value: Scalar): void {
    this.clear(file);
    if (file >= this.#valueIds.length) this.#grow(file + 1);
    let id = this.#idOf.get(value);
    if (id === undefined) {
      id = this.#values.length;
      this.#idOf.set(value, id);
      this.#values.push(value);
      this.#heads.push(0);
      this.#counts.push(0);
      this.#deadValues++;
      if (typeof value === "number") this.#numbers.add(value, id);
      else if (typeof value === "string") this.#strings.add(value, id);
    }
    const head = this.#heads[id]!;
    this.#valueIds[file] = id + 1;
    this.#next[file] = head;
    this.#previous[file] = 0;
    if (head !== 0) this.#previous[head - 1] = file + 1;
    this.#heads[id] = file + 1;
    if (this.#counts[id]!++ === 0) this.#deadValues--;
    this.#present.add(file);
    this.#presentCount++;
    this.#changed();
  }

  clear(file: number): void {
    const id = file < this.#valueIds.length ? this.#valueIds[file]! - 1 : -1;
    if (id < 0) return;
    const next = this.#next[file]!;
    const previous = this.#previous[file]!;
    if (previous === 0) this.#heads[id] = next;
    else this.#next[previous - 1] = next;
    if (next !== 0) this.#previous[next - 1] = previous;
    this.#valueIds[file] = 0;
    this.#present.delete(file);
    this.#presentCount--;
    this.#changed();
    if (--this.#counts[id]! === 0) this.#deadValues++;
    if (this.#deadValues > DEAD_VALUES_BEFORE_REBUILD && this.#deadValues * 2 > this.#values.length) this.#rebuild();
  }

  /** The files that have the key. */
  having(): Kept {
    return {
      atMost: this.#presentCount,
      isExact: true,
      fill: (into) => into.copyFrom(this.#present),
      has: (file) => this.#present.has(file),
    };
  }

  /** The files that have one of the values. */
  oneOf(values: readonly Scalar[]): Kept {
    const ids: number[] = [];
    const wanted = new Bitset(values.length > FEW ? this.#values.length : 0);
    let count = 0;
    for (const value of values) {
      const id = this.#idOf.get(value);
      if (id === undefined || this.#counts[id] === 0) continue;
      if (values.length > FEW ? wanted.has(id) : ids.includes(id)) continue;
      if (values.length > FEW) wanted.add(id);
      ids.push(id);
      count += this.#counts[id]!;
    }
    if (ids.length === 0) return NONE;
    const has = values.length > FEW ? (id: number) => wanted.has(id) : (id: number) => ids.includes(id);
    return {
      atMost: count,
      isExact: true,
      fill: (into) => this.#fillValues(ids, count, into),
      has: (file) => file < this.#valueIds.length && has(this.#valueIds[file]! - 1),
    };
  }

  /** The files for whose value `value op bound` holds. */
  inRange(op: RangeOp, bound: Scalar): Kept {
    if (typeof bound === "boolean") return NONE;
    const has = (file: number): boolean => {
      const own = this.get(file);
      return own !== undefined && inRange(op, own, bound);
    };
    const few = this.#order === null ? this.#fewInRange(op, bound) : null;
    if (few !== null) {
      const { ids, count } = few;
      return { atMost: count, isExact: true, fill: (into) => this.#fillValues(ids, count, into), has };
    }
    const order = this.#ordered();
    const sorted = this.#sortedOf(bound);
    const { from, to } = sorted.span(op, bound);
    if (from === to) return NONE;
    const start = order.startOf(sorted.idAt(from));
    const last = sorted.idAt(to - 1);
    const end = order.startOf(last) + this.#counts[last]!;
    return { atMost: end - start, isExact: true, fill: (into) => order.fillRun(start, end, into), has };
  }

  #sortedOf(bound: string | number): SortedValues {
    return typeof bound === "number" ? this.#numbers : this.#strings;
  }

  /** The values in the range, or null where too many files have them to walk their lists. */
  #fewInRange(op: RangeOp, bound: string | number): { ids: number[]; count: number } | null {
    const sorted = this.#sortedOf(bound);
    const most = this.#valueIds.length * WALK_SHARE;
    const { from, to } = sorted.span(op, bound);
    // Every value that is not dead has a file, so this says it without a look at them.
    if (to - from > most + this.#deadValues) return null;
    const ids = sorted.recentIn(op, bound);
    let count = 0;
    for (const id of ids) count += this.#counts[id]!;
    for (let place = from; place < to && count <= most; place++) {
      const id = sorted.idAt(place);
      count += this.#counts[id]!;
      ids.push(id);
    }
    return count <= most ? { ids, count } : null;
  }

  #fillValues(ids: readonly number[], count: number, into: Bitset): void {
    this.#walked += count;
    const isMuch = count > this.#valueIds.length * WALK_SHARE || this.#walked > this.#valueIds.length * WALKS;
    if (this.#order !== null || isMuch) return this.#ordered().addValues(ids, into);
    const next = this.#next;
    for (const id of ids) for (let at = this.#heads[id]!; at !== 0; at = next[at - 1]!) into.add(at - 1);
  }

  #ordered(): ColumnOrder {
    return (this.#order ??= new ColumnOrder(this.#idsInOrder(), {
      counts: this.#counts,
      files: this.#presentCount,
      words: this.#valueIds.length >>> 5,
      walk: (id, into, from) => {
        let end = from;
        for (let at = this.#heads[id]!; at !== 0; at = this.#next[at - 1]!) into[end++] = at - 1;
        return end;
      },
    }));
  }

  /** Numbers, strings, and what has no order. */
  #idsInOrder(): number[] {
    const ids = [...this.#numbers.idsInOrder(), ...this.#strings.idsInOrder()];
    for (const value of [true, false]) ids.push(...[this.#idOf.get(value)].filter((id) => id !== undefined));
    return ids;
  }

  #changed(): void {
    this.#order = null;
    this.#walked = 0;
  }

  #grow(files: number): void {
    // Whole words of a set: a pass over all files then needs no look at the end of each.
    const size = (Math.max(files, this.#valueIds.length * 2) + 31) & ~31;
    const grown = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(size);
      to.set(from);
      return to;
    };
    this.#valueIds = grown(this.#valueIds);
    this.#next = grown(this.#next);
    this.#previous = grown(this.#previous);
  }

  /** Forgets values nobody has. Ids change, so no caller may keep one across a write. */
  #rebuild(): void {
    const values = this.#values;
    const ids = this.#valueIds.slice();
    this.#idOf = new Map();
    this.#values = [];
    this.#heads = [];
    this.#counts = [];
    this.#deadValues = 0;
    this.#present.clear();
    this.#presentCount = 0;
    this.#changed();
    this.#numbers = new SortedValues();
    this.#strings = new SortedValues();
    this.#valueIds.fill(0);
    for (let file = 0; file < ids.length; file++) {
      if (ids[file] !== 0) this.set(file, values[ids[file]! - 1]!);
    }
  }
}
