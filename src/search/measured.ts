import { AppError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { Storage } from "../storage/storage.ts";
import { DEFAULT_FUSION, type SearchMode } from "./ranking.ts";
import type { SearchRequest } from "./request.ts";
import { chooseRanker } from "./rerank.ts";
import type { Search, SearchDeps } from "./search.ts";
import { assertNotExpired, assertOpen, storeNotFound } from "./store-state.ts";

/** A search for a measurement: the one that users make, but it leaves no trace in the log and is no use of the store. */
export type MeasuredSearch = (asked: MeasuredQuery, signal: AbortSignal) => Promise<MeasuredAnswer>;

export interface MeasuredQuery {
  tenantId: string;
  storeId: string;
  /** `generation.id`; null: the one that is live. */
  generation: number | null;
  query: string;
  mode: SearchMode;
  results: number;
  /** Only the best chunk of each file. */
  onePerFile: boolean;
}

export interface MeasuredHit {
  file: string;
  chunk: number;
}

export type MeasuredAnswer =
  | {
      ok: true;
      /** Number of the generation that answered, within its store. */
      generation: number;
      /** Best first. */
      hits: MeasuredHit[];
      ms: { total: number; embed: number };
    }
  /** `passing`: it may work later. */
  | { ok: false; code: string; message: string; passing: boolean };

export interface MeasuredSearchDeps {
  stores: Pick<Storage["stores"], "get">;
  tenants: Pick<Storage["tenants"], "get">;
  clock: Clock;
  rankers: SearchDeps["rankers"];
  search: Search;
}

/** Failures that may be over when the same search is made later. */
const PASSING: ReadonlySet<string> = new Set([
  "overloaded",
  "rate_limit_exceeded",
  "embedding_provider_error",
  "embedding_model_unavailable",
  "reranker_unavailable",
  "shutting_down",
]);

export function measuredSearch({ stores, tenants, clock, rankers, search }: MeasuredSearchDeps): MeasuredSearch {
  return async (asked, signal) => {
    const { tenantId, storeId, generation } = asked;
    try {
      const store = await stores.get(tenantId, storeId);
      if (store === null || store.lifecycle === "deleting") throw storeNotFound(storeId);
      assertOpen(store, (await tenants.get(tenantId))?.status ?? "suspended");
      assertNotExpired(store, clock.nowSeconds());
      const request = requestOf(asked);
      const ranker = chooseRanker({}, request, { openaiRankersOnly: false, rankers });
      const outcome = await search({ store, generation, request, ranker }, signal);
      const { total, embed } = outcome.latencyMs;
      return {
        ok: true,
        generation: outcome.generation.number,
        hits: outcome.hits.map(({ chunk }) => ({ file: chunk.file_id, chunk: chunk.id })),
        ms: { total, embed },
      };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { ok: false, code: error.code, message: error.message, passing: PASSING.has(error.code) };
    }
  };
}

/** What a user's search of this query asks for where nothing but the mode is chosen. */
function requestOf({ query, mode, results, onePerFile }: MeasuredQuery): SearchRequest {
  return {
    asked: [query],
    searched: [query],
    mode,
    filter: null,
    maxResults: results,
    scoreThreshold: 0,
    fusion: DEFAULT_FUSION,
    queryVector: null,
    contextWindow: 0,
    maxChunksPerFile: onePerFile ? 1 : null,
    isRescored: mode !== "vector",
    explain: false,
  };
}
