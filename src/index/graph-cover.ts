import { Bitset } from "./bitset.ts";
import type { ExactIndex, VectorHit } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { OpenGraph, OpenPart } from "./open-graph.ts";
import type { Steps } from "./steps.ts";

/**
 * Candidates that a walk keeps in view: recall against speed. Recall@10 of 150,000 passages of six subjects, added subject
 * by subject under the bundled model, over 500 questions of which half are from other subjects: 0.97 at 128, 0.990 at
 * 256, 0.992 at 320, 0.995 at 512, each doubling taking twice as long. (Added in mixed order: 0.001 more.)
 * (Clustered random vectors say 1.000 at 128: they are no measure.)
 */
export const LEAST_EF = 320;
/** Neighbours that a walk answers with, if as many are asked for; more only where it must. */
export const LEAST_NEIGHBOURS = 128;
export type WalkLimits = { readonly depth: number; readonly sure: number };

/** How much the newest search counts in `spread`. */
const SPREAD_MEMORY = 0.1;
/** A walk that has to look at more than this is slower than a scan. */
const MOST_EF = 3000;

type MappedPart = {
  readonly part: OpenPart;
  /** The chunk ordinal of each label, -1 for none. */
  readonly chunkOf: Int32Array;
  /** Which of those chunks are still there, and how many vectors they have here. */
  readonly chunks: Bitset;
  live: number;
  /** Neighbours it lately took to find one chunk: several windows of a chunk are often neighbours together. */
  spread: number;
};

/**
 * An open graph over the live chunks of a store, each with the vectors that it brought: which chunks it covers, which are the fresh tail that must be scanned,
 * and a search that leaves out what is no longer there.
 */
export class GraphCover {
  readonly graph: OpenGraph;
  readonly #vectors: ExactIndex;
  readonly #parts: MappedPart[] = [];
  readonly #tail = new Set<number>(); // chunk ordinals
  #coveredVectors = 0;
  #tailVectors = 0;
  #tailSlots: Int32Array | null = null;

