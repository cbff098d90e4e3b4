import { DocumentBuilder } from "../builder.ts";
import { Numbering } from "./docx-numbering.ts";
import type { ParagraphStyle } from "./docx-styles.ts";
import { outlineLevel, paragraphStyles } from "./docx-styles.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { decodeText } from "../text/encoding.ts";
import { htmlCharset, parseHtml } from "../text/html.ts";
import type { ParseLimits } from "../limits.ts";
import type { MimePart } from "../mail/mime.ts";
import { bodyBytes, parseMime } from "../mail/mime.ts";
import { appendDrawing, pictureText } from "./drawing.ts";
import { attribute, readCoreProperties, readRelations, readXml, readXmlText, textOfElements } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/**
 * Word documents: paragraphs, headings by style or outline level, tables as rows, text boxes, notes
 * and comments at the paragraph that they belong to. Tracked changes count as accepted: what was
 * inserted is text, what was deleted or moved away is not.
 */
export function parseDocx(zip: ZipArchive, main: string, limits: ParseLimits): ParsedDocument {
  const body = zip.read(main);
  if (body === null) throw invalidFile("The document is damaged: its main part is missing.");
  const relations = readRelations(zip, main);
  const part = (type: string): Uint8Array | null => {
    const target = relations.find((relation) => relation.type === type)?.target ?? "";
    return target === "" ? null : zip.read(target);
  };
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "docProps/core.xml", out);
  const writer = new WordWriter(out, {
    styles: paragraphStyles(part("styles")),
    numbering: new Numbering(part("numbering")),
    footnotes: notesOf(part("footnotes"), "footnote"),
    endnotes: notesOf(part("endnotes"), "endnote"),
    comments: notesOf(part("comments"), "comment"),
  });
  readXml(body, writer.handler());
  for (const bytes of edgeParts(zip, relations)) readXml(bytes, new WordWriter(out, writer.context).handler());
  for (const relation of relations) {
    if (relation.type === "chart" || relation.type === "diagramData") appendDrawing(zip, relation.target, out);
    else if (relation.type === "aFChunk") appendForeign(zip.read(relation.target), out);
  }
  return out.build("docx");
}

/** A Word document in one XML file: Word 2003's own kind, or the parts of a package one after the other. */
export function parseWordXml(text: string, out: DocumentBuilder): void {
  const start = text.search(/<w:styles[\s>]/);
  const styles = start < 0 ? "" : text.slice(start, text.indexOf("</w:styles>", start));
  const context: WordContext = {
    styles: paragraphStyles(styles === "" ? null : new TextEncoder().encode(styles)),
    numbering: new Numbering(null),
    footnotes: new Map(),
    endnotes: new Map(),
    comments: new Map(),
  };
  readXmlText(text, new WordWriter(out, context).handler());
}

/** Content in another format that Word shows in place: HTML, alone or as a web archive. */
function appendForeign(bytes: Uint8Array | null, out: DocumentBuilder): void {
  if (bytes === null) return;
  const head = Buffer.from(bytes.subarray(0, 2000)).toString("latin1");
  const isArchive = /^mime-version:|^content-type:\s*multipart/im.test(head);
  const html = isArchive ? findHtml(parseMime(bytes)) : bytes;
  if (html !== null && (isArchive || /<[a-z!]/i.test(head))) parseHtml(decodeText(html, htmlCharset(html)).text, out);
}

function findHtml(part: MimePart): Uint8Array | null {
  if (part.type === "text/html") return bodyBytes(part);
  for (const child of part.parts) {
    const found = findHtml(child);
    if (found !== null) return found;
  }
  return null;
}

/** Headers and footers, each wording once. */
function edgeParts(zip: ZipArchive, relations: { type: string; target: string }[]): Uint8Array[] {
  const seen = new Set<string>();
  const out: Uint8Array[] = [];
  for (const relation of relations) {
    if ((relation.type !== "header" && relation.type !== "footer") || relation.target === "") continue;
    const bytes = zip.read(relation.target);
    if (bytes === null) continue;
    // First, even and odd pages mostly carry the same words, but for a page number.
    const words = textOfElements(bytes, new Set(["t"]))
      .join(" ")
      .replace(/\d+/g, "#");
    if (words === "" || seen.has(words)) continue;
    seen.add(words);
    out.push(bytes);
  }
  return out;
}

