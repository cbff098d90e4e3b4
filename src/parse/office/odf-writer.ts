import type { DocumentBuilder } from "../builder.ts";
import { invalidFile } from "../document.ts";
import { FormulaReader } from "../formula.ts";
import type { ParseLimits } from "../limits.ts";
import { SheetRows } from "../sheets/rows.ts";
import type { XmlHandler } from "../xml.ts";
import { RaisedText } from "../raised.ts";
import { symbolsRead } from "../symbol-fonts.ts";
import { attribute } from "../xml.ts";
import { OdfStyles } from "./odf-styles.ts";
import { OdfTable } from "./odf-tables.ts";
import { pictureText } from "./pictures.ts";

export type OdfKind = "odt" | "ods" | "odp";

export interface OdfContext {
  kind: OdfKind;
  limits: ParseLimits;
  /** False for charts in sheets, whose tables say what the sheet says already. */
  hasTables: boolean;
  /** The formula that an embedded object holds, as one line; null where it is something else, which is read later. */
  formula(path: string): string | null;
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
  // A field that waits to be filled in.
  "placeholder",
  // What changes from page to page.
  "page-number",
  "page-count",
  "sheet-name",
]);
/** Text outside paragraphs: descriptions of pictures, and what is declared once for the margins of many pages. */
const LOOSE = new Set(["desc", "title", "footer-decl", "header-decl"]);
/** Elements that hide their text by their style or on a condition. */
const HIDING = new Set(["section", "span", "hidden-text", "hidden-paragraph"]);
const MAX_REPEAT = 64;
/** Blanks that are more or other than one space, which is what they count as. */
const UNEVEN_BLANKS = /[\n\t][\n\t ]*| [\n\t ]+/g;

interface Paragraph {
  text: RaisedText;
  level: number;
  isHidden: boolean;
}

interface Aside {
  label: string;
  author: string;
  text: string;
  field: "" | "creator" | "date" | "citation";
}

/** Reads the events of an OpenDocument part and writes its paragraphs, tables and pages. */
export class OdfWriter implements XmlHandler {
  readonly #out: DocumentBuilder;
  readonly #context: OdfContext;
  readonly #paragraphs: Paragraph[] = [];
  readonly #asides: Aside[] = [];
  readonly #styles = new OdfStyles();
  readonly #sheet: SheetRows;
  #pendingAsides: string[] = [];
  #skip = 0;
  #listDepth = 0;
  #tableDepth = 0;
  #table: OdfTable | null = null;
  #pages = 0;
  #inNotes = false;
  #formula: FormulaReader | null = null;
  #loose: string | null = null;
  /** How many paragraphs were open when each open frame began. */
  readonly #frames: number[] = [];
  readonly #edges = new Set<string>();

  constructor(out: DocumentBuilder, context: OdfContext) {
    this.#out = out;
    this.#context = context;
    this.#sheet = new SheetRows(out);
  }

