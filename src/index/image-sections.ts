/**
 * The parts of an index as flat arrays: what an index is written into, and made of again, without a look at any element.
 * How they lie in a file is image-file.ts's.
 */
export type Flat =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigUint64Array;

export type FlatKind = "u8" | "i8" | "u16" | "i32" | "u32" | "f32" | "f64" | "u64";

type Arrays = {
  u8: Uint8Array<ArrayBuffer>;
  i8: Int8Array<ArrayBuffer>;
  u16: Uint16Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  f32: Float32Array<ArrayBuffer>;
  f64: Float64Array<ArrayBuffer>;
  u64: BigUint64Array<ArrayBuffer>;
};
export type FlatOf<K extends FlatKind> = Arrays[K];

export interface SectionWriter {
  /** An array, or pieces of one in their order, followed by zeros up to `capacity` elements: room to grow in place. */
  array(name: string, pieces: Flat | readonly Flat[], capacity?: number): void;
  /** A small value. */
  value(name: string, value: number | string | readonly string[]): void;
  /** The same for names that begin so. */
  part(name: string): SectionWriter;
}

/** Arrays are views of one private mapping: what is written to them stays in memory. */
export interface SectionReader {
  array<K extends FlatKind>(name: string, kind: K): FlatOf<K>;
  number(name: string): number;
  texts(name: string): readonly string[];
  part(name: string): SectionReader;
  /** Whether all that was read from it so far is what was written. Once it is not, it never is. */
  readonly isIntact: boolean;
}

/** An image that says something else than its writer would have said. */
export class ImageError extends Error {
  override name = "ImageError";
}

/** How much longer than what is in it an array by chunk or file is written, so that the next ones need no copy of it. */
export function withRoom(count: number): number {
  return count + Math.ceil(count / 8) + 64;
}

const mapped = new WeakSet<ArrayBufferLike>();
/**
 * What of a mapping counts as memory: its pages are the file's, which the system takes back when it needs room, until they
 * are written to; and a few are.
 */
const MAPPED_SHARE = 1 / 32;

export function noteMapped(buffer: ArrayBufferLike): void {
  mapped.add(buffer);
}

/** Bytes of memory that arrays take. */
export function memoryOf(...arrays: readonly Flat[]): number {
  let bytes = 0;
  for (const { buffer, byteLength } of arrays) bytes += mapped.has(buffer) ? byteLength * MAPPED_SHARE : byteLength;
  return bytes;
}

type Growing = Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** An array of the same kind and of this length, which is not less, with what there was at its beginning. */
export function grown<A extends Growing>(from: A, length: number): A {
  const to = new (from.constructor as new (length: number) => A)(length);
  to.set(from);
  return to;
}

/** A length with room for this many: what there is, or twice as much at least, so that growing costs little on the whole. */
export function doubled(before: number, wanted: number): number {
  return wanted <= before ? before : Math.max(wanted, before * 2);
}
