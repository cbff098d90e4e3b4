import type { EmbedFailure } from "../embed/provider.ts";
import type { IndexLease } from "../index/registry.ts";
import { blobSource } from "./blob-source.ts";
import type { Blobs } from "../storage/blobs.ts";
import type { ChunkOwner, NewChunk } from "../storage/chunks.ts";
import type { FileRow } from "../storage/files.ts";
import type { ChunkStrategy, MissingFile } from "../storage/generation-files.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { dropUnowned } from "../storage/deletion-check.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Tx } from "../storage/sql.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { StoreFileRow } from "../storage/store-files.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import { type ChunksToEmbed, embedChunks } from "./embed-chunks.ts";
import { addSlice } from "./load-index.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { retryMs } from "./retry.ts";

export interface FileCatchUpDeps {
  storage: Storage;
  blobs: Blobs;
  parsed: ParsedCache;
  parse: Pick<ParseLane, "parse">;
  embed: EmbedPassages;
  /** The generation's index, if it is in memory or on its way there: then files that are added must enter it. */
  openIndex(generation: GenerationRow): Promise<IndexLease | null>;
  /** The generation's index has grown. */
  indexGrew(generation: GenerationRow): void;
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

/** What files are added to, and how. */
export interface CatchUpTarget {
  generation: GenerationRow;
  /** Instead of the files' own chunking. */
  strategy: ChunkStrategy | null;
  progress: CatchUpProgress;
}

/** Chunks written in one transaction, and chunks that enter an index at once: a millisecond or two each. */
const WRITTEN_AT_ONCE = 16;
const INDEXED_AT_ONCE = 64;

/** Brings one completed file into a generation that does not have it whole. */
export class FileCatchUp {
  readonly #deps: FileCatchUpDeps;
  readonly #target: CatchUpTarget;
  readonly #file: MissingFile;
  readonly #owner: ChunkOwner;
  readonly #strategy: ChunkStrategy;

  constructor(deps: FileCatchUpDeps, target: CatchUpTarget, file: MissingFile) {
    this.#deps = deps;
    this.#target = target;
    this.#file = file;
    this.#owner = { storeFile: file.seq, chunkSet: target.generation.chunk_set, revision: file.revision };
    this.#strategy = target.strategy ?? { maxTokens: file.max_tokens, overlapTokens: file.overlap_tokens };
  }

  async run(signal: AbortSignal): Promise<CatchUpResult> {
    const { storage, embed } = this.#deps;
    const { generation, progress } = this.#target;
    if (!this.#file.chunked) {
      const chunked = await this.#chunk(signal);
      if (chunked.type !== "done") return chunked;
      progress.chunked();
    }
    const work: ChunksToEmbed = {
      generation,
      owner: this.#owner,
      fileId: this.#file.file_id,
      onSlice: (count, tables, tx) => progress.chunks(count, tables, tx),
      onTokens: (count, tx) => progress.tokens(count, tx),
    };
    const failure = await embedChunks({ storage, embed, slice: WRITTEN_AT_ONCE }, work, signal);
    return failure === null ? await this.#indexAndFinish(signal) : afterEmbedFailure(failure);
  }

  /** Makes the file's chunks in the generation's chunk set, unless another generation with that set made them. */
  async #chunk(signal: AbortSignal): Promise<CatchUpResult> {
    const { storage } = this.#deps;
    const { generation } = this.#target;
    const live = await liveGeneration(storage, generation);
    // Whether the live generation works on the same chunks: then they are there as soon as a file is completed.
    if (live?.chunk_set === generation.chunk_set) return await this.#setChunked();
    const upload = await storage.files.get(generation.tenant_id, this.#file.file_id);
    if (upload === null) return { type: "done" };
    if (upload.bytes > 0) return await this.#parse(upload, signal);
    // Texts that came through the API one by one: there is nothing to cut anew, they stay as they are.
    const { seq, revision } = this.#file;
    if (live !== null) await storage.chunks.copyToSet(seq, revision, live.chunk_set, generation.chunk_set);
    return await this.#setChunked();
  }

