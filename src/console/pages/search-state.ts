import { numberOf, type Route } from "../route.ts";

/** What the playground asks, as it stands in the address. */
export interface Asked {
  query: string;
  mode: string;
  number: number;
  threshold: number;
  ranker: string;
  isRewritten: boolean;
  context: number;
  /** JSON text, empty for none. */
  filter: string;
}

export function askedOf({ query }: Route): Asked {
  const threshold = Number(query["threshold"] ?? "0");
  return {
    query: query["q"] ?? "",
    mode: query["mode"] ?? "hybrid",
    number: Math.min(50, Math.max(1, numberOf(query["n"]) ?? 10)),
    threshold: threshold >= 0 && threshold <= 1 ? threshold : 0,
    ranker: query["ranker"] ?? "",
    isRewritten: query["rewrite"] === "1",
    context: Math.min(5, numberOf(query["context"]) ?? 0),
    filter: query["filter"] ?? "",
  };
}

/** What the address says; defaults are left out. */
export function queryOf(asked: Asked): Record<string, string> {
  return {
    q: asked.query,
    mode: asked.mode === "hybrid" ? "" : asked.mode,
    n: asked.number === 10 ? "" : String(asked.number),
    threshold: asked.threshold === 0 ? "" : String(asked.threshold),
    ranker: asked.ranker,
    rewrite: asked.isRewritten ? "1" : "",
    context: asked.context === 0 ? "" : String(asked.context),
    filter: asked.filter,
  };
}

/** The body of the search; defaults are left out, so that what is copied is short. */
export function bodyOf(asked: Asked): Record<string, unknown> {
  const ranking = {
    ...(asked.ranker === "" ? {} : { ranker: asked.ranker }),
    ...(asked.threshold === 0 ? {} : { score_threshold: asked.threshold }),
  };
  return {
    query: asked.query,
    ...(asked.number === 10 ? {} : { max_num_results: asked.number }),
    ...(asked.filter === "" ? {} : { filters: JSON.parse(asked.filter) as unknown }),
    ...(Object.keys(ranking).length === 0 ? {} : { ranking_options: ranking }),
    ...(asked.isRewritten ? { rewrite_query: true } : {}),
    ...(asked.mode === "hybrid" ? {} : { search_mode: asked.mode }),
    ...(asked.context === 0 ? {} : { context_window: asked.context }),
  };
}
