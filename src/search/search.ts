/**
 * A search: from a typed request to ranked hits, for whoever asks. It knows neither HTTP nor who the caller is: what a
 * store may show to whom is decided before, how an answer looks after.
 *
 * Order of a search: lease the index, embed the queries, ask both legs, fuse, rerank, choose, read the texts.
 */
import { AppError } from "../errors.ts";
import type { EmbedFailure } from "../embed/provider.ts";
import type { EngineAnswer, EngineLease, SearchEngine } from "../index/engine.ts";
import { searchThreads } from "../index/native-scan.ts";
import { answerOfIntact } from "../index/intact.ts";
import { embedError } from "../models/failures.ts";
import type { ChunkHit } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { FairLane } from "../platform/fair-lane.ts";
import type { Slice } from "../platform/fair-queue.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { AskedTerms } from "./asked-terms.ts";
import type { Ranked } from "./ranking.ts";
import { depthFor, mergeRanked, rank } from "./ranking.ts";
import type { SearchRequest } from "./request.ts";
import type { RerankDeps } from "./rerank.ts";
import { rerank } from "./rerank.ts";
import type { Scale } from "./scale.ts";
import { mostLookedAt, select, type TermsOf } from "./select.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { traced } from "../platform/tracing.ts";

/** A query's vector in a generation's own dimensions, from memory or from the model. */
export type EmbedQuery = (
  model: { id: string; revision: string; dimensions: number },
  text: string,
  asker: { tenant: string; signal: AbortSignal },
) => Promise<{ ok: true; vector: Float32Array } | EmbedFailure>;

export interface SearchDeps extends Pick<Storage, "generations" | "chunks" | "indexReads"> {
  /**
   * The index of a generation (the row's id), with everything that was committed when the store was read: what was
   * acknowledged by then is found, what was deleted is not, on whichever server that was.
   */
  indexes: { acquire(store: Pick<StoreRow, "id" | "version">, generation: number): Promise<EngineLease> };
  embedQuery: EmbedQuery;
  rankers: RerankDeps["rankers"];
  /** What a model's cosines mean for a question. */
  scaleOf: (model: string, query: string) => Scale;
}

export interface StoreSearch {
  /** One that may be searched. */
  store: Pick<StoreRow, "id" | "tenant_id" | "live_generation" | "version">;
  /** `generation.id` of one that is not live, to compare it with the one that is; null: the live one. */
  generation: number | null;
  request: SearchRequest;
  /** The reranker that reads the best candidates; null for none. */
  ranker: string | null;
}

/** One result. */
export interface Hit {
  chunk: ChunkHit;
  ranked: Ranked;
  /** The chunks around it and itself, in order; empty where none were asked for. */
  neighbours: readonly Neighbour[];
}

export type Neighbour = Pick<
  ChunkHit,
  "idx" | "text" | "start_cp" | "end_cp" | "page" | "page_end" | "line" | "line_end"
>;

/** Milliseconds of each step. */
export interface SearchLatency {
  total: number;
  embed: number;
  vector: number;
  keyword: number;
  rerank: number;
  fetch: number;
}

export interface SearchOutcome {
  /** The one that answered. */
  generation: GenerationRow;
  /** Best first. */
  hits: Hit[];
  /** What found the nearest vectors. */
  index: EngineAnswer["used"];
  latencyMs: SearchLatency;
}

/** Throws an {@link AppError} for what a client can be told: a model that cannot answer, a vector of the wrong size. */
export type Search = (asked: StoreSearch, signal: AbortSignal) => Promise<SearchOutcome>;

interface Asked {
  ranked: Ranked[];
  used: EngineAnswer["used"];
  termsOf: EngineAnswer["termsOf"];
}

/** Characters of questions that a tenant may have answered in one turn: some milliseconds of the serving thread. */
const TURN_CHARACTERS = 1024;
/** A question of so many characters is answered at once where nobody waits for a turn. */
const SHORT_QUESTION = 256;

type Question = () => Promise<Asked>;

/**
 * The serving thread and the threads that search while indexes are asked: tenants take turns here too, a question at a
 * time, as many at once as there are threads, and other requests go on in between. How many wait is bounded by the
 * requests that may be under way.
 */
