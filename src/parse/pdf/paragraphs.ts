import { runsRightToLeft } from "./direction.ts";
import type { Line } from "./painted.ts";
import { normalized } from "../../stream-safe.ts";

/** Lines of all pages -> paragraphs and headings, without what repeats at the edge of every page. */
export interface PdfBlock {
  text: string;
  /** 0 for running text. */
  headingLevel: number;
}

export interface PdfPage {
  number: number;
  lines: Line[];
  /** Paragraphs that OCR read on a page without text. */
  recognized?: string[];
}

export function blocksOfPages(pages: PdfPage[]): { number: number; blocks: PdfBlock[] }[] {
  dropRunningLines(pages);
  const body = bodyStyle(pages);
  const words = new WordList(pages);
  for (let i = 0; i + 1 < pages.length; i++) joinPageEnd(pages[i]!, pages[i + 1]!, words);
  const paragraphs = pages.map((page) => ({ ...page, groups: paragraphsOf(page.lines) }));
  const levels = headingSizes(
    paragraphs.flatMap((page) => page.groups),
    body,
  );
  return paragraphs.map(({ number, groups, recognized = [] }) => ({
    number,
    blocks: [
      ...groups.map((lines) => ({
        text: joinLines(lines, words),
        headingLevel: isHeading(lines, body) ? levelOf(lines, body, levels) : 0,
      })),
      ...recognized.map((text) => ({ text, headingLevel: 0 })),
    ],
  }));
}

interface BodyStyle {
  size: number;
  font: string;
}

function bodyStyle(pages: PdfPage[]): BodyStyle {
  const sizes = new Map<number, number>();
  const fonts = new Map<string, number>();
  for (const { lines } of pages) {
    for (const line of lines) {
      const size = roundSize(line.size);
      sizes.set(size, (sizes.get(size) ?? 0) + line.text.length);
      fonts.set(line.font, (fonts.get(line.font) ?? 0) + line.text.length);
    }
  }
  return { size: commonest(sizes) ?? 10, font: commonest(fonts) ?? "" };
}

function commonest<K>(counts: Map<K, number>): K | undefined {
  let best: K | undefined;
  let most = -1;
  for (const [key, count] of counts) {
    if (count > most) {
      most = count;
      best = key;
    }
  }
  return best;
}

function roundSize(size: number): number {
  return Math.round(size * 2) / 2;
}

