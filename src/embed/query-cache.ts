/**
 * Vectors of recent queries, so that a repeated search does not wait for the model. Least recently used goes first. Each
 * tenant finds its own only: by the time it takes, nobody learns what another has asked.
 */

/** Bookkeeping of one entry beside its text and its vector, estimated. */
const ENTRY_BYTES = 160;

export interface CachedQuery {
  tenantId: string;
  /** Of the model, and what else its vectors depend on. */
  revision: string;
  text: string;
}

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

  /** The vector of a query, as it was put in: do not change it. */
  get(query: CachedQuery): Float32Array | undefined {
    const key = keyOf(query);
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
  set(query: CachedQuery, vector: Float32Array): void {
    const key = keyOf(query);
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

/** Neither an id nor a revision holds a line break, so two queries never make one key. */
function keyOf({ tenantId, revision, text }: CachedQuery): string {
  return `${tenantId}\n${revision}\n${text}`;
}

function bytesOf(key: string, vector: Float32Array): number {
  return ENTRY_BYTES + 2 * key.length + vector.byteLength;
}
