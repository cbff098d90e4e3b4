import { IndexRegistry } from "../index/registry.ts";
import { loadIndex } from "../jobs/load-index.ts";
import type { RankerCatalog } from "../models/ranker-catalog.ts";
import { DEFAULT_FUSION } from "../search/ranking.ts";
import type { SearchRequest } from "../search/request.ts";
import { TABLE_SCALE } from "../search/scale.ts";
import { createSearch } from "../search/search.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";

/** A search that both sides are asked. */
interface Question {
  text: string;
  vector: Float32Array | null;
}

interface Asked {
  store: StoreRow;
  generation: GenerationRow;
  questions: Question[];
}

export interface SearchesCompared {
  searches: number;
  stores: number;
  /** The first of those whose answers differ. */
  differences: { store: string; question: string }[];
}

const RESULTS = 20;
/** Characters of a chunk that are put as a question. */
const QUESTION_CHARACTERS = 400;
const SHOWN_DIFFERENCES = 5;

/**
 * Asks both sides the same searches and compares the answers byte for byte: chunks, texts, places and scores. Questions are
 * those that the query log kept, then chunks of the stores as questions; their vectors are those of chunks, so that no
 * model is needed. One index is in memory at a time.
 */
export async function compareSearches(
  { here, there }: { here: Storage; there: Storage },
  { count, signal, onSearches }: { count: number; signal: AbortSignal; onSearches: (done: number) => void },
): Promise<SearchesCompared> {
  const result: SearchesCompared = { searches: 0, stores: 0, differences: [] };
  const stores = await searchableStores(here);
  for (const [i, at] of stores.entries()) {
    signal.throwIfAborted();
    const share = Math.ceil((count - result.searches) / (stores.length - i));
    if (share <= 0) break;
    const asked = { ...at, questions: await questionsOf(here, at, share) };
    if (asked.questions.length === 0) continue;
    const expected = await answersOf(here, asked, signal);
    const found = await answersOf(there, asked, signal);
    for (const [n, { text }] of asked.questions.entries())
      if (expected[n] !== found[n] && result.differences.length < SHOWN_DIFFERENCES)
        result.differences.push({ store: at.store.id, question: text });
    result.searches += asked.questions.length;
    result.stores++;
    onSearches(result.searches);
  }
  return result;
}

async function searchableStores(storage: Storage): Promise<Omit<Asked, "questions">[]> {
  const found: Omit<Asked, "questions">[] = [];
  for (const { id } of await storage.generations.inUse()) {
    const generation = await storage.generations.byId(id);
    const store = generation === null ? null : await storage.stores.get(generation.tenant_id, generation.store_id);
    if (generation === null || store === null || store.live_generation !== id || store.n_chunks === 0) continue;
    found.push({ store, generation });
  }
  return found;
}

/** Up to `count`: half of them logged, or fewer where there are fewer. */
async function questionsOf(
  { chunks, queryLog }: Storage,
  { store, generation }: Omit<Asked, "questions">,
  count: number,
): Promise<Question[]> {
  const { tenant_id: tenantId, id: storeId } = store;
  const ids = await chunks.sampleIds(tenantId, storeId, generation.chunk_set, count);
  const texts = await chunks.texts(tenantId, ids);
  const logged = await queryLog.questions(tenantId, storeId, Math.floor(count / 2));
  const questions: Question[] = [];
  for (const [i, id] of ids.entries()) {
    const own = texts.get(id)?.slice(0, QUESTION_CHARACTERS);
    const text = logged[i]?.query ?? own;
    if (text === undefined || text.trim() === "") continue;
    // Of several windows the first; a chunk whose windows are all another's is asked for by its words.
    const vector = (await chunks.vector(id, generation.id))?.slice(0, generation.dimensions) ?? null;
    questions.push({ text, vector: vector?.length === generation.dimensions ? vector : null });
  }
  return questions;
}

/** Each answer as JSON. */
async function answersOf(storage: Storage, asked: Asked, signal: AbortSignal): Promise<string[]> {
  const { store, questions } = asked;
  const indexes = new IndexRegistry({
    budgetBytes: Number.POSITIVE_INFINITY,
    load: (_store, _generation, aborted) =>
      loadIndex({ storage }, asked.generation, AbortSignal.any([signal, aborted])),
  });
  try {
    const search = createSearch({
      ...storage,
      // Nobody writes to either database.
      indexes: { acquire: ({ id }, generation) => indexes.acquire(id, generation) },
      embedQuery: async () => {
        throw new Error("This is a bug in Lectern: a search that brings its vector asked for one");
      },
      rankers: NO_RANKERS,
      scaleOf: () => TABLE_SCALE,
    });
    const answers: string[] = [];
    for (const question of questions) {
      const outcome = await search({ store, generation: null, request: requestOf(question), ranker: null }, signal);
      answers.push(JSON.stringify([outcome.generation.id, outcome.hits]));
    }
    return answers;
  } finally {
    indexes.close();
  }
}

function requestOf({ text, vector }: Question): SearchRequest {
  return {
    asked: [text],
    searched: [text],
    mode: vector === null ? "keyword" : "hybrid",
    filter: null,
    maxResults: RESULTS,
    scoreThreshold: 0,
    fusion: DEFAULT_FUSION,
    queryVector: vector,
    contextWindow: 1,
    maxChunksPerFile: null,
    isRescored: true,
    explain: false,
  };
}

const NO_RANKERS: RankerCatalog = {
  preferred: null,
  candidates: 0,
  names: () => [],
  installed: () => [],
  choose: () => ({ ok: true, model: null }),
  chooseHosted: () => ({ ok: true, model: null }),
  rerank: async () => {
    throw new Error("This is a bug in Lectern: a search without a reranker asked for one");
  },
};
