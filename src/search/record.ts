import type { StoreRow } from "../storage/stores.ts";
import type { SearchRequest } from "./request.ts";
import type { SearchLatency, SearchOutcome } from "./search.ts";

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
  latencyMs: SearchLatency;
  model: string;
  generation: number;
  /** What found the nearest vectors. */
  index: SearchOutcome["index"];
  /** What it was made for: itself, or an answer or a run, whose id it has. */
  source: { type: "search"; id: null } | { type: "response" | "run"; id: string };
}

export interface Recorded extends Pick<SearchRecord, "keyId" | "createdAt" | "filters" | "source"> {
  store: Pick<StoreRow, "id" | "tenant_id">;
  request: Pick<SearchRequest, "asked" | "mode" | "maxResults">;
  outcome: Pick<SearchOutcome, "generation" | "index" | "latencyMs">;
  /** As they are shown. */
  results: readonly { file_id: string; chunk_id?: string | undefined; score: number }[];
}

export function recordOf({ store, request, outcome, results, ...rest }: Recorded): SearchRecord {
  const { generation, index, latencyMs } = outcome;
  return {
    ...rest,
    tenantId: store.tenant_id,
    storeId: store.id,
    queries: request.asked,
    searchMode: request.mode,
    maxNumResults: request.maxResults,
    results: results.map(({ file_id, chunk_id, score }) => ({ file_id, chunk_id: chunk_id ?? "", score })),
    latencyMs,
    model: generation.model,
    generation: generation.number,
    index,
  };
}

/** Where searches are reported; whoever keeps them listens. Nothing is kept before somebody does. */
export class SearchReports {
  #listener: (record: SearchRecord) => void = () => {};

  listen(listener: (record: SearchRecord) => void): void {
    this.#listener = listener;
  }

  /** Cheap; never throws. */
  report(record: SearchRecord): void {
    this.#listener(record);
  }
}
