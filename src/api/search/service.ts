import type { Clock } from "../../platform/clock.ts";
import { chooseRanker } from "../../search/rerank.ts";
import type { SearchRecord } from "../../search/record.ts";
import type { Search, SearchDeps } from "../../search/search.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { Asking } from "../vector-stores/asking.ts";
import { readSearch } from "./request.ts";
import { resultOf } from "./results.ts";
import type { SearchBody, SearchPage } from "./schema.ts";

export interface SearchServiceDeps extends Pick<Storage, "shownIds"> {
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

/** A search moves the store's time of last activity, but a commit waits for the disk: it is written at most this often. */
const TOUCH_SECONDS = 60;

export function searchService(deps: SearchServiceDeps): SearchService {
  const { access, rankers, clock, shownIds } = deps;
  return {
    async search(asking, body, signal) {
      const { caller, storeId, rules } = asking;
      const store = await access.usable(asking);
      const request = readSearch(body, rules);
      const { openaiRankersOnly = false } = rules;
      const ranker = chooseRanker(body.ranking_options ?? {}, request, { openaiRankersOnly, rankers });
      const outcome = await deps.search({ store, generation: null, request, ranker }, signal);
      const { generation, index, latencyMs } = outcome;
      const results = outcome.hits.map((hit) => resultOf(hit, { explain: request.explain, chunkIds: shownIds.chunks }));
      await touch(deps, store);
      deps.onSearch({
        tenantId: caller.tenantId,
        storeId,
        keyId: caller.keyId,
        createdAt: clock.nowSeconds(),
        queries: request.asked,
        searchMode: request.mode,
        filters: body.filters ?? null,
        maxNumResults: request.maxResults,
        results: results.map(({ file_id, chunk_id, score }) => ({ file_id, chunk_id: chunk_id ?? "", score })),
        latencyMs,
        model: generation.model,
        generation: generation.number,
        index,
        source: { type: "search", id: null },
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
}

async function touch({ stores, clock }: SearchServiceDeps, store: StoreRow): Promise<void> {
  const now = clock.nowSeconds();
  if (now - store.last_active_at >= TOUCH_SECONDS) await stores.touch(store.tenant_id, store.id, now);
}
