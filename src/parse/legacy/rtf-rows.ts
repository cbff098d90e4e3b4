import { RowSpans } from "../row-spans.ts";

type Merge = "none" | "restart" | "continue";

const MERGES: Record<string, Merge> = { clvmgf: "restart", clvmrg: "continue" };
const MAX_CELLS = 1000;

/** The rows of a table while its cells end one after another. */
export class RtfRows {
  #cells: string[] = [];
  #rows: string[][] = [];
  /** How the cells of the rows that follow are merged with those above. */
  #merges: Merge[] = [];
  #merge: Merge = "none";
  #spans = new RowSpans();

  /** A word that describes rows; they follow it or end with it. */
  word(word: string): void {
    if (word === "trowd") this.#merges = [];
    else if (word === "cellx") {
      if (this.#merges.length < MAX_CELLS) this.#merges.push(this.#merge);
      this.#merge = "none";
    } else this.#merge = MERGES[word] ?? this.#merge;
  }

  endCell(text: string): void {
    this.#cells.push(text);
  }

  endRow(): void {
    if (this.#cells.length > 0) this.#rows.push(this.#cells.map((text, column) => this.#merged(text, column)));
    this.#cells = [];
  }

  /** All rows, of which nothing is kept. */
  take(): string[][] {
    this.endRow();
    const rows = this.#rows;
    this.#rows = [];
    this.#spans = new RowSpans();
    return rows;
  }

  #merged(text: string, column: number): string {
    const row = this.#rows.length;
    const merge = this.#merges[column] ?? "none";
    if (merge === "continue" && text === "") return this.#spans.label(row, column);
    if (merge === "restart") this.#spans.begin(row, column, { lastRow: Infinity, text });
    else this.#spans.end(column);
    return text;
  }
}
