/** The rows of a table while its cells end one after another. */
export class RtfRows {
  #cells: string[] = [];
  #rows: string[][] = [];

  endCell(text: string): void {
    this.#cells.push(text);
  }

  endRow(): void {
    if (this.#cells.length > 0) this.#rows.push(this.#cells);
    this.#cells = [];
  }

  /** All rows, of which nothing is kept. */
  take(): string[][] {
    this.endRow();
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }
}
