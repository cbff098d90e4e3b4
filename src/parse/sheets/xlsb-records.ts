import { decodeAs } from "../text/encoding.ts";
import { rkValue } from "./biff.ts";

/** Records of Excel's binary parts that are read here (MS-XLSB 2.3.2). */
export const XLSB = {
  row: 0,
  cellRk: 2,
  cellError: 3,
  cellBool: 4,
  cellReal: 5,
  cellString: 6,
  cellShared: 7,
  formulaString: 8,
  formulaNumber: 9,
  formulaBool: 10,
  formulaError: 11,
  shortBlank: 12,
  shortRk: 13,
  shortError: 14,
  shortBool: 15,
  shortReal: 16,
  shortString: 17,
  shortShared: 18,
  sharedItem: 19,
  format: 44,
  style: 47,
  cellRich: 62,
  bookProperties: 153,
  sheet: 156,
  mergedCells: 176,
  headerFooter: 479,
  beginCellStyles: 617,
  endCellStyles: 618,
  commentAuthor: 632,
  comment: 635,
  commentEnd: 636,
  commentText: 637,
} as const;

/** One record: its type, and a reader that stands at the beginning of its data. */
export interface XlsbRecord {
  type: number;
  data: XlsbData;
}

/** The records of a part, in order. A cut-off record ends them. */
export function* xlsbRecords(bytes: Uint8Array): Generator<XlsbRecord> {
  const data = new XlsbData(bytes);
  for (let at = 0; at < bytes.length;) {
    let type = bytes[at++]!;
    if ((type & 0x80) !== 0) type = (type & 0x7f) | ((bytes[at++] ?? 0) << 7);
    let size = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++] ?? 0;
      size |= (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) break;
    }
    if (at + size > bytes.length) return;
    data.move(at, at + size);
    yield { type, data };
    at += size;
  }
}

/** Reads one record after another; past the end of a record everything is zero or empty. */
export class XlsbData {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  move(start: number, end: number): void {
    this.#at = start;
    this.#end = end;
  }

  skip(count: number): void {
    this.#at += count;
  }

  uint8(): number {
    return this.#take(1) ? this.#view.getUint8(this.#at - 1) : 0;
  }

  uint16(): number {
    return this.#take(2) ? this.#view.getUint16(this.#at - 2, true) : 0;
  }

  uint32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4, true) : 0;
  }

  float64(): number {
    return this.#take(8) ? this.#view.getFloat64(this.#at - 8, true) : 0;
  }

  /** Compressed number: 30 bits of integer or of the high half of a double, perhaps in hundredths. */
  rk(): number {
    return this.#take(4) ? rkValue(this.#view, this.#at - 4) : 0;
  }

  /** Length in characters, then UTF-16; a length of all ones is no text. */
  string(): string {
    const length = this.uint32();
    if (length === 0xffffffff || this.#at + length * 2 > this.#end) return "";
    this.#at += length * 2;
    return decodeAs(this.#bytes.subarray(this.#at - length * 2, this.#at), "utf-16le");
  }

  /** Formatted text: its runs and phonetic guide stand behind it. */
  richString(): string {
    this.skip(1);
    return this.string();
  }

  #take(count: number): boolean {
    this.#at += count;
    return this.#at <= this.#end;
  }
}
