import type { DocumentBuilder } from "../builder.ts";
import { RowSpans } from "../row-spans.ts";
import { attribute, readXmlText } from "../xml.ts";
import { numberText, shownText } from "./cells.ts";
import { PageEdges } from "./page-edges.ts";
import type { SheetCell } from "./rows.ts";
import { SheetRows } from "./rows.ts";
import { writeComment } from "./sheet-comments.ts";

const MAX_COLUMNS = 16_384;
const DAY_MS = 86_400_000;

/** Excel 2003's workbook in one XML file: a page a sheet, its name as heading, rows as lines. */
export function parseSheetXml(text: string, out: DocumentBuilder): void {
  const reader = new SheetXmlReader(out);
  readXmlText(text, reader);
  reader.end();
}

/** Formats that the file names instead of spelling them out. */
const NAMED_FORMATS: Record<string, string> = {
  "General Number": "General",
  "General Date": "yyyy-mm-dd h:mm",
  "Long Date": "yyyy-mm-dd",
  "Medium Date": "yyyy-mm-dd",
  "Short Date": "yyyy-mm-dd",
  "Long Time": "h:mm:ss",
  "Medium Time": "h:mm AM/PM",
  "Short Time": "h:mm",
  Currency: "#,##0.00",
  "Euro Currency": "#,##0.00\\ €",
  Fixed: "0.00",
  Standard: "#,##0.00",
  Percent: "0.00%",
  Scientific: "0.00E+00",
  "Yes/No": '"Yes";"Yes";"No"',
  "True/False": '"True";"True";"False"',
  "On/Off": '"On";"On";"Off"',
};

class SheetXmlReader {
  readonly #out: DocumentBuilder;
  readonly #rows: SheetRows;
  readonly #edges = new PageEdges();
  /** Code of the number format of each style. */
  readonly #formats = new Map<string, string>();
  #sheets = 0;
  #sheetEdges: string[] = [];
  #comments: [author: string, text: string][] = [];
  #spans = new RowSpans();
  #style = "";
  #row: SheetCell[] | null = null;
  #rowNumber = 0;
  #rowStyle = "";
  readonly #columnStyles = new Map<number, string>();
  #column = 0;
  #cell = { text: "", style: "", type: "", down: 0, across: 0 };
  /** Cells of the open row that reach into later ones. */
  #merged: { column: number; lastRow: number; text: string }[] = [];
  #inData = false;
  #inComment = false;

  constructor(out: DocumentBuilder) {
    this.#out = out;
    this.#rows = new SheetRows(out);
  }

