import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import type { ParseLimits } from "../limits.ts";
import { SheetRows } from "../sheets/rows.ts";
import { attribute, readCoreProperties, readXml, readXmlText } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** OpenDocument text, sheets and presentations: one format, one reader. */
export function parseOdf(zip: ZipArchive, kind: "odt" | "ods" | "odp", limits: ParseLimits): ParsedDocument {
  const manifest = zip.read("META-INF/manifest.xml");
  if (manifest !== null && Buffer.from(manifest).includes("encryption-data")) {
    throw invalidFile("The document is encrypted and needs a password to open. Upload a copy without a password.");
  }
  const content = zip.read("content.xml");
  if (content === null) throw invalidFile("The document is damaged: its content is missing.");
  const out = new DocumentBuilder(limits.maxTextLength);
  readCoreProperties(zip, "meta.xml", out);
  const writer = new OdfWriter(out, kind, limits);
  readXml(content, writer);
  writer.finish();
  return out.build(kind);
}

/** The same in one XML file (fodt, fods, fodp). */
export function parseFlatOdf(text: string, out: DocumentBuilder, limits: ParseLimits): void {
  const type = /office:mimetype\s*=\s*"[^"]*\.(spreadsheet|presentation)/.exec(text.slice(0, 4000))?.[1];
  const kind = type === "spreadsheet" ? "ods" : type === "presentation" ? "odp" : "odt";
  const writer = new OdfWriter(out, kind, limits);
  readXmlText(text, writer);
  writer.finish();
}

const SKIPPED = new Set([
  "tracked-changes",
  "ruby-text",
  "annotation-end",
  "creator-initials",
  "sequence-decls",
  "forms",
  "image",
  "binary-data",
  "meta",
  "settings",
  "scripts",
  "styles",
  "master-styles",
  "automatic-styles",
]);
const MAX_REPEAT = 64;

interface Paragraph {
  text: string;
  level: number;
}

interface Aside {
  label: string;
  author: string;
  text: string;
  field: "" | "creator" | "date" | "citation";
}

class OdfWriter {
  readonly #out: DocumentBuilder;
  readonly #kind: string;
  readonly #limits: ParseLimits;
  #paragraphs: Paragraph[] = [];
  #asides: Aside[] = [];
  #pendingAsides: string[] = [];
  #skip = 0;
  #listDepth = 0;
  #tableDepth = 0;
  #rows: string[][] = [];
  #cells: [number, string][] = [];
  #column = 0;
  #cell: string[] | null = null;
  #cellRepeat = 1;
  #pages = 0;
  #inNotes = false;
  readonly #sheet: SheetRows;

  constructor(out: DocumentBuilder, kind: string, limits: ParseLimits) {
    this.#out = out;
    this.#sheet = new SheetRows(out);
    this.#kind = kind;
    this.#limits = limits;
  }

