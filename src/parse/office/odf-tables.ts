import type { PlacedCell } from "../row-spans.ts";
import { RowSpans } from "../row-spans.ts";
import { generalText } from "../sheets/decimal.ts";
import { attribute } from "../xml.ts";

const MAX_REPEAT = 64;
const MAX_COLUMNS = 256;

interface OpenCell {
  paragraphs: string[];
  hasParagraph: boolean;
  /** What the cell holds, for files that do not say how it is shown. */
  value: string;
  /** Charts have points without a number. */
  isNumberless: boolean;
  repeat: number;
  rows: number;
  isCovered: boolean;
}

/** One table of an OpenDocument file while it is being read. */
export class OdfTable {
  readonly #rows: PlacedCell[][] = [];
  readonly #spans = new RowSpans();
  /** Cells of the open row that reach into later ones. */
  #reaching: { column: number; lastRow: number; text: string }[] = [];
  #row = 0;
  #rowRepeat = 1;
  #cells: PlacedCell[] = [];
  #column = 0;
  #cell: OpenCell | null = null;

  /** Paragraphs of the open cell; null between cells. */
  get openCell(): string[] | null {
    return this.#cell?.paragraphs ?? null;
  }

  beginRow(attributes: Record<string, string>): void {
    this.#cells = [];
    this.#column = 0;
    this.#rowRepeat = countOf(attributes, "number-rows-repeated");
  }

  beginCell(attributes: Record<string, string>, isCovered: boolean): void {
    this.#cell = {
      paragraphs: [],
      hasParagraph: false,
      value: valueOf(attributes),
      isNumberless: attribute(attributes, "value") === "NaN",
      repeat: countOf(attributes, "number-columns-repeated"),
      rows: countOf(attributes, "number-rows-spanned"),
      isCovered,
    };
  }

  beginParagraph(): void {
    if (this.#cell !== null) this.#cell.hasParagraph = true;
  }

  endCell(): void {
    const cell = this.#cell;
    if (cell === null) return;
    this.#cell = null;
    const said = cell.hasParagraph ? cell.paragraphs.join("\n") : cell.value;
    const text = cell.isNumberless ? "" : said;
    const first = this.#column + 1;
    const times = text === "" ? 0 : Math.min(cell.repeat, MAX_REPEAT);
    for (let i = 0; i < times; i++) this.#cells.push([first + i, text]);
    if (cell.rows > 1 && !cell.isCovered)
      this.#reaching.push({ column: first, lastRow: this.#row + cell.rows - 1, text });
    this.#column += cell.repeat;
  }

  /** The cells of the row that ends, with the labels that reach into it from above. */
  endRow(): PlacedCell[] {
    const cells = this.#spans.fill(this.#row, this.#cells);
    for (const { column, lastRow, text } of this.#reaching) this.#spans.begin(this.#row, column, { lastRow, text });
    this.#reaching = [];
    this.#row += this.#rowRepeat;
    if (cells.length > 0) this.#rows.push(cells);
    return cells;
  }

  textRows(): string[][] {
    return this.#rows.map((cells) => {
      const row: string[] = [];
      for (const [column, text] of cells) row[Math.min(column, MAX_COLUMNS) - 1] = text;
      return Array.from(row, (text) => text ?? "");
    });
  }
}

function countOf(attributes: Record<string, string>, name: string): number {
  return Math.max(1, Number(attribute(attributes, name) ?? "1") || 1);
}

function valueOf(attributes: Record<string, string>): string {
  const value = attribute(attributes, "value");
  if (value === undefined || value.trim() === "" || !Number.isFinite(Number(value)))
    return attribute(attributes, "string-value") ?? attribute(attributes, "date-value") ?? "";
  return attribute(attributes, "value-type") === "percentage"
    ? `${generalText(Number((Number(value) * 100).toPrecision(15)))}%`
    : generalText(Number(value));
}
