import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { appendDrawing } from "./drawing.ts";
import type { TextShape } from "./shapes.ts";
import { shapesOf } from "./shapes.ts";
import { titleBySlides } from "../slide-title.ts";
import { relationId, unescaped } from "../sheets/ooxml-strings.ts";
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
  const edges = new Set<string>();
  slides.forEach((part, i) => {
    out.page(i + 1);
    const bytes = zip.read(part);
    if (bytes === null) {
      out.warnings.push(`Slide ${i + 1} is missing from the file.`);
      return;
    }
    writeShapes(bytes, edges, out);
    for (const relation of readRelations(zip, part)) {
      if (relation.type === "chart" || relation.type === "chartEx" || relation.type === "diagramData")
        appendDrawing(zip, relation, out);
      if (relation.type !== "notesSlide" && relation.type !== "comments") continue;
      const related = relation.target === "" ? null : zip.read(relation.target);
      if (related === null) continue;
      if (relation.type === "notesSlide") writeNotes(related, out);
      else writeComments(related, authors, out);
    }
  });
  out.metadata["slides"] = slides.length;
  return titleBySlides(out.build("pptx"));
}

export function slideParts(zip: ZipArchive, main: string): string[] {
  const bytes = zip.read(main);
  if (bytes === null) throw invalidFile("The presentation is damaged: its main part is missing.");
  const targets = new Map(readRelations(zip, main).map((relation) => [relation.id, relation.target]));
  const slides: string[] = [];
  readXml(bytes, {
    open(name, attributes) {
      if (name !== "sldId") return;
      const target = targets.get(relationId(attributes)) ?? "";
      if (target !== "") slides.push(target);
    },
  });
  return slides;
}

/** Filled in by the program on each slide. */
const PAGE_FURNITURE = new Set(["sldNum", "dt"]);
/** Said on each slide alike. */
const PAGE_EDGES = new Set(["ftr", "hdr"]);
const TITLES = new Set(["title", "ctrTitle"]);

/** `edges` are the headers and footers that stand already. */
function writeShapes(bytes: Uint8Array, edges: Set<string>, out: DocumentBuilder): void {
  const shapes = shapesOf(bytes);
  for (const shape of shapes)
    if (shape.type === "text" && TITLES.has(shape.kind)) out.heading(1, shape.paragraphs.join(" "));
  for (const shape of shapes) {
    if (shape.type === "table") out.table(shape.rows, true);
    else if (PAGE_EDGES.has(shape.kind)) writeEdge(shape, edges, out);
    else if (!PAGE_FURNITURE.has(shape.kind) && !TITLES.has(shape.kind)) out.block(shape.paragraphs.join("\n"));
  }
}

function writeEdge(shape: TextShape, seen: Set<string>, out: DocumentBuilder): void {
  const text = shape.paragraphs.join("\n");
  if (seen.has(text)) return;
  seen.add(text);
  out.block(text);
}

function writeNotes(bytes: Uint8Array, out: DocumentBuilder): void {
  const notes = shapesOf(bytes)
    .filter((shape) => shape.type === "text")
    .filter(({ kind }) => !PAGE_FURNITURE.has(kind) && !PAGE_EDGES.has(kind) && kind !== "sldImg")
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

interface SlideComment {
  author: string;
  text: string;
  replies: SlideComment[];
}

/** Comments, each before its replies, which its part has the other way round. */
function writeComments(bytes: Uint8Array, authors: Map<string, string>, out: DocumentBuilder): void {
  const open: SlideComment[] = [];
  let inText = 0;
  readXml(bytes, {
    open(name, attributes) {
      const comment = open.at(-1);
      if (name === "cm" || name === "reply")
        open.push({ author: authors.get(attribute(attributes, "authorId") ?? "") ?? "", text: "", replies: [] });
      else if (name === "text" || name === "t") inText++;
      else if ((name === "p" || name === "br") && comment !== undefined && comment.text !== "") comment.text += "\n";
    },
    text(part) {
      const comment = open.at(-1);
      if (inText > 0 && comment !== undefined) comment.text += part;
    },
    close(name) {
      if (name === "text" || name === "t") inText--;
      if (name !== "cm" && name !== "reply") return;
      const comment = open.pop();
      const outer = open.at(-1);
      if (comment === undefined) return;
      if (outer !== undefined) outer.replies.push(comment);
      else for (const said of [comment, ...comment.replies]) writeComment(said, out);
    },
  });
}

function writeComment({ author, text }: SlideComment, out: DocumentBuilder): void {
  const said = unescaped(text).trim();
  if (said !== "") out.line(`[Comment${author === "" ? "" : ` by ${author}`}: ${said}]`);
}
