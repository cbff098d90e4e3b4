import type { DocumentBuilder } from "../builder.ts";
import { decodeXml, readXmlText } from "../xml.ts";
import type { MergedRange } from "./merged-cells.ts";
import { MergedCells } from "./merged-cells.ts";
import { StringItem, unescaped } from "./ooxml-strings.ts";
import type { SheetCell } from "./rows.ts";
import { SheetRows } from "./rows.ts";
import type { Workbook } from "./workbook.ts";

/** Writes the rows of one sheet; gives the codes of its printed headers and footers. */
export function writeSheet(bytes: Uint8Array, book: Workbook, out: DocumentBuilder): string[] {
  const text = decodeXml(bytes);
  const reader = new SheetReader(book, new MergedCells(mergedRanges(text)), new SheetRows(out));
  readXmlText(text, reader);
  reader.end();
  return reader.edges;
}

class SheetReader {
  readonly edges: string[] = [];
  readonly #book: Workbook;
  readonly #merged: MergedCells;
  readonly #rows: SheetRows;
  readonly #inline = new StringItem();
  #cells: SheetCell[] = [];
  #row = 0;
  #column = 0;
  #type = "";
  #style = -1;
  #value = "";
  #inValue = 0;
  #edge: string | null = null;

  constructor(book: Workbook, merged: MergedCells, rows: SheetRows) {
    this.#book = book;
    this.#merged = merged;
    this.#rows = rows;
  }

  open(name: string, attributes: Record<string, string>): void {
    if (name === "row") {
      this.#cells = [];
      this.#row = Number(attributes["r"]) || this.#row + 1;
      this.#column = 0;
    } else if (name === "c") {
      this.#column = columnOf(attributes["r"]) ?? this.#column + 1;
      this.#type = attributes["t"] ?? "n";
      this.#style = Number(attributes["s"] ?? "-1");
      this.#value = "";
    } else if (name === "v") this.#inValue++;
    else if (EDGES.has(name)) this.#edge = "";
    this.#inline.open(name, attributes);
  }

  text(text: string): void {
    if (this.#inValue > 0) this.#value += text;
    else if (this.#edge !== null) this.#edge += text;
    this.#inline.text(text);
  }

  close(name: string): void {
    this.#inline.close(name);
    if (name === "v") this.#inValue--;
    else if (name === "c") {
      const text = this.#cellText(this.#inline.take());
      if (text !== "") this.#cells.push([this.#column, text]);
    } else if (name === "row") this.#endRow();
    else if (this.#edge !== null && EDGES.has(name)) {
      this.edges.push(this.#edge);
      this.#edge = null;
    }
  }

  /** Writes what is left, also of a sheet that is cut off. */
  end(): void {
    this.#endRow();
    this.#rows.end();
  }

  #endRow(): void {
    if (this.#cells.length > 0) this.#rows.add(this.#merged.fill(this.#row, this.#cells));
    this.#cells = [];
  }

  #cellText(inline: string): string {
    const value = this.#value;
    if (value === "") return this.#book.text(inline, this.#style);
    switch (this.#type) {
      case "s":
        return this.#book.string(Number(value), this.#style);
      case "b":
        return value.trim() === "1" || value.trim() === "true" ? "TRUE" : "FALSE";
      case "n":
        return this.#book.number(Number(value), this.#style);
      case "d":
        return value.trim().replace(/T00:00:00(?:\.0+)?Z?$/, "");
      default:
        return this.#book.text(unescaped(value), this.#style);
    }
  }
}

const EDGES = new Set(["oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"]);

/** They stand behind the rows that they say something about. */
function mergedRanges(text: string): MergedRange[] {
  const out: MergedRange[] = [];
  if (!text.includes("mergeCells")) return out;
  const from = text.search(/<(?:\w+:)?mergeCells[\s>]/);
  if (from < 0) return out;
  for (const [, range] of text.slice(from).matchAll(/<(?:\w+:)?mergeCell\s[^<>]*?\bref\s*=\s*["']([^"']*)["']/g)) {
    const [, letters, first, , last] = /^\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})$/i.exec(range!) ?? [];
    const column = columnOf(letters?.toUpperCase());
    if (column !== null) out.push({ firstRow: Number(first), lastRow: Number(last), column });
  }
  return out;
}

/** 1-based column of a reference such as "AB12". */
function columnOf(reference: string | undefined): number | null {
  const letters = /^[A-Z]{1,3}/.exec(reference ?? "")?.[0];
  if (letters === undefined) return null;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return column;
}
