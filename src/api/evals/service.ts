import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { EvaluationRow } from "../../storage/evaluations.ts";
import { OF_STORE } from "../../storage/judgments.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";
import { readJudgments } from "../judgments/input.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { SEARCH_MODES } from "../search/schema.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { EvaluateBody, Evaluation } from "./schema.ts";

export interface EvaluationsDeps extends Pick<Storage, "db" | "evaluations" | "judgments" | "generations" | "jobs"> {
  clock: Clock;
  access: StoreAccess;
  wakeJobs: () => void;
}

export type EvaluationsService = ReturnType<typeof evaluationsService>;

const DEFAULT_K = 10;
/** Evaluations of a store that may wait or run. */
const MOST_UNFINISHED = 10;
/** Ended ones that are kept. */
const KEPT = 200;

/** Measuring a store on judged queries. The work is a job's; here it is asked for and shown. */
export function evaluationsService(deps: EvaluationsDeps) {
  const { db, evaluations, judgments, generations, jobs, clock, access } = deps;

  return {
    start(caller: Caller, storeId: string, body: EvaluateBody, rules: DialectRules): Evaluation {
      const store = access.usable(caller, storeId, rules);
      const { tenant_id: tenantId, id } = store;
      const own = body.judgments && readJudgments(judgments, store, body.judgments, { strict: false });
      const generation = store.live_generation === null ? null : generations.get(tenantId, store.live_generation);
      if (generation === null) throw new Error("a store has no live generation");
      const row = db.transaction(() => {
        const queries = own?.length ?? judgments.count({ tenantId, storeId: id, evaluation: OF_STORE });
        if (queries === 0) throw nothingJudged(id);
        if (evaluations.unfinished(tenantId, id) >= MOST_UNFINISHED) throw tooMany(id);
        const modes = SEARCH_MODES.filter((mode) => body.modes?.includes(mode) ?? true);
        const inserted = evaluations.insert({
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
        for (const one of own ?? []) judgments.put(owner, { id: newId("q_"), ...one }, inserted.created_at);
        evaluations.trim(tenantId, id, KEPT);
        jobs.insert({
          tenantId,
          kind: "evaluate",
          storeId: id,
          subject: inserted.id,
          priority: 1,
          dueMs: clock.nowMs(),
        });
        return inserted;
      });
      deps.wakeJobs();
      return show(row);
    },

    get(caller: Caller, storeId: string, id: string, rules: DialectRules): Evaluation {
      const store = access.open(caller, storeId, rules);
      const row = evaluations.get(store.tenant_id, store.id, id);
      if (row === null) throw new AppError("eval_not_found", notFound(id), { param: "eval_id" });
      return show(row);
    },

    list(caller: Caller, storeId: string, cursor: Cursor, rules: DialectRules) {
      const store = access.open(caller, storeId, rules);
      const seqOf = (id: string) => evaluations.get(store.tenant_id, store.id, id)?.seq;
      const query = pageQuery(cursor, seqOf, "evaluation");
      const { rows, hasMore } = evaluations.list(store.tenant_id, store.id, query);
      return { data: rows.map(show), hasMore };
    },
  };
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
    modes: JSON.parse(row.modes) as Evaluation["modes"],
    k: row.k,
    queries: row.queries,
    missing: row.missing,
    metrics: row.metrics === null ? {} : (JSON.parse(row.metrics) as Evaluation["metrics"]),
    last_error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
  };
}

function notFound(id: string): string {
  return `No evaluation found with id '${id.slice(0, 100)}'`;
}

function nothingJudged(storeId: string): AppError {
  const text = `Vector store '${storeId}' has no judged queries: add some with POST /v1/vector_stores/${storeId}/judgments, or send them along as 'judgments'.`;
  return new AppError("invalid_value", text, { param: "judgments" });
}

function tooMany(storeId: string): AppError {
  const text = `Vector store '${storeId}' has ${MOST_UNFINISHED} evaluations waiting or running already. Wait for one to end.`;
  return new AppError("overloaded", text, { retryAfterSeconds: 5 });
}
