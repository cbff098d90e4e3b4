import { assert } from "../../errors.ts";

/**
 * Rows in the binary form of PostgreSQL's COPY (manual, "COPY", File Formats, Binary Format): a signature, rows, and the
 * number -1. A row is the number of its fields in 2 bytes, and each field its length in 4 (-1: NULL) and so many bytes; all
 * big-endian. Types are those of the schema.
 */
export type CopyType = "bigint" | "text" | "bytea";

/** A value as SQLite gives it. */
export type CopyValue = number | string | Uint8Array | null;

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
/** Flags and the length of an extension that there is not. */
const HEADER_BYTES = SIGNATURE.length + 8;
const END = -1;
const NULL = -1;
const FIRST_BYTES = 1 << 16;
const TWO_32 = 2 ** 32;

/** What comes before the first row, and after the last. */
export const COPY_BEGIN: Uint8Array = Buffer.concat([SIGNATURE, Buffer.alloc(HEADER_BYTES - SIGNATURE.length)]);
export const COPY_END: Uint8Array = Buffer.from([0xff, 0xff]);

/** Puts rows of the same columns one after another. */
export class CopyEncoder {
  readonly #types: readonly CopyType[];
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  constructor(types: readonly CopyType[]) {
    this.#types = types;
  }

  get bytes(): number {
    return this.#at;
  }

  /** Adds a row; where it lies is shown until the next one is added. */
  add(values: readonly unknown[]): Uint8Array {
    const from = this.#at;
    this.#room(2);
    this.#at = this.#buffer.writeInt16BE(this.#types.length, this.#at);
    for (const [i, type] of this.#types.entries()) this.#field(type, values[i] as CopyValue);
    return this.#buffer.subarray(from, this.#at);
  }

  /** The rows so far, copied; it begins anew. */
  take(): Uint8Array {
    const rows = new Uint8Array(this.#buffer.subarray(0, this.#at));
    this.clear();
    return rows;
  }

  /** Begins anew. */
  clear(): void {
    this.#at = 0;
  }

  #field(type: CopyType, value: CopyValue): void {
    if (value === null) {
      this.#room(4);
      this.#at = this.#buffer.writeInt32BE(NULL, this.#at);
      return;
    }
    if (type === "bigint") {
      assert(typeof value === "number" && Number.isSafeInteger(value), "a whole number of at most 2^53");
      this.#room(12);
      this.#at = this.#buffer.writeInt32BE(8, this.#at);
      this.#at = this.#buffer.writeInt32BE(Math.floor(value / TWO_32), this.#at);
      this.#at = this.#buffer.writeUInt32BE(((value % TWO_32) + TWO_32) % TWO_32, this.#at);
      return;
    }
    if (type === "text") {
      assert(typeof value === "string", "a text");
      // PostgreSQL keeps no U+0000 in a text; what writes to it puts the same in its place (values.ts).
      const kept = value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value;
      // Three bytes for a UTF-16 unit at most.
      this.#room(4 + kept.length * 3);
      const bytes = this.#buffer.write(kept, this.#at + 4);
      this.#buffer.writeInt32BE(bytes, this.#at);
      this.#at += 4 + bytes;
      return;
    }
    assert(value instanceof Uint8Array, "bytes");
    this.#room(4 + value.byteLength);
    this.#at = this.#buffer.writeInt32BE(value.byteLength, this.#at);
    this.#buffer.set(value, this.#at);
    this.#at += value.byteLength;
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Cuts what COPY sends, in pieces of any length, into rows. */
export class CopyDecoder {
  #rest: Buffer = Buffer.alloc(0);
  #hasBegun = false;
  #hasEnded = false;

  /** Rows that are whole with this piece, as they lie; good until the next call. */
  *rows(piece: Uint8Array): Generator<Uint8Array> {
    const data = this.#rest.length === 0 ? Buffer.from(piece) : Buffer.concat([this.#rest, piece]);
    if (!this.#hasBegun && data.length < HEADER_BYTES) {
      this.#rest = data;
      return;
    }
    let at = this.#begin(data);
    for (let end = endOfRow(data, at); end > at; end = endOfRow(data, at)) {
      if (data.readInt16BE(at) === END) {
        this.#hasEnded = true;
        at = end;
        break;
      }
      yield data.subarray(at, end);
      at = end;
    }
    this.#rest = data.subarray(at);
  }

  /** After the last piece. Throws where it ended in the middle. */
  end(): void {
    assert(this.#hasEnded && this.#rest.length === 0, "what COPY sent is not whole");
  }

  #begin(data: Buffer): number {
    if (this.#hasBegun) return 0;
    assert(data.subarray(0, SIGNATURE.length).equals(SIGNATURE), "COPY sent something else than rows");
    this.#hasBegun = true;
    return HEADER_BYTES + data.readInt32BE(HEADER_BYTES - 4);
  }
}

/** Where the row that begins at `at` ends; `at` itself where that is not there yet. */
function endOfRow(data: Buffer, at: number): number {
  if (at + 2 > data.length) return at;
  const fields = data.readInt16BE(at);
  let end = at + 2;
  for (let i = 0; i < fields; i++) {
    if (end + 4 > data.length) return at;
    end += 4 + Math.max(0, data.readInt32BE(end));
  }
  return end > data.length ? at : end;
}
