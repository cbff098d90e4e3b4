import type { EmbedFailure } from "../embed/provider.ts";
import type { Clock } from "../platform/clock.ts";
import { blobSource } from "./blob-source.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { ChunkOwner, NewChunk } from "../storage/chunks.ts";
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
import type { ChunkSlice } from "./load-index.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { IngestProgress, ProgressBoard } from "./progress.ts";
import { retry, retryAfter } from "./retry.ts";
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
  parse: Pick<ParseLane, "parse" | "tryTurn">;
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
  addChunks(file: StoreFileRow, generation: GenerationRow, slice: ChunkSlice): void;
  removeFile(storeId: string, generation: number, storeFile: number): void;
  /** All of the file is in, and that is committed. */
  completed(file: StoreFileRow, generation: GenerationRow): void;
  /** Names the index that these calls reach now; null where none is in memory or on its way there. */
  loadOf(storeId: string, generation: number): number | null;
  /** Puts the file into the index as it is in the database. */
  replaceFile(file: StoreFileRow, generation: GenerationRow): void;
}

/** Texts per embedding call and rows per transaction: small enough that no transaction holds the thread for long. */
const EMBED_SLICE = 32;
/** Chunks that enter the index at once: some 3 ms. */
const INDEX_SLICE = 128;
const REMOVED_AT_ONCE = 500;
/**
 * A file whose worker, or whose whole process, died this often is not tried again. Generous, because a process that is
 * killed over and over hits the file that is first in line again and again (storage/jobs.ts spaces these tries out).
 */
const MAX_ATTEMPTS = 30;
/** An embedding model that is away is waited for; the file stays in progress and says so. */
const MAX_EMBED_ATTEMPTS = 40;

/** Subject: a `store_file.seq`. */
export function createIngestHandler(deps: IngestDeps): JobHandler {
  return {
    kind: "ingest",
    concurrency: deps.concurrency,
    hasSparePlace: true,
    lease: (tenantId) => deps.parse.tryTurn(tenantId),
    async run(job, signal, turn = null) {
      const work = await workOf(deps.storage, job);
      const outcome: JobOutcome =
        work === null ? { type: "done" } : await new FileIngest(deps, { ...work, turn }, signal).run();
      if (outcome.type !== "done") return outcome;
      // Attached anew, or its chunks outdated by a migration, while this run was about to end: the same row serves it.
      const file = await deps.storage.storeFiles.bySeq(job.tenant_id, Number(job.subject));
      const again =
        file?.status === "in_progress" &&
        (await deps.storage.stores.get(file.tenant_id, file.store_id))?.lifecycle !== "deleting";
      return again ? retry("more") : outcome;
    },
  };
}

interface IngestWork {
  file: StoreFileRow;
  /** Live when this run began. */
  generation: GenerationRow;
  attempt: number;
}

/** Null where there is nothing to do, or nowhere to put it. */
async function workOf(storage: Storage, job: JobRow): Promise<IngestWork | null> {
  const file = await storage.storeFiles.bySeq(job.tenant_id, Number(job.subject));
  if (file === null || file.status !== "in_progress") return null;
  const store = await storage.stores.get(job.tenant_id, file.store_id);
  if (store === null || store.lifecycle === "deleting") return null;
  const generation = await storage.generations.liveOf(store);
  return generation === null ? null : { file, generation, attempt: job.attempt };
}

type Step = { type: "ok" } | JobOutcome | { type: "failed"; code: StoreFileErrorCode; message: string };

/** One run of one file. */
class FileIngest {
  readonly #deps: IngestDeps;
  readonly #file: StoreFileRow;
  readonly #generation: GenerationRow;
  readonly #owner: ChunkOwner;
  readonly #attempt: number;
  /** A place in the parse lane, until the file is parsed. */
  readonly #turn: Disposable | null;
  readonly #signal: AbortSignal;
  /** How many chunks this run made, none of which has a vector; null where they are of an earlier one. */
  #made: number | null = null;

  constructor(deps: IngestDeps, work: IngestWork & { turn: Disposable | null }, signal: AbortSignal) {
    const { file, generation, attempt, turn } = work;
    this.#deps = deps;
    this.#file = file;
    this.#generation = generation;
    this.#owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
    this.#attempt = attempt;
    this.#turn = turn;
    this.#signal = signal;
  }

  async run(): Promise<JobOutcome> {
    try {
      const step = await this.#prepare();
      if (step.type === "failed") return await this.#fail(step.code, step.message);
      if (step.type !== "ok") return step;
      return await this.#indexAndComplete();
    } finally {
      this.#deps.progress.end(this.#file.seq);
      this.#deps.changed(this.#file.store_id);
    }
  }

