import { newId } from "../platform/ids.ts";
import { twin } from "./dialect.ts";
import type { ConversationSeq, KeyId, ResponseId, ResponseSeq, TenantId } from "./ids.ts";
import { ITEM_PREFIXES, type KeptInputMessage, type KeptItem, withoutSources } from "./response-items.ts";
import { responseSourcesTable, sourcesOf } from "./response-sources.ts";
import { forgetSteps } from "./response-steps.ts";
import type { Sql } from "./sql.ts";
import { boolean, id, integer, json, nullable, type RowOf, Selection, table, text } from "./table.ts";

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

/** What clients see of what was asked, with the defaults filled in. */
export interface KeptRequest {
  /** Members without effect. */
  ignored: string[];
  /** What else of the output was asked for. */
  include: string[];
  /** The members of the Response that repeat the request. */
  echo: Record<string, unknown>;
  /** Id of the conversation that it belongs to. */
  conversation?: string;
  /** The chat model that is asked; absent where the answer is quoted. */
  model?: string;
}

/** What is to be answered in the background. */
export interface KeptQuestion {
  text: string;
  previous: string | null;
  /** What a chat model is told beside what the Response repeats. */
  chat?: KeptWish;
  /** Something of the answer was sent to a client: it cannot begin anew. */
  isShown?: boolean;
}

export interface KeptWish {
  /** Those that were given: what is repeated has its defaults. */
  temperature: number | null;
  topP: number | null;
  /** Functions whose schema is to be kept to exactly. */
  strictFunctions: string[];
  /** Quoting passages can take its place. */
  canQuote: boolean;
}

/** How it ended. */
export interface KeptOutcome {
  usage: { input: number; output: number; cached?: number; reasoning?: number } | null;
  error: { code: string; message: string; type: string; param: string | null } | null;
  /** Why it is incomplete. */
  reason: "max_output_tokens" | "max_prompt_tokens" | "content_filter" | null;
  warnings: string[];
  /** What answered, if not what was asked; calls of a chat model. */
  model?: string;
  rounds?: number;
  /** Where pieces of texts ended as they came, by item: the same events are sent again from it. */
  cuts?: Record<string, number[]>;
}

export const RESPONSE = table("response", {
  seq: integer<ResponseSeq>(),
  id: id<ResponseId>(),
  tenant_id: id<TenantId>(),
  /** The key that made it. */
  key_id: id<KeyId>(),
  /** Whose items come before its own. */
  parent: nullable(integer<ResponseSeq>()),
  /** As the client named it, whatever became of it. */
  previous_id: nullable(id<ResponseId>()),
  status: text<ResponseStatus>(),
  background: boolean(),
  created_at: integer(),
  completed_at: nullable(integer()),
  request: json<KeptRequest>(),
  /** Null once it ended, and of those that are answered at once. */
  question: nullable(json<KeptQuestion>()),
  outcome: nullable(json<KeptOutcome>()),
  /** Whose items come before its own, and which its own are added to when it ends. */
  conversation: nullable(integer<ConversationSeq>()),
});

export const RESPONSE_ITEM = table("response_item", {
  seq: integer(),
  id: text(),
  tenant_id: id<TenantId>(),
  response: integer<ResponseSeq>(),
  side: text<"input" | "output">(),
  type: text<KeptItem["type"]>(),
  body: json<KeptItem>(),
  /** Taken out of the conversation of its Response. */
  removed: boolean(),
});

export type ResponseRow = RowOf<typeof RESPONSE>;
export type NewResponse = Omit<ResponseRow, "seq" | "conversation"> & Partial<Pick<ResponseRow, "conversation">>;

/** Of a Response everything that was said in it and before it; of a conversation what was said in it, and in one Response more. */
export type Said = { response: ResponseSeq } | { conversation: ConversationSeq; of: ResponseSeq | null };

/** A stored item, and the key that made the Response it belongs to. */
export interface StoredItem {
  item: KeptItem;
  keyId: KeyId;
}

export interface ResponseEnd {
  status: Exclude<ResponseStatus, "queued" | "in_progress">;
  at: number;
  outcome: KeptOutcome;
  output: readonly KeptItem[];
}

