import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { canonicalEncoding, decodeAs } from "../text/encoding.ts";
import type { ParseLimits } from "../limits.ts";
import { MergedCells } from "./merged-cells.ts";
import type { MergedRange } from "./merged-cells.ts";
import { PageEdges } from "./page-edges.ts";
import { SheetRows } from "./rows.ts";
import type { OleFile } from "../legacy/ole.ts";
import { readSummary } from "../legacy/ole-summary.ts";
import { SpanReader, rkValue } from "./biff.ts";
import { errorText, formatCode } from "./cells.ts";
import { Workbook } from "./workbook.ts";

/** Excel before 2007 (BIFF8, and BIFF5 in its system's code page): a page a sheet, rows as lines. */

const BIFF = {
  formula: 0x06,
  eof: 0x0a,
  header: 0x14,
  footer: 0x15,
  dateMode: 0x22,
  filePass: 0x2f,
  continuation: 0x3c,
  object: 0x5d,
  codePage: 0x42,
  sheet: 0x85,
  mulRk: 0xbd,
  xf: 0xe0,
  mergedCells: 0xe5,
  strings: 0xfc,
  labelString: 0xfd,
  textObject: 0x1b6,
  number: 0x203,
  label: 0x204,
  errorOrBool: 0x205,
  string: 0x207,
  rk: 0x27e,
  richLabel: 0xd6,
  bof: 0x809,
  seriesText: 0x100d,
  format: 0x41e,
  oldFormat: 0x1e,
} as const;

export function parseXls(ole: OleFile, limits: ParseLimits): ParsedDocument {
  const bytes = ole.read("Workbook") ?? ole.read("Book");
  if (bytes === null) throw invalidFile("The workbook is damaged: its content is missing.");
  const out = new DocumentBuilder(limits.maxTextLength);
  readSummary(ole, out);
  const reader = new XlsReader(bytes, out, limits);
  try {
    reader.run();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    out.warnings.push("The workbook is damaged; what could be read of it is included.");
  }
  reader.finish();
  return out.build("xls");
}

interface BiffRecord {
  type: number;
  start: number;
  end: number;
  next: number;
}

class XlsReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #out: DocumentBuilder;
  readonly #limits: ParseLimits;
  readonly #sheets: { at: number; name: string }[] = [];
  readonly #book = new Workbook();
  readonly #formats = new Map<number, string>();
  /** Number of the format of each cell style. */
  readonly #styles: number[] = [];
  readonly #edges = new PageEdges();
  #merged = new MergedCells([]);
  #isOld = false;
  #encoding = "windows-1252";
  #row = -1;
  #cells: [number, string][] = [];
  #rows: SheetRows;
  #pendingFormula: [row: number, column: number] | null = null;

  constructor(bytes: Uint8Array, out: DocumentBuilder, limits: ParseLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#out = out;
    this.#rows = new SheetRows(out);
    this.#limits = limits;
  }

  run(): void {
    this.#readGlobals();
    this.#sheets.forEach(({ at, name }, i) => {
      this.#out.page(i + 1);
      this.#out.heading(1, name);
      this.#readSheet(at);
    });
    this.#out.metadata["sheets"] = this.#sheets.length;
  }

  #record(at: number): BiffRecord | null {
    if (at + 4 > this.#bytes.length) return null;
    const end = at + 4 + this.#view.getUint16(at + 2, true);
    return { type: this.#view.getUint16(at, true), start: at + 4, end: Math.min(end, this.#bytes.length), next: end };
  }

  #readGlobals(): void {
    const view = this.#view;
    for (let record = this.#record(0); record !== null; record = this.#record(record.next)) {
      const { type, start } = record;
      if (type === BIFF.bof) this.#isOld = view.getUint16(start, true) < 0x600;
      else if (type === BIFF.filePass)
        throw invalidFile("The workbook is encrypted and needs a password to open. Upload a copy without a password.");
      else if (type === BIFF.codePage) this.#encoding = codePage(view.getUint16(start, true));
      else if (type === BIFF.dateMode) this.#book.epoch1904 = view.getUint16(start, true) === 1;
      else if (type === BIFF.sheet)
        this.#sheets.push({ at: view.getUint32(start, true), name: this.#shortString(start + 6) });
      else if (type === BIFF.format)
        this.#formats.set(
          view.getUint16(start, true),
          this.#isOld ? this.#shortString(start + 2) : this.#longString(start + 2),
        );
      else if (type === BIFF.xf) this.#styles.push(view.getUint16(start + 2, true));
      else if (type === BIFF.strings) this.#book.strings = this.#sharedStrings(record);
      else if (type === BIFF.eof) break;
    }
    // Formats may stand behind the styles that use them.
    this.#book.formats = this.#styles.map((id) => formatCode(id, this.#formats));
  }

  #readSheet(at: number): void {
    this.#row = -1;
    this.#merged = new MergedCells(this.#mergedRanges(at));
    const notes: string[] = [];
    const texts: string[] = [];
    const edges: string[] = [];
    let depth = 0;
    let isNote = false;
    for (let record = this.#record(at); record !== null; record = this.#record(record.next)) {
      if (record.type === BIFF.bof) depth++;
      else if (record.type === BIFF.eof) {
        if (--depth <= 0) break;
      } else if (record.type === BIFF.object) isNote = this.#isNote(record);
      else if (record.type === BIFF.textObject) (isNote ? notes : texts).push(this.#textObject(record));
      else if (record.type === BIFF.seriesText) texts.push(this.#seriesText(record));
      else if (depth === 1 && (record.type === BIFF.header || record.type === BIFF.footer))
        edges.push(this.#edge(record));
      else if (depth === 1) this.#cellRecord(record);
    }
    this.finish();
    for (const note of notes) if (note !== "") this.#out.line(`[Comment: ${note}]`);
    for (const text of new Set(texts)) this.#out.block(text);
    for (const code of edges) this.#edges.write(code, this.#out);
  }

  /** They stand behind the cells that they merge. */
  #mergedRanges(at: number): MergedRange[] {
    const out: MergedRange[] = [];
    const view = this.#view;
    let depth = 0;
    for (let record = this.#record(at); record !== null; record = this.#record(record.next)) {
      const { type, start, end } = record;
      if (type === BIFF.bof) depth++;
      else if (type === BIFF.eof && --depth <= 0) break;
      if (type !== BIFF.mergedCells || depth !== 1) continue;
      for (let range = start + 2; range + 8 <= end; range += 8) {
        const [firstRow, lastRow, column] = [0, 2, 4].map((offset) => view.getUint16(range + offset, true));
        out.push({ firstRow: firstRow!, lastRow: lastRow!, column: column! + 1 });
      }
    }
    return out;
  }

  /** What the next text belongs to: a note of a cell or, in files without that record, perhaps one. */
  #isNote({ start, end }: BiffRecord): boolean {
    return end - start >= 6 && this.#view.getUint16(start, true) === 0x15
      ? this.#view.getUint16(start + 4, true) === 0x19
      : true;
  }

  /** Titles of charts and their axes; names of series are cells of the sheet. */
  #seriesText({ start, end }: BiffRecord): string {
    if (end - start < 4) return "";
    const length = this.#view.getUint8(start + 2);
    return (this.#isOld ? this.#narrow(start + 3, length) : this.#wide(start + 3, length)).trim();
  }

  #edge({ start, end }: BiffRecord): string {
    if (end - start < 2) return "";
    return this.#isOld ? this.#shortString(start) : this.#longString(start);
  }

  #cellRecord({ type, start, end }: BiffRecord): void {
    const view = this.#view;
    if (type === BIFF.string) {
      if (this.#pendingFormula !== null) this.#put(...this.#pendingFormula, this.#longString(start));
      this.#pendingFormula = null;
      return;
    }
    if (end - start < 6) return;
    const row = view.getUint16(start, true);
    const column = view.getUint16(start + 2, true) + 1;
    const format = view.getUint16(start + 4, true);
    switch (type) {
      case BIFF.labelString:
        return this.#put(row, column, this.#book.string(view.getUint32(start + 6, true), format));
      case BIFF.label:
      case BIFF.richLabel:
        return this.#put(row, column, this.#book.text(this.#longString(start + 6), format));
      case BIFF.number:
        return this.#put(row, column, this.#book.number(view.getFloat64(start + 6, true), format));
      case BIFF.rk:
        return this.#put(row, column, this.#book.number(rkValue(view, start + 6), format));
      case BIFF.mulRk:
        for (let i = 0; start + 4 + i * 6 + 6 <= end - 2; i++) {
          const at = start + 4 + i * 6;
          this.#put(row, column + i, this.#book.number(rkValue(view, at + 2), view.getUint16(at, true)));
        }
        return;
      case BIFF.errorOrBool:
        return this.#put(row, column, boolOrError(view.getUint8(start + 6), view.getUint8(start + 7) !== 0));
      case BIFF.formula:
        return this.#formula({ row, column, format }, start + 6);
    }
  }

  #formula({ row, column, format }: { row: number; column: number; format: number }, at: number): void {
    const view = this.#view;
    if (view.getUint16(at + 6, true) !== 0xffff)
      return this.#put(row, column, this.#book.number(view.getFloat64(at, true), format));
    const kind = view.getUint8(at);
    if (kind === 0) this.#pendingFormula = [row, column];
    else if (kind < 3) this.#put(row, column, boolOrError(view.getUint8(at + 2), kind === 2));
  }

  #put(row: number, column: number, text: string): void {
    if (row !== this.#row) this.#endRow();
    this.#row = row;
    if (text.trim() !== "") this.#cells.push([column, text]);
  }

  /** Writes what is left of a sheet; also where it was cut off. */
  finish(): void {
    this.#endRow();
    this.#rows.end();
    this.#rows = new SheetRows(this.#out);
  }

  #endRow(): void {
    if (this.#cells.length === 0) return;
    this.#rows.add(this.#merged.fill(this.#row, this.#cells));
    this.#cells = [];
  }

  /** Length in a byte, then (BIFF8) a flag for the width of characters. */
  #shortString(at: number): string {
    const length = this.#view.getUint8(at);
    return this.#isOld ? this.#narrow(at + 1, length) : this.#wide(at + 1, length);
  }

  #longString(at: number): string {
    const length = this.#view.getUint16(at, true);
    return this.#isOld ? this.#narrow(at + 2, length) : this.#wide(at + 2, length);
  }

  #narrow(at: number, length: number): string {
    return decodeAs(this.#bytes.subarray(at, at + length), this.#encoding);
  }

  #wide(at: number, length: number): string {
    const flags = this.#view.getUint8(at);
    let from = at + 1;
    if ((flags & 8) !== 0) from += 2;
    if ((flags & 4) !== 0) from += 4;
    const isWide = (flags & 1) !== 0;
    return decodeAs(this.#bytes.subarray(from, from + length * (isWide ? 2 : 1)), isWide ? "utf-16le" : "iso-8859-1");
  }

  #textObject(record: BiffRecord): string {
    if (record.end - record.start < 12) return "";
    const length = this.#view.getUint16(record.start + 10, true);
    const next = this.#record(record.next);
    if (length === 0 || next?.type !== BIFF.continuation) return "";
    const isWide = (this.#view.getUint8(next.start) & 1) !== 0;
    const bytes = this.#bytes.subarray(next.start + 1, Math.min(next.end, next.start + 1 + length * (isWide ? 2 : 1)));
    return decodeAs(bytes, isWide ? "utf-16le" : "iso-8859-1")
      .replace(/\s+/g, " ")
      .trim();
  }

  /** The table of strings runs over several records; a string cut by one starts again with a flag byte. */
  #sharedStrings(first: BiffRecord): string[] {
    const spans: [number, number][] = [[first.start, first.end]];
    for (let record = this.#record(first.next); record?.type === BIFF.continuation; record = this.#record(record.next))
      spans.push([record.start, record.end]);
    const reader = new SpanReader(this.#bytes, spans);
    reader.skip(4);
    const count = reader.uint32();
    const out: string[] = [];
    let total = 0;
    for (let i = 0; i < count && !reader.atEnd; i++) {
      const text = reader.unicodeString();
      total += text.length;
      if (total > this.#limits.maxTextLength)
        throw invalidFile("The workbook holds more text than this server accepts.");
      out.push(text);
    }
    return out;
  }
}

function boolOrError(code: number, isError: boolean): string {
  return isError ? errorText(code) : code === 1 ? "TRUE" : "FALSE";
}

function codePage(page: number): string {
  if (page === 1200) return "utf-16le";
  if (page === 10_000 || page === 0x8000) return "macintosh";
  return canonicalEncoding(`windows-${page}`) ?? canonicalEncoding(`cp${page}`) ?? "windows-1252";
}
