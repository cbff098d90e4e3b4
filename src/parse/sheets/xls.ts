import { DocumentBuilder } from "../builder.ts";
import type { ParsedDocument } from "../document.ts";
import { invalidFile } from "../document.ts";
import { canonicalEncoding, decodeAs } from "../text/encoding.ts";
import type { ParseLimits } from "../limits.ts";
import { SheetRows } from "./rows.ts";
import type { OleFile } from "../legacy/ole.ts";
import { readSummary } from "../legacy/ole-summary.ts";
import { cellText, isDateFormat } from "./cells.ts";

/** Excel before 2007 (BIFF8, and BIFF5 in its system's code page): a page a sheet, rows as lines. */

const BIFF = {
  formula: 0x06,
  eof: 0x0a,
  dateMode: 0x22,
  filePass: 0x2f,
  continuation: 0x3c,
  codePage: 0x42,
  sheet: 0x85,
  mulRk: 0xbd,
  xf: 0xe0,
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
  #strings: string[] = [];
  readonly #formats = new Map<number, string>();
  readonly #cellFormats: number[] = [];
  #epoch1904 = false;
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
      else if (type === BIFF.dateMode) this.#epoch1904 = view.getUint16(start, true) === 1;
      else if (type === BIFF.sheet)
        this.#sheets.push({ at: view.getUint32(start, true), name: this.#shortString(start + 6) });
      else if (type === BIFF.format)
        this.#formats.set(
          view.getUint16(start, true),
          this.#isOld ? this.#shortString(start + 2) : this.#longString(start + 2),
        );
      else if (type === BIFF.xf) this.#cellFormats.push(view.getUint16(start + 2, true));
      else if (type === BIFF.strings) this.#strings = this.#sharedStrings(record);
      else if (type === BIFF.eof) return;
    }
  }

  #readSheet(at: number): void {
    this.#row = -1;
    const notes: string[] = [];
    let depth = 0;
    for (let record = this.#record(at); record !== null; record = this.#record(record.next)) {
      if (record.type === BIFF.bof) depth++;
      else if (record.type === BIFF.eof) {
        if (--depth <= 0) break;
      } else if (record.type === BIFF.textObject) {
        const text = this.#textObject(record);
        if (text !== "") notes.push(text);
      } else if (depth === 1) {
        this.#cellRecord(record);
      }
    }
    this.finish();
    for (const note of notes) this.#out.line(`[Comment: ${note}]`);
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
        return this.#put(row, column, this.#strings[view.getUint32(start + 6, true)] ?? "");
      case BIFF.label:
      case BIFF.richLabel:
        return this.#put(row, column, this.#longString(start + 6));
      case BIFF.number:
        return this.#put(row, column, this.#number(view.getFloat64(start + 6, true), format));
      case BIFF.rk:
        return this.#put(row, column, this.#number(rkValue(view, start + 6), format));
      case BIFF.mulRk:
        for (let i = 0; start + 4 + i * 6 + 6 <= end - 2; i++) {
          const at = start + 4 + i * 6;
          this.#put(row, column + i, this.#number(rkValue(view, at + 2), view.getUint16(at, true)));
        }
        return;
      case BIFF.errorOrBool:
        if (view.getUint8(start + 7) === 0) this.#put(row, column, view.getUint8(start + 6) === 1 ? "TRUE" : "FALSE");
        return;
      case BIFF.formula:
        return this.#formula(row, column, format, start + 6);
    }
  }

  #formula(row: number, column: number, format: number, at: number): void {
    const view = this.#view;
    if (view.getUint16(at + 6, true) !== 0xffff)
      return this.#put(row, column, this.#number(view.getFloat64(at, true), format));
    const kind = view.getUint8(at);
    if (kind === 0) this.#pendingFormula = [row, column];
    else if (kind === 1) this.#put(row, column, view.getUint8(at + 2) === 1 ? "TRUE" : "FALSE");
  }

  #number(value: number, format: number): string {
    const id = this.#cellFormats[format] ?? 0;
    return cellText(value, isDateFormat(id, this.#formats.get(id)), this.#epoch1904);
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
    this.#rows.add(this.#cells);
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

/** Reads across the records of one table. */
class SpanReader {
  readonly #bytes: Uint8Array;
  readonly #spans: [number, number][];
  #span = 0;
  #at: number;

  constructor(bytes: Uint8Array, spans: [number, number][]) {
    this.#bytes = bytes;
    this.#spans = spans;
    this.#at = spans[0]![0];
  }

  get atEnd(): boolean {
    return this.#span >= this.#spans.length - 1 && this.#at >= (this.#spans.at(-1)?.[1] ?? 0);
  }

  skip(count: number): void {
    for (let left = count; left > 0 && !this.atEnd;) {
      const step = Math.min(left, this.#left());
      this.#at += step;
      left -= step;
      if (step === 0) this.#nextSpan();
    }
  }

  uint32(): number {
    return (this.#byte() | (this.#byte() << 8) | (this.#byte() << 16) | (this.#byte() << 24)) >>> 0;
  }

  unicodeString(): string {
    let left = this.#byte() | (this.#byte() << 8);
    let flags = this.#byte();
    const runs = (flags & 8) !== 0 ? this.#byte() | (this.#byte() << 8) : 0;
    const extended = (flags & 4) !== 0 ? this.uint32() : 0;
    let text = "";
    while (left > 0 && !this.atEnd) {
      if (this.#left() === 0) {
        this.#nextSpan();
        flags = this.#byte();
      }
      const width = (flags & 1) !== 0 ? 2 : 1;
      const count = Math.min(left, Math.floor(this.#left() / width));
      if (count === 0) break;
      text += decodeAs(
        this.#bytes.subarray(this.#at, this.#at + count * width),
        width === 2 ? "utf-16le" : "iso-8859-1",
      );
      this.#at += count * width;
      left -= count;
    }
    this.skip(runs * 4 + extended);
    return text;
  }

  #left(): number {
    return this.#spans[this.#span]![1] - this.#at;
  }

  #nextSpan(): void {
    if (this.#span >= this.#spans.length - 1) return;
    this.#span++;
    this.#at = this.#spans[this.#span]![0];
  }

  #byte(): number {
    if (this.#left() === 0) this.#nextSpan();
    return this.#bytes[this.#at++] ?? 0;
  }
}

/** Compressed number: 30 bits of integer or of the high half of a double, perhaps in hundredths. */
function rkValue(view: DataView, at: number): number {
  const raw = view.getUint32(at, true);
  let value: number;
  if ((raw & 2) !== 0) {
    value = view.getInt32(at, true) >> 2;
  } else {
    const double = new DataView(new ArrayBuffer(8));
    double.setUint32(4, raw & 0xfffffffc, true);
    value = double.getFloat64(0, true);
  }
  return (raw & 1) !== 0 ? value / 100 : value;
}

function codePage(page: number): string {
  if (page === 1200) return "utf-16le";
  if (page === 10_000 || page === 0x8000) return "macintosh";
  return canonicalEncoding(`windows-${page}`) ?? canonicalEncoding(`cp${page}`) ?? "windows-1252";
}
