import { inRange, type RangeOp, type Scalar } from "./filter.ts";
import { SortedValues } from "./sorted-values.ts";

/** A value nobody has kept this long is worth a rebuild of its column. */
const DEAD_VALUES_BEFORE_REBUILD = 1024;

/**
 * One attribute key over all file ordinals: each file's value, and for each value the list of files that have it.
 * The lists are linked through two arrays, so that setting and clearing are O(1), a value costs no object,
 * and walking one costs as many steps as it has files.
 */
export class Column {
  #idOf = new Map<Scalar, number>();
  #values: Scalar[] = [];
  #heads: number[] = [];
  #counts: number[] = [];
  #deadValues = 0;
  #present = 0;
  #valueIds = new Int32Array(0); // by file; value id + 1, 0 = the file has no such key
  #next = new Int32Array(0); // by file; file + 1, 0 = end
  #previous = new Int32Array(0);
  #numbers = new SortedValues();
  #strings = new SortedValues();

  /** How many files have the key. */
  get present(): number {
    return this.#present;
  }

  get byteLength(): number {
    return this.#valueIds.byteLength * 3 + this.#values.length * 96;
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
    this.#present++;
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
    this.#present--;
    if (--this.#counts[id]! === 0) this.#deadValues++;
    if (this.#deadValues > DEAD_VALUES_BEFORE_REBUILD && this.#deadValues * 2 > this.#values.length) this.#rebuild();
  }

  /** Value ids of the given values; values that no file has are left out. */
  idsOf(values: readonly Scalar[]): number[] {
    const ids = new Set<number>();
    for (const value of values) {
      const id = this.#idOf.get(value);
      if (id !== undefined && this.#counts[id]! > 0) ids.add(id);
    }
    return [...ids];
  }

  /** Ids of the values for which `value op bound` holds. */
  idsInRange(op: RangeOp, bound: Scalar): number[] {
    if (typeof bound === "boolean") return [];
    const sorted = typeof bound === "number" ? this.#numbers : this.#strings;
    return sorted.idsInRange(op, bound).filter((id) => this.#counts[id]! > 0);
  }

  allIds(): number[] {
    const ids: number[] = [];
    for (let id = 0; id < this.#counts.length; id++) if (this.#counts[id]! > 0) ids.push(id);
    return ids;
  }

  countOf(ids: readonly number[]): number {
    let total = 0;
    for (const id of ids) total += this.#counts[id]!;
    return total;
  }

  hasAnyOf(file: number, ids: ReadonlySet<number>): boolean {
    return file < this.#valueIds.length && ids.has(this.#valueIds[file]! - 1);
  }

  isInRange(file: number, op: RangeOp, bound: Scalar): boolean {
    const own = this.get(file);
    return own !== undefined && inRange(op, own, bound);
  }

  forEachFileOf(ids: readonly number[], visit: (file: number) => void): void {
    for (const id of ids) {
      for (let at = this.#heads[id]!; at !== 0; at = this.#next[at - 1]!) visit(at - 1);
    }
  }

  #grow(files: number): void {
    const size = Math.max(files, this.#valueIds.length * 2, 16);
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
    this.#present = 0;
    this.#numbers = new SortedValues();
    this.#strings = new SortedValues();
    this.#valueIds.fill(0);
    for (let file = 0; file < ids.length; file++) {
      if (ids[file] !== 0) this.set(file, values[ids[file]! - 1]!);
    }
  }
}
