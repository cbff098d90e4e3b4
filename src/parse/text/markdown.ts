import type { DocumentBuilder } from "../builder.ts";
import type { BreakRank } from "../document.ts";
import { BREAK } from "../document.ts";
import { decodeEntities } from "./escapes.ts";
import type { MarkdownLine } from "./markdown-lines.ts";
import { markdownLines } from "./markdown-lines.ts";

/**
 * Markdown keeps its text as written but for entities and escaped signs, which hide words; headings, tables and front
 * matter are only noted.
 */
export function parseMarkdown(text: string, out: DocumentBuilder): void {
  const bodyStart = readFrontMatter(text, out);
  const parts = [text.slice(0, bodyStart)];
  const outline = new Outline();
  let length = bodyStart;
  for (const { line, at, kind, isNested } of markdownLines(text, bodyStart)) {
    const shown = kind === "code" ? line : plainSigns(line);
    outline.add({ line, at: length, kind, isNested });
    const withEnd = at + line.length < text.length ? `${shown}\n` : shown;
    parts.push(withEnd);
    length += withEnd.length;
  }
  const start = out.raw(parts.join(""));
  outline.write(out, start, start + length);
}

interface Mark {
  offset: number;
  rank: BreakRank;
  heading: { level: number; text: string } | null;
}

const TABLE_RULE = /^\s*(?:\|\s*)?:?-+:?\s*(?:\|\s*:?-+:?\s*)*(?:\|\s*)?$/;
const ATX_START = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const UNDERLINE = /^ {0,3}(?:=+|-+)[ \t]*$/;
/** Longer paragraphs over a rule are no headings, whatever CommonMark makes of them. */
const MAX_UNDERLINED = 300;

/** Headings and tables, by line. */
class Outline {
  readonly #marks: Mark[] = [];
  readonly #tables: { start: number; end: number; header: string }[] = [];
  /** The paragraph that an underline would make a heading of. */
  #paragraph: { lines: string[]; at: number } | null = null;
  #table: { start: number; header: string } | null = null;
  #previous = "";
  #previousAt = -1;

  add({ line, at, kind, isNested }: MarkdownLine): void {
    const isText = kind === "text";
    const isRow = isText && line.includes("|");
    if (this.#table !== null && !isRow) this.#closeTable(at);
    const atx = isText && !isNested ? atxHeading(line) : null;
    const under = isText && !isNested && UNDERLINE.test(line) ? this.#underlined() : null;
    if (atx !== null) {
      if (atx.text !== "") this.#heading(at, atx.level, atx.text);
    } else if (under !== null) {
      this.#heading(under.at, line.trim().startsWith("=") ? 1 : 2, under.lines.join(" "));
    } else if (isRow) {
      this.#row(line, at);
    }
    this.#remember(line, at, isText && !isNested && atx === null && under === null);
    this.#previous = isText ? line : "";
    this.#previousAt = at;
  }

  write(out: DocumentBuilder, start: number, end: number): void {
    if (this.#table !== null) this.#closeTable(end - start);
    for (const { offset, rank, heading } of this.#marks.toSorted((a, b) => a.offset - b.offset)) {
      out.breakAt(start + offset, rank);
      if (heading !== null) out.headingAt(heading.level, heading.text, start + offset);
    }
    for (const table of this.#tables) out.regionAt(start + table.start, start + table.end, table.header);
  }

  #heading(offset: number, level: number, text: string): void {
    this.#marks.push({ offset, rank: BREAK.section, heading: { level, text: inlineText(text.slice(0, MAX_HEADING)) } });
  }

  #row(line: string, at: number): void {
    if (this.#table === null && TABLE_RULE.test(line) && this.#previous.includes("|")) {
      this.#table = { start: this.#previousAt, header: this.#previous.replace(/^\s*\||\|\s*$/g, "").trim() };
      this.#marks.push({ offset: this.#previousAt, rank: BREAK.row, heading: null });
    } else if (this.#table !== null) {
      this.#marks.push({ offset: at, rank: BREAK.row, heading: null });
    }
  }

  #closeTable(end: number): void {
    this.#tables.push({ ...this.#table!, end });
    this.#table = null;
  }

  #remember(line: string, at: number, isPlain: boolean): void {
    if (!isPlain || line.trim() === "" || /^ {0,3}(?:[-*_][ \t]*){3,}$/.test(line)) this.#paragraph = null;
    else if (this.#paragraph === null) this.#paragraph = { lines: [line.trim()], at };
    else if (this.#paragraph.lines.length < 8) this.#paragraph.lines.push(line.trim());
  }

  #underlined(): { lines: string[]; at: number } | null {
    const paragraph = this.#paragraph;
    if (paragraph === null || paragraph.lines.length >= 8 || paragraph.lines.some((line) => line.startsWith("|")))
      return null;
    return paragraph.lines.join(" ").length > MAX_UNDERLINED ? null : paragraph;
  }
}

/** Nobody reads more of a heading than that; its marks are looked for in no more. */
const MAX_HEADING = 2000;

/** A heading that begins with "#", without the signs that may close it. */
function atxHeading(line: string): { level: number; text: string } | null {
  const start = ATX_START.exec(line);
  if (start === null) return null;
  const from = start[0].length;
  const end = beforeBlanks(line, line.length, from);
  let close = end;
  while (close > from && line[close - 1] === "#") close--;
  const isClosed = close < end && close > from && isBlank(line[close - 1]!);
  const text = line.slice(from, isClosed ? beforeBlanks(line, close, from) : end);
  return NO_LINE.test(text) ? null : { level: start[1]!.length, text };
}

