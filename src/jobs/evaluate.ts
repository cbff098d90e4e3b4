import type { Clock } from "../platform/clock.ts";
import type { EvaluationRow, ModeMetrics } from "../storage/evaluations.ts";
import { type JudgmentOwner, OF_STORE, type Relevant } from "../storage/judgments.ts";
import type { Storage } from "../storage/storage.ts";
import type { MeasuredAnswer, MeasuredSearch } from "../search/measured.ts";
import type { SearchMode as Mode } from "../search/ranking.ts";
import { hasAnswer, yardstick } from "./judged.ts";
import { meanOf, percentilesOf, rounded, type Scores, scoresOf } from "./measures.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { QueryResults } from "./query-results.ts";
import { retry } from "./retry.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Runs a store's judged queries, or those that an evaluation brought along, through the search that users have, one
 * after another, and keeps what came of it. Nothing is kept on the way: a run that was cut off is made again. Of a
 * store's own queries what was found for each is kept too (query-results.ts).
 */
export interface EvaluateDeps {
  storage: Pick<Storage, "evaluations" | "evaluationResults" | "judgments">;
  clock: Clock;
  search: MeasuredSearch;
}

type Measured =
  | { type: "measured"; generation: number; queries: number; missing: number; metrics: Record<string, ModeMetrics> }
  | { type: "interrupted" }
  /** Another generation went live on the way: figures of two of them would be mixed. */
  | { type: "moved" }
  | { type: "refused"; answer: Extract<MeasuredAnswer, { ok: false }> };

const SLICE = 100;
const MOST_ATTEMPTS = 10;
const REMOVED_AT_ONCE = 500;
/** A search that waits for a model at another server keeps nobody else waiting. */
const LONGEST_REST_MS = 20;
const NOTHING_TO_FIND =
  "There is no judged query with an answer, a grade above 0: they were deleted, or every grade in them is 0.";

/** Subject: an evaluation's id. */
export function createEvaluateHandler(deps: EvaluateDeps): JobHandler {
  const { evaluations, judgments } = deps.storage;
  return {
    kind: "evaluate",
    // One a tenant (engine.ts): nobody's long evaluation keeps another tenant's waiting.
    concurrency: 2,
    async run(job, signal): Promise<JobOutcome> {
      const row = await evaluations.ofJob(job.tenant_id, job.subject);
      if (row === null) return { type: "done" };
      if (row.status === "queued" || row.status === "in_progress") {
        const unfinished = await new Evaluation(deps, row, signal).run(job.attempt);
        if (unfinished !== null) return unfinished;
      }
      if (row.own) while ((await judgments.removeSome(ownerOf(row), REMOVED_AT_ONCE)) > 0) await nextTurn();
      return { type: "done" };
    },
  };
}

interface JudgedQuery {
  seq: number;
  query: string;
  relevant: Relevant[];
}

type Answer = Extract<MeasuredAnswer, { ok: true }>;
type Refusal = Exclude<Measured, { type: "measured" }>;

/** One run of one evaluation. */
class Evaluation {
  readonly #deps: EvaluateDeps;
  readonly #row: EvaluationRow;
  readonly #signal: AbortSignal;
  readonly #figures: Map<Mode, { scores: Scores[]; latencies: number[] }>;
  readonly #results: QueryResults;
  #generation: number | null = null;

  constructor(deps: EvaluateDeps, row: EvaluationRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#row = row;
    this.#signal = signal;
    this.#results = new QueryResults(deps.storage.evaluationResults, row);
    this.#figures = new Map(row.modes.map((mode) => [mode, { scores: [], latencies: [] }]));
  }

  /** Null when the evaluation has ended, well or not. */
  async run(attempt: number): Promise<JobOutcome | null> {
    const { clock, storage } = this.#deps;
    const { tenant_id: tenantId, id } = this.#row;
    if (attempt > MOST_ATTEMPTS)
      return await this.#fail("internal_error", "The server failed repeatedly while evaluating.");
    await storage.evaluations.start(tenantId, id);
    const measured = await this.#measure();
    switch (measured.type) {
      case "measured":
        if (measured.queries === 0) return await this.#fail("invalid_value", NOTHING_TO_FIND);
        await this.#results.keep();
        await storage.evaluations.complete(tenantId, id, { at: clock.nowSeconds(), ...measured });
        return null;
      case "interrupted":
        return { type: "interrupted" };
      case "moved":
        return retry("evaluation_moved");
      case "refused": {
        const { code, message, passing } = measured.answer;
        if (!passing || attempt === MOST_ATTEMPTS) return await this.#fail(code, message);
        return retry("evaluation_model", attempt);
      }
    }
  }

