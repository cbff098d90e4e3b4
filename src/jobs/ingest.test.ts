import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { encodeTerms, queryTerms } from "../index/analyzer.ts";
import { IndexRegistry } from "../index/registry.ts";
import { Semaphore } from "../platform/semaphore.ts";
import { createBlobs } from "../storage/blobs.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { createStorage } from "../storage/storage.ts";
import { createIngestHandler, type IndexWrites } from "./ingest.ts";
import { addSlice, loadIndex, replaceFile } from "./load-index.ts";
import { createProgress } from "./progress.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";

const TENANT = "ten_a";
/** More than one slice enters the index. */
const CHUNKS = 300;

test("an index that is loaded while a file enters it, slice by slice, has all of the file in the end", async () => {
  const temp = tempDir();
  const dir = temp.path;
  const db = openSqlite(join(dir, "meta.sqlite"));
  const storage = createStorage(db);
  const indexes = new IndexRegistry({
    budgetBytes: 2 ** 30,
    load: async (_storeId, id, signal) => {
      const generation = await storage.generations.byId(id);
      if (generation === null) throw new Error("no such generation");
      return await loadIndex(storage, generation, signal);
    },
  });
  try {
    const clock = { nowMs: () => 1_800_000_000_000, nowSeconds: () => 1_800_000_000 };
    const at = { tenantId: TENANT, createdAt: clock.nowSeconds() };
    await insertStore(storage, { ...at, id: "vs_1" });
    const generation = await insertGeneration(storage, { ...at, storeId: "vs_1", dimensions: 4 });
    await storage.stores.setLiveGeneration(TENANT, "vs_1", generation.id);
    const upload = { id: "file-1", tenant_id: TENANT, filename: "a.txt", bytes: 1, purpose: "assistants", mime: null };
    await storage.files.insert({ ...upload, sha256: "0", created_at: 0, expires_at: null });
    const file = await insertStoreFile(storage, { ...at, storeId: "vs_1", fileId: "file-1" });

    let loading: Promise<unknown> | null = null;
    const index: IndexWrites = {
      addChunks(row, { id }, chunks, from) {
        // The first search comes when the first slice is past.
        if (from > 0) loading ??= indexes.acquire("vs_1", id);
        indexes.apply("vs_1", id, (open) => addSlice(open, row, chunks, from));
      },
      removeFile: (storeId, id, seq) => indexes.apply(storeId, id, (open) => open.removeFile(seq)),
      loadOf: (storeId, id) => indexes.loadOf(storeId, id),
      replaceFile: (row, of) => indexes.apply("vs_1", of.id, (open) => replaceFile(storage.indexReads, open, of, row)),
    };
    const handler = createIngestHandler({
      storage,
      blobs: createBlobs(dir),
      parsed: createParsedCache(dir),
      parse: {
        async parse(_source, _strategy, onChunks) {
          await onChunks(Array.from({ length: CHUNKS }, (_, idx) => chunkOf(idx)));
          return { type: "parsed", warnings: [] };
        },
      },
      embed: {
        embed: async (_model, texts) => ({
          ok: true,
          texts: texts.map(() => ({ vectors: new Float32Array([1, 0, 0, 0]), windows: 1, tokens: 1 })),
        }),
        batching: () => ({ texts: 64, room: new Semaphore(64), window: null }),
      },
      index,
      changed() {},
      progress: createProgress(),
      concurrency: 1,
      clock,
    });
    const job = { id: 1, tenant_id: TENANT, kind: "ingest", store_id: "vs_1", subject: String(file.seq) } as const;
    const outcome = await handler.run({ ...job, priority: 1, attempt: 1, payload: "{}" }, new AbortController().signal);
    expect([outcome.type, loading === null]).toEqual(["done", false]);

    using lease = await indexes.acquire("vs_1", generation.id);
    for (const idx of [0, 127, 128, CHUNKS - 1]) {
      const terms = queryTerms(`word${idx}`);
      const found = lease.index.search({ vector: null, terms, filter: null, depth: 10 });
      expect([idx, found.keyword.length]).toEqual([idx, 1]);
    }
  } finally {
    indexes.close();
    await db.close();
    temp[Symbol.dispose]();
  }
});

function chunkOf(idx: number) {
  const text = `word${idx}`;
  const terms = encodeTerms({ text, heading: [], title: "" });
  const place = { page: null, pageEnd: null, line: null, lineEnd: null };
  return { idx, text, tokens: 1, start: idx * 10, end: idx * 10 + text.length, ...place, heading: [], terms };
}
