import type { SearchEngine } from "../index/engine.ts";
import { NEXT_SHARE } from "./load-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JudgmentId } from "../storage/ids.ts";
import { OF_STORE, type Relevant } from "../storage/judgments.ts";
import type { Storage } from "../storage/storage.ts";
import type { MeasuredAnswer, MeasuredQuery, MeasuredSearch } from "../search/measured.ts";
import { byFile, hasAnswer, yardstick } from "./judged.ts";
import { meanOf, percentilesOf, rounded, type Scores, scoresOf } from "./measures.ts";
import { questionFrom } from "../search/questions.ts";
import type { Gate, KeptChange, MigrationReport } from "../storage/migration-table.ts";
import { nextTurn } from "../platform/next-turn.ts";

/**
 * Compares a new generation with the live one before it goes live: on the store's judged queries if it has any, else on
 * its logged ones, or on queries made from its chunks where few were logged.
 *
 * Overlap, correlation and latency are those of the vectors, which is what a migration changes. nDCG and recall on judged
 * queries are those of the default search. The two generations may have cut the files differently, so a judged chunk
 * stands for the file that it was of.
 */
export interface ReportDeps {
  storage: Storage;
  embedQuery(
    model: { id: string; revision: string; dimensions: number },
    text: string,
    asker: { tenant: string; signal: AbortSignal },
  ): Promise<{ ok: true; vector: Float32Array } | { ok: false; reason: string; detail: string }>;
  search: MeasuredSearch;
}

export interface Compared {
  from: GenerationRow;
  to: GenerationRow;
  fromIndex: SearchEngine;
  toIndex: SearchEngine;
  gate: Gate | null;
}

const MOST_QUERIES = 100;
const MOST_JUDGED = 500;
const LEAST_LOGGED = 10;
const SAMPLED_CHUNKS = 200;
const TOP = 10;
/** Another chunk may have the same text: a tie with itself is being found. */
const TIE = 1e-4;
/** Chunks that the vector of one is asked for: more than share a window. */
const DEPTH = 8;
/** Queries that changed most, as far as a report keeps them. */
const MOST_CHANGED = 20;

/** Null when interrupted, or when a model stopped answering. */
export async function compareGenerations(
  deps: ReportDeps,
  compared: Compared,
  signal: AbortSignal,
): Promise<MigrationReport | null> {
  return await new GenerationComparison(deps, compared, signal).run();
}

type Side = "from" | "to";

/** A query, and where its words stand. */
interface Question {
  query: string;
  at: KeptChange["query"];
}

/** What one of the two found: what is compared, chunks or files, and the best chunk of each. */
interface Best {
  ids: number[];
  chunks: number[];
}

class GenerationComparison {
  readonly #deps: ReportDeps;
  readonly #compared: Compared;
  readonly #signal: AbortSignal;
  readonly #latencies: Record<Side, number[]> = { from: [], to: [] };
  readonly #overlaps: number[] = [];
  readonly #correlations: number[] = [];
  readonly #changed: (KeptChange & { correlation: number })[] = [];

  constructor(deps: ReportDeps, compared: Compared, signal: AbortSignal) {
    this.#deps = deps;
    this.#compared = compared;
    this.#signal = signal;
  }

