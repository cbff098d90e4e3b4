import type { Clock } from "../platform/clock.ts";
import type { EvaluationRow, ModeMetrics } from "../storage/evaluations.ts";
import { type JudgmentOwner, OF_STORE, type Relevant } from "../storage/judgments.ts";
import type { Storage } from "../storage/storage.ts";
import type { MeasuredAnswer, MeasuredSearch } from "../search/measured.ts";
import type { SearchMode as Mode } from "../search/ranking.ts";
import { yardstick } from "./judged.ts";
import { meanOf, percentilesOf, rounded, type Scores, scoresOf } from "./measures.ts";
import { nextTurn } from "./next-turn.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Runs a store's judged queries, or those that an evaluation brought along, through the search that users have, one
 * after another, and keeps what came of it. Nothing is kept on the way: a run that was cut off is made again.
 */
export interface EvaluateDeps {
  storage: Pick<Storage, "evaluations" | "judgments">;
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
const MOVED_RETRY_MS = 1_000;
const AWAY_RETRY_MS = [1_000, 2_000, 5_000, 15_000, 60_000];
const REMOVED_AT_ONCE = 500;
/** A search that waits for a model at another server keeps nobody else waiting. */
const LONGEST_REST_MS = 20;

/** Subject: an evaluation's id. */
export function createEvaluateHandler(deps: EvaluateDeps): JobHandler {
  const { evaluations } = deps.storage;
  return {
    kind: "evaluate",
    // One a tenant (engine.ts): nobody's long evaluation keeps another tenant's waiting.
    concurrency: 2,
    async run(job, signal): Promise<JobOutcome> {
      const row = await evaluations.ofJob(job.tenant_id, job.subject);
      if (row === null) return { type: "done" };
      if (row.status === "queued" || row.status === "in_progress") {
        const unfinished = await evaluate(deps, row, job.attempt, signal);
        if (unfinished !== null) return unfinished;
      }
      if (row.own) await removeOwn(deps, row);
      return { type: "done" };
    },
  };
}

/** Null when the evaluation has ended, well or not. */
async function evaluate(
  deps: EvaluateDeps,
  row: EvaluationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<JobOutcome | null> {
  const { storage, clock } = deps;
  const { evaluations } = storage;
  const fail = async (code: string, message: string) => {
    await evaluations.fail(row.tenant_id, row.id, clock.nowSeconds(), { code, message });
    return null;
  };
  if (attempt > MOST_ATTEMPTS) return await fail("internal_error", "The server failed repeatedly while evaluating.");
  await evaluations.start(row.tenant_id, row.id);
  const measured = await measure(deps, row, signal);
  switch (measured.type) {
    case "measured":
      if (measured.queries === 0)
        return await fail("invalid_value", "The judged queries were deleted before they were run.");
      await evaluations.complete(row.tenant_id, row.id, { at: clock.nowSeconds(), ...measured });
      return null;
    case "interrupted":
      return { type: "interrupted" };
    case "moved":
      return { type: "retry", inMs: MOVED_RETRY_MS };
    case "refused": {
      const { code, message, passing } = measured.answer;
      if (!passing || attempt === MOST_ATTEMPTS) return await fail(code, message);
      return { type: "retry", inMs: AWAY_RETRY_MS[Math.min(attempt, AWAY_RETRY_MS.length) - 1] ?? 60_000 };
    }
  }
}

async function measure({ storage, search }: EvaluateDeps, row: EvaluationRow, signal: AbortSignal): Promise<Measured> {
  const { judgments } = storage;
  const owner = ownerOf(row);
  const { modes } = row;
  const figures = new Map(modes.map((mode) => [mode, { scores: [] as Scores[], latencies: [] as number[] }]));
  let generation: number | null = null;
  let queries = 0;
  let missing = 0;
  let after = 0;
  for (;;) {
    const slice = await judgments.slice(owner, after, SLICE);
    missing += await countMissing(storage, row, slice);
    for (const { query, relevant } of slice) {
      const { grades, onePerFile, results, rank } = yardstick(relevant);
      const answers: { mode: Mode; answer: Extract<MeasuredAnswer, { ok: true }> }[] = [];
      for (const mode of modes) {
        const { tenant_id: tenantId, store_id: storeId } = row;
        const asked = { tenantId, storeId, generation: null, query, mode, results: results(row.k), onePerFile };
        const startedAt = performance.now();
        const answer = await search(asked, signal);
        // At work for half of the time at most: whoever waits for an answer comes first.
        await Bun.sleep(Math.min(LONGEST_REST_MS, performance.now() - startedAt));
        await nextTurn();
        if (signal.aborted) return { type: "interrupted" };
        if (!answer.ok) return { type: "refused", answer };
        generation ??= answer.generation;
        if (generation !== answer.generation) return { type: "moved" };
        answers.push({ mode, answer });
      }
      // The query's vector is kept for a while: only the first mode that needs it waits for the model.
      const embedMs = Math.max(...answers.map(({ answer }) => answer.ms.embed));
      for (const { mode, answer } of answers) {
        const of = figures.get(mode);
        of?.scores.push(scoresOf(rank(answer.hits), grades, row.k));
        of?.latencies.push(answer.ms.total - answer.ms.embed + (mode === "keyword" ? 0 : embedMs));
      }
      queries += 1;
    }
    const last = slice.at(-1);
    if (last === undefined || slice.length < SLICE) break;
    after = last.seq;
  }
  const metrics = Object.fromEntries(
    [...figures].map(([mode, { scores, latencies }]) => [mode, metricsOf(scores, latencies)]),
  );
  return { type: "measured", generation: generation ?? row.generation, queries, missing, metrics };
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

/** Judged files and chunks that no search can find any more. */
async function countMissing(
  { judgments }: EvaluateDeps["storage"],
  { tenant_id: tenantId, store_id: storeId }: EvaluationRow,
  judged: readonly { relevant: readonly Relevant[] }[],
): Promise<number> {
  const relevant = judged.flatMap((one) => one.relevant);
  const files = await judgments.filesOf(
    tenantId,
    storeId,
    distinct(relevant.map(({ file, chunk }) => (chunk === null ? file : null))),
  );
  const chunks = await judgments.chunksOf(tenantId, storeId, distinct(relevant.map(({ chunk }) => chunk)));
  const isThere = ({ file, chunk }: Relevant) =>
    chunk === null ? files.get(file ?? "")?.searchable === true : chunks.has(chunk);
  return relevant.filter((one) => !isThere(one)).length;
}

function distinct<T>(values: readonly (T | null)[]): T[] {
  return [...new Set(values)].filter((value) => value !== null);
}

async function removeOwn({ storage }: EvaluateDeps, row: EvaluationRow): Promise<void> {
  while ((await storage.judgments.removeSome(ownerOf(row), REMOVED_AT_ONCE)) > 0) await nextTurn();
}

function ownerOf({ tenant_id: tenantId, store_id: storeId, seq, own }: EvaluationRow): JudgmentOwner {
  return { tenantId, storeId, evaluation: own ? seq : OF_STORE };
}