/** Answers with what they were given and gave. Items of deleted files come without text. */
export interface ResponsesTable {
  /** The Response and its items; inside a transaction of the caller. */
  insert(response: NewResponse, items: Record<"input" | "output", readonly KeptItem[]>): Promise<ResponseRow>;
  get(tenantId: TenantId, id: ResponseId): Promise<ResponseRow | null>;
  start(tenantId: TenantId, id: ResponseId): Promise<void>;
  /** Ends one that has not ended; false where it has. Inside a transaction of the caller. */
  end(tenantId: TenantId, id: ResponseId, end: ResponseEnd): Promise<boolean>;
  /** It and its items; those that came after it go on from what came before. */
  remove(tenantId: TenantId, id: ResponseId): Promise<boolean>;
  /** In order; those that stand for another as that one, or not at all where it is gone. */
  items(tenantId: TenantId, response: ResponseSeq, side: "input" | "output"): Promise<KeptItem[]>;
  item(tenantId: TenantId, id: string): Promise<StoredItem | null>;
  /** Oldest first. */
  conversation(tenantId: TenantId, said: Said): Promise<KeptItem[]>;
  /** Notes that a client has seen something of one that is in progress. */
  markShown(tenantId: TenantId, id: ResponseId): Promise<void>;
  /** Calls of functions and what came of them, in the Response and in all before it. */
  calls(tenantId: TenantId, response: ResponseSeq): Promise<{ type: KeptItem["type"]; call_id: string }[]>;
  /** The last message of a user in the Response and all before it. */
  lastUserMessage(tenantId: TenantId, response: ResponseSeq): Promise<KeptInputMessage | null>;
  /** Those in the background that have not begun. */
  queued(): Promise<number>;
  /** Removes up to `limit` that ended and are older than `before`; returns how many. */
  trim(before: number, limit: number): Promise<number>;
  removeOfTenant(tenantId: TenantId, limit: number): Promise<number>;
}

/** Responses before one at most. */
const LONGEST_CHAIN = 1_000;

const BY_ID = /*sql*/ `SELECT ${RESPONSE.list} FROM response WHERE tenant_id = ?1 AND id = ?2`;
const START = /*sql*/ `UPDATE response SET status = 'in_progress' WHERE tenant_id = ?1 AND id = ?2 AND status = 'queued'`;
/** What failed is no part of a conversation. */
const END = /*sql*/ `UPDATE response SET status = ?3, completed_at = ?4, outcome = ?5, question = NULL,
    conversation = CASE WHEN ?3 IN ('completed', 'incomplete') THEN conversation END
  WHERE tenant_id = ?1 AND id = ?2 AND status IN ('queued', 'in_progress')`;
const RELINK = /*sql*/ `UPDATE response SET parent = ?2 WHERE parent = ?1`;
const REMOVE = /*sql*/ `DELETE FROM response WHERE seq = ?1`;
/**
 * What an item is, or what it stands for: by its id. CROSS JOIN, here and below, is the order in which SQLite goes, from
 * Responses to their items and on to what these mean; left to itself it may begin with all items that there are.
 */
const MEANT = {
  join: "CROSS JOIN response_item m",
  where: /*sql*/ `m.tenant_id = i.tenant_id
    AND m.id = CASE WHEN i.type = 'item_reference' THEN json_extract(i.body, '$.to') ELSE i.id END`,
} as const;
const MEANT_ITEM = new Selection({ body: json<KeptItem>() }, "m.body");
const ITEMS = /*sql*/ `SELECT m.body FROM response_item i ${MEANT.join}
  WHERE i.tenant_id = ?1 AND i.response = ?2 AND i.side = ?3 AND ${MEANT.where} ORDER BY i.seq`;
const FOUND_ITEM = new Selection({ body: json<KeptItem>(), key_id: id<KeyId>() }, "i.body, r.key_id");
const ITEM = /*sql*/ `SELECT ${FOUND_ITEM.list} FROM response_item i JOIN response r ON r.seq = i.response
  WHERE i.tenant_id = ?1 AND i.id = ?2 AND i.type <> 'item_reference'`;
