/**
 * Answers a question from documents, without a language model: searches, chooses what to quote, and writes the answer
 * with a citation after each quotation. For requests and for the jobs that answer in the background alike. It knows
 * neither HTTP nor who may see which store: that is decided before; whether a store can be searched now is asked again.
 */
import type { Clock } from "../platform/clock.ts";
import { isMostlyLatin, languageOf } from "../index/language.ts";
import type { TextAnalysis, TextAsker } from "../index/text-analysis.ts";
import { placeOf } from "../search/place.ts";
import { focusOf, queriesOf } from "../search/questions.ts";
import { type Recorded, recordOf, type SearchRecord } from "../search/record.ts";
import { chooseRanker, type RerankDeps } from "../search/rerank.ts";
import type { Hit, Search, SearchOutcome } from "../search/search.ts";
import { assertNotExpired, assertOpen, storeNotFound, touch } from "../search/store-state.ts";
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { compose, type Sentences } from "./compose.ts";
import { type Bounds, type Choice, chooseQuotations } from "./quotations.ts";
import { DEFAULT_RESULTS, type FileSearchTool, searchOf, under } from "./search-tool.ts";
import type { Fit } from "./windows.ts";

export interface Question {
  /** The text of the last message of the user. */
  text: string;
  /** And of the one before. */
  previous: string | null;
}

export interface AnswerRequest {
  tenantId: string;
  keyId: string;
  /** For the query log: what is answered, a Response unless said otherwise. */
  responseId: string;
  source?: "response" | "run";
  question: Question;
  tools: readonly { tool: FileSearchTool; param: string }[];
  maxOutputTokens: number | null;
}

export interface Answer {
  /** Exactly what was searched. */
  queries: string[];
  /** Best first. */
  results: KeptResult[];
  text: string;
  citations: KeptCitation[];
  /** `maxOutputTokens` left something out. */
  isCut: boolean;
  /** Sentences for whoever asked. */
  warnings: string[];
  tokens: { input: number; output: number };
}

/** Throws an AppError for what a client can be told. */
export interface Answering {
  answer(request: AnswerRequest, signal: AbortSignal): Promise<Answer>;
}

export interface AnsweringDeps {
  storage: Pick<Storage, "stores" | "tenants" | "shownIds">;
  clock: Clock;
  search: Search;
  rankers: RerankDeps["rankers"];
  /** How well pieces of text fit a question, by the mixture of words and meaning that searches have. */
  fit: (question: string, texts: readonly string[], asker: TextAsker) => Promise<readonly number[]>;
  texts: Pick<TextAnalysis, "count">;
  /** Whether this model knows English only. */
  isEnglishModel: (model: string) => boolean;
  onSearch: (record: SearchRecord) => void;
  settings: () => Bounds & Sentences;
}

export function createAnswering(deps: AnsweringDeps): Answering {
  return { answer: (request, signal) => new OneAnswer(deps, request, signal).run() };
}

class OneAnswer {
  readonly #deps: AnsweringDeps;
  readonly #request: AnswerRequest;
  readonly #signal: AbortSignal;
  readonly #queries: string[];
  readonly #results = new Map<string, KeptResult>();
  readonly #warnings = new Set<string>();

  constructor(deps: AnsweringDeps, request: AnswerRequest, signal: AbortSignal) {
    this.#deps = deps;
    this.#request = request;
    this.#signal = signal;
    this.#queries = queriesOf(request.question.text, request.question.previous);
  }

  async run(): Promise<Answer> {
    const { minScore, weakScore, ...sentences } = this.#deps.settings();
    const asker: TextAsker = { tenant: this.#request.tenantId, signal: this.#signal };
    const [choice, counted] = await Promise.all([
      this.#choose({ minScore, weakScore }, asker),
      this.#deps.texts.count(this.#queries, asker),
    ]);
    const { text, citations, tokens, isCut } = compose(choice, sentences, this.#request.maxOutputTokens);
    return {
      queries: this.#queries,
      results: this.#bestFirst(),
      text,
      citations,
      isCut,
      warnings: [...this.#warnings],
      tokens: { input: counted.reduce((sum, count) => sum + count, 0), output: tokens },
    };
  }

  async #choose(bounds: Bounds, asker: TextAsker): Promise<Choice> {
    if (this.#queries.length > 0) for (const asked of this.#request.tools) await this.#searchAll(asked);
    // A passage that a tool left out by its threshold is not here; the bounds hold for the others.
    const question = focusOf(this.#request.question.text, this.#request.question.previous);
    const fit: Fit = (texts) => this.#deps.fit(question, texts, asker);
    return await chooseQuotations(this.#bestFirst(), question, bounds, fit);
  }

  #bestFirst(): KeptResult[] {
    return [...this.#results.values()].sort((a, b) => b.score - a.score);
  }

  /** All stores of one tool, whose bounds hold for them together. */
  async #searchAll({ tool, param }: AnswerRequest["tools"][number]): Promise<void> {
    const found: KeptResult[] = [];
    for (const storeId of new Set(tool.vector_store_ids))
      found.push(...(await this.#searchStore(tool, storeId, param)));
    const best = found.sort((a, b) => b.score - a.score).slice(0, tool.max_num_results ?? DEFAULT_RESULTS);
    for (const result of best) this.#keep(result);
  }

  async #searchStore(tool: FileSearchTool, storeId: string, param: string): Promise<readonly KeptResult[]> {
    const { rankers, search } = this.#deps;
    this.#signal.throwIfAborted();
    const store = await this.#usable(storeId);
    const request = searchOf(tool, this.#queries, { param });
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
    const { tenantId } = this.#request;
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
    if (this.#deps.isEnglishModel(generation.model) && !isEnglish(this.#request.question.text)) {
      this.#warnings.add(
        `The embedding model of ${store.id} (${generation.model}) is English: other languages are found by their words alone.`,
      );
    }
  }

  async #note(done: Omit<Recorded, "keyId" | "createdAt" | "source"> & { store: StoreRow }): Promise<void> {
    const { clock, storage, onSearch } = this.#deps;
    const { keyId, responseId: id, source: type = "response" } = this.#request;
    const now = clock.nowSeconds();
    await touch(storage.stores, done.store, now);
    onSearch(recordOf({ ...done, keyId, createdAt: now, source: { type, id } }));
  }
}

/** Letters that are not Latin are no English either. */
function isEnglish(text: string): boolean {
  return isMostlyLatin(text) && languageOf(text).isEnglish;
}
