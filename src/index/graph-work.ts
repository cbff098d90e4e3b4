import type { ExactIndex } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { PartEntry } from "./generation.ts";
import type { GraphCover } from "./graph-cover.ts";

export type IndexKind = "auto" | "exact" | "hnsw";

/** Which stores have a graph: none (exact), every one (hnsw), or those of at least `from` vectors (auto). */
export type GraphRule = { readonly kind: IndexKind; readonly from: number };

/** One part file to build: `base` extended by the chunks, or a new one of them; `replaces` are left out afterwards. */
export type GraphWork = {
  readonly base: PartEntry | null;
  readonly replaces: readonly number[];
  /** In the order they should be added, every window of a chunk after the other. */
  readonly chunkIds: readonly number[];
  readonly vectors: number;
};

/** From this many vectors on the scan (about 15 ns a vector) is worth being replaced by the graph. */
export const GRAPH_FROM_VECTORS = 100_000;
/** Vectors per part file: bounds what one build costs and what a crash loses. */
export const PART_VECTORS = 250_000;
/** The fresh tail is merged when it is this many vectors, and this share of what the graph covers. */
const LEAST_TAIL = 10_000;
const LEAST_TAIL_FORCED = 256;
const TAIL_SHARE = 0.15;
/** A part is built anew when more than this share of it is dead. */
const DEAD_SHARE = 0.3;

/** Whether a store of this size should have a graph; one that has it keeps it until it has shrunk to half. */
export function wantsGraph({ kind, from }: GraphRule, vectors: number, has: boolean): boolean {
  if (kind !== "auto") return kind === "hnsw";
  return vectors >= (has ? from / 2 : from);
}

/** The parts of the manifest after the work was done. */
export function partsAfter(parts: readonly PartEntry[], work: GraphWork, built: PartEntry): PartEntry[] {
  const gone = new Set([...work.replaces, ...(work.base === null ? [] : [work.base.serial])]);
  return [...parts.filter((part) => !gone.has(part.serial)), built];
}

/** What `StoreIndex.graphWork` answers. */
export function planGraphWork(
  rule: GraphRule,
  vectors: ExactIndex,
  files: FileTable,
  cover: GraphCover | null,
  idsOf: (chunks: readonly number[]) => number[],
): GraphWork | null {
  if (vectors.count === 0 || !wantsGraph(rule, vectors.count, cover !== null)) return null;
  const work = (base: PartEntry | null, replaces: readonly number[], chunks: Iterable<number>): GraphWork => {
    const room = Math.max(1, PART_VECTORS - (base?.vectors ?? 0));
    const taken: number[] = [];
    let count = 0;
    for (const chunk of chunks) {
      let windows = 0;
      vectors.forEachSlotOf(chunk, () => windows++);
      if (windows === 0) continue;
      if (count > 0 && count + windows > room) break;
      taken.push(chunk);
      count += windows;
    }
    return { base, replaces, chunkIds: idsOf(taken), vectors: count };
  };
  if (cover === null) {
    const all: number[] = [];
    files.forEachLiveChunk((chunk) => all.push(chunk));
    return work(null, [], all);
  }
  const decayed = cover.graph.parts.find((part) => cover.deadVectors(part) > part.entry.vectors * DEAD_SHARE);
  if (decayed !== undefined)
    return work(null, [decayed.entry.serial], [...cover.chunksOf(decayed), ...cover.tailChunks()]);
  const least = rule.kind === "hnsw" ? LEAST_TAIL_FORCED : Math.min(LEAST_TAIL, rule.from / 10);
  if (cover.tailVectors < Math.max(least, cover.coveredVectors * TAIL_SHARE)) return null;
  const last = cover.graph.parts.at(-1)?.entry ?? null;
  return work(last !== null && last.vectors < PART_VECTORS * 0.9 ? last : null, [], cover.tailChunks());
}
