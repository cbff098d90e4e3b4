import type { AssistantId, MessageId, RunId, TenantId, ThreadId, ThreadSeq } from "./ids.ts";
import type { Page, PageQuery } from "./page.ts";
import { responseSourcesTable } from "./response-sources.ts";
import type { Sql } from "./sql.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";
import { type KeptAttachment, type KeptMessagePart, messageSources, messageWithout } from "./thread-items.ts";
import { threadSourcesTable } from "./thread-sources.ts";

export const THREAD_MESSAGE = table("thread_message", {
  seq: integer(),
  id: id<MessageId>(),
  tenant_id: id<TenantId>(),
  thread: integer<ThreadSeq>(),
  thread_id: id<ThreadId>(),
  /** In its thread, from 0. */
  number: integer(),
  role: text<"user" | "assistant">(),
  created_at: integer(),
  /** The run that wrote it; null where it was posted. */
  run_id: nullable(id<RunId>()),
  assistant_id: nullable(id<AssistantId>()),
  status: text<"in_progress" | "completed" | "incomplete">(),
  completed_at: nullable(integer()),
  incomplete_at: nullable(integer()),
  reason: nullable(text<"content_filter" | "max_tokens" | "run_cancelled" | "run_expired" | "run_failed">()),
  content: json<KeptMessagePart[]>(),
  attachments: json<KeptAttachment[]>(),
  metadata: json<Record<string, string>>(),
});

export type MessageRow = RowOf<typeof THREAD_MESSAGE>;

/** Messages of threads. Quotations of deleted files are not in them. */
export interface MessagesTable {
  /** Inside the transaction that gave it its number. A file that was deleted meanwhile is not quoted. */
  insert(message: Omit<MessageRow, "seq">): Promise<MessageRow>;
  get(tenantId: TenantId, thread: ThreadSeq, id: MessageId): Promise<MessageRow | null>;
  /** `runId`: only those that this run wrote. */
  list(tenantId: TenantId, of: { thread: ThreadSeq; runId: RunId | null }, page: PageQuery): Promise<Page<MessageRow>>;
  /** Those that a run wrote, in order. */
  ofRun(tenantId: TenantId, runId: RunId): Promise<MessageRow[]>;
  /** The newest message of a user in the thread before `before` (a place), with its place; null where there is none. */
  lastOfUser(tenantId: TenantId, thread: ThreadSeq, before: number): Promise<MessageRow | null>;
  /** Messages after that place. */
  countAfter(thread: ThreadSeq, seq: number): Promise<number>;
  setMetadata(tenantId: TenantId, id: MessageId, metadata: Record<string, string>): Promise<void>;
  remove(tenantId: TenantId, id: MessageId): Promise<boolean>;
  /** What a run has said so far of a message in progress, `added` being new in it. Inside a transaction of the caller. */
  extend(message: MessageRow, content: KeptMessagePart[], added: readonly KeptMessagePart[]): Promise<void>;
  /** A message in progress is whole. Inside a transaction of the caller. */
  complete(message: MessageRow, at: number): Promise<void>;
  /** What a run has not finished stays with its text so far. Inside a transaction of the caller. */
  close(runId: RunId, reason: NonNullable<MessageRow["reason"]>, at: number): Promise<void>;
  /** What a run has not finished goes, and its number with it, if it is the thread's last. Inside a transaction of the caller. */
  dropOpen(runId: RunId): Promise<void>;
}

const BY_ID = /*sql*/ `SELECT ${THREAD_MESSAGE.list} FROM thread_message WHERE tenant_id = ?1 AND thread = ?2 AND id = ?3`;
const LISTED = /*sql*/ `thread_message WHERE tenant_id = ?1 AND thread = ?2 AND (CAST(?3 AS TEXT) IS NULL OR run_id = ?3)`;
const OF_RUN = /*sql*/ `SELECT ${THREAD_MESSAGE.list} FROM thread_message WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY seq`;
const LAST = /*sql*/ `SELECT ${THREAD_MESSAGE.list} FROM thread_message
  WHERE tenant_id = ?1 AND thread = ?2 AND role = 'user' AND seq < ?3 ORDER BY seq DESC LIMIT 1`;
const COUNT_AFTER = /*sql*/ `SELECT count(*) AS n FROM thread_message WHERE thread = ?1 AND seq > ?2`;
const REMOVE = /*sql*/ `DELETE FROM thread_message WHERE tenant_id = ?1 AND id = ?2`;
const CLOSE = /*sql*/ `UPDATE thread_message SET status = 'incomplete', incomplete_at = ?3, reason = ?2
  WHERE run_id = ?1 AND status = 'in_progress'`;
