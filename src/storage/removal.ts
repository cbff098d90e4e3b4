import type { DeletionId, FileId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import type { Tables } from "./storage.ts";
import type { StoreFileRow } from "./store-files.ts";

/**
 * Removals that span tables, each part of a transaction: what is removed is out of every list and every search from its
 * commit on; rows and bytes are reclaimed by `purge_*` jobs, and a record of the deletion says when that was done.
 * Shared by requests (DELETE) and the janitor (expiry).
 */
export interface Detached {
  storeId: StoreId;
  storeFile: StoreFileSeq;
}

/** Detaches one file from its store. */
async function detachStoreFile(tables: Tables, row: StoreFileRow): Promise<Detached> {
  await tables.storeFiles.remove(row.tenant_id, row.seq);
  await tables.jobs.drop(row.tenant_id, "ingest", String(row.seq));
  await schedulePurge(tables, row);
  return { storeId: row.store_id, storeFile: row.seq };
}

/**
 * Deletes a file and takes it out of every store. Null when there is no such file. The caller removes its bytes, and has
 * what is in memory forget it in the turn of the commit.
 */
export async function deleteFile(
  tables: Tables,
  tenantId: TenantId,
  fileId: FileId,
  nowSeconds: number,
): Promise<{ detached: Detached[] } | null> {
  const file = await tables.files.get(tenantId, fileId);
  if (file === null || !(await tables.files.remove(tenantId, fileId))) return null;
  const attached = await tables.storeFiles.ofFile(tenantId, fileId);
  const deletion = await tables.deletions.open({
    tenantId,
    type: "file",
    id: fileId,
    at: nowSeconds,
    files: 1,
    bytes: file.bytes,
    cached: { sha256: file.sha256, filename: file.filename },
  });
  const detached: Detached[] = [];
  for (const row of attached) {
    await tables.deletions.addStoreFile(deletion.seq, tenantId, row.store_id, row.seq);
    detached.push(await detachStoreFile(tables, row));
  }
  // Otherwise the last purge of its parts does.
  if (detached.length === 0) await scheduleEndOfDeletion(tables, tenantId, deletion.id);
  return { detached };
}

/** Marks a store as gone. Its data is reclaimed by a `purge_store` job. False where it is gone already. */
export async function deleteStore(
  tables: Pick<Tables, "stores" | "jobs" | "deletions">,
  tenantId: TenantId,
  storeId: StoreId,
  nowMs: number,
): Promise<boolean> {
  const store = await tables.stores.get(tenantId, storeId);
  if (store === null || store.lifecycle === "deleting") return false;
  await tables.stores.setLifecycle(tenantId, storeId, "deleting");
  const at = Math.floor(nowMs / 1000);
  const what = { tenantId, id: storeId, at, files: 0, bytes: store.usage_bytes, cached: null };
  await tables.deletions.open({ ...what, type: "vector_store" });
  await tables.jobs.insert({ tenantId, kind: "purge_store", storeId, subject: storeId, priority: 0, dueMs: nowMs });
  return true;
}

/** Has what is of no use any more among a file's rows reclaimed soon. */
export async function schedulePurge(
  tables: Pick<Tables, "jobs">,
  row: { tenant_id: TenantId; store_id: StoreId | null; seq: StoreFileSeq },
): Promise<void> {
  await tables.jobs.insert({
    tenantId: row.tenant_id,
    kind: "purge_file",
    storeId: row.store_id,
    subject: String(row.seq),
    priority: 1,
    dueMs: 0,
  });
}

/** The same for many files of a store. */
export async function schedulePurges(
  tables: Pick<Tables, "jobs">,
  store: { tenant_id: TenantId; id: StoreId },
  seqs: readonly StoreFileSeq[],
): Promise<void> {
  const job = { tenantId: store.tenant_id, kind: "purge_file", storeId: store.id, priority: 1, dueMs: 0 } as const;
  await tables.jobs.insertEach(job, seqs.map(String));
}

/** Everything of it is reclaimed: what is left to do is to check and to record that. */
export async function scheduleEndOfDeletion(
  tables: Pick<Tables, "jobs">,
  tenantId: TenantId,
  deletionId: DeletionId,
): Promise<void> {
  await tables.jobs.insert({
    tenantId,
    kind: "finish_deletion",
    storeId: null,
    subject: deletionId,
    priority: 1,
    dueMs: 0,
  });
}
