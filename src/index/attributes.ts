import { Bitset } from "./bitset.ts";
import { Column } from "./column.ts";
import { canonicalKey, composed, FILE_ID_KEY, FILENAME_KEY, type Filter, type FilterSubject } from "./filter.ts";

/** The files a filter keeps. */
export type FileMatch = { readonly files: Bitset; readonly count: number };

/** How to answer one node of a filter: an upper bound of its matches, a walk over them, and a test of one file. */
type Plan = {
  readonly atMost: number;
  readonly forEach: (visit: (file: number) => void) => void;
  readonly test: (file: number) => boolean;
};

/**
 * The attributes of one store's files, inverted: key -> value -> file ordinals.
 * A filter is answered at a cost in proportion to the files it keeps (a negation: to the words of a bitmap and the
 * files it drops); of an AND only the most selective part is walked, the others are tested per file.
 */
export class AttributeIndex {
  readonly #columns = new Map<string, Column>();
  readonly #live = new Bitset();
  #count = 0;

  get fileCount(): number {
    return this.#count;
  }

  get byteLength(): number {
    let total = this.#live.byteLength;
    for (const column of this.#columns.values()) total += column.byteLength;
    return total;
  }

  /** Adds or replaces one file. */
  set(file: number, subject: FilterSubject): void {
    this.delete(file);
    this.#live.add(file);
    this.#count++;
    for (const [key, value] of Object.entries(subject.attributes)) {
      // A reserved key means the file itself; NaN equals nothing, so it is as good as absent.
      if (canonicalKey(key) === FILE_ID_KEY || key === FILENAME_KEY || Number.isNaN(value)) continue;
      this.#column(key).set(file, value);
    }
    this.#column(FILE_ID_KEY).set(file, subject.fileId);
    this.#column(FILENAME_KEY).set(file, composed(subject.filename));
  }

  delete(file: number): void {
    if (!this.#live.has(file)) return;
    this.#live.delete(file);
    this.#count--;
    for (const [key, column] of this.#columns) {
      column.clear(file);
      if (column.present === 0) this.#columns.delete(key);
    }
  }

  /** Evaluates a filter. The bitmap is the caller's to keep. */
  evaluate(filter: Filter): FileMatch {
    const files = new Bitset();
    this.#plan(filter).forEach((file) => files.add(file));
    return { files, count: files.count() };
  }

  #column(key: string): Column {
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = new Column()));
    return column;
  }

  #plan(filter: Filter): Plan {
    switch (filter.op) {
      case "and":
        return this.#and(filter.filters.map((part) => this.#plan(part)));
      case "or":
        return or(filter.filters.map((part) => this.#plan(part)));
      case "exists":
        return filter.value ? this.#hasKey(filter.key) : this.#not(this.#hasKey(filter.key));
      case "eq":
        return this.#oneOf(filter.key, [filter.value]);
      case "ne":
        return this.#not(this.#oneOf(filter.key, [filter.value]));
      case "in":
        return this.#oneOf(filter.key, filter.value);
      case "nin":
        return this.#not(this.#oneOf(filter.key, filter.value));
      default: {
        const { op, key, value } = filter;
        const column = this.#columns.get(canonicalKey(key));
        if (column === undefined) return NOTHING;
        const ids = column.idsInRange(op, value);
        return {
          atMost: column.countOf(ids),
          forEach: (visit) => column.forEachFileOf(ids, visit),
          test: (file) => column.isInRange(file, op, value),
        };
      }
    }
  }

  #oneOf(key: string, values: readonly (string | number | boolean)[]): Plan {
    const column = this.#columns.get(canonicalKey(key));
    const ids = column?.idsOf(values) ?? [];
    if (column === undefined || ids.length === 0) return NOTHING;
    const wanted = new Set(ids);
    return {
      atMost: column.countOf(ids),
      forEach: (visit) => column.forEachFileOf(ids, visit),
      test: (file) => column.hasAnyOf(file, wanted),
    };
  }

  #hasKey(key: string): Plan {
    const column = this.#columns.get(canonicalKey(key));
    if (column === undefined) return NOTHING;
    return {
      atMost: column.present,
      forEach: (visit) => column.forEachFileOf(column.allIds(), visit),
      test: (file) => column.get(file) !== undefined,
    };
  }

  #everything(): Plan {
    return {
      atMost: this.#count,
      forEach: (visit) => this.#live.forEach(visit),
      test: (file) => this.#live.has(file),
    };
  }

  /** The complement of a plan whose `atMost` is exact, as every single operator's is. */
  #not(plan: Plan): Plan {
    return {
      atMost: this.#count - plan.atMost,
      forEach: (visit) => {
        const rest = this.#live.clone();
        plan.forEach((file) => rest.delete(file));
        rest.forEach(visit);
      },
      test: (file) => this.#live.has(file) && !plan.test(file),
    };
  }

  #and(parts: Plan[]): Plan {
    if (parts.length === 0) return this.#everything();
    const [first, ...others] = parts.toSorted((a, b) => a.atMost - b.atMost);
    const test = (file: number): boolean => others.every((part) => part.test(file));
    return {
      atMost: first!.atMost,
      forEach: (visit) =>
        first!.forEach((file) => {
          if (test(file)) visit(file);
        }),
      test: (file) => first!.test(file) && test(file),
    };
  }
}

const NOTHING: Plan = { atMost: 0, forEach: () => {}, test: () => false };

/** May visit a file twice; the visitor collects into a set. */
function or(parts: Plan[]): Plan {
  return {
    atMost: parts.reduce((sum, part) => sum + part.atMost, 0),
    forEach: (visit) => {
      for (const part of parts) part.forEach(visit);
    },
    test: (file) => parts.some((part) => part.test(file)),
  };
}
