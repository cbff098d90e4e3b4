import type { Storage } from "./storage.ts";
import type { StoreFileRow } from "./store-files.ts";

/**
 * Removals that span tables, each one transaction: what is removed is out of every list and every search from its
 * commit on; rows and bytes are reclaimed by `purge_*` jobs, and a record of the deletion says when that was done.
 * Shared by requests (DELETE) and the janitor (expiry).
 */
export interface Detached {
  storeId: string;
  storeFile: number;
}

/** Detaches one file from its store. */
export function detachStoreFile(storage: Storage, row: StoreFileRow): Detached {
  return storage.db.transaction(() => {
    storage.storeFiles.remove(row.tenant_id, row.seq);
    storage.jobs.drop(row.tenant_id, "ingest", String(row.seq));
    schedulePurge(storage, row);
    return { storeId: row.store_id, storeFile: row.seq };
  });
}

/** Deletes a file and takes it out of every store. Null when there is no such file. The caller removes its bytes. */
export function deleteFile(
  storage: Storage,
  tenantId: string,
  fileId: string,
  nowSeconds: number,
): { detached: Detached[] } | null {
  return storage.db.transaction(() => {
    const file = storage.files.get(tenantId, fileId);
    if (file === null || !storage.files.remove(tenantId, fileId)) return null;
    const attached = storage.storeFiles.ofFile(tenantId, fileId);
    const deletion = storage.deletions.open({
      tenantId,
      type: "file",
      id: fileId,
      at: nowSeconds,
      files: 1,
      bytes: file.bytes,
      cached: { sha256: file.sha256, filename: file.filename },
    });
    for (const row of attached) storage.deletions.addStoreFile(deletion.seq, tenantId, row.store_id, row.seq);
    const detached = attached.map((row) => detachStoreFile(storage, row));
    // Otherwise the last purge of its parts does.
    if (detached.length === 0) scheduleEndOfDeletion(storage, tenantId, deletion.id);
    return { detached };
  });
}

/** Marks a store as gone. Its data is reclaimed by a `purge_store` job. */
export function deleteStore(
  storage: Pick<Storage, "db" | "stores" | "jobs" | "deletions">,
  tenantId: string,
  storeId: string,
  nowMs: number,
): void {
  storage.db.transaction(() => {
    const store = storage.stores.get(tenantId, storeId);
    if (store === null || store.lifecycle === "deleting") return;
    storage.stores.setLifecycle(tenantId, storeId, "deleting");
    const at = Math.floor(nowMs / 1000);
    const what = { tenantId, id: storeId, at, files: 0, bytes: store.usage_bytes, cached: null };
    storage.deletions.open({ ...what, type: "vector_store" });
    storage.jobs.insert({ tenantId, kind: "purge_store", storeId, subject: storeId, priority: 0, dueMs: nowMs });
  });
}

/** Has what is of no use any more among a file's rows reclaimed soon. */
export function schedulePurge(
  storage: Pick<Storage, "jobs">,
  row: { tenant_id: string; store_id: string | null; seq: number },
): void {
  storage.jobs.insert({
    tenantId: row.tenant_id,
    kind: "purge_file",
    storeId: row.store_id,
    subject: String(row.seq),
    priority: 1,
    dueMs: 0,
  });
}

/** Everything of it is reclaimed: what is left to do is to check and to record that. */
export function scheduleEndOfDeletion(storage: Pick<Storage, "jobs">, tenantId: string, deletionId: string): void {
  storage.jobs.insert({
    tenantId,
    kind: "finish_deletion",
    storeId: null,
    subject: deletionId,
    priority: 1,
    dueMs: 0,
  });
}