  /** Costs about 0.2 microseconds a chunk. */
  constructor(graph: OpenGraph, files: FileTable, vectors: ExactIndex) {
    this.graph = graph;
    this.#vectors = vectors;
    const ordinals = new Map<number, number>();
    files.forEachLiveChunk((chunk) => ordinals.set(files.chunkId(chunk), chunk));
    for (const part of graph.parts) this.#parts.push(this.#map(part, ordinals));
    files.forEachLiveChunk((chunk) => {
      if (!this.#isCovered(chunk)) this.chunkAdded(chunk);
    });
  }

  /** Memory in use, the native one included: vectors, links, labels and locks of each element. */
  get byteLength(): number {
    return this.#parts.reduce((sum, { part, chunkOf }) => sum + part.entry.graph.bytes + chunkOf.length * (12 + 56), 0);
  }

  get coveredVectors(): number {
    return this.#coveredVectors;
  }

  get tailVectors(): number {
    return this.#tailVectors;
  }

  /** Vectors in the parts whose chunks are gone, by part. */
  deadVectors(part: OpenPart): number {
    const mapped = this.#parts.find((candidate) => candidate.part === part);
    return mapped === undefined ? 0 : part.entry.vectors - mapped.live;
  }

  tailChunks(): number[] {
    return [...this.#tail];
  }

  /** Live chunks of one part. */
  chunksOf(part: OpenPart): number[] {
    const mapped = this.#parts.find((candidate) => candidate.part === part);
    return mapped === undefined ? [] : [...mapped.chunks.toArray()];
  }

  chunkAdded(chunk: number): void {
    this.#tail.add(chunk);
    this.#tailVectors += this.#windows(chunk);
    this.#tailSlots = null;
  }

  /** Call before the chunk's vectors and its place in the file table go. */
  chunkRemoved(chunk: number): void {
    const windows = this.#windows(chunk);
    this.#tailSlots = null;
    if (this.#tail.delete(chunk)) {
      this.#tailVectors -= windows;
      return;
    }
    for (const mapped of this.#parts) {
      if (!mapped.chunks.has(chunk)) continue;
      mapped.chunks.delete(chunk);
      mapped.live -= windows;
      this.#coveredVectors -= windows;
    }
  }

  /** Vectors changed their slots. */
  slotsMoved(): void {
    this.#tailSlots = null;
  }

  tailSlots(): Int32Array {
    if (this.#tailSlots !== null) return this.#tailSlots;
    const slots = new Bitset();
    for (const chunk of this.#tail) this.#vectors.forEachSlotOf(chunk, (slot) => slots.add(slot));
    return (this.#tailSlots = slots.toArray());
  }

  /**
   * The best covered chunks among `allowed` (null: all), best first: `sure` of them at least, up to `depth`; or null
   * where the graph cannot prove that so many are left: then scan. `kept` is the share of all chunks that is allowed.
   * Scores are those of their best windows, exact. By steps; chunks that go meanwhile may be among those answered.
   */
  *searching(unit: Float32Array, limits: WalkLimits, allowed: Bitset | null, kept: number): Steps<VectorHit[] | null> {
    const best = new Map<number, number>();
    for (const mapped of this.#parts) {
      if (!(yield* this.#searchPart(mapped, unit, limits, allowed, kept, best))) return null;
    }
    return [...best]
      .map(([owner, score]) => ({ owner, score }))
      .sort((a, b) => b.score - a.score || a.owner - b.owner)
      .slice(0, limits.depth);
  }

  /** Widens the walk until the part has given `sure` live chunks, or everything it has. */
  *#searchPart(
    mapped: MappedPart,
    unit: Float32Array,
    { depth, sure }: WalkLimits,
    allowed: Bitset | null,
    kept: number,
    best: Map<number, number>,
  ): Steps<boolean> {
    const { graph } = mapped.part;
    // Start with room for the dead, the foreign and the doubled among the neighbours.
    const alive = Math.max(1, mapped.live) / graph.count;
    const wanted = Math.max(sure * mapped.spread, Math.min(depth, LEAST_NEIGHBOURS));
    for (let k = Math.ceil(wanted / (alive * kept)) + 8; ; k *= 2) {
      if (k > MOST_EF && k < graph.count) return false;
      const walk = graph.walk(unit, k, Math.max(LEAST_EF, k + (k >>> 1)));
      yield walk;
      const { labels, similarities } = walk.found;
      const found = new Map<number, number>();
      for (let i = 0; i < labels.length; i++) {
        const label = labels[i]!;
        const chunk = mapped.chunkOf[label]!;
        // An ordinal that was given to another chunk since is not in the part's set.
        if (!mapped.chunks.has(chunk)) continue;
        const score = Math.min(1, Math.max(-1, similarities[i]!));
        this.#vectors.forEachSharer(chunk, behind(mapped.chunkOf, label), (one) => {
          if (!found.has(one) && (allowed === null || allowed.has(one))) found.set(one, score);
        });
      }
      const full = found.size >= sure || labels.length === graph.count;
      if (!full && k < graph.count) continue;
      if (allowed === null && found.size > 0) {
        mapped.spread += ((labels.length * alive) / found.size - mapped.spread) * SPREAD_MEMORY;
      }
      for (const [chunk, score] of found) best.set(chunk, Math.max(score, best.get(chunk) ?? -1));
      return full;
    }
  }

  #isCovered(chunk: number): boolean {
    return this.#parts.some((mapped) => mapped.chunks.has(chunk));
  }

  #windows(chunk: number): number {
    let windows = 0;
    this.#vectors.forEachSlotOf(chunk, () => windows++);
    return windows;
  }

  /** A chunk is covered by a part that has all its windows; one of which a part has only some belongs to the tail. */
  #map(part: OpenPart, ordinals: ReadonlyMap<number, number>): MappedPart {
    const chunkOf = new Int32Array(part.chunkIds.length).fill(-1);
    const chunks = new Bitset();
    let live = 0;
    for (let label = 0; label < chunkOf.length;) {
      const id = part.chunkIds[label]!;
      let end = label + 1;
      while (end < chunkOf.length && part.chunkIds[end] === id) end++;
      const chunk = ordinals.get(id) ?? -1;
      if (chunk >= 0 && !chunks.has(chunk) && !this.#isCovered(chunk) && this.#windows(chunk) === end - label) {
        chunkOf.fill(chunk, label, end);
        chunks.add(chunk);
        live += end - label;
      }
      label = end;
    }
    this.#coveredVectors += live;
    return { part, chunkOf, chunks, live, spread: 1 };
  }
}

/** How many of the windows that a chunk brought follow the one of this label. */
function behind(chunkOf: Int32Array, label: number): number {
  let end = label + 1;
  while (end < chunkOf.length && chunkOf[end] === chunkOf[label]) end++;
  return end - label - 1;
}
