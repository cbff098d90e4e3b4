import type { Blobs } from "../storage/blobs.ts";
import type { ChunkOwner } from "../storage/chunks.ts";
import type { ChunkStrategy, MissingFile } from "../storage/generation-files.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Storage } from "../storage/storage.ts";
import type { EmbedPassages } from "./cached-passages.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import { embedChunks } from "./embed-chunks.ts";
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
  parse: ParseLane;
  embed: EmbedPassages;
  /** The file is whole in this generation: its index, if it is in memory, takes it. */
  indexFile(generation: GenerationRow, file: { seq: number }): void;
}

export type CatchUpResult =
  | { type: "done" }
  | { type: "interrupted" }
  /** The model or its provider is away: try again later. */
  | { type: "away"; detail: string; retryAfterMs: number | undefined }
  | { type: "failed"; detail: string };

export interface CatchUpProgress {
  /** The file's chunks are there. */
  chunked(): void;
  file(): void;
  chunks(count: number, tokens: number): void;
}

export const NO_PROGRESS: CatchUpProgress = { chunked() {}, file() {}, chunks() {} };

const EMBED_SLICE = 16;
const FILES = 50;
/** Files worked on at the same time: one alone leaves the lanes idle between its steps. */
const AT_ONCE = 4;

/** Adds every missing file, in order; `strategy` overrides the files' own chunking. Ends when nothing is missing. */
export async function catchUp(
  deps: CatchUpDeps,
  generation: GenerationRow,
  strategy: ChunkStrategy | null,
  progress: CatchUpProgress,
  signal: AbortSignal,
): Promise<CatchUpResult> {
  for (;;) {
    let afterSeq = 0;
    let found = 0;
    for (;;) {
      const files = deps.storage.generationFiles.missing(generation, afterSeq, FILES);
      found += files.length;
      afterSeq = files.at(-1)?.seq ?? afterSeq;
      for (let at = 0; at < files.length; at += AT_ONCE) {
        if (signal.aborted) return { type: "interrupted" };
        const group = files.slice(at, at + AT_ONCE);
        const results = await Promise.all(
          group.map((file) => addFile(deps, generation, file, strategy, progress, signal)),
        );
        const ended = results.find((result) => result.type !== "done");
        if (ended !== undefined) return ended;
      }
      if (files.length < FILES) break;
    }
    // Files that were attached meanwhile are found by another round.
    if (found === 0) return { type: "done" };
    await nextTurn();
  }
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
  const { tenant_id: tenantId } = generation;
  const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const cut = strategy ?? { maxTokens: file.max_tokens, overlapTokens: file.overlap_tokens };
  if (file.chunked === 0) {
    const chunked = await chunkFile(deps, generation, file, owner, cut, signal);
    if (chunked.type !== "done") return chunked;
    progress.chunked();
  }
  const embedding = { storage, embed: deps.embed, slice: EMBED_SLICE };
  const failure = await embedChunks(embedding, generation, owner, file.file_id, signal, progress.chunks);
  if (failure !== null) {
    if (failure.reason === "aborted") return { type: "interrupted" };
    if (failure.reason === "overloaded" || failure.reason === "unavailable") {
      return { type: "away", detail: failure.detail, retryAfterMs: failure.retryAfterMs };
    }
    return { type: "failed", detail: failure.detail };
  }
  storage.db.relaxed(() =>
    storage.db.transaction(() => {
      // Detached or attached anew meanwhile: then this was for nothing, and what it left is garbage.
      const current = storage.storeFiles.bySeq(tenantId, file.seq);
      if (current === null || current.revision !== file.revision || current.status !== "completed") return;
      const totals = storage.chunks.fileTotals(tenantId, owner, generation);
      storage.generationFiles.setDone(generation, file, cut, totals);
      storage.db.onCommit(() => deps.indexFile(generation, file));
    }),
  );
  progress.file();
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
  if (isSharedSet(storage, generation)) {
    storage.generationFiles.setChunked(generation, file, strategy);
    return { type: "done" };
  }
  const upload = storage.files.get(tenantId, file.file_id);
  if (upload === null) return { type: "done" };
  if (upload.bytes === 0) {
    // Texts that came through the API one by one: there is nothing to cut anew, they stay as they are.
    const live = storage.stores.get(tenantId, generation.store_id)?.live_generation;
    const from = live == null ? null : storage.generations.get(tenantId, live);
    if (from !== null) storage.chunks.copyToSet(file.seq, file.revision, from.chunk_set, generation.chunk_set);
    storage.generationFiles.setChunked(generation, file, strategy);
    return { type: "done" };
  }
  const discard = () => {
    for (let after: number | null = 0; after !== null;)
      after = storage.chunks.removeFromGeneration(generation, file.seq, after, true);
  };
  discard();
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
    (chunks) => {
      if (stored > 0 && chunks[0]?.idx === 0) discard();
      storage.chunks.add({ tenantId, storeId: generation.store_id, ...owner }, chunks);
      stored += chunks.length;
    },
    signal,
  );
  switch (outcome.type) {
    case "parsed":
      storage.generationFiles.setChunked(generation, file, strategy);
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
function isSharedSet(storage: Storage, generation: GenerationRow): boolean {
  const live = storage.stores.get(generation.tenant_id, generation.store_id)?.live_generation;
  if (live == null) return false;
  return storage.generations.get(generation.tenant_id, live)?.chunk_set === generation.chunk_set;
}

/** Keeps a generation that a rollback may need up to date, in the background. */
export function scheduleCatchUp(storage: Storage, generation: GenerationRow): void {
  storage.jobs.insert({
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
      const generation = deps.storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || generation.state !== "retained") return { type: "done" };
      const result = await catchUp(deps, generation, null, NO_PROGRESS, signal);
      switch (result.type) {
        case "interrupted":
          return { type: "interrupted" };
        case "away":
        case "failed":
          // A rollback tells when files are missing; until then there is time.
          return { type: "retry", inMs: AWAY_RETRY_MS };
        case "done": {
          const behind = deps.storage.generationFiles.countMissing(generation).files > 0;
          return behind ? { type: "retry", inMs: 0 } : { type: "done" };
        }
      }
    },
  };
}
