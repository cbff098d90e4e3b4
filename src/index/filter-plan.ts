/**
 * How one filter is answered: as sets of files, joined a word at a time, equal parts once.
 *
 * With the bounds that search/filters.ts puts on a filter, the worst costs as much as some hundred passes over a column:
 * about 25 ms with 100,000 files. Of an AND with a selective part, the others are only asked about the files of that
 * part.
 */
import { Bitset } from "./bitset.ts";
import type { Column, Kept } from "./column.ts";
import { canonicalKey, type Filter } from "./filter.ts";

/** What a comparison is asked of. */
export type Comparable = Pick<Column, "having" | "oneOf" | "inRange">;

/** What filters are answered from. */
export interface FilterSource {
  column(key: string): Comparable | undefined;
  /** Every file there is (or chunk, where it is chunks that are asked about: own-attributes.ts). */
  readonly live: Bitset;
  readonly count: number;
}

/** A part of the filter; parts that say the same are one. */
type Part = Kept & {
  /** Stands for it in the names of those that it is part of. */
  readonly number: number;
  /** Of how many others it is a part. */
  uses: number;
};

/** Values of a list up to which it is compared with other lists: naming it must cost less than answering it twice. */
const NAMED_VALUES = 64;

export class FilterPlan {
  readonly #source: FilterSource;
  readonly #parts = new Map<string, Part>();
  /** What parts that are used more than once gave. */
  readonly #answers = new Map<Part, Bitset>();
  readonly #free: Bitset[] = [];
  readonly #root: Part;
  readonly #isCompound: boolean;
  #numbers = 0;

  constructor(filter: Filter, source: FilterSource) {
    this.#source = source;
    this.#isCompound = "filters" in filter;
    this.#root = this.#partOf(filter);
  }

  /** The files that the filter keeps, and how many; the set is the caller's to keep. */
  answer(): { files: Bitset; count: number } {
    const { isExact, atMost } = this.#root;
    const files = new Bitset(this.#capacity);
    if (atMost > 0) this.#root.fill(files);
    return { files, count: isExact ? atMost : files.count() };
  }

  get #capacity(): number {
    return this.#source.live.words.length << 5;
  }

  #partOf(filter: Filter): Part {
    switch (filter.op) {
      case "and":
      case "or": {
        const { op } = filter;
        const parts = [...new Set(filter.filters.map((part) => this.#partOf(part)))];
        const [only] = parts;
        if (parts.length === 1 && only !== undefined) return only;
        const name = `${op} ${parts
          .map(({ number }) => number)
          .toSorted((a, b) => a - b)
          .join()}`;
        return this.#named(name, () => {
          for (const part of parts) part.uses++;
          return op === "and" ? this.#and(parts) : this.#or(parts);
        });
      }
      case "exists": {
        const having = this.#comparison(filter.key, ["exists"], (column) => column.having());
        return filter.value ? having : this.#not(having);
      }
      case "eq":
      case "ne": {
        const { key, value } = filter;
        const equal = this.#comparison(key, ["eq", value], (column) => column.oneOf([value]));
        return filter.op === "eq" ? equal : this.#not(equal);
      }
      case "in":
      case "nin": {
        const { key, value } = filter;
        const name = value.length > NAMED_VALUES ? null : (["in", value] as const);
        const listed = this.#comparison(key, name, (column) => column.oneOf(value));
        return filter.op === "in" ? listed : this.#not(listed);
      }
      default: {
        const { op, key, value } = filter;
        return this.#comparison(key, [op, value], (column) => column.inRange(op, value));
      }
    }
  }

  /** `name`: what is asked of the key; null where no other part is looked for that asks the same. */
  #comparison(key: string, name: readonly unknown[] | null, keep: (column: Comparable) => Kept): Part {
    const canonical = canonicalKey(key);
    const make = (): Kept => {
      const column = this.#source.column(canonical);
      return column === undefined ? NOTHING : keep(column);
    };
    return name === null || !this.#isCompound
      ? this.#part(make())
      : this.#named(JSON.stringify([canonical, ...name]), make);
  }

  #named(name: string, make: () => Kept): Part {
    // Of a single comparison there is no other that could say the same.
    if (!this.#isCompound) return this.#part(make());
    let part = this.#parts.get(name);
    if (part === undefined) this.#parts.set(name, (part = this.#part(make())));
    return part;
  }

  #part(kept: Kept): Part {
    return { ...kept, number: this.#numbers++, uses: 0 };
  }

  #not(part: Part): Part {
    return this.#named(`not ${part.number}`, () => {
      part.uses++;
      const { live, count } = this.#source;
      return {
        atMost: part.isExact ? count - part.atMost : count,
        isExact: part.isExact,
        fill: (into) => {
          this.#fill(part, into);
          into.invertWithin(live);
        },
        has: (file) => live.has(file) && !part.has(file),
      };
    });
  }

  #and(parts: readonly Part[]): Kept {
    const { live, count } = this.#source;
    const [first, ...others] = parts.toSorted((a, b) => a.atMost - b.atMost);
    if (first === undefined) {
      return { atMost: count, isExact: true, fill: (into) => into.copyFrom(live), has: (file) => live.has(file) };
    }
    return {
      atMost: first.atMost,
      isExact: false,
      fill: (into) => {
        this.#fill(first, into);
        // So few files are asked about one by one.
        if (first.atMost <= live.words.length / 8) {
          into.forEach((file) => {
            if (!others.every((part) => part.has(file))) into.delete(file);
          });
        } else this.#join(others, (set) => into.intersect(set));
      },
      has: (file) => first.has(file) && others.every((part) => part.has(file)),
    };
  }

  #or(parts: readonly Part[]): Kept {
    return {
      atMost: Math.min(
        this.#source.count,
        parts.reduce((sum, part) => sum + part.atMost, 0),
      ),
      isExact: parts.length === 0,
      fill: (into) => this.#join(parts, (set) => into.unite(set)),
      has: (file) => parts.some((part) => part.has(file)),
    };
  }

  #join(parts: readonly Part[], join: (set: Bitset) => void): void {
    const set = this.#free.pop() ?? new Bitset(this.#capacity);
    for (const part of parts) {
      set.clear();
      this.#fill(part, set);
      join(set);
    }
    this.#free.push(set);
  }

  #fill(part: Part, into: Bitset): void {
    const known = this.#answers.get(part);
    if (known !== undefined) return into.copyFrom(known);
    part.fill(into);
    if (part.uses > 1) this.#answers.set(part, into.clone());
  }
}

const NOTHING: Kept = { atMost: 0, isExact: true, fill: () => {}, has: () => false };
