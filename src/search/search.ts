/**
 * A search: from a typed request to ranked hits, for whoever asks. It knows neither HTTP nor who the caller is: what a
 * store may show to whom is decided before, how an answer looks after.
 *
 * Order of a search: lease the index, embed the queries, ask both legs, fuse, rerank, choose, read the texts.
 */
import { AppError } from "../errors.ts";
import type { EmbedFailure } from "../embed/provider.ts";
import { queryTerms } from "../index/analyzer.ts";
import type { IndexLease } from "../index/registry.ts";
import type { IndexAnswer } from "../index/store-index.ts";
import { embedError } from "../models/failures.ts";
import type { ChunkHit } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import type { Ranked } from "./ranking.ts";
import { depthFor, forEnglishModel, mergeRanked, rank } from "./ranking.ts";
import type { SearchRequest } from "./request.ts";
import type { RerankDeps } from "./rerank.ts";
import { rerank } from "./rerank.ts";
import { select } from "./select.ts";

/** A query's vector in a generation's own dimensions, from memory or from the model. */
export type EmbedQuery = (
  model: { id: string; revision: string; dimensions: number },
  text: string,
  signal: AbortSignal,
) => Promise<{ ok: true; vector: Float32Array } | EmbedFailure>;

export interface SearchDeps extends Pick<Storage, "generations" | "chunks" | "indexReads"> {
  /** `generation` is the row's id. */
  indexes: { acquire(storeId: string, generation: number): Promise<IndexLease> };
  embedQuery: EmbedQuery;
  rankers: RerankDeps["rankers"];
  /** Whether this model knows English only: then it has less of a say in questions that are not. */
  isEnglishModel: (model: string) => boolean;
  /** See ModelInfo. */
  unrelatedCosine: (model: string) => number;
}

export interface StoreSearch {
  /** One that may be searched. */
  store: Pick<StoreRow, "id" | "tenant_id" | "live_generation">;
  /** `generation.id` of one that is not live, to compare it with the one that is; null: the live one. */
  generation: number | null;
  request: SearchRequest;
  /** The reranker that reads the best candidates; null for none. */
  ranker: string | null;
}

/** One result. */
export interface Hit {
  chunk: ChunkHit;
  ranked: Ranked;
  /** The chunks around it and itself, in order; empty where none were asked for. */
  neighbours: readonly Neighbour[];
}

export type Neighbour = Pick<
  ChunkHit,
  "idx" | "text" | "start_cp" | "end_cp" | "page" | "page_end" | "line" | "line_end"
>;

/** Milliseconds of each step. */
export interface SearchLatency {
  total: number;
  embed: number;
  vector: number;
  keyword: number;
  rerank: number;
  fetch: number;
}

export interface SearchOutcome {
  /** The one that answered. */
  generation: GenerationRow;
  /** Best first. */
  hits: Hit[];
  /** What found the nearest vectors. */
  index: IndexAnswer["used"];
  latencyMs: SearchLatency;
}

/** Throws an {@link AppError} for what a client can be told: a model that cannot answer, a vector of the wrong size. */
export type Search = (asked: StoreSearch, signal: AbortSignal) => Promise<SearchOutcome>;

interface Asked {
  ranked: Ranked[];
  used: IndexAnswer["used"];
}

export function createSearch(deps: SearchDeps): Search {
  return (asked, signal) => search(deps, asked, signal);
}

async function search(deps: SearchDeps, asked: StoreSearch, signal: AbortSignal): Promise<SearchOutcome> {
  const { store, request, ranker } = asked;
  const startedAt = performance.now();
  const generation = await generationOf(deps, store, asked.generation ?? store.live_generation);
  // Leased before the query is embedded: if another model went live in between, the query's vector would be
  // compared with vectors of another space.
  using lease = await deps.indexes.acquire(store.id, generation.id);
  const leasedAt = performance.now();
  const queries = [...new Set(request.searched)];
  const vectors = await vectorsOf(deps, queries, { request, generation, signal });
  const embeddedAt = performance.now();
  const answers = queries.map((query, i) =>
    ask(deps, lease, { model: generation.model, query, vector: vectors[i] ?? null, request }),
  );
  const rankedAt = performance.now();
  const ranked =
    ranker === null
      ? mergeRanked(answers.map((answer) => answer.ranked))
      : await rerank(
          deps,
          { tenantId: store.tenant_id, ranker, found: questions(queries, answers, request), request },
          signal,
        );
  const rerankedAt = performance.now();
  const found = select(ranked, request, deps.indexReads.terms);
  // What was deleted since it was found is left out here: nothing that is gone is shown.
  const hits = await read(deps, store.tenant_id, found, request);
  const endedAt = performance.now();
  return {
    generation,
    hits,
    index: answers[0]?.used ?? "none",
    latencyMs: {
      total: endedAt - startedAt,
      embed: embeddedAt - leasedAt,
      vector: request.mode === "keyword" ? 0 : rankedAt - embeddedAt,
      keyword: request.mode === "keyword" ? rankedAt - embeddedAt : 0,
      rerank: ranker === null ? 0 : rerankedAt - rankedAt,
      fetch: endedAt - rerankedAt,
    },
  };
}

