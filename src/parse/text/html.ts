import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { FormulaReader } from "../formula.ts";
import { MarkupParser } from "../markup-parser.ts";
import { markRaised, raisedStart } from "../raised.ts";
import { Drawing } from "./html-drawing.ts";
import { HtmlSymbols } from "./html-symbols.ts";
import { HtmlTable, isDataTable } from "./html-tables.ts";
import { SHOWN, tidy } from "./markup-text.ts";
import { BLOCKS, isAmidWords, isCustom, isLeftOut, META_NAMES, OPTIONS, SENTENCES, VOID } from "./html-tags.ts";

/**
 * HTML -> the text a reader sees or can unfold: headings, paragraphs, lists, table rows, formulas and the labels of
 * drawings; no scripts, styles or navigation. A streaming parser, so nesting of any depth costs no stack. Nothing is
 * ever fetched.
 */
/** Blanks that are more or other than one space, as which they are shown. */
const UNEVEN_BLANKS = /[\t\r\n\f][ \t\r\n\f]*| [ \t\r\n\f]+/g;
const ROWS_START = /^[\ufeff\s]*<(?:caption|colgroup|tbody|td|tfoot|th|thead|tr)[\s>]/i;
const XML_START = /^\s*<\?xml\s/;

/** In XHTML, which says so at its start or by what holds it, `<title/>` is an element without content. */
export function parseHtml(html: string, out: DocumentBuilder, isXhtml = XML_START.test(html)): void {
  const before = out.length;
  run(html, out, { isStrict: true, isXhtml });
  // Some pages mark everything as navigation or hide it until a script runs.
  if (out.length === before) run(html, out, { isStrict: false, isXhtml });
}

function run(html: string, out: DocumentBuilder, { isStrict, isXhtml }: { isStrict: boolean; isXhtml: boolean }): void {
  const writer = new HtmlWriter(out, isStrict);
  const parser = new MarkupParser(writer, { decodeEntities: true, lowerCaseTags: true, recognizeSelfClosing: isXhtml });
  // Rows without their table, as exports leave them.
  if (ROWS_START.test(html.slice(0, 1000))) parser.write("<table>");
  parser.write(html);
  parser.end();
}

class HtmlWriter {
  readonly #out: DocumentBuilder;
  readonly #strict: boolean;
  /** Of a long block all but its end, which is what is looked at while it comes. */
  #settled = "";
  #hasSettledWords = false;
  #text = "";
  #skipDepth = 0;
  #skipTags: string[] = [];
  #preDepth = 0;
  #articleDepth = 0;
  #sentenceDepth = 0;
  #drawing: Drawing | null = null;
  #formula: FormulaReader | null = null;
  #formulaIsBlock = false;
  /** Open elements of the page's own making, and whether each is a block. */
  #customs: { tag: string; isBlock: boolean }[] = [];
  /** Where such an element amid words ended; -1 once more text has come. */
  #customEnd = -1;
  /** Where raised characters behind a number begin: "10<sup>6". */
  #raisedAt = -1;
  #heading: { level: number } | null = null;
  #lists: ("ul" | { next: number })[] = [];
  readonly #symbols = new HtmlSymbols();
  #item = "";
  #inTitle = false;
  #title = "";
  #tables: HtmlTable[] = [];
  /** Open tables below the deepest one that has rows. */
  #flatTables = 0;
  /** Options of the drop-down that is open. */
  #options: { text: string; selected: boolean }[] | null = null;

  constructor(out: DocumentBuilder, strict: boolean) {
    this.#out = out;
    this.#strict = strict;
  }

