import type { EmbedFailure } from "../embed/provider.ts";
import type { Clock } from "../platform/clock.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { ChunkOwner, IndexedChunk } from "../storage/chunks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { JobRow } from "../storage/jobs.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import { schedulePurge } from "../storage/removal.ts";
import type { Tx } from "../storage/sql.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { StoreFileErrorCode, StoreFileRow } from "../storage/store-files.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import { embedChunks } from "./embed-chunks.ts";
import { nextTurn } from "./next-turn.ts";
import type { ProgressBoard } from "./progress.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";
import { scheduleCatchUp } from "./catch-up.ts";

/**
 * One file of one store: parse -> chunks (durable) -> vectors (durable) -> completed -> searchable.
 *
 * Each step can be done again: chunk rows of an unfinished parse are removed first; chunks that have a vector already
 * are skipped; `completed` is set in the transaction that finds every chunk with its vector, and only while the file
 * is still attached, in progress and of the revision that this run began with. Nothing is searchable before that.
 */
export interface IngestDeps {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  parse: Pick<ParseLane, "parse">;
  /** Waits its turn, fails as a value. */
  embed: EmbedPassages;
  index: IndexWrites;
  /** Something about this store changed (long-polls, events). */
  changed(storeId: string): void;
  progress: ProgressBoard;
  concurrency: number;
  /** For the statistics. */
  clock: Clock;
}

/** The store's index in memory; each call is made, kept for an index that is being loaded, or needless. */
export interface IndexWrites {
  /** The first (`from` 0) or a further slice of a file's chunks, read in the same turn. */
  addChunks(file: StoreFileRow, generation: GenerationRow, chunks: readonly IndexedChunk[], from: number): void;
  removeFile(storeId: string, generation: number, storeFile: number): void;
  /** Names the index that these calls reach now; null where none is in memory or on its way there. */
  loadOf(storeId: string, generation: number): number | null;
  /** Puts the file into the index as it is in the database. */
  replaceFile(file: StoreFileRow, generation: GenerationRow): void;
}

/** Texts per embedding call and rows per transaction: small enough that no transaction holds the thread for long. */
const EMBED_SLICE = 32;
/** Chunks that enter the index at once: some 3 ms. */
const INDEX_SLICE = 128;
/**
 * A file whose worker, or whose whole process, died this often is not tried again. Generous, because a process that is
 * killed over and over hits the file that is first in line again and again (storage/jobs.ts spaces these tries out).
 */
const MAX_ATTEMPTS = 30;
const RETRY_MS = [500, 2_000, 10_000, 60_000, 300_000];
/** An embedding model that is away is waited for; the file stays in progress and says so. */
const MAX_EMBED_ATTEMPTS = 40;

export function createIngestHandler(deps: IngestDeps): JobHandler {
  return {
    kind: "ingest",
    concurrency: deps.concurrency,
    async run(job, signal) {
      const outcome = await ingest(deps, job, signal);
      if (outcome.type !== "done") return outcome;
      // Attached anew, or its chunks outdated by a migration, while this run was about to end: the same row serves it.
      const file = await deps.storage.storeFiles.bySeq(job.tenant_id, Number(job.subject));
      const again =
        file?.status === "in_progress" &&
        (await deps.storage.stores.get(file.tenant_id, file.store_id))?.lifecycle !== "deleting";
      return again ? { type: "retry", inMs: 0 } : outcome;
    },
  };
}

type Step = { type: "ok" } | JobOutcome | { type: "failed"; code: StoreFileErrorCode; message: string };

