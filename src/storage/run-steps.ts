import type { RunSeq, StepId, TenantId } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import { responseSourcesTable } from "./response-sources.ts";
import type { KeptRunError } from "./runs.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";
import { type KeptStepDetails, type KeptTokens, stepSources, stepWithout } from "./thread-items.ts";
import { threadSourcesTable } from "./thread-sources.ts";

export const RUN_STEP = table("run_step", {
  seq: integer(),
  id: id<StepId>(),
  tenant_id: id<TenantId>(),
  run: integer<RunSeq>(),
  status: text<"in_progress" | "completed" | "failed" | "cancelled" | "expired">(),
  created_at: integer(),
  /** When it left `in_progress`. */
  ended_at: nullable(integer()),
  error: nullable(json<KeptRunError>()),
  details: json<KeptStepDetails>(),
  /** Null while in progress. */
  usage: nullable(json<KeptTokens>()),
});

export type StepRow = RowOf<typeof RUN_STEP>;

/** Steps of runs. The text of deleted files is not in them. */
export interface StepsTable {
  /** Inside a transaction of the caller. */
  insert(step: Omit<StepRow, "seq" | "ended_at" | "error">): Promise<StepRow>;
  get(tenantId: TenantId, run: RunSeq, id: StepId): Promise<StepRow | null>;
  list(tenantId: TenantId, run: RunSeq, page: PageQuery): Promise<Page<StepRow>>;
  /** In order. */
  ofRun(tenantId: TenantId, run: RunSeq): Promise<StepRow[]>;
  /** What came of one that is in progress; inside a transaction of the caller. A file deleted meanwhile is not in it. */
  complete(step: StepRow, done: { details: KeptStepDetails; usage: KeptTokens; at: number }): Promise<void>;
  /** What a run has not finished goes. Inside a transaction of the caller. */
  dropOpen(run: RunSeq): Promise<void>;
  /** Ends what is in progress otherwise; inside a transaction of the caller. */
  close(
    run: RunSeq,
    end: { status: Exclude<StepRow["status"], "in_progress">; at: number; error: KeptRunError | null },
  ): Promise<void>;
}

const BY_ID = /*sql*/ `SELECT ${RUN_STEP.list} FROM run_step WHERE tenant_id = ?1 AND run = ?2 AND id = ?3`;
const LISTED = /*sql*/ `run_step WHERE tenant_id = ?1 AND run = ?2`;
const OF_RUN = /*sql*/ `SELECT ${RUN_STEP.list} FROM run_step WHERE tenant_id = ?1 AND run = ?2 ORDER BY seq`;
const COMPLETE = /*sql*/ `UPDATE run_step SET status = 'completed', ended_at = ?2, details = ?3, usage = ?4
  WHERE seq = ?1 AND status = 'in_progress'`;
const CLOSE = /*sql*/ `UPDATE run_step SET status = ?2, ended_at = ?3, error = ?4 WHERE run = ?1 AND status = 'in_progress'`;

const DROP_OPEN = /*sql*/ `DELETE FROM run_step WHERE run = ?1 AND status = 'in_progress'`;

export function stepsTable(sql: Sql): StepsTable {
  return new Steps(sql);
}

class Steps implements StepsTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async insert(step: Omit<StepRow, "seq" | "ended_at" | "error">): Promise<StepRow> {
    const [details = step.details] = await this.#shown(step.tenant_id, [step.details]);
    const ended = step.status === "in_progress" ? null : step.created_at;
    const row = await RUN_STEP.insert(this.#sql, { ...step, details, ended_at: ended });
    await threadSourcesTable(this.#sql).add(row.tenant_id, { step: row.seq }, stepSources(details));
    return row;
  }

  async get(tenantId: TenantId, run: RunSeq, stepId: StepId): Promise<StepRow | null> {
    const row = await RUN_STEP.get(this.#sql, BY_ID, [tenantId, run, stepId]);
    return row === null ? null : ((await this.#without(tenantId, [row]))[0] ?? null);
  }

  async list(tenantId: TenantId, run: RunSeq, page: PageQuery): Promise<Page<StepRow>> {
    const { rows, hasMore } = await RUN_STEP.page(this.#sql, { from: LISTED, params: [tenantId, run] }, page);
    return { rows: await this.#without(tenantId, rows), hasMore };
  }

  async ofRun(tenantId: TenantId, run: RunSeq): Promise<StepRow[]> {
    return await this.#without(tenantId, await RUN_STEP.all(this.#sql, OF_RUN, [tenantId, run]));
  }

  async complete(step: StepRow, done: { details: KeptStepDetails; usage: KeptTokens; at: number }): Promise<void> {
    const [details = done.details] = await this.#shown(step.tenant_id, [done.details]);
    const values = [step.seq, done.at, JSON.stringify(details), JSON.stringify(done.usage)];
    if ((await this.#sql.run(COMPLETE, values)) === 0) return;
    await threadSourcesTable(this.#sql).add(step.tenant_id, { step: step.seq }, stepSources(details));
  }

  async dropOpen(run: RunSeq): Promise<void> {
    await this.#sql.run(DROP_OPEN, [run]);
  }

  async close(
    run: RunSeq,
    { status, at, error }: { status: StepRow["status"]; at: number; error: KeptRunError | null },
  ): Promise<void> {
    await this.#sql.run(CLOSE, [run, status, at, error === null ? null : JSON.stringify(error)]);
  }

  async #without(tenantId: TenantId, rows: readonly StepRow[]): Promise<StepRow[]> {
    const all = await this.#shown(
      tenantId,
      rows.map(({ details }) => details),
    );
    return rows.map((row, i) => ({ ...row, details: all[i] ?? row.details }));
  }

  async #shown(tenantId: TenantId, all: readonly KeptStepDetails[]): Promise<KeptStepDetails[]> {
    const isGone = await responseSourcesTable(this.#sql).gone(tenantId, all.flatMap(stepSources));
    return all.map((details) => stepWithout(details, isGone));
  }
}
