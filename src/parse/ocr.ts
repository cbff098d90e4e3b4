import type { DocumentBuilder } from "./builder.ts";
import { joinCells, type Word } from "./ocr-rows.ts";

/**
 * Text in pictures. Parsing itself recognises nothing: it names the pages that need it (`scanned`), gives their
 * pictures one by one, and is run again with what an OCR program made of them. Who runs that program bounds it.
 */

/** What an OCR program is given: a file of one picture that says by its first bytes what it is. */
export interface Picture {
  bytes: Uint8Array;
  /** Which picture of the file, from 0, where a file has several. */
  frame: number | null;
  /** Dots per inch, where known. */
  dpi: number | null;
}

/** One page after OCR, or why it has no text: the program failed, or a bound was reached before its turn. */
export type RecognizedPage =
  | { number: number; outcome: "read"; paragraphs: string[]; doubtful: boolean }
  | { number: number; outcome: "failed" | "skipped" };

export interface ReadPage {
  paragraphs: string[];
  /** So many words were guessed that the text is not to be relied on. */
  doubtful: boolean;
}

/** A line guessed worse than this, in percent, is a picture's texture. */
const LEAST_LINE_CONFIDENCE = 30;
const LEAST_PAGE_CONFIDENCE = 65;
/** A gap of this many line heights parts the cells of a row. */
const CELL_GAP = 2.2;

/** Tesseract's tab-separated values of one page -> paragraphs in its reading order. */
export function readTsv(tsv: string): ReadPage {
  const lines = linesOf(wordsOf(tsv));
  const words = lines.flat();
  const paragraphs = joinCells(lines).map((part) =>
    part.type === "rows" ? part.rows.map((row) => row.map(lineText).join("\t")).join("\n") : joinLines(part.lines),
  );
  const letters = (list: readonly Word[]) => list.reduce((sum, word) => sum + word.text.length, 0);
  const sure = words.reduce((sum, word) => sum + word.confidence * word.text.length, 0);
  return {
    paragraphs: paragraphs.filter((text) => text !== ""),
    doubtful: words.length > 0 && sure / letters(words) < LEAST_PAGE_CONFIDENCE,
  };
}

function wordsOf(tsv: string): Word[] {
  const out: Word[] = [];
  for (const row of tsv.split("\n")) {
    const [level, , block = "", paragraph, line, , left, top, width, height, confidence, ...rest] = row.split("\t");
    const text = rest.join(" ").trim();
    if (level !== "5" || text === "" || Number(confidence) < 0) continue;
    out.push({
      block,
      paragraph: `${block}.${paragraph}`,
      line: `${block}.${paragraph}.${line}`,
      left: Number(left),
      right: Number(left) + Number(width),
      top: Number(top),
      height: Number(height),
      confidence: Number(confidence),
      text,
    });
  }
  return out;
}

function linesOf(words: readonly Word[]): Word[][] {
  return [...Map.groupBy(words, (word) => word.line).values()].filter((line) => {
    const sum = line.reduce((total, word) => total + word.confidence, 0);
    return sum / line.length >= LEAST_LINE_CONFIDENCE && line.some((word) => /[\p{L}\p{N}]/u.test(word.text));
  });
}

/** Lines that reach the paragraph's right edge flow on; the others end there, as those of verse and tables do. */
function joinLines(lines: readonly (readonly Word[])[]): string {
  const left = Math.min(...lines.flat().map((word) => word.left));
  const right = Math.max(...lines.flat().map((word) => word.right));
  let text = "";
  let flows = false;
  for (const line of lines) {
    const next = lineText(line);
    const isRow = next.includes("\t");
    if (text === "") text = next;
    else if (/\p{L}[-\u2010]$/u.test(text) && /^\p{Ll}/u.test(next)) text = text.slice(0, -1) + next;
    else text += (flows && !isRow ? " " : "\n") + next;
    flows = !isRow && (line.at(-1)?.right ?? 0) > left + 0.75 * (right - left);
  }
  return text.replace(BETWEEN_CJK, "$1").trim();
}

/** Tesseract parts the characters of scripts that are written without spaces. */
const BETWEEN_CJK = /([\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]) (?=[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef])/g;

function lineText(line: readonly Word[]): string {
  const heights = line.map((word) => word.height).toSorted((a, b) => a - b);
  const height = heights[heights.length >> 1] ?? 0;
  return line
    .map((word, i) => {
      const before = line[i - 1];
      if (before === undefined) return word.text;
      return (word.left - before.right > CELL_GAP * height ? "\t" : " ") + word.text;
    })
    .join("");
}

/** Says what was recognised, what is doubtful, and what is missing. */
export function warnAboutOcr(out: DocumentBuilder, recognized: readonly RecognizedPage[]): void {
  const pages = (test: (page: RecognizedPage) => boolean) => recognized.filter(test).map((page) => page.number);
  const read = pages((page) => page.outcome === "read" && page.paragraphs.length > 0);
  const doubtful = pages((page) => page.outcome === "read" && page.doubtful && page.paragraphs.length > 0);
  const failed = pages((page) => page.outcome === "failed");
  const skipped = pages((page) => page.outcome === "skipped");
  const was = (numbers: number[]) => (numbers.length === 1 ? "was" : "were");
  if (read.length > 0)
    out.warnings.push(`${listPages(read)} ${was(read)} recognised by OCR, which misreads some words.`);
  if (doubtful.length > 0) out.warnings.push(`${listPages(doubtful)} ${was(doubtful)} hard to read for OCR.`);
  if (failed.length > 0) out.warnings.push(`${listPages(failed)} could not be recognised by OCR.`);
  if (skipped.length > 0)
    out.warnings.push(`${listPages(skipped)} ${was(skipped)} not recognised: OCR is bounded in pages and in time.`);
}

/** "Page 3", "Pages 1, 2, 5" or "Pages 1, … and 12 more". */
export function listPages(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 10).join(", ");
  const more = numbers.length > 10 ? ` and ${numbers.length - 10} more` : "";
  return `${numbers.length === 1 ? "Page" : "Pages"} ${shown}${more}`;
}
