/**
 * What a file becomes: one text with its places and structure. Everything after parsing (chunks,
 * /content, citations) works on this alone, so the original is never read twice.
 *
 * Offsets count UTF-16 units of `text`. Chunks, which clients see, count Unicode code points.
 */

export interface ParsedDocument {
  /** The whole text, lines ended by "\n"; no NUL, no lone surrogate, no byte order mark. */
  text: string;
  /** Pages, slides or sheets, 1-based, in order; null where the format has none. */
  pages: PageSpan[] | null;
  headings: Heading[];
  breaks: Breaks;
  /** Tables and record lists: inside them only their own rows are places to cut. */
  regions: Region[];
  /** Format the content turned out to be: "pdf", "html", "markdown", "code", "json", "text", … */
  kind: string;
  title: string | null;
  /** What the document says about itself: author, created, modified (ISO 8601), language, … */
  metadata: Record<string, string | number | boolean>;
  /** Short sentences for people: doubtful encoding, skipped pages, … */
  warnings: string[];
  /** Pages that hold no text but pictures, which OCR may read. */
  scanned: number[];
}

export interface PageSpan {
  number: number;
  start: number;
  end: number;
}

export interface Heading {
  /** 1 is the outermost. */
  level: number;
  text: string;
  start: number;
}

/**
 * Places where a cut does not hurt, ascending by offset; a cut there starts a new chunk at the
 * offset. Only rows, units and sections are recorded: paragraphs, lines and sentences are found in
 * the text itself when a chunk needs them.
 */
export interface Breaks {
  offsets: Uint32Array;
  ranks: Uint8Array;
}

/** How good a place a break is, worst first. */
export const BREAK = { line: 1, row: 2, paragraph: 3, unit: 4, section: 5 } as const;
export type BreakRank = (typeof BREAK)[keyof typeof BREAK];

export interface Region {
  start: number;
  end: number;
  /** Header row of a table, given to every chunk that starts below it. */
  header: string | null;
}

export type ParseFailure = { code: "unsupported_file" | "invalid_file"; message: string };

/** A failure may come with the pages that OCR could read. */
export type ParseResult =
  | { ok: true; document: ParsedDocument }
  | { ok: false; error: ParseFailure; scanned: number[] };

/** OpenAI's sentence for a file that nothing here reads. */
export const UNSUPPORTED_MESSAGE = "The file type is not supported.";

/** Ends a parse with an answer for the user; only parseDocument catches it. */
export class ParseError extends Error {
  readonly code: ParseFailure["code"];
  readonly scanned: number[];
  constructor(code: ParseFailure["code"], message: string, scanned: number[] = []) {
    super(message);
    this.name = "ParseError";
    this.code = code;
    this.scanned = scanned;
  }
}

export function invalidFile(message: string): ParseError {
  return new ParseError("invalid_file", message);
}

export function unsupportedFile(): ParseError {
  return new ParseError("unsupported_file", UNSUPPORTED_MESSAGE);
}
