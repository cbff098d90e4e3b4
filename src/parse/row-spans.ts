/**
 * Cells of a table that reach over several rows. What they say is said again in each row, so that each row can be
 * read alone: rows are what a table is cut into.
 */
export type PlacedCell = [column: number, text: string];

interface Span {
  lastRow: number;
  text: string;
}

const MAX_ROWS = 1000;
const MAX_OPEN = 200;
/** Longer cells are not said again: they are text, not a label. */
const MAX_LABEL = 200;
/** UTF-16 units that may be said again in one table. */
const MAX_REPEATED = 2_000_000;

export class RowSpans {
  readonly #open = new Map<number, Span>();
  #left = MAX_REPEATED;

  /** A cell with `text` at `column` that reaches from `row` to `lastRow`, both included. */
  begin(row: number, column: number, span: Span): void {
    this.#open.delete(column);
    const { text } = span;
    if (span.lastRow <= row || text.trim() === "" || text.length > MAX_LABEL || this.#open.size >= MAX_OPEN) return;
    this.#open.set(column, { text, lastRow: Math.min(span.lastRow, row + MAX_ROWS) });
  }

  /** A cell that stands alone ends what reached into its column. */
  end(column: number): void {
    this.#open.delete(column);
  }

  /** What reaches into a place from above; "" for nothing. */
  label(row: number, column: number): string {
    const span = this.#open.get(column);
    if (span === undefined || span.lastRow < row || this.#left < span.text.length) return "";
    this.#left -= span.text.length;
    return span.text;
  }

  /** The cells of a row, by ascending column, and the labels that reach into it. A row without cells stays empty. */
  fill(row: number, cells: PlacedCell[]): PlacedCell[] {
    if (cells.length === 0 || this.#open.size === 0) return cells;
    const own = new Set(cells.map(([column]) => column));
    const all = [...cells];
    for (const [column, span] of this.#open) {
      if (span.lastRow < row) {
        this.#open.delete(column);
        continue;
      }
      const text = own.has(column) ? "" : this.label(row, column);
      if (text !== "") all.push([column, text]);
    }
    return all.sort((a, b) => a[0] - b[0]);
  }
}
