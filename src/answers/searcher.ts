/**
 * Searches the documents of a request with its own bounds, whoever made up the queries. Who may see which store was decided
 * before; whether a store can be searched now is asked again.
 */
import type { Clock } from "../platform/clock.ts";
import { isMostlyLatin, languageOf } from "../index/language.ts";
import { placeOf } from "../search/place.ts";
import { type Recorded, recordOf, type SearchRecord } from "../search/record.ts";
import { chooseRanker, type RerankDeps } from "../search/rerank.ts";
import type { Hit, Search, SearchOutcome } from "../search/search.ts";
import { assertNotExpired, assertOpen, storeNotFound, touch } from "../search/store-state.ts";
import type { KeptResult } from "../storage/response-items.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { DEFAULT_RESULTS, type FileSearchTool, searchOf, under } from "./search-tool.ts";

export interface SearcherDeps {
  storage: Pick<Storage, "stores" | "tenants" | "shownIds">;
  clock: Clock;
  search: Search;
  rankers: RerankDeps["rankers"];
  /** Whether this model knows English only. */
  isEnglishModel: (model: string) => boolean;
  onSearch: (record: SearchRecord) => void;
}

/** Who searches what, and for what. */
export interface SearchContext {
  tenantId: string;
  keyId: string;
  /** For the query log. */
  responseId: string;
  source?: "response" | "run";
  question: { text: string };
  tools: readonly { tool: FileSearchTool; param: string }[];
}

export interface Found {
  /** Exactly what was searched. */
  queries: string[];
  /** Best first. */
  results: KeptResult[];
  /** Sentences for whoever asked. */
  warnings: string[];
}

export class Searcher {
  readonly #deps: SearcherDeps;
  readonly #context: SearchContext;
  readonly #signal: AbortSignal;
  #results = new Map<string, KeptResult>();
  readonly #warnings = new Set<string>();

  constructor(deps: SearcherDeps, context: SearchContext, signal: AbortSignal) {
    this.#deps = deps;
    this.#context = context;
    this.#signal = signal;
  }

  /** All tools' stores; the best score of each passage counts. Warnings are those of all searches so far. */
  async search(queries: readonly string[]): Promise<Found> {
    this.#results = new Map();
    if (queries.length > 0) for (const asked of this.#context.tools) await this.#searchAll(asked, queries);
    const results = [...this.#results.values()].sort((a, b) => b.score - a.score);
    return { queries: [...queries], results, warnings: [...this.#warnings] };
  }

  /** All stores of one tool, whose bounds hold for them together. */
  async #searchAll({ tool, param }: SearchContext["tools"][number], queries: readonly string[]): Promise<void> {
    const found: KeptResult[] = [];
    for (const storeId of new Set(tool.vector_store_ids))
      found.push(...(await this.#searchStore(tool, storeId, { param, queries })));
    const best = found.sort((a, b) => b.score - a.score).slice(0, tool.max_num_results ?? DEFAULT_RESULTS);
    for (const result of best) this.#keep(result);
  }

  async #searchStore(
    tool: FileSearchTool,
    storeId: string,
    { param, queries }: { param: string; queries: readonly string[] },
  ): Promise<readonly KeptResult[]> {
    const { rankers, search } = this.#deps;
    this.#signal.throwIfAborted();
    const store = await this.#usable(storeId);
    const request = searchOf(tool, queries, { param });
    const wish = tool.ranking_options ?? {};
    const ranker = under(param, () => chooseRanker(wish, request, { openaiRankersOnly: false, rankers }));
    const outcome = await search({ store, generation: null, request, ranker }, this.#signal);
    this.#warn(store, outcome);
    const results = outcome.hits.map((hit) => this.#resultOf(hit, storeId));
    await this.#note({ store, request, outcome, results, filters: tool.filters ?? null });
    return results;
  }

  #resultOf({ chunk, ranked }: Hit, storeId: string): KeptResult {
    return {
      file_id: chunk.file_id,
      filename: chunk.filename,
      score: ranked.score,
      text: chunk.text,
      attributes: chunk.attributes ?? {},
      vector_store_id: storeId,
      chunk_id: this.#deps.storage.shownIds.chunks.idOf(chunk.id),
      chunk_index: chunk.idx,
      ...placeOf(chunk),
      heading: chunk.heading ?? [],
    };
  }

  /** The same passage, or the same text, counts once, with its best score. */
  #keep(result: KeptResult): void {
    const known = this.#results.get(result.text);
    if (known === undefined || result.score > known.score) this.#results.set(result.text, result);
  }

  async #usable(storeId: string): Promise<StoreRow> {
    const { storage, clock } = this.#deps;
    const { tenantId } = this.#context;
    const store = await storage.stores.get(tenantId, storeId);
    if (store === null || store.lifecycle === "deleting") throw storeNotFound(storeId);
    assertOpen(store, (await storage.tenants.get(tenantId))?.status ?? "suspended");
    assertNotExpired(store, clock.nowSeconds());
    return store;
  }

  #warn(store: StoreRow, { generation }: SearchOutcome): void {
    const { n_in_progress: waiting, n_completed, n_failed, n_cancelled } = store;
    if (waiting > 0) {
      const all = waiting + n_completed + n_failed + n_cancelled;
      this.#warnings.add(`${waiting} of ${all} files of ${store.id} are still being indexed`);
    }
    if (this.#deps.isEnglishModel(generation.model) && !isEnglish(this.#context.question.text)) {
      this.#warnings.add(
        `The embedding model of ${store.id} (${generation.model}) is English: other languages are found by their words alone.`,
      );
    }
  }

  async #note(done: Omit<Recorded, "keyId" | "createdAt" | "source"> & { store: StoreRow }): Promise<void> {
    const { clock, storage, onSearch } = this.#deps;
    const { keyId, responseId: id, source: type = "response" } = this.#context;
    const now = clock.nowSeconds();
    await touch(storage.stores, done.store, now);
    onSearch(recordOf({ ...done, keyId, createdAt: now, source: { type, id } }));
  }
}

/** Letters that are not Latin are no English either. */
function isEnglish(text: string): boolean {
  return isMostlyLatin(text) && languageOf(text).isEnglish;
}
