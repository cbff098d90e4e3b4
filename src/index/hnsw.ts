/**
 * The one wrapper around hnswlib-node. The binding has traps that end the process or answer nonsense; none can be
 * reached from here:
 * - it takes plain arrays only, reads each number unchecked, and accepts NaN: vectors are checked and copied here;
 * - labels are cut to 32 bits: labels are given out here, 0, 1, 2 …;
 * - adding beyond the capacity throws, and so does asking for more neighbours than it: both are held back here;
 * - a filter callback is slow and a throwing one aborts: none is ever passed;
 * - reading a damaged file aborts, or throws and leaves a dangling pointer: only a `VerifiedFile` can be read, always
 *   into a new object, which is dropped if reading fails;
 * - writing reports success on a full disk: `writeUnverified` says so in its name, see part-file.ts;
 * - an asynchronous write beside an insertion tears the file: writing is synchronous;
 * - the collector does not see the native memory: `release` gives it back at once.
 * One object belongs to one thread.
 */
import type { Hnsw } from "../platform/native.ts";
import { VectorRejectedError } from "./vector-input.ts";

export type GraphSettings = { readonly m: number; readonly efConstruction: number };
/** 24 links find more than 16 at the same speed, for 64 bytes a vector; 32 find no more. */
export const DEFAULT_GRAPH_SETTINGS: GraphSettings = { m: 24, efConstruction: 200 };

/** Well within the binding's 32 bits; parts are far smaller. */
const MOST_LABELS = 2 ** 31 - 1;
/** Levels are drawn from this; fixed, so that the same vectors in the same order give the same graph. */
const SEED = 100;

declare const verified: unique symbol;
/** A file whose size and checksum were found right (`verifyFile` of part-file.ts) and that nobody writes to again. */
export type VerifiedFile = { readonly path: string; readonly [verified]: true };

export type GraphHits = { readonly labels: readonly number[]; readonly similarities: readonly number[] };

export class HnswGraph {
  readonly dimensions: number;
  #index: InstanceType<Hnsw["HierarchicalNSW"]> | null;
  #count: number;
  #capacity: number;
  readonly #point: number[];

  private constructor(index: InstanceType<Hnsw["HierarchicalNSW"]>, dimensions: number, count: number) {
    this.dimensions = dimensions;
    this.#index = index;
    this.#count = count;
    this.#capacity = index.getMaxElements();
    this.#point = Array.from({ length: dimensions }, () => 0);
  }

  static create(hnsw: Hnsw, dimensions: number, capacity: number, settings: GraphSettings): HnswGraph {
    const index = new hnsw.HierarchicalNSW("ip", dimensions);
    index.initIndex(Math.max(1, capacity), settings.m, settings.efConstruction, SEED, false);
    return new HnswGraph(index, dimensions, 0);
  }

  /** Reads off the thread. Rejects if the file does not hold `count` vectors of `dimensions`. */
  static async read(hnsw: Hnsw, file: VerifiedFile, dimensions: number, count: number): Promise<HnswGraph> {
    const index = new hnsw.HierarchicalNSW("ip", dimensions);
    await index.readIndex(file.path, false);
    // Asking the object after the wait also keeps it alive during it: the reading thread holds a bare pointer.
    if (index.getCurrentCount() !== count)
      throw new Error(`an index of ${index.getCurrentCount()} vectors, not ${count}`);
    return new HnswGraph(index, dimensions, count);
  }

  get count(): number {
    return this.#count;
  }

  /** Makes room for this many vectors in all. */
  reserve(capacity: number): void {
    if (capacity <= this.#capacity) return;
    if (capacity > MOST_LABELS) throw new RangeError(`a graph of ${capacity} vectors is too large`);
    this.#native().resizeIndex(capacity);
    this.#capacity = capacity;
  }

  /** Adds a unit vector under the next label, and answers the label. About 0.3 to 1 ms. */
  add(vectors: Float32Array, offset: number): number {
    const index = this.#native();
    this.#fill(vectors, offset);
    if (this.#count === this.#capacity) this.reserve(Math.ceil(this.#capacity * 1.5) + 1);
    index.addPoint(this.#point, this.#count);
    return this.#count++;
  }

  /**
   * Up to `k` most similar vectors, best first, looking at `ef` candidates (at least `k`). May answer fewer: a graph
   * promises nothing. Synchronous, about 0.2 to 1 ms.
   */
  search(unit: Float32Array, k: number, ef: number): GraphHits {
    const wanted = Math.min(k, this.#count);
    if (wanted < 1) return { labels: [], similarities: [] };
    const index = this.#native();
    this.#fill(unit, 0);
    index.setEf(Math.max(wanted, Math.min(ef, this.#count)));
    const { neighbors, distances } = index.searchKnn(this.#point, wanted);
    return { labels: neighbors, similarities: distances.map((distance) => 1 - distance) };
  }

  /** Writes the file. Success means nothing until the file has been checked: see `sealPart`. */
  writeUnverified(path: string): void {
    this.#native().writeIndexSync(path);
  }

  /** Frees the native memory. The object must not be used afterwards. */
  release(): void {
    // A new, empty index replaces the old one in the native object at once.
    this.#index?.initIndex(1, 2, 1, SEED, false);
    this.#index = null;
  }

  #native(): InstanceType<Hnsw["HierarchicalNSW"]> {
    if (this.#index === null) throw new Error("the graph was released");
    return this.#index;
  }

  #fill(vectors: Float32Array, offset: number): void {
    if (offset < 0 || offset + this.dimensions > vectors.length) {
      throw new VectorRejectedError("dimensions", `a vector of ${vectors.length - offset} dimensions`);
    }
    for (let i = 0; i < this.dimensions; i++) {
      const value = vectors[offset + i]!;
      if (!Number.isFinite(value)) throw new VectorRejectedError("not-finite", "a component is not finite");
      this.#point[i] = value;
    }
  }
}