const TAKEN = /*sql*/ `SELECT i.id FROM json_each(?2) j JOIN response_item i ON i.tenant_id = ?1 AND i.id = j.value`;
const CHAIN = /*sql*/ `WITH RECURSIVE chain (seq, parent, depth) AS (
    SELECT seq, parent, 0 FROM response WHERE tenant_id = ?1 AND seq = ?2
    UNION ALL SELECT r.seq, r.parent, c.depth + 1 FROM chain c JOIN response r ON r.seq = c.parent
    WHERE c.depth < ${LONGEST_CHAIN})`;
/** After `chain`: its items, and what they mean. */
const OF_CHAIN = /*sql*/ `FROM chain c CROSS JOIN response_item i ${MEANT.join} WHERE i.response = c.seq AND ${MEANT.where}`;
const CALLS = /*sql*/ `${CHAIN} SELECT m.type, json_extract(m.body, '$.call_id') AS call_id ${OF_CHAIN}
  AND m.type IN ('function_call', 'function_call_output')`;
const LAST_MESSAGE = /*sql*/ `${CHAIN} SELECT m.body ${OF_CHAIN}
  AND m.type = 'message' AND json_extract(m.body, '$.role') = 'user' ORDER BY c.depth, i.seq DESC LIMIT 1`;
const CONVERSATION = /*sql*/ `${CHAIN} SELECT m.body ${OF_CHAIN} ORDER BY c.depth DESC, i.seq`;
const IN_CONVERSATION = /*sql*/ `SELECT m.body FROM response c CROSS JOIN response_item i ${MEANT.join}
  WHERE i.response = c.seq AND ${MEANT.where} AND c.conversation = ?2 AND c.tenant_id = ?1 AND i.removed = 0 AND (c.status IN ('completed', 'incomplete') OR c.seq = ?3)
  ORDER BY i.seq`;
const MARK_SHOWN = twin(
  /*sql*/ `UPDATE response SET question = json_set(question, '$.isShown', json('true'))
  WHERE tenant_id = ?1 AND id = ?2 AND question IS NOT NULL`,
  // Written before what there is, which is a text that stays as it is: an object that has members.
  /*sql*/ `UPDATE response SET question = '{"isShown":true,' || substr(question, 2)
  WHERE tenant_id = ?1 AND id = ?2 AND json_extract(question, '$.isShown') IS DISTINCT FROM 'true' AND question IS NOT NULL`,
);
/** As the index of those that have not ended says it: otherwise all that were ever given would be looked through. */
const QUEUED = /*sql*/ `SELECT count(*) AS n FROM response WHERE status IN ('queued', 'in_progress') AND status = 'queued'`;
const OLD = /*sql*/ `SELECT tenant_id, id FROM response WHERE created_at < ?1 AND status NOT IN ('queued', 'in_progress')
  AND conversation IS NULL
  ORDER BY created_at LIMIT ?2`;
const OF_TENANT = /*sql*/ `DELETE FROM response WHERE seq IN (SELECT seq FROM response WHERE tenant_id = ?1 LIMIT ?2)`;

export function responsesTable(sql: Sql): ResponsesTable {
  return new Responses(sql);
}

class Responses implements ResponsesTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async insert(response: NewResponse, { input, output }: Record<"input" | "output", readonly KeptItem[]>) {
    const row = await RESPONSE.insert(this.#sql, { conversation: null, ...response });
    await this.#add(row, "input", input);
    await this.#add(row, "output", output);
    return row;
  }