async function ingest(deps: IngestDeps, job: JobRow, signal: AbortSignal): Promise<JobOutcome> {
  const { storage, progress, changed } = deps;
  const seq = Number(job.subject);
  const file = await storage.storeFiles.bySeq(job.tenant_id, seq);
  if (file === null || file.status !== "in_progress") return { type: "done" };
  const store = await storage.stores.get(job.tenant_id, file.store_id);
  const generation = store === null ? null : await storage.generations.liveOf(store);
  if (store === null || generation === null || store.lifecycle === "deleting") return { type: "done" };
  const owner: ChunkOwner = { storeFile: seq, chunkSet: generation.chunk_set, revision: file.revision };

  try {
    if (job.attempt > MAX_EMBED_ATTEMPTS)
      return await fail(
        deps,
        file,
        "server_error",
        "The file could not be indexed: the server failed repeatedly while working on it.",
      );
    let step: Step = { type: "ok" };
    if (!file.chunked) {
      if (job.attempt > MAX_ATTEMPTS)
        return await fail(
          deps,
          file,
          "server_error",
          "The file could not be parsed: the server failed repeatedly while working on it.",
        );
      progress.set(seq, "parse", 0, 1);
      step = await parseFile(deps, file, owner, generation, signal);
    }
    if (step.type === "ok") step = await embedFile(deps, file, owner, generation, job.attempt, signal);
    if (step.type === "failed") return await fail(deps, file, step.code, step.message);
    if (step.type !== "ok") return step;
    return await indexAndComplete(deps, file, owner, generation, signal);
  } finally {
    progress.end(seq);
    changed(file.store_id);
  }
}

async function parseFile(
  deps: IngestDeps,
  file: StoreFileRow,
  owner: ChunkOwner,
  generation: GenerationRow,
  signal: AbortSignal,
): Promise<Step> {
  const { storage, progress } = deps;
  const upload = await storage.files.get(file.tenant_id, file.file_id);
  if (upload === null) return { type: "done" };
  // What an interrupted try left of this revision.
  while ((await storage.chunks.removeSome(owner.storeFile, owner.revision + 1, 500)) > 0) await nextTurn();
  if (signal.aborted) return { type: "interrupted" };

  const subject = { tenantId: file.tenant_id, sha256: upload.sha256, filename: upload.filename };
  const source = {
    path: deps.blobs.path(file.file_id),
    filename: upload.filename,
    contentType: upload.mime,
    cachePath: deps.parsed.path(subject),
  };
  let stored = 0;
  const outcome = await deps.parse.parse(
    source,
    { maxTokens: file.max_tokens, overlapTokens: file.overlap_tokens },
    async (chunks) => {
      // The parse began again (it broke the memory bound in company): so do its rows.
      if (stored > 0 && chunks[0]?.idx === 0)
        while ((await storage.chunks.removeSome(owner.storeFile, owner.revision + 1, 500)) > 0);
      await storage.chunks.add({ tenantId: file.tenant_id, storeId: file.store_id, ...owner }, chunks);
      stored = (chunks.at(-1)?.idx ?? -1) + 1;
      progress.set(owner.storeFile, "chunk", stored, stored);
    },
    signal,
  );
  switch (outcome.type) {
    case "parsed":
      return await relaxed(storage, async (tables): Promise<Step> => {
        // Another set of chunks went live meanwhile: these are of no use.
        const live = (await tables.stores.get(file.tenant_id, file.store_id))?.live_generation;
        if (live !== generation.id) return { type: "retry", inMs: 0 };
        await tables.storeFiles.setChunked(file.tenant_id, file.seq, file.revision, outcome.warnings);
        return { type: "ok" };
      });
    case "failed":
      return { type: "failed", ...outcome.error };
    case "crashed":
      return { type: "retry", inMs: 500 };
    case "interrupted":
      return { type: "interrupted" };
  }
}

async function embedFile(
  deps: IngestDeps,
  file: StoreFileRow,
  owner: ChunkOwner,
  generation: GenerationRow,
  attempt: number,
  signal: AbortSignal,
): Promise<Step> {
  const { storage, progress } = deps;
  const { chunks, vectors } = await storage.chunks.totals(file.tenant_id, owner, generation.id);
  let done = vectors;
  progress.set(file.seq, "embed", done, chunks);
  const embedding = { storage, embed: deps.embed, slice: EMBED_SLICE };
  const failure = await embedChunks(embedding, generation, owner, file.file_id, signal, (added) => {
    done += added;
    progress.set(file.seq, "embed", done, chunks);
  });
  return failure === null ? { type: "ok" } : afterEmbedFailure(failure, attempt);
}

function afterEmbedFailure(failure: EmbedFailure, attempt: number): Step {
  switch (failure.reason) {
    case "aborted":
      return { type: "interrupted" };
    case "overloaded":
    case "unavailable":
      return {
        type: "retry",
        inMs: failure.retryAfterMs ?? RETRY_MS[Math.min(attempt, RETRY_MS.length) - 1] ?? 300_000,
      };
    case "too_long":
    case "rejected":
      return {
        type: "failed",
        code: "server_error",
        message: `The text of this file could not be embedded: ${failure.detail}.`,
      };
  }
}

