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
export const ANALYZER_VERSION = 3;
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
  const { aligned, count } = opened(blob);
  return {
    version: aligned[0]!,
    length: wordAt(aligned, 4),
    windows: aligned[1]!,
    hashes: new Int32Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES, count),
    names: namesOf(aligned, count),
    frequencies: new Uint8Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES + count * 4, count),
  };
}

export type WindowCounts = {
  readonly windows: number;
  /** Terms in a window. */
  readonly windowLength: number;
  /** `counts[window * wanted.length + i]`: how often wanted term i stands in the window. Up to there, and until the next blob. */
  readonly counts: Uint16Array;
};

/** Columns are bytes, and 0 is none. */
const MOST_COLUMNS = 255;

/**
 * How often each of the given terms stands in each window of chunks. What the title and headings added to a term's
 * frequency counts in every window. A question asks some dozens of chunks: what they need is kept from one to the next.
 */
export class WindowCounter {
  readonly #wanted: readonly number[];
  readonly #outsideText: Int32Array;
  #counts = new Uint16Array(64);
  #columns = new Uint8Array(1024); // by place in the term list: 1 + index of the wanted term; zeros between two blobs

  /** @param wanted hashes */
  constructor(wanted: readonly number[]) {
    this.#wanted = wanted;
    this.#outsideText = new Int32Array(wanted.length);
  }

  /** Throws TermBlobError. */
  count(blob: Uint8Array): WindowCounts {
    const { aligned, count } = opened(blob);
    const asked = this.#wanted.length;
    const windows = aligned[1]!;
    const counts = this.#cleared(windows * asked);
    if (count > this.#columns.length) this.#columns = new Uint8Array(count);
    const columns = this.#columns;
    this.#mark(aligned, count);
    const outside = this.#outsideText;
    const start = HEADER_BYTES + count * BYTES_PER_TERM;
    const places = (aligned.byteLength - start) >>> 1;
    for (let i = 0, at = start; i < places; i++, at += 2) {
      const column = columns[aligned[at]! | (aligned[at + 1]! << 8)]!;
      if (!(column > 0)) continue;
      counts[Math.floor((i * windows) / places) * asked + column - 1]!++;
      outside[column - 1]!--;
    }
    columns.fill(0, 0, count);
    for (let i = 0; i < asked; i++) {
      if (outside[i]! <= 0) continue;
      for (let window = 0; window < windows; window++) counts[window * asked + i]! += outside[i]!;
    }
    return { windows, windowLength: places / windows, counts };
  }

  /** Says of the terms of a blob which are wanted, and how often each stands in it. */
  #mark(aligned: Uint8Array, count: number): void {
    const hashes = new Int32Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES, count);
    const text = count - namesOf(aligned, count);
    const frequencies = HEADER_BYTES + count * 4;
    this.#outsideText.fill(0);
    const most = Math.min(this.#wanted.length, MOST_COLUMNS);
    for (let i = 0; i < most; i++) {
      const hash = this.#wanted[i]!;
      let place = binarySearch(hashes, hash, 0, text);
      if (place < 0) place = binarySearch(hashes, hash, text, count);
      if (place < 0) continue;
      this.#columns[place] = i + 1;
      this.#outsideText[i] = aligned[frequencies + place]!;
    }
  }

  #cleared(length: number): Uint16Array {
    if (length > this.#counts.length) this.#counts = new Uint16Array(length);
    return this.#counts.fill(0, 0, length);
  }
}

/** Its bytes, which begin at a multiple of four, and how many terms it has. */
function opened(blob: Uint8Array): { aligned: Uint8Array; count: number } {
  if (blob.byteLength < HEADER_BYTES) throw new TermBlobError(`a term blob of ${blob.byteLength} bytes`);
  const version = blob[0]!;
  if (version < OLDEST_VERSION || version > ANALYZER_VERSION)
    throw new TermBlobError(`a term blob of analyzer version ${version}`);
  // Typed arrays need an aligned start; a blob cut out of a larger buffer may not have one.
  const aligned = blob.byteOffset % 4 === 0 ? blob : blob.slice();
  const count = wordAt(aligned, 8);
  const rest = blob.byteLength - HEADER_BYTES - count * BYTES_PER_TERM;
  if (rest < 0 || rest % 2 !== 0) throw new TermBlobError(`a term blob of ${blob.byteLength} bytes for ${count} terms`);
  return { aligned, count };
}

/** Little-endian; a view would cost more to make than what it reads. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function namesOf(aligned: Uint8Array, count: number): number {
  return Math.min(count, aligned[2]! | (aligned[3]! << 8));
}

/** The place of a value among those from `from` up to `to`, which ascend; -1 for none. */
function binarySearch(sorted: Int32Array, wanted: number, from: number, to: number): number {
  let low = from;
  let high = to - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const value = sorted[middle]!;
    if (value === wanted) return middle;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
