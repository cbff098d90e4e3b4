import { Bitset } from "./bitset.ts";
import { ColumnOrder } from "./column-order.ts";
import type { RangeOp, Scalar } from "./filter.ts";
import { grown, memoryOf, type SectionReader, type SectionWriter, withRoom } from "./image-sections.ts";
import { SortedValues } from "./sorted-values.ts";
import { ValueTable } from "./value-table.ts";

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
 * The lists are linked through two arrays, so that setting and clearing are O(1), neither a file nor a value costs an
 * object, and walking one costs as many steps as it has files. What a comparison keeps is found through the lists where that
 * is little; else, or where many ask, through an order of all files that is good until the next write.
 */
export class Column {
  #values = new ValueTable();
  #heads = new Int32Array(8); // by value id; file + 1, 0 = nobody
  #counts = new Int32Array(8);
  #deadValues = 0;
  #present = new Bitset();
  #presentCount = 0;
  #valueIds = new Int32Array(0); // by file; value id + 1, 0 = the file has no such key
  #next = new Int32Array(0); // by file; file + 1, 0 = end
  #previous = new Int32Array(0);
  #numbers = new SortedValues(this.#values);
  #strings = new SortedValues(this.#values);
  #order: ColumnOrder | null = null;
  #bytes = -1; // without the order; -1: not counted since the last write
  /** Files walked through lists since the last write. */
  #walked = 0;

  /** How many files have the key. */
  get present(): number {
    return this.#presentCount;
  }

  get byteLength(): number {
    const order = this.#order === null ? 0 : this.#order.byteLength;
    if (this.#bytes < 0) {
      const sorted = this.#numbers.byteLength + this.#strings.byteLength;
      const lists = memoryOf(this.#valueIds, this.#next, this.#previous, this.#heads, this.#counts);
      this.#bytes = this.#values.byteLength + sorted + lists + this.#present.byteLength;
    }
    return this.#bytes + order;
  }

  get(file: number): Scalar | undefined {
    const id = file < this.#valueIds.length ? this.#valueIds[file]! : 0;
    return id === 0 ? undefined : this.#values.get(id - 1);
  }

  set(file: number, value: Scalar): void {
    this.clear(file);
    if (file >= this.#valueIds.length) this.#grow(file + 1);
    let id = this.#values.find(value);
    if (id < 0) {
      id = this.#values.add(value);
      if (id >= this.#heads.length) {
        this.#heads = grown(this.#heads, this.#heads.length * 2);
        this.#counts = grown(this.#counts, this.#heads.length);
      }
      this.#deadValues++;
      if (typeof value === "number") this.#numbers.add(id);
      else if (typeof value === "string") this.#strings.add(id);
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
    if (this.#deadValues > DEAD_VALUES_BEFORE_REBUILD && this.#deadValues * 2 > this.#values.size) this.#rebuild();
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
    const wanted = new Bitset(values.length > FEW ? this.#values.size : 0);
    let count = 0;
    for (const value of values) {
      const id = this.#values.find(value);
      if (id < 0 || this.#counts[id] === 0) continue;
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
      const id = file < this.#valueIds.length ? this.#valueIds[file]! : 0;
      return id !== 0 && this.#values.isInRange(id - 1, op, bound);
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

  writeTo(image: SectionWriter): void {
    this.#values.writeTo(image.part("values"));
    this.#numbers.writeTo(image, "numbers");
    this.#strings.writeTo(image, "strings");
    image.value("dead", this.#deadValues);
    image.value("present", this.#presentCount);
    image.array("present", this.#present.words);
    image.array("heads", this.#heads);
    image.array("counts", this.#counts);
    const room = wholeWords(withRoom(this.#valueIds.length));
    image.array("ids", this.#valueIds, room);
    image.array("next", this.#next, room);
    image.array("previous", this.#previous, room);
  }

  static from(image: SectionReader): Column {
    const column = new Column();
    column.#values = ValueTable.from(image.part("values"));
    column.#numbers = SortedValues.from(image, "numbers", column.#values);
    column.#strings = SortedValues.from(image, "strings", column.#values);
    column.#deadValues = image.number("dead");
    column.#presentCount = image.number("present");
    column.#present = Bitset.over(image.array("present", "i32"));
    column.#heads = image.array("heads", "i32");
    column.#counts = image.array("counts", "i32");
    column.#valueIds = image.array("ids", "i32");
    column.#next = image.array("next", "i32");
    column.#previous = image.array("previous", "i32");
    return column;
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
      counts: this.#counts.subarray(0, this.#values.size),
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
    for (const value of [true, false]) ids.push(...[this.#values.find(value)].filter((id) => id >= 0));
    return ids;
  }

  #changed(): void {
    this.#order = null;
    this.#bytes = -1;
    this.#walked = 0;
  }

  #grow(files: number): void {
    // Whole words of a set: a pass over all files then needs no look at the end of each.
    const size = wholeWords(Math.max(files, this.#valueIds.length * 2));
    this.#valueIds = grown(this.#valueIds, size);
    this.#next = grown(this.#next, size);
    this.#previous = grown(this.#previous, size);
  }

  /** Forgets values nobody has. Ids change, so no caller may keep one across a write. */
  #rebuild(): void {
    const values = this.#values;
    const ids = this.#valueIds.slice();
    this.#values = new ValueTable();
    this.#numbers = new SortedValues(this.#values);
    this.#strings = new SortedValues(this.#values);
    this.#heads = new Int32Array(8);
    this.#counts = new Int32Array(8);
    this.#deadValues = 0;
    this.#present.clear();
    this.#presentCount = 0;
    this.#changed();
    this.#valueIds.fill(0);
    for (let file = 0; file < ids.length; file++) {
      if (ids[file] !== 0) this.set(file, values.get(ids[file]! - 1));
    }
  }
}

function wholeWords(files: number): number {
  return (files + 31) & ~31;
}
