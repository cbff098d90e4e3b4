import { extname } from "node:path";
import type { Blobs } from "./blobs.ts";
import type { DeletionRow, LastCheck, RemainingCounts } from "./deletions.ts";
import type { StoreFileSeq, StoreId } from "./ids.ts";
import type { ParsedCache, ParsedSubject } from "./parsed.ts";
import type { Storage } from "./storage.ts";

/** Looks for what should be gone: in the tables, among the uploaded bytes, in the caches on disk and in memory. */
export interface DeletionCheckDeps extends OwnCaches {
  storage: Pick<Storage, "deletions" | "files" | "embeddingCache" | "responseSources" | "threadSources">;
  blobs: Pick<Blobs, "size">;
  /** Whether anything of a file, or (null) of the store, is in tables by which the database searches it; nothing where there are none. */
  inEngine?: ((storeId: StoreId, storeFile: StoreFileSeq | null) => Promise<boolean>) | undefined;
  /** Asks the other servers of the database for what is in their caches; null where there are none. */
  elsewhere: ((row: DeletionRow, isEnding: boolean) => Promise<Elsewhere>) | null;
}

/** What the others have. */
export interface Elsewhere {
  entries: number;
  /** Those that did not answer in time, and in seconds for how long they were waited for. */
  silent: readonly string[];
  waited: number;
  /** Those that are not there, and did not say that they go. */
  away: readonly string[];
}

/** What a server keeps in its memory and on its disk of what is in the database. */
export interface OwnCaches {
  storage: Pick<Storage, "deletions" | "files">;
  parsed: Pick<ParsedCache, "has">;
  /** Files of a store, or (null) whether anything of the store, is in an index in memory, or copied to this machine for one. */
  inMemory: (storeId: StoreId, storeFile: StoreFileSeq | null) => boolean;
  /** Whether a file of an index of the store was written with what was there at this time. */
  imaged: (storeId: StoreId, atSeconds: number) => boolean;
  /** Whether there is a file of an index of the store at all. */
  onDisk: (storeId: StoreId) => boolean;
}

/** Where something is left, and whether that is all. */
export interface DeletionCheck {
  remaining: RemainingCounts;
  /** Every server that is there was looked at. */
  isWhole: boolean;
  /** Servers that were not, in sentences. */
  unchecked: string | null;
}

/** `isEnding`: the other servers remove what they have first. */
export async function checkDeletion(
  deps: DeletionCheckDeps,
  row: DeletionRow,
  isEnding = false,
): Promise<DeletionCheck> {
  const others = (await deps.elsewhere?.(row, isEnding)) ?? null;
  const remaining = await remainingOf(deps, row);
  if (others === null) return { remaining, isWhole: true, unchecked: null };
  remaining.cache_entries += others.entries;
  return { remaining, isWhole: others.silent.length === 0, unchecked: uncheckedText(others) };
}

/** How a check is kept: one that is not whole is no proof. */
export function lastCheck({ remaining, isWhole, unchecked }: DeletionCheck, now: number): [number | null, LastCheck] {
  return [isWhole ? now : null, { ...remaining, unchecked }];
}

function uncheckedText({ silent, waited, away }: Elsewhere): string | null {
  const texts = [
    ...silent.map((name) => `Not verified: ${name} did not answer within ${waited} seconds; try again.`),
    ...away.map(
      (name) => `${name} is away: what it had in memory is looked at, and its caches are cleared, when it is back.`,
    ),
  ];
  return texts.length === 0 ? null : texts.join(" ");
}

/** Entries of this server's caches in which something of it is. */
export async function cachedHere(deps: OwnCaches, row: DeletionRow): Promise<number> {
  const { storage, parsed, inMemory, imaged, onDisk } = deps;
  let cached = 0;
  if (row.subject_type === "vector_store") {
    if (inMemory(row.subject_id, null)) cached += 1;
    if (onDisk(row.subject_id)) cached += 1;
  }
  for (const { store_id, store_file } of await storage.deletions.storeFiles(row.seq)) {
    if (inMemory(store_id, store_file)) cached += 1;
    if (imaged(store_id, row.requested_at)) cached += 1;
  }
  const subject = await parsedSubjectOf(deps, row);
  if (subject !== null && (await parsed.has(subject))) cached += 1;
  return cached;
}

/** Entries of tables by which the database searches stores. */
async function inEngine({ storage, inEngine: has }: DeletionCheckDeps, row: DeletionRow): Promise<number> {
  if (has === undefined) return 0;
  let entries = row.subject_type === "vector_store" && (await has(row.subject_id, null)) ? 1 : 0;
  for (const { store_id, store_file } of await storage.deletions.storeFiles(row.seq))
    if (await has(store_id, store_file)) entries += 1;
  return entries;
}

/** What is left in the database, among the uploaded bytes, and in the caches of this server. */
export async function remainingOf(deps: DeletionCheckDeps, row: DeletionRow): Promise<RemainingCounts> {
  const { storage, blobs } = deps;
  const { files, chunks, terms, vectors } = await storage.deletions.left(row);
  let cached = (await cachedHere(deps, row)) + (await inEngine(deps, row));
  if (row.subject_type === "file") cached += await storage.embeddingCache.countOfFile(row.tenant_id, row.subject_id);
  const bytes = row.subject_type === "file" ? ((await blobs.size(row.subject_id)) ?? 0) : 0;
  const subjectOf = { type: row.subject_type, id: row.subject_id };
  const kept = await storage.responseSources.leftOf(row.tenant_id, subjectOf);
  const inThreads = await storage.threadSources.leftOf(row.tenant_id, subjectOf);
  const answers = { results: kept.results + inThreads.results, answers: kept.answers + inThreads.answers };
  return { files, chunks, vectors, keyword_postings: terms, cache_entries: cached, bytes, ...answers };
}

/** Removes it from this server's cache of parsed documents; whether there was something to remove. */
export async function dropParsed(
  deps: { storage: Pick<Storage, "files">; parsed: Pick<ParsedCache, "has" | "remove"> },
  row: DeletionRow,
): Promise<boolean> {
  const subject = await parsedSubjectOf(deps, row);
  if (subject === null || !(await deps.parsed.has(subject))) return false;
  await deps.parsed.remove(subject);
  return true;
}

/** The cache entry that went with a deleted file; null where there was none, or another file has the same bytes. */
async function parsedSubjectOf(
  { storage }: { storage: Pick<Storage, "files"> },
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