  open(name: string, attributes: Record<string, string>): void {
    if (SKIPPED.has(name)) this.#skip++;
    if (this.#skip > 0) return;
    const paragraph = this.#paragraphs.at(-1);
    switch (name) {
      case "p":
        this.#paragraphs.push({ text: "", level: 0 });
        break;
      case "h":
        this.#paragraphs.push({
          text: "",
          level: Math.min(9, Number(attribute(attributes, "outline-level") ?? "1") || 1),
        });
        break;
      case "s":
        if (paragraph !== undefined)
          paragraph.text += " ".repeat(Math.min(MAX_REPEAT, Number(attribute(attributes, "c") ?? "1") || 1));
        break;
      case "tab":
        if (paragraph !== undefined) paragraph.text += "\t";
        break;
      case "line-break":
        if (paragraph !== undefined) paragraph.text += "\n";
        break;
      case "list":
        this.#listDepth++;
        break;
      case "annotation":
        this.#asides.push({ label: "Comment", author: "", text: "", field: "" });
        break;
      case "note":
        this.#asides.push({
          label: attribute(attributes, "note-class") === "endnote" ? "Endnote" : "Footnote",
          author: "",
          text: "",
          field: "",
        });
        break;
      case "creator":
        this.#setField("creator");
        break;
      case "date":
        this.#setField("date");
        break;
      case "note-citation":
        this.#setField("citation");
        break;
      case "table":
        this.#openTable(attributes);
        break;
      case "table-row":
        this.#cells = [];
        this.#column = 0;
        break;
      case "table-cell":
      case "covered-table-cell":
        this.#openCell(attributes);
        break;
      case "page":
        this.#openPage();
        break;
      case "notes":
        this.#inNotes = true;
        break;
    }
  }

  text(text: string): void {
    if (this.#skip > 0) return;
    const aside = this.#asides.at(-1);
    if (aside !== undefined && aside.field !== "") {
      if (aside.field === "creator") aside.author += text;
      return;
    }
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph !== undefined) paragraph.text += text.replace(/[\n\t ]+/g, " ");
  }

  close(name: string): void {
    if (SKIPPED.has(name)) {
      this.#skip--;
      return;
    }
    if (this.#skip > 0) return;
    switch (name) {
      case "p":
      case "h":
        this.#endParagraph();
        break;
      case "list":
        this.#listDepth--;
        break;
      case "annotation":
      case "note":
        this.#endAside();
        break;
      case "creator":
      case "date":
      case "note-citation":
        this.#setField("");
        break;
      case "table-cell":
      case "covered-table-cell":
        this.#endCell();
        break;
      case "table-row":
        this.#endRow();
        break;
      case "table":
        this.#endTable();
        break;
      case "notes":
        this.#inNotes = false;
        break;
    }
  }

  #setField(field: Aside["field"]): void {
    const aside = this.#asides.at(-1);
    if (aside !== undefined) aside.field = field;
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (paragraph === undefined) return;
    const text = paragraph.text.trim();
    const aside = this.#asides.at(-1);
    if (aside !== undefined) {
      aside.text += (aside.text === "" ? "" : "\n") + text;
      return;
    }
    if (this.#cell !== null) {
      if (text !== "") this.#cell.push(text);
    } else if (text !== "") {
      if (paragraph.level > 0) this.#out.heading(paragraph.level, text);
      else if (this.#inNotes) this.#out.block(`Notes: ${text}`);
      else if (this.#listDepth > 0) this.#out.line(this.#kind === "odp" ? text : `- ${text}`);
      else this.#out.block(text);
    }
    if (this.#paragraphs.length === 0) this.#writeAsides();
  }

  #endAside(): void {
    const aside = this.#asides.pop();
    if (aside === undefined || aside.text.trim() === "") return;
    const author = aside.author.trim() === "" ? "" : ` by ${aside.author.trim()}`;
    this.#pendingAsides.push(`[${aside.label}${author}: ${aside.text.trim()}]`);
    if (this.#paragraphs.length === 0) this.#writeAsides();
  }

  #writeAsides(): void {
    for (const line of this.#pendingAsides) {
      if (this.#cell !== null) this.#cell.push(line);
      else this.#out.line(line);
    }
    this.#pendingAsides = [];
  }

  #openPage(): void {
    if (this.#kind !== "odp") return;
    this.#nextPage();
  }

  #nextPage(): void {
    if (++this.#pages > this.#limits.maxPages)
      throw invalidFile("The document has more pages than this server accepts.");
    this.#out.page(this.#pages);
  }

  #openTable(attributes: Record<string, string>): void {
    if (++this.#tableDepth > 1) return;
    this.#rows = [];
    if (this.#kind !== "ods") return;
    this.#nextPage();
    this.#out.heading(1, attribute(attributes, "name") ?? "");
  }

  #openCell(attributes: Record<string, string>): void {
    if (this.#tableDepth > 1) return;
    this.#cell = [];
    this.#cellRepeat = Math.max(1, Number(attribute(attributes, "number-columns-repeated") ?? "1") || 1);
  }

  #endCell(): void {
    if (this.#tableDepth > 1 || this.#cell === null) return;
    const text = this.#cell.join("\n");
    const times = text === "" ? 1 : Math.min(this.#cellRepeat, MAX_REPEAT);
    for (let i = 0; i < times; i++) if (text !== "") this.#cells.push([this.#column + 1 + i, text]);
    this.#column += this.#cellRepeat;
    this.#cell = null;
  }

  #endRow(): void {
    if (this.#tableDepth > 1 || this.#cells.length === 0) return;
    if (this.#kind !== "ods") {
      const row: string[] = [];
      for (const [column, text] of this.#cells) row[Math.min(column, 256) - 1] = text;
      this.#rows.push(Array.from(row, (text) => text ?? ""));
      return;
    }
    this.#sheet.add(this.#cells);
  }

  /** Writes what is left of a sheet that was cut off. */
  finish(): void {
    this.#sheet.end();
  }

  #endTable(): void {
    if (--this.#tableDepth > 0) return;
    if (this.#kind === "ods") {
      this.#sheet.end();
    } else {
      this.#out.table(this.#rows, true);
    }
    this.#rows = [];
  }
}