  async #fail(code: string, message: string): Promise<null> {
    const { storage, clock } = this.#deps;
    await storage.evaluations.fail(this.#row.tenant_id, this.#row.id, clock.nowSeconds(), { code, message });
    return null;
  }

  async #measure(): Promise<Measured> {
    const owner = ownerOf(this.#row);
    let queries = 0;
    let missing = 0;
    let after = 0;
    for (;;) {
      const slice = await this.#deps.storage.judgments.slice(owner, after, SLICE);
      missing += await this.#countMissing(slice);
      for (const one of slice) {
        // Nothing is known that should be found: it would only lower every mean.
        if (!hasAnswer(one.relevant)) continue;
        const refusal = await this.#runQuery(one);
        if (refusal !== null) return refusal;
        queries += 1;
      }
      const last = slice.at(-1);
      if (last === undefined || slice.length < SLICE) break;
      after = last.seq;
    }
    const metrics = Object.fromEntries(
      [...this.#figures].map(([mode, { scores, latencies }]) => [mode, metricsOf(scores, latencies)]),
    );
    return { type: "measured", generation: this.#generation ?? this.#row.generation, queries, missing, metrics };
  }

  /** In every mode; null when all answered. */
  async #runQuery({ seq, query, relevant }: JudgedQuery): Promise<Refusal | null> {
    const { tenant_id: tenantId, store_id: storeId, k } = this.#row;
    const { grades, onePerFile, results, rank, grade } = yardstick(relevant);
    const answers: { mode: Mode; answer: Answer }[] = [];
    for (const mode of this.#figures.keys()) {
      const asked = { tenantId, storeId, generation: null, query, mode, results: results(k), onePerFile };
      const startedAt = performance.now();
      const answer = await this.#deps.search(asked, this.#signal);
      // At work for half of the time at most: whoever waits for an answer comes first.
      await Bun.sleep(Math.min(LONGEST_REST_MS, performance.now() - startedAt));
      await nextTurn();
      if (this.#signal.aborted) return { type: "interrupted" };
      if (!answer.ok) return { type: "refused", answer };
      this.#generation ??= answer.generation;
      if (this.#generation !== answer.generation) return { type: "moved" };
      answers.push({ mode, answer });
    }
    // The query's vector is kept for a while: only the first mode that needs it waits for the model.
    const embedMs = Math.max(...answers.map(({ answer }) => answer.ms.embed));
    for (const { mode, answer } of answers) {
      const of = this.#figures.get(mode);
      const scores = scoresOf(rank(answer.hits), grades, k);
      of?.scores.push(scores);
      this.#results.note(mode, seq, { scores, hits: answer.hits.map((hit) => ({ ...hit, grade: grade(hit) })) });
      of?.latencies.push(answer.ms.total - answer.ms.embed + (mode === "keyword" ? 0 : embedMs));
    }
    return null;
  }

  /** Answers that no search can find any more. */
  async #countMissing(judged: readonly JudgedQuery[]): Promise<number> {
    const { judgments } = this.#deps.storage;
    const { tenant_id: tenantId, store_id: storeId } = this.#row;
    const relevant = judged.flatMap((one) => one.relevant);
    const wholeFiles = distinct(relevant.map(({ file, chunk }) => (chunk === null ? file : null)));
    const files = await judgments.filesOf(tenantId, storeId, wholeFiles);
    const chunks = await judgments.chunksOf(tenantId, storeId, distinct(relevant.map(({ chunk }) => chunk)));
    const isThere = ({ file, chunk }: Relevant) =>
      chunk === null ? files.get(file ?? "")?.searchable === true : chunks.has(chunk);
    return relevant.filter((one) => one.grade > 0 && !isThere(one)).length;
  }
}

function metricsOf(scores: readonly Scores[], latencies: readonly number[]): ModeMetrics {
  const { ndcg, recall, mrr } = meanOf(scores);
  return {
    ndcg_at_k: rounded(ndcg),
    recall_at_k: rounded(recall),
    mrr_at_k: rounded(mrr),
    latency_ms: percentilesOf(latencies),
  };
}

function distinct<T>(values: readonly (T | null)[]): T[] {
  return [...new Set(values)].filter((value) => value !== null);
}

function ownerOf({ tenant_id: tenantId, store_id: storeId, seq, own }: EvaluationRow): JudgmentOwner {
  return { tenantId, storeId, evaluation: own ? seq : OF_STORE };
}
