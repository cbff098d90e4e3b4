import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { appendDrawing, appendShapes } from "../office/drawing.ts";
import type { Relation } from "../xml.ts";
import { readCoreProperties, readRelations, readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { relationId } from "./ooxml-strings.ts";
import { PageEdges } from "./page-edges.ts";
import { personNames, writeNotes, writeThreads } from "./sheet-comments.ts";
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
    if (bytes === null) return;
    const before = out.length;
    out.heading(1, name);
    const headed = out.length;
    const end = writeSheet(bytes, book, out);
    writeRelated(zip, target, persons, out);
    for (const code of end.edges) edges.write(code, out);
    if (out.length === headed && headed > before) out.warnings.push(`Sheet "${name}" is empty.`);
  });
  out.metadata["sheets"] = sheets.length;
  return out.build("xlsx");
}

export function relatedPart(zip: ZipArchive, relations: readonly Relation[], type: string): Uint8Array | null {
  const target = relations.find((relation) => relation.type === type)?.target ?? "";
  return target === "" ? null : zip.read(target);
}

/** Comments and drawings of a sheet. */
function writeRelated(
  zip: ZipArchive,
  sheet: string,
  persons: ReadonlyMap<string, string>,
  out: DocumentBuilder,
): void {
  const relations = readRelations(zip, sheet);
  const hasThreads = relations.some(({ type, target }) => type === "threadedComment" && zip.find(target) !== null);
  for (const { type, target } of relations) {
    if (type === "drawing") {
      writeDrawing(zip, target, out);
      continue;
    }
    if (type !== "comments" && type !== "threadedComment") continue;
    const bytes = zip.read(target);
    if (bytes === null) continue;
    if (type === "comments") writeNotes(bytes, hasThreads, out);
    else writeThreads(bytes, persons, out);
  }
}

/** Text boxes and what is said about pictures, then the charts and diagrams that the drawing names. */
export function writeDrawing(zip: ZipArchive, target: string, out: DocumentBuilder): void {
  const bytes = zip.read(target);
  if (bytes === null) return;
  appendShapes(bytes, out);
  for (const relation of readRelations(zip, target)) {
    if (relation.type === "chart" || relation.type === "chartEx" || relation.type === "diagramData")
      appendDrawing(zip, relation, out);
  }
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