/** What ends a line elsewhere is in no heading. */
const NO_LINE = /[\r\u2028\u2029]/;

function isBlank(sign: string): boolean {
  return sign === " " || sign === "\t";
}

function beforeBlanks(line: string, end: number, least: number): number {
  let at = end;
  while (at > least && isBlank(line[at - 1]!)) at--;
  return at;
}

const BACKTICKS = /`+/g;
const ESCAPED_SIGN = /\\([!"#$%&'*+,\-./:;<=>?@^_`~])/g;

/** A line with its entities and escaped signs decoded, code spans left alone. */
function plainSigns(line: string): string {
  if (!/[\\&]/.test(line)) return line;
  const plain = (part: string): string => decodeEntities(part).replace(ESCAPED_SIGN, "$1");
  if (!line.includes("`")) return plain(line);
  let out = "";
  let done = 0;
  for (const [start, end] of codeSpans(line)) {
    out += plain(line.slice(done, start)) + line.slice(start, end);
    done = end;
  }
  return out + plain(line.slice(done));
}

/** Code spans reach from a run of backticks to the next one that is as long. */
function* codeSpans(line: string): Generator<[start: number, end: number]> {
  const runs = [...line.matchAll(BACKTICKS)].map(({ 0: { length }, index }) => ({ length, index }));
  const next = new Map<number, number>();
  const closing = runs.map(() => -1);
  for (let i = runs.length - 1; i >= 0; i--) {
    const { length } = runs[i]!;
    closing[i] = next.get(length) ?? -1;
    next.set(length, i);
  }
  for (let i = 0; i < runs.length; i++) {
    const close = closing[i]!;
    if (close < 0) continue;
    yield [runs[i]!.index, runs[close]!.index + runs[close]!.length];
    i = close;
  }
}

/** Markup that a line of text may hold; any other "<T>" is what somebody writes about. */
const INLINE_TAG =
  /<\/?(?:a|abbr|b|bdi|big|br|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)(?:\s+[\w:-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?)*\s*\/?>|<!--.*?-->/gi;

/** Text of a heading without its marks. */
function inlineText(text: string): string {
  const spans = text.split(/(`+[^`]+`+)/);
  return spans
    .map((part, i) => (i % 2 === 1 ? part.replace(/^`+ ?| ?`+$/g, "") : plainSigns(unmarked(part))))
    .join("")
    .replace(/\s*\{#[^}]*\}\s*$/, "");
}

function unmarked(text: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<((?:https?|mailto):[^<>\s]+)>/g, "$1")
    .replace(INLINE_TAG, "")
    .replace(/(?<!\\)\*{1,3}(?=\S)([^*]*[^*\s])\*{1,3}/g, "$1")
    .replace(/(^|\W)_{1,3}(?=\S)([^_]*[^_\s])_{1,3}(?=\W|$)/g, "$1$2");
}

const FRONT_MATTER_KEYS: Record<string, string> = {
  author: "author",
  description: "description",
  date: "created",
  lang: "language",
  language: "language",
  keywords: "keywords",
};

/** Simple "key: value" lines between two rules at the top; returns where the body starts. */
function readFrontMatter(text: string, out: DocumentBuilder): number {
  const found = /^---[ \t]*\n([^]*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)/.exec(text.slice(0, 16_384));
  if (found === null) return readTomlMatter(text, out);
  for (const line of found[1]!.split("\n")) {
    const pair = /^([A-Za-z][\w.-]*):\s+(.+)$/.exec(line);
    if (pair === null) continue;
    const value = pair[2]!
      .trim()
      .replace(/^(["'])(.*)\1$/, "$2")
      .slice(0, 500);
    const key = pair[1]!.toLowerCase();
    if (key === "title") out.title = value;
    else if (Object.hasOwn(FRONT_MATTER_KEYS, key)) out.metadata[FRONT_MATTER_KEYS[key]!] = value;
  }
  return found[0].length;
}

/** The same between lines of "+++", as "key = value". */
function readTomlMatter(text: string, out: DocumentBuilder): number {
  const found = /^\+\+\+[ \t]*\n([^]*?)\n\+\+\+[ \t]*(?:\n|$)/.exec(text.slice(0, 16_384));
  if (found === null) return 0;
  for (const [, key, value] of found[1]!.matchAll(/^([A-Za-z][\w.-]*)[ \t]*=[ \t]*["']?(.+?)["']?[ \t]*$/gm)) {
    const name = key!.toLowerCase();
    if (name === "title") out.title ??= value!.slice(0, 500);
    else if (Object.hasOwn(FRONT_MATTER_KEYS, name)) out.metadata[FRONT_MATTER_KEYS[name]!] ??= value!.slice(0, 500);
  }
  return found[0].length;
}

/** How much a text of unknown name looks like Markdown: distinct kinds of marks in its first lines. */
export function looksLikeMarkdown(text: string): boolean {
  const head = text.slice(0, 20_000);
  let marks = 0;
  if (/^#{1,6} \S/m.test(head)) marks += 2;
  if (/^(?:```|~~~)/m.test(head)) marks += 2;
  if (/\[[^\]\n]+\]\([^)\s]+\)/.test(head)) marks += 2;
  if (/^[^\S\n]*(?:\|[^\S\n]*)?:?-{3,}:?\s*\|/m.test(head)) marks += 1;
  if (/\*\*[^*\n]+\*\*/.test(head)) marks += 1;
  if (/^[^\S\n]*[-*+] \S/m.test(head)) marks += 1;
  if (/^\S.*\n(?:={3,}|-{3,})\s*$/m.test(head)) marks += 1;
  return marks >= 3;
}
