import { AppError } from "../errors.ts";
import type { EmbedFailure } from "../embed/provider.ts";
import { queryTerms } from "../index/analyzer.ts";
import type { IndexLease } from "../index/registry.ts";
import type { IndexAnswer } from "../index/store-index.ts";
import type { Clock } from "../platform/clock.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import type { Caller } from "../http/caller.ts";
import { embedError } from "../api/embeddings/service.ts";
import type { DialectRules } from "../api/presenters/presenter.ts";
import type { RankerCatalog } from "./rankers.ts";
import type { StoreAccess } from "../api/vector-stores/access.ts";
import type { Ranked } from "./ranking.ts";
import { depthFor, forEnglishModel, mergeRanked, rank } from "./ranking.ts";
import type { SearchRequest } from "../api/search/request.ts";
import { readSearch } from "../api/search/request.ts";
import { chooseRanker, rerank } from "./rerank.ts";
import { resultOf } from "../api/search/results.ts";
import type { SearchBody, SearchPage, SearchResult } from "../api/search/schema.ts";
import { select } from "./select.ts";

/** A query's vector in a generation's own dimensions, from memory or from the model. */
export type EmbedQuery = (
  model: { id: string; revision: string; dimensions: number },
  text: string,
  signal: AbortSignal,
) => Promise<{ ok: true; vector: Float32Array } | EmbedFailure>;

/** One search, for the query log and the statistics. */
export interface SearchRecord {
  tenantId: string;
  storeId: string;
  keyId: string;
  /** Unix seconds. */
  createdAt: number;
  queries: string[];
  searchMode: string;
  filters: unknown;
  maxNumResults: number;
  results: { file_id: string; chunk_id: string; score: number }[];
  latencyMs: { total: number; embed: number; vector: number; keyword: number; rerank: number; fetch: number };
  model: string;
  generation: number;
  /** What found the nearest vectors. */
  index: IndexAnswer["used"];
}

export interface SearchDeps extends Pick<Storage, "stores" | "generations" | "chunks"> {
  clock: Clock;
  access: StoreAccess;
  /** `generation` is the row's id. */
  indexes: { acquire(storeId: string, generation: number): Promise<IndexLease> };
  embedQuery: EmbedQuery;
  rankers: RankerCatalog;
  /** Whether this model knows English only: then it has less of a say in questions that are not. */
  isEnglishModel: (model: string) => boolean;
  /** See ModelInfo. */
  unrelatedCosine: (model: string) => number;
  onSearch: (record: SearchRecord) => void;
}

interface Asked {
  ranked: Ranked[];
  used: IndexAnswer["used"];
}

export interface SearchAnswer {
  page: SearchPage;
  /** Number of the generation that answered. */
  generation: number;
}

/** A search moves the store's time of last activity, but a commit waits for the disk: it is written at most this often. */
const TOUCH_SECONDS = 60;

export type SearchService = ReturnType<typeof searchService>;

