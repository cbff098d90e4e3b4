import { AppError } from "../../errors.ts";
import { storeNotFound } from "../../search/store-state.ts";
import type { Tables } from "../../storage/storage.ts";
import type { AttachedFile } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { usableFiles } from "../stored-files/scope.ts";
import type { AttachingWithin, FileToAttach } from "./attach-request.ts";

/** A file that may be attached, and all that is wanted of it. */
export interface FoundFile extends Pick<FileToAttach, "fileId" | "attributes" | "strategy"> {
  /** Null where it is not in the store yet. */
  there: AttachedFile | null;
}

/**
 * The files that are to be attached, each once, in the order asked for. All of them, as part of the caller's
 * transaction; of what is wanted of one file several times the last counts.
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
  const ids = [...new Set(wanted.map((item) => item.fileId))];
  const times = await tables.files.times(store.tenant_id, ids);
  // A file past its time is gone for clients, whether or not the janitor has come by.
  const existing = times.filter((file) => file.expires_at === null || file.expires_at > nowSeconds).map(({ id }) => id);
  const usable = await usableFiles(tables, caller, existing);
  const attached = await tables.storeFiles.attached(store.tenant_id, store.id, existing);
  const there = new Map(attached.map((file) => [file.file_id, file]));
  const found = new Map<string, FoundFile>();
  for (const { fileId, attributes, strategy, param } of wanted) {
    if (!usable.has(fileId)) throw new AppError("file_not_found", `No such File object: ${fileId}`, { param });
    const before = found.get(fileId);
    found.set(fileId, {
      fileId,
      there: there.get(fileId) ?? null,
      attributes: attributes === undefined ? before?.attributes : attributes,
      strategy: strategy ?? before?.strategy ?? null,
    });
  }
  const added = found.size - there.size;
  if (added > 0) await refuseAboveLimits(tables, store, { added, most, maxQueuedFiles });
  return [...found.values()];
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
