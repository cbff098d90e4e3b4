/**
 * An image: the index of one generation as one file that is mapped and used as it lies there.
 *
 *   head     64 bytes: mark, format, where the table begins, its length and checksum, the length of the file, and since
 *            when nothing newer was looked at for it
 *   arrays   each at a multiple of 64 bytes, in the machine's byte order
 *   table    JSON: identity, small values, the place of every array, a checksum of every 4 MiB
 *
 * It is written under another name, made durable, and renamed: what has the name of an image is whole, or was damaged
 * later, which the checksums say before anything reads it. A new image replaces the file, so that whoever has mapped the
 * old one keeps it. Where somebody else cuts the file short or writes to it, reading goes on, and what was read is not to be
 * believed: `isIntact` says so. It is a cache: whatever is wrong with it, the index is read from SQLite.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { asError, messageOf } from "../errors.ts";
import { vectorAddon } from "../platform/native.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import { flushDirectory, type GenerationIdentity } from "./generation.ts";
import { type Flat, type FlatKind, type FlatOf, ImageError, noteMapped } from "./image-sections.ts";
import type { SectionReader, SectionWriter } from "./image-sections.ts";

/** Raised with every change of how any part of an index lies in its arrays. */
const FORMAT = 4;
const MARK = "LECTIDX\n";
const HEAD_BYTES = 64;
const ALIGNMENT = 64;
/** Summed up at once: a fifth of a millisecond, more where memory is slow. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Read from the disk at once, by another thread. */
const READ_BYTES = 8 * PIECE_BYTES;
/** A table is read at once, before its checksum says anything of its length. */
const MOST_TABLE_BYTES = 256 * 2 ** 20;

interface Place {
  kind: FlatKind;
  offset: number;
  length: number;
}

interface Table {
  identity: GenerationIdentity;
  values: Record<string, number | string | readonly string[]>;
  arrays: Record<string, Place>;
  /** Of the head's arrays, in hexadecimal. */
  sums: string[];
}

interface Progress {
  /** Where the last array ends. */
  end: number;
  sinceMs: number;
}

/** Where a test may end the process: after the arrays, before the name, after it. */
export type ImageStep = "arrays" | "durable" | "renamed";

export class ImageFileWriter implements SectionWriter {
  readonly #path: string;
  readonly #file: number;
  readonly #table: Table;
  readonly #prefix: string;
  readonly #at: Progress;

  private constructor(path: string, file: number, table: Table, prefix: string, at: Progress) {
    this.#path = path;
    this.#file = file;
    this.#table = table;
    this.#prefix = prefix;
    this.#at = at;
  }

  /** What is in it is no older than `sinceMs` (Unix milliseconds). */
  static create(path: string, identity: GenerationIdentity, sinceMs = 0): ImageFileWriter {
    const table: Table = { identity: sorted(identity), values: {}, arrays: {}, sums: [] };
    const file = openSync(`${path}.tmp`, "w+", 0o600);
    return new ImageFileWriter(path, file, table, "", { end: HEAD_BYTES, sinceMs });
  }

