import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";

/**
 * Markdown keeps its text as written; headings, tables and front matter are only noted. Code fences
 * are respected, since "# comment" in them is no heading.
 */
export function parseMarkdown(text: string, out: DocumentBuilder): void {
  const start = out.raw(text);
  const bodyStart = readFrontMatter(text, out);
  let fence: string | null = null;
  let tableStart = -1;
  let header = "";
  let previous = "";
  let previousStart = -1;
  for (const { line, at } of linesFrom(text, bodyStart)) {
    const offset = start + at;
    const fenceMark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fenceMark !== undefined) {
      if (fence === null) fence = fenceMark;
      else if (fenceMark.startsWith(fence[0]!) && fenceMark.length >= fence.length) fence = null;
    }
    const plain = fence === null && fenceMark === undefined;
    const atx = plain ? /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/.exec(line) : null;
    const isTableRow = plain && line.includes("|");
    if (tableStart >= 0 && !isTableRow) {
      out.regionAt(tableStart, offset, header);
      tableStart = -1;
    }
    if (atx !== null && (atx[2] ?? "") !== "") {
      out.breakAt(offset, BREAK.section);
      out.headingAt(atx[1]!.length, inlineText(atx[2]!), offset);
    } else if (plain && /^ {0,3}(?:=+|-+)[ \t]*$/.test(line) && isSetextText(previous)) {
      out.breakAt(start + previousStart, BREAK.section);
      out.headingAt(line.trim().startsWith("=") ? 1 : 2, inlineText(previous), start + previousStart);
    } else if (isTableRow) {
      if (tableStart < 0 && TABLE_RULE.test(line) && previous.includes("|")) {
        tableStart = start + previousStart;
        header = previous.replace(/^\s*\||\|\s*$/g, "").trim();
        out.breakAt(tableStart, BREAK.row);
      } else if (tableStart >= 0) {
        out.breakAt(offset, BREAK.row);
      }
    }
    previous = plain ? line : "";
    previousStart = at;
  }
  if (tableStart >= 0) out.regionAt(tableStart, start + text.length, header);
}

const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function isSetextText(line: string): boolean {
  return line.trim() !== "" && line.length < 200 && !/^\s*(?:[-*+>#|]|\d+[.)])/.test(line);
}

function* linesFrom(text: string, from: number): Generator<{ line: string; at: number }> {
  for (let at = from; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    yield { line: text.slice(at, stop), at };
    at = stop + 1;
  }
}

/** Text of a heading without its marks. */
function inlineText(text: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]+>/g, "")
    .replace(/`+([^`]+)`+/g, "$1")
    .replace(/\*{1,3}([^*]+)\*{1,3}/g, "$1")
    .replace(/(^|\W)_{1,3}([^_]+)_{1,3}(?=\W|$)/g, "$1$2")
    .replace(/\s*\{#[^}]*\}\s*$/, "");
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
  if (found === null) return 0;
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

/** How much a text of unknown name looks like Markdown: distinct kinds of marks in its first lines. */
export function looksLikeMarkdown(text: string): boolean {
  const head = text.slice(0, 20_000);
  let marks = 0;
  if (/^#{1,6} \S/m.test(head)) marks += 2;
  if (/^(?:```|~~~)/m.test(head)) marks += 2;
  if (/\[[^\]\n]+\]\([^)\s]+\)/.test(head)) marks += 2;
  if (/^\s*\|?\s*:?-{3,}:?\s*\|/m.test(head)) marks += 1;
  if (/\*\*[^*\n]+\*\*/.test(head)) marks += 1;
  if (/^\s*[-*+] \S/m.test(head)) marks += 1;
  if (/^\S.*\n(?:={3,}|-{3,})\s*$/m.test(head)) marks += 1;
  return marks >= 3;
}
