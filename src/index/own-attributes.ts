import type { AttributeIndex } from "./attributes.ts";
import { Bitset } from "./bitset.ts";
import { Column, type Kept } from "./column.ts";
import type { FileTable } from "./file-table.ts";
import { type Attributes, canonicalKey, FILE_ID_KEY, FILENAME_KEY, type Filter, type Scalar } from "./filter.ts";
import { type Comparable, FilterPlan } from "./filter-plan.ts";
import {
  doubled,
  grown,
  ImageError,
  memoryOf,
  type SectionReader,
  type SectionWriter,
  withRoom,
} from "./image-sections.ts";
import { PackedColumn } from "./packed-column.ts";

/** Chunks with a key from which its column is one over all ordinals, if they are this share of them … */
const SPREAD_FROM = 256;
const SPREAD_SHARE = 1 / 8;
/** … and below which it is packed again. */
const PACKED_SHARE = 1 / 64;

/** Keys, and sets of keys: each is a dozen arrays of an image, or a text in its table. */
const MOST_IMAGED = 2_000;

/** The keys that some chunks have in common. */
interface Shape {
  readonly name: string;
  readonly keys: readonly string[];
  chunks: number;
}

/**
 * Attributes that chunks have of their own, inverted as those of files are: key -> value -> chunk ordinals. What a chunk
 * has hides what its file has of the same name; what it has not, it has from its file. The filter plan is the one of
 * files, asked about chunks. What is kept here follows what chunks have, whatever keys they think of.
 */
export class OwnAttributes {
  readonly #attributes: AttributeIndex;
  readonly #files: FileTable;
  readonly #columns = new Map<string, Column | PackedColumn>();
  #live = new Bitset();
  #count = 0;
  #shapeOf = new Int32Array(0); // by chunk; shape + 1, 0 = it has none of its own
  readonly #shapes: Shape[] = [];
  readonly #shapeNumbers = new Map<string, number>();
  readonly #freeShapes: number[] = [];
  /** Chunks that come one after another often have the same keys. */
  #lastShape = -1;

  /** `attributes`: of the files of `files`. */
  constructor(attributes: AttributeIndex, files: FileTable) {
    this.#attributes = attributes;
    this.#files = files;
  }

  /** Chunks that have some. */
  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    let total = this.#live.byteLength + memoryOf(this.#shapeOf) + this.#shapes.length * 128;
    for (const column of this.#columns.values()) total += column.byteLength;
    return total;
  }

  has(chunk: number): boolean {
    return this.#live.has(chunk);
  }

