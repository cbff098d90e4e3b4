import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { readCoreProperties, readRelations } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { PageEdges } from "./page-edges.ts";
import { personNames } from "./sheet-comments.ts";
import { relatedPart, writeRelated } from "./sheet-relations.ts";
import { Workbook } from "./workbook.ts";

export interface PackedBook {
  sheets: { name: string; target: string }[];
  epoch1904: boolean;
}

/** How the parts of a packed workbook are written: as XML or as records. */
export interface WorkbookParts {
  kind: "xlsx" | "xlsb";
  /** From the main part; `targets` has the parts that it is related to, by the relation's id. */
  readBook(bytes: Uint8Array, targets: ReadonlyMap<string, string>): PackedBook;
  sharedStrings(bytes: Uint8Array | null, limits: ParseLimits): string[];
  cellFormats(bytes: Uint8Array | null): string[];
  /** Writes the rows of one sheet; gives the codes of its printed headers and footers. */
  writeSheet(bytes: Uint8Array, book: Workbook, out: DocumentBuilder): string[];
  writeNotes(bytes: Uint8Array, hasThreads: boolean, out: DocumentBuilder): void;
  /** Whether a sheet whose part is missing has its name as heading all the same. */
  headsMissing: boolean;
  warnsOfEmpty: boolean;
}

export interface WorkbookSource {
  zip: ZipArchive;
  main: string;
  limits: ParseLimits;
}

/** Workbooks: a page a sheet, its name as heading, rows as lines under the first row as header. */
export function parsePackedWorkbook({ zip, main, limits }: WorkbookSource, parts: WorkbookParts): ParsedDocument {
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const relations = readRelations(zip, main);
  const part = (type: string): Uint8Array | null => relatedPart(zip, relations, type);
  const bytes = zip.read(main);
  if (bytes === null) throw invalidFile("The workbook is damaged: its main part is missing.");
  const targets = new Map(relations.map(({ id, target }) => [id, target]));
  const { sheets, epoch1904 } = parts.readBook(bytes, targets);
  const book = new Workbook();
  book.epoch1904 = epoch1904;
  book.strings = parts.sharedStrings(part("sharedStrings"), limits);
  book.formats = parts.cellFormats(part("styles"));
  const edges = new PageEdges();
  const persons = personNames(part("person"));
  sheets.forEach(({ name, target }, i) => {
    out.page(i + 1);
    const bytes = zip.read(target);
    const before = out.length;
    if (bytes !== null || parts.headsMissing) out.heading(1, name);
    if (bytes === null) {
      out.warnings.push(`Sheet "${name}" is missing from the file.`);
      return;
    }
    const headed = out.length;
    const codes = parts.writeSheet(bytes, book, out);
    writeRelated(zip, target, { out, persons, writeNotes: parts.writeNotes });
    for (const code of codes) edges.write(code, out);
    if (parts.warnsOfEmpty && out.length === headed && headed > before) out.warnings.push(`Sheet "${name}" is empty.`);
  });
  out.metadata["sheets"] = sheets.length;
  return out.build(parts.kind);
}