interface Turns {
  readonly lane: FairLane<Question, Asked>;
  /** Short questions that are asked past the lane while nobody waits there. */
  passing: number;
  readonly mostPassing: number;
}

/** What searches have in common. */
interface Own {
  turns: Turns;
  terms: AskedTerms;
}

export function createSearch(deps: SearchDeps): Search {
  // One more, so that the threads have something to do while the answer of one is put together.
  const slots = searchThreads() + 1;
  const lane: Turns["lane"] = new FairLane({
    quantum: TURN_CHARACTERS,
    most: Infinity,
    mostOfOne: Infinity,
    slots,
    async run(question) {
      await nextTurn();
      return await question();
    },
  });
  const own: SearchDeps & Own = { ...deps, turns: { lane, passing: 0, mostPassing: slots }, terms: new AskedTerms() };
  return (asked, signal) =>
    traced("search", { "lectern.mode": asked.request.mode, "lectern.questions": asked.request.searched.length }, () =>
      search(own, asked, signal),
    );
}

async function search(deps: SearchDeps & Own, asked: StoreSearch, signal: AbortSignal): Promise<SearchOutcome> {
  const { store, request, ranker } = asked;
  const startedAt = performance.now();
  const generation = await generationOf(deps, store, asked.generation ?? store.live_generation);
  // Leased before the query is embedded: if another model went live in between, the query's vector would be
  // compared with vectors of another space.
  using lease = await traced("search.open", {}, () => deps.indexes.acquire(store, generation.id));
  const leasedAt = performance.now();
  const queries = [...new Set(request.searched)];
  const vectors = await traced("search.embed", { "lectern.model": generation.model }, () =>
    vectorsOf(deps, queries, { request, generation, signal }),
  );
  const embeddedAt = performance.now();
  // Several answers are joined, and a reranker reads on: there more of each may count.
  const most = queries.length === 1 && ranker === null ? mostLookedAt(request) : Infinity;
  const questionsTo = (index: SearchEngine) =>
    queries.map((query, i) => ({
      item: () => ask(deps, index, { generation, query, vector: vectors[i] ?? null, request, most }),
      cost: Math.max(1, query.length),
    }));
  const again = () => deps.indexes.acquire(store, generation.id);
  const answers = await traced("search.index", {}, () =>
    answerOfIntact(lease, again, (index) =>
      inTurns(deps.turns, { tenant: store.tenant_id, questions: questionsTo(index), signal }),
    ),
  );
  const rankedAt = performance.now();
  const ranked =
    ranker === null
      ? mergeRanked(answers.map((answer) => answer.ranked))
      : await traced("search.rerank", { "lectern.ranker": ranker }, () =>
          rerank(
            deps,
            { tenantId: store.tenant_id, ranker, found: askedAndFound(queries, answers, request), request },
            signal,
          ),
        );
  const rerankedAt = performance.now();
  const found = select(ranked, request, termsOf(answers, deps.indexReads.terms));
  // What was deleted since it was found is left out here: nothing that is gone is shown.
  const hits = await traced("search.read", { "lectern.hits": found.length }, () =>
    read(deps, store.tenant_id, found, request),
  );
  const endedAt = performance.now();
  return {
    generation,
    hits,
    index: answers[0]?.used ?? "none",
    latencyMs: {
      total: endedAt - startedAt,
      embed: embeddedAt - leasedAt,
      vector: request.mode === "keyword" ? 0 : rankedAt - embeddedAt,
      keyword: request.mode === "keyword" ? rankedAt - embeddedAt : 0,
      rerank: ranker === null ? 0 : rerankedAt - rankedAt,
      fetch: endedAt - rerankedAt,
    },
  };
}

async function generationOf(
  { generations }: SearchDeps,
  store: StoreSearch["store"],
  id: number | null,
): Promise<GenerationRow> {
  const row = id === null ? null : await generations.get(store.tenant_id, id);
  if (row === null) throw new Error("a store has no such generation");
  return row;
}

