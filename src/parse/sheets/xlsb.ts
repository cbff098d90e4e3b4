import type { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import type { ZipArchive } from "../zip.ts";
import { errorText, formatCode } from "./cells.ts";
import { MergedCells } from "./merged-cells.ts";
import type { MergedRange } from "./merged-cells.ts";
import type { PackedBook, WorkbookParts } from "./packed-workbook.ts";
import { parsePackedWorkbook } from "./packed-workbook.ts";
import type { SheetCell } from "./rows.ts";
import { SheetRows } from "./rows.ts";
import { threadTexts, writeComment } from "./sheet-comments.ts";
import type { Workbook } from "./workbook.ts";
import { StringTable } from "./workbook.ts";
import type { XlsbData } from "./xlsb-records.ts";
import { XLSB, xlsbRecords } from "./xlsb-records.ts";

const PARTS: WorkbookParts = {
  kind: "xlsb",
  readBook,
  sharedStrings,
  cellFormats,
  writeSheet,
  writeNotes,
  headsMissing: true,
  warnsOfEmpty: false,
};

/** Excel's binary workbooks: the parts of .xlsx with their XML written as records. */
export function parseXlsb(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  return parsePackedWorkbook({ zip, main, limits }, PARTS);
}

function readBook(bytes: Uint8Array, targets: ReadonlyMap<string, string>): PackedBook {
  const book: PackedBook = { sheets: [], epoch1904: false };
  for (const { type, data } of xlsbRecords(bytes)) {
    if (type === XLSB.bookProperties) book.epoch1904 = (data.uint32() & 1) !== 0;
    else if (type === XLSB.sheet) {
      data.skip(8);
      const target = targets.get(data.string()) ?? "";
      book.sheets.push({ target, name: data.string() });
    }
  }
  return book;
}

function sharedStrings(bytes: Uint8Array | null, limits: ParseLimits): string[] {
  const table = new StringTable(limits);
  if (bytes === null) return table.strings;
  for (const { type, data } of xlsbRecords(bytes)) if (type === XLSB.sharedItem) table.add(data.richString());
  return table.strings;
}

/** The number format of each cell style. */
function cellFormats(bytes: Uint8Array | null): string[] {
  const out: string[] = [];
  if (bytes === null) return out;
  const own = new Map<number, string>();
  let inCellStyles = false;
  for (const { type, data } of xlsbRecords(bytes)) {
    if (type === XLSB.format) own.set(data.uint16(), data.string());
    else if (type === XLSB.beginCellStyles) inCellStyles = true;
    else if (type === XLSB.endCellStyles) inCellStyles = false;
    else if (type === XLSB.style && inCellStyles) {
      data.skip(2);
      out.push(formatCode(data.uint16(), own));
    }
  }
  return out;
}

/** The rows of one sheet; gives the codes of its printed headers and footers. */
function writeSheet(bytes: Uint8Array, book: Workbook, out: DocumentBuilder): string[] {
  const edges: string[] = [];
  const merged = new MergedCells(mergedRanges(bytes));
  const rows = new SheetRows(out);
  let cells: SheetCell[] = [];
  let row = 0;
  let column = 0;
  const endRow = (): void => {
    if (cells.length > 0) rows.add(merged.fill(row, cells));
    cells = [];
    column = 0;
  };
  for (const { type, data } of xlsbRecords(bytes)) {
    if (type === XLSB.row) {
      endRow();
      row = data.uint32();
    } else if (type === XLSB.headerFooter) {
      data.skip(2);
      for (let i = 0; i < 6; i++) edges.push(data.string());
    } else if (type <= XLSB.shortShared || type === XLSB.cellRich) {
      // Short cells stand right behind the one before.
      const isShort = type >= XLSB.shortBlank && type <= XLSB.shortShared;
      column = isShort ? column + 1 : data.uint32() + 1;
      const style = data.uint16() | (data.uint8() << 16);
      data.skip(1);
      const text = cellText(type, data, { book, style });
      if (text !== "") cells.push([column, text]);
    }
  }
  endRow();
  rows.end();
  return edges;
}

function cellText(type: number, data: XlsbData, { book, style }: { book: Workbook; style: number }): string {
  switch (type) {
    case XLSB.cellRk:
    case XLSB.shortRk:
      return book.number(data.rk(), style);
    case XLSB.cellReal:
    case XLSB.shortReal:
    case XLSB.formulaNumber:
      return book.number(data.float64(), style);
    case XLSB.cellBool:
    case XLSB.shortBool:
    case XLSB.formulaBool:
      return data.uint8() === 1 ? "TRUE" : "FALSE";
    case XLSB.cellError:
    case XLSB.shortError:
    case XLSB.formulaError:
      return errorText(data.uint8());
    case XLSB.cellString:
    case XLSB.shortString:
    case XLSB.formulaString:
      return book.text(data.string(), style);
    case XLSB.cellRich:
      return book.text(data.richString(), style);
    case XLSB.cellShared:
    case XLSB.shortShared:
      return book.string(data.uint32(), style);
    default:
      return "";
  }
}

/** They stand behind the rows that they say something about. */
function mergedRanges(bytes: Uint8Array): MergedRange[] {
  const out: MergedRange[] = [];
  for (const { type, data } of xlsbRecords(bytes)) {
    if (type !== XLSB.mergedCells) continue;
    const [firstRow, lastRow, column] = [data.uint32(), data.uint32(), data.uint32() + 1];
    out.push({ firstRow, lastRow, column });
  }
  return out;
}

function writeNotes(bytes: Uint8Array, hasThreads: boolean, out: DocumentBuilder): void {
  const authors: string[] = [];
  let author = "";
  for (const { type, data } of xlsbRecords(bytes)) {
    if (type === XLSB.commentAuthor) authors.push(data.string());
    else if (type === XLSB.comment) author = authors[data.uint32()] ?? "";
    else if (type === XLSB.commentText) {
      const text = data.richString();
      if (!author.startsWith("tc=")) writeComment("", text, out);
      else if (!hasThreads) for (const said of threadTexts(text)) writeComment("", said, out);
    }
  }
}
