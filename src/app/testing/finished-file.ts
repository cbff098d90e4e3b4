import { fitVectors } from "../../embed/vectors.ts";
import { encodeTerms } from "../../index/analyzer.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import { DIMENSIONS, vectorOf } from "./words-model.ts";

/** A file in a store, and the generation that searches of the store read. */
export interface PlacedFile {
  file: StoreFileRow;
  generation: GenerationRow;
}

/** The rows of a file of tenant `ten_a` in a store. Throws where it is in none. */
export async function placedFile(storage: Storage, storeId: string, fileId: string): Promise<PlacedFile> {
  const [file] = (await storage.storeFiles.ofFile("ten_a", fileId)).filter((row) => row.store_id === storeId);
  const store = await storage.stores.get("ten_a", storeId);
  const generation = store?.live_generation == null ? null : await storage.generations.byId(store.live_generation);
  if (file === undefined || generation === null) throw new Error(`${fileId} is not in ${storeId}`);
  return { file, generation };
}

/** The rows that an ingest leaves: these chunks, one character apart, with vectors, and a completed file. */
export async function completeFile(tables: Tables, { file, generation }: PlacedFile, texts: readonly string[]) {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  await tables.chunks.add({ tenantId: file.tenant_id, storeId: file.store_id, ...owner }, chunksOf(texts));
  const rows = await tables.chunks.withoutVector(file.tenant_id, owner, generation.id, texts.length);
  const { dimensions } = generation;
  const vectors = rows.map(({ id, text }) => ({
    chunkId: id,
    data: dimensions === DIMENSIONS ? vectorOf(text) : fitVectors(vectorOf(text), DIMENSIONS, dimensions),
  }));
  await tables.chunks.addVectors(file.tenant_id, generation.id, vectors);
  const usageBytes = texts.join("").length + texts.length * dimensions * 4;
  const result = { usageBytes, chunks: texts.length, vectors: texts.length };
  if (!(await tables.storeFiles.complete(file.tenant_id, file.seq, file.revision, result)))
    throw new Error("not in progress");
  await tables.jobs.drop(file.tenant_id, "ingest", String(file.seq));
}

/** A page for each. */
function chunksOf(texts: readonly string[]) {
  let start = 0;
  return texts.map((text, idx) => {
    const end = start + [...text].length;
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
      terms: encodeTerms({ text, heading: [], title: "" }),
    };
    start = end + 1;
    return chunk;
  });
}