export function searchService(deps: SearchDeps) {
  const { stores, generations, chunks, clock, access } = deps;

  return {
    async search(
      caller: Caller,
      storeId: string,
      body: SearchBody,
      rules: DialectRules,
      signal: AbortSignal,
      /** `generation.id` of one that is not live, to compare it with the one that is. */
      at: number | null = null,
    ): Promise<SearchAnswer> {
      const startedAt = performance.now();
      const store = access.usable(caller, storeId, rules);
      const request = readSearch(body, rules);
      const ranker = chooseRanker(body.ranking_options ?? {}, request, rules, deps.rankers);
      const generation = generationOf(store, at ?? store.live_generation);
      // Leased before the query is embedded: if another model went live in between, the query's vector would be
      // compared with vectors of another space.
      using lease = await deps.indexes.acquire(storeId, generation.id);
      const leasedAt = performance.now();
      const queries = [...new Set(request.searched)];
      const vectors = await vectorsOf(queries, request, generation, signal);
      const embeddedAt = performance.now();
      const answers = queries.map((query, i) => ask(lease, generation.model, query, vectors[i] ?? null, request));
      const rankedAt = performance.now();
      const ranked =
        ranker === null
          ? mergeRanked(answers.map((answer) => answer.ranked))
          : await rerank(deps, caller.tenantId, ranker, questions(queries, answers, request), request, signal);
      const rerankedAt = performance.now();
      // From here to the end nothing awaits, so that no chunk can go between being found, or read again, and being shown.
      const found = select(ranked, request, chunks.terms);
      const results = read(caller.tenantId, found, request);
      const endedAt = performance.now();
      touch(store);
      deps.onSearch({
        tenantId: caller.tenantId,
        storeId,
        keyId: caller.keyId,
        createdAt: clock.nowSeconds(),
        queries: request.asked,
        searchMode: request.mode,
        filters: body.filters ?? null,
        maxNumResults: request.maxResults,
        results: results.map((result) => ({
          file_id: result.file_id,
          chunk_id: result.chunk_id ?? "",
          score: result.score,
        })),
        latencyMs: {
          total: endedAt - startedAt,
          embed: embeddedAt - leasedAt,
          vector: request.mode === "keyword" ? 0 : rankedAt - embeddedAt,
          keyword: request.mode === "keyword" ? rankedAt - embeddedAt : 0,
          rerank: ranker === null ? 0 : rerankedAt - rankedAt,
          fetch: endedAt - rerankedAt,
        },
        model: generation.model,
        generation: generation.number,
        index: answers[0]?.used ?? "none",
      });
      return {
        generation: generation.number,
        page: {
          object: "vector_store.search_results.page",
          search_query: request.searched,
          data: results,
          has_more: false,
          next_page: null,
        },
      };
    },
  };

  function generationOf(store: StoreRow, id: number | null): GenerationRow {
    const row = id === null ? null : generations.get(store.tenant_id, id);
    if (row === null) throw new Error("a store has no such generation");
    return row;
  }

  async function vectorsOf(
    queries: readonly string[],
    request: SearchRequest,
    generation: GenerationRow,
    signal: AbortSignal,
  ): Promise<(Float32Array | null)[]> {
    if (request.mode === "keyword") return [];
    const { queryVector } = request;
    if (queryVector !== null) {
      if (queryVector.length === generation.dimensions) return queries.map(() => queryVector);
      const text = `Invalid 'query_vector': expected ${generation.dimensions} dimensions, but got ${queryVector.length} instead.`;
      throw new AppError("invalid_dimensions", text, { param: "query_vector" });
    }
    const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
    const embedded = await Promise.all(queries.map((query) => deps.embedQuery(model, query, signal)));
    return embedded.map((result) => {
      // While a store is moved to the model's new revision, keywords answer alone.
      if (!result.ok && result.isOutdated === true && request.mode === "hybrid") return null;
      if (!result.ok) throw embedError(result);
      // The model knows no word of it: then nothing is near, and only keywords can answer.
      return result.vector.every((value) => value === 0) ? null : result.vector;
    });
  }

  function ask(
    { index }: IndexLease,
    model: string,
    query: string,
    vector: Float32Array | null,
    request: SearchRequest,
  ): Asked {
    const fusion = deps.isEnglishModel(model) ? forEnglishModel(request.fusion, query) : request.fusion;
    const wanted = request.maxChunksPerFile === null ? request.maxResults : request.maxResults * 4;
    const answer: IndexAnswer = index.search({
      vector,
      terms: request.mode === "vector" ? null : queryTerms(query),
      filter: request.filter,
      depth: depthFor(wanted),
      exact: wanted * 2,
      byWindows: request.isRescored,
    });
    return { ranked: rank(answer, request.mode, fusion, deps.unrelatedCosine(model)), used: answer.used };
  }

  function read(tenantId: string, found: readonly Ranked[], request: SearchRequest): SearchResult[] {
    const rows = new Map(
      chunks
        .hits(
          tenantId,
          found.map((one) => one.chunkId),
        )
        .map((row) => [row.id, row]),
    );
    return found.flatMap((one) => {
      const row = rows.get(one.chunkId);
      if (row === undefined) return [];
      const { contextWindow: around } = request;
      const neighbours = around === 0 ? [] : chunks.neighbours(tenantId, row.id, around, around);
      return [resultOf(row, one, neighbours, request.explain)];
    });
  }

  function touch(store: StoreRow): void {
    const now = clock.nowSeconds();
    if (now - store.last_active_at >= TOUCH_SECONDS) stores.touch(store.tenant_id, store.id, now);
  }
}

/** What a reranker reads: the questions as they were asked, not as they were rewritten for the first stage. */
function questions(queries: readonly string[], answers: readonly Asked[], { asked, searched }: SearchRequest) {
  return queries.map((query, i) => ({
    query: asked[searched.indexOf(query)] ?? query,
    ranked: answers[i]?.ranked ?? [],
  }));
}