  async run(): Promise<MigrationReport | null> {
    const { to, fromIndex, toIndex, gate } = this.#compared;
    const judged = await this.#judged();
    const { queries, source } =
      judged.length > 0
        ? { queries: judged.map(({ id, query }) => ({ query, at: { judgment: id } })), source: "judged" as const }
        : await this.#queries();
    for (const query of queries) if (!(await this.#compare(query))) return null;
    const quality = await this.#quality(judged);
    if (quality === "later") return null;
    const report: MigrationReport = {
      queries: queries.length,
      source,
      overlap_at_10: rounded(mean(this.#overlaps, 1)),
      rank_correlation: rounded(mean(this.#correlations, 1)),
      self_retrieval: rounded(await selfRetrieval(this.#deps.storage, to, toIndex)),
      counts: { from: fromIndex.chunkCount, to: toIndex.chunkCount },
      latency_ms: { from: percentilesOf(this.#latencies.from), to: percentilesOf(this.#latencies.to) },
      ndcg_at_10: quality && { from: rounded(quality.from.ndcg), to: rounded(quality.to.ndcg) },
      recall_at_10: quality && { from: rounded(quality.from.recall), to: rounded(quality.to.recall) },
      gate: "none",
      reasons: [],
      changed: this.#mostChanged(),
    };
    if (gate === null) return report;
    report.reasons.push(...missed(report, gate));
    return { ...report, gate: report.reasons.length === 0 ? "passed" : "missed" };
  }

  /** False when interrupted, or when the new model does not answer. */
  async #compare({ query, at }: Question): Promise<boolean> {
    const old = await this.#topOf("from", query);
    const fresh = await this.#topOf("to", query);
    if (fresh === null) return false;
    // A model that is gone (another version of Lectern had it) cannot be compared with.
    if (old !== null && old.ids.length > 0) {
      const overlap = old.ids.filter((id) => fresh.ids.includes(id)).length / old.ids.length;
      this.#overlaps.push(overlap);
      const correlation = spearman(old.ids, fresh.ids);
      if (correlation !== null) this.#correlations.push(correlation);
      if (old.ids.join() !== fresh.ids.join())
        this.#changed.push({
          query: at,
          overlap: rounded(overlap),
          from: old.chunks,
          to: fresh.chunks,
          correlation: correlation ?? -1,
        });
    }
    await nextTurn();
    return !this.#signal.aborted;
  }

  #mostChanged(): KeptChange[] {
    const sorted = this.#changed.toSorted((a, b) => a.overlap - b.overlap || a.correlation - b.correlation);
    return sorted.slice(0, MOST_CHANGED).map(({ query, overlap, from, to }) => ({ query, overlap, from, to }));
  }

  async #topOf(side: Side, query: string): Promise<Best | null> {
    const { from, to, fromIndex, toIndex } = this.#compared;
    const [generation, index] = side === "from" ? [from, fromIndex] : [to, toIndex];
    // With chunks of its own a generation's answers are compared by file.
    const filesOnly = from.chunk_set !== to.chunk_set;
    const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
    const startedAt = performance.now();
    const embedded = await this.#deps.embedQuery(model, query, { tenant: generation.tenant_id, signal: this.#signal });
    if (!embedded.ok) return null;
    const depth = filesOnly ? TOP * 5 : TOP;
    const { vector } = await index.ask({ vector: embedded.vector, terms: null, filter: null, depth });
    this.#latencies[side].push(performance.now() - startedAt);
    const best = new Map<number, number>();
    for (const { fileKey, chunkId } of vector) {
      const id = filesOnly ? fileKey : chunkId;
      if (!best.has(id)) best.set(id, chunkId);
    }
    return { ids: [...best.keys()].slice(0, TOP), chunks: [...best.values()].slice(0, TOP) };
  }

  /** The store's judged queries, the oldest first, with files for answers. */
  async #judged(): Promise<Judged[]> {
    const { tenant_id: tenantId, store_id: storeId } = this.#compared.from;
    const owner = { tenantId, storeId, evaluation: OF_STORE };
    const rows = await this.#deps.storage.judgments.slice(owner, 0, MOST_JUDGED);
    const answered = rows.filter(({ relevant }) => hasAnswer(relevant));
    return answered.map(({ id, query, relevant }) => ({ id, query, relevant: byFile(relevant) }));
  }

  /** The newest different logged queries, or the beginnings of sentences of chunks spread over the store. */
  async #queries(): Promise<{ queries: Question[]; source: "log" | "generated" }> {
    const { queryLog, chunks } = this.#deps.storage;
    const { tenant_id: tenantId, store_id: storeId, chunk_set: chunkSet } = this.#compared.from;
    const questions = new Map<string, Question>();
    for (const { query, seq, place } of await queryLog.questions(tenantId, storeId, 500))
      if (questions.size < MOST_QUERIES && !questions.has(query))
        questions.set(query, { query, at: { logged: seq, place } });
    if (questions.size >= LEAST_LOGGED) return { queries: [...questions.values()], source: "log" };
    const sampled = await chunks.texts(tenantId, await chunks.sampleIds(tenantId, storeId, chunkSet, MOST_QUERIES / 2));
    for (const [chunk, text] of sampled) {
      const query = questionFrom(text);
      if (query !== "" && !questions.has(query)) questions.set(query, { query, at: { chunk } });
    }
    return { queries: [...questions.values()], source: "generated" };
  }

  /** Null where there is nothing to measure or no way to; "later" when interrupted, or while a model is away. */
  async #quality(judged: readonly Judged[]): Promise<Record<Side, Scores> | "later" | null> {
    const scores: Record<Side, Scores[]> = { from: [], to: [] };
    for (const { query, relevant } of judged) {
      const { grades, rank } = yardstick(relevant);
      for (const side of ["from", "to"] as const) {
        const answer = await this.#search(side, query);
        await nextTurn();
        if (this.#signal.aborted) return "later";
        // The old model may be gone for good; the new one has just been at work.
        if (!answer.ok) return answer.passing && side === "to" ? "later" : null;
        scores[side].push(scoresOf(rank(answer.hits), grades, TOP));
      }
    }
    return judged.length === 0 ? null : { from: meanOf(scores.from), to: meanOf(scores.to) };
  }

  async #search(side: Side, query: string): Promise<MeasuredAnswer> {
    const { tenant_id: tenantId, store_id: storeId, id: generation } = this.#compared[side];
    const asked: MeasuredQuery = {
      tenantId,
      storeId,
      generation,
      query,
      mode: "hybrid",
      results: TOP,
      onePerFile: true,
    };
    return await this.#deps.search(asked, this.#signal);
  }
}

interface Judged {
  id: JudgmentId;
  query: string;
  relevant: Relevant[];
}

function missed(report: MigrationReport, gate: Gate): string[] {
  const reasons: string[] = [];
  const recall = report.recall_at_10?.to ?? report.self_retrieval;
  const ratio = report.latency_ms.to.p95 / Math.max(report.latency_ms.from.p95, 0.01);
  if (gate.min_recall !== undefined && recall < gate.min_recall)
    reasons.push(`Recall is ${recall}, the gate asks for ${gate.min_recall}.`);
  if (gate.min_overlap !== undefined && report.overlap_at_10 < gate.min_overlap) {
    reasons.push(`Overlap at 10 is ${report.overlap_at_10}, the gate asks for ${gate.min_overlap}.`);
  }
  if (gate.max_latency_ratio !== undefined && ratio > gate.max_latency_ratio) {
    reasons.push(
      `The 95th percentile of latency is ${rounded(ratio)} times the old one, the gate allows ${gate.max_latency_ratio}.`,
    );
  }
  return reasons;
}

async function selfRetrieval(storage: Storage, generation: GenerationRow, index: SearchEngine): Promise<number> {
  const ids = await storage.chunks.sampleIds(
    generation.tenant_id,
    generation.store_id,
    generation.chunk_set,
    SAMPLED_CHUNKS,
  );
  let found = 0;
  let asked = 0;
  for (const id of ids) {
    const vector = (await storage.chunks.vector(id, generation.id))?.slice(0, generation.dimensions);
    // A text of which the model knows no word has no direction, and nothing to be found by.
    if (vector === undefined || !vector.some((x) => x !== 0)) continue;
    asked += 1;
    const depth = generation.window_tokens === null ? 1 : DEPTH;
    const { vector: hits } = await index.ask({ vector, terms: null, filter: null, depth });
    const best = hits[0]?.score ?? -1;
    // Where chunks share windows the best may be another that has this one; by so much can its other windows lift it.
    const isLifted = (score: number) => generation.window_tokens !== null && score >= best - 2 * NEXT_SHARE;
    const isFound = hits.some(({ chunkId, score }, i) => chunkId === id && (i === 0 || isLifted(score)));
    if (isFound || best >= 1 - TIE) found += 1;
    await nextTurn();
  }
  return asked === 0 ? 1 : found / asked;
}

/** Spearman's rank correlation over what is in both lists; null for fewer than two. */
export function spearman(left: readonly number[], right: readonly number[]): number | null {
  const common = left.filter((id) => right.includes(id));
  if (common.length < 2) return null;
  const order = right.filter((id) => common.includes(id));
  const squares = common.reduce((sum, id, rank) => sum + (rank - order.indexOf(id)) ** 2, 0);
  return 1 - (6 * squares) / (common.length * (common.length ** 2 - 1));
}

function mean(values: readonly number[], ofNone: number): number {
  return values.length === 0 ? ofNone : values.reduce((sum, value) => sum + value, 0) / values.length;
}
