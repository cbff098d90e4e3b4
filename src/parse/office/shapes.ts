import { FormulaReader } from "../formula.ts";
import { markRaised, raisedStart } from "../raised.ts";
import { RowSpans } from "../row-spans.ts";
import { isSymbolFont, symbolsRead } from "../symbol-fonts.ts";
import { unescaped } from "../sheets/ooxml-strings.ts";
import { attribute, readXml } from "../xml.ts";
import { Alternatives } from "./alternatives.ts";
import { pictureText } from "./pictures.ts";

/** Shapes of DrawingML, as slides and the drawings of sheets have them: text boxes, tables, and words for pictures. */
export type Shape = TextShape | TableShape;

export interface TextShape {
  type: "text";
  /** The placeholder that the shape fills: "title", "body", "ftr", …; "" for none, "pic" for words about a picture. */
  kind: string;
  paragraphs: string[];
}

export interface TableShape {
  type: "table";
  rows: string[][];
}

export function shapesOf(bytes: Uint8Array): Shape[] {
  const reader = new ShapeReader();
  readXml(bytes, reader);
  return reader.shapes;
}

interface OpenTable {
  rows: string[][];
  spans: RowSpans;
  cell: string[] | null;
  rowSpan: number;
  isContinued: boolean;
}

class ShapeReader {
  readonly shapes: Shape[] = [];
  readonly #alternatives = new Alternatives();
  #shape: TextShape | null = null;
  #table: OpenTable | null = null;
  #formula: FormulaReader | null = null;
  #paragraph = "";
  #inText = 0;
  /** The font of the letters of the run that is open, and that of its symbols; "" for none. */
  #font = "";
  #symbolFont = "";
  #isRaised = false;
  /** Where raised characters begin that may be an exponent; -1 for none. */
  #raisedAt = -1;
  #lastPicture = "";

  open(name: string, attributes: Record<string, string>): void {
    if (this.#formula !== null) return this.#formula.open(name, attributes);
    if (this.#alternatives.open(name)) return;
    switch (name) {
      case "sp":
      case "cxnSp":
        this.#shape = { type: "text", kind: "", paragraphs: [] };
        break;
      case "cNvPr":
        this.#picture(attributes);
        break;
      case "ph":
        if (this.#shape !== null) this.#shape.kind = attributes["type"] ?? "body";
        break;
      case "p":
        this.#paragraph = "";
        break;
      case "r":
      case "fld":
        this.#font = "";
        this.#symbolFont = "";
        this.#isRaised = false;
        break;
      case "rPr":
        this.#isRaised = Number.parseInt(attributes["baseline"] ?? "0", 10) > 0;
        break;
      case "sym":
        this.#symbolFont = attributes["typeface"] ?? "";
        break;
      case "latin":
        this.#font = attributes["typeface"] ?? "";
        break;
      case "t":
        this.#inText++;
        break;
      case "br":
        this.#settleRaised();
        this.#paragraph += "\n";
        break;
      case "tab":
        this.#paragraph += "\t";
        break;
      case "oMath":
        this.#formula = new FormulaReader();
        this.#formula.open(name, attributes);
        break;
      default:
        this.#openTable(name, attributes);
    }
  }

  text(text: string): void {
    if (this.#formula !== null) return this.#formula.text(text);
    if (this.#inText === 0 || this.#alternatives.isSkipping) return;
    if (!this.#isRaised) this.#settleRaised();
    else if (this.#raisedAt < 0) this.#raisedAt = raisedStart(this.#paragraph);
    const isWhole = isSymbolFont(this.#font);
    this.#paragraph += symbolsRead(text, isWhole ? this.#font : this.#symbolFont, isWhole);
    if (text.trim() !== "") this.#alternatives.say();
  }

  close(name: string): void {
    if (this.#formula !== null) return this.#closeFormula();
    if (this.#alternatives.close(name)) return;
    if (name === "t") this.#inText--;
    else if (name === "p") this.#endParagraph();
    else if ((name === "sp" || name === "cxnSp") && this.#shape !== null) {
      if (this.#shape.paragraphs.length > 0 || this.#shape.kind !== "") this.shapes.push(this.#shape);
      this.#shape = null;
    } else this.#closeTable(name);
  }

  #closeFormula(): void {
    const line = this.#formula?.close() ?? null;
    if (line === null) return;
    this.#formula = null;
    if (line !== "") this.#alternatives.say();
    this.#paragraph += line;
  }

  /** Office says the words of a group or chart again at what it holds. */
  #picture(attributes: Record<string, string>): void {
    const text = pictureText(attributes);
    if (text === "" || text === this.#lastPicture) return;
    this.#lastPicture = text;
    this.#alternatives.say();
    this.shapes.push({ type: "text", kind: "pic", paragraphs: [text] });
  }

  #settleRaised(): void {
    this.#paragraph = markRaised(this.#paragraph, this.#raisedAt);
    this.#raisedAt = -1;
  }

  #endParagraph(): void {
    this.#settleRaised();
    const text = unescaped(this.#paragraph).replace(/\v/g, "\n").trim();
    this.#paragraph = "";
    if (text === "") return;
    const paragraphs = this.#table?.cell ?? this.#shape?.paragraphs;
    paragraphs?.push(text);
  }

  #openTable(name: string, attributes: Record<string, string>): void {
    if (name === "tbl") {
      this.#table = { rows: [], spans: new RowSpans(), cell: null, rowSpan: 1, isContinued: false };
    } else if (this.#table === null) return;
    else if (name === "tr") this.#table.rows.push([]);
    else if (name === "tc") {
      this.#table.cell = [];
      this.#table.rowSpan = Number(attribute(attributes, "rowSpan")) || 1;
      this.#table.isContinued = /^(?:1|true)$/.test(attribute(attributes, "vMerge") ?? "");
    }
  }

  #closeTable(name: string): void {
    const table = this.#table;
    if (table === null) return;
    const cells = table.rows.at(-1);
    if (name === "tc" && table.cell !== null && cells !== undefined) {
      const row = table.rows.length;
      const column = cells.length;
      const text = table.cell.join("\n");
      table.cell = null;
      if (table.isContinued && text === "") cells.push(table.spans.label(row, column));
      else {
        table.spans.begin(row, column, { lastRow: row + table.rowSpan - 1, text });
        cells.push(text);
      }
    } else if (name === "tbl") {
      this.shapes.push({ type: "table", rows: table.rows });
      this.#table = null;
    }
  }
}
