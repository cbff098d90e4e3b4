import type { Cursors } from "../../../http/cursors.ts";
import type { Cursor } from "../../../http/openai.ts";
import { pageQuery } from "../../../http/page-query.ts";
import type { Storage } from "../../../storage/storage.ts";
import type { MessageRow } from "../../../storage/thread-messages.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { type Asker, assertOwn, notFound } from "../access.ts";
import { assertFree, type ExpiryDeps } from "../runs/lock.ts";
import { knownThread } from "../threads/known.ts";
import { type InboxDeps, planMessages } from "./inbox.ts";
import { givenMessage } from "./input.ts";
import { showMessage, type MessageView } from "./present.ts";
import type { CreateMessageBody, Message, ModifyMessageBody } from "./schema.ts";

export interface MessagesDeps extends InboxDeps, ExpiryDeps {
  storage: Pick<Storage, "stores" | "files" | "threads" | "messages" | "transaction">;
  cursors: Cursors;
  settings: () => { citationMarkers: "on" | "off" };
}

/** Messages of threads. */
export interface MessagesService {
  create(asker: Asker, threadId: string, body: CreateMessageBody): Promise<Message>;
  list(
    asker: Asker,
    threadId: string,
    { cursor, runId }: { cursor: Cursor; runId: string | null },
  ): Promise<{ data: Message[]; hasMore: boolean }>;
  get(asker: Asker, threadId: string, id: string): Promise<Message>;
  modify(asker: Asker, at: { threadId: string; id: string }, body: ModifyMessageBody): Promise<Message>;
  remove(asker: Asker, threadId: string, id: string): Promise<void>;
}

export function messagesService(deps: MessagesDeps): MessagesService {
  return new Messages(deps);
}

class Messages implements MessagesService {
  readonly #deps: MessagesDeps;

  constructor(deps: MessagesDeps) {
    this.#deps = deps;
  }

  async create(asker: Asker, threadId: string, body: CreateMessageBody): Promise<Message> {
    const { storage } = this.#deps;
    const thread = await knownThread(storage, asker.caller, threadId);
    const put = await planMessages(this.#deps, asker, { messages: [givenMessage(body)], thread });
    const [row] = await storage.transaction(async (tables, tx) => {
      const at = { tables, tx };
      const now = await knownThread(tables, asker.caller, threadId);
      await assertFree(this.#deps, at, {
        thread: now,
        refusal: (run) => `Can't add messages to ${now.id} while a run ${run.id} is active.`,
      });
      return await put(at, now);
    });
    if (row === undefined) throw new Error("a message that was just made is not there");
    return this.#show(asker, row);
  }

  async list(asker: Asker, threadId: string, { cursor, runId }: { cursor: Cursor; runId: string | null }) {
    const { storage, cursors } = this.#deps;
    const { tenantId } = asker.caller;
    const thread = await knownThread(storage, asker.caller, threadId);
    const find = async (id: string) =>
      (await storage.messages.get(tenantId, thread.seq, id))?.seq ?? cursors.find(`${tenantId} ${thread.id}`, id);
    const page = await pageQuery(cursor, find, "message");
    const { rows, hasMore } = await storage.messages.list(tenantId, { thread: thread.seq, runId }, page);
    cursors.remember(`${tenantId} ${thread.id}`, rows);
    return { data: rows.map((row) => this.#show(asker, row)), hasMore };
  }

  async get(asker: Asker, threadId: string, id: string): Promise<Message> {
    const thread = await knownThread(this.#deps.storage, asker.caller, threadId);
    return this.#show(asker, await this.#find(thread, id));
  }

  async modify(
    asker: Asker,
    { threadId, id }: { threadId: string; id: string },
    { metadata }: ModifyMessageBody,
  ): Promise<Message> {
    const { storage } = this.#deps;
    const thread = await knownThread(storage, asker.caller, threadId);
    const row = await this.#find(thread, id);
    assertOwn(asker.caller, thread);
    if (metadata === undefined) return this.#show(asker, row);
    await storage.messages.setMetadata(row.tenant_id, row.id, metadata ?? {});
    return this.#show(asker, { ...row, metadata: metadata ?? {} });
  }

  async remove(asker: Asker, threadId: string, id: string): Promise<void> {
    const { storage } = this.#deps;
    const thread = await knownThread(storage, asker.caller, threadId);
    const row = await this.#find(thread, id);
    assertOwn(asker.caller, thread);
    await storage.messages.remove(row.tenant_id, row.id);
  }

  async #find(thread: ThreadRow, id: string): Promise<MessageRow> {
    const row = await this.#deps.storage.messages.get(thread.tenant_id, thread.seq, id);
    if (row === null) throw notFound("message_not_found", id);
    return row;
  }

  #show({ dialect }: Asker, row: MessageRow): Message {
    const view: MessageView = { dialect, markers: this.#deps.settings().citationMarkers === "on" };
    return showMessage(row, view);
  }
}
