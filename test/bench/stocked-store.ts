/**
 * Large stores without the hours of ingest: rows as an ingest leaves them, written into the database of a server that is
 * stopped, with words that fall off as words do and vectors around topics.
 */
import { join } from "node:path";
import { encodeTerms } from "../../src/index/analyzer.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import type { GenerationRow } from "../../src/storage/generations.ts";
import { createStorage, type Storage, type Tables } from "../../src/storage/storage.ts";
import { json, newStore, upload } from "../helpers/api.ts";
import { startServer, type StartOptions } from "../helpers/server.ts";
import { Embeddings, Words } from "./corpus.ts";
import { settled } from "./server-data.ts";

/** Of the model that is a table of words: a question's vector costs next to nothing. */
export const STOCK_OPTIONS: StartOptions = { args: ["--default-model", "lectern-embed-en"] };
const CHUNKS_A_FILE = 20;
const FILES_A_TRANSACTION = 25;
const WORDS_A_CHUNK = 110;
/** Texts and vectors that take turns: to make each anew would take longer than all else. */
const DISTINCT = 5_000;

/** A stopped server's data directory with a store of about so many chunks; answers the store's id. */
export async function stockStore(dataDir: string, chunks: number): Promise<string> {
  const [storeId] = await stockStores(dataDir, 1, chunks);
  return storeId ?? "";
}

/** The same with so many stores, each of about so many chunks; answers their ids. */
export async function stockStores(dataDir: string, count: number, chunks: number): Promise<string[]> {
  const storeIds = await emptyStores(dataDir, count);
  const database = openSqlite(join(dataDir, "meta.sqlite"), { flush: false });
  const storage = createStorage(database);
  const stock = stockOf(Math.min(DISTINCT, chunks));
  for (const { id } of await storage.generations.inUse()) {
    const generation = await storage.generations.byId(id);
    if (generation === null) throw new Error("a store has no generation");
    await fill(storage, generation, chunks, stock);
  }
  await database.close();
  return storeIds;
}

function stockOf(count: number): Stocked[] {
  const [words, embeddings] = [new Words(1), new Embeddings(1)];
  return Array.from({ length: count }, () => {
    const text = words.text(WORDS_A_CHUNK);
    return { text, terms: encodeTerms({ text, heading: [], title: "" }), data: embeddings.next() };
  });
}

async function fill(
  storage: Storage,
  generation: GenerationRow,
  chunks: number,
  stock: readonly Stocked[],
): Promise<void> {
  const files = Math.ceil(chunks / CHUNKS_A_FILE);
  for (let from = 0; from < files; from += FILES_A_TRANSACTION) {
    await storage.transaction(async (tables) => {
      for (let file = from; file < Math.min(files, from + FILES_A_TRANSACTION); file++) {
        const first = file * CHUNKS_A_FILE;
        const own = Array.from({ length: Math.min(CHUNKS_A_FILE, chunks - first) }, (_, idx) => ({
          idx,
          ...(stock[(first + idx) % stock.length] ?? NOTHING),
        }));
        await addFile(tables, { generation, file }, own);
      }
    }, "work");
  }
}

interface Stocked {
  text: string;
  terms: Uint8Array;
  data: Float32Array;
}

const NOTHING: Stocked = { text: "", terms: new Uint8Array(), data: new Float32Array() };
const STRATEGY = { maxTokens: 800, overlapTokens: 400 };
const NOWHERE = { page: null, pageEnd: null, line: null, lineEnd: null, heading: [] };

/** A completed file with its chunks, as an ingest leaves it. */
async function addFile(
  tables: Tables,
  { generation, file }: { generation: GenerationRow; file: number },
  own: readonly (Stocked & { idx: number })[],
): Promise<void> {
  const { tenant_id: tenantId, store_id: storeId } = generation;
  const row = await tables.storeFiles.insert({
    tenantId,
    storeId,
    fileId: `file-${String(file).padStart(24, "0")}`,
    filename: `document-${file}.txt`,
    fileBytes: 1000,
    createdAt: 1,
    attributes: { lot: file % 1000, half: file % 2 === 0 },
    ...STRATEGY,
  });
  const owner = { tenantId, storeId, storeFile: row.seq, chunkSet: generation.chunk_set, revision: row.revision };
  const chunks = own.map(({ idx, text, terms }) => {
    const start = idx * 1000;
    return { idx, text, tokens: 150, start, end: start + text.length, ...NOWHERE, terms };
  });
  const ids = await tables.chunks.add(owner, chunks);
  const vectors = ids.map((chunkId, i) => ({ chunkId, data: own[i]?.data ?? NOTHING.data }));
  await tables.chunks.addVectors(tenantId, generation.id, vectors);
  await tables.storeFiles.setChunked(tenantId, row.seq, row.revision, []);
  const totals = { usageBytes: own.length * 2000, chunks: own.length, vectors: own.length };
  await tables.storeFiles.complete(tenantId, row.seq, row.revision, totals);
  await tables.generationFiles.setDone(generation, row, STRATEGY, totals);
}

/** With a live generation each: a file makes one. */
async function emptyStores(dataDir: string, count: number): Promise<string[]> {
  await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
  const file = await upload(server, "first.txt", "The first file.");
  const storeIds: string[] = [];
  for (let i = 0; i < count; i++) {
    const storeId = await newStore(server, { name: "stocked" });
    await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: file });
    await settled(server, storeId);
    storeIds.push(storeId);
  }
  await server.stop();
  return storeIds;
}
