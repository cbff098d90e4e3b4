/**
 * Images of indexes (index/image-file.ts) and the database: how one is written from it, and how one that was written some
 * time ago is brought up to it.
 *
 * An image has of each file a mark: a sum of what the file's row said when its chunks were read (ChunkReads). Opening
 * compares the marks with today's rows, a query for all files of the store: whose mark is another one is read anew, who is
 * gone is taken out. So an image may be as old as it likes, and need not be of one instant: a row that changed while its
 * chunks were read has another mark by then. Only of live generations, whose files' rows say what is in them.
 *
 * File: `<data>/stores/<store id>/gen-<generation id>.image`.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { GenerationIdentity } from "../index/generation.ts";
import { type ImageFile, ImageFileWriter, type ImageRefusal, type ImageStep, openImage } from "../index/image-file.ts";
import { ImageError } from "../index/image-sections.ts";
import { StoreIndex, type StoreIndexOptions } from "../index/store-index.ts";
import { ANALYZER_VERSION } from "../index/term-blob.ts";
import { pathPart } from "../platform/ids.ts";
import type { ChunkReads } from "../storage/chunk-reads.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { ImagedGeneration, ImageResult } from "../workers/protocol.ts";
import { indexOptions, type LoadedFrom, type LoadTurns, nextShareOf, readInto } from "./load-index.ts";

/** Files a query. */
const FILES = 500;
/** Where more than this share of an image's files is not what it was, reading all anew is less work. */
const OUTDATED_SHARE = 0.5;
const FEW_FILES = 100;
/** Of the names of its arrays, so that these are never among them. */
const KEYS = "file keys";
const MARKS = "file marks";
export const HIGHEST_CHUNK = "highest chunk";

export function imagePath(dataDir: string, storeId: string, generationId: number): string {
  return join(dataDir, "stores", pathPart(storeId), `gen-${generationId}.image`);
}

function identityOf(generation: ImagedGeneration): GenerationIdentity {
  const { id, store_id, model, model_revision, dimensions, chunk_set, window_tokens } = generation;
  return {
    generation: id,
    store: store_id,
    model,
    revision: model_revision,
    dimensions,
    chunkSet: chunk_set,
    windowTokens: window_tokens,
    analyzer: ANALYZER_VERSION,
  };
}

export type OpenedIndex = { ok: true; index: StoreIndex; mappedBytes: number } | Refused;
export interface Refused {
  ok: false;
  reason: ImageRefusal | "outdated";
  detail: string;
}

/** The index of a live generation from its image, as the database is now. Rejects with the signal's reason when aborted. */
export async function openIndexImage(
  from: LoadedFrom,
  { dataDir, generation }: { dataDir: string; generation: GenerationRow },
  turns: LoadTurns,
): Promise<OpenedIndex> {
  const path = imagePath(dataDir, generation.store_id, generation.id);
  let opened = await openImage(path, identityOf(generation), turns);
  // A new one took its place meanwhile, or there is none.
  if (!opened.ok && opened.reason === "missing") opened = await openImage(path, identityOf(generation), turns);
  if (!opened.ok) return opened;
  const { image } = opened;
  // Ids of chunks are never given twice, but a database that was put back gives those of its future again.
  if (image.number(HIGHEST_CHUNK) > (await from.storage.chunks.highestId()))
    return { ok: false, reason: "outdated", detail: "it is newer than the database" };
  const keys = image.array(KEYS, "f64");
  const changed = await changedFiles(from, { generation, keys, marks: image.array(MARKS, "u64") }, turns);
  if (changed.gone.length + changed.anew.length > Math.max(FEW_FILES, keys.length * OUTDATED_SHARE))
    return { ok: false, reason: "outdated", detail: "most of its files are not what they were" };
  const made = indexOver(image, indexOptions(from, generation));
  if (!made.ok) return made;
  const { index } = made;
  for (const seq of changed.gone) {
    index.removeFile(seq);
    await turns.breathe();
  }
  // By what the database says now: what changes meanwhile is repeated by the registry.
  for (const seq of changed.anew) {
    const [file] = await from.storage.chunks.completedFiles(generation.tenant_id, generation.store_id, seq - 1, 1);
    index.removeFile(seq);
    if (file?.seq === seq) await readInto(from.storage.chunks, { index, generation, file }, turns);
  }
  return { ok: true, index, mappedBytes: image.byteLength };
}

/** An image is whole and yet no index where another version wrote it. */
function indexOver(image: ImageFile, options: StoreIndexOptions): { ok: true; index: StoreIndex } | Refused {
  try {
    return { ok: true, index: StoreIndex.from(options, image) };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { ok: false, reason: "other-identity", detail: error.message };
  }
}

interface ImagedFiles {
  generation: GenerationRow;
  /** Ascending, with the mark of each. */
  keys: Float64Array;
  marks: BigUint64Array;
}

