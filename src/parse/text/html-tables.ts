/** The rows of an HTML table while it is being read. */
export interface TableCell {
  text: string;
  hasHeading: boolean;
  /** Said again in a row into which it reaches from above. */
  isRepeated: boolean;
}

interface Span {
  cell: TableCell;
  columns: number;
  rowsLeft: number;
}

const MAX_SPAN = 100;
const MAX_SPANS = 200;
/** Longer cells are not said again: they are text, not a label. */
const MAX_REPEATED_LENGTH = 200;

/** A cell of several rows is said again in each of them, so that each row can be read alone. */
export class HtmlTable {
  readonly rows: TableCell[][] = [];
  hasHeader = false;
  readonly #spans = new Map<number, Span>();
  #column = 0;

  beginRow(): void {
    this.endRow();
    this.rows.push([]);
    this.#column = 0;
  }

  beginCell(isHeader: boolean, attributes: Record<string, string>): void {
    if (this.rows.length === 0) this.beginRow();
    if (isHeader && this.rows.length === 1) this.hasHeader = true;
    this.#repeatFromAbove();
    const cell: TableCell = { text: "", hasHeading: false, isRepeated: false };
    this.rows.at(-1)?.push(cell);
    const columns = spanOf(attributes["colspan"]);
    // 0 reaches to the end of the group of rows.
    const rowspan = attributes["rowspan"]?.trim() === "0" ? `${MAX_SPAN}` : attributes["rowspan"];
    const rowsLeft = spanOf(rowspan) - 1;
    if (rowsLeft > 0 && this.#spans.size < MAX_SPANS) this.#spans.set(this.#column, { cell, columns, rowsLeft });
    this.#column += columns;
  }

  get openCell(): TableCell | undefined {
    return this.rows.at(-1)?.at(-1);
  }

  /** Cells reach no further than their group of rows. */
  endGroup(): void {
    this.endRow();
    this.#spans.clear();
    this.#column = Number.MAX_SAFE_INTEGER;
  }

  endRow(): void {
    if (this.rows.length === 0) return;
    this.#repeatFromAbove();
    for (const [column, span] of this.#spans) {
      if (column >= this.#column && --span.rowsLeft < 1) this.#spans.delete(column);
    }
  }

  #repeatFromAbove(): void {
    for (let span = this.#spans.get(this.#column); span !== undefined; span = this.#spans.get(this.#column)) {
      const { text } = span.cell;
      this.rows.at(-1)?.push({
        text: text.length > MAX_REPEATED_LENGTH ? "" : text,
        hasHeading: false,
        isRepeated: true,
      });
      if (--span.rowsLeft < 1) this.#spans.delete(this.#column);
      this.#column += span.columns;
    }
  }
}

function spanOf(value: string | undefined): number {
  return Math.min(MAX_SPAN, Math.max(1, Number.parseInt(value ?? "1", 10) || 1));
}

/** Tables that only lay out a page hold headings or long text. */
export function isDataTable(rows: readonly TableCell[][]): boolean {
  if (rows.every((row) => row.length < 2)) return false;
  return rows.every((row) => row.every((cell) => !cell.hasHeading && cell.text.length < 1500));
}
