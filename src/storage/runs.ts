import type { AssistantId, KeyId, RunId, RunSeq, StoreId, TenantId, ThreadId, ThreadSeq } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";
import type { KeptCall, KeptResources, KeptTokens } from "./thread-items.ts";
import { texts, twin } from "./dialect.ts";

export type RunStatus =
  | "queued"
  | "in_progress"
  | "requires_action"
  | "cancelling"
  | "cancelled"
  | "failed"
  | "completed"
  | "incomplete"
  | "expired";
export type RunEndStatus = Exclude<RunStatus, "queued" | "in_progress" | "requires_action" | "cancelling">;

/** What a run was asked, with the assistant's where the request says nothing. */
export interface KeptRunRequest {
  model: string;
  instructions: string | null;
  tools: Record<string, unknown>[];
  /** Those of the run alone, as clients see them. */
  tool_resources: KeptResources;
  temperature: number;
  top_p: number;
  reasoning_effort: string | null;
  max_completion_tokens: number | null;
  max_prompt_tokens: number | null;
  truncation_strategy: { type: "auto" | "last_messages"; last_messages: number | null };
  response_format: unknown;
  tool_choice: unknown;
  parallel_tool_calls: boolean;
  /** Stores of the assistant, or of the run in their place. */
  stores: StoreId[];
  /** Members without effect. */
  ignored: string[];
  /** Id of the chat model that is to answer; without it passages are quoted. */
  answers?: string;
}

export interface KeptRunError {
  code: "server_error" | "rate_limit_exceeded" | "invalid_prompt";
  message: string;
}

/** How it ended. */
export interface KeptRunOutcome {
  usage: KeptTokens | null;
  error: KeptRunError | null;
  /** Why it is incomplete. */
  reason: "max_completion_tokens" | "max_prompt_tokens" | null;
  /** What answered, where it is not what was to answer. */
  model?: string | undefined;
  /** Calls of a language model. */
  rounds: number;
  warnings: string[];
}

export const RUN = table("run", {
  seq: integer<RunSeq>(),
  id: id<RunId>(),
  tenant_id: id<TenantId>(),
  /** The key that made it. */
  key_id: id<KeyId>(),
  thread: integer<ThreadSeq>(),
  thread_id: id<ThreadId>(),
  assistant_id: id<AssistantId>(),
  status: text<RunStatus>(),
  created_at: integer(),
  started_at: nullable(integer()),
  expires_at: integer(),
  /** When it was cancelled while it was worked on. */
  cancelling_at: nullable(integer()),
  /** When it reached a status that it keeps. */
  ended_at: nullable(integer()),
  metadata: json<Record<string, string>>(),
  request: json<KeptRunRequest>(),
  /** Calls whose outputs it waits for. */
  required_action: nullable(json<KeptCall[]>()),
  outcome: nullable(json<KeptRunOutcome>()),
});

export type RunRow = RowOf<typeof RUN>;

const ENDED: readonly RunStatus[] = ["cancelled", "failed", "completed", "incomplete", "expired"];

/** Whether its thread is free again. */
export function hasEnded({ status }: Pick<RunRow, "status">): boolean {
  return ENDED.includes(status);
}

/** Runs of threads. A thread has one active run at most, which the schema itself sees to. */
export interface RunsTable {
  /** Inside a transaction of the caller. */
  insert(run: Omit<RunRow, "seq">): Promise<RunRow>;
  get(tenantId: TenantId, id: RunId): Promise<RunRow | null>;
  /** The same, and nobody else changes it before the transaction of the caller ends. */
  locked(run: RunRow): Promise<RunRow | null>;
  list(tenantId: TenantId, thread: ThreadSeq, page: PageQuery): Promise<Page<RunRow>>;
  active(thread: ThreadSeq): Promise<RunRow | null>;
  setMetadata(tenantId: TenantId, id: RunId, metadata: Record<string, string>): Promise<void>;
  /** From `queued` on; false where it is not queued. */
  start(run: RunRow, at: number): Promise<boolean>;
  /** While it is worked on; false where it is not. */
  cancel(run: RunRow, at: number): Promise<boolean>;
  /** From `in_progress` to `requires_action`; false where it is not in progress. */
  requireAction(run: RunRow, calls: readonly KeptCall[]): Promise<boolean>;
  /** From `requires_action` back to `queued`; false where nothing is required. */
  resume(run: RunRow): Promise<boolean>;
  /** Ends it if its status is one of these; false where it is not. */
  end(
    run: RunRow,
    from: readonly RunStatus[],
    end: { status: RunEndStatus; at: number; outcome: KeptRunOutcome },
  ): Promise<boolean>;
  /** Up to `limit` active ones of any tenant whose time is over. */
  overdue(at: number, limit: number): Promise<RunRow[]>;
  /** Those of all tenants that have not begun. */
  queued(): Promise<number>;
}

