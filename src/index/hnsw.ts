/**
 * A graph of unit vectors under the labels 0, 1, 2 …, in native code (native/graph.h). The addon checks what it is given;
 * what is left to do here:
 * - only a `VerifiedFile` is read;
 * - what was written is proved by reading it back, see part-file.ts;
 * - the collector does not see the native memory: `release` gives it back at once.
 * One object belongs to one thread, which may have others help it with adding.
 */
import type { NativeGraph, VectorAddon } from "../platform/vector-addon.ts";
import type { Bitset } from "./bitset.ts";
import { searchThreads } from "./native-scan.ts";
import type { Step } from "./steps.ts";
import { VectorRejectedError } from "./vector-input.ts";

export type GraphSettings = { readonly m: number; readonly efConstruction: number };
/** 24 links find more than 16 at the same speed, for 64 bytes a vector; 32 find no more. */
export const DEFAULT_GRAPH_SETTINGS: GraphSettings = { m: 24, efConstruction: 200 };

/** Labels are 32-bit numbers; parts are far smaller. */
const MOST_LABELS = 2 ** 31 - 1;

declare const verified: unique symbol;
/** A file whose size and checksum were found right (`verifyFile` of part-file.ts) and that nobody writes to again. */
export type VerifiedFile = { readonly path: string; readonly [verified]: true };

export type GraphHits = { readonly labels: Int32Array; readonly similarities: Float32Array };
/** Who has each label, and who of them is wanted. */
export type LabelFilter = { readonly owners: Int32Array; readonly allowed: Bitset };

export class HnswGraph {
  readonly dimensions: number;
  readonly #addon: VectorAddon;
  #graph: NativeGraph | null;
  #count: number;
  #capacity: number;

  private constructor(addon: VectorAddon, graph: NativeGraph, dimensions: number, { count, capacity }: Size) {
    this.dimensions = dimensions;
    this.#addon = addon;
    this.#graph = graph;
    this.#count = count;
    this.#capacity = capacity;
  }

  static create(addon: VectorAddon, dimensions: number, capacity: number, settings: GraphSettings): HnswGraph {
    const graph = addon.graphCreate(dimensions, capacity, settings.m, settings.efConstruction);
    return new HnswGraph(addon, graph, dimensions, { count: 0, capacity });
  }

  /** Reads off the thread. Rejects if the file does not hold `count` vectors of `dimensions`. */
  static async read(addon: VectorAddon, file: VerifiedFile, dimensions: number, count: number): Promise<HnswGraph> {
    const graph = await addon.graphRead(file.path, dimensions, count);
    return new HnswGraph(addon, graph, dimensions, { count, capacity: count });
  }

  get count(): number {
    return this.#count;
  }

  /** Makes room for this many vectors in all. */
  reserve(capacity: number): void {
    if (capacity <= this.#capacity) return;
    if (capacity > MOST_LABELS) throw new RangeError(`a graph of ${capacity} vectors is too large`);
    this.#addon.graphReserve(this.#native(), capacity);
    this.#capacity = capacity;
  }

  /**
   * Adds unit vectors under the next labels, and answers the first of them. About 0.3 to 1 ms a vector and thread. On one
   * thread, the same vectors in the same order give the same graph.
   */
  add(vectors: Float32Array, threads = 1): number {
    const graph = this.#native();
    this.#check(vectors);
    const first = this.#count;
    const count = first + vectors.length / this.dimensions;
    if (count > this.#capacity) this.reserve(Math.max(count, Math.ceil(this.#capacity * 1.5)));
    this.#addon.graphAdd(graph, vectors, threads);
    this.#count = count;
    return first;
  }

  /**
   * Up to `k` most similar vectors, best first, looking at `ef` candidates (at least `k`). May answer fewer: a graph
   * promises nothing. Synchronous, about 0.2 to 1 ms.
   */
  search(unit: Float32Array, k: number, ef: number, filter: LabelFilter | null = null): GraphHits {
    const step = this.walk(unit, k, ef, filter);
    step.now();
    return step.found;
  }

  /** The same as a step of a search. `release` meanwhile does it no harm; nothing may be added. */
  walk(unit: Float32Array, k: number, ef: number, filter: LabelFilter | null = null): WalkStep {
    const graph = this.#native();
    const wanted = Math.max(0, Math.min(k, this.#count));
    this.#check(unit);
    const [owners, allowed] = filter === null ? [null, null] : [filter.owners, filter.allowed.words];
    const looked = Math.max(wanted, Math.min(ef, this.#count));
    const [labels, similarities] = [new Int32Array(wanted), new Float32Array(wanted)];
    return new WalkStep(this.#addon, [graph, unit, looked, owners, allowed, labels, similarities]);
  }

  /** Writes the file. Throws what the disk says; that all of it is right is seen by reading it back: `sealGraphFile`. */
  writeUnverified(path: string): void {
    this.#addon.graphSave(this.#native(), path);
  }

  /** Frees the native memory. The object must not be used afterwards. */
  release(): void {
    if (this.#graph !== null) this.#addon.graphRelease(this.#graph);
    this.#graph = null;
  }

  #native(): NativeGraph {
    if (this.#graph === null) throw new Error("the graph was released");
    return this.#graph;
  }

  #check(vectors: Float32Array): void {
    if (vectors.length % this.dimensions !== 0 || vectors.length === 0)
      throw new VectorRejectedError("dimensions", `a vector of ${vectors.length} dimensions`);
    for (let i = 0; i < vectors.length; i++) {
      if (!Number.isFinite(vectors[i])) throw new VectorRejectedError("not-finite", "a component is not finite");
    }
  }
}

type Walk = Parameters<VectorAddon["graphSearch"]>;

/** What was found is in `found` once it is done. */
export class WalkStep implements Step {
  readonly #addon: VectorAddon;
  readonly #asked: Walk;
  #count = 0;

  constructor(addon: VectorAddon, asked: Walk) {
    this.#addon = addon;
    this.#asked = asked;
  }

  get found(): GraphHits {
    return { labels: this.#asked[5].subarray(0, this.#count), similarities: this.#asked[6].subarray(0, this.#count) };
  }

  now(): void {
    this.#count = this.#addon.graphSearch(...this.#asked);
  }

  later(): Promise<void> | null {
    return searchThreads() === 0 ? null : this.#take(this.#addon.graphSearchLater(...this.#asked));
  }

  async #take(count: Promise<number>): Promise<void> {
    this.#count = await count;
  }
}

type Size = { readonly count: number; readonly capacity: number };
