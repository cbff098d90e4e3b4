import type { IndexLease } from "../index/registry.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { ChunkOwner } from "../storage/chunks.ts";
import type { ChunkStrategy, MissingFile } from "../storage/generation-files.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Tx } from "../storage/sql.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import { embedChunks } from "./embed-chunks.ts";
import type { Brake, IngestBrake } from "./ingest-brake.ts";
import { addSlice } from "./load-index.ts";
import { nextTurn } from "./next-turn.ts";
import type { JobHandler } from "./runner.ts";

/**
 * Brings completed files into a generation other than the live one: a generation being built by a migration, or an old
 * one kept for a rollback. From the cached parse and the stored chunks; nothing is uploaded, and nothing is parsed again
 * unless the generation has chunks of its own.
 */
export interface CatchUpDeps {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  parse: Pick<ParseLane, "parse">;
  embed: EmbedPassages;
  /** The generation's index, if it is in memory or on its way there: then files that are added must enter it. */
  openIndex(generation: GenerationRow): Promise<IndexLease | null>;
  /** The generation's index has grown. */
  indexGrew(generation: GenerationRow): void;
  brake: IngestBrake;
}

export type CatchUpResult =
  | { type: "done" }
  | { type: "interrupted" }
  /** The model or its provider is away: try again later. */
  | { type: "away"; detail: string; retryAfterMs: number | undefined }
  | { type: "failed"; detail: string };

/** What is told is told in the transaction that writes it down. */
export interface CatchUpProgress {
  /** The file's chunks are there. */
  chunked(): void;
  file(tables: Tables, tx: Tx): Promise<void>;
  chunks(count: number, tables: Tables, tx: Tx): Promise<void>;
  /** Computed, and perhaps paid; `tx` null: nothing else is written down with it. */
  tokens(count: number, tx: Tx | null): Promise<void>;
}

const nothing = () => Promise.resolve();

export const NO_PROGRESS: CatchUpProgress = { chunked() {}, file: nothing, chunks: nothing, tokens: nothing };

/** Chunks written in one transaction, and chunks that enter an index at once: a millisecond or two each. */
const WRITTEN_AT_ONCE = 16;
const INDEXED_AT_ONCE = 64;
const FILES = 50;
/** Files worked on at the same time: one alone, if it is small, leaves the model without work between its steps. */
const FILES_AT_ONCE = 16;

export interface CatchUpOptions {
  /** Instead of the files' own chunking. */
  strategy: ChunkStrategy | null;
  progress: CatchUpProgress;
  /** Chunks that may enter the store at once; further files are held back so that this ends. Null: all may enter. */
  freeChunks: number | null;
}

/** Adds every missing file. Ends when nothing is missing. */
export async function catchUp(
  deps: CatchUpDeps,
  generation: GenerationRow,
  options: CatchUpOptions,
  signal: AbortSignal,
): Promise<CatchUpResult> {
  const { freeChunks } = options;
  using brake = freeChunks === null ? null : deps.brake.apply(generation.store_id, freeChunks);
  for (;;) {
    const round = await addMissing(deps, generation, options, brake, signal);
    if (round.result.type !== "done") return round.result;
    // Files that were attached meanwhile are found by another round.
    if (round.files === 0) return { type: "done" };
    brake?.roundEnded();
    await nextTurn();
  }
}