  array(name: string, data: Flat | readonly Flat[], capacity = 0): void {
    const pieces = Array.isArray(data) ? (data as readonly Flat[]) : [data as Flat];
    const [first] = pieces;
    // Of no pieces nobody knows the kind: none is written, and an empty one is read.
    if (first === undefined) return;
    const offset = Math.ceil(this.#at.end / ALIGNMENT) * ALIGNMENT;
    let end = offset;
    let length = 0;
    for (const piece of pieces) {
      writeAll(this.#file, new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), end);
      end += piece.byteLength;
      length += piece.length;
    }
    const room = Math.max(length, capacity);
    this.#table.arrays[this.#prefix + name] = { kind: kindOf(first), offset, length: room };
    // What is never written reads as zeros, and takes no room on most disks.
    this.#at.end = offset + room * first.BYTES_PER_ELEMENT;
  }

  value(name: string, value: number | string | readonly string[]): void {
    this.#table.values[this.#prefix + name] = value;
  }

  part(name: string): SectionWriter {
    return new ImageFileWriter(this.#path, this.#file, this.#table, `${this.#prefix}${name}.`, this.#at);
  }

  /** Makes the image durable and gives it its name; answers its length. Throws what the disk says. */
  finish(passed: (step: ImageStep) => void = () => {}): number {
    const { end, sinceMs } = this.#at;
    ftruncateSync(this.#file, end);
    this.#table.sums = sumsOf(this.#file, end);
    const table = Buffer.from(JSON.stringify(this.#table));
    const bytes = end + table.byteLength;
    writeAll(this.#file, table, end);
    passed("arrays");
    writeAll(this.#file, headOf({ end, tableBytes: table.byteLength, sum: sumOf(table), bytes, sinceMs }), 0);
    fsyncSync(this.#file);
    closeSync(this.#file);
    passed("durable");
    renameSync(`${this.#path}.tmp`, this.#path);
    passed("renamed");
    flushDirectory(dirname(this.#path));
    return bytes;
  }

  /** Leaves nothing of what was written. */
  discard(): void {
    try {
      closeSync(this.#file);
    } catch {
      // Closed by `finish`, which failed after that.
    }
    rmSync(`${this.#path}.tmp`, { force: true });
  }
}

interface Turns {
  signal?: AbortSignal | undefined;
  breathe?: (() => Promise<void>) | undefined;
}

export type ImageRefusal = "missing" | "damaged" | "other-identity";
export type OpenedImage =
  | { readonly ok: true; readonly image: ImageFile }
  | { readonly ok: false; readonly reason: ImageRefusal; readonly detail: string };

/**
 * Opens an image of this identity (null: of any) and looks at every byte of it, giving the thread back in between. A damaged image is an
 * answer, not an error. Rejects with the signal's reason when aborted.
 */
export async function openImage(
  path: string,
  identity: GenerationIdentity | null,
  { signal, breathe }: Turns = {},
): Promise<OpenedImage> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch {
    return { ok: false, reason: "missing", detail: "there is none" };
  }
  const refused = (reason: ImageRefusal, detail: string) => ({ ok: false, reason, detail }) as const;
  try {
    const { size, ino } = await file.stat();
    const start = Buffer.alloc(HEAD_BYTES);
    await file.read(start, 0, HEAD_BYTES, 0);
    const head = size < HEAD_BYTES ? null : headIn(start);
    if (head === null) return refused("damaged", "it does not begin as an image does");
    if (head.format !== FORMAT) return refused("other-identity", "it was written by another version");
    if (head.bytes !== size || head.end + head.tableBytes !== size || head.tableBytes > MOST_TABLE_BYTES)
      return refused("damaged", `it has ${size} bytes instead of ${head.bytes}`);
    const text = Buffer.allocUnsafeSlow(head.tableBytes);
    await file.read(text, 0, text.byteLength, head.end);
    if (sumOf(text) !== head.sum) return refused("damaged", "the checksum of its table is wrong");
    const table = JSON.parse(text.toString("utf8")) as Table;
    if (identity !== null && JSON.stringify(sorted(identity)) !== JSON.stringify(table.identity))
      return refused("other-identity", "it is of another generation or version");
    const image = mapped(path, head.bytes, table);
    // A name that leads to the file still was never given to another one meanwhile: that is what was mapped.
    if (statSync(path, { throwIfNoEntry: false })?.ino !== ino) return refused("missing", "it was replaced meanwhile");
    if (image instanceof Error) return refused("damaged", image.message);
    // Of what is mapped, not of what is read: the bytes that are looked at here are those that are used.
    const wrong = await image.firstWrong(head.end, { signal, breathe });
    if (wrong !== null) return refused("damaged", `the checksum of its bytes from ${wrong} on is wrong`);
    return { ok: true, image };
  } catch (error) {
    signal?.throwIfAborted();
    return refused("damaged", messageOf(error));
  } finally {
    await file.close();
  }
}

/** Fails also where the name leads to another file by now. */
function mapped(path: string, bytes: number, table: Table): ImageFile | Error {
  try {
    return ImageFile.map(path, bytes, table);
  } catch (error) {
    return asError(error);
  }
}

/** A mapped image whose every byte was looked at. */
export class ImageFile implements SectionReader {
  readonly #bytes: ArrayBuffer;
  readonly #addon: VectorAddon;
  readonly #table: Table;
  readonly #prefix: string;

  private constructor(bytes: ArrayBuffer, addon: VectorAddon, table: Table, prefix: string) {
    this.#bytes = bytes;
    this.#addon = addon;
    this.#table = table;
    this.#prefix = prefix;
  }

  /** Private: what is written to the arrays is this process's alone, page by page, and never the file's. */
  static map(path: string, bytes: number, table: Table): ImageFile {
    const addon = vectorAddon();
    if (addon === null) throw new ImageError("there is no native code to map it with");
    const buffer = addon.mapFile(path, bytes);
    noteMapped(buffer);
    return new ImageFile(buffer, addon, table, "");
  }

  /** Where the first piece begins whose checksum is wrong; null where all are right. Rejects when aborted. */
  async firstWrong(end: number, { signal, breathe }: Turns): Promise<number | null> {
    const bytes = new Uint8Array(this.#bytes);
    // What the page cache has needs no other thread.
    const read = (from: number) => {
      const length = Math.min(READ_BYTES, end - from);
      return this.#addon.isResident(this.#bytes, from, length) ? null : this.#addon.populate(this.#bytes, from, length);
    };
    let isRead = read(0);
    for (let at = 0; at < end; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      if (at % READ_BYTES === 0) {
        if (isRead !== null) await isRead;
        if (at + READ_BYTES < end) isRead = read(at + READ_BYTES);
      }
      // Has a checksum of its own, and counts as zeros here. The file stays as it is.
      if (at === 0) bytes.fill(0, 0, HEAD_BYTES);
      const piece = bytes.subarray(at, Math.min(end, at + PIECE_BYTES));
      if (hex(sumOf(piece)) !== this.#table.sums[at / PIECE_BYTES]) return at;
      await breathe?.();
    }
    return null;
  }

  get isIntact(): boolean {
    return this.#addon.isIntact(this.#bytes);
  }

  /** Of the file. */
  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  array<K extends FlatKind>(name: string, kind: K): FlatOf<K> {
    const place = this.#table.arrays[this.#prefix + name];
    const Kind = KINDS[kind];
    if (place === undefined) return new Kind(0) as FlatOf<K>;
    if (place.kind !== kind) throw new ImageError(`${this.#prefix}${name} is no array of ${kind}`);
    return new Kind(this.#bytes, place.offset, place.length) as FlatOf<K>;
  }

  number(name: string): number {
    const value = this.#table.values[this.#prefix + name];
    if (typeof value !== "number") throw new ImageError(`${this.#prefix}${name} is no number`);
    return value;
  }

  texts(name: string): readonly string[] {
    const value = this.#table.values[this.#prefix + name];
    if (typeof value !== "object") throw new ImageError(`${this.#prefix}${name} is no list`);
    return value;
  }

  part(name: string): SectionReader {
    return new ImageFile(this.#bytes, this.#addon, this.#table, `${this.#prefix}${name}.`);
  }
}

const KINDS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
} as const;

function kindOf(array: Flat): FlatKind {
  for (const [kind, Kind] of Object.entries(KINDS)) if (array instanceof Kind) return kind as FlatKind;
  throw new ImageError("an array of a kind that images do not have");
}

interface Head {
  /** Where the arrays end and the table begins. */
  end: number;
  tableBytes: number;
  sum: bigint;
  /** Of the file. */
  bytes: number;
  sinceMs: number;
}

/** Since when nothing newer than it was looked at for an image; null where there is none that says so. */
export function imageSince(path: string): number | null {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return null;
  }
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return readSync(file, head, 0, HEAD_BYTES, 0) === HEAD_BYTES ? (headIn(head)?.sinceMs ?? null) : null;
  } finally {
    closeSync(file);
  }
}

/** The last eight bytes sum up the others. */
function headOf({ end, tableBytes, sum, bytes, sinceMs }: Head): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MARK, 0, "latin1");
  head.writeUInt32LE(FORMAT, 8);
  head.writeDoubleLE(end, 16);
  head.writeDoubleLE(tableBytes, 24);
  head.writeBigUInt64LE(sum, 32);
  head.writeDoubleLE(bytes, 40);
  head.writeDoubleLE(sinceMs, 48);
  head.writeBigUInt64LE(sumOf(head.subarray(0, 56)), 56);
  return head;
}

function headIn(bytes: Buffer): (Head & { format: number }) | null {
  if (bytes.toString("latin1", 0, MARK.length) !== MARK) return null;
  if (sumOf(bytes.subarray(0, 56)) !== bytes.readBigUInt64LE(56)) return null;
  return {
    format: bytes.readUInt32LE(8),
    end: bytes.readDoubleLE(16),
    tableBytes: bytes.readDoubleLE(24),
    sum: bytes.readBigUInt64LE(32),
    bytes: bytes.readDoubleLE(40),
    sinceMs: bytes.readDoubleLE(48),
  };
}

/** Checksums of a file's arrays, read back. The head is not written yet, and counts as zeros. */
function sumsOf(file: number, end: number): string[] {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  const sums: string[] = [];
  for (let at = 0; at < end; at += PIECE_BYTES) {
    const wanted = Math.min(PIECE_BYTES, end - at);
    if (readSync(file, piece, 0, wanted, at) !== wanted) throw new ImageError("an image was not written whole");
    sums.push(hex(sumOf(piece.subarray(0, wanted))));
  }
  return sums;
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.byteLength;) done += writeSync(file, bytes, done, bytes.byteLength - done, at + done);
}

function sumOf(bytes: Uint8Array): bigint {
  return Bun.hash.xxHash3(bytes);
}

function hex(sum: bigint): string {
  return sum.toString(16);
}

function sorted(identity: GenerationIdentity): GenerationIdentity {
  return Object.fromEntries(Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1)));
}
