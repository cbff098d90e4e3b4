import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { EvaluationRow } from "../../storage/evaluations.ts";
import { OF_STORE } from "../../storage/judgments.ts";
import type { Storage } from "../../storage/storage.ts";
import { readJudgments } from "../judgment-input.ts";
import { showRelevant } from "../judgment-show.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { SEARCH_MODES, type SearchMode } from "../../search/ranking.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { notFound } from "../../http/not-found.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { EvaluateBody, Evaluation, EvaluationResult } from "./schema.ts";

export interface EvaluationsDeps extends Pick<
  Storage,
  "transaction" | "evaluations" | "evaluationResults" | "judgments" | "generations" | "shownIds"
> {
  clock: Clock;
  access: StoreAccess;
  cursors: Cursors;
  wakeJobs: () => void;
}

const DEFAULT_K = 10;
/** Evaluations of a store that may wait or run. */
const MOST_UNFINISHED = 10;
/** Ended ones that are kept. */
const KEPT = 200;

export interface AskedResults {
  cursor: Cursor;
  /** The first one that was measured unless given. */
  mode: SearchMode | undefined;
}

/** Measuring a store on judged queries. The work is a job's; here it is asked for and shown. */
export interface EvaluationsService {
  start(asking: Asking, body: EvaluateBody): Promise<Evaluation>;
  get(asking: Asking, id: string): Promise<Evaluation>;
  list(asking: Asking, cursor: Cursor): Promise<{ data: Evaluation[]; hasMore: boolean }>;
  /** What it found for each query, the worst first; nothing until it is complete, and of one that is too old. */
  results(asking: Asking, id: string, asked: AskedResults): Promise<{ data: EvaluationResult[]; hasMore: boolean }>;
}

export function evaluationsService(deps: EvaluationsDeps): EvaluationsService {
  const { evaluations, generations, clock, access } = deps;

  return {
    async start(asking, body) {
      const store = await access.usable(asking);
      const { tenant_id: tenantId, id } = store;
      const own = body.judgments && (await readJudgments(deps, store, { given: body.judgments, strict: false }));
      const generation = await generations.liveOf(store);
      if (generation === null) throw new Error("a store has no live generation");
      const row = await deps.transaction(async ({ stores, evaluations, judgments, jobs }, tx) => {
        await access.usable(asking, stores);
        const queries = own?.length ?? (await judgments.count({ tenantId, storeId: id, evaluation: OF_STORE }));
        if (queries === 0) throw nothingJudged(id);
        if ((await evaluations.unfinished(tenantId, id)) >= MOST_UNFINISHED) throw tooMany(id);
        const modes = SEARCH_MODES.filter((mode) => body.modes?.includes(mode) ?? true);
        const inserted = await evaluations.insert({
          id: newId("eval_"),
          tenantId,
          storeId: id,
          createdAt: clock.nowSeconds(),
          modes,
          k: body.k ?? DEFAULT_K,
          generation: generation.number,
          queries,
          own: own !== undefined,
        });
        const owner = { tenantId, storeId: id, evaluation: inserted.seq };
        for (const one of own ?? []) await judgments.put(owner, { id: newId("q_"), ...one }, inserted.created_at);
        await evaluations.trim(tenantId, id, KEPT);
        await jobs.insert({
          tenantId,
          kind: "evaluate",
          storeId: id,
          subject: inserted.id,
          priority: 1,
          dueMs: clock.nowMs(),
        });
        tx.onCommit(() => deps.wakeJobs());
        return inserted;
      });
      return show(row);
    },

    async get(asking, id) {
      const store = await access.open(asking);
      const row = await evaluations.get(store.tenant_id, store.id, id);
      if (row === null) throw notFound("eval", id, { param: "eval_id" });
      return show(row);
    },

    async list(asking, cursor) {
      const store = await access.open(asking);
      const seqOf = async (id: string) => (await evaluations.get(store.tenant_id, store.id, id))?.seq;
      const query = await pageQuery(cursor, seqOf, "evaluation");
      const { rows, hasMore } = await evaluations.list(store.tenant_id, store.id, query);
      return { data: rows.map(show), hasMore };
    },

    results: (asking, id, asked) => listResults(deps, { asking, id, ...asked }),
  };
}

async function listResults(deps: EvaluationsDeps, wanted: AskedResults & { asking: Asking; id: string }) {
  const { access, evaluations, evaluationResults, judgments, cursors, shownIds } = deps;
  const { tenant_id: tenantId, id: storeId } = await access.open(wanted.asking);
  const row = await evaluations.get(tenantId, storeId, wanted.id);
  if (row === null) throw notFound("eval", wanted.id, { param: "eval_id" });
  const mode = wanted.mode ?? row.modes[0] ?? "hybrid";
  const of = { tenantId, evaluation: row.seq, mode };
  // The same query has a place in other lists.
  const cursorOf = (id: string) => `${wanted.id} ${mode} ${id}`;
  const place = async (id: string) => (await evaluationResults.seqOf(of, id)) ?? cursors.find(tenantId, cursorOf(id));
  const query = await pageQuery(wanted.cursor, place, "result of the evaluation");
  if (row.status !== "completed") return { data: [], hasMore: false };
  const { rows, hasMore } = await evaluationResults.list(of, query);
  cursors.remember(
    tenantId,
    rows.map(({ id, seq }) => ({ id: cursorOf(id), seq })),
  );
  const named = rows.flatMap(({ relevant, hits }) => [...relevant, ...hits].flatMap(({ file }) => file ?? []));
  const files = await judgments.filesOf(tenantId, storeId, [...new Set(named)]);
  const data = rows.map(({ id, query, relevant, scores, hits }): EvaluationResult => ({
    id,
    object: "vector_store.eval.result",
    query,
    mode,
    ndcg_at_k: scores.ndcg,
    recall_at_k: scores.recall,
    mrr_at_k: scores.mrr,
    previous_ndcg_at_k: scores.before,
    relevant: showRelevant(relevant, files, shownIds.chunks),
    found: hits.map(({ file, chunk, grade }) => ({
      file_id: file,
      filename: files.get(file)?.filename ?? null,
      chunk_id: shownIds.chunks.idOf(chunk),
      grade,
    })),
  }));
  return { data, hasMore };
}

function show(row: EvaluationRow): Evaluation {
  return {
    id: row.id,
    object: "vector_store.eval",
    vector_store_id: row.store_id,
    status: row.status,
    created_at: row.created_at,
    completed_at: row.completed_at,
    generation: row.generation,
    modes: row.modes,
    k: row.k,
    queries: row.queries,
    missing: row.missing,
    metrics: row.metrics ?? {},
    last_error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
  };
}

function nothingJudged(storeId: string): AppError {
  const text = `Vector store '${storeId}' has no judged queries: add some with POST /v1/vector_stores/${storeId}/judgments, or send them along as 'judgments'.`;
  return new AppError("invalid_value", text, { param: "judgments" });
}

function tooMany(storeId: string): AppError {
  const text = `Vector store '${storeId}' has ${MOST_UNFINISHED} evaluations waiting or running already. Wait for one to end.`;
  return new AppError("overloaded", text, { retryAfterSeconds: 5 });
}
