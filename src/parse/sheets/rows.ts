import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { BREAK } from "../document.ts";
import type { PlacedCell } from "../row-spans.ts";

export type SheetCell = PlacedCell;

const MAX_EMPTY_CELLS = 3;
/** So many rows of one cell may stand above a table as its title and notes. */
const MAX_TITLE_ROWS = 5;

/**
 * The rows of one sheet as lines of one table. Its header is the first row of several cells: what stands above it
 * alone is the sheet's title. A sheet of one column has its first row for a header.
 */
export class SheetRows {
  readonly #out: DocumentBuilder;
  #titles: SheetCell[][] = [];
  #firstColumn = 0;
  #isOpen = false;

  constructor(out: DocumentBuilder) {
    this.#out = out;
  }

  /** Cells that are not empty, by ascending column. */
  add(cells: SheetCell[]): void {
    const [first] = cells;
    if (first === undefined) return;
    if (this.#isOpen) return this.#write(cells);
    if (cells.length === 1 && this.#titles.length < MAX_TITLE_ROWS) {
      this.#titles.push(cells);
      return;
    }
    if (cells.length > 1 && isHeader(cells)) {
      for (const [title] of this.#titles) if (title !== undefined) this.#out.block(oneLine(title[1]));
      this.#titles = [];
      this.#open(cells);
    } else if (this.#titles.length > 0) this.#openTitles();
    else this.#open(cells);
    this.#write(cells);
  }

  end(): void {
    if (!this.#isOpen) this.#openTitles();
    this.#out.endRegion();
    this.#isOpen = false;
  }

  #openTitles(): void {
    const rows = this.#titles;
    this.#titles = [];
    if (rows[0] !== undefined) this.#open(rows[0]);
    for (const row of rows) this.#write(row);
  }

  #open(header: SheetCell[]): void {
    this.#firstColumn = header[0]?.[0] ?? 0;
    this.#isOpen = true;
    this.#out.beginRegion(rowLine(header, this.#firstColumn));
  }

  #write(cells: SheetCell[]): void {
    this.#out.line(rowLine(cells, this.#firstColumn), BREAK.row);
  }
}

/** Names of columns are words; figures below a lone word are what that word heads. */
function isHeader(cells: readonly SheetCell[]): boolean {
  return cells.filter(([, text]) => /^[\d\s.,:%+-]+$/.test(text)).length * 2 < cells.length;
}

/** Empty cells between others, and before them as far as the header reaches, are kept while they are few. */
function rowLine(cells: readonly SheetCell[], firstColumn: number): string {
  let line = "";
  let previous = firstColumn - 1;
  for (const [column, text] of cells) {
    const isFirst = line === "";
    const gap = Math.min(column - previous - (isFirst ? 1 : 0), MAX_EMPTY_CELLS + 1);
    if (gap > 0) line += isFirst ? "| ".repeat(gap).trimEnd() : " |".repeat(gap);
    line += `${line === "" ? "" : " "}${oneLine(text)}`;
    previous = column;
  }
  return line;
}
