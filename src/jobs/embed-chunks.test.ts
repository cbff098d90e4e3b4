import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { chunkDocument } from "../chunk/chunk.ts";
import { parseDocument } from "../parse/parse.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import { Semaphore } from "../platform/semaphore.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { embedChunks } from "./embed-chunks.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";

const TENANT = "ten_a";
const DIMENSIONS = 2;

/** What was embedded of a long document in overlapping chunks, and the vectors that each chunk has in the end. */
async function embedAll(window: number | null) {
  const temp = tempDir();
  const dir = temp.path;
  const db = openSqlite(join(dir, "meta.sqlite"));
  const storage = createStorage(db);
  try {
    const text = Array.from({ length: 900 }, (_, i) => `Paragraph ${i} of a long report about the figure ${i * 7919}.`);
    const bytes = new TextEncoder().encode(text.join("\n\n"));
    const parsed = await parseDocument({ bytes, filename: "report.txt", contentType: null }, DEFAULT_LIMITS);
    if (!parsed.ok) throw new Error(parsed.error.message);
    const chunks = chunkDocument(parsed.document, { maxTokens: 800, overlapTokens: 400 });
    await insertStore(storage, { tenantId: TENANT, createdAt: 0, id: "vs_1" });
    const generation = await insertGeneration(storage, {
      tenantId: TENANT,
      storeId: "vs_1",
      dimensions: DIMENSIONS,
      createdAt: 0,
    });
    const upload = { id: "file-1", tenant_id: TENANT, filename: "a.txt", bytes: 1, purpose: "assistants", mime: null };
    await storage.files.insert({ ...upload, sha256: "0", created_at: 0, expires_at: null });
    const file = await insertStoreFile(storage, { tenantId: TENANT, createdAt: 0, storeId: "vs_1", fileId: "file-1" });
    const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
    const rows = chunks.map(({ index, ...chunk }) => ({ ...chunk, idx: index, terms: new Uint8Array() }));
    await storage.chunks.add({ tenantId: TENANT, storeId: "vs_1", ...owner }, rows);
    const embedded: string[] = [];
    const deps = {
      storage,
      slice: 32,
      embed: {
        batching: () => ({ texts: 32, room: new Semaphore(64), window, windowTokens: null }),
        embed: (_model: unknown, texts: readonly string[]) => {
          embedded.push(...texts);
          // As many windows as a model of 256 tokens would need.
          const vectorsOf = (one: string) => new Float32Array(DIMENSIONS * Math.ceil(one.length / 1000)).fill(1);
          return Promise.resolve({
            ok: true as const,
            texts: texts.map((one) => ({ vectors: vectorsOf(one), windows: 1, tokens: 1 })),
          });
        },
      },
    };
    const signal = new AbortController().signal;
    const work = { generation, owner, fileId: "file-1", onSlice: () => undefined };
    expect(await embedChunks(deps, work, signal)).toBeNull();
    const { vectors, chunks: counted } = await storage.chunks.fileTotals(TENANT, owner, generation);
    expect([counted, await storage.chunks.withoutVector(TENANT, owner, generation.id, 1)]).toEqual([chunks.length, []]);
    const share = embedded.join("").length / parsed.document.text.length;
    return { share, vectorsEach: vectors / chunks.length, chunks: chunks.length };
  } finally {
    await db.close();
    temp[Symbol.dispose]();
  }
}

test("what overlapping chunks share is embedded once where a chunk is more than the model takes at once", async () => {
  const { share, vectorsEach, chunks } = await embedAll(256);
  expect(chunks).toBeGreaterThan(20);
  expect(share).toBeLessThan(1.15);
  expect(vectorsEach).toBeGreaterThan(2);
});

test("a model that takes a whole chunk at once gets whole chunks", async () => {
  for (const window of [8192, null]) expect((await embedAll(window)).share).toBeGreaterThan(1.8);
});