/** One round: the files that are missing now. */
async function addMissing(
  deps: CatchUpDeps,
  generation: GenerationRow,
  { strategy, progress }: CatchUpOptions,
  brake: Brake | null,
  signal: AbortSignal,
): Promise<{ files: number; result: CatchUpResult }> {
  const outcome: { files: number; result: CatchUpResult } = { files: 0, result: { type: "done" } };
  const running = new Set<Promise<void>>();
  let error: Error | null = null;
  const isOver = () => outcome.result.type !== "done" || error !== null;
  const add = async (file: MissingFile) => {
    try {
      const result = await addFile(deps, generation, file, strategy, progress, signal);
      if (result.type !== "done" && outcome.result.type === "done") outcome.result = result;
      brake?.added(file.n_chunks);
    } catch (thrown) {
      error ??= thrown instanceof Error ? thrown : new Error(String(thrown));
    }
  };
  for (let afterSeq = 0; !isOver();) {
    const files = await deps.storage.generationFiles.missing(generation, afterSeq, FILES);
    outcome.files += files.length;
    for (const file of files) {
      if (running.size >= FILES_AT_ONCE) await Promise.race(running);
      if (signal.aborted && outcome.result.type === "done") outcome.result = { type: "interrupted" };
      if (isOver()) break;
      const work = add(file).finally(() => running.delete(work));
      running.add(work);
    }
    const last = files.at(-1);
    if (last === undefined || files.length < FILES) break;
    afterSeq = last.seq;
  }
  // Files that were begun are ended: what was asked of a provider is paid.
  await Promise.all(running);
  if (error !== null) throw error as Error;
  return outcome;
}

async function addFile(
  deps: CatchUpDeps,
  generation: GenerationRow,
  file: MissingFile,
  strategy: ChunkStrategy | null,
  progress: CatchUpProgress,
  signal: AbortSignal,
): Promise<CatchUpResult> {
  const { storage } = deps;
  const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const cut = strategy ?? { maxTokens: file.max_tokens, overlapTokens: file.overlap_tokens };
  if (!file.chunked) {
    const chunked = await chunkFile(deps, generation, file, owner, cut, signal);
    if (chunked.type !== "done") return chunked;
    progress.chunked();
  }
  const failure = await embedChunks(
    { storage, embed: deps.embed, slice: WRITTEN_AT_ONCE },
    generation,
    owner,
    file.file_id,
    signal,
    progress.chunks,
    progress.tokens,
  );
  if (failure !== null) {
    if (failure.reason === "aborted") return { type: "interrupted" };
    if (failure.reason === "overloaded" || failure.reason === "unavailable") {
      return { type: "away", detail: failure.detail, retryAfterMs: failure.retryAfterMs };
    }
    return { type: "failed", detail: failure.detail };
  }
  return await indexAndFinish(deps, generation, file, owner, cut, progress, signal);
}

/** The file counts as whole from the turn on in which its last chunks enter the index: a rollback may come at any time. */
async function indexAndFinish(
  deps: CatchUpDeps,
  generation: GenerationRow,
  file: MissingFile,
  owner: ChunkOwner,
  cut: ChunkStrategy,
  progress: CatchUpProgress,
  signal: AbortSignal,
): Promise<CatchUpResult> {
  const { storage } = deps;
  const { tenant_id: tenantId } = generation;
  // Not in memory: whoever loads it finds all of the file in the database.
  using lease = await deps.openIndex(generation);
  for (let from = 0; ; from += INDEXED_AT_ONCE) {
    if (signal.aborted) return { type: "interrupted" };
    // Detached or attached anew meanwhile: then this was for nothing, and what it left is garbage. Read and added at
    // once: what a commit changes in between would be undone by the older row.
    const current = storage.indexReads.storeFile(tenantId, file.seq);
    if (current === null || current.revision !== file.revision || current.status !== "completed")
      return { type: "done" };
    if (lease === null) break;
    const slice = storage.indexReads.chunks(tenantId, owner, generation.id, from, INDEXED_AT_ONCE);
    addSlice(lease.index, current, slice, from);
    if (slice.length < INDEXED_AT_ONCE) break;
    await nextTurn();
  }
  const isWhole = await storage.transaction(async (tables, tx) => {
    // Texts were added to it while its index took it in: the next round takes them.
    if (lease !== null && (await tables.chunks.withoutVector(tenantId, owner, generation.id, 1)).length > 0)
      return false;
    // Detached or attached anew: what is written down must not say that this revision is there.
    const current = await tables.storeFiles.bySeq(tenantId, file.seq);
    if (current === null || current.revision !== file.revision || current.status !== "completed") return false;
    const totals = await tables.chunks.fileTotals(tenantId, owner, generation);
    await tables.generationFiles.setDone(generation, file, cut, totals);
    await progress.file(tables, tx);
    return true;
  }, "work");
  if (isWhole && lease !== null) deps.indexGrew(generation);
  return { type: "done" };
}

