/**
 * Values of pgvector and arrays in the binary form in which PostgreSQL sends and receives them, for COPY (pgvector's
 * `halfvec_recv` and `sparsevec_recv`; `array_recv` and `jsonb_recv` of PostgreSQL). All numbers are big-endian.
 */

/** Sparse vectors have so many dimensions at most; terms are kept under their hash modulo this. */
const SPARSE_DIMENSIONS = 1_000_000_000;
/** Elements of a sparse vector at most. */
const MOST_SPARSE = 16_000;
const INT4 = 23;
const JSONB_VERSION = 1;

/** A vector in halves: 2 bytes a component, of eleven bits. */
export function halfvecBytes(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 + vector.length * 2);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, vector.length);
  for (let i = 0; i < vector.length; i++) view.setFloat16(4 + i * 2, vector[i]!);
  return bytes;
}

export function int4ArrayBytes(values: ArrayLike<number>): Uint8Array {
  // Of no elements it has no dimensions.
  const header = values.length === 0 ? 12 : 20;
  const bytes = new Uint8Array(header + values.length * 8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, values.length === 0 ? 0 : 1);
  view.setInt32(4, 0);
  view.setInt32(8, INT4);
  if (values.length === 0) return bytes;
  view.setInt32(12, values.length);
  view.setInt32(16, 1);
  for (let i = 0; i < values.length; i++) {
    view.setInt32(header + i * 8, 4);
    view.setInt32(header + i * 8 + 4, values[i]!);
  }
  return bytes;
}

export function jsonbBytes(text: string): Uint8Array {
  const json = Buffer.from(text);
  const bytes = new Uint8Array(1 + json.byteLength);
  bytes[0] = JSONB_VERSION;
  bytes.set(json, 1);
  return bytes;
}

/** Of two terms in one place the heavier counts, and of too many the heaviest. */
function sparse(hashes: ArrayLike<number>, weights: ArrayLike<number>): [place: number, weight: number][] {
  const places = new Map<number, number>();
  for (let i = 0; i < hashes.length; i++) {
    const place = (hashes[i]! >>> 0) % SPARSE_DIMENSIONS;
    const weight = weights[i]!;
    if (weight > (places.get(place) ?? 0)) places.set(place, weight);
  }
  const all = [...places];
  const kept = all.length <= MOST_SPARSE ? all : all.sort((a, b) => b[1] - a[1]).slice(0, MOST_SPARSE);
  return kept.sort((a, b) => a[0] - b[0]);
}

/** Weights of terms by their hashes. */
export function sparsevecBytes(hashes: ArrayLike<number>, weights: ArrayLike<number>): Uint8Array {
  const kept = sparse(hashes, weights);
  const bytes = new Uint8Array(12 + kept.length * 8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, SPARSE_DIMENSIONS);
  view.setInt32(4, kept.length);
  view.setInt32(8, 0);
  kept.forEach(([place, weight], i) => {
    view.setInt32(12 + i * 4, place);
    view.setFloat32(12 + (kept.length + i) * 4, weight);
  });
  return bytes;
}

/** The same as the text of a parameter; places count from 1 there. */
export function sparsevecText(hashes: ArrayLike<number>, weights: ArrayLike<number>): string {
  const elements = sparse(hashes, weights).map(([place, weight]) => `${place + 1}:${weight}`);
  return `{${elements.join(",")}}/${SPARSE_DIMENSIONS}`;
}

export function vectorText(vector: Float32Array): string {
  return `[${vector.join(",")}]`;
}

/** Whole numbers as one parameter, read by `string_to_array`. */
export function listText(values: Iterable<number>): string {
  return [...values].join(",");
}