/** Files that came or changed since the marks were made, and those that are no longer there. */
async function changedFiles(
  { storage }: LoadedFrom,
  { generation, keys, marks }: ImagedFiles,
  turns: LoadTurns,
): Promise<{ anew: number[]; gone: number[] }> {
  const { tenant_id: tenantId, store_id: storeId } = generation;
  const anew: number[] = [];
  const gone: number[] = [];
  let at = 0;
  for (let after = 0; ;) {
    const files = await storage.chunks.marksOfCompleted(tenantId, storeId, after, FILES);
    for (const { seq, mark } of files) {
      while (at < keys.length && keys[at]! < seq) gone.push(keys[at++]!);
      if (keys[at] !== seq) anew.push(seq);
      else if (marks[at++] !== sumOf(mark)) anew.push(seq);
    }
    await turns.breathe();
    const last = files.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  while (at < keys.length) gone.push(keys[at++]!);
  return { anew, gone };
}

export interface ImageSource {
  chunks: Pick<ChunkReads, "highestId" | "marksOfCompleted" | "completedFiles" | "forIndex">;
  generation: ImagedGeneration;
  dataDir: string;
  /** Unix milliseconds. */
  nowMs: number;
  passed(step: ImageStep): void;
  /** Makes the rows that were read durable. */
  makeDurable(): Promise<void>;
  /** Chunks that are read before what there is is written and mapped (default: ROUND_CHUNKS). */
  roundChunks?: number | undefined;
}

/** Chunks that are read before what there is is written and mapped again: bounds the memory that it takes. */
const ROUND_CHUNKS = 200_000;

/** Reads a generation and writes its image, in place of the one that there may be. Throws what the disk says. */
export async function writeIndexImage(source: ImageSource): Promise<ImageResult> {
  const draft = new ImageDraft(source, await source.chunks.highestId());
  try {
    for (let after = 0; ;) {
      const files = await draft.read(after);
      if (files === null) return await draft.finish();
      after = files;
    }
  } finally {
    draft.clear();
  }
}

class ImageDraft {
  readonly #source: ImageSource;
  readonly #path: string;
  readonly #highestChunk: number;
  readonly #keys: number[] = [];
  readonly #marks: bigint[] = [];
  #index: StoreIndex;
  #mappedChunks = 0;

  constructor(source: ImageSource, highestChunk: number) {
    this.#source = source;
    this.#path = imagePath(source.dataDir, source.generation.store_id, source.generation.id);
    this.#highestChunk = highestChunk;
    this.#index = new StoreIndex(this.#options);
  }

  /** Reads some files after this one; answers the last that was looked at, null where there is none. */
  async read(after: number): Promise<number | null> {
    const { chunks, generation, roundChunks: round = ROUND_CHUNKS } = this.#source;
    const { tenant_id: tenantId, store_id: storeId } = generation;
    // The marks before what they are of: what changes in between has another one.
    const marks = await chunks.marksOfCompleted(tenantId, storeId, after, FILES);
    const rows = new Map((await chunks.completedFiles(tenantId, storeId, after, FILES)).map((row) => [row.seq, row]));
    for (const { seq, mark } of marks) {
      const file = rows.get(seq);
      if (file === undefined) continue;
      await readInto(chunks, { index: this.#index, generation, file }, NO_TURNS);
      this.#keys.push(seq);
      this.#marks.push(sumOf(mark));
      if (this.#index.chunkCount - this.#mappedChunks >= round) await this.#map();
    }
    return marks.at(-1)?.seq ?? null;
  }

  async finish(): Promise<ImageResult> {
    if (!this.#index.isCurrent) return { ok: false, reason: "older-terms" };
    // Before the image has its name: a power cut that took the rows would have the ids of their chunks given again, to others.
    await this.#source.makeDurable();
    const bytes = this.#write(this.#path, this.#source.passed);
    return { ok: true, bytes, chunks: this.#index.chunkCount };
  }

  clear(): void {
    for (const path of [this.#partPath, `${this.#partPath}.tmp`]) rmSync(path, { force: true });
  }

  /** Under a name of its own: it is no whole image. */
  get #partPath(): string {
    return `${this.#path}.part`;
  }

  get #options() {
    const { generation } = this.#source;
    const { dimensions } = generation;
    return { dimensions, nextShare: nextShareOf(generation), fetchVectors: () => [] };
  }

  /** Goes on with what there is from a mapping of it. */
  async #map(): Promise<void> {
    this.#write(this.#partPath, () => {});
    const mapped = await openImage(this.#partPath, identityOf(this.#source.generation));
    if (!mapped.ok) throw new Error(`what was just written cannot be read: ${mapped.detail}`);
    this.#index = StoreIndex.from(this.#options, mapped.image);
    this.#mappedChunks = this.#index.chunkCount;
    rmSync(this.#partPath);
  }

  #write(path: string, passed: (step: ImageStep) => void): number {
    const image = ImageFileWriter.create(path, identityOf(this.#source.generation), this.#source.nowMs);
    try {
      this.#index.writeTo(image);
      image.value(HIGHEST_CHUNK, this.#highestChunk);
      image.array(KEYS, Float64Array.from(this.#keys));
      image.array(MARKS, BigUint64Array.from(this.#marks));
      // What it was made of lies on a file itself.
      if (!this.#index.isIntact) throw new Error("what was written of it before cannot be read any more");
      return image.finish(passed);
    } catch (error) {
      image.discard();
      throw error;
    }
  }
}

const NO_TURNS: LoadTurns = { breathe: async () => {} };

function sumOf(mark: string): bigint {
  return Bun.hash.xxHash3(mark);
}