/** Makes the file's chunks in the generation's chunk set, unless another generation with that set made them. */
async function chunkFile(
  deps: CatchUpDeps,
  generation: GenerationRow,
  file: MissingFile,
  owner: ChunkOwner,
  strategy: ChunkStrategy,
  signal: AbortSignal,
): Promise<CatchUpResult> {
  const { storage } = deps;
  const { tenant_id: tenantId } = generation;
  if (await isSharedSet(storage, generation)) {
    await storage.generationFiles.setChunked(generation, file, strategy);
    return { type: "done" };
  }
  const upload = await storage.files.get(tenantId, file.file_id);
  if (upload === null) return { type: "done" };
  if (upload.bytes === 0) {
    // Texts that came through the API one by one: there is nothing to cut anew, they stay as they are.
    const live = (await storage.stores.get(tenantId, generation.store_id))?.live_generation;
    const from = live == null ? null : await storage.generations.get(tenantId, live);
    if (from !== null) await storage.chunks.copyToSet(file.seq, file.revision, from.chunk_set, generation.chunk_set);
    await storage.generationFiles.setChunked(generation, file, strategy);
    return { type: "done" };
  }
  const discard = async () => {
    for (let after: number | null = 0; after !== null;)
      after = await storage.chunks.removeFromGeneration(generation, file.seq, after, true);
  };
  await discard();
  let stored = 0;
  const source = {
    path: deps.blobs.path(file.file_id),
    filename: upload.filename,
    contentType: upload.mime,
    cachePath: deps.parsed.path({ tenantId, sha256: upload.sha256, filename: upload.filename }),
  };
  const outcome = await deps.parse.parse(
    source,
    strategy,
    async (chunks) => {
      if (stored > 0 && chunks[0]?.idx === 0) await discard();
      await storage.chunks.add({ tenantId, storeId: generation.store_id, ...owner }, chunks);
      stored += chunks.length;
    },
    signal,
  );
  switch (outcome.type) {
    case "parsed":
      await storage.generationFiles.setChunked(generation, file, strategy);
      return { type: "done" };
    case "failed":
      return {
        type: "failed",
        detail: `a file that was indexed before cannot be parsed now: ${outcome.error.message}`,
      };
    case "crashed":
      return { type: "away", detail: "a parse worker died", retryAfterMs: 500 };
    case "interrupted":
      return { type: "interrupted" };
  }
}

/** Whether the live generation works on the same chunks: then they are there as soon as a file is completed. */
async function isSharedSet(storage: Storage, generation: GenerationRow): Promise<boolean> {
  const live = (await storage.stores.get(generation.tenant_id, generation.store_id))?.live_generation;
  if (live == null) return false;
  return (await storage.generations.get(generation.tenant_id, live))?.chunk_set === generation.chunk_set;
}

/** Keeps a generation that a rollback may need up to date, in the background. */
export async function scheduleCatchUp(tables: Pick<Tables, "jobs">, generation: GenerationRow): Promise<void> {
  await tables.jobs.insert({
    tenantId: generation.tenant_id,
    kind: "catch_up",
    storeId: generation.store_id,
    subject: String(generation.id),
    priority: 1,
    dueMs: 0,
  });
}

const AWAY_RETRY_MS = 30_000;

/** Subject: a generation's id. */
export function createCatchUpHandler(deps: CatchUpDeps): JobHandler {
  return {
    kind: "catch_up",
    concurrency: 1,
    async run(job, signal) {
      const generation = await deps.storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || generation.state !== "retained") return { type: "done" };
      const options = { strategy: null, progress: NO_PROGRESS, freeChunks: null };
      const result = await catchUp(deps, generation, options, signal);
      switch (result.type) {
        case "interrupted":
          return { type: "interrupted" };
        case "away":
        case "failed":
          // A rollback tells when files are missing; until then there is time.
          return { type: "retry", inMs: AWAY_RETRY_MS };
        case "done": {
          const behind = (await deps.storage.generationFiles.countMissing(generation)).files > 0;
          return behind ? { type: "retry", inMs: 0 } : { type: "done" };
        }
      }
    },
  };
}
