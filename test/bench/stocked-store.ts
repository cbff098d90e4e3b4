/**
 * Large stores without the hours of ingest: rows as an ingest leaves them, written into the database of a server that is
 * stopped, with words that fall off as words do and vectors around topics.
 */
import { join } from "node:path";
import { encodeTerms } from "../../src/index/analyzer.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { createStorage } from "../../src/storage/storage.ts";
import { newStore, upload } from "../helpers/api.ts";
import { json } from "../helpers/api.ts";
import { startServer, type StartOptions } from "../helpers/server.ts";
import { DIMENSIONS, Embeddings, Words } from "./corpus.ts";
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
  const storeId = await emptyStore(dataDir);
  const database = openSqlite(join(dataDir, "meta.sqlite"), { flush: false });
  const storage = createStorage(database);
  const { tenant_id: tenantId, id: generationId } = (await storage.generations
    .inUse()
    .then(async ([one]) => (one === undefined ? null : await storage.generations.byId(one.id)))) ?? {
    tenant_id: "",
    id: 0,
  };
  const generation = await storage.generations.get(tenantId, generationId);
  if (generation === null) throw new Error("the store has no generation");
  const [words, embeddings] = [new Words(1), new Embeddings(1)];
  const stock = Array.from({ length: Math.min(DISTINCT, chunks) }, () => {
    const text = words.text(WORDS_A_CHUNK);
    return { text, terms: encodeTerms({ text, heading: [], title: "" }), data: embeddings.next() };
  });
  const strategy = { maxTokens: 800, overlapTokens: 400 };
  for (let made = 0, file = 0; made < chunks;) {
    await storage.transaction(async (tables) => {
      for (let i = 0; i < FILES_A_TRANSACTION && made < chunks; i++, file++) {
        const row = await tables.storeFiles.insert({
          tenantId,
          storeId,
          fileId: `file-${String(file).padStart(24, "0")}`,
          filename: `document-${file}.txt`,
          fileBytes: 1000,
          createdAt: 1,
          attributes: { lot: file % 1000, half: file % 2 === 0 },
          ...strategy,
        });
        const owner = { tenantId, storeId, storeFile: row.seq, chunkSet: generation.chunk_set, revision: row.revision };
        const own = Array.from({ length: Math.min(CHUNKS_A_FILE, chunks - made) }, (_, idx) => {
          const { text, terms, data } = stock[(made + idx) % stock.length] ?? {
            text: "",
            terms: new Uint8Array(),
            data: new Float32Array(),
          };
          const place = {
            start: idx * 1000,
            end: idx * 1000 + text.length,
            page: null,
            pageEnd: null,
            line: null,
            lineEnd: null,
          };
          return { chunk: { idx, text, tokens: 150, ...place, heading: [], terms }, data };
        });
        const ids = await tables.chunks.add(
          owner,
          own.map(({ chunk }) => chunk),
        );
        await tables.chunks.addVectors(
          tenantId,
          generation.id,
          ids.map((chunkId, k) => ({ chunkId, data: own[k]?.data ?? new Float32Array() })),
        );
        await tables.storeFiles.setChunked(tenantId, row.seq, row.revision, []);
        const totals = { usageBytes: own.length * 2000, chunks: own.length, vectors: own.length };
        await tables.storeFiles.complete(tenantId, row.seq, row.revision, totals);
        await tables.generationFiles.setDone(generation, row, strategy, totals);
        made += own.length;
      }
    }, "work");
  }
  await database.close();
  return storeId;
}

/** With a live generation: a file makes one. */
async function emptyStore(dataDir: string): Promise<string> {
  await using server = await startServer({ ...STOCK_OPTIONS, dataDir });
  const storeId = await newStore(server, { name: "stocked" });
  const file = await upload(server, "first.txt", "The first file.");
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: file });
  await settled(server, storeId);
  await server.stop();
  return storeId;
}

export { DIMENSIONS };
