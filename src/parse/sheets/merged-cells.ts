import type { PlacedCell } from "../row-spans.ts";
import { RowSpans } from "../row-spans.ts";

/** Rows and columns count alike in all ranges of a sheet and in its cells. */
export interface MergedRange {
  firstRow: number;
  lastRow: number;
  column: number;
}

const MAX_RANGES = 100_000;

/** The merged cells of a sheet that names them in a list of their own. */
export class MergedCells {
  readonly #starting = new Map<number, MergedRange[]>();
  readonly #spans = new RowSpans();

  constructor(ranges: readonly MergedRange[]) {
    for (const range of ranges.slice(0, MAX_RANGES)) {
      if (range.lastRow <= range.firstRow) continue;
      const known = this.#starting.get(range.firstRow);
      if (known === undefined) this.#starting.set(range.firstRow, [range]);
      else known.push(range);
    }
  }

  /** Rows come by ascending number. */
  fill(row: number, cells: PlacedCell[]): PlacedCell[] {
    const filled = this.#spans.fill(row, cells);
    const starting = this.#starting.get(row);
    if (starting === undefined) return filled;
    const texts = new Map(cells);
    for (const { column, lastRow } of starting) {
      const text = texts.get(column);
      if (text !== undefined) this.#spans.begin(row, column, { lastRow, text });
    }
    return filled;
  }
}