  get(tenantId: TenantId, responseId: ResponseId): Promise<ResponseRow | null> {
    return RESPONSE.get(this.#sql, BY_ID, [tenantId, responseId]);
  }

  async start(tenantId: TenantId, responseId: ResponseId): Promise<void> {
    await this.#sql.run(START, [tenantId, responseId]);
  }

  async end(
    tenantId: TenantId,
    responseId: ResponseId,
    { status, at, outcome, output }: ResponseEnd,
  ): Promise<boolean> {
    const completedAt = status === "completed" ? at : null;
    const values = [tenantId, responseId, status, completedAt, JSON.stringify(outcome)];
    if ((await this.#sql.run(END, values)) === 0) return false;
    const row = await this.get(tenantId, responseId);
    if (row === null) return true;
    await forgetSteps(this.#sql, row);
    await this.#add(row, "output", output);
    return true;
  }

  remove(tenantId: TenantId, responseId: ResponseId): Promise<boolean> {
    return this.#sql.atomic(async (tx) => {
      const row = await RESPONSE.get(tx, BY_ID, [tenantId, responseId]);
      if (row === null) return false;
      tx.erase();
      await tx.run(RELINK, [row.seq, row.parent]);
      await tx.run(REMOVE, [row.seq]);
      return true;
    });
  }

  async items(tenantId: TenantId, response: ResponseSeq, side: "input" | "output"): Promise<KeptItem[]> {
    const rows = await MEANT_ITEM.all(this.#sql, ITEMS, [tenantId, response, side]);
    return await this.#shown(
      tenantId,
      rows.map(({ body }) => body),
    );
  }

  async item(tenantId: TenantId, itemId: string): Promise<StoredItem | null> {
    const row = await FOUND_ITEM.get(this.#sql, ITEM, [tenantId, itemId]);
    if (row === null) return null;
    const [item] = await this.#shown(tenantId, [row.body]);
    return item === undefined ? null : { item, keyId: row.key_id };
  }

  calls(tenantId: TenantId, response: ResponseSeq): Promise<{ type: KeptItem["type"]; call_id: string }[]> {
    return this.#sql.all(CALLS, [tenantId, response]);
  }

  async conversation(tenantId: TenantId, said: Said): Promise<KeptItem[]> {
    const rows =
      "response" in said
        ? await MEANT_ITEM.all(this.#sql, CONVERSATION, [tenantId, said.response])
        : await MEANT_ITEM.all(this.#sql, IN_CONVERSATION, [tenantId, said.conversation, said.of]);
    return await this.#shown(
      tenantId,
      rows.map(({ body }) => body),
    );
  }

  async markShown(tenantId: TenantId, responseId: ResponseId): Promise<void> {
    await this.#sql.run(MARK_SHOWN, [tenantId, responseId]);
  }

  async lastUserMessage(tenantId: TenantId, response: ResponseSeq): Promise<KeptInputMessage | null> {
    const row = await MEANT_ITEM.get(this.#sql, LAST_MESSAGE, [tenantId, response]);
    return row === null ? null : (row.body as KeptInputMessage);
  }

  async queued(): Promise<number> {
    return (await this.#sql.get<{ n: number }>(QUEUED))?.n ?? 0;
  }

  async trim(before: number, limit: number): Promise<number> {
    const old = await this.#sql.all<{ tenant_id: TenantId; id: ResponseId }>(OLD, [before, limit]);
    for (const { tenant_id: tenantId, id: responseId } of old) await this.remove(tenantId, responseId);
    return old.length;
  }

  removeOfTenant(tenantId: TenantId, limit: number): Promise<number> {
    return this.#sql.atomic(async (tx) => {
      tx.erase();
      return await tx.run(OF_TENANT, [tenantId, limit]);
    });
  }

  /** A file that was deleted while it was being quoted is not kept. */
  async #add(row: ResponseRow, side: "input" | "output", items: readonly KeptItem[]): Promise<void> {
    const { tenant_id: tenantId, seq: response } = row;
    for (const body of await this.#shown(tenantId, await this.#withNewIds(tenantId, items))) {
      const kept = { id: body.id, tenant_id: tenantId, response, side, type: body.type, body, removed: false };
      const { seq } = await RESPONSE_ITEM.insert(this.#sql, kept);
      await responseSourcesTable(this.#sql).add(tenantId, seq, sourcesOf(body));
    }
  }

  /** An id that another item of the tenant has already is replaced. */
  async #withNewIds(tenantId: TenantId, items: readonly KeptItem[]): Promise<KeptItem[]> {
    const rows = await this.#sql.all<{ id: string }>(TAKEN, [tenantId, JSON.stringify(items.map((item) => item.id))]);
    const taken = new Set(rows.map((row) => row.id));
    return items.map((item) => (taken.has(item.id) ? { ...item, id: newId(ITEM_PREFIXES[item.type]) } : item));
  }

  async #shown(tenantId: TenantId, items: readonly KeptItem[]): Promise<KeptItem[]> {
    const isGone = await responseSourcesTable(this.#sql).gone(tenantId, items.flatMap(sourcesOf));
    return items.map((item) => withoutSources(item, isGone));
  }
}
