import type { DocumentBuilder } from "../builder.ts";
import type { Relation } from "../xml.ts";
import { readRelations, readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { appendChart, appendChartTitles } from "./chart.ts";
import { shapesOf } from "./shapes.ts";

/** Charts as the tables they are drawn from with the text boxes on them, diagrams as their labels. */
export function appendDrawing(zip: ZipArchive, relation: Relation, out: DocumentBuilder): void {
  const { target } = relation;
  const bytes = target === "" ? null : zip.read(target);
  if (bytes === null) return;
  if (relation.type === "diagramData") return out.block(paragraphsOf(bytes).join("\n"));
  appendChart(bytes, out);
  appendUserShapes(zip, target, out);
}

/** Charts in sheets by their titles and text boxes: what they are drawn from, the cells say. */
export function appendSheetDrawing(zip: ZipArchive, relation: Relation, out: DocumentBuilder): void {
  if (relation.type === "diagramData") return appendDrawing(zip, relation, out);
  const bytes = relation.target === "" ? null : zip.read(relation.target);
  if (bytes === null) return;
  appendChartTitles(bytes, out);
  appendUserShapes(zip, relation.target, out);
}

function appendUserShapes(zip: ZipArchive, chart: string, out: DocumentBuilder): void {
  for (const { type, target: shapes } of readRelations(zip, chart)) {
    const drawn = type === "chartUserShapes" && shapes !== "" ? zip.read(shapes) : null;
    if (drawn !== null) appendShapes(drawn, out);
  }
}

/** The text boxes and tables of a drawing, and what is said about its pictures. */
export function appendShapes(bytes: Uint8Array, out: DocumentBuilder): void {
  for (const shape of shapesOf(bytes)) {
    if (shape.type === "table") out.table(shape.rows, true);
    else out.block(shape.paragraphs.join("\n"));
  }
}

/** Paragraphs of all text in a part. */
function paragraphsOf(bytes: Uint8Array): string[] {
  const out: string[] = [];
  let text = "";
  let inParagraph = 0;
  readXml(bytes, {
    open(name) {
      if (name === "p" && inParagraph++ === 0) text = "";
      else if (name === "br") text += " ";
    },
    text(part) {
      if (inParagraph > 0) text += part;
    },
    close(name) {
      if (name !== "p" || --inParagraph > 0) return;
      const clean = text.replace(/\s+/g, " ").trim();
      if (clean !== "") out.push(clean);
    },
  });
  return out;
}
