import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import type { Relation } from "../xml.ts";
import { readCoreProperties, readRelations, readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { relationId } from "./ooxml-strings.ts";
import { PageEdges } from "./page-edges.ts";
import { personNames, writeNotes } from "./sheet-comments.ts";
import { relatedPart, writeRelated } from "./sheet-relations.ts";
import { cellFormats, sharedStrings, Workbook } from "./workbook.ts";
import { writeSheet } from "./xlsx-sheet.ts";

/** Workbooks: a page a sheet, its name as heading, rows as lines under the first row as header. */
export function parseXlsx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const relations = readRelations(zip, main);
  const part = (type: string): Uint8Array | null => relatedPart(zip, relations, type);
  const { sheets, epoch1904 } = readBook(zip, main, relations);
  const book = new Workbook();
  book.epoch1904 = epoch1904;
  book.strings = sharedStrings(part("sharedStrings"), limits);
  book.formats = cellFormats(part("styles"));
  const edges = new PageEdges();
  const persons = personNames(part("person"));
  sheets.forEach(({ name, target }, i) => {
    out.page(i + 1);
    const bytes = zip.read(target);
    if (bytes === null) {
      out.warnings.push(`Sheet "${name}" is missing from the file.`);
      return;
    }
    const before = out.length;
    out.heading(1, name);
    const headed = out.length;
    const end = writeSheet(bytes, book, out);
    writeRelated(zip, target, { out, persons, writeNotes });
    for (const code of end.edges) edges.write(code, out);
    if (out.length === headed && headed > before) out.warnings.push(`Sheet "${name}" is empty.`);
  });
  out.metadata["sheets"] = sheets.length;
  return out.build("xlsx");
}

interface Book {
  sheets: { name: string; target: string }[];
  epoch1904: boolean;
}

function readBook(zip: ZipArchive, main: string, relations: readonly Relation[]): Book {
  const bytes = zip.read(main);
  if (bytes === null) throw invalidFile("The workbook is damaged: its main part is missing.");
  const targets = new Map(relations.map((relation) => [relation.id, relation.target]));
  const book: Book = { sheets: [], epoch1904: false };
  readXml(bytes, {
    open(name, attributes) {
      if (name === "workbookPr") book.epoch1904 = attributes["date1904"] === "1" || attributes["date1904"] === "true";
      if (name !== "sheet") return;
      book.sheets.push({ name: attributes["name"] ?? "", target: targets.get(relationId(attributes)) ?? "" });
    },
  });
  return book;
}
