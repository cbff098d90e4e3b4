/** Vectors of recent queries, so that a repeated search does not wait for the model. Least recently used goes first. */

/** Bookkeeping of one entry beside its text and its vector, estimated. */
const ENTRY_BYTES = 160;

export interface QueryCacheStats {
  entries: number;
  bytes: number;
  hits: number;
  misses: number;
}

export class QueryCache {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  /** A Map keeps the order of insertion: the first entry is the one that was not used for longest. */
  readonly #entries = new Map<string, Float32Array>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(limits: { maxBytes: number; maxEntries: number }) {
    this.#maxBytes = limits.maxBytes;
    this.#maxEntries = limits.maxEntries;
  }

  /** The vector of this text by this revision of a model, as it was put in: do not change it. */
  get(revision: string, text: string): Float32Array | undefined {
    const key = keyOf(revision, text);
    const vector = this.#entries.get(key);
    if (vector === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    this.#entries.delete(key);
    this.#entries.set(key, vector);
    return vector;
  }

  /** Keeps a copy. A vector that alone exceeds the bound is not kept. */
  set(revision: string, text: string, vector: Float32Array): void {
    const key = keyOf(revision, text);
    this.#remove(key);
    const bytes = bytesOf(key, vector);
    if (bytes > this.#maxBytes || this.#maxEntries < 1) return;
    this.#entries.set(key, vector.slice());
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= this.#maxEntries) break;
      this.#remove(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  stats(): QueryCacheStats {
    return { entries: this.#entries.size, bytes: this.#bytes, hits: this.#hits, misses: this.#misses };
  }

  #remove(key: string): void {
    const vector = this.#entries.get(key);
    if (vector === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= bytesOf(key, vector);
  }
}

/** A revision holds no line break, so two pairs never make one key. */
function keyOf(revision: string, text: string): string {
  return `${revision}\n${text}`;
}

function bytesOf(key: string, vector: Float32Array): number {
  return ENTRY_BYTES + 2 * key.length + vector.byteLength;
}
