/**
 * Puts messages into a thread, with their files: what a transaction must not wait for is done before it, the rest inside,
 * so that all of it is there or nothing. A thread whose store is gone, or has expired, gets a new one with the next file.
 */
import { AppError } from "../../../errors.ts";
import type { Caller } from "../../../http/caller.ts";
import type { Clock } from "../../../platform/clock.ts";
import { newId } from "../../../platform/ids.ts";
import { assertOpen, isExpired, storeNotFound } from "../../../search/store-state.ts";
import type { Storage, Tables } from "../../../storage/storage.ts";
import type { StoreRow } from "../../../storage/stores.ts";
import type { MessageRow } from "../../../storage/thread-messages.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { type Asker, assertWrites } from "../access.ts";
import { storeBody } from "../resources.ts";
import { mayUseFile } from "../../stored-files/scope.ts";
import { presenterFor } from "../../presenters/choose.ts";
import type { Attacher, Within } from "../../attaching/attach.ts";
import type { MakeStore, StoreMaker } from "../../attaching/attach.ts";
import { mayUseStore } from "../../../http/caller.ts";
import type { GivenMessage } from "./input.ts";

export interface InboxDeps {
  storage: Pick<Storage, "stores" | "files">;
  clock: Clock;
  stores: StoreMaker;
  attacher: Pick<Attacher, "attachWithin" | "limitOf">;
  /** Whether what was uploaded is of a kind that can hold text. */
  canHoldText: (fileId: string) => Promise<boolean>;
}

/** The store of a thread expires after so many days without use. */
export const THREAD_STORE_DAYS = 7;

/** Clients know the message with OpenAI's own address. */
const SUPPORTED = "https://platform.openai.com/docs/assistants/tools/file-search/supported-files";

/** Part of the caller's transaction: the messages' rows, in order. */
export type PutMessages = (at: Within, thread: ThreadRow) => Promise<MessageRow[]>;

/** Throws what can be told before. `thread` null: one that is made with the messages, with a store of its own or without. */
export async function planMessages(
  deps: InboxDeps,
  asker: Asker,
  { messages, thread }: { messages: readonly GivenMessage[]; thread: ThreadRow | { hasStore: boolean } },
): Promise<PutMessages> {
  const files = messages.flatMap((message) => message.files);
  const attach = files.length === 0 ? null : await planFiles(deps, asker, { files, thread });
  return async (at, into) => {
    await attach?.(at, into);
    const now = deps.clock.nowSeconds();
    const first = await at.tables.threads.use(into, messages.length, now);
    const rows: MessageRow[] = [];
    for (const [i, { files: _, ...message }] of messages.entries())
      rows.push(await at.tables.messages.insert({ ...posted(into, now), ...message, number: first + i }));
    return rows;
  };
}

function posted(thread: ThreadRow, now: number) {
  return {
    id: newId("msg_"),
    tenant_id: thread.tenant_id,
    thread: thread.seq,
    thread_id: thread.id,
    created_at: now,
    run_id: null,
    assistant_id: null,
    status: "completed" as const,
    completed_at: now,
    incomplete_at: null,
    reason: null,
  };
}

async function planFiles(
  deps: InboxDeps,
  { caller, dialect }: Asker,
  { files, thread }: { files: GivenMessage["files"]; thread: ThreadRow | { hasStore: boolean } },
): Promise<(at: Within, thread: ThreadRow) => Promise<void>> {
  const { storage, clock, stores, attacher } = deps;
  assertWrites(caller);
  await assertSearchable(deps, caller, files);
  const before = "hasStore" in thread ? null : await storeOf(storage, caller, { thread, now: clock.nowSeconds() });
  const hasStore = "hasStore" in thread ? thread.hasStore : before !== null;
  let make: MakeStore | null = null;
  if (!hasStore)
    make = await stores.plan(caller, storeBody(THREAD_STORE_DAYS), {
      ...presenterFor(dialect).rules,
      nameAndModelRequired: false,
    });
  const most = await attacher.limitOf(before ?? { tenant_id: caller.tenantId, key_id: caller.keyId });
  return async (at, into) => {
    const store = await storeOrNew(at, caller, { thread: into, make, now: clock.nowSeconds() });
    const wanted = files.map((file) => ({ ...file, attributes: undefined, strategy: null }));
    await attacher.attachWithin(at, { caller, store, wanted, priority: wanted.length === 1 ? 0 : 1, most });
  };
}

/** The store of the thread as it is in this transaction, or the one that was planned for it. */
async function storeOrNew(
  at: Within,
  caller: Caller,
  { thread, make, now }: { thread: ThreadRow; make: MakeStore | null; now: number },
): Promise<StoreRow> {
  const { tables } = at;
  const current = (await tables.threads.get(thread.tenant_id, thread.id)) ?? thread;
  const there = await storeOf(tables, caller, { thread: current, now });
  if (there !== null) return there;
  // It went since the request was looked at.
  if (make === null) throw storeNotFound(current.tool_resources.file_search?.vector_store_ids[0] ?? "");
  const made = await make(at);
  const resources = { ...current.tool_resources, file_search: { vector_store_ids: [made.id] } };
  await tables.threads.update(thread.tenant_id, thread.id, { tool_resources: resources });
  return made;
}

/** The store of a thread that can take files; null where there is none, or none any more. Throws 402 for a suspended one. */
async function storeOf(
  { stores }: Pick<Tables, "stores">,
  caller: Caller,
  { thread, now }: { thread: ThreadRow; now: number },
): Promise<StoreRow | null> {
  const storeId = thread.tool_resources.file_search?.vector_store_ids[0];
  const row = storeId === undefined ? null : await stores.get(thread.tenant_id, storeId);
  if (row === null || row.lifecycle === "deleting" || isExpired(row, now)) return null;
  if (!mayUseStore(caller, row.id)) throw storeNotFound(row.id);
  assertOpen(row, caller.tenantStatus);
  return row;
}

/** Throws a 404 for a file that the caller may not know of, a 400 for one that holds no text. */
async function assertSearchable(
  { storage, canHoldText }: InboxDeps,
  caller: Caller,
  files: GivenMessage["files"],
): Promise<void> {
  const looked = new Set<string>();
  for (const { fileId, param } of files) {
    if (looked.has(fileId)) continue;
    looked.add(fileId);
    const file = await storage.files.get(caller.tenantId, fileId);
    if (file === null || !(await mayUseFile(storage, caller, fileId)))
      throw new AppError("file_not_found", `No such File object: ${fileId}`, { param });
    if (await canHoldText(fileId)) continue;
    const extension = /\.[A-Za-z0-9]{1,16}$/.exec(file.filename)?.[0]?.toLowerCase() ?? "none";
    const text = `Files with extensions [${extension}] are not supported for retrieval. See ${SUPPORTED}`;
    throw new AppError("unsupported_file", text, { param });
  }
}
