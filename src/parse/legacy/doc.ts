import { DocumentBuilder } from "../builder.ts";
import { DocLayout } from "./doc-layout.ts";
import type { ParagraphProperties, Piece } from "./doc-layout.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { decodeAs, decodeText } from "../text/encoding.ts";
import type { ParseLimits } from "../limits.ts";
import { fieldText } from "./field-text.ts";
import type { OleFile } from "./ole.ts";
import { readSummary } from "./ole-summary.ts";

/** Word before 2007: the text by its piece table; cells, fields and heading styles resolved. */
export function parseDoc(ole: OleFile, limits: ParseLimits): ParsedDocument {
  const main = ole.read("WordDocument");
  if (main === null || main.length < 0x60) throw invalidFile("The document is damaged: its text is missing.");
  const view = new DataView(main.buffer, main.byteOffset, main.byteLength);
  const flags = view.getUint16(0x0a, true);
  if ((flags & 0x0100) !== 0)
    throw invalidFile("The document is encrypted and needs a password to open. Upload a copy without a password.");
  const out = new DocumentBuilder(limits.maxTextLength);
  readSummary(ole, out);
  if (view.getUint16(2, true) < 0xc1 || main.length < 0x1aa) {
    writeBody(paragraphsOf(oldText(main, view), 0, null), out);
    return out.build("doc");
  }
  const table = ole.read((flags & 0x0200) !== 0 ? "1Table" : "0Table");
  if (table === null) throw invalidFile("The document is damaged: the table of its text is missing.");
  const pieces = readPieces(view, table, main.length);
  const text = pieces.map((piece) => pieceText(main, piece)).join("");
  const [ccpText, ccpFootnotes, ccpHeaders, ccpMacros, ccpComments, ccpEndnotes, ccpBoxes, ccpHeaderBoxes] = [
    0x4c, 0x50, 0x54, 0x58, 0x5c, 0x60, 0x64, 0x68,
  ].map((at) => view.getUint32(at, true));
  let at = 0;
  const take = (length = 0): string => text.slice(at, (at += length));
  const body = take(ccpText);
  const footnotes = take(ccpFootnotes);
  const headers = take(ccpHeaders);
  take(ccpMacros);
  const comments = take(ccpComments);
  const endnotes = take(ccpEndnotes);
  const boxes = take(ccpBoxes);
  writeBody(paragraphsOf(body, 0, new DocLayout(main, view, table, pieces)), out);
  for (const box of lines(boxes)) out.block(box);
  for (const note of [...lines(footnotes), ...lines(endnotes)]) out.line(`[Footnote: ${note}]`);
  for (const comment of lines(comments)) out.line(`[Comment: ${comment}]`);
  for (const line of new Set([...lines(headers), ...lines(take(ccpHeaderBoxes))])) out.block(line);
  return out.build("doc");
}

/** Word 95 and 6: one run of bytes in the system's code page. */
function oldText(main: Uint8Array, view: DataView): string {
  const start = view.getUint32(0x18, true);
  const end = Math.min(main.length, view.getUint32(0x1c, true));
  const bytes = main.subarray(start, Math.max(start, end)).map((byte) => (byte === 0x0d ? 0x0a : byte));
  return decodeText(bytes).text.replaceAll("\n", "\r");
}

function readPieces(main: DataView, table: Uint8Array, mainLength: number): Piece[] {
  const start = main.getUint32(0x1a2, true);
  const clx = table.subarray(start, start + main.getUint32(0x1a6, true));
  const view = new DataView(clx.buffer, clx.byteOffset, clx.byteLength);
  let at = 0;
  while (at + 3 <= clx.length && clx[at] === 1) at += 3 + view.getUint16(at + 1, true);
  if (clx[at] !== 2 || at + 5 > clx.length)
    throw invalidFile("The document is damaged: the table of its text cannot be read.");
  const from = at + 5;
  const count = Math.floor((Math.min(view.getUint32(at + 1, true), clx.length - from) - 4) / 12);
  const pieces: Piece[] = [];
  let position = 0;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(from + 4 * (i + 1), true) - view.getUint32(from + 4 * i, true);
    const place = view.getUint32(from + 4 * (count + 1) + 8 * i + 2, true);
    const isNarrow = (place & 0x40000000) !== 0;
    const offset = isNarrow ? (place & 0x3fffffff) >>> 1 : place & 0x3fffffff;
    const width = isNarrow ? 1 : 2;
    if (length <= 0 || offset >= mainLength) continue;
    const sound = Math.min(length, Math.floor((mainLength - offset) / width));
    pieces.push({ start: position, length: sound, offset, width });
    position += sound;
  }
  return pieces;
}

