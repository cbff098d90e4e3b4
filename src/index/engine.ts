/**
 * What answers the searches of one generation of a store: an index in memory (store-index.ts), or an engine outside the
 * process that finds candidates, which are then scored here.
 *
 * An engine only has to find: which chunks may be among the nearest, and which among the best by words. Both scores of each
 * candidate, where in it the words stand and what it proves are computed by a {@link StoreIndex} over the candidates alone,
 * with the statistics of the whole (how many chunks there are, how many have a word), so by the same code from the same
 * numbers. An answer differs from that of an index in memory by candidates that the engine did not find, and by nothing else.
 */
import type { Attributes, Filter } from "./filter.ts";
import { KeywordIndex, type WholeStatistics } from "./keyword.ts";
import { PlainScorer } from "./keyword-scores.ts";
import type { QueryTerm } from "./query-term.ts";
import { type ChunkPage, type IndexAnswer, type IndexSearch, StoreIndex } from "./store-index.ts";

export type { WholeStatistics } from "./keyword.ts";

/** An answer, without what a filter keeps in all: nobody who ranks needs it, and to count it costs as much as to search. */
export type EngineAnswer = Omit<IndexAnswer, "matched"> & {
  /** The terms of a candidate, where the engine has read them; null for another chunk. */
  readonly termsOf?: ((chunkId: number) => Uint8Array | null) | undefined;
};

export interface SearchEngine {
  readonly chunkCount: number;
  /** Whether what it was made of is as it was; looked at after what was asked. */
  readonly isIntact: boolean;
  /** Throws VectorRejectedError on a query vector of another length or with NaN. */
  ask(request: IndexSearch): EngineAnswer | Promise<EngineAnswer>;
  /** Ids of chunks that a filter keeps, in order, those nearest to where the page begins. */
  chunksKept(filter: Filter, page: ChunkPage): number[] | Promise<number[]>;
}

/** The right to ask an engine, until `release`; `using` does that by itself. */
export type EngineLease = { readonly index: SearchEngine; release(): void; [Symbol.dispose](): void };

/** A chunk that an engine found. */
export interface FoundChunk {
  readonly chunkId: number;
  /** Of the file in this store. */
  readonly fileKey: number;
  readonly terms: Uint8Array;
  /** All its windows, windows × dimensions, in their order in the file. Need not be normalised. */
  readonly vectors: Float32Array;
}

export interface FoundBy {
  readonly dimensions: number;
  readonly nextShare: number;
  readonly whole: WholeStatistics;
  readonly used: EngineAnswer["used"];
}

const NO_ATTRIBUTES: Attributes = {};

/**
 * The answer to a question whose candidates are these. About 15 microseconds a chunk, in one turn. The filter of the request
 * was applied by whoever found them.
 */
export function answerFrom(found: readonly FoundChunk[], request: IndexSearch, by: FoundBy): EngineAnswer {
  const byId = new Map(found.map((chunk) => [chunk.chunkId, chunk]));
  const index = new StoreIndex({
    dimensions: by.dimensions,
    nextShare: by.nextShare,
    whole: by.whole,
    kind: "exact",
    fetchVectors: (ids) => ids.map((id) => byId.get(id)?.vectors ?? null),
    fetchTerms: (ids) => ids.map((id) => byId.get(id)?.terms ?? null),
  });
  // In the order of their ids, as in memory: what scores the same stands in that order.
  const inOrder = found.toSorted((a, b) => a.chunkId - b.chunkId);
  for (const [fileKey, chunks] of Map.groupBy(inOrder, (chunk) => chunk.fileKey))
    index.addFile({ fileKey, fileId: "", filename: "", attributes: NO_ATTRIBUTES, chunks });
  const answer = index.search({ ...request, filter: null });
  const { candidates, maxKeywordScore, attainableKeywordScore, small, knownTerms, idfSum } = answer;
  return {
    get vector() {
      return answer.vector;
    },
    get keyword() {
      return answer.keyword;
    },
    candidates,
    maxKeywordScore,
    attainableKeywordScore,
    small,
    knownTerms,
    idfSum,
    used: request.vector === null ? "none" : by.used,
    termsOf: (chunkId) => byId.get(chunkId)?.terms ?? null,
  };
}

/** The hashes of which the statistics of a question are made. */
export function hashesAsked(terms: readonly QueryTerm[]): number[] {
  const hashes = new Set<number>();
  for (const { hash, among, instead } of terms) {
    hashes.add(hash);
    if (among !== 0) hashes.add(among);
    if (instead !== undefined) hashes.add(instead.of);
  }
  return [...hashes];
}

/** The terms of a question that count, with their weights, as an index of all chunks would weigh them. */
export function weightsOf(
  terms: readonly QueryTerm[],
  whole: WholeStatistics,
): readonly { readonly hash: number; readonly idf: number }[] {
  return new KeywordIndex(new PlainScorer(), undefined, whole).search(terms, 0).weights;
}
