import type { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { FormulaReader } from "../formula.ts";
import { RaisedText } from "../raised.ts";
import { isSymbolFont, symbolsRead, symbolText } from "../symbol-fonts.ts";
import type { XmlHandler } from "../xml.ts";
import { attribute } from "../xml.ts";
import { Alternatives } from "./alternatives.ts";
import { READ, SKIPPED } from "./docx-elements.ts";
import { WordFields } from "./docx-fields.ts";
import type { Numbering } from "./docx-numbering.ts";
import type { WordStyle } from "./docx-styles.ts";
import { fontOf, isOn, outlineLevel } from "./docx-styles.ts";
import { WordTable } from "./docx-tables.ts";
import { pictureText } from "./pictures.ts";

export interface WordContext {
  styles: ReadonlyMap<string, WordStyle>;
  numbering: Numbering;
  footnotes: ReadonlyMap<string, string>;
  endnotes: ReadonlyMap<string, string>;
  comments: ReadonlyMap<string, string>;
  /** The document in another format that is shown in place of a reference; null where it cannot be read. */
  chunk(id: string): ParsedDocument | null;
}

/** The text of a table in a table is copied into each one around it: deeper ones are text of their cell. */
const MAX_TABLES = 50;

interface Paragraph {
  text: RaisedText;
  level: number;
  list: { id: string; level: number } | null;
  isHidden: boolean;
  font: string;
  after: string[];
}

interface Run {
  isHidden: boolean;
  isRaised: boolean;
  font: string;
}

/** Reads the events of a part of a Word document and writes its paragraphs and tables. */
export class WordWriter implements XmlHandler {
  readonly #context: WordContext;
  readonly #out: DocumentBuilder;
  /** Text boxes stand inside the paragraph that they float beside. */
  readonly #paragraphs: Paragraph[] = [];
  readonly #runs: Run[] = [];
  readonly #tables: WordTable[] = [];
  /** Open tables below the deepest one that has rows. */
  #flatTables = 0;
  readonly #alternatives = new Alternatives();
  readonly #fields = new WordFields();
  /** Of each open content control: whether it shows its placeholder. */
  readonly #controls: boolean[] = [];
  #formula: FormulaReader | null = null;
  #skip = 0;
  #placeholder = 0;
  #inText = 0;
  #inInstruction = 0;
  #inRowProperties = false;
  /** Inside the properties of a paragraph or control, which say nothing of a run. */
  #inOtherProperties = false;
  #lastPicture = "";

  constructor(out: DocumentBuilder, context: WordContext) {
    this.#out = out;
    this.#context = context;
  }

  open(name: string, attributes: Record<string, string>): void {
    if (this.#formula === null && !READ.has(name) && attributes["alt"] === undefined) return;
    if (this.#alternatives.open(name)) return;
    if (name === "sdtContent" && (this.#placeholder > 0 || this.#controls.at(-1) === true)) this.#placeholder++;
    if (SKIPPED.has(name) || this.#skip > 0) return this.#openSkipped(name);
    if (this.#placeholder > 0) return;
    if (this.#formula !== null) return this.#formula.open(name, attributes);
    if (this.#rowTable()?.open(name, attributes) === true) return;
    if (this.#openText(name, attributes) || this.#openProperty(name, attributes)) return;
    this.#openPart(name, attributes);
  }

  text(text: string): void {
    if (this.#skip > 0 || this.#placeholder > 0 || this.#alternatives.isSkipping) return;
    if (this.#formula !== null) return this.#formula.text(text);
    if (this.#inInstruction > 0) return this.#fields.instruction(text);
    if (this.#inText === 0) return;
    const font = this.#runs.at(-1)?.font ?? "";
    this.#say(symbolsRead(text, font, isSymbolFont(font)));
  }

  close(name: string): void {
    if (this.#formula === null && !READ.has(name)) return;
    if (this.#alternatives.close(name)) return;
    if (name === "sdtContent" && this.#placeholder > 0) this.#placeholder--;
    if (SKIPPED.has(name)) {
      this.#skip--;
      return;
    }
    if (name === "sdt") this.#controls.pop();
    if (this.#skip > 0 || this.#placeholder > 0) return;
    if (this.#formula !== null) return this.#closeFormula();
    const table = this.#rowTable();
    if (name === "t") this.#inText--;
    else if (name === "instrText") this.#inInstruction--;
    else if (name === "r") this.#runs.pop();
    else if (name === "p") this.#endParagraph();
    else if (name === "tc") table?.endCell();
    else if (name === "tr") table?.endRow();
    else if (name === "tbl") this.#endTable();
    else if (name === "trPr") this.#inRowProperties = false;
    else if (name === "pPr" || name === "sdtPr") this.#inOtherProperties = false;
    else this.#fields.close(name);
  }

  /** The deletion of a whole row stands among its properties. */
  #openSkipped(name: string): void {
    if (!SKIPPED.has(name)) return;
    if (name === "del" && this.#skip === 0 && this.#inRowProperties) this.#tables.at(-1)?.deleteRow();
    this.#skip++;
  }

  /** Elements that are text or stand for it. */
  #openText(name: string, attributes: Record<string, string>): boolean {
    switch (name) {
      case "p":
        this.#paragraphs.push({
          text: new RaisedText(),
          level: 0,
          list: null,
          isHidden: false,
          font: "",
          after: [],
        });
        return true;
      case "r": {
        const paragraph = this.#paragraphs.at(-1);
        const isHidden = (this.#runs.at(-1)?.isHidden ?? false) || paragraph?.isHidden === true;
        this.#runs.push({ isHidden, isRaised: false, font: paragraph?.font ?? "" });
        return true;
      }
      case "t":
        this.#inText++;
        return true;
      case "tab":
      case "ptab":
        if (this.#paragraphs.at(-1)?.text.isEmpty !== true) this.#space("\t");
        return true;
      case "br":
      case "cr":
        this.#space("\n");
        return true;
      case "noBreakHyphen":
        this.#say("-");
        return true;
      case "sym":
        this.#say(symbol(attributes));
        return true;
      case "instrText":
        this.#inInstruction++;
        return true;
      case "oMath":
        this.#formula = new FormulaReader();
        this.#formula.open(name, attributes);
        return true;
      case "docPr":
      case "cNvPr":
        this.#picture(attributes);
        return true;
      default:
        return false;
    }
  }

  #openProperty(name: string, attributes: Record<string, string>): boolean {
    const paragraph = this.#paragraphs.at(-1);
    const run = this.#inOtherProperties ? undefined : this.#runs.at(-1);
    switch (name) {
      case "pStyle":
        if (paragraph !== undefined) this.#applyStyle(paragraph, valueOf(attributes));
        return true;
      case "rStyle": {
        const style = this.#context.styles.get(valueOf(attributes));
        if (run === undefined || style === undefined) return true;
        run.isHidden ||= style.isHidden === true;
        run.font = style.font || run.font;
        return true;
      }
      case "vanish":
        // Outside a run it hides the mark at the paragraph's end.
        if (run !== undefined) run.isHidden = isOn(attributes);
        return true;
      case "vertAlign":
        if (run !== undefined) run.isRaised = valueOf(attributes) === "superscript";
        return true;
      case "rFonts":
        if (run !== undefined) run.font = fontOf(attributes) || run.font;
        return true;
      case "outlineLvl":
        if (paragraph !== undefined) paragraph.level = outlineLevel(valueOf(attributes)) || paragraph.level;
        return true;
      case "numPr":
        if (paragraph !== undefined) paragraph.list ??= { id: "", level: 0 };
        return true;
      case "ilvl":
        if (paragraph?.list != null) paragraph.list.level = Number(valueOf(attributes)) || 0;
        return true;
      case "numId":
        if (paragraph?.list != null) paragraph.list.id = valueOf(attributes);
        return true;
      default:
        return false;
    }
  }

  /** Tables, notes, content controls and fields. */
  #openPart(name: string, attributes: Record<string, string>): void {
    switch (name) {
      case "tbl":
        if (this.#tables.length < MAX_TABLES) this.#tables.push(new WordTable());
        else this.#flatTables++;
        break;
      case "trPr":
        this.#inRowProperties = true;
        break;
      case "pPr":
      case "sdtPr":
        this.#inOtherProperties = true;
        break;
      case "footnoteReference":
        this.#note("Footnote", this.#context.footnotes, attributes);
        break;
      case "endnoteReference":
        this.#note("Endnote", this.#context.endnotes, attributes);
        break;
      case "commentReference":
        this.#note("Comment", this.#context.comments, attributes);
        break;
      case "sdt":
        this.#controls.push(false);
        break;
      case "showingPlcHdr":
        if (this.#controls.length > 0) this.#controls[this.#controls.length - 1] = isOn(attributes);
        break;
      case "altChunk":
        this.#chunk(attribute(attributes, "id") ?? "");
        break;
      default: {
        if (attributes["alt"] !== undefined) this.#picture(attributes);
        const choice = this.#fields.open(name, attributes);
        if (choice !== "") this.#say(choice);
      }
    }
  }

  #applyStyle(paragraph: Paragraph, name: string): void {
    const style = this.#context.styles.get(name);
    if (style === undefined) return;
    paragraph.level ||= style.level;
    paragraph.isHidden = style.isHidden === true;
    paragraph.font = style.font;
    if (style.listId !== "") paragraph.list = { id: style.listId, level: style.listLevel };
  }

  get #isHidden(): boolean {
    return this.#fields.isHidden || this.#runs.at(-1)?.isHidden === true;
  }

  #say(text: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph === undefined || text === "" || this.#isHidden) return;
    paragraph.text.say(text, this.#runs.at(-1)?.isRaised === true);
    if (text.trim() === "") return;
    this.#fields.say();
    this.#alternatives.say();
  }

  #space(text: string): void {
    const paragraph = this.#paragraphs.at(-1);
    if (paragraph === undefined || this.#isHidden) return;
    paragraph.text.say(text, false);
  }

  /** Office says the words of a group again at what it holds. */
  #picture(attributes: Record<string, string>): void {
    const text = pictureText(attributes);
    if (text === "" || text === this.#lastPicture) return;
    this.#lastPicture = text;
    this.#say(text);
  }

  #closeFormula(): void {
    const line = this.#formula?.close() ?? null;
    if (line === null) return;
    this.#formula = null;
    if (this.#paragraphs.length > 0) this.#say(line);
    else if (this.#tables.length > 0) this.#tables.at(-1)?.cell.push(line);
    else this.#out.block(line);
  }

  #endParagraph(): void {
    const paragraph = this.#paragraphs.pop();
    if (paragraph === undefined) return;
    const said = paragraph.text.take().trim();
    const { list } = paragraph;
    // A list of the name 0 is none: it takes away what the style gives.
    const mark =
      list === null || list.id === "0" || said === "" ? "" : this.#context.numbering.next(list.id, list.level);
    const isBullet = mark === "-";
    const text = (isBullet || mark === "" ? "" : `${mark} `) + said;
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

  /** The table whose rows and cells begin and end here. */
  #rowTable(): WordTable | undefined {
    return this.#flatTables > 0 ? undefined : this.#tables.at(-1);
  }

  #endTable(): void {
    if (this.#flatTables > 0) {
      this.#flatTables--;
      return;
    }
    const table = this.#tables.pop();
    if (table === undefined) return;
    const outer = this.#tables.at(-1);
    if (outer !== undefined) {
      for (const row of table.rows) outer.cell.push(row.filter((cell) => cell !== "").join(" | "));
      return;
    }
    if (!table.isLayout) return this.#out.table(table.rows, true);
    for (const row of table.rows) for (const cell of row) this.#out.block(cell);
  }

  #note(label: string, notes: ReadonlyMap<string, string>, attributes: Record<string, string>): void {
    const text = notes.get(attribute(attributes, "id") ?? "");
    if (text === undefined || text === "" || this.#isHidden) return;
    this.#paragraphs.at(-1)?.after.push(`[${label}${text}]`);
  }

  #chunk(id: string): void {
    const document = this.#context.chunk(id);
    if (document === null) return;
    const cell = this.#tables.at(-1)?.cell;
    if (cell === undefined) this.#out.append(document, 0);
    else cell.push(document.text);
  }
}

function valueOf(attributes: Record<string, string>): string {
  return attribute(attributes, "val") ?? "";
}

/** A character by its code, in a symbol font or of no font's own. */
function symbol(attributes: Record<string, string>): string {
  const code = Number.parseInt(attribute(attributes, "char") ?? "", 16);
  if (!(code >= 0 && code <= 0x10ffff)) return "";
  const known = symbolText(attribute(attributes, "font") ?? "", code);
  if (known !== null) return known;
  // The private area means nothing outside its font.
  return code >= 0xe000 && code < 0xf900 ? "" : String.fromCodePoint(code);
}