const ACTIVE = `status IN ('queued', 'in_progress', 'requires_action', 'cancelling')`;
const BY_ID = /*sql*/ `SELECT ${RUN.list} FROM run WHERE tenant_id = ?1 AND id = ?2`;
// SQLite has one transaction at a time.
const LOCKED = twin(/*sql*/ `${BY_ID} LIMIT 1`, /*sql*/ `${BY_ID} FOR UPDATE`);
const LISTED = /*sql*/ `run WHERE tenant_id = ?1 AND thread = ?2`;
const ACTIVE_OF = /*sql*/ `SELECT ${RUN.list} FROM run WHERE thread = ?1 AND ${ACTIVE}`;
const START = /*sql*/ `UPDATE run SET status = 'in_progress', started_at = coalesce(started_at, ?2)
  WHERE seq = ?1 AND status = 'queued'`;
const CANCEL = /*sql*/ `UPDATE run SET status = 'cancelling', cancelling_at = ?2 WHERE seq = ?1 AND status = 'in_progress'`;
const REQUIRE = /*sql*/ `UPDATE run SET status = 'requires_action', required_action = ?2
  WHERE seq = ?1 AND status = 'in_progress'`;
const RESUME = /*sql*/ `UPDATE run SET status = 'queued', required_action = NULL WHERE seq = ?1 AND status = 'requires_action'`;
const END = /*sql*/ `UPDATE run SET status = ?2, ended_at = ?3, outcome = ?4, required_action = NULL
  WHERE seq = ?1 AND ${ACTIVE} AND status IN ${texts(5)}`;
const OVERDUE = /*sql*/ `SELECT ${RUN.list} FROM run WHERE expires_at <= ?1 AND ${ACTIVE} LIMIT ?2`;
const QUEUED = /*sql*/ `SELECT count(*) AS n FROM run WHERE ${ACTIVE} AND status = 'queued'`;

export function runsTable(sql: Sql): RunsTable {
  const changed = async (statement: string, params: (string | number)[]) => (await sql.run(statement, params)) > 0;
  return {
    insert: (run) => RUN.insert(sql, run),
    get: (tenantId, runId) => RUN.get(sql, BY_ID, [tenantId, runId]),
    locked: ({ tenant_id: tenantId, id: runId }) => RUN.get(sql, LOCKED, [tenantId, runId]),
    list: (tenantId, thread, page) => RUN.page(sql, { from: LISTED, params: [tenantId, thread] }, page),
    active: (thread) => RUN.get(sql, ACTIVE_OF, [thread]),
    setMetadata: async (tenantId, runId, metadata) =>
      void (await RUN.update(sql, { tenant_id: tenantId, id: runId }, { metadata })),
    start: ({ seq }, at) => changed(START, [seq, at]),
    cancel: ({ seq }, at) => changed(CANCEL, [seq, at]),
    requireAction: ({ seq }, calls) => changed(REQUIRE, [seq, JSON.stringify(calls)]),
    resume: ({ seq }) => changed(RESUME, [seq]),
    end: ({ seq }, from, { status, at, outcome }) =>
      changed(END, [seq, status, at, JSON.stringify(outcome), JSON.stringify(from)]),
    overdue: (at, limit) => RUN.all(sql, OVERDUE, [at, limit]),
    queued: async () => (await sql.get<{ n: number }>(QUEUED))?.n ?? 0,
  };
}
