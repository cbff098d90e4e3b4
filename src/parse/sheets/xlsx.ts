import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { cellText, isDateFormat } from "./cells.ts";
import type { SheetCell } from "./rows.ts";
import { SheetRows } from "./rows.ts";
import { readCoreProperties, readRelations, readXml, textOfElements } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** Workbooks: a page a sheet, its name as heading, rows as lines under the first row as header. */
export function parseXlsx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const relations = readRelations(zip, main);
  const part = (type: string): Uint8Array | null => {
    const target = relations.find((relation) => relation.type === type)?.target ?? "";
    return target === "" ? null : zip.read(target);
  };
  const book = readBook(zip, main, new Map(relations.map((relation) => [relation.id, relation.target])));
  const context = {
    strings: sharedStrings(part("sharedStrings"), limits),
    dates: dateStyles(part("styles")),
    epoch1904: book.epoch1904,
  };
  book.sheets.forEach(({ name, target }, i) => {
    out.page(i + 1);
    const bytes = zip.read(target);
    if (bytes === null) return;
    const before = out.length;
    out.heading(1, name);
    const headed = out.length;
    writeSheet(bytes, context, out);
    for (const relation of readRelations(zip, target)) {
      if (relation.type !== "comments" && relation.type !== "drawing") continue;
      const related = relation.target === "" ? null : zip.read(relation.target);
      if (related === null) continue;
      if (relation.type === "comments") {
        for (const text of textOfElements(related, new Set(["comment"]))) out.line(`[Comment: ${text}]`);
      } else if (relation.type === "drawing") {
        for (const text of textOfElements(related, new Set(["txBody"]))) out.block(text);
      }
    }
    if (out.length === headed && headed > before) out.warnings.push(`Sheet "${name}" is empty.`);
  });
  out.metadata["sheets"] = book.sheets.length;
  return out.build("xlsx");
}

interface Book {
  sheets: { name: string; target: string }[];
  epoch1904: boolean;
}

function readBook(zip: ZipArchive, main: string, targets: Map<string, string>): Book {
  const bytes = zip.read(main);
  if (bytes === null) throw invalidFile("The workbook is damaged: its main part is missing.");
  const book: Book = { sheets: [], epoch1904: false };
  readXml(bytes, {
    open(name, attributes) {
      if (name === "workbookPr") book.epoch1904 = attributes["date1904"] === "1" || attributes["date1904"] === "true";
      if (name !== "sheet") return;
      const key = Object.keys(attributes).find((attributeName) => attributeName.endsWith(":id"));
      book.sheets.push({
        name: attributes["name"] ?? "",
        target: targets.get(key === undefined ? "" : attributes[key]!) ?? "",
      });
    },
  });
  return book;
}

/** Strings by index; phonetic guides are left out. */
function sharedStrings(bytes: Uint8Array | null, limits: ParseLimits): string[] {
  const out: string[] = [];
  if (bytes === null) return out;
  let current = "";
  let inText = 0;
  let phonetic = 0;
  let total = 0;
  readXml(bytes, {
    open(name) {
      if (name === "si") current = "";
      else if (name === "t") inText++;
      else if (name === "rPh") phonetic++;
    },
    text(text) {
      if (inText > 0 && phonetic === 0) current += text;
    },
    close(name) {
      if (name === "t") inText--;
      else if (name === "rPh") phonetic--;
      else if (name === "si") {
        total += current.length;
        if (total > limits.maxTextLength) throw invalidFile("The workbook holds more text than this server accepts.");
        out.push(current);
      }
    },
  });
  return out;
}

/** Whether each cell style shows a date. */
function dateStyles(bytes: Uint8Array | null): boolean[] {
  const out: boolean[] = [];
  if (bytes === null) return out;
  const formats = new Map<number, string>();
  let inCellStyles = false;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "numFmt") formats.set(Number(attributes["numFmtId"]), attributes["formatCode"] ?? "");
      else if (name === "cellXfs") inCellStyles = true;
      else if (name === "xf" && inCellStyles) {
        const id = Number(attributes["numFmtId"] ?? "0");
        out.push(isDateFormat(id, formats.get(id)));
      }
    },
    close(name) {
      if (name === "cellXfs") inCellStyles = false;
    },
  });
  return out;
}

interface SheetContext {
  strings: string[];
  dates: boolean[];
  epoch1904: boolean;
}

function writeSheet(bytes: Uint8Array, context: SheetContext, out: DocumentBuilder): void {
  const rows = new SheetRows(out);
  let cells: SheetCell[] = [];
  let type = "";
  let style = -1;
  let column = 0;
  let value = "";
  let inValue = 0;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "row") {
        cells = [];
        column = 0;
      } else if (name === "c") {
        column = columnOf(attributes["r"]) ?? column + 1;
        type = attributes["t"] ?? "n";
        style = Number(attributes["s"] ?? "-1");
        value = "";
      } else if (name === "v" || name === "t") inValue++;
    },
    text(text) {
      if (inValue > 0) value += text;
    },
    close(name) {
      if (name === "v" || name === "t") inValue--;
      else if (name === "c") {
        const text = valueText(value, type, style, context);
        if (text !== "") cells.push([column, text]);
      } else if (name === "row" && cells.length > 0) {
        rows.add(cells);
        cells = [];
      }
    },
  });
  rows.end();
}

function valueText(value: string, type: string, style: number, context: SheetContext): string {
  if (value === "") return "";
  switch (type) {
    case "s":
      return (context.strings[Number(value)] ?? "").trim();
    case "b":
      return value === "1" ? "TRUE" : "FALSE";
    case "n":
      return cellText(Number(value), context.dates[style] === true, context.epoch1904);
    default:
      return value.trim();
  }
}

/** 1-based column of a reference such as "AB12". */
function columnOf(reference: string | undefined): number | null {
  const letters = /^[A-Z]{1,3}/.exec(reference ?? "")?.[0];
  if (letters === undefined) return null;
  let column = 0;
  for (const letter of letters) column = column * 26 + letter.charCodeAt(0) - 64;
  return column;
}