  open(name: string, attributes: Record<string, string>): void {
    if (this.#formula !== null) return this.#formula.open(name, attributes);
    if (SKIPPED.has(name)) this.#skip++;
    if (this.#skip > 0 || this.#styles.open(name, attributes)) return;
    if (HIDING.has(name)) this.#openHiding(name, attributes);
    else if (this.#isLoose(name)) this.#loose = "";
    else if (!this.#openText(name, attributes) && !this.#openAside(name, attributes)) this.#openPart(name, attributes);
  }

  text(text: string): void {
    if (this.#formula !== null) return this.#formula.text(text);
    if (this.#skip > 0 || this.#styles.isReading) return;
    if (this.#loose !== null) {
      this.#loose += text;
      return;
    }
    const aside = this.#asides.at(-1);
    if (aside !== undefined && aside.field !== "") {
      if (aside.field === "creator") aside.author += text;
      return;
    }
    const { font } = this.#styles;
    this.#say(symbolsRead(text.replace(UNEVEN_BLANKS, " "), font, font !== ""));
  }

  close(name: string): void {
    if (this.#formula !== null) return this.#closeFormula();
    if (SKIPPED.has(name)) {
      this.#skip--;
      return;
    }
    if (this.#skip > 0 || this.#styles.close(name)) return;
    if (HIDING.has(name)) this.#styles.leave();
    else if (this.#loose !== null && LOOSE.has(name)) this.#endLoose(name);
    else this.#closePart(name);
  }

  /** Writes what is left of a sheet that was cut off. */
  finish(): void {
    this.#sheet.end();
    for (const text of this.#edges) this.#out.block(text);
  }

  #openHiding(name: string, attributes: Record<string, string>): void {
    const paragraph = this.#paragraphs.at(-1);
    if (name === "hidden-paragraph" && paragraph !== undefined && this.#styles.isHidden(attributes))
      paragraph.isHidden = true;
    this.#styles.enter(attributes);
  }

  /** Titles are also fields and parts of charts: only those of a frame itself are about a picture. */
  #isLoose(name: string): boolean {
    if (!LOOSE.has(name)) return false;
    return name.endsWith("-decl") || this.#frames.at(-1) === this.#paragraphs.length;
  }

  #openText(name: string, attributes: Record<string, string>): boolean {
    switch (name) {
      case "p":
        this.#paragraphs.push({ text: new RaisedText(), level: 0, isHidden: this.#styles.isHidden(attributes) });
        this.#table?.beginParagraph();
        return true;
      case "h": {
        const level = Math.min(9, Number(attribute(attributes, "outline-level") ?? "1") || 1);
        this.#paragraphs.push({ text: new RaisedText(), level, isHidden: this.#styles.isHidden(attributes) });
        return true;
      }
      case "s":
        this.#say(" ".repeat(Math.min(MAX_REPEAT, Number(attribute(attributes, "c") ?? "1") || 1)));
        return true;
      case "tab":
        this.#say("\t");
        return true;
      case "line-break":
        this.#say("\n");
        return true;
      case "math":
        this.#formula = new FormulaReader();
        this.#formula.open(name, attributes);
        return true;
      case "object":
        this.#say(this.#context.formula(attribute(attributes, "href") ?? "") ?? "");
        return true;
      default:
        return false;
    }
  }

  #openAside(name: string, attributes: Record<string, string>): boolean {
    switch (name) {
      case "annotation":
        this.#asides.push({ label: "Comment", author: "", text: "", field: "" });
        return true;
      case "note": {
        const label = attribute(attributes, "note-class") === "endnote" ? "Endnote" : "Footnote";
        this.#asides.push({ label, author: "", text: "", field: "" });
        return true;
      }
      case "creator":
        this.#setField("creator");
        return true;
      case "date":
        this.#setField("date");
        return true;
      case "note-citation":
        this.#setField("citation");
        return true;
      default:
        return false;
    }
  }

  #openPart(name: string, attributes: Record<string, string>): void {
    switch (name) {
      case "list":
        this.#listDepth++;
        break;
      case "table":
        this.#openTable(attributes);
        break;
      case "table-row":
        if (this.#tableDepth === 1) this.#table?.beginRow(attributes);
        break;
      case "table-cell":
      case "covered-table-cell":
        if (this.#tableDepth === 1) this.#table?.beginCell(attributes, name === "covered-table-cell");
        break;
      case "page":
        if (this.#context.kind === "odp") this.#nextPage();
        break;
      case "notes":
        this.#inNotes = true;
        break;
      case "frame":
      case "g":
        this.#frames.push(this.#paragraphs.length);
        break;
    }
  }

  #closePart(name: string): void {
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
        if (this.#tableDepth === 1) this.#table?.endCell();
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
      case "frame":
      case "g":
        this.#frames.pop();
        break;
    }
  }

  #say(text: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph === undefined || this.#styles.isHiding) return;
    paragraph.text.say(text, this.#styles.isRaised);
  }

  #setField(field: Aside["field"]): void {
    const aside = this.#asides.at(-1);
    if (aside !== undefined) aside.field = field;
  }

  #closeFormula(): void {
    const line = this.#formula?.close() ?? null;
    if (line === null) return;
    this.#formula = null;
    if (this.#paragraphs.length > 0) this.#say(line);
    else this.#out.block(line);
  }

  #endLoose(name: string): void {
    const text = (this.#loose ?? "").replace(/\s+/g, " ").trim();
    this.#loose = null;
    if (name.endsWith("-decl")) {
      if (text !== "") this.#edges.add(text);
      return;
    }
    // The title of a picture is mostly its name; its description says what it shows.
    const said = name === "desc" ? pictureText({ descr: text }) : "";
    if (said === "") return;
    if (this.#paragraphs.length > 0) this.#say(` ${said} `);
    else this.#out.block(said);
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (paragraph === undefined) return;
    const text = paragraph.isHidden || this.#styles.isHiding ? "" : paragraph.text.take().trim();
    const aside = this.#asides.at(-1);
    if (aside !== undefined) {
      aside.text += (aside.text === "" ? "" : "\n") + text;
      return;
    }
    const cell = this.#table?.openCell ?? null;
    if (cell !== null) {
      if (text !== "") cell.push(text);
    } else if (text !== "") {
      if (paragraph.level > 0) this.#out.heading(paragraph.level, text);
      else if (this.#inNotes) this.#out.block(`Notes: ${text}`);
      else if (this.#listDepth > 0) this.#out.line(this.#context.kind === "odp" ? text : `- ${text}`);
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
    const cell = this.#table?.openCell ?? null;
    for (const line of this.#pendingAsides) {
      if (cell !== null) cell.push(line);
      else this.#out.line(line);
    }
    this.#pendingAsides = [];
  }

  #nextPage(): void {
    if (++this.#pages > this.#context.limits.maxPages)
      throw invalidFile("The document has more pages than this server accepts.");
    this.#out.page(this.#pages);
  }

  #openTable(attributes: Record<string, string>): void {
    if (++this.#tableDepth > 1) return;
    this.#table = new OdfTable();
    if (this.#context.kind !== "ods") return;
    this.#nextPage();
    this.#out.heading(1, attribute(attributes, "name") ?? "");
  }

  #endRow(): void {
    const cells = this.#tableDepth === 1 ? this.#table?.endRow() : undefined;
    if (cells !== undefined && cells.length > 0 && this.#context.kind === "ods") this.#sheet.add(cells);
  }

  #endTable(): void {
    if (--this.#tableDepth > 0) return;
    if (this.#context.kind === "ods") this.#sheet.end();
    else if (this.#table !== null && this.#context.hasTables) this.#out.table(this.#table.textRows(), true);
    this.#table = null;
  }
}