  /** What the chunk has of its own; null for none. */
  get(chunk: number): Attributes | null {
    if (!this.has(chunk)) return null;
    const { keys } = this.#shapes[this.#shapeOf[chunk]! - 1]!;
    return Object.fromEntries(keys.map((key) => [key, this.#columns.get(key)!.get(chunk)!]));
  }

  /** Of a chunk that has none yet. */
  set(chunk: number, attributes: Attributes): void {
    // A reserved key means the file itself; NaN equals nothing, so it is as good as absent.
    const pairs = Object.entries(attributes).filter(([key, value]) => !isReserved(key) && !Number.isNaN(value));
    if (chunk >= this.#shapeOf.length) this.#grow(chunk + 1);
    this.#shapeOf[chunk] = this.#shapeFor(pairs.map(([key]) => key)) + 1;
    this.#live.add(chunk);
    this.#count++;
    for (const [key, value] of pairs) this.#setValue(key, chunk, value);
  }

  delete(chunk: number): void {
    if (!this.#live.has(chunk)) return;
    this.#live.delete(chunk);
    this.#count--;
    const number = this.#shapeOf[chunk]! - 1;
    this.#shapeOf[chunk] = 0;
    const shape = this.#shapes[number]!;
    for (const key of shape.keys) {
      const column = this.#columns.get(key)!;
      column.clear(chunk);
      if (column.present === 0) this.#columns.delete(key);
    }
    if (--shape.chunks > 0) return;
    this.#shapeNumbers.delete(shape.name);
    this.#freeShapes.push(number);
  }

  /** Whether some of them have a key of the filter of their own: else chunks are what their files are. */
  concerns(filter: Filter): boolean {
    if ("filters" in filter) return filter.filters.some((part) => this.concerns(part));
    return this.#columns.has(filter.key);
  }

  /** Those of these chunks that the filter keeps. The bitmap is the caller's to keep. */
  evaluate(filter: Filter): Bitset {
    const column = (key: string) => this.#layered(key);
    return new FilterPlan(filter, { column, live: this.#live, count: this.#count }).answer().files;
  }

  /** Only of attributes of which none ever went. */
  writeTo(image: SectionWriter): void {
    if (Math.max(this.#columns.size, this.#shapes.length) > MOST_IMAGED)
      throw new ImageError("the chunks have too many attribute keys of their own");
    image.value("count", this.#count);
    image.array("live", this.#live.words);
    image.array("shapeOf", this.#shapeOf, withRoom(this.#shapeOf.length));
    image.value(
      "shapes",
      this.#shapes.flatMap(({ keys }) => keys),
    );
    image.array(
      "shapeKeys",
      Int32Array.from(this.#shapes, ({ keys }) => keys.length),
    );
    image.array(
      "shapeChunks",
      Int32Array.from(this.#shapes, ({ chunks }) => chunks),
    );
    image.value("keys", [...this.#columns.keys()]);
    [...this.#columns.values()].forEach((column, i) => {
      image.value(`packed${i}`, Number(column instanceof PackedColumn));
      column.writeTo(image.part(String(i)));
    });
  }

  static from(image: SectionReader, attributes: AttributeIndex, files: FileTable): OwnAttributes {
    const own = new OwnAttributes(attributes, files);
    own.#count = image.number("count");
    own.#live = Bitset.over(image.array("live", "i32"));
    own.#shapeOf = image.array("shapeOf", "i32");
    const chunks = image.array("shapeChunks", "i32");
    const texts = image.texts("shapes");
    let at = 0;
    image.array("shapeKeys", "i32").forEach((count, i) => {
      const keys = texts.slice(at, (at += count));
      const name = JSON.stringify(keys);
      own.#shapeNumbers.set(name, i);
      own.#shapes.push({ name, keys, chunks: chunks[i] ?? 0 });
    });
    image.texts("keys").forEach((key, i) => {
      const part = image.part(String(i));
      own.#columns.set(key, image.number(`packed${i}`) === 1 ? PackedColumn.from(part) : Column.from(part));
    });
    return own;
  }

  #shapeFor(keys: readonly string[]): number {
    const last = this.#shapes[this.#lastShape];
    if (last !== undefined && last.chunks > 0 && isSame(last.keys, keys)) {
      last.chunks++;
      return this.#lastShape;
    }
    return (this.#lastShape = this.#findShape(keys));
  }

  #findShape(keys: readonly string[]): number {
    const name = JSON.stringify(keys);
    let number = this.#shapeNumbers.get(name);
    if (number === undefined) {
      number = this.#freeShapes.pop() ?? this.#shapes.length;
      this.#shapes[number] = { name, keys, chunks: 0 };
      this.#shapeNumbers.set(name, number);
    }
    this.#shapes[number]!.chunks++;
    return number;
  }

  #setValue(key: string, chunk: number, value: Scalar): void {
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = new PackedColumn()));
    const ordinals = this.#files.chunkLimit;
    if (column instanceof PackedColumn) {
      column.set(chunk, value);
      if (column.present >= SPREAD_FROM && column.present > ordinals * SPREAD_SHARE) this.#move(key, new Column());
      return;
    }
    const isFew = column.present < ordinals * PACKED_SHARE;
    (isFew ? this.#move(key, new PackedColumn()) : column).set(chunk, value);
  }

  /** Takes all that a key has into another kind of column. */
  #move<C extends Column | PackedColumn>(key: string, to: C): C {
    const from = this.#columns.get(key);
    if (from instanceof PackedColumn) from.forEach((chunk, value) => to.set(chunk, value));
    else if (from !== undefined) {
      const having = new Bitset();
      from.having().fill(having);
      having.forEach((chunk) => to.set(chunk, from.get(chunk)!));
    }
    this.#columns.set(key, to);
    return to;
  }

  /** What these chunks have under a key: of their own, or else from their files. */
  #layered(key: string): Comparable | undefined {
    const own = isReserved(key) ? undefined : this.#columns.get(key);
    const files = this.#attributes.column(key);
    if (files === undefined) return own;
    const hidden = own?.having() ?? null;
    const layered = (ask: (column: Comparable) => Kept): Kept =>
      this.#over({ own: own === undefined ? null : ask(own), hidden, files: ask(files) });
    return {
      having: () => layered((column) => column.having()),
      oneOf: (values) => layered((column) => column.oneOf(values)),
      inRange: (op, bound) => layered((column) => column.inRange(op, bound)),
    };
  }

  /** `hidden`: the chunks that do not have it from their files. */
  #over({ own, hidden, files }: { own: Kept | null; hidden: Kept | null; files: Kept }): Kept {
    const fromFiles = files.atMost === 0 ? 0 : this.#count - (hidden?.atMost ?? 0);
    return {
      atMost: (own?.atMost ?? 0) + fromFiles,
      isExact: fromFiles === 0 && own?.isExact !== false,
      fill: (into) => {
        if (fromFiles > 0) this.#fillFrom(files, hidden, into);
        if (own === null) return;
        if (fromFiles === 0) return own.fill(into);
        const set = new Bitset(this.#live.words.length << 5);
        own.fill(set);
        into.unite(set);
      },
      has: (chunk) =>
        hidden?.has(chunk) === true
          ? own?.has(chunk) === true
          : this.has(chunk) && files.has(this.#files.fileOf(chunk)),
    };
  }

  /** Puts the chunks of the files that are kept into an empty set. */
  #fillFrom(kept: Kept, hidden: Kept | null, into: Bitset): void {
    const files = new Bitset(this.#attributes.fileLimit);
    kept.fill(files);
    let chunks = 0;
    files.forEach((file) => (chunks += this.#files.chunksOf(file)));
    if (chunks * 4 > this.#count) {
      this.#live.forEach((chunk) => {
        if (files.has(this.#files.fileOf(chunk))) into.add(chunk);
      });
    } else {
      files.forEach((file) =>
        this.#files.forEachChunk(file, (chunk) => {
          if (this.has(chunk)) into.add(chunk);
        }),
      );
    }
    if (hidden === null) return;
    const own = new Bitset(this.#live.words.length << 5);
    hidden.fill(own);
    own.forEach((chunk) => into.delete(chunk));
  }

  #grow(chunks: number): void {
    this.#shapeOf = grown(this.#shapeOf, doubled(this.#shapeOf.length, chunks));
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}

function isReserved(key: string): boolean {
  return canonicalKey(key) === FILE_ID_KEY || key === FILENAME_KEY;
}
