import { AppError } from "../../errors.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Tables } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { mayUseFile } from "../files/scope.ts";
import type { AttachingWithin, FileToAttach } from "./attach-request.ts";

/** A file that is there, and what is wanted of it. */
export interface FoundFile {
  file: FileRow;
  wanted: FileToAttach;
}

/**
 * The files that are to be attached, in the order asked for. All of them, as part of the caller's transaction.
 * @throws AppError where the store or one of the files is gone for this caller, or a limit would be passed
 */
export async function filesToAttach(
  tables: Tables,
  { caller, store, wanted, most }: AttachingWithin,
  { nowSeconds, maxQueuedFiles }: { nowSeconds: number; maxQueuedFiles: number },
): Promise<FoundFile[]> {
  // It may have been deleted since the caller found it: then nothing more may be put into it.
  const now = await tables.stores.get(store.tenant_id, store.id);
  if (now === null || now.lifecycle === "deleting") throw storeNotFound(store.id);
  const found: FoundFile[] = [];
  for (const item of wanted) {
    const file = await tables.files.get(store.tenant_id, item.fileId);
    // A file past its time is gone for clients, whether or not the janitor has come by.
    const isExpired = file !== null && file.expires_at !== null && file.expires_at <= nowSeconds;
    if (file === null || isExpired || !(await mayUseFile(tables, caller, item.fileId)))
      throw new AppError("file_not_found", `No such File object: ${item.fileId}`, { param: item.param });
    found.push({ file, wanted: item });
  }
  let added = 0;
  for (const id of new Set(wanted.map((item) => item.fileId)))
    if ((await tables.storeFiles.get(store.tenant_id, store.id, id)) === null) added += 1;
  if (added > 0) await refuseAboveLimits(tables, store, { added, most, maxQueuedFiles });
  return found;
}

async function refuseAboveLimits(
  { storeFiles, jobs }: Tables,
  store: StoreRow,
  { added, most, maxQueuedFiles }: { added: number; most: number | null; maxQueuedFiles: number },
): Promise<void> {
  if (most !== null && (await storeFiles.count(store.tenant_id, store.id)) + added > most) {
    throw new AppError("file_limit_reached", `Vector store '${store.id}' may hold ${most} files at most.`);
  }
  const waiting = (await jobs.depth()).find(({ kind }) => kind === "ingest")?.waiting ?? 0;
  if (waiting + added > maxQueuedFiles) {
    throw new AppError("overloaded", "Too many files are waiting to be indexed. Try again later.", {
      retryAfterSeconds: 10,
    });
  }
}
