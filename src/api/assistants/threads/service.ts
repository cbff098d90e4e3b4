import type { Cursors } from "../../../http/cursors.ts";
import type { Cursor } from "../../../http/openai.ts";
import { pageQuery } from "../../../http/page-query.ts";
import { newId } from "../../../platform/ids.ts";
import type { Storage } from "../../../storage/storage.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { type Asker, assertOwn, listedKey, mayKnow } from "../access.ts";
import { mergedResources, planResources, type ResourceDeps } from "../resources.ts";
import { type InboxDeps, planMessages, THREAD_STORE_DAYS } from "../messages/inbox.ts";
import { givenMessage } from "../messages/input.ts";
import type { ExpiryDeps } from "../runs/lock.ts";
import type { Within } from "../../attaching/attach.ts";
import { checkPairs } from "../../attaching/input.ts";
import { knownThread } from "./known.ts";
import type { CreateThreadBody, ModifyThreadBody, Thread } from "./schema.ts";

export interface ThreadsDeps extends ResourceDeps, InboxDeps, Pick<ExpiryDeps, "interrupt" | "notify"> {
  storage: Pick<Storage, "threads" | "stores" | "files" | "transaction">;
  stores: ResourceDeps["stores"];
  cursors: Cursors;
}

/** What a transaction of the caller's makes a thread with. */
export type MakeThread = (at: Within) => Promise<ThreadRow>;

/** Conversations. */
export interface ThreadsService {
  /** Throws what can be told before. */
  plan(asker: Asker, body: CreateThreadBody, param?: string): Promise<MakeThread>;
  create(asker: Asker, body: CreateThreadBody): Promise<Thread>;
  list(asker: Asker, cursor: Cursor): Promise<{ data: Thread[]; hasMore: boolean }>;
  get(asker: Asker, id: string): Promise<Thread>;
  modify(asker: Asker, id: string, body: ModifyThreadBody): Promise<Thread>;
  /** With its messages and runs; one that is active is stopped. Its store stays. */
  remove(asker: Asker, id: string): Promise<void>;
}

export function threadsService(deps: ThreadsDeps): ThreadsService {
  return new Threads(deps);
}

class Threads implements ThreadsService {
  readonly #deps: ThreadsDeps;

  constructor(deps: ThreadsDeps) {
    this.#deps = deps;
  }

  async plan(asker: Asker, body: CreateThreadBody, param = ""): Promise<MakeThread> {
    const { clock } = this.#deps;
    const { caller } = asker;
    const path = (member: string) => (param === "" ? member : `${param}.${member}`);
    if (body.metadata) checkPairs(body.metadata, path("metadata"));
    const given = (body.messages ?? []).map((message, i) => givenMessage(message, path(`messages[${i}]`)));
    const search = body.tool_resources?.file_search;
    const hasStore = (search?.vector_store_ids ?? search?.vector_stores ?? []).length > 0;
    const resources = await this.#resources(asker, body, path("tool_resources"));
    const put = await planMessages(this.#deps, asker, { messages: given, thread: { hasStore } });
    return async (at) => {
      const now = clock.nowSeconds();
      const row = await at.tables.threads.insert({
        id: newId("thread_"),
        tenant_id: caller.tenantId,
        key_id: caller.keyId,
        created_at: now,
        used_at: now,
        metadata: body.metadata ?? {},
        tool_resources: mergedResources({}, await resources(at)),
      });
      if (given.length > 0) await put(at, row);
      return (await at.tables.threads.get(row.tenant_id, row.id)) ?? row;
    };
  }

  async create(asker: Asker, body: CreateThreadBody): Promise<Thread> {
    const make = await this.plan(asker, body);
    return showThread(await this.#deps.storage.transaction((tables, tx) => make({ tables, tx })));
  }

  async list({ caller }: Asker, cursor: Cursor): Promise<{ data: Thread[]; hasMore: boolean }> {
    const { storage, cursors } = this.#deps;
    const { tenantId } = caller;
    const find = async (id: string) => {
      const row = await storage.threads.get(tenantId, id);
      return row === null ? cursors.find(tenantId, id) : mayKnow(caller, row) ? row.seq : undefined;
    };
    const page = await pageQuery(cursor, find, "thread");
    const { rows, hasMore } = await storage.threads.list(tenantId, listedKey(caller), page);
    cursors.remember(tenantId, rows);
    return { data: rows.map(showThread), hasMore };
  }

  async get({ caller }: Asker, id: string): Promise<Thread> {
    return showThread(await knownThread(this.#deps.storage, caller, id));
  }

  async modify(asker: Asker, id: string, body: ModifyThreadBody): Promise<Thread> {
    const { storage } = this.#deps;
    assertOwn(asker.caller, await knownThread(storage, asker.caller, id));
    const resources = await this.#resources(asker, body, "tool_resources");
    const row = await storage.transaction(async (tables, tx) => {
      const now = await knownThread(tables, asker.caller, id);
      const before = body.tool_resources === null ? {} : now.tool_resources;
      const changes = {
        tool_resources: mergedResources(before, await resources({ tables, tx })),
        metadata: body.metadata === undefined ? now.metadata : (body.metadata ?? {}),
      };
      await tables.threads.update(now.tenant_id, now.id, changes);
      return { ...now, ...changes };
    });
    return showThread(row);
  }

  async remove(asker: Asker, id: string): Promise<void> {
    const { storage, interrupt, notify } = this.#deps;
    assertOwn(asker.caller, await knownThread(storage, asker.caller, id));
    await storage.transaction(async ({ threads, runs, jobs }, tx) => {
      const row = await knownThread({ threads }, asker.caller, id);
      const active = await runs.active(row.seq);
      tx.erase();
      if (active !== null) await jobs.drop(row.tenant_id, "run", active.id);
      await threads.remove(row.tenant_id, row.id);
      tx.onCommit(() => {
        if (active === null) return;
        interrupt(active.id);
        notify(active.id);
      });
    });
  }

  #resources(asker: Asker, { tool_resources: given }: ModifyThreadBody, param: string) {
    return planResources(this.#deps, asker, given ?? {}, { param, expiresDays: THREAD_STORE_DAYS });
  }
}

export function showThread({ id, created_at, metadata, tool_resources }: ThreadRow): Thread {
  return { id, object: "thread", created_at, metadata, tool_resources };
}