async function generationOf(
  { generations }: SearchDeps,
  store: StoreSearch["store"],
  id: number | null,
): Promise<GenerationRow> {
  const row = id === null ? null : await generations.get(store.tenant_id, id);
  if (row === null) throw new Error("a store has no such generation");
  return row;
}

/** One vector for each query, in order; null where the keywords answer alone. */
async function vectorsOf(
  { embedQuery }: SearchDeps,
  queries: readonly string[],
  { request, generation, signal }: { request: SearchRequest; generation: GenerationRow; signal: AbortSignal },
): Promise<(Float32Array | null)[]> {
  if (request.mode === "keyword") return [];
  const { queryVector } = request;
  if (queryVector !== null) {
    if (queryVector.length === generation.dimensions) return queries.map(() => queryVector);
    const text = `Invalid 'query_vector': expected ${generation.dimensions} dimensions, but got ${queryVector.length} instead.`;
    throw new AppError("invalid_dimensions", text, { param: "query_vector" });
  }
  const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
  const embedded = await Promise.all(queries.map((query) => embedQuery(model, query, signal)));
  return embedded.map((result) => {
    // While a store is moved to the model's new revision, keywords answer alone.
    if (!result.ok && result.isOutdated === true && request.mode === "hybrid") return null;
    if (!result.ok) throw embedError(result);
    // The model knows no word of it: then nothing is near, and only keywords can answer.
    return result.vector.every((value) => value === 0) ? null : result.vector;
  });
}

function ask(
  { isEnglishModel, unrelatedCosine }: SearchDeps,
  { index }: IndexLease,
  asked: { model: string; query: string; vector: Float32Array | null; request: SearchRequest },
): Asked {
  const { model, query, vector, request } = asked;
  const fusion = isEnglishModel(model) ? forEnglishModel(request.fusion, query) : request.fusion;
  const wanted = request.maxChunksPerFile === null ? request.maxResults : request.maxResults * 4;
  const answer: IndexAnswer = index.search({
    vector,
    terms: request.mode === "vector" ? null : queryTerms(query),
    filter: request.filter,
    depth: depthFor(wanted),
    exact: wanted * 2,
    byWindows: request.isRescored,
  });
  return { ranked: rank(answer, request.mode, fusion, unrelatedCosine(model)), used: answer.used };
}

async function read(
  { chunks }: SearchDeps,
  tenantId: string,
  found: readonly Ranked[],
  request: SearchRequest,
): Promise<Hit[]> {
  const ids = found.map((one) => one.chunkId);
  const rows = new Map((await chunks.hits(tenantId, ids)).map((row) => [row.id, row]));
  const { contextWindow: around } = request;
  const hits: Hit[] = [];
  for (const ranked of found) {
    const chunk = rows.get(ranked.chunkId);
    if (chunk === undefined) continue;
    const neighbours = around === 0 ? [] : await chunks.neighbours(tenantId, chunk.id, around, around);
    hits.push({ chunk, ranked, neighbours });
  }
  return hits;
}

/** What a reranker reads: the questions as they were asked, not as they were rewritten for the first stage. */
function questions(queries: readonly string[], answers: readonly Asked[], { asked, searched }: SearchRequest) {
  return queries.map((query, i) => ({
    query: asked[searched.indexOf(query)] ?? query,
    ranked: answers[i]?.ranked ?? [],
  }));
}
/** Chunk ids as clients see them: `chunk_` and the row's number in base 36. */
export function chunkIdOf(row: number): string {
  return `chunk_${row.toString(36)}`;
}

/** The row's number, or null for what is no chunk id. */
export function rowOfChunkId(id: string): number | null {
  const digits = /^chunk_([0-9a-z]{1,10})$/.exec(id)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 36);
}
