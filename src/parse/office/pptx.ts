import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { appendDrawing, pictureText } from "./drawing.ts";
import { attribute, readCoreProperties, readRelations, readXml } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** Presentations: a page a slide, its title as heading, then text, tables, speaker notes and comments. */
export function parsePptx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  const slides = slideParts(zip, main);
  if (slides.length > limits.maxPages)
    throw invalidFile(`The presentation has ${slides.length} slides; this server accepts ${limits.maxPages}.`);
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const authors = commentAuthors(zip, main);
  slides.forEach((part, i) => {
    out.page(i + 1);
    const bytes = zip.read(part);
    if (bytes === null) {
      out.warnings.push(`Slide ${i + 1} is missing from the file.`);
      return;
    }
    writeShapes(bytes, out, true);
    for (const relation of readRelations(zip, part)) {
      if (relation.type === "chart" || relation.type === "diagramData") appendDrawing(zip, relation.target, out);
      if (relation.type !== "notesSlide" && relation.type !== "comments") continue;
      const related = relation.target === "" ? null : zip.read(relation.target);
      if (related === null) continue;
      if (relation.type === "notesSlide") writeNotes(related, out);
      else writeComments(related, authors, out);
    }
  });
  out.metadata["slides"] = slides.length;
  const document = out.build("pptx");
  // PowerPoint fills the title in by itself.
  if (document.title === null || PLACEHOLDER.test(document.title)) document.title = document.headings[0]?.text ?? null;
  return document;
}

const PLACEHOLDER =
  /^(?:\p{L}+ ?\d+|(?:microsoft )?power ?point.*|title|no slide title|pr(?:é|e)sentation.*|folie.*)$/iu;

export function slideParts(zip: ZipArchive, main: string): string[] {
  const bytes = zip.read(main);
  if (bytes === null) throw invalidFile("The presentation is damaged: its main part is missing.");
  const targets = new Map(readRelations(zip, main).map((relation) => [relation.id, relation.target]));
  const slides: string[] = [];
  readXml(bytes, {
    open(name, attributes) {
      if (name !== "sldId") return;
      // "r:id" names the part; "id" is a number of its own.
      const key = Object.keys(attributes).find((attributeName) => attributeName.endsWith(":id"));
      const target = targets.get(key === undefined ? "" : attributes[key]!) ?? "";
      if (target !== "") slides.push(target);
    },
  });
  return slides;
}

interface Shape {
  kind: string;
  paragraphs: string[];
}

const PAGE_FURNITURE = new Set(["sldNum", "dt", "ftr", "hdr"]);

function shapesOf(bytes: Uint8Array): (Shape | string[][])[] {
  const out: (Shape | string[][])[] = [];
  let shape: Shape | null = null;
  let rows: string[][] | null = null;
  let cell: string[] | null = null;
  let paragraph = "";
  let inText = 0;
  let fallback = 0;
  let inPicture = false;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "Fallback") fallback++;
      if (fallback > 0) return;
      if (name === "sp") shape = { kind: "", paragraphs: [] };
      else if (name === "pic") inPicture = true;
      else if (name === "cNvPr" && inPicture) {
        const text = pictureText(attributes);
        if (text !== "") out.push({ kind: "pic", paragraphs: [text] });
        inPicture = false;
      } else if (name === "ph" && shape !== null) shape.kind = attributes["type"] ?? "body";
      else if (name === "tbl") rows = [];
      else if (name === "tr") rows?.push([]);
      else if (name === "tc" && rows !== null) cell = [];
      else if (name === "p") paragraph = "";
      else if (name === "t") inText++;
      else if (name === "br" || name === "tab") paragraph += name === "br" ? "\n" : "\t";
    },
    text(text) {
      if (inText > 0 && fallback === 0) paragraph += text;
    },
    close(name) {
      if (name === "Fallback") fallback--;
      if (fallback > 0) return;
      if (name === "t") inText--;
      else if (name === "p") {
        const text = paragraph.trim();
        paragraph = "";
        if (text !== "") (cell ?? shape?.paragraphs)?.push(text);
      } else if (name === "tc" && cell !== null) {
        rows?.at(-1)?.push(cell.join("\n"));
        cell = null;
      } else if (name === "tbl" && rows !== null) {
        out.push(rows);
        rows = null;
      } else if (name === "sp" && shape !== null) {
        out.push(shape);
        shape = null;
      }
    },
  });
  return out;
}

function writeShapes(bytes: Uint8Array, out: DocumentBuilder, withTitle: boolean): void {
  const shapes = shapesOf(bytes);
  const isTitle = (shape: Shape | string[][]): boolean =>
    !Array.isArray(shape) && (shape.kind === "title" || shape.kind === "ctrTitle");
  if (withTitle) for (const shape of shapes) if (isTitle(shape)) out.heading(1, (shape as Shape).paragraphs.join(" "));
  for (const shape of shapes) {
    if (Array.isArray(shape)) out.table(shape, true);
    else if (!PAGE_FURNITURE.has(shape.kind) && !(withTitle && isTitle(shape))) out.block(shape.paragraphs.join("\n"));
  }
}

function writeNotes(bytes: Uint8Array, out: DocumentBuilder): void {
  const notes = shapesOf(bytes)
    .filter(
      (shape): shape is Shape => !Array.isArray(shape) && !PAGE_FURNITURE.has(shape.kind) && shape.kind !== "sldImg",
    )
    .flatMap((shape) => shape.paragraphs);
  if (notes.length > 0) out.block(`Notes: ${notes.join("\n")}`);
}

function commentAuthors(zip: ZipArchive, main: string): Map<string, string> {
  const authors = new Map<string, string>();
  for (const relation of readRelations(zip, main)) {
    if (relation.type !== "commentAuthors" && relation.type !== "authors") continue;
    const bytes = zip.read(relation.target);
    if (bytes === null) continue;
    readXml(bytes, {
      open(name, attributes) {
        if (name === "cmAuthor" || name === "author") authors.set(attributes["id"] ?? "", attributes["name"] ?? "");
      },
    });
  }
  return authors;
}

function writeComments(bytes: Uint8Array, authors: Map<string, string>, out: DocumentBuilder): void {
  let author = "";
  let text = "";
  let inText = 0;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "cm" || name === "reply") {
        author = authors.get(attribute(attributes, "authorId") ?? "") ?? "";
        text = "";
      } else if (name === "text" || name === "t") inText++;
    },
    text(part) {
      if (inText > 0) text += part;
    },
    close(name) {
      if (name === "text" || name === "t") inText--;
      else if ((name === "cm" || name === "reply" || name === "txBody") && text.trim() !== "") {
        out.line(`[Comment${author === "" ? "" : ` by ${author}`}: ${text.trim()}]`);
        text = "";
      }
    },
  });
}
