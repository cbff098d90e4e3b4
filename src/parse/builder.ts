import type { BreakRank, Heading, PageSpan, ParsedDocument, Region } from "./document.ts";
import { BREAK, invalidFile } from "./document.ts";

/**
 * Collects a document's text piece by piece together with its structure. Blocks are separated by a
 * blank line, rows and lines by a line end; the separators are written before the next piece, so
 * that offsets recorded at a piece's start are exact.
 */
export class DocumentBuilder {
  readonly #parts: string[] = [];
  readonly #headings: Heading[] = [];
  readonly #offsets: number[] = [];
  readonly #ranks: number[] = [];
  readonly #regions: Region[] = [];
  readonly #pages: PageSpan[] = [];
  readonly #maxLength: number;
  #length = 0;
  #pending = "";
  #pageStart = -1;
  #pageNumber = 0;
  #regionStart = -1;
  title: string | null = null;
  readonly metadata: Record<string, string | number | boolean> = {};
  readonly warnings: string[] = [];

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get length(): number {
    return this.#length;
  }

  /** A paragraph or other block; empty text is ignored. */
  block(text: string, rank: BreakRank = BREAK.paragraph): void {
    this.#add(text.trim(), "\n\n", rank);
  }

  /** A line that belongs to the block before it: a list item, a row, a line of verse. */
  line(text: string, rank: BreakRank = BREAK.line): void {
    this.#add(text.trim(), "\n", rank);
  }

  heading(level: number, text: string): void {
    const clean = oneLine(text);
    if (clean === "") return;
    this.#add(clean, "\n\n", BREAK.section);
    this.#headings.push({ level, text: label(clean), start: this.#length - clean.length });
  }

  /** Text exactly as it is, with structure given as offsets into it. */
  raw(text: string, rank: BreakRank = BREAK.paragraph): number {
    this.#add(text, "\n\n", rank);
    return this.#length - text.length;
  }

  /** Marks a break inside text that was added by raw(). Offsets must ascend. */
  breakAt(offset: number, rank: BreakRank): void {
    this.#mark(offset, rank);
  }

  headingAt(level: number, text: string, start: number): void {
    const clean = oneLine(text);
    if (clean !== "") this.#headings.push({ level, text: label(clean), start });
  }

  regionAt(start: number, end: number, header: string | null): void {
    if (end > start) this.#regions.push({ start, end, header: header === null ? null : label(header) });
  }

  /** Rows as lines of cells; the first one is the header where asked. */
  table(rows: string[][], hasHeader: boolean): void {
    const lines = rows.map(rowText).filter((line) => line !== "");
    const first = lines[0];
    if (first === undefined) return;
    this.beginRegion(lines.length > 1 && hasHeader ? first : null);
    for (const line of lines) this.line(line, BREAK.row);
    this.endRegion();
  }

  #regionHeader: string | null = null;

  beginRegion(header: string | null): void {
    this.endRegion();
    this.gap();
    this.#regionStart = this.#length;
    this.#regionHeader = header === null ? null : label(oneLine(header), MAX_ROW_LABEL);
  }

  endRegion(): void {
    if (this.#regionStart < 0) return;
    const from = this.#regionStart + (this.#regionStart > 0 ? 2 : 0);
    if (this.#length > from) {
      this.#regions.push({ start: from, end: this.#length, header: this.#regionHeader });
    }
    this.#regionStart = -1;
    this.gap();
  }

  /** Starts page, slide or sheet `number`; it ends where the next one starts. */
  page(number: number): void {
    this.#closePage();
    this.gap();
    this.#pageNumber = number;
    this.#pageStart = this.#length;
  }

  /** Another document as a part of this one: its text and structure, not its pages. */
  append(document: ParsedDocument, levelShift: number): void {
    if (document.text.trim() === "") return;
    this.gap();
    const { offsets, ranks } = document.breaks;
    const start = this.raw(document.text);
    offsets.forEach((offset, i) => this.#mark(start + offset, ranks[i]!));
    for (const heading of document.headings) {
      this.#headings.push({ ...heading, level: heading.level + levelShift, start: start + heading.start });
    }
    for (const region of document.regions) {
      this.#regions.push({ ...region, start: start + region.start, end: start + region.end });
    }
    this.gap();
  }

  /** The next piece starts after a blank line. */
  gap(): void {
    if (this.#length > 0) this.#pending = "\n\n";
  }

  build(kind: string): ParsedDocument {
    this.#closePage();
    return {
      text: this.#parts.join(""),
      pages: this.#pages.length > 0 ? this.#pages : null,
      headings: this.#headings,
      breaks: { offsets: new Uint32Array(this.#offsets), ranks: new Uint8Array(this.#ranks) },
      regions: this.#regions,
      kind,
      title: this.title,
      metadata: this.metadata,
      warnings: this.warnings,
      scanned: [],
    };
  }

  #add(text: string, separator: string, rank: number): void {
    if (text === "") return;
    const sound = clean(text);
    const glue = this.#length === 0 ? "" : this.#pending.length > separator.length ? this.#pending : separator;
    this.#pending = "";
    this.#length += glue.length;
    if (this.#length + sound.length > this.#maxLength) {
      throw invalidFile("The file holds more text than this server accepts in one document.");
    }
    if (glue !== "") this.#parts.push(glue);
    this.#mark(this.#length, rank);
    this.#parts.push(sound);
    this.#length += sound.length;
  }

  #mark(offset: number, rank: number): void {
    // Lines and paragraphs are seen in the text itself; only what it does not show is kept.
    if (rank < BREAK.row || rank === BREAK.paragraph) return;
    const last = this.#offsets.length - 1;
    if (last >= 0 && this.#offsets[last] === offset) {
      this.#ranks[last] = Math.max(this.#ranks[last]!, rank);
      return;
    }
    this.#offsets.push(offset);
    this.#ranks.push(rank);
  }

  #closePage(): void {
    if (this.#pageStart < 0) return;
    this.endRegion();
    const glue = this.#pageStart > 0 ? 2 : 0;
    const start = Math.min(this.#pageStart + glue, this.#length);
    this.#pages.push({ number: this.#pageNumber, start, end: Math.max(start, this.#length) });
    this.#pageStart = -1;
  }
}

// A lone surrogate or NUL in stored text breaks SQLite, JSON clients and code point offsets; both have length 1,
// so the replacement keeps every offset.
const UNSOUND = /[\0\ufffe\uffff]/;
const ALL_UNSOUND = /[\0\ufffe\uffff]/g;

function clean(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return UNSOUND.test(wellFormed) ? wellFormed.replace(ALL_UNSOUND, " ") : wellFormed;
}

export function oneLine(text: string): string {
  return text.replace(UNEVEN_BLANKS, " ").trim();
}

/** White space that is more or other than one blank: hardly any is. */
const UNEVEN_BLANKS = /[^\S ]\s*| \s+/g;

/**
 * Headings and header rows are said again with each passage below them, so that long ones would cost the square of a
 * document: what is kept of them is its beginning. The text itself keeps all of it.
 */
const MAX_LABEL = 1000;
const MAX_ROW_LABEL = 400;

function label(text: string, most = MAX_LABEL): string {
  if (text.length <= most) return text;
  const isCut = (text.charCodeAt(most - 1) & 0xfc00) === 0xd800;
  return text.slice(0, isCut ? most - 1 : most);
}

/** Cells of one row in one line; trailing empty cells are dropped. */
export function rowText(cells: string[]): string {
  let last = cells.length;
  while (last > 0 && cells[last - 1]!.trim() === "") last--;
  return cells.slice(0, last).map(oneLine).join(" | ").trim();
}
