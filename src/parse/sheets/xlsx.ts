import type { ParsedDocument } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { relationId } from "./ooxml-strings.ts";
import type { PackedBook, WorkbookParts } from "./packed-workbook.ts";
import { parsePackedWorkbook } from "./packed-workbook.ts";
import { writeNotes } from "./sheet-comments.ts";
import { cellFormats, sharedStrings } from "./workbook.ts";
import { writeSheet } from "./xlsx-sheet.ts";

const PARTS: WorkbookParts = {
  kind: "xlsx",
  readBook,
  sharedStrings,
  cellFormats,
  writeSheet,
  writeNotes,
  headsMissing: false,
  warnsOfEmpty: true,
};

/** Excel's workbooks, written as XML. */
export function parseXlsx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  return parsePackedWorkbook({ zip, main, limits }, PARTS);
}

function readBook(bytes: Uint8Array, targets: ReadonlyMap<string, string>): PackedBook {
  const book: PackedBook = { sheets: [], epoch1904: false };
  readXml(bytes, {
    open(name, attributes) {
      if (name === "workbookPr") book.epoch1904 = attributes["date1904"] === "1" || attributes["date1904"] === "true";
      if (name !== "sheet") return;
      book.sheets.push({ name: attributes["name"] ?? "", target: targets.get(relationId(attributes)) ?? "" });
    },
  });
  return book;
}
