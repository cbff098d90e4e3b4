import { Bitset } from "./bitset.ts";
import { Column } from "./column.ts";
import { canonicalKey, composed, FILE_ID_KEY, FILENAME_KEY, type Filter, type FilterSubject } from "./filter.ts";
import { FilterPlan } from "./filter-plan.ts";

/** The files a filter keeps. */
export type FileMatch = { readonly files: Bitset; readonly count: number };

/**
 * The attributes of one store's files, inverted: key -> value -> file ordinals. How a filter is answered from them:
 * filter-plan.ts.
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

  /** File ordinals are below this. */
  get fileLimit(): number {
    return this.#live.words.length << 5;
  }

  /** What files have under a key, `file_id` and `filename` among them. */
  column(key: string): Column | undefined {
    return this.#columns.get(key);
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
    const plan = new FilterPlan(filter, {
      column: (key) => this.#columns.get(key),
      live: this.#live,
      count: this.#count,
    });
    return plan.answer();
  }

  #column(key: string): Column {
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = new Column()));
    return column;
  }
}
