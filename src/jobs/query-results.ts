import { nextTurn } from "../platform/next-turn.ts";
import type { NewResult, ResultHit, ResultsOf } from "../storage/evaluation-results.ts";
import type { EvaluatedMode, EvaluationRow } from "../storage/evaluations.ts";
import type { Storage } from "../storage/storage.ts";
import { rounded, type Scores } from "./measures.ts";

/** Hits of a query that are kept. */
const MOST_HITS = 10;
/** Evaluations of a store whose results are kept. */
const KEPT = 5;
const SLICE = 200;

type Table = Storage["evaluationResults"];

/**
 * What an evaluation finds for each judged query of its store, gathered while it runs and kept before it is said to be
 * complete. Those whose result got worse come last among the rows, so that a list of the newest begins with them.
 */
export class QueryResults {
  readonly #table: Table;
  readonly #row: EvaluationRow;
  readonly #gathered = new Map<EvaluatedMode, { judgment: number; scores: Scores; hits: ResultHit[] }[]>();

  constructor(table: Table, row: EvaluationRow) {
    this.#table = table;
    this.#row = row;
  }

  note(mode: EvaluatedMode, judgment: number, { scores, hits }: { scores: Scores; hits: readonly ResultHit[] }): void {
    // What an evaluation brought along goes when it ends.
    if (this.#row.own) return;
    const rows = this.#gathered.get(mode) ?? [];
    rows.push({ judgment, scores, hits: hits.slice(0, MOST_HITS) });
    this.#gathered.set(mode, rows);
  }

  async keep(): Promise<void> {
    const { tenant_id: tenantId, store_id: storeId, seq: evaluation } = this.#row;
    // Of an attempt that was cut off.
    await step(() => this.#table.removeSome(tenantId, evaluation, SLICE));
    for (const [mode, rows] of this.#gathered) {
      const of = { tenantId, evaluation, mode };
      const before = await this.#before(of);
      const results = rows.map(({ judgment, scores: { ndcg, recall, mrr }, hits }): NewResult => {
        const scores = { ndcg: rounded(ndcg), recall: rounded(recall), mrr: rounded(mrr) };
        return { judgment, scores: { ...scores, before: before.get(judgment) ?? null }, hits };
      });
      const order = (a: NewResult, b: NewResult) =>
        changeOf(b) - changeOf(a) || b.scores.ndcg - a.scores.ndcg || b.judgment - a.judgment;
      results.sort(order);
      for (let from = 0; from < results.length; from += SLICE) {
        await this.#table.add(of, results.slice(from, from + SLICE));
        await nextTurn();
      }
    }
    await step(() => this.#table.trim(tenantId, storeId, KEPT, SLICE));
  }

  /** nDCG by judged query, in the evaluation before. */
  async #before(of: ResultsOf): Promise<Map<number, number>> {
    const found = new Map<number, number>();
    const evaluation = await this.#table.before({ ...of, storeId: this.#row.store_id, k: this.#row.k });
    if (evaluation === null) return found;
    for (let after = 0; ;) {
      const rows = await this.#table.ndcg({ ...of, evaluation }, after, SLICE);
      for (const { judgment, ndcg } of rows) found.set(judgment, ndcg);
      const last = rows.at(-1);
      if (last === undefined || rows.length < SLICE) return found;
      after = last.seq;
      await nextTurn();
    }
  }
}

/** How much better it became. */
function changeOf({ scores: { ndcg, before } }: NewResult): number {
  return before === null ? 0 : ndcg - before;
}

async function step(remove: () => Promise<number>): Promise<void> {
  while ((await remove()) > 0) await nextTurn();
}
