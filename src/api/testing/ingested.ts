import { encodeTerms } from "../../index/analyzer.ts";
import { StoreIndex } from "../../index/store-index.ts";
import { floatsOf } from "../../storage/chunks.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { IndexReads } from "../../storage/index-reads.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import { vectorOf } from "./word-model.ts";

/** The rows of a file in a store of the first tenant, and of the generation that it is searched in. */
export async function rowsOf(
  storage: Storage,
  storeId: string,
  fileId: string,
): Promise<{ file: StoreFileRow; generation: GenerationRow }> {
  const [file] = (await storage.storeFiles.ofFile("ten_a", fileId)).filter((row) => row.store_id === storeId);
  const store = await storage.stores.get("ten_a", storeId);
  const generation = store === null ? null : await storage.generations.liveOf(store);
  if (file === undefined || generation === null) throw new Error(`${fileId} is not in ${storeId}`);
  return { file, generation };
}

/** These texts become the file's chunks, with vectors; it is completed. */
export async function complete(
  storage: Tables,
  file: StoreFileRow,
  generation: GenerationRow,
  texts: readonly string[],
): Promise<void> {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  let start = 0;
  const chunks = texts.map((text, idx) => {
    const end = start + [...text].length;
    const terms = encodeTerms({ text, heading: [], title: "" });
    const chunk = {
      idx,
      text,
      tokens: text.length,
      start,
      end,
      page: idx + 1,
      pageEnd: idx + 1,
      line: null,
      lineEnd: null,
      heading: ["Top"],
      terms,
    };
    start = end + 1;
    return chunk;
  });
  await storage.chunks.add({ tenantId: file.tenant_id, storeId: file.store_id, ...owner }, chunks);
  const rows = await storage.chunks.withoutVector(file.tenant_id, owner, generation.id, texts.length);
  const vectors = rows.map(({ id, text }) => ({ chunkId: id, data: vectorOf(text).slice(0, generation.dimensions) }));
  await storage.chunks.addVectors(file.tenant_id, generation.id, vectors);
  const usageBytes = texts.join("").length + texts.length * generation.dimensions * 4;
  const result = { usageBytes, chunks: texts.length, vectors: texts.length };
  if (!(await storage.storeFiles.complete(file.tenant_id, file.seq, file.revision, result)))
    throw new Error("not in progress");
}

export async function loadIndex(storage: Storage, generationId: number): Promise<StoreIndex> {
  const generation = await storage.generations.byId(generationId);
  if (generation === null) throw new Error("no such generation");
  const index = new StoreIndex({
    dimensions: generation.dimensions,
    fetchVectors: (ids) => storage.indexReads.vectors(ids, generation.id),
  });
  for (const { seq } of await storage.chunks.completedFiles(generation.tenant_id, generation.store_id, 0, 10_000)) {
    const file = storage.indexReads.storeFile(generation.tenant_id, seq);
    if (file !== null) addFile(storage.indexReads, index, file, generation);
  }
  return index;
}

export function addFile(
  indexReads: IndexReads,
  index: StoreIndex,
  file: StoreFileRow,
  generation: GenerationRow,
): void {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const rows = indexReads.chunks(file.tenant_id, owner, generation.id, 0, 10_000);
  index.addFile({
    fileKey: file.seq,
    fileId: file.file_id,
    filename: file.filename,
    attributes: file.attributes ?? {},
    chunks: rows.map((row) => ({ chunkId: row.chunk_id, terms: row.terms, vectors: floatsOf(row.data) })),
  });
}
