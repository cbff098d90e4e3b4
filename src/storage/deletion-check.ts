import { extname } from "node:path";
import type { Blobs } from "./blobs.ts";
import type { DeletionRow, RemainingCounts } from "./deletions.ts";
import type { StoreFileSeq, StoreId } from "./ids.ts";
import type { ParsedCache, ParsedSubject } from "./parsed.ts";
import type { Storage } from "./storage.ts";

/** Looks for what should be gone: in the tables, among the uploaded bytes, in the caches on disk and in memory. */
export interface DeletionCheckDeps {
  storage: Pick<Storage, "deletions" | "files" | "embeddingCache" | "responseSources" | "threadSources">;
  blobs: Pick<Blobs, "size">;
  parsed: Pick<ParsedCache, "has">;
  /** Files of a store, or (null) whether anything of the store, is in an index in memory. */
  inMemory: (storeId: StoreId, storeFile: StoreFileSeq | null) => boolean;
  /** Whether a file of an index of the store was written with what was there at this time. */
  imaged: (storeId: StoreId, atSeconds: number) => boolean;
}

export async function remainingOf(deps: DeletionCheckDeps, row: DeletionRow): Promise<RemainingCounts> {
  const { storage, blobs, parsed, inMemory, imaged } = deps;
  const { files, chunks, terms, vectors } = await storage.deletions.left(row);
  let cached = 0;
  if (row.subject_type === "vector_store") cached += inMemory(row.subject_id, null) ? 1 : 0;
  for (const { store_id, store_file } of await storage.deletions.storeFiles(row.seq)) {
    if (inMemory(store_id, store_file)) cached += 1;
    if (imaged(store_id, row.requested_at)) cached += 1;
  }
  const subject = await parsedSubjectOf(deps, row);
  if (subject !== null && (await parsed.has(subject))) cached += 1;
  if (row.subject_type === "file") cached += await storage.embeddingCache.countOfFile(row.tenant_id, row.subject_id);
  const bytes = row.subject_type === "file" ? ((await blobs.size(row.subject_id)) ?? 0) : 0;
  const subjectOf = { type: row.subject_type, id: row.subject_id };
  const kept = await storage.responseSources.leftOf(row.tenant_id, subjectOf);
  const inThreads = await storage.threadSources.leftOf(row.tenant_id, subjectOf);
  const answers = { results: kept.results + inThreads.results, answers: kept.answers + inThreads.answers };
  return { files, chunks, vectors, keyword_postings: terms, cache_entries: cached, bytes, ...answers };
}

/** The cache entry that went with a deleted file; null where there was none, or another file has the same bytes. */
export async function parsedSubjectOf(
  { storage }: Pick<DeletionCheckDeps, "storage">,
  row: DeletionRow,
): Promise<ParsedSubject | null> {
  const { cache_sha256: sha256, cache_extension: extension, tenant_id: tenantId } = row;
  if (sha256 === null || extension === null) return null;
  const subject = { tenantId, sha256, filename: `file${extension}` };
  return (await isOwned(storage, subject)) ? null : subject;
}

/**
 * Called by whoever has read a file, however that ended: the parsed form may have been written after the file's deletion
 * had looked for it. Not needed where the deletion ends the reading.
 */
export async function dropUnowned(
  { storage, parsed }: { storage: Pick<Storage, "files">; parsed: Pick<ParsedCache, "remove"> },
  subject: ParsedSubject,
): Promise<void> {
  if (!(await isOwned(storage, subject))) await parsed.remove(subject);
}

/** Whether there is a file whose parsed form it is. */
async function isOwned(
  { files }: Pick<Storage, "files">,
  { tenantId, sha256, filename }: ParsedSubject,
): Promise<boolean> {
  const extension = extname(filename).toLowerCase();
  const names = await files.namesOfBytes(tenantId, sha256);
  return names.some((name) => extname(name).toLowerCase() === extension);
}
