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
  /** What it was made for: itself, or an answer, whose id it has. */
  source: { type: "search"; id: null } | { type: "response"; id: string };
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
