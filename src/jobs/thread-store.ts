/** The store of a thread, as a run of it finds it: files that were just attached are waited for. */
import type { Changes } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import { isExpired } from "../search/store-state.ts";
import type { RunRow } from "../storage/runs.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { ALL_FILES } from "../storage/store-files.ts";

export interface ThreadStoreDeps {
  storage: Pick<Storage, "threads" | "stores" | "storeFiles">;
  clock: Clock;
  changes: Changes;
}

export interface ThreadStore {
  /** Null where there is none, or none any more: the run goes on without it. */
  storeId: string | null;
  /** Sentences for whoever asked. */
  warnings: string[];
}

/** What is indexed by then is searched. */
const LONGEST_WAIT_MS = 60_000;
/** Looked at this often even where nobody tells of a change. */
const LOOK_EVERY_MS = 1_000;
/** Files that failed are named, up to so many. */
const NAMED = 5;

export async function threadStoreOf(deps: ThreadStoreDeps, run: RunRow, signal: AbortSignal): Promise<ThreadStore> {
  const { storage, clock } = deps;
  const thread = await storage.threads.get(run.tenant_id, run.thread_id);
  const storeId = thread?.tool_resources.file_search?.vector_store_ids[0];
  if (storeId === undefined) return { storeId: null, warnings: [] };
  const store = await indexed(deps, { tenantId: run.tenant_id, storeId }, signal);
  if (store === null)
    return { storeId: null, warnings: [`The thread's vector store ${storeId} is gone: it was not searched.`] };
  if (isExpired(store, clock.nowSeconds()))
    return { storeId: null, warnings: [`The thread's vector store ${storeId} has expired: it was not searched.`] };
  return { storeId, warnings: await failedFiles(storage, store) };
}

/** The store once nothing of it is being indexed, or the wait is over. */
async function indexed(
  { storage, changes }: ThreadStoreDeps,
  { tenantId, storeId }: { tenantId: string; storeId: string },
  signal: AbortSignal,
): Promise<StoreRow | null> {
  const until = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    signal.throwIfAborted();
    // Waited for from before the look: a change in between is not slept through.
    const looking = new AbortController();
    const left = until - performance.now();
    const changed = changes.wait(
      storeId,
      AbortSignal.any([signal, looking.signal]),
      Math.max(0, Math.min(left, LOOK_EVERY_MS)),
    );
    try {
      const store = await storage.stores.get(tenantId, storeId);
      if (store === null || store.lifecycle === "deleting") return null;
      if (store.n_in_progress === 0 || left <= 0) return store;
      await changed;
    } finally {
      looking.abort();
    }
  }
}

async function failedFiles({ storeFiles }: Pick<Storage, "storeFiles">, store: StoreRow): Promise<string[]> {
  if (store.n_failed === 0) return [];
  const page = { limit: NAMED, order: "desc" } as const;
  const { rows } = await storeFiles.list(store.tenant_id, store.id, page, { ...ALL_FILES, status: "failed" });
  return rows.map(
    ({ file_id, filename, error_message }) =>
      `${filename} (${file_id}) was not searched: ${error_message ?? "it failed."}`,
  );
}
