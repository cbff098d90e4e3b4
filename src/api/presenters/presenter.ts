/**
 * A dialect is a way of saying the same things. Handlers produce OpenAI's objects with everything Lectern adds (the
 * schemas of each feature); a presenter turns such an object into what clients of its dialect expect. It never asks
 * anything of storage and decides nothing but shape. `rules` are the few demands that a dialect makes of requests.
 */
import type { Chunk } from "../chunks/schema.ts";
import type { FileBatch } from "../file-batches/schema.ts";
import type { Model } from "../models/schema.ts";
import type { SearchPage } from "../search/schema.ts";
import type { FileContentPage, VectorStoreFile } from "../attaching/schema.ts";
import type { VectorStore } from "../store-schema.ts";

export interface Presenter {
  store(store: VectorStore): object;
  storeFile(file: VectorStoreFile): object;
  /** `cancelling`: a cancel was asked for and files of the batch still run. */
  batch(batch: FileBatch, cancelling: boolean): object;
  search(page: SearchPage): object;
  content(page: FileContentPage): object;
  model(model: Model): object;
  chunk(chunk: Chunk): object;
  rules: DialectRules;
}

/** A batch, and whether files of it still run although a cancel was asked for. */
export interface ShownBatch {
  batch: FileBatch;
  cancelling: boolean;
}

export interface DialectRules {
  /** `name` and `embedding_model` must be given when a store is created. */
  nameAndModelRequired: boolean;
  /** OpenAI's limits on metadata: at most 16 pairs, keys of 64 and strings of 512 characters. */
  strictMetadata: boolean;
  /** Files of one batch at most. */
  maxBatchFiles: number;
  /** What more of them are called. */
  tooManyFiles: "array_above_max_length" | "too_many_files";
  /** `ranking_options.ranker` takes OpenAI's names and no other. */
  openaiRankersOnly?: boolean | undefined;
  /** `filters` take OpenAI's form and no other. */
  typedOnly?: boolean | undefined;
  /** File names keep the folders that they are sent with. */
  keepsFolders?: boolean | undefined;
  /** A store that is being deleted answers 409 instead of 404. */
  deletedIsUnavailable: boolean;
}

/** Metadata as OpenAI's schema has it, a map of texts: what was stored free-form is written out as JSON. */
export function textMetadata(metadata: VectorStore["metadata"]): Record<string, string> | null {
  if (metadata === null) return null;
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** A presenter keeps ids; its type does not say so. */
export function presentWithId<T extends { id: string }>(present: (item: T) => object): (item: T) => { id: string } {
  return (item) => ({ id: item.id, ...present(item) });
}
