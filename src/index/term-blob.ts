/**
 * The terms of one chunk as they are kept in SQLite.
 *
 * Layout, little-endian: version u8, number of windows u8, number of names u16, length u32 (weighted number of terms, the
 * BM25 document length), number of distinct terms u32, then the term hashes i32 in ascending order (those of
 * the file's name, in their order, after the others), their weighted
 * frequencies u8 (1…255), and the text itself as a sequence of u16: which of the terms stands at each place. The
 * sequence is for looking at a chunk by windows; the keyword index does not keep it. Other spellings of what is in the
 * text are among the terms, but not in the sequence.
 *
 * Versions differ in which terms a text has, and each has all that the ones before it have: a blob of an older version is
 * read as it is until its chunk is analysed again. One of a newer version is refused.
 */
export const ANALYZER_VERSION = 2;
const OLDEST_VERSION = 1;

export type ChunkTerms = {
  /** Of the analyzer that made them. */
  readonly version: number;
  readonly length: number;
  readonly windows: number;
  /** Ascending; then those of the file's name. */
  readonly hashes: Int32Array;
  /** How many of them, at the end, are of the file's name. */
  readonly names: number;
  readonly frequencies: Uint8Array;
};

const HEADER_BYTES = 12;
const BYTES_PER_TERM = 5;
/** What a place in the sequence can name. A chunk with more distinct terms keeps no sequence. */
const MOST_SEQUENCED_TERMS = 0xffff;

/** A term blob that this version cannot read. */
export class TermBlobError extends Error {
  override name = "TermBlobError";
}

export type TermsToPack = {
  /** Term hash -> weighted frequency; rounded, and held to 1…255. */
  readonly weights: ReadonlyMap<number, number>;
  readonly length: number;
  /** Hashes of the text's terms in order; every one has a weight. */
  readonly sequence: readonly number[];
  /** Into how many equal windows the sequence should be cut: 1…255. */
  readonly windows: number;
  /** Hashes of the terms of the file's name; none of them is among the weights. */
  readonly names?: readonly number[] | undefined;
};

export function packTerms({ weights, length, sequence, windows, names = [] }: TermsToPack): Uint8Array {
  const named = Int32Array.from(names).sort();
  const hashes = new Int32Array(weights.size + named.length);
  hashes.set(Int32Array.from(weights.keys()).sort());
  hashes.set(named, weights.size);
  const sequenced = hashes.length <= MOST_SEQUENCED_TERMS ? sequence : [];
  const blob = new Uint8Array(HEADER_BYTES + hashes.length * BYTES_PER_TERM + sequenced.length * 2);
  const view = new DataView(blob.buffer);
  const placeOf = new Map<number, number>();
  hashes.forEach((hash, i) => {
    const weight = weights.get(hash) ?? 0;
    view.setInt32(HEADER_BYTES + i * 4, hash, true);
    blob[HEADER_BYTES + hashes.length * 4 + i] = Math.min(255, Math.max(1, Math.round(weight)));
    placeOf.set(hash, i);
  });
  const start = HEADER_BYTES + hashes.length * BYTES_PER_TERM;
  sequenced.forEach((hash, i) => view.setUint16(start + i * 2, placeOf.get(hash) ?? 0, true));
  blob[0] = ANALYZER_VERSION;
  blob[1] = Math.min(255, Math.max(1, windows));
  view.setUint16(2, named.length, true);
  view.setUint32(4, Math.round(length), true);
  view.setUint32(8, hashes.length, true);
  return blob;
}

/** Throws TermBlobError. */
export function unpackTerms(blob: Uint8Array): ChunkTerms {
  const { aligned, view, count } = opened(blob);
  return {
    version: aligned[0]!,
    length: view.getUint32(4, true),
    windows: aligned[1]!,
    hashes: new Int32Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES, count),
    names: Math.min(count, view.getUint16(2, true)),
    frequencies: new Uint8Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES + count * 4, count),
  };
}

export type WindowCounts = {
  readonly windows: number;
  /** Terms in a window. */
  readonly windowLength: number;
  /** `counts[window * wanted.length + i]`: how often wanted term i stands in the window. */
  readonly counts: Uint16Array;
};

/**
 * How often each of the given terms stands in each window of the chunk. What the title and headings added to a term's
 * frequency counts in every window. Throws TermBlobError.
 */
export function countByWindow(blob: Uint8Array, wanted: readonly number[]): WindowCounts {
  const { aligned, count } = opened(blob);
  const { hashes, frequencies, windows, names } = unpackTerms(aligned);
  const ofText = hashes.subarray(0, hashes.length - names);
  const ofName = hashes.subarray(ofText.length);
  const counts = new Uint16Array(windows * wanted.length);
  const outsideText = new Int32Array(wanted.length);
  const columns = new Uint8Array(count); // by place in the term list: 1 + index of the wanted term
  wanted.slice(0, 255).forEach((hash, i) => {
    const inText = binarySearch(ofText, hash);
    const inName = inText < 0 ? binarySearch(ofName, hash) : -1;
    const place = inName < 0 ? inText : ofText.length + inName;
    if (place < 0) return;
    columns[place] = i + 1;
    outsideText[i] = frequencies[place]!;
  });
  const sequence = aligned.subarray(HEADER_BYTES + count * BYTES_PER_TERM);
  const places = sequence.length >>> 1;
  for (let i = 0; i < places; i++) {
    const column = columns[sequence[i * 2]! | (sequence[i * 2 + 1]! << 8)]! - 1;
    if (column < 0) continue;
    counts[Math.floor((i * windows) / places) * wanted.length + column]!++;
    outsideText[column]!--;
  }
  for (let i = 0; i < counts.length; i++) counts[i]! += Math.max(0, outsideText[i % wanted.length]!);
  return { windows, windowLength: places / windows, counts };
}

function opened(blob: Uint8Array): { aligned: Uint8Array; view: DataView; count: number } {
  if (blob.byteLength < HEADER_BYTES) throw new TermBlobError(`a term blob of ${blob.byteLength} bytes`);
  const version = blob[0] ?? 0;
  if (version < OLDEST_VERSION || version > ANALYZER_VERSION)
    throw new TermBlobError(`a term blob of analyzer version ${version}`);
  // Typed arrays need an aligned start; a blob cut out of a larger buffer may not have one.
  const aligned = blob.byteOffset % 4 === 0 ? blob : blob.slice();
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.byteLength);
  const count = view.getUint32(8, true);
  const rest = blob.byteLength - HEADER_BYTES - count * BYTES_PER_TERM;
  if (rest < 0 || rest % 2 !== 0) throw new TermBlobError(`a term blob of ${blob.byteLength} bytes for ${count} terms`);
  return { aligned, view, count };
}

function binarySearch(sorted: Int32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const value = sorted[middle]!;
    if (value === wanted) return middle;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
