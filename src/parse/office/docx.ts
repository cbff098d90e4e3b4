import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import type { Relation } from "../xml.ts";
import { readCoreProperties, readRelations, readXml, readXmlText } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";
import { readChunk } from "./docx-chunks.ts";
import { notesOf } from "./docx-notes.ts";
import { Numbering } from "./docx-numbering.ts";
import { wordStyles } from "./docx-styles.ts";
import type { WordContext } from "./docx-writer.ts";
import { WordWriter } from "./docx-writer.ts";
import { appendDrawing } from "./drawing.ts";

/** Documents inside documents are read to this depth. */
const MAX_NESTED = 3;

/**
 * Word documents: paragraphs, headings by style or outline level, tables as rows, text boxes, notes
 * and comments at the paragraph that they belong to. Tracked changes count as accepted: what was
 * inserted is text, what was deleted or moved away is not.
 */
export function parseDocx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  return readWord({ zip, main, limits, depth: 0 });
}

interface WordSource {
  zip: ZipArchive;
  main: string;
  limits: ParseLimits;
  /** How many documents this one stands inside of. */
  depth: number;
}

function readWord({ zip, main, limits, depth }: WordSource): ParsedDocument {
  const body = zip.read(main);
  if (body === null) throw invalidFile("The document is damaged: its main part is missing.");
  const relations = readRelations(zip, main);
  const part = (type: string): Uint8Array | null => {
    const target = relations.find((relation) => relation.type === type)?.target ?? "";
    return target === "" ? null : zip.read(target);
  };
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const chunks = new Chunks({ zip, relations, limits, depth, out });
  const plain: WordContext = {
    ...emptyContext(),
    styles: wordStyles(part("styles")),
    numbering: new Numbering(part("numbering")),
  };
  const context: WordContext = {
    ...plain,
    footnotes: notesOf(part("footnotes"), "footnote", plain),
    endnotes: notesOf(part("endnotes"), "endnote", plain),
    comments: notesOf(part("comments"), "comment", plain),
    chunk: (id) => chunks.read(id),
  };
  readXml(body, new WordWriter(out, context));
  for (const edge of edgesOf(zip, relations, plain)) out.append(edge, 0);
  for (const relation of relations) {
    if (relation.type === "chart" || relation.type === "chartEx" || relation.type === "diagramData")
      appendDrawing(zip, relation, out);
    else if (relation.type === "aFChunk" && !chunks.hasRead(relation.id)) {
      const document = chunks.read(relation.id);
      if (document !== null) out.append(document, 0);
    }
  }
  return out.build("docx");
}

/** A Word document in one XML file: Word 2003's own kind, or the parts of a package one after the other. */
export function parseWordXml(text: string, out: DocumentBuilder): void {
  const start = text.search(/<w:styles[\s>]/);
  const styles = start < 0 ? "" : text.slice(start, text.indexOf("</w:styles>", start));
  const context = {
    ...emptyContext(),
    styles: wordStyles(styles === "" ? null : new TextEncoder().encode(styles)),
  };
  readXmlText(text, new WordWriter(out, context));
}

function emptyContext(): WordContext {
  return {
    styles: new Map(),
    numbering: new Numbering(null),
    footnotes: new Map(),
    endnotes: new Map(),
    comments: new Map(),
    chunk: () => null,
  };
}

interface ChunkSource {
  zip: ZipArchive;
  relations: readonly Relation[];
  limits: ParseLimits;
  depth: number;
  out: DocumentBuilder;
}

/** Parts in other formats, by the id of their relation; one that cannot be read leaves a warning. */
class Chunks {
  readonly #source: ChunkSource;
  readonly #read = new Map<string, ParsedDocument | null>();

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  hasRead(id: string): boolean {
    return this.#read.has(id);
  }

  /** Read once, however often it is shown. */
  read(id: string): ParsedDocument | null {
    const known = this.#read.get(id);
    if (known !== undefined) return known;
    const { zip, relations, limits, out } = this.#source;
    const target = relations.find((relation) => relation.id === id)?.target ?? "";
    const bytes = target === "" ? null : zip.read(target);
    const readers = { packed: (inner: Uint8Array) => this.#packed(inner), flat: parseWordXml };
    const document = bytes === null ? null : readChunk(bytes, limits, readers);
    this.#read.set(id, document);
    const name = target === "" ? "" : ` (${target.slice(target.lastIndexOf("/") + 1)})`;
    if (document === null) out.warnings.push(`A document that is inserted in this one could not be read${name}.`);
    else out.warnings.push(...document.warnings);
    return document;
  }

  #packed(bytes: Uint8Array): ParsedDocument | null {
    const { zip, limits, depth } = this.#source;
    if (depth >= MAX_NESTED) return null;
    const inner = zip.inner(bytes);
    const main = readRelations(inner, "").find((relation) => relation.type === "officeDocument")?.target ?? "";
    return main === "" ? null : readWord({ zip: inner, main, limits, depth: depth + 1 });
  }
}

/** Headers and footers, each wording once; the numbers of pages are no part of it. */
function edgesOf(zip: ZipArchive, relations: readonly Relation[], context: WordContext): ParsedDocument[] {
  const edges: ParsedDocument[] = [];
  const seen = new Set<string>();
  for (const relation of relations) {
    if ((relation.type !== "header" && relation.type !== "footer") || relation.target === "") continue;
    const bytes = zip.read(relation.target);
    if (bytes === null) continue;
    const edge = new DocumentBuilder(MAX_EDGE);
    readXml(bytes, new WordWriter(edge, context));
    const document = edge.build("docx");
    const words = document.text.replace(/\s+/g, " ").trim();
    if (words === "" || seen.has(words)) continue;
    seen.add(words);
    edges.push(document);
  }
  return edges;
}

/** UTF-16 units of one header or footer. */
const MAX_EDGE = 16 * 1024 * 1024;