  #progress(progress: IngestProgress): void {
    this.#deps.progress.set(this.#file.seq, progress, this.#file.store_id);
  }

  /** Until every chunk has its vector. */
  async #prepare(): Promise<Step> {
    if (this.#attempt > MAX_EMBED_ATTEMPTS)
      return {
        type: "failed",
        code: "server_error",
        message: "The file could not be indexed: the server failed repeatedly while working on it.",
      };
    if (!this.#file.chunked) {
      if (this.#attempt > MAX_ATTEMPTS)
        return {
          type: "failed",
          code: "server_error",
          message: "The file could not be parsed: the server failed repeatedly while working on it.",
        };
      const parsed = await this.#parse();
      if (parsed.type !== "ok") return parsed;
    }
    // The next file may be parsed while this one is embedded.
    this.#turn?.[Symbol.dispose]();
    return await this.#embed();
  }

  async #parse(): Promise<Step> {
    const { storage, blobs, parsed } = this.#deps;
    const { tenant_id: tenantId, file_id: fileId } = this.#file;
    this.#progress({ stage: "parse", done: 0, total: 1 });
    const upload = await storage.files.get(tenantId, fileId);
    if (upload === null) return { type: "done" };
    // What an interrupted try left of this revision.
    while ((await this.#removeSome()) > 0) await nextTurn();
    if (this.#signal.aborted) return { type: "interrupted" };

    await using copy = await blobSource(blobs, fileId, this.#signal);
    if (copy === null) return retry("blobs_away", this.#attempt);
    const source = {
      tenantId,
      path: copy.path,
      filename: upload.filename,
      contentType: upload.mime,
      cachePath: parsed.path({ tenantId, sha256: upload.sha256, filename: upload.filename }),
    };
    const { max_tokens: maxTokens, overlap_tokens: overlapTokens } = this.#file;
    const task = { maxTokens, overlapTokens, turn: this.#turn ?? undefined };
    let stored = 0;
    let last: readonly NewChunk[] = [];
    const store = async (chunks: readonly NewChunk[], isLast: boolean): Promise<void> => {
      // The parse began again (its process was killed in company): so do its rows.
      if (stored > 0 && chunks[0]?.idx === 0) while ((await this.#removeSome()) > 0);
      if (isLast) last = chunks;
      else await storage.chunks.add(this.#chunkSource(), chunks);
      stored = (chunks.at(-1)?.idx ?? -1) + 1;
      this.#progress({ stage: "chunk", done: stored, total: stored });
    };
    const outcome = await this.#deps.parse.parse(source, task, store, this.#signal);
    switch (outcome.type) {
      case "parsed":
        this.#made = stored;
        return await this.#setChunked(last, outcome.warnings);
      case "failed":
        return { type: "failed", ...outcome.error };
      case "crashed":
        return retry("parse_worker_died");
      case "interrupted":
        return { type: "interrupted" };
    }
  }

  /** Removes chunks of this revision, and of older ones. */
  async #removeSome(): Promise<number> {
    const { storeFile, revision } = this.#owner;
    return await this.#deps.storage.chunks.removeSome(storeFile, revision + 1, REMOVED_AT_ONCE);
  }

  #chunkSource() {
    const { tenant_id: tenantId, store_id: storeId } = this.#file;
    return { tenantId, storeId, ...this.#owner };
  }

  /** With the last of them, which are all of a short file. */
  async #setChunked(last: readonly NewChunk[], warnings: readonly string[]): Promise<Step> {
    const { tenant_id: tenantId, store_id: storeId, seq, revision } = this.#file;
    return await relaxed(this.#deps.storage, async ({ stores, storeFiles, chunks }): Promise<Step> => {
      // Another set of chunks went live meanwhile: these are of no use.
      if ((await stores.get(tenantId, storeId))?.live_generation !== this.#generation.id) return retry("more");
      if (last.length > 0) await chunks.add(this.#chunkSource(), last);
      await storeFiles.setChunked(tenantId, seq, revision, warnings);
      return { type: "ok" };
    });
  }

  async #embed(): Promise<Step> {
    const { storage, embed } = this.#deps;
    const { tenant_id: tenantId, file_id: fileId } = this.#file;
    const { chunks: total, vectors: before } =
      this.#made === null
        ? await storage.chunks.totals(tenantId, this.#owner, this.#generation.id)
        : { chunks: this.#made, vectors: 0 };
    let done = before;
    this.#progress({ stage: "embed", done, total });
    const onSlice = (added: number): void => {
      done += added;
      this.#progress({ stage: "embed", done, total });
    };
    const work = { generation: this.#generation, owner: this.#owner, fileId, onSlice };
    const failure = await embedChunks({ storage, embed, slice: EMBED_SLICE }, work, this.#signal);
    return failure === null ? { type: "ok" } : afterEmbedFailure(failure, this.#attempt);
  }

  /**
   * The last slice enters the index in the same turn as the commit that completes the file, so a client that sees
   * `completed` finds all of it. Earlier slices of a large file are in the index before; searches leave them out by the
   * file's status.
   */
  async #indexAndComplete(): Promise<JobOutcome> {
    const { index } = this.#deps;
    const { store_id: storeId, seq } = this.#file;
    const generation = this.#generation;
    const load = index.loadOf(storeId, generation.id);
    let completed = false;
    try {
      if (this.#signal.aborted) return { type: "interrupted" };
      // Whoever loads an index that is not here reads the file with all others.
      const ended = load === null ? null : await this.#enterIndex();
      if (ended !== null) return ended;
      const outcome = await this.#complete(() => {
        completed = true;
        index.completed(this.#file, generation);
        // An index that came between two slices has not seen the first, and no load takes a file that is in progress.
        if (index.loadOf(storeId, generation.id) !== load) index.replaceFile(this.#file, generation);
      });
      // The live generation changed meanwhile: the chunks need that generation's vectors too.
      return outcome === "outdated" ? retry("more") : { type: "done" };
    } finally {
      if (!completed) index.removeFile(storeId, generation.id, seq);
    }
  }

  /** Null once the index has all chunks. */
  async #enterIndex(): Promise<JobOutcome | null> {
    const { storage, index } = this.#deps;
    const { tenant_id: tenantId, revision } = this.#file;
    const generation = this.#generation;
    for (let from = 0; ; from += INDEX_SLICE) {
      if (this.#signal.aborted) return { type: "interrupted" };
      const slice = { tenantId, owner: this.#owner, generation: generation.id, from, limit: INDEX_SLICE };
      // Read and added at once: what a commit changes in between would be undone by the older row.
      const added = await storage.indexReads.slice(slice, (current, chunks) => {
        if (current === null || current.revision !== revision) return null;
        index.addChunks(current, generation, { chunks, from });
        return chunks.length;
      });
      if (added === null) return { type: "done" };
      if (added < INDEX_SLICE) return null;
      const done = from + added;
      this.#progress({ stage: "index", done, total: done });
      await nextTurn();
    }
  }

  /** `onCompleted` runs in the turn of the commit. */
  async #complete(onCompleted: () => void): Promise<"completed" | "outdated" | "gone"> {
    const { tenant_id: tenantId, store_id: storeId, seq, revision } = this.#file;
    const generation = this.#generation;
    return await relaxed(this.#deps.storage, async (tables, tx) => {
      const store = await tables.stores.get(tenantId, storeId);
      if (store !== null && store.live_generation !== generation.id) return "outdated";
      const totals = await tables.chunks.fileTotals(tenantId, this.#owner, generation);
      const completed = await tables.storeFiles.complete(tenantId, seq, revision, totals);
      if (!completed) return "gone";
      await this.#count(tables, "completed", totals.chunks);
      const strategy = { maxTokens: this.#file.max_tokens, overlapTokens: this.#file.overlap_tokens };
      await tables.generationFiles.setDone(generation, this.#file, strategy, totals);
      // A generation kept for a rollback takes the file too; one being built finds it in its own rounds.
      for (const other of await tables.generations.ofStore(tenantId, storeId)) {
        if (other.state === "retained") await scheduleCatchUp(tables, other);
      }
      // Its chunks were read a moment ago.
      await this.#deps.storage.indexReads.bring(tables, tenantId, seq);
      tx.onCommit(onCompleted);
      return "completed";
    });
  }

  async #fail(code: StoreFileErrorCode, message: string): Promise<JobOutcome> {
    const { tenant_id: tenantId, seq, revision } = this.#file;
    await relaxed(this.#deps.storage, async (tables) => {
      const failed = await tables.storeFiles.fail(tenantId, seq, revision, code, message);
      if (failed) await this.#count(tables, "failed", 0);
      await schedulePurge(tables, this.#file);
    });
    return { type: "done" };
  }

  /** For the statistics of the store. */
  async #count({ statistics }: Tables, status: "completed" | "failed", chunks: number): Promise<void> {
    const { tenant_id: tenantId, store_id: storeId, file_bytes: fileBytes } = this.#file;
    const bytes = status === "completed" ? fileBytes : 0;
    await statistics.addIngest({ tenantId, storeId, at: this.#deps.clock.nowSeconds(), status, bytes, chunks });
  }
}

function afterEmbedFailure(failure: EmbedFailure, attempt: number): Step {
  switch (failure.reason) {
    case "aborted":
      return { type: "interrupted" };
    case "overloaded":
    case "unavailable":
      return retryAfter(failure.retryAfterMs, "ingest_model", attempt);
    case "too_long":
    case "rejected":
      return {
        type: "failed",
        code: "server_error",
        message: `The text of this file could not be embedded: ${failure.detail}.`,
      };
  }
}

/** After a power cut the job is found again and does this again. */
async function relaxed<T>(storage: Storage, fn: (tables: Tables, tx: Tx) => Promise<T>): Promise<T> {
  return await storage.transaction(fn, "work");
}