interface WordContext {
  styles: Map<string, ParagraphStyle>;
  numbering: Numbering;
  footnotes: Map<string, string>;
  endnotes: Map<string, string>;
  comments: Map<string, string>;
}

interface OpenTable {
  rows: string[][];
  row: string[];
  cell: string[];
  headerRow: boolean;
}

const SKIPPED = new Set([
  "del",
  "moveFrom",
  "Fallback",
  "instrText",
  "delText",
  "delInstrText",
  "posOffset",
  "align",
  "rubyPr",
  // How a paragraph or table was set before a tracked change.
  "pPrChange",
  "rPrChange",
  "tblPrChange",
  "trPrChange",
  "tcPrChange",
  "sectPrChange",
]);

interface Paragraph {
  text: string;
  level: number;
  list: { id: string; level: number } | null;
  after: string[];
}

class WordWriter {
  readonly context: WordContext;
  readonly #out: DocumentBuilder;
  /** Text boxes stand inside the paragraph that they float beside. */
  #paragraphs: Paragraph[] = [];
  #tables: OpenTable[] = [];
  #skip = 0;
  #inText = 0;

  constructor(out: DocumentBuilder, context: WordContext) {
    this.#out = out;
    this.context = context;
  }

  handler(): {
    open(name: string, attributes: Record<string, string>): void;
    text(text: string): void;
    close(name: string): void;
  } {
    return {
      open: (name, attributes) => this.#open(name, attributes),
      text: (text) => this.#text(text),
      close: (name) => this.#close(name),
    };
  }