/** One vector for each query, in order; null where the keywords answer alone. */
async function vectorsOf(
  { embedQuery }: SearchDeps,
  queries: readonly string[],
  { request, generation, signal }: { request: SearchRequest; generation: GenerationRow; signal: AbortSignal },
): Promise<(Float32Array | null)[]> {
  if (request.mode === "keyword") return [];
  const { queryVector } = request;
  if (queryVector !== null) {
    if (queryVector.length === generation.dimensions) return queries.map(() => queryVector);
    const text = `Invalid 'query_vector': expected ${generation.dimensions} dimensions, but got ${queryVector.length} instead.`;
    throw new AppError("invalid_dimensions", text, { param: "query_vector" });
  }
  const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
  const embedded = await Promise.all(
    queries.map((query) => embedQuery(model, query, { tenant: generation.tenant_id, signal })),
  );
  return embedded.map((result) => {
    // While a store is moved to the model's new revision, keywords answer alone.
    if (!result.ok && result.isOutdated === true && request.mode === "hybrid") return null;
    if (!result.ok) throw embedError(result);
    // The model knows no word of it: then nothing is near, and only keywords can answer.
    return result.vector.every((value) => value === 0) ? null : result.vector;
  });
}

async function inTurns(
  turns: Turns,
  { tenant, questions, signal }: { tenant: string; questions: readonly Slice<Question>[]; signal: AbortSignal },
): Promise<Asked[]> {
  const [only] = questions;
  const isShort = questions.length === 1 && only !== undefined && only.cost <= SHORT_QUESTION;
  // A turn costs a short question more than its answer holds up anybody.
  if (isShort && turns.lane.isIdle && turns.passing < turns.mostPassing) {
    turns.passing++;
    try {
      return [await only.item()];
    } finally {
      turns.passing--;
    }
  }
  try {
    return (await turns.lane.submit(tenant, questions, signal)) ?? [];
  } catch (error) {
    if (!(error instanceof WorkerCallError)) throw error;
    throw new AppError("shutting_down", "The request was interrupted.", { cause: error });
  }
}

interface OneQuestion {
  generation: GenerationRow;
  query: string;
  vector: Float32Array | null;
  request: SearchRequest;
  most: number;
}

async function ask(
  { scaleOf, terms }: SearchDeps & Own,
  index: SearchEngine,
  { generation, query, vector, request, most }: OneQuestion,
): Promise<Asked> {
  const wanted = request.maxChunksPerFile === null ? request.maxResults : request.maxResults * 4;
  const answer: EngineAnswer = await index.ask({
    vector,
    terms: request.mode === "vector" ? null : terms.of(generation.tenant_id, query),
    filter: request.filter,
    depth: depthFor(wanted),
    exact: wanted * 2,
    byWindows: request.isRescored,
  });
  return {
    ranked: rank(answer, request.mode, request.fusion, scaleOf(generation.model, query), most),
    used: answer.used,
    termsOf: answer.termsOf,
  };
}

/** What an engine outside the process has read along with its candidates; of an index in memory the rows have it. */
function termsOf(answers: readonly Asked[], ofRows: TermsOf): TermsOf {
  if (answers[0]?.termsOf === undefined) return ofRows;
  const one = (id: number): Uint8Array | null => {
    for (const answer of answers) {
      const terms = answer.termsOf?.(id) ?? null;
      if (terms !== null) return terms;
    }
    return null;
  };
  return (ids) => ids.map(one);
}

async function read(
  { chunks }: SearchDeps,
  tenantId: string,
  found: readonly Ranked[],
  request: SearchRequest,
): Promise<Hit[]> {
  const ids = found.map((one) => one.chunkId);
  const rows = new Map((await chunks.hits(tenantId, ids)).map((row) => [row.id, row]));
  const { contextWindow: around } = request;
  const hits: Hit[] = [];
  for (const ranked of found) {
    const chunk = rows.get(ranked.chunkId);
    if (chunk === undefined) continue;
    const neighbours = around === 0 ? [] : await chunks.neighbours(tenantId, chunk.id, around, around);
    // Removed between the two statements: a passage always stands among its neighbours.
    if (around > 0 && neighbours.length === 0) continue;
    hits.push({ chunk, ranked, neighbours });
  }
  return hits;
}

/** What a reranker reads: the questions as they were asked, not as they were rewritten for the first stage. */
function askedAndFound(queries: readonly string[], answers: readonly Asked[], { asked, searched }: SearchRequest) {
  return queries.map((query, i) => ({
    query: asked[searched.indexOf(query)] ?? query,
    ranked: answers[i]?.ranked ?? [],
  }));
}