  onopentag(tag: string, attributes: Record<string, string>): void {
    if (this.#formula !== null) {
      this.#formula.open(tag, attributes);
      return;
    }
    if (tag === "rb") this.#leaveGuide();
    if (this.#skipDepth > 0) {
      if (!VOID.has(tag)) this.#enterSkipped(tag);
      return;
    }
    if (isLeftOut(tag, attributes, { isStrict: this.#strict, inArticle: this.#articleDepth > 0 })) {
      if (!isAmidWords(tag)) this.#flush();
      if (!VOID.has(tag)) this.#enterSkipped(tag);
      return;
    }
    if (this.#options !== null) {
      if (tag === "option") this.#options.push({ text: "", selected: "selected" in attributes });
      if (!BLOCKS.has(tag) || OPTIONS.has(tag)) return;
      // Whatever else begins here: the drop-down was never closed.
      this.#closeOptions();
    }
    this.#symbols.open(tag, attributes);
    if (BLOCKS.has(tag)) this.#flush();
    if (tag === "math" || tag.endsWith(":math")) this.#openFormula(attributes);
    else if (this.#drawing !== null || tag === "svg") this.#openInDrawing(tag, attributes);
    else if (isCustom(tag)) this.#openCustom(tag);
    else this.#open(tag, attributes);
  }

  #openFormula(attributes: Record<string, string>): void {
    this.#formulaIsBlock = attributes["display"] === "block";
    if (this.#formulaIsBlock && this.#sentenceDepth === 0) this.#flush();
    this.#formula = new FormulaReader();
    this.#formula.open("math", attributes);
  }

  #closeFormula(line: string): void {
    this.#formula = null;
    const touches = /[\p{L}\p{N}]$/u.test(this.#text.slice(-2)) && /^[\p{L}\p{N}]/u.test(line);
    this.#text += (touches ? " " : "") + line;
    this.#settle();
    if (this.#formulaIsBlock && this.#sentenceDepth === 0) this.#flush();
  }

  #openInDrawing(tag: string, attributes: Record<string, string>): void {
    if (this.#drawing === null) {
      this.#drawing = new Drawing(attributes);
      return;
    }
    this.#drawing.open(tag);
    if (this.#drawing.isLabel(tag)) this.#flush();
    else if (tag === "tspan" && ("x" in attributes || "y" in attributes || "dy" in attributes)) this.#text += " ";
    else if (this.#drawing.showsText) this.#open(tag, attributes);
  }

  /** A block, unless it stands in a sentence. */
  #openCustom(tag: string): void {
    const isBlock = this.#sentenceDepth === 0 && !this.#hasSettledWords && this.#text.trim() === "";
    this.#customs.push({ tag, isBlock });
    if (isBlock) this.#flush();
    else if (this.#customEnd === this.#text.length) this.#text += " ";
  }

  #closeCustom(tag: string): void {
    const at = this.#customs.findLastIndex((open) => open.tag === tag);
    if (at < 0) return;
    const isBlock = this.#customs[at]!.isBlock;
    this.#customs.length = at;
    if (isBlock) this.#flush();
    else this.#customEnd = this.#text.length;
  }

  #open(tag: string, attributes: Record<string, string>): void {
    if (SENTENCES.has(tag)) this.#sentenceDepth++;
    switch (tag) {
      case "title":
        this.#inTitle = this.#title === "";
        break;
      case "meta":
        this.#meta(attributes);
        break;
      case "html":
        if ((attributes["lang"] ?? "") !== "") this.#out.metadata["language"] = attributes["lang"]!.slice(0, 40);
        break;
      case "br":
        this.#text += "\n";
        break;
      case "sup":
        this.#raisedAt = raisedStart(this.#text);
        break;
      case "a":
        // The number of a note.
        this.#raisedAt = -1;
        break;
      case "pre":
      case "textarea":
      case "listing":
        this.#preDepth++;
        break;
      case "article":
      case "main":
        this.#articleDepth++;
        break;
      case "ul":
      case "menu":
      case "dir":
        this.#lists.push("ul");
        break;
      case "ol":
        this.#lists.push({ next: Number.parseInt(attributes["start"] ?? "1", 10) || 1 });
        break;
      case "li":
        this.#item = this.#listMark();
        break;
      case "img":
        this.#image(attributes);
        break;
      case "h1":
      case "h2":
      case "h3":
      case "h4":
      case "h5":
      case "h6":
        this.#heading = { level: Number(tag[1]) };
        break;
      case "table":
        if (this.#tables.length < MAX_TABLES) this.#tables.push(new HtmlTable());
        else this.#flatTables++;
        break;
      case "button":
        this.#text += " ";
        break;
      case "tbody":
        this.#rowTable()?.endGroup();
        break;
      case "tr":
        this.#rowTable()?.beginRow();
        break;
      case "td":
      case "th":
        this.#rowTable()?.beginCell(tag === "th", attributes);
        break;
      case "select":
        this.#options = [];
        break;
      case "input":
        this.#input(attributes);
        break;
    }
  }

  /** What somebody has typed into a form that was saved. */
  #input({ type = "text", value = "" }: Record<string, string>): void {
    if (/^(?:text|search|email|tel|url|number|date|datetime-local|month|week|time)$/i.test(type))
      this.#text += ` ${value} `;
  }

  /** What a drop-down shows while it is closed: what is chosen, else its first option. */
  #closeOptions(): void {
    const options = this.#options ?? [];
    this.#options = null;
    const chosen = options.filter((option) => option.selected);
    this.#text += (chosen.length > 0 ? chosen : options.slice(0, 1)).map((option) => oneLine(option.text)).join(", ");
    this.#flush();
  }

  ontext(text: string): void {
    if (this.#formula !== null) {
      this.#formula.text(text);
      return;
    }
    if (this.#drawing !== null && !this.#drawing.showsText) return;
    const option = this.#options?.at(-1);
    if (option !== undefined && this.#skipDepth === 0) option.text += text;
    else if (this.#inTitle) this.#title += text;
    else if (this.#skipDepth === 0) {
      const read = this.#symbols.read(text);
      this.#text += this.#preDepth > 0 ? read : read.replace(UNEVEN_BLANKS, " ");
      this.#settle();
    }
  }

  onclosetag(tag: string): void {
    if (this.#formula !== null) {
      const line = this.#formula.close();
      if (line !== null) this.#closeFormula(line);
      return;
    }
    if (this.#skipDepth > 0) {
      this.#leaveSkipped(tag);
      return;
    }
    this.#symbols.close(tag);
    if (tag === "title" && this.#inTitle) {
      this.#inTitle = false;
      this.#out.title ??= oneLine(this.#title).slice(0, 500) || null;
    }
    if (this.#options !== null) {
      if (BLOCKS.has(tag) && (tag === "select" || !OPTIONS.has(tag))) this.#closeOptions();
      else return;
    }
    if (BLOCKS.has(tag)) this.#flush();
    if (this.#drawing !== null) {
      if (this.#drawing.isLabel(tag)) this.#flush();
      if (this.#drawing.close(tag)) this.#drawing = null;
    } else if (isCustom(tag)) {
      this.#closeCustom(tag);
    }
    this.#close(tag);
  }

  #close(tag: string): void {
    if (SENTENCES.has(tag)) this.#sentenceDepth = Math.max(0, this.#sentenceDepth - 1);
    switch (tag) {
      case "button":
        this.#text += " ";
        break;
      case "sup":
        this.#text = markRaised(this.#text, this.#raisedAt);
        this.#raisedAt = -1;
        break;
      case "pre":
      case "textarea":
      case "listing":
        this.#preDepth = Math.max(0, this.#preDepth - 1);
        break;
      case "article":
      case "main":
        this.#articleDepth = Math.max(0, this.#articleDepth - 1);
        break;
      case "ul":
      case "ol":
      case "menu":
      case "dir":
        this.#lists.pop();
        if (this.#lists.length === 0) this.#gap();
        break;
      case "h1":
      case "h2":
      case "h3":
      case "h4":
      case "h5":
      case "h6":
        this.#heading = null;
        break;
      case "table":
        if (this.#flatTables > 0) this.#flatTables--;
        else this.#closeTable();
        break;
    }
  }

  onend(): void {
    if (this.#options !== null) this.#closeOptions();
    this.#flush();
    while (this.#tables.length > 0) this.#closeTable();
  }

  #enterSkipped(tag: string): void {
    this.#skipDepth++;
    this.#skipTags.push(tag);
  }

  /** Where bases and guides alternate, a base may end the guide before it without a closing tag. */
  #leaveGuide(): void {
    if (/^(?:rt|rp|rtc)$/.test(this.#skipTags.at(-1) ?? "")) this.#leaveSkipped(this.#skipTags.at(-1)!);
  }

  #leaveSkipped(tag: string): void {
    const at = this.#skipTags.lastIndexOf(tag);
    if (at < 0) return;
    this.#skipTags.length = at;
    this.#skipDepth = at;
  }

  #meta(attributes: Record<string, string>): void {
    const name = (attributes["name"] ?? attributes["property"] ?? "").toLowerCase();
    const content = oneLine(attributes["content"] ?? "").slice(0, 500);
    const key = META_NAMES[name];
    if (key !== undefined && content !== "") this.#out.metadata[key] ??= content;
  }

  #image(attributes: Record<string, string>): void {
    const alt = oneLine(attributes["alt"] ?? "");
    if (alt.length > 3) this.#text += ` ${alt} `;
  }

  #listMark(): string {
    const list = this.#lists.at(-1);
    const indent = "  ".repeat(Math.min(MAX_INDENT, Math.max(0, this.#lists.length - 1)));
    return list === undefined || list === "ul" ? `${indent}- ` : `${indent}${list.next++}. `;
  }

  #table(): HtmlTable | undefined {
    return this.#tables.at(-1);
  }

  /** The table whose rows and cells begin here. */
  #rowTable(): HtmlTable | undefined {
    return this.#flatTables > 0 ? undefined : this.#table();
  }

  /** Looking at the end of a string that grows copies all of it, so that only little may be left to look at. */
  #settle(): void {
    if (this.#text.length < MAX_TAIL || this.#raisedAt >= 0) return;
    const cut = this.#text.length - LEAST_TAIL;
    const settled = this.#text.slice(0, cut);
    this.#settled += settled;
    this.#hasSettledWords ||= settled.trim() !== "";
    this.#text = this.#text.slice(cut);
    this.#customEnd = Math.max(-1, this.#customEnd - cut);
  }

  /** Ends the current block: into the open cell inside a table, else into the document. */
  #flush(): void {
    const raw = this.#settled + this.#text;
    this.#settled = "";
    this.#hasSettledWords = false;
    this.#text = "";
    const text = this.#preDepth > 0 ? raw.replace(/\s+$/, "") : tidy(raw);
    this.#customEnd = -1;
    this.#raisedAt = -1;
    if (!SHOWN.test(text)) return;
    const cell = this.#table()?.openCell;
    const marked = this.#item + text;
    const isItem = this.#item !== "";
    this.#item = "";
    if (cell !== undefined) {
      cell.text += (cell.text === "" ? "" : "\n") + marked;
      cell.hasHeading ||= this.#heading !== null;
    } else if (this.#heading !== null) {
      this.#out.heading(this.#heading.level, text);
    } else if (isItem) {
      this.#out.line(marked);
    } else if (this.#preDepth > 0) {
      this.#out.raw(text);
    } else {
      this.#out.block(text);
    }
  }

  #gap(): void {
    if (this.#tables.length === 0) this.#out.gap();
  }

  #closeTable(): void {
    const table = this.#tables.pop();
    if (table === undefined) return;
    table.endRow();
    const rows = table.rows.filter((row) => row.some((cell) => cell.text !== ""));
    const outer = this.#table()?.openCell;
    if (outer !== undefined) {
      const text = rows
        .map((row) =>
          row
            .map((cell) => oneLine(cell.text))
            .filter((cell) => cell !== "")
            .join(" | "),
        )
        .join("\n");
      outer.text += (outer.text === "" ? "" : "\n") + text;
    } else if (isDataTable(rows)) {
      this.#out.table(
        rows.map((row) => row.map((cell) => cell.text)),
        table.hasHeader,
      );
    } else {
      for (const row of rows) for (const cell of row) if (!cell.isRepeated) this.#out.block(cell.text);
    }
  }
}

const MAX_TAIL = 4096;
const LEAST_TAIL = 64;
/** Levels of nested lists that are shown; what lies deeper stands below the last of them. */
const MAX_INDENT = 99;
/** The text of a table in a table is copied into each one around it: deeper ones are text of their cell. */
const MAX_TABLES = 50;
