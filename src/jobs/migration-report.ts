import type { StoreIndex } from "../index/store-index.ts";
import { NEXT_SHARE } from "./load-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { OF_STORE, type Relevant } from "../storage/judgments.ts";
import type { Storage } from "../storage/storage.ts";
import type { MeasuredAnswer, MeasuredQuery, MeasuredSearch } from "../search/measured.ts";
import { byFile, hasAnswer, yardstick } from "./judged.ts";
import { meanOf, percentilesOf, rounded, type Scores, scoresOf } from "./measures.ts";
import type { Gate, MigrationReport } from "../storage/migration-table.ts";
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
  fromIndex: StoreIndex;
  toIndex: StoreIndex;
  gate: Gate | null;
}

const MOST_QUERIES = 100;
const MOST_JUDGED = 500;
const LEAST_LOGGED = 10;
const SAMPLED_CHUNKS = 200;
const TOP = 10;
const WORDS_OF_A_QUERY = 10;
/** Another chunk may have the same text: a tie with itself is being found. */
const TIE = 1e-4;
/** Chunks that the vector of one is asked for: more than share a window. */
const DEPTH = 8;

/** Null when interrupted, or when a model stopped answering. */
export async function compareGenerations(
  deps: ReportDeps,
  compared: Compared,
  signal: AbortSignal,
): Promise<MigrationReport | null> {
  return await new GenerationComparison(deps, compared, signal).run();
}

type Side = "from" | "to";

class GenerationComparison {
  readonly #deps: ReportDeps;
  readonly #compared: Compared;
  readonly #signal: AbortSignal;
  readonly #latencies: Record<Side, number[]> = { from: [], to: [] };
  readonly #overlaps: number[] = [];
  readonly #correlations: number[] = [];

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
        ? { queries: judged.map(({ query }) => query), source: "judged" as const }
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
      counts: { from: fromIndex.stats.chunks, to: toIndex.stats.chunks },
      latency_ms: { from: percentilesOf(this.#latencies.from), to: percentilesOf(this.#latencies.to) },
      ndcg_at_10: quality && { from: rounded(quality.from.ndcg), to: rounded(quality.to.ndcg) },
      recall_at_10: quality && { from: rounded(quality.from.recall), to: rounded(quality.to.recall) },
      gate: "none",
      reasons: [],
    };
    if (gate === null) return report;
    report.reasons.push(...missed(report, gate));
    return { ...report, gate: report.reasons.length === 0 ? "passed" : "missed" };
  }

  /** False when interrupted, or when the new model does not answer. */
  async #compare(query: string): Promise<boolean> {
    const old = await this.#topOf("from", query);
    const fresh = await this.#topOf("to", query);
    if (fresh === null) return false;
    // A model that is gone (another version of Lectern had it) cannot be compared with.
    if (old !== null && old.length > 0) {
      this.#overlaps.push(old.filter((id) => fresh.includes(id)).length / old.length);
      const correlation = spearman(old, fresh);
      if (correlation !== null) this.#correlations.push(correlation);
    }
    await nextTurn();
    return !this.#signal.aborted;
  }

  async #topOf(side: Side, query: string): Promise<number[] | null> {
    const { from, to, fromIndex, toIndex } = this.#compared;
    const [generation, index] = side === "from" ? [from, fromIndex] : [to, toIndex];
    // With chunks of its own a generation's answers are compared by file.
    const filesOnly = from.chunk_set !== to.chunk_set;
    const model = { id: generation.model, revision: generation.model_revision, dimensions: generation.dimensions };
    const startedAt = performance.now();
    const embedded = await this.#deps.embedQuery(model, query, { tenant: generation.tenant_id, signal: this.#signal });
    if (!embedded.ok) return null;
    const depth = filesOnly ? TOP * 5 : TOP;
    const { vector } = index.search({ vector: embedded.vector, terms: null, filter: null, depth });
    this.#latencies[side].push(performance.now() - startedAt);
    const ids = vector.map((hit) => (filesOnly ? hit.fileKey : hit.chunkId));
    return [...new Set(ids)].slice(0, TOP);
  }

  /** The store's judged queries, the oldest first, with files for answers. */
  async #judged(): Promise<Judged[]> {
    const { tenant_id: tenantId, store_id: storeId } = this.#compared.from;
    const owner = { tenantId, storeId, evaluation: OF_STORE };
    const rows = await this.#deps.storage.judgments.slice(owner, 0, MOST_JUDGED);
    const answered = rows.filter(({ relevant }) => hasAnswer(relevant));
    return answered.map(({ query, relevant }) => ({ query, relevant: byFile(relevant) }));
  }

  /** The newest different logged queries, or the beginnings of sentences of chunks spread over the store. */
  async #queries(): Promise<{ queries: string[]; source: "log" | "generated" }> {
    const { queryLog, chunks } = this.#deps.storage;
    const { tenant_id: tenantId, store_id: storeId, chunk_set: chunkSet } = this.#compared.from;
    const logged = new Set<string>();
    for (const query of await queryLog.questions(tenantId, storeId, 500))
      if (logged.size < MOST_QUERIES) logged.add(query);
    if (logged.size >= LEAST_LOGGED) return { queries: [...logged], source: "log" };
    const sampled = await chunks.sampleTexts(tenantId, storeId, chunkSet, MOST_QUERIES / 2);
    const generated = sampled.map(queryFrom);
    return { queries: [...new Set([...logged, ...generated.filter((text) => text !== "")])], source: "generated" };
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

function queryFrom(text: string): string {
  const sentences = text.split(/(?<=[.!?\u3002])\s+/).filter((sentence) => sentence.length > 20);
  const sentence = sentences[Math.floor(sentences.length / 2)] ?? text;
  return sentence.split(/\s+/).slice(0, WORDS_OF_A_QUERY).join(" ").slice(0, 200).trim();
}

async function selfRetrieval(storage: Storage, generation: GenerationRow, index: StoreIndex): Promise<number> {
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
    const hits = index.search({ vector, terms: null, filter: null, depth }).vector;
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
