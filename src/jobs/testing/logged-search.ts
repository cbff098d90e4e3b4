import type { LoggedSearch } from "../../storage/logged-search.ts";

/** What the query log keeps of a search that found nothing. */
export const SEARCHED: LoggedSearch = {
  search_mode: "hybrid",
  filters: null,
  max_num_results: 10,
  results: [],
  latency_ms: { total: 1, embed: 0, vector: 1, keyword: 0, fetch: 0 },
  key_id: "key_a",
  model: "m",
  generation: 1,
  source: "search",
  source_id: null,
};