const BULLET = /^(?:[•‣◦▪●○■□–—*·∙]|\(?[0-9a-zA-Z]{1,3}[.)])\s/;
const SENTENCE_END = /[.!?:;…。！？]["'”’»)\]]*$/;

function paragraphsOf(lines: Line[]): Line[][] {
  const leading = medianLeading(lines);
  const out: Line[][] = [];
  for (const line of lines) {
    const group = out.at(-1);
    const last = group?.at(-1);
    if (group === undefined || last === undefined || startsParagraph(line, last, group, leading)) out.push([line]);
    else group.push(line);
  }
  return out;
}

function startsParagraph(line: Line, last: Line, group: Line[], leading: number): boolean {
  if (line.angle !== last.angle || line.vertical !== last.vertical) return true;
  if (line.vertical) return false;
  if (Math.abs(line.size - last.size) > 0.12 * Math.max(line.size, last.size)) return true;
  const drop = last.y - line.y;
  const size = Math.max(line.size, last.size);
  if (drop < -0.5 * size) return SENTENCE_END.test(last.text) || !/^\p{Ll}/u.test(line.text);
  if (drop > 1.35 * Math.max(leading, size)) return true;
  if (
    line.font !== last.font &&
    last.text.length < 90 &&
    !SENTENCE_END.test(last.text) &&
    group.length === 1 &&
    /^\p{Lu}/u.test(line.text)
  )
    return true;
  if (BULLET.test(line.text)) return true;
  const indent = line.x0 - last.x0;
  const closed = SENTENCE_END.test(last.text);
  return group.length > 1 && closed && indent > 0.8 * size && indent < 6 * size;
}

function medianLeading(lines: Line[]): number {
  const drops: number[] = [];
  for (let i = 1; i < lines.length; i++) {
    const drop = lines[i - 1]!.y - lines[i]!.y;
    if (drop > 0 && drop < 4 * lines[i]!.size) drops.push(drop);
  }
  drops.sort((a, b) => a - b);
  return drops[drops.length >> 1] ?? 0;
}

function isHeading(lines: Line[], body: BodyStyle): boolean {
  const first = lines[0]!;
  const length = lines.reduce((sum, line) => sum + line.text.length, 0);
  if (lines.length > 3 || length > 160 || length < 2 || first.vertical) return false;
  if (!/\p{L}/u.test(first.text) || lines.some((line) => line.text.includes("\t"))) return false;
  if (first.size >= 1.15 * body.size) return true;
  const distinct = lines.every((line) => line.font !== body.font) && first.size >= 0.97 * body.size;
  return distinct && lines.length === 1 && length < 90 && !/[.,;]$/.test(first.text) && /^[\p{Lu}\d]/u.test(first.text);
}

function headingSizes(groups: Line[][], body: BodyStyle): number[] {
  const sizes = new Set<number>();
  for (const lines of groups) if (isHeading(lines, body)) sizes.add(roundSize(lines[0]!.size));
  return [...sizes].sort((a, b) => b - a);
}

function levelOf(lines: Line[], body: BodyStyle, sizes: number[]): number {
  const size = roundSize(lines[0]!.size);
  const base = Math.min(1 + sizes.indexOf(size), 5);
  const numbered = /^\d+((?:\.\d+)*)\.?\s/.exec(lines[0]!.text);
  if (numbered !== null && size <= 1.4 * body.size) return Math.min(6, base + numbered[1]!.split(".").length - 1);
  return base;
}

/** Words of the document, to tell a hyphen that breaks a word from one that belongs to it. */
class WordList {
  readonly #words = new Set<string>();

  constructor(pages: PdfPage[]) {
    for (const { lines } of pages) {
      for (const line of lines) {
        for (const [word] of line.text.matchAll(/\p{L}+(?:-\p{L}+)*/gu)) this.#words.add(word.toLowerCase());
      }
    }
  }

  joins(left: string, right: string): boolean {
    const joined = (left + right).toLowerCase();
    if (this.#words.has(joined)) return true;
    return !this.#words.has(`${left}-${right}`.toLowerCase());
  }
}

/** Lines at a page's edge that may stand between the two halves of a word: folios, running titles, footnotes. */
const LINES_AT_PAGE_END = 8;
const LINES_AT_PAGE_TOP = 3;

/** A word parted by the end of its page is put together where it begins. */
function joinPageEnd(page: PdfPage, next: PdfPage, words: WordList): void {
  const upright = (line: Line | undefined): line is Line => line !== undefined && !line.vertical;
  const end = page.lines.slice(-LINES_AT_PAGE_END).findLast((line) => upright(line) && PARTED.test(line.text));
  if (end === undefined) return;
  // What follows it on its page must not be the rest of the same text.
  const after = page.lines.slice(page.lines.indexOf(end) + 1);
  if (after.some((line) => isSameText(line, end) && line.text.length > 40)) return;
  const top = next.lines.slice(0, LINES_AT_PAGE_TOP);
  const start = top.find((line) => upright(line) && isSameText(line, end) && /^\p{Ll}/u.test(line.text));
  const rest = start === undefined ? null : /^\p{Ll}[\p{L}\p{M}]*[^\s\p{L}]*/u.exec(start.text)?.[0];
  if (start === undefined || !rest) return;
  const joined = acrossHyphen(end.text, rest, words);
  if (joined === null) return;
  end.text = joined + rest;
  start.text = start.text.slice(rest.length).trimStart();
  if (start.text === "") next.lines = next.lines.filter((line) => line !== start);
}

const PARTED = /\p{L}[-\u00ad\u2010]$/u;

function isSameText(line: Line, other: Line): boolean {
  return line.angle === other.angle && Math.abs(line.size - other.size) < 0.06 * other.size;
}

const CJK_EDGE = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]/;

function joinLines(lines: Line[], words: WordList): string {
  const right = Math.max(...lines.map((line) => line.x1));
  const left = Math.min(...lines.map((line) => line.x0));
  let text = "";
  lines.forEach((line, i) => {
    const last = lines[i - 1];
    if (last === undefined) {
      text = line.text;
      return;
    }
    const hyphenated = acrossHyphen(text, line.text, words);
    if (hyphenated !== null) {
      text = hyphenated + line.text;
      return;
    }
    const isRow = last.text.includes("\t") || line.text.includes("\t");
    const full = runsRightToLeft(last.text)
      ? last.x0 < right - 0.75 * (right - left)
      : last.x1 > left + 0.75 * (right - left);
    const flows = !isRow && !last.isWhole && (full || last.vertical);
    const tight = CJK_EDGE.test(text.at(-1) ?? "") && CJK_EDGE.test(line.text[0] ?? "");
    text += (flows ? (tight && !last.vertical ? "" : last.vertical ? "\n" : " ") : "\n") + line.text;
  });
  return normalise(text);
}

/** What stands before the rest of a word that a line's end has parted; null where none is parted. */
function acrossHyphen(text: string, next: string, words: WordList): string | null {
  const hyphen = /(\p{L}+)[-\u00ad\u2010]$/u.exec(text);
  const rest = /^\p{Ll}+/u.exec(next);
  if (hyphen !== null && rest !== null) {
    const isSoft = text.endsWith("\u00ad") || words.joins(hyphen[1]!, rest[0]);
    return isSoft ? text.slice(0, -1) : text;
  }
  // Soft only in a word: SS-2541-03 keeps its hyphens wherever its lines end.
  return /[\p{L}\p{N}]\u00ad$/u.test(text) && /^[\p{L}\p{N}]/u.test(next) ? `${text.slice(0, -1)}-` : null;
}

/** Ligatures and Arabic presentation forms are drawing, not spelling. */
const PRESENTATION = /[\ufb00-\ufb06\ufb13-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]+/g;

function normalise(text: string): string {
  return (
    text
      .replace(PRESENTATION, (run) => normalized(run, "NFKC"))
      // Drawn within a line it is a hyphen like any other.
      .replace(/\u00ad/g, "-")
      .replace(/[ \u00a0]{2,}/g, " ")
  );
}

const EDGE_LINES = 3;

/** Headers and footers that repeat from page to page are kept once; page numbers not at all. */
function dropRunningLines(pages: PdfPage[]): void {
  if (pages.length < 3) return;
  const seen = new Map<string, number>();
  for (const page of pages) {
    for (const line of edgeLines(page)) {
      for (const key of new Set(runningKeys(line, page.number))) seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  const often = Math.max(3, Math.ceil(pages.length * 0.25));
  const kept = new Set<string>();
  for (const page of pages) {
    const drop = new Set<Line>();
    for (const line of edgeLines(page)) {
      const keys = runningKeys(line, page.number);
      const key = keys.find((candidate) => (seen.get(candidate) ?? 0) >= often);
      if (key === undefined) continue;
      // A number that counts with the pages is left out everywhere; words stay where they come first.
      const isPageNumber = key !== keys[0] && !/\p{L}{3}/u.test(line.text);
      if (kept.has(key) || isPageNumber) drop.add(line);
      kept.add(key);
    }
    // A page of nothing else is not a running line but the page's text.
    if (drop.size > 0 && drop.size < page.lines.length) page.lines = page.lines.filter((line) => !drop.has(line));
  }
}

function edgeLines(page: PdfPage): Set<Line> {
  const upright = page.lines.filter((line) => !line.vertical).sort((a, b) => b.y - a.y);
  return new Set([...upright.slice(0, EDGE_LINES), ...upright.slice(-EDGE_LINES)]);
}

/**
 * Equal for the same line on different pages: as it stands, or with a number that counts with the
 * pages taken out. Rows that differ in other numbers are text.
 */
function runningKeys(line: Line, page: number): string[] {
  const place = Math.round(line.y / 6);
  const text = line.text.trim();
  const keys = [`${text}@${place}`];
  for (const match of text.matchAll(/\d{1,5}/g)) {
    if (keys.length > 6) break;
    const rest = `${text.slice(0, match.index)}#${text.slice(match.index + match[0].length)}`;
    keys.push(`${rest}@${place}@${Number(match[0]) - page}`);
  }
  if (/^[\s\-–—.]*[ivxlcdm]+[\s\-–—.]*$/i.test(text)) keys.push(`roman@${place}`);
  return keys;
}