function pieceText(main: Uint8Array, { offset, length, width }: Piece): string {
  return decodeAs(main.subarray(offset, offset + length * width), width === 1 ? "windows-1252" : "utf-16le");
}

interface Paragraph {
  text: string;
  isCell: boolean;
  properties: ParagraphProperties;
}

const PLAIN: ParagraphProperties = { headingLevel: 0, isRowEnd: false };

interface Field {
  instruction: string;
  /** Whether what follows is the field's result. */
  isOver: boolean;
  /** What it shows by its instruction alone; its result says the same again. */
  shown: string | null;
}

const MAX_FIELDS = 100;
const MAX_INSTRUCTION = 2000;

/** Paragraphs and cells without the instructions of fields. */
function paragraphsOf(text: string, start: number, layout: DocLayout | null): Paragraph[] {
  const out: Paragraph[] = [];
  const fields: Field[] = [];
  let current = "";
  let from = 0;
  const isShown = (): boolean => fields.every((field) => field.isOver && field.shown === null);
  const endInstruction = (field: Field): void => {
    field.shown = fieldText(field.instruction);
    fields.pop();
    if (field.shown !== null && isShown()) current += field.shown;
  };
  for (const match of text.matchAll(/[\x13\x14\x15\r\x07\x0c]/g)) {
    const part = text.slice(from, match.index);
    const field = fields.at(-1);
    if (isShown()) current += part;
    else if (field?.isOver === false && field.instruction.length < MAX_INSTRUCTION) field.instruction += part;
    from = match.index + 1;
    const mark = match[0];
    if (mark === "\x13") {
      if (fields.length < MAX_FIELDS) fields.push({ instruction: "", isOver: false, shown: null });
    } else if (mark === "\x14") {
      if (field?.isOver !== false) continue;
      endInstruction(field);
      fields.push({ ...field, isOver: true });
    } else if (mark === "\x15") {
      if (field?.isOver === false) endInstruction(field);
      else fields.pop();
    } else {
      out.push({ text: tidy(current), isCell: mark === "\x07", properties: layout?.at(start + match.index) ?? PLAIN });
      current = "";
    }
  }
  out.push({ text: tidy(current + text.slice(from)), isCell: false, properties: PLAIN });
  return out;
}

function tidy(text: string): string {
  return text
    .replace(/\x0b/g, "\n")
    .replace(/\x1e/g, "-")
    .replace(/[\x00-\x08\x0e-\x1d\x1f]/g, "")
    .trim();
}

function lines(text: string): string[] {
  return paragraphsOf(text, 0, null)
    .map((paragraph) => paragraph.text)
    .filter((line) => line !== "");
}

/** A cell may hold several paragraphs, so a paragraph belongs to a table when a cell's end comes before the next row's. */
function writeBody(paragraphs: Paragraph[], out: DocumentBuilder): void {
  let rows: string[][] = [];
  let row: string[] = [];
  const cellStarts = cellParagraphs(paragraphs);
  let cell: string[] = [];
  paragraphs.forEach(({ text, isCell, properties }, i) => {
    if (isCell && properties.isRowEnd) {
      rows.push(row);
      row = [];
    } else if (isCell) {
      row.push([...cell, text].filter((part) => part !== "").join("\n"));
      cell = [];
    } else if (cellStarts.has(i)) {
      cell.push(text);
    } else {
      if (row.length > 0) rows.push(row);
      if (rows.length > 0) out.table(rows, true);
      rows = [];
      row = [];
      if (properties.headingLevel > 0) out.heading(properties.headingLevel, text);
      else out.block(text);
    }
  });
  if (row.length > 0) rows.push(row);
  if (rows.length > 0) out.table(rows, true);
}

/** Indexes of the paragraphs inside cells: those between a cell's end and the next one of the same row. */
function cellParagraphs(paragraphs: Paragraph[]): Set<number> {
  const out = new Set<number>();
  let inRow = false;
  let pending: number[] = [];
  paragraphs.forEach(({ isCell, properties }, i) => {
    if (!isCell) {
      if (inRow) pending.push(i);
      return;
    }
    for (const index of pending) out.add(index);
    pending = [];
    inRow = !properties.isRowEnd;
  });
  return out;
}
