import type { Clock } from "../../platform/clock.ts";
import { chooseRanker } from "../../search/rerank.ts";
import { recordOf, type SearchRecord } from "../../search/record.ts";
import type { Search, SearchDeps } from "../../search/search.ts";
import { touch } from "../../search/store-state.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { candidateOf } from "./candidate.ts";
import { readSearch } from "./request.ts";
import { resultOf } from "./results.ts";
import type { SearchBody, SearchPage } from "./schema.ts";

export interface SearchServiceDeps extends Pick<Storage, "shownIds"> {
  migrations: Pick<Storage["migrations"], "get">;
  stores: Pick<Storage["stores"], "touch">;
  clock: Clock;
  access: StoreAccess;
  rankers: SearchDeps["rankers"];
  search: Search;
  onSearch: (record: SearchRecord) => void;
}

export interface SearchAnswer {
  page: SearchPage;
  /** Number of the generation that answered. */
  generation: number;
}

export interface SearchService {
  search(asking: Asking, body: SearchBody, signal: AbortSignal): Promise<SearchAnswer>;
}

export function searchService(deps: SearchServiceDeps): SearchService {
  const { access, rankers, clock, shownIds } = deps;
  return {
    async search(asking, body, signal) {
      const { caller, rules } = asking;
      const store = await access.usable(asking);
      const request = readSearch(body, rules);
      const { openaiRankersOnly = false } = rules;
      const ranker = chooseRanker(body.ranking_options ?? {}, request, { openaiRankersOnly, rankers });
      const generation = await candidateOf(deps, { caller, store, migrationId: body.migration_id });
      const outcome = await deps.search({ store, generation, request, ranker }, signal);
      const chunkIds = shownIds.chunks.idsOf(outcome.hits.map(({ chunk }) => chunk.id));
      const { explain } = request;
      const results = outcome.hits.map((hit, i) => resultOf(hit, { explain, chunkId: chunkIds[i] ?? "" }));
      // A look at what may go live is a measurement: it leaves no trace among what users asked.
      if (generation === null) {
        await touch(deps.stores, store, clock.nowSeconds());
        const record = recordOf({
          store,
          keyId: caller.keyId,
          createdAt: clock.nowSeconds(),
          request,
          filters: body.filters ?? null,
          outcome,
          results,
          source: { type: "search", id: null },
        });
        deps.onSearch(record);
      }
      return {
        generation: outcome.generation.number,
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
}