/**
 * The last slice enters the index in the same turn as the commit that completes the file, so a client that sees
 * `completed` finds all of it. Earlier slices of a large file are in the index before; searches leave them out by the
 * file's status.
 */
async function indexAndComplete(
  deps: IngestDeps,
  file: StoreFileRow,
  owner: ChunkOwner,
  generation: GenerationRow,
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { storage, index, progress } = deps;
  const { store_id: storeId } = file;
  const load = index.loadOf(storeId, generation.id);
  let completed = false;
  try {
    for (let from = 0; ; from += INDEX_SLICE) {
      if (signal.aborted) return { type: "interrupted" };
      // Read and added at once: what a commit changes in between would be undone by the older row.
      const current = storage.indexReads.storeFile(file.tenant_id, file.seq);
      if (current === null || current.revision !== file.revision) return { type: "done" };
      const slice = storage.indexReads.chunks(file.tenant_id, owner, generation.id, from, INDEX_SLICE);
      index.addChunks(current, generation, slice, from);
      if (slice.length < INDEX_SLICE) break;
      progress.set(file.seq, "index", from + slice.length, from + slice.length);
      await nextTurn();
    }
    const outcome = await complete(deps, file, owner, generation, () => {
      completed = true;
      // An index that came between two slices has not seen the first, and no load takes a file that is in progress.
      if (index.loadOf(storeId, generation.id) !== load) index.replaceFile(file, generation);
    });
    // The live generation changed meanwhile: the chunks need that generation's vectors too.
    return outcome === "outdated" ? { type: "retry", inMs: 0 } : { type: "done" };
  } finally {
    if (!completed) index.removeFile(storeId, generation.id, file.seq);
  }
}

/** `onCompleted` runs in the turn of the commit. */
async function complete(
  deps: IngestDeps,
  file: StoreFileRow,
  owner: ChunkOwner,
  generation: GenerationRow,
  onCompleted: () => void,
): Promise<"completed" | "outdated" | "gone"> {
  return await relaxed(deps.storage, async (tables, tx) => {
    const store = await tables.stores.get(file.tenant_id, file.store_id);
    if (store !== null && store.live_generation !== generation.id) return "outdated";
    const totals = await tables.chunks.fileTotals(file.tenant_id, owner, generation);
    const completed = await tables.storeFiles.complete(file.tenant_id, file.seq, file.revision, totals);
    if (!completed) return "gone";
    await count(deps, tables, file, "completed", totals.chunks);
    const strategy = { maxTokens: file.max_tokens, overlapTokens: file.overlap_tokens };
    await tables.generationFiles.setDone(generation, file, strategy, totals);
    // A generation kept for a rollback takes the file too; one being built finds it in its own rounds.
    for (const other of await tables.generations.ofStore(file.tenant_id, file.store_id)) {
      if (other.state === "retained") await scheduleCatchUp(tables, other);
    }
    tx.onCommit(onCompleted);
    return "completed";
  });
}

async function fail(
  deps: IngestDeps,
  file: StoreFileRow,
  code: StoreFileErrorCode,
  message: string,
): Promise<JobOutcome> {
  await relaxed(deps.storage, async (tables) => {
    const failed = await tables.storeFiles.fail(file.tenant_id, file.seq, file.revision, code, message);
    if (failed) await count(deps, tables, file, "failed", 0);
    await schedulePurge(tables, file);
  });
  return { type: "done" };
}

/** For the statistics of the store. */
async function count(
  { clock }: IngestDeps,
  { statistics }: Tables,
  file: StoreFileRow,
  status: "completed" | "failed",
  chunks: number,
): Promise<void> {
  await statistics.addIngest({
    tenantId: file.tenant_id,
    storeId: file.store_id,
    at: clock.nowSeconds(),
    status,
    bytes: status === "completed" ? file.file_bytes : 0,
    chunks,
  });
}

/** After a power cut the job is found again and does this again. */
async function relaxed<T>(storage: Storage, fn: (tables: Tables, tx: Tx) => Promise<T>): Promise<T> {
  return await storage.transaction(fn, "work");
}
