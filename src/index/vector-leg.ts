/** The nearest chunks of a question's vector: by a scan or by the graph, whichever is faster and can answer. */
import type { ExactIndex, ExactSearchOptions, VectorHit } from "./exact.ts";
import type { FileTable } from "./file-table.ts";
import type { Matching } from "./filter-cache.ts";
import { type GraphCover, LEAST_EF, LEAST_NEIGHBOURS } from "./graph-cover.ts";
import type { Steps } from "./steps.ts";
import { unitQuery } from "./vector-input.ts";

/** A filter that keeps more than this share of the vectors is a test during the full scan, not a list of slots. */
export const LIST_SHARE = 0.3;

export type Nearest = { readonly hits: readonly VectorHit[]; readonly used: "exact" | "hnsw" | "none" };
export const NO_HITS: Nearest = { hits: [], used: "none" };

export type VectorParts = {
  readonly vectors: ExactIndex;
  readonly files: FileTable;
  /** The graph, where it may be used. */
  readonly cover: GraphCover | null;
};

/** Throws VectorRejectedError. Chunks that go while the steps are done may be among those found. */
export function* nearest(
  parts: VectorParts,
  vector: Float32Array,
  options: ExactSearchOptions,
  matching: Matching | null,
): Steps<Nearest> {
  const { vectors, files } = parts;
  const walked = yield* walk(parts, vector, options, matching);
  if (walked !== null) return { hits: walked, used: "hnsw" };
  if (matching === null) return { hits: yield* vectors.searching(vector, options), used: "exact" };
  const many = matching.chunkCount > files.chunkCount * LIST_SHARE;
  // A slot that several chunks share may belong to one that the filter does not keep.
  const shared = vectors.isShared ? matching.chunks : null;
  const only = many ? { allowed: matching.chunks } : { slots: matching.slots(), allowed: shared };
  return { hits: yield* vectors.searching(vector, { ...options, ...only }), used: "exact" };
}

/** The graph's answer and the fresh tail's together, or null where a scan is better or the graph cannot answer. */
function* walk(
  { vectors, files, cover }: VectorParts,
  vector: Float32Array,
  options: ExactSearchOptions,
  matching: Matching | null,
): Steps<VectorHit[] | null> {
  if (cover === null) return null;
  const kept = matching === null ? 1 : matching.chunkCount / Math.max(1, files.chunkCount);
  const neighbours = Math.max(options.exact, Math.min(options.depth, LEAST_NEIGHBOURS));
  if (matching !== null && !walkPays(vectors, neighbours, kept)) return null;
  const limits = { depth: options.depth, sure: Math.min(options.exact, options.depth) };
  const unit = unitQuery(vector, vectors.dimensions);
  const walked = yield* cover.searching(unit, limits, matching?.chunks ?? null, kept);
  if (walked === null) return null;
  const scored = vectors.withNext(vector, walked);
  if (cover.tailVectors === 0) return bestOf(scored, options.depth);
  const slots = cover.tailSlots();
  const fresh = yield* vectors.searching(vector, { ...options, slots, allowed: matching?.chunks ?? null });
  return bestOf([...fresh, ...scored], options.depth);
}

/**
 * With a filter the graph must find so many more neighbours that enough of them pass. Figures in microseconds, measured
 * at 256 dimensions: a walk takes 3 a candidate, a scan 0.015 a vector in a row and 0.025 a listed one.
 */
function walkPays({ count, dimensions }: ExactIndex, neighbours: number, kept: number): boolean {
  if (kept === 0) return false;
  const walked = 3 * Math.max(LEAST_EF, (1.5 * neighbours) / kept);
  const scanned = kept > LIST_SHARE ? count * 0.015 : count * kept * 0.025;
  return walked < (scanned * dimensions) / 256;
}

/** Best first, each owner once: one may be found by windows of its own, and by such as it shares. */
function bestOf(hits: readonly VectorHit[], depth: number): VectorHit[] {
  const best = new Map<number, VectorHit>();
  for (const hit of hits) if (hit.score > (best.get(hit.owner)?.score ?? -Infinity)) best.set(hit.owner, hit);
  return [...best.values()].sort((a, b) => b.score - a.score || a.owner - b.owner).slice(0, depth);
}