  #open(name: string, attributes: Record<string, string>): void {
    if (SKIPPED.has(name)) this.#skip++;
    if (this.#skip > 0) return;
    const paragraph = this.#paragraphs.at(-1);
    switch (name) {
      case "p":
        this.#paragraphs.push({ text: "", level: 0, list: null, after: [] });
        break;
      case "t":
        this.#inText++;
        break;
      case "tab":
      case "ptab":
        if (paragraph !== undefined && paragraph.text !== "") paragraph.text += "\t";
        break;
      case "br":
      case "cr":
        if (paragraph !== undefined) paragraph.text += "\n";
        break;
      case "noBreakHyphen":
        if (paragraph !== undefined) paragraph.text += "-";
        break;
      case "sym":
        if (paragraph !== undefined) paragraph.text += symbol(attribute(attributes, "char"));
        break;
      case "pStyle": {
        const style = this.context.styles.get(attribute(attributes, "val") ?? "");
        if (paragraph === undefined || style === undefined) break;
        paragraph.level ||= style.level;
        if (style.listId !== "") paragraph.list = { id: style.listId, level: style.listLevel };
        break;
      }
      case "outlineLvl":
        if (paragraph !== undefined) paragraph.level = outlineLevel(attribute(attributes, "val")) || paragraph.level;
        break;
      case "numPr":
        if (paragraph !== undefined) paragraph.list ??= { id: "", level: 0 };
        break;
      case "ilvl":
        if (paragraph?.list != null) paragraph.list.level = Number(attribute(attributes, "val")) || 0;
        break;
      case "numId":
        if (paragraph?.list != null) paragraph.list.id = attribute(attributes, "val") ?? "";
        break;
      case "docPr":
        if (paragraph !== undefined) paragraph.text += pictureText(attributes);
        break;
      case "footnoteReference":
        this.#note("Footnote", this.context.footnotes, attributes);
        break;
      case "endnoteReference":
        this.#note("Endnote", this.context.endnotes, attributes);
        break;
      case "commentReference":
        this.#note("Comment", this.context.comments, attributes);
        break;
      case "tbl":
        this.#tables.push({ rows: [], row: [], cell: [], headerRow: false });
        break;
      case "tr":
        if (this.#tables.length > 0) this.#tables.at(-1)!.row = [];
        break;
      case "tc":
        if (this.#tables.length > 0) this.#tables.at(-1)!.cell = [];
        break;
      case "tblHeader":
        if (this.#tables.at(-1)?.rows.length === 0) this.#tables.at(-1)!.headerRow = true;
        break;
    }
  }

  #text(text: string): void {
    if (this.#skip > 0 || this.#inText === 0) return;
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph !== undefined) paragraph.text += text;
  }

  #close(name: string): void {
    if (SKIPPED.has(name)) {
      this.#skip--;
      return;
    }
    if (this.#skip > 0) return;
    const table = this.#tables.at(-1);
    if (name === "t") this.#inText--;
    else if (name === "p") this.#endParagraph();
    else if (name === "tc" && table !== undefined) table.row.push(table.cell.join("\n"));
    else if (name === "tr" && table !== undefined) table.rows.push(table.row);
    else if (name === "tbl") this.#endTable();
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (paragraph === undefined) return;
    const { list } = paragraph;
    // A list of the name 0 is none: it takes away what the style gives.
    const mark =
      list === null || list.id === "0" || paragraph.text.trim() === ""
        ? ""
        : this.context.numbering.next(list.id, list.level);
    const isBullet = mark === "-";
    const text = (isBullet || mark === "" ? "" : `${mark} `) + paragraph.text.trim();
    const cell = this.#tables.at(-1)?.cell;
    if (cell !== undefined) {
      if (text !== "") cell.push(text);
      cell.push(...paragraph.after);
      return;
    }
    if (paragraph.level > 0) this.#out.heading(paragraph.level, text);
    else if (mark !== "") this.#out.line(isBullet ? `- ${text}` : text);
    else this.#out.block(text);
    for (const note of paragraph.after) this.#out.line(note);
  }

  #endTable(): void {
    const table = this.#tables.pop();
    if (table === undefined) return;
    const outer = this.#tables.at(-1);
    if (outer !== undefined) {
      for (const row of table.rows) outer.cell.push(row.filter((cell) => cell !== "").join(" | "));
      return;
    }
    const layout =
      table.rows.every((row) => row.length < 2) || table.rows.some((row) => row.some((cell) => cell.length > 3000));
    if (layout) for (const row of table.rows) for (const cell of row) this.#out.block(cell);
    else this.#out.table(table.rows, true);
  }

  #note(label: string, notes: Map<string, string>, attributes: Record<string, string>): void {
    const text = notes.get(attribute(attributes, "id") ?? "");
    if (text !== undefined && text !== "") this.#paragraphs.at(-1)?.after.push(`[${label}${text}]`);
  }
}

function symbol(code: string | undefined): string {
  const point = Number.parseInt(code ?? "", 16);
  // Symbol fonts use the private area, which means nothing outside them.
  return !(point >= 0 && point <= 0x10ffff) || (point >= 0xe000 && point < 0xf900) ? "" : String.fromCodePoint(point);
}

/** Notes and comments by id: " by NAME: text" or ": text". */
function notesOf(bytes: Uint8Array | null, element: string): Map<string, string> {
  const notes = new Map<string, string>();
  if (bytes === null) return notes;
  let id = "";
  let author = "";
  let text = "";
  let inText = 0;
  let deleted = 0;
  readXml(bytes, {
    open(name, attributes) {
      if (name === element) {
        id = attribute(attributes, "id") ?? "";
        author = element === "comment" ? (attribute(attributes, "author") ?? "") : "";
        text = "";
      } else if (name === "t") inText++;
      else if (name === "del") deleted++;
      else if (name === "p" && text !== "") text += "\n";
    },
    text(part) {
      if (inText > 0 && deleted === 0) text += part;
    },
    close(name) {
      if (name === "t") inText--;
      else if (name === "del") deleted--;
      else if (name === element && text.trim() !== "")
        notes.set(id, `${author === "" ? "" : ` by ${author}`}: ${text.trim()}`);
    },
  });
  return notes;
}
