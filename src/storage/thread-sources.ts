import type { FileId, StoreId, TenantId } from "./ids.ts";
import type { IsGone } from "./response-items.ts";
import type { Deleted, Source } from "./response-sources.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, nullable, table } from "./table.ts";
import { type KeptMessagePart, type KeptStepDetails, messageWithout, stepWithout } from "./thread-items.ts";

/** Which files a step of a run, or a message, holds text of, so that it goes with them. */
export const THREAD_SOURCE = table("thread_source", {
  seq: integer(),
  tenant_id: id<TenantId>(),
  store_id: id<StoreId>(),
  file_id: id<FileId>(),
  step: nullable(integer()),
  message: nullable(integer()),
  /** Passages of it whose text is in the step. */
  results: integer(),
  /** Quotations of it beside the message's citations. */
  quotes: integer(),
  /** The message's text cites it. */
  cited: boolean(),
});

/** What holds the text: the place of a step or of a message. */
export type Holder = { step: number } | { message: number };

export interface ThreadSourcesTable {
  /** Inside the transaction that adds the step or the message. */
  add(tenantId: TenantId, holder: Holder, sources: readonly Source[]): Promise<void>;
  /** Empties up to `limit` steps and messages; inside a transaction of the caller. Returns how many, and their passages. */
  empty(tenantId: TenantId, deleted: Deleted, limit: number): Promise<{ items: number; results: number }>;
  /** Passages and quotations whose text is still there, and messages that cite it. */
  leftOf(tenantId: TenantId, deleted: Deleted): Promise<{ results: number; answers: number }>;
}

const COLUMNS = { file: "file_id", vector_store: "store_id" } as const;
type Subject = (typeof COLUMNS)[Deleted["type"]];

const ADD = THREAD_SOURCE.into("step", "message", "store_id", "file_id", "tenant_id", "results", "quotes", "cited");
const SOME = (column: Subject) => /*sql*/ `SELECT DISTINCT step, message FROM thread_source
  WHERE ${column} = ?2 AND tenant_id = ?1 AND (results > 0 OR quotes > 0) LIMIT ?3`;
const OF_HOLDER = "step IS NOT DISTINCT FROM ?3 AND message IS NOT DISTINCT FROM ?4";
const COUNT = (
  column: Subject,
) => /*sql*/ `SELECT CAST(coalesce(sum(results), 0) AS BIGINT) AS results FROM thread_source
  WHERE ${column} = ?2 AND tenant_id = ?1 AND ${OF_HOLDER}`;
const SET_EMPTY = (column: Subject) => /*sql*/ `UPDATE thread_source SET results = 0, quotes = 0
  WHERE ${column} = ?2 AND tenant_id = ?1 AND ${OF_HOLDER}`;
const LEFT = (column: Subject) => /*sql*/ `SELECT CAST(coalesce(sum(results + quotes), 0) AS BIGINT) AS results,
    count(DISTINCT CASE WHEN cited = 1 THEN message END) AS answers
  FROM thread_source WHERE tenant_id = ?1 AND ${column} = ?2`;
const STEP = /*sql*/ `SELECT details AS body FROM run_step WHERE seq = ?1`;
const SET_STEP = /*sql*/ `UPDATE run_step SET details = ?2 WHERE seq = ?1`;
const MESSAGE = /*sql*/ `SELECT content AS body FROM thread_message WHERE seq = ?1`;
const SET_MESSAGE = /*sql*/ `UPDATE thread_message SET content = ?2 WHERE seq = ?1`;

export function threadSourcesTable(sql: Sql): ThreadSourcesTable {
  return {
    async add(tenantId, holder, sources) {
      const [step, message] = "step" in holder ? [holder.step, null] : [null, holder.message];
      for (const { store_id: store, file_id: file, results, quotes, cited } of sources)
        await sql.run(ADD, [step, message, store, file, tenantId, results, quotes, cited ? 1 : 0]);
    },
    async empty(tenantId, { type, id: subject }, limit) {
      const column = COLUMNS[type];
      const isGone: IsGone = (storeId, fileId) => (type === "file" ? fileId : storeId) === subject;
      const holders = await sql.all<{ step: number | null; message: number | null }>(SOME(column), [
        tenantId,
        subject,
        limit,
      ]);
      let results = 0;
      for (const { step, message } of holders) {
        if (step !== null)
          await rewrite<KeptStepDetails>(sql, { get: STEP, set: SET_STEP, seq: step }, (kept) =>
            stepWithout(kept, isGone),
          );
        if (message !== null)
          await rewrite<KeptMessagePart[]>(sql, { get: MESSAGE, set: SET_MESSAGE, seq: message }, (kept) =>
            messageWithout(kept, isGone),
          );
        const of = [tenantId, subject, step, message];
        results += (await sql.get<{ results: number }>(COUNT(column), of))?.results ?? 0;
        await sql.run(SET_EMPTY(column), of);
      }
      return { items: holders.length, results };
    },
    leftOf: async (tenantId, { type, id: subject }) =>
      (await sql.get<{ results: number; answers: number }>(LEFT(COLUMNS[type]), [tenantId, subject])) ?? {
        results: 0,
        answers: 0,
      },
  };
}

async function rewrite<T>(
  sql: Sql,
  { get, set, seq }: { get: string; set: string; seq: number },
  change: (kept: T) => T,
): Promise<void> {
  const row = await sql.get<{ body: string }>(get, [seq]);
  if (row !== null) await sql.run(set, [seq, JSON.stringify(change(JSON.parse(row.body) as T))]);
}
