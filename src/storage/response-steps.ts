import type { ResponseSeq, TenantId } from "./ids.ts";
import type { KeptCitation, KeptFunctionCall, KeptMessage, KeptSearchCall } from "./response-items.ts";
import { withoutSources } from "./response-items.ts";
import { responseSourcesTable, sourcesOf } from "./response-sources.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, table, text } from "./table.ts";

/** One step by which an answer comes into being. */
export type KeptStep =
  | { type: "search"; id: string }
  | { type: "searched"; item: KeptSearchCall }
  | { type: "message"; id: string }
  | { type: "text"; delta: string }
  | { type: "citation"; citation: KeptCitation }
  | { type: "said"; item: KeptMessage }
  | { type: "call"; item: KeptFunctionCall }
  | { type: "called"; item: KeptFunctionCall };

export const RESPONSE_STEP = table("response_step", {
  tenant_id: id<TenantId>(),
  response: integer<ResponseSeq>(),
  /** Number of the first of these steps; -1 in the row that says who writes them. */
  first: integer(),
  /** Number after the last. */
  up_to: integer(),
  /** The attempt that writes them. */
  writer: text(),
  steps: json<KeptStep[]>(),
});

const SOME = RESPONSE_STEP.pick("first", "steps");
/** A row of `response`. */
interface Answer {
  tenant_id: TenantId;
  seq: ResponseSeq;
}

/**
 * Answers in the background as far as they came, for those who follow them at another server than the one that writes
 * them: so with PostgreSQL alone. They go when the answer ends, which then has them as its items.
 */
export interface ResponseStepsTable {
  /** An attempt begins; whoever wrote before writes no more. False where something of an earlier one was shown to a client. */
  begin(answer: Answer, writer: string): Promise<boolean>;
  /** Adds steps from number `first` on. False where the answer has ended, or somebody else writes it now. */
  add(answer: Answer, writer: string, first: number, steps: readonly KeptStep[]): Promise<boolean>;
  /** Those from number `from` on; of deleted files without their text. */
  from(answer: Answer, from: number): Promise<KeptStep[]>;
  /** All of them, and none is added before the transaction of the caller ends. */
  closed(answer: Answer): Promise<KeptStep[]>;
}

const FORGET = /*sql*/ `DELETE FROM response_step WHERE tenant_id = ?1 AND response = ?2`;
const BEGIN = /*sql*/ `INSERT INTO response_step (tenant_id, response, first, up_to, writer, steps)
  SELECT r.tenant_id, r.seq, -1, 0, CAST(?3 AS TEXT), '[]' FROM response r WHERE r.tenant_id = ?1 AND r.seq = ?2
    AND (r.question IS NULL OR json_extract(r.question, '$.isShown') IS DISTINCT FROM 'true') FOR SHARE OF r`;
// Whoever ends the answer changes its row: what is added before is there for it, what comes after is not added.
const ADD = /*sql*/ `INSERT INTO response_step (tenant_id, response, first, up_to, writer, steps)
  SELECT r.tenant_id, r.seq, CAST(?3 AS BIGINT), CAST(?4 AS BIGINT), w.writer, CAST(?6 AS TEXT)
  FROM response r JOIN response_step w ON w.tenant_id = r.tenant_id AND w.response = r.seq AND w.first = -1
  WHERE r.tenant_id = ?1 AND r.seq = ?2 AND r.status = 'in_progress' AND w.writer = ?5 FOR SHARE OF r`;
const FROM = /*sql*/ `SELECT ${SOME.list} FROM response_step WHERE tenant_id = ?1 AND response = ?2 AND up_to > ?3 ORDER BY first`;
const CLOSE = /*sql*/ `SELECT seq FROM response WHERE tenant_id = ?1 AND seq = ?2 FOR UPDATE`;

export function responseStepsTable(sql: Sql): ResponseStepsTable {
  const from = async ({ tenant_id: tenantId, seq }: Answer, number: number): Promise<KeptStep[]> => {
    const rows = await SOME.all(sql, FROM, [tenantId, seq, number]);
    const steps = rows.flatMap((row) => row.steps.slice(Math.max(0, number - row.first)));
    return await shown(sql, tenantId, steps);
  };
  return {
    begin: ({ tenant_id: tenantId, seq }, writer) =>
      sql.atomic(async (tx) => {
        await tx.run(FORGET, [tenantId, seq]);
        return (await tx.run(BEGIN, [tenantId, seq, writer])) > 0;
      }, "work"),
    add: ({ tenant_id: tenantId, seq }, writer, first, steps) =>
      sql.atomic(async (tx) => {
        const values = [tenantId, seq, first, first + steps.length, writer, JSON.stringify(steps)];
        return (await tx.run(ADD, values)) > 0;
      }, "work"),
    from,
    async closed(answer) {
      await sql.get(CLOSE, [answer.tenant_id, answer.seq]);
      return await from(answer, 0);
    },
  };
}

/** Inside the transaction that ends the answer. */
export async function forgetSteps(sql: Sql, { tenant_id: tenantId, seq }: Answer): Promise<void> {
  if (sql.dialect === "postgres") await sql.run(FORGET, [tenantId, seq]);
}

async function shown(sql: Sql, tenantId: TenantId, steps: KeptStep[]): Promise<KeptStep[]> {
  const items = steps.flatMap((step) => (step.type === "searched" || step.type === "said" ? [step.item] : []));
  if (items.length === 0) return steps;
  const isGone = await responseSourcesTable(sql).gone(tenantId, items.flatMap(sourcesOf));
  return steps.map((step) => {
    if (step.type === "searched") return { ...step, item: withoutSources(step.item, isGone) as KeptSearchCall };
    return step.type === "said" ? { ...step, item: withoutSources(step.item, isGone) as KeptMessage } : step;
  });
}