  async #parse(upload: FileRow, signal: AbortSignal): Promise<CatchUpResult> {
    const { storage, blobs, parsed, parse } = this.#deps;
    const { tenant_id: tenantId, store_id: storeId } = this.#target.generation;
    const { sha256, filename, mime: contentType } = upload;
    await this.#discardChunks();
    let stored = 0;
    const store = async (chunks: readonly NewChunk[]): Promise<void> => {
      // The parse began again (its process was killed in company): so do its rows.
      if (stored > 0 && chunks[0]?.idx === 0) await this.#discardChunks();
      await storage.chunks.add({ tenantId, storeId, ...this.#owner }, chunks);
      stored += chunks.length;
    };
    await using copy = await blobSource(blobs, this.#file.file_id, signal);
    if (copy === null) {
      const detail = "the place that keeps the bytes of uploads does not answer";
      return { type: "away", detail, retryAfterMs: retryMs("blobs_away") };
    }
    const subject = { tenantId, sha256, filename };
    const source = { tenantId, path: copy.path, filename, contentType, cachePath: parsed.path(subject) };
    const outcome = await parse.parse(source, this.#strategy, store, signal);
    await dropUnowned(this.#deps, subject);
    switch (outcome.type) {
      case "parsed":
        return await this.#setChunked();
      case "failed": {
        const detail = `a file that was indexed before cannot be parsed now: ${outcome.error.message}`;
        return { type: "failed", detail };
      }
      case "crashed":
        return { type: "away", detail: "a parse worker died", retryAfterMs: retryMs("parse_worker_died") };
      case "interrupted":
        return { type: "interrupted" };
    }
  }

  async #discardChunks(): Promise<void> {
    const { generation } = this.#target;
    for (let after: number | null = 0; after !== null;)
      after = await this.#deps.storage.chunks.removeFromGeneration(generation, this.#file.seq, after, true);
  }

  async #setChunked(): Promise<CatchUpResult> {
    await this.#deps.storage.generationFiles.setChunked(this.#target.generation, this.#file, this.#strategy);
    return { type: "done" };
  }

  /** The file counts as whole from the turn on in which its last chunks enter the index: a rollback may come at any time. */
  async #indexAndFinish(signal: AbortSignal): Promise<CatchUpResult> {
    const { generation } = this.#target;
    // Not in memory: whoever loads it finds all of the file in the database.
    using lease = await this.#deps.openIndex(generation);
    const entered = await this.#enter(lease, signal);
    if (entered !== null) return entered;
    const isWhole = await this.#finish(lease !== null);
    if (isWhole && lease !== null) this.#deps.indexGrew(generation);
    return { type: "done" };
  }

  /** Null once all of it is in the index, if there is one. */
  async #enter(lease: IndexLease | null, signal: AbortSignal): Promise<CatchUpResult | null> {
    const { indexReads, storeFiles } = this.#deps.storage;
    const { tenant_id: tenantId, id } = this.#target.generation;
    if (signal.aborted) return { type: "interrupted" };
    // Detached or attached anew meanwhile: then this was for nothing, and what it left is garbage.
    if (lease === null)
      return this.#isCurrent(await storeFiles.bySeq(tenantId, this.#file.seq)) ? null : { type: "done" };
    for (let from = 0; ; from += INDEXED_AT_ONCE) {
      if (signal.aborted) return { type: "interrupted" };
      const slice = { tenantId, owner: this.#owner, generation: id, from, limit: INDEXED_AT_ONCE };
      // Read and added at once: what a commit changes in between would be undone by the older row.
      const added = await indexReads.slice(slice, (current, chunks) => {
        if (!this.#isCurrent(current)) return null;
        addSlice(lease.index, current, { chunks, from });
        return chunks.length;
      });
      if (added === null) return { type: "done" };
      if (added < INDEXED_AT_ONCE) return null;
      await nextTurn();
    }
  }

  /** False where the file is not whole after all. */
  async #finish(isIndexed: boolean): Promise<boolean> {
    const { generation, progress } = this.#target;
    const { tenant_id: tenantId, id } = generation;
    return await this.#deps.storage.transaction(async (tables, tx) => {
      // Texts were added to it while its index took it in: the next round takes them.
      if (isIndexed && (await tables.chunks.withoutVector(tenantId, this.#owner, id, 1)).length > 0) return false;
      // Detached or attached anew: what is written down must not say that this revision is there.
      if (!this.#isCurrent(await tables.storeFiles.bySeq(tenantId, this.#file.seq))) return false;
      const totals = await tables.chunks.fileTotals(tenantId, this.#owner, generation);
      await tables.generationFiles.setDone(generation, this.#file, this.#strategy, totals);
      await progress.file(tables, tx);
      return true;
    }, "work");
  }

  #isCurrent(row: StoreFileRow | null): row is StoreFileRow {
    return row !== null && row.revision === this.#file.revision && row.status === "completed";
  }
}

function afterEmbedFailure({ reason, detail, retryAfterMs }: EmbedFailure): CatchUpResult {
  switch (reason) {
    case "aborted":
      return { type: "interrupted" };
    case "overloaded":
    case "unavailable":
      return { type: "away", detail, retryAfterMs };
    case "too_long":
    case "rejected":
      return { type: "failed", detail };
  }
}

async function liveGeneration(storage: Storage, { tenant_id, store_id }: GenerationRow): Promise<GenerationRow | null> {
  const store = await storage.stores.get(tenant_id, store_id);
  return store === null ? null : await storage.generations.liveOf(store);
}
