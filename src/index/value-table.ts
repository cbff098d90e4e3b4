/**
 * The distinct values of an attribute under dense ids, in typed arrays: a value costs no object, and a table of a hundred
 * thousand names is there as soon as its arrays are. Texts are kept as the UTF-16 units that they are, so that whatever
 * came in is told apart. Ids are never given back: who has too many dead ones makes a new table.
 */
import { holds, type RangeOp, type Scalar, unitRank } from "./filter.ts";
import { doubled, grown, memoryOf, type SectionReader, type SectionWriter } from "./image-sections.ts";

/** In place of the length of a text. */
const NUMBER = -1;
const BOOLEAN = -2;
/** Units of a text that its hash is made of: the first ones and the last ones. What differs between them alone is compared. */
const HASHED_FIRST = 48;
const HASHED_LAST = 16;

export class ValueTable {
  #size = 0;
  #places = new Int32Array(16); // by hash; id + 1, 0 = empty
  #hashes = new Int32Array(8); // by id
  #lengths = new Int32Array(8); // by id: units of a text, NUMBER or BOOLEAN
  #numbers = new Float64Array(8); // by id: where a text begins in #units, or the number, or 0 and 1
  #units = new Uint16Array(64);
  #end = 0;
  #last = { id: -1, text: "" };

  /** Ids are below this. */
  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return memoryOf(this.#places, this.#hashes, this.#lengths, this.#numbers, this.#units);
  }

  get(id: number): Scalar {
    const length = this.#lengths[id]!;
    const number = this.#numbers[id]!;
    if (length === NUMBER) return number;
    if (length === BOOLEAN) return number === 1;
    // Members that come one after another often have the same value.
    if (this.#last.id !== id) this.#last = { id, text: this.#bytesOf(number, length).toString("utf16le") };
    return this.#last.text;
  }

  /** Units as they lie in memory; native code copies and compares them many times as fast as a loop does. */
  #bytesOf(from: number, length: number): Buffer {
    const { buffer, byteOffset, BYTES_PER_ELEMENT: size } = this.#units;
    return Buffer.from(buffer, byteOffset + from * size, length * size);
  }

  typeOf(id: number): "number" | "string" | "boolean" {
    const length = this.#lengths[id]!;
    return length === NUMBER ? "number" : length === BOOLEAN ? "boolean" : "string";
  }

  /** The id of a value, or -1. */
  find(value: Scalar): number {
    const mask = this.#places.length - 1;
    const hash = hashOf(value);
    for (let at = hash & mask; this.#places[at] !== 0; at = (at + 1) & mask) {
      const id = this.#places[at]! - 1;
      if (this.#hashes[id] === hash && this.#is(id, value)) return id;
    }
    return -1;
  }

  /** Gives a value that is not there the next id. */
  add(value: Scalar): number {
    const id = this.#size++;
    if (id >= this.#hashes.length) this.#growIds();
    if (this.#size * 2 > this.#places.length) this.#growPlaces();
    if (typeof value === "string") this.#keepText(id, value);
    else {
      this.#lengths[id] = typeof value === "number" ? NUMBER : BOOLEAN;
      this.#numbers[id] = Number(value);
    }
    this.#hashes[id] = hashOf(value);
    this.#place(id);
    return id;
  }

  /** The order of two values of one type, numbers or texts. */
  compare(a: number, b: number): number {
    const [length, other] = [this.#lengths[a]!, this.#lengths[b]!];
    const [from, otherFrom] = [this.#numbers[a]!, this.#numbers[b]!];
    if (length === NUMBER) return from - otherFrom;
    const units = this.#units;
    const shared = Math.min(length, other);
    for (let i = 0; i < shared; i++) {
      const [x, y] = [units[from + i]!, units[otherFrom + i]!];
      if (x !== y) return unitRank(x) - unitRank(y);
    }
    return length - other;
  }

  /** The order of a value and another one of its type, numbers or texts. */
  compareTo(id: number, bound: string | number): number {
    const length = this.#lengths[id]!;
    const from = this.#numbers[id]!;
    if (typeof bound === "number") return from - bound;
    const shared = Math.min(length, bound.length);
    for (let i = 0; i < shared; i++) {
      const [x, y] = [this.#units[from + i]!, bound.charCodeAt(i)];
      if (x !== y) return unitRank(x) - unitRank(y);
    }
    return length - bound.length;
  }

  /** Whether `value op bound` holds; false for values of two types. */
  isInRange(id: number, op: RangeOp, bound: string | number): boolean {
    if (this.typeOf(id) !== typeof bound) return false;
    return holds(op, this.compareTo(id, bound));
  }

  writeTo(image: SectionWriter): void {
    image.value("size", this.#size);
    image.value("end", this.#end);
    image.array("places", this.#places);
    image.array("hashes", this.#hashes);
    image.array("lengths", this.#lengths);
    image.array("numbers", this.#numbers);
    image.array("units", this.#units.subarray(0, this.#end), this.#units.length);
  }

  static from(image: SectionReader): ValueTable {
    const table = new ValueTable();
    table.#size = image.number("size");
    table.#end = image.number("end");
    table.#places = image.array("places", "i32");
    table.#hashes = image.array("hashes", "i32");
    table.#lengths = image.array("lengths", "i32");
    table.#numbers = image.array("numbers", "f64");
    table.#units = image.array("units", "u16");
    return table;
  }

  #is(id: number, value: Scalar): boolean {
    const length = this.#lengths[id]!;
    const number = this.#numbers[id]!;
    if (typeof value === "number") return length === NUMBER && number === value;
    if (typeof value === "boolean") return length === BOOLEAN && number === Number(value);
    return length === value.length && this.get(id) === value;
  }

  #keepText(id: number, text: string): void {
    const end = this.#end + text.length;
    if (end > this.#units.length) this.#units = grown(this.#units, doubled(this.#units.length, end));
    this.#bytesOf(this.#end, text.length).write(text, "utf16le");
    this.#lengths[id] = text.length;
    this.#numbers[id] = this.#end;
    this.#end = end;
  }

  #place(id: number): void {
    const mask = this.#places.length - 1;
    let at = this.#hashes[id]! & mask;
    while (this.#places[at] !== 0) at = (at + 1) & mask;
    this.#places[at] = id + 1;
  }

  #growIds(): void {
    const size = this.#hashes.length * 2;
    this.#hashes = grown(this.#hashes, size);
    this.#lengths = grown(this.#lengths, size);
    this.#numbers = grown(this.#numbers, size);
  }

  #growPlaces(): void {
    this.#places = new Int32Array(this.#places.length * 2);
    // The newest has no hash yet: its caller places it.
    for (let id = 0; id < this.#size - 1; id++) this.#place(id);
  }
}

const scratch = new Float64Array(1);
const halves = new Int32Array(scratch.buffer);

function hashOf(value: Scalar): number {
  if (typeof value === "string") {
    const { length } = value;
    let hash = 0x811c9dc5 ^ length;
    const first = Math.min(length, HASHED_FIRST);
    for (let i = 0; i < first; i++) hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
    for (let i = Math.max(first, length - HASHED_LAST); i < length; i++)
      hash = Math.imul(hash ^ value.charCodeAt(i), 0x01000193);
    return mixed(hash);
  }
  if (typeof value === "boolean") return value ? 0x2545f491 : 0x1b873593;
  scratch[0] = value === 0 ? 0 : value; // -0 equals 0
  return mixed(halves[0]! ^ Math.imul(halves[1]!, 0x01000193));
}

function mixed(hash: number): number {
  const mixing = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return mixing ^ (mixing >>> 15);
}
