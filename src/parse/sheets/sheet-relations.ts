import type { DocumentBuilder } from "../builder.ts";
import { appendShapes, appendSheetDrawing } from "../office/drawing.ts";
import type { Relation } from "../xml.ts";
import { readRelations } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { writeThreads } from "./sheet-comments.ts";

/** The part that a relation of this type names. */
export function relatedPart(zip: ZipArchive, relations: readonly Relation[], type: string): Uint8Array | null {
  const target = relations.find((relation) => relation.type === type)?.target ?? "";
  return target === "" ? null : zip.read(target);
}

export interface SheetReaders {
  out: DocumentBuilder;
  /** Names of those who comment in threads. */
  persons: ReadonlyMap<string, string>;
  /** Reads the part of the notes, which .xlsx and .xlsb write each in its own way. */
  writeNotes(bytes: Uint8Array, hasThreads: boolean, out: DocumentBuilder): void;
}

/** Comments and drawings of a sheet. */
export function writeRelated(zip: ZipArchive, sheet: string, readers: SheetReaders): void {
  const { out } = readers;
  const relations = readRelations(zip, sheet);
  const hasThreads = relations.some(({ type, target }) => type === "threadedComment" && zip.find(target) !== null);
  for (const { type, target } of relations) {
    if (type === "drawing") writeDrawing(zip, target, out);
    if (type !== "comments" && type !== "threadedComment") continue;
    const bytes = zip.read(target);
    if (bytes === null) continue;
    if (type === "comments") readers.writeNotes(bytes, hasThreads, out);
    else writeThreads(bytes, readers.persons, out);
  }
}

/** Text boxes and what is said about pictures, then the charts and diagrams that the drawing names. */
function writeDrawing(zip: ZipArchive, target: string, out: DocumentBuilder): void {
  const bytes = zip.read(target);
  if (bytes === null) return;
  appendShapes(bytes, out);
  for (const relation of readRelations(zip, target)) {
    if (relation.type === "chart" || relation.type === "chartEx" || relation.type === "diagramData")
      appendSheetDrawing(zip, relation, out);
  }
}
