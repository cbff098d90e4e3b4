import { AppError } from "../../errors.ts";
import type { TextFacts } from "../../index/text-analysis.ts";
import type { ChunkOwner, ChunkRow, NewChunk } from "../../storage/chunks.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Tables } from "../../storage/storage.ts";
import type { Within } from "../attaching/attach.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import { AUTO_STRATEGY } from "../attaching/input.ts";
import { INLINE } from "./inline-files.ts";
import type { Item } from "./items.ts";
import type { InsertVectorBody } from "./schema.ts";

/** The file that a chunk is for. */
export interface ChunkFile {
  fileId: string;
  /** Of the first of its chunks, for errors. */
  prefix: string;
  /** Files that may be in the store; null: no limit. */
  most: number | null;
  nowSeconds: number;
}

/** The row that a chunk belongs to; made here where the file is not attached yet, without indexing its bytes. */
export async function fileFor(
  { storeFiles, files }: Tables,
  store: StoreRow,
  { fileId, prefix, most, nowSeconds }: ChunkFile,
): Promise<StoreFileRow> {
  const param = `${prefix}file_id`;
  const there = await storeFiles.get(store.tenant_id, store.id, fileId);
  if (there?.status === "completed") return there;
  if (there !== null) {
    throw new AppError(
      "invalid_value",
      `Invalid '${param}': file '${fileId}' is ${there.status.replace("_", " ")} in this store; only a completed file takes more chunks.`,
      { param },
    );
  }
  const file = await files.get(store.tenant_id, fileId);
  if (file === null) throw noSuchFile(fileId, prefix);
  if (most !== null && (await storeFiles.count(store.tenant_id, store.id)) >= most)
    throw new AppError("file_limit_reached", `Vector store '${store.id}' may hold ${most} files at most.`);
  const row = await storeFiles.insert({
    tenantId: store.tenant_id,
    storeId: store.id,
    fileId,
    filename: file.filename,
    fileBytes: file.bytes,
    createdAt: nowSeconds,
    attributes: null,
    ...AUTO_STRATEGY,
  });
  await storeFiles.setChunked(store.tenant_id, row.seq, row.revision, []);
  await storeFiles.complete(store.tenant_id, row.seq, row.revision, { usageBytes: 0, chunks: 0, vectors: 0 });
  return (await storeFiles.bySeq(store.tenant_id, row.seq)) ?? row;
}

/** An item, and what was found in its text for a file of some name. */
export interface AnalysedItem {
  item: Item;
  facts: TextFacts;
}

/** Chunks written between two turns of the event loop: some milliseconds' worth. */
const SLICE = 250;

/** Appends chunks to a file, in their order; returns their rows' ids. Gives others a turn between slices of many. */
export async function append(
  { tables: { chunks, storeFiles }, tx }: Within,
  { file, generation }: { file: StoreFileRow; generation: GenerationRow },
  items: readonly AnalysedItem[],
): Promise<number[]> {
  const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const at = { tenantId: file.tenant_id, storeId: file.store_id, ...owner };
  const added = chunksAfter(await chunks.last(file.tenant_id, owner), items);
  const ids: number[] = [];
  for (let from = 0; from < items.length; from += SLICE) {
    if (from > 0) await tx.nextTurn();
    const slice = items.slice(from, from + SLICE);
    const own = await chunks.add(at, added.slice(from, from + SLICE));
    const vectors = slice.flatMap(({ item }, i) => {
      const chunkId = own[i];
      return chunkId === undefined ? [] : [{ chunkId, data: item.vectors }];
    });
    await chunks.addVectors(file.tenant_id, generation.id, vectors);
    ids.push(...own);
  }
  // The commit and what the index takes in with it are long enough by themselves.
  if (items.length > SLICE) await tx.nextTurn();
  await storeFiles.addContent(file.tenant_id, file.seq, contentBytes(items.map(({ item }) => item.body)));
  const texts = items.reduce((sum, { item }) => sum + Buffer.byteLength(item.body.content), 0);
  const numbers = items.reduce((sum, { item }) => sum + item.vectors.length, 0);
  await storeFiles.addTotals(file.tenant_id, file.seq, {
    chunks: items.length,
    vectors: Math.round(numbers / generation.dimensions),
    usageBytes: texts + numbers * Float32Array.BYTES_PER_ELEMENT,
  });
  return ids;
}

/** What texts and their attributes take, of a tenant's quota and of the disk: UTF-8. */
export function contentBytes(bodies: readonly Pick<InsertVectorBody, "content" | "attributes" | "metadata">[]): number {
  let bytes = 0;
  for (const { content, attributes = {}, metadata = {} } of bodies) {
    bytes += Buffer.byteLength(content);
    for (const [key, value] of Object.entries({ ...metadata, ...attributes }))
      bytes += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  return bytes;
}

/** The texts as chunks that follow the last one there is. */
function chunksAfter(last: Pick<ChunkRow, "idx" | "end_cp"> | null, items: readonly AnalysedItem[]): NewChunk[] {
  let start = last === null ? 0 : last.end_cp + 1;
  return items.map(({ item, facts }, i): NewChunk => {
    const end = start + facts.codePoints;
    const chunk: NewChunk = {
      idx: (last?.idx ?? -1) + 1 + i,
      text: item.body.content,
      tokens: facts.tokens,
      start,
      end,
      page: null,
      pageEnd: null,
      line: null,
      lineEnd: null,
      heading: [],
      terms: facts.terms,
      attributes: Object.keys(item.attributes ?? {}).length === 0 ? null : item.attributes,
    };
    start = end + 1;
    return chunk;
  });
}

/** What a file's chunks are found by, beside their texts: one that was made for them has no name that anybody gave it. */
export function nameOf(filename: string): string {
  return filename === INLINE ? "" : filename;
}

/** @param prefix of the item's parameters */
export function noSuchFile(fileId: string, prefix: string): AppError {
  return new AppError("file_not_found", `No such File object: ${fileId}`, { param: `${prefix}file_id` });
}
