import { RowSpans } from "../row-spans.ts";
import { attribute } from "../xml.ts";

const MAX_GRID_SPAN = 100;

/** One table of a Word document while it is being read. */
export class WordTable {
  readonly rows: string[][] = [];
  readonly #spans = new RowSpans();
  #row: string[] = [];
  #isDeleted = false;
  #column = 0;
  #columns = 1;
  #merge: "none" | "restart" | "continue" = "none";
  /** Paragraphs of the open cell. */
  cell: string[] = [];

  /** Elements that shape the table; true where the element is one of them. */
  open(name: string, attributes: Record<string, string>): boolean {
    switch (name) {
      case "tr":
        this.#row = [];
        this.#column = 0;
        this.#isDeleted = false;
        return true;
      case "tc":
        this.cell = [];
        this.#columns = 1;
        this.#merge = "none";
        return true;
      case "gridBefore":
        this.#column += spanOf(attributes);
        return true;
      case "gridSpan":
        this.#columns = spanOf(attributes);
        return true;
      case "vMerge":
      case "vmerge":
        this.#merge = attribute(attributes, "val") === "restart" ? "restart" : "continue";
        return true;
      default:
        return false;
    }
  }

  /** The row was deleted by a tracked change. */
  deleteRow(): void {
    this.#isDeleted = true;
  }

  endCell(): void {
    const row = this.rows.length;
    let text = this.cell.join("\n");
    this.cell = [];
    if (this.#merge === "continue" && text === "") text = this.#spans.label(row, this.#column);
    else if (this.#merge === "restart") this.#spans.begin(row, this.#column, { lastRow: Infinity, text });
    else this.#spans.end(this.#column);
    this.#row.push(text);
    this.#column += this.#columns;
  }

  endRow(): void {
    if (!this.#isDeleted) this.rows.push(this.#row);
    this.#row = [];
  }

  /** Tables that lay out a page have one column, or cells that are whole texts. */
  get isLayout(): boolean {
    return this.rows.every((row) => row.length < 2) || this.rows.some((row) => row.some((cell) => cell.length > 3000));
  }
}

function spanOf(attributes: Record<string, string>): number {
  return Math.min(MAX_GRID_SPAN, Math.max(1, Number(attribute(attributes, "val")) || 1));
}