  open(name: string, attributes: Record<string, string>): void {
    switch (name) {
      case "Style":
        this.#style = attribute(attributes, "ID") ?? "";
        this.#formats.set(this.#style, this.#formats.get(attribute(attributes, "Parent") ?? "Default") ?? "General");
        break;
      case "NumberFormat":
        this.#readFormat(attribute(attributes, "Format"));
        break;
      case "Worksheet":
        this.#openSheet(attribute(attributes, "Name") ?? "");
        break;
      case "Column":
        this.#openColumn(attributes);
        break;
      case "Row":
        this.#row = [];
        this.#rowNumber = indexOf(attributes, this.#rowNumber, 1_048_576);
        this.#rowStyle = attribute(attributes, "StyleID") ?? "";
        this.#column = 0;
        break;
      case "Cell":
        this.#openCell(attributes);
        break;
      case "Comment":
        this.#inComment = true;
        this.#comments.push([attribute(attributes, "Author") ?? "", ""]);
        break;
      case "Data":
        this.#inData = true;
        if (!this.#inComment) this.#cell.type = attribute(attributes, "Type") ?? "String";
        break;
      case "Header":
      case "Footer":
        this.#sheetEdges.push(attribute(attributes, "Data") ?? "");
        break;
    }
  }

  text(part: string): void {
    if (!this.#inData) return;
    if (!this.#inComment) this.#cell.text += part;
    else this.#comments.at(-1)![1] += part;
  }

  close(name: string): void {
    if (name === "Data") this.#inData = false;
    else if (name === "Comment") this.#inComment = false;
    else if (name === "Cell") this.#endCell();
    else if (name === "Row" && this.#row !== null) this.#endRow(this.#row);
    else if (name === "Worksheet") this.#endSheet();
  }

  end(): void {
    this.#endSheet();
    this.#out.metadata["sheets"] = this.#sheets;
  }

  #readFormat(code: string | undefined): void {
    if (code !== undefined) this.#formats.set(this.#style, NAMED_FORMATS[code] ?? code);
  }

  #openSheet(name: string): void {
    this.#endSheet();
    this.#out.page(++this.#sheets);
    this.#out.heading(1, name);
    this.#rowNumber = 0;
    this.#column = 0;
    this.#columnStyles.clear();
    this.#spans = new RowSpans();
  }

  #endSheet(): void {
    this.#rows.end();
    for (const [author, text] of this.#comments) writeComment(author, text, this.#out);
    for (const code of this.#sheetEdges) this.#edges.write(code, this.#out);
    this.#comments = [];
    this.#sheetEdges = [];
  }

  #openColumn(attributes: Record<string, string>): void {
    this.#column = indexOf(attributes, this.#column, MAX_COLUMNS);
    const last = Math.min(MAX_COLUMNS, this.#column + (Number(attribute(attributes, "Span")) || 0));
    const style = attribute(attributes, "StyleID") ?? "";
    if (style !== "") for (let column = this.#column; column <= last; column++) this.#columnStyles.set(column, style);
    this.#column = last;
  }

  #openCell(attributes: Record<string, string>): void {
    this.#column = indexOf(attributes, this.#column, MAX_COLUMNS);
    this.#cell = {
      text: "",
      type: "",
      style: attribute(attributes, "StyleID") ?? (this.#rowStyle || (this.#columnStyles.get(this.#column) ?? "")),
      down: Number(attribute(attributes, "MergeDown")) || 0,
      across: Math.min(MAX_COLUMNS, Number(attribute(attributes, "MergeAcross")) || 0),
    };
  }

  #endCell(): void {
    if (this.#row === null) return;
    const text = this.#shown();
    if (text !== "") this.#row.push([this.#column, text]);
    if (this.#cell.down > 0)
      this.#merged.push({ column: this.#column, lastRow: this.#rowNumber + this.#cell.down, text });
    this.#column += this.#cell.across;
  }

  #endRow(row: SheetCell[]): void {
    if (row.length > 0) this.#rows.add(this.#spans.fill(this.#rowNumber, row));
    for (const { column, lastRow, text } of this.#merged) this.#spans.begin(this.#rowNumber, column, { lastRow, text });
    this.#merged = [];
    this.#row = null;
  }

  #shown(): string {
    const { text, type, style } = this.#cell;
    const code = this.#formats.get(style) ?? this.#formats.get("Default") ?? "General";
    if (type === "Number" && text.trim() !== "") return numberText(Number(text), { code, epoch1904: false });
    if (type === "DateTime") return dateText(text.trim(), code);
    if (type === "Boolean") return text.trim() === "1" ? "TRUE" : text.trim() === "0" ? "FALSE" : text.trim();
    return shownText(text.trim(), code);
  }
}

/** 1-based place of a row, column or cell: the next one unless it says which. */
function indexOf(attributes: Record<string, string>, previous: number, most: number): number {
  const index = Number(attribute(attributes, "Index"));
  return index > previous && index <= most ? index : Math.min(previous + 1, most);
}

/** Days are written with the midnight that begins them, times on the day before the first. */
function dateText(text: string, code: string): string {
  const time = /^\d{4}-\d\d-\d\d(?:T[\d:.]+)?$/.test(text)
    ? Date.parse(`${text.slice(0, 10)}T${text.slice(11) || "00:00:00"}Z`)
    : Number.NaN;
  const days = (time - Date.UTC(1899, 11, 30)) / DAY_MS;
  if (Number.isNaN(days)) return text;
  if (code !== "General") return numberText(days < 61 && days >= 1 ? days - 1 : days, { code, epoch1904: false });
  return text
    .replace(/T00:00:00(?:\.0+)?$/, "")
    .replace("T", " ")
    .replace(/\.000$/, "");
}