const EXTEND = /*sql*/ `UPDATE thread_message SET content = ?2 WHERE seq = ?1 AND status = 'in_progress'`;
const COMPLETE = /*sql*/ `UPDATE thread_message SET status = 'completed', completed_at = ?2
  WHERE seq = ?1 AND status = 'in_progress'`;
const GIVE_BACK = /*sql*/ `UPDATE thread SET next_number = o.number
  FROM (SELECT thread, min(number) AS number, count(*) AS n FROM thread_message
        WHERE run_id = ?1 AND status = 'in_progress' GROUP BY thread) o
  WHERE thread.seq = o.thread AND thread.next_number = o.number + o.n`;
const DROP_OPEN = /*sql*/ `DELETE FROM thread_message WHERE run_id = ?1 AND status = 'in_progress'`;

export function messagesTable(sql: Sql): MessagesTable {
  return new Messages(sql);
}

class Messages implements MessagesTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async insert(message: Omit<MessageRow, "seq">): Promise<MessageRow> {
    const { tenant_id: tenantId } = message;
    const [content = []] = await this.#shown(tenantId, [message.content]);
    const row = await THREAD_MESSAGE.insert(this.#sql, { ...message, content });
    await threadSourcesTable(this.#sql).add(tenantId, { message: row.seq }, messageSources(content));
    return row;
  }

  async get(tenantId: TenantId, thread: ThreadSeq, messageId: MessageId): Promise<MessageRow | null> {
    const row = await THREAD_MESSAGE.get(this.#sql, BY_ID, [tenantId, thread, messageId]);
    return row === null ? null : ((await this.#without(tenantId, [row]))[0] ?? null);
  }

  async list(tenantId: TenantId, { thread, runId }: { thread: ThreadSeq; runId: RunId | null }, page: PageQuery) {
    const { rows, hasMore } = await THREAD_MESSAGE.page(
      this.#sql,
      { from: LISTED, params: [tenantId, thread, runId] },
      page,
    );
    return { rows: await this.#without(tenantId, rows), hasMore };
  }

  async ofRun(tenantId: TenantId, runId: RunId): Promise<MessageRow[]> {
    return await this.#without(tenantId, await THREAD_MESSAGE.all(this.#sql, OF_RUN, [tenantId, runId]));
  }

  lastOfUser(tenantId: TenantId, thread: ThreadSeq, before: number): Promise<MessageRow | null> {
    return THREAD_MESSAGE.get(this.#sql, LAST, [tenantId, thread, before]);
  }

  async countAfter(thread: ThreadSeq, seq: number): Promise<number> {
    return (await this.#sql.get<{ n: number }>(COUNT_AFTER, [thread, seq]))?.n ?? 0;
  }

  async setMetadata(tenantId: TenantId, messageId: MessageId, metadata: Record<string, string>): Promise<void> {
    await THREAD_MESSAGE.update(this.#sql, { tenant_id: tenantId, id: messageId }, { metadata });
  }

  remove(tenantId: TenantId, messageId: MessageId): Promise<boolean> {
    return this.#sql.atomic(async (tx) => {
      tx.erase();
      return (await tx.run(REMOVE, [tenantId, messageId])) > 0;
    });
  }

  async extend(message: MessageRow, content: KeptMessagePart[], added: readonly KeptMessagePart[]): Promise<void> {
    const { tenant_id: tenantId, seq } = message;
    const [shown = content, fresh = []] = await this.#shown(tenantId, [content, [...added]]);
    if ((await this.#sql.run(EXTEND, [seq, JSON.stringify(shown)])) === 0) return;
    await threadSourcesTable(this.#sql).add(tenantId, { message: seq }, messageSources(fresh));
  }

  async complete({ seq }: MessageRow, at: number): Promise<void> {
    await this.#sql.run(COMPLETE, [seq, at]);
  }

  async close(runId: RunId, reason: NonNullable<MessageRow["reason"]>, at: number): Promise<void> {
    await this.#sql.run(CLOSE, [runId, reason, at]);
  }

  async dropOpen(runId: RunId): Promise<void> {
    await this.#sql.run(GIVE_BACK, [runId]);
    await this.#sql.run(DROP_OPEN, [runId]);
  }

  async #without(tenantId: TenantId, rows: readonly MessageRow[]): Promise<MessageRow[]> {
    const contents = await this.#shown(
      tenantId,
      rows.map(({ content }) => content),
    );
    return rows.map((row, i) => ({ ...row, content: contents[i] ?? row.content }));
  }

  async #shown(tenantId: TenantId, contents: readonly KeptMessagePart[][]): Promise<KeptMessagePart[][]> {
    const isGone = await responseSourcesTable(this.#sql).gone(tenantId, contents.flatMap(messageSources));
    return contents.map((content) => messageWithout(content, isGone));
  }
}
