import { Parser } from "htmlparser2";

import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { HtmlTable, isDataTable } from "./html-tables.ts";

/**
 * HTML -> the text a reader sees: headings, paragraphs, lists and table rows; no scripts, styles or
 * navigation. A streaming parser, so nesting of any depth costs no stack. Nothing is ever fetched.
 */
const XML_START = /^\s*<\?xml\s/;

/** In XHTML, which says so at its start or by what holds it, `<title/>` is an element without content. */
export function parseHtml(html: string, out: DocumentBuilder, isXhtml = XML_START.test(html)): void {
  const before = out.length;
  run(html, out, true, isXhtml);
  // Some pages mark everything as navigation or hide it until a script runs.
  if (out.length === before) run(html, out, false, isXhtml);
}

const NEVER = new Set([
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "iframe",
  "canvas",
  "audio",
  "video",
  "object",
  "embed",
  "map",
  "datalist",
]);
const CHROME = new Set(["nav", "aside", "footer", "menu", "dialog"]);
const BLOCKS = new Set(
  (
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 " +
    "header hgroup hr html legend li main menu nav ol optgroup option p pre section select summary table tbody td textarea tfoot th thead tr ul caption"
  ).split(" "),
);
const OPTIONS = new Set(["option", "optgroup", "hr"]);
const VOID = new Set([
  "area",
  "base",
  "br",
  "col",
  "embed",
  "frame",
  "hr",
  "img",
  "input",
  "link",
  "meta",
  "param",
  "source",
  "track",
  "wbr",
]);

function run(html: string, out: DocumentBuilder, strict: boolean, recognizeSelfClosing: boolean): void {
  const writer = new HtmlWriter(out, strict);
  const parser = new Parser(writer, { decodeEntities: true, lowerCaseTags: true, recognizeSelfClosing });
  parser.write(html);
  parser.end();
}

class HtmlWriter {
  readonly #out: DocumentBuilder;
  readonly #strict: boolean;
  #text = "";
  #skipDepth = 0;
  #skipTags: string[] = [];
  #preDepth = 0;
  #articleDepth = 0;
  #heading: { level: number } | null = null;
  #lists: ("ul" | { next: number })[] = [];
  #item = "";
  #inTitle = false;
  #title = "";
  #tables: HtmlTable[] = [];
  /** Options of the drop-down that is open. */
  #options: { text: string; selected: boolean }[] | null = null;

  constructor(out: DocumentBuilder, strict: boolean) {
    this.#out = out;
    this.#strict = strict;
  }

  onopentag(tag: string, attributes: Record<string, string>): void {
    if (this.#skipDepth > 0) {
      if (!VOID.has(tag)) this.#enterSkipped(tag);
      return;
    }
    if (this.#skips(tag, attributes)) {
      this.#flush();
      if (!VOID.has(tag)) this.#enterSkipped(tag);
      return;
    }
    if (this.#options !== null) {
      if (tag === "option") this.#options.push({ text: "", selected: "selected" in attributes });
      if (!BLOCKS.has(tag) || OPTIONS.has(tag)) return;
      // Whatever else begins here: the drop-down was never closed.
      this.#closeOptions();
    }
    if (BLOCKS.has(tag)) this.#flush();
    this.#open(tag, attributes);
  }

  #open(tag: string, attributes: Record<string, string>): void {
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
        this.#tables.push(new HtmlTable());
        break;
      case "tr":
        this.#table()?.beginRow();
        break;
      case "td":
      case "th":
        this.#table()?.beginCell(tag === "th", attributes);
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
    const option = this.#options?.at(-1);
    if (option !== undefined && this.#skipDepth === 0) option.text += text;
    else if (this.#inTitle) this.#title += text;
    else if (this.#skipDepth === 0) this.#text += this.#preDepth > 0 ? text : text.replace(/[ \t\r\n\f]+/g, " ");
  }

  onclosetag(tag: string): void {
    if (this.#skipDepth > 0) {
      this.#leaveSkipped(tag);
      return;
    }
    if (tag === "title" && this.#inTitle) {
      this.#inTitle = false;
      this.#out.title ??= oneLine(this.#title).slice(0, 500) || null;
    }
    if (this.#options !== null) {
      if (BLOCKS.has(tag) && (tag === "select" || !OPTIONS.has(tag))) this.#closeOptions();
      else return;
    }
    if (BLOCKS.has(tag)) this.#flush();
    switch (tag) {
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
        this.#closeTable();
        break;
    }
  }

  onend(): void {
    if (this.#options !== null) this.#closeOptions();
    this.#flush();
    while (this.#tables.length > 0) this.#closeTable();
  }

  #skips(tag: string, attributes: Record<string, string>): boolean {
    if (NEVER.has(tag)) return true;
    if (!this.#strict || tag === "html" || tag === "body" || tag === "main") return false;
    if ("hidden" in attributes || attributes["aria-hidden"] === "true") return true;
    if (/display\s*:\s*none/i.test(attributes["style"] ?? "")) return true;
    return this.#articleDepth === 0 && (CHROME.has(tag) || attributes["role"] === "navigation");
  }

  #enterSkipped(tag: string): void {
    this.#skipDepth++;
    this.#skipTags.push(tag);
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
    const indent = "  ".repeat(Math.max(0, this.#lists.length - 1));
    return list === undefined || list === "ul" ? `${indent}- ` : `${indent}${list.next++}. `;
  }

  #table(): HtmlTable | undefined {
    return this.#tables.at(-1);
  }

  /** Ends the current block: into the open cell inside a table, else into the document. */
  #flush(): void {
    const raw = this.#text;
    this.#text = "";
    const text = this.#preDepth > 0 ? raw.replace(/\s+$/, "") : tidy(raw);
    if (text.trim() === "") return;
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

function tidy(text: string): string {
  return text
    .replace(/[ \t\u00a0]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

const META_NAMES: Record<string, string> = {
  author: "author",
  "dc.creator": "author",
  "article:author": "author",
  description: "description",
  "og:description": "description",
  keywords: "keywords",
  "article:published_time": "created",
  "dc.date": "created",
  date: "created",
  "article:modified_time": "modified",
};

/** Encoding that a page declares in its first bytes, read as the HTML standard's prescan does in essence. */
export function htmlCharset(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 4096))
    .toString("latin1")
    .replace(/<!--[^]*?-->/g, "");
  const meta = /<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  return meta ?? xmlCharset(bytes);
}

/** Encoding named by an XML declaration. */
export function xmlCharset(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 400)).toString("latin1");
  return /^\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1] ?? null;
}
