import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { queryTerms } from "../index/analyzer.ts";
import { ImageFileWriter, openImage } from "../index/image-file.ts";
import { ANALYZER_VERSION } from "../index/term-blob.ts";
import type { StoreIndex } from "../index/store-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { openReader } from "../storage/sqlite-reader.ts";
import { imagePath, openIndexImage, writeIndexImage } from "./index-image.ts";
import { loadIndex, loadTurns } from "./load-index.ts";
import { STORE, TENANT, Workshop } from "./testing/workshop.ts";

const NEVER = new AbortController().signal;
const LONG = Array.from({ length: 300 }, (_, i) => `word${i}`).join(" ");

class Shelf {
  readonly shop: Workshop;
  readonly generation: GenerationRow;
  /** A file, `store_file.seq` of which is its key: its word is in it alone. */
  readonly files = new Map<number, string>();

  constructor(shop: Workshop, generation: GenerationRow) {
    this.shop = shop;
    this.generation = generation;
  }

  get path(): string {
    return imagePath(this.shop.dir, STORE, this.generation.id);
  }

  async add(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const word = `only${this.files.size + 1}x`;
      const { seq } = await this.shop.ingested(`file-${word}`, i % 3 === 0 ? `${LONG} ${word}` : `short ${word}`);
      this.files.set(seq, word);
    }
  }

  async write(roundChunks?: number): Promise<void> {
    mkdirSync(dirname(this.path), { recursive: true });
    const { chunks, makeDurable } = this.shop.storage;
    const source = {
      chunks,
      generation: this.generation,
      dataDir: this.shop.dir,
      nowMs: 1,
      passed: () => {},
      makeDurable,
    };
    expect(await writeIndexImage({ ...source, roundChunks })).toMatchObject({ ok: true });
  }

  async open() {
    const { storage, dir } = this.shop;
    return await openIndexImage({ storage }, { dataDir: dir, generation: this.generation }, loadTurns(NEVER));
  }

  async load(): Promise<StoreIndex> {
    return await loadIndex({ storage: this.shop.storage }, this.generation, NEVER);
  }

  /** The image's index is what a load gives, file by file. */
  async expectCaughtUp(): Promise<StoreIndex> {
    const opened = await this.open();
    if (!opened.ok) throw new Error(opened.detail);
    const loaded = await this.load();
    const { files, chunks, vectors } = loaded.stats;
    expect(opened.index.stats).toMatchObject({ files, chunks, vectors });
    for (const [seq, word] of this.files) {
      expect([seq, opened.index.hasFile(seq)]).toEqual([seq, loaded.hasFile(seq)]);
      for (const filter of [null, { op: "eq", key: "kind", value: "new" } as const]) {
        // All that is found: those with the same score come in any order.
        const request = { vector: null, terms: queryTerms(word), filter, depth: 1000 };
        const found = (index: StoreIndex) =>
          index
            .search(request)
            .keyword.map(({ chunkId, score }) => `${chunkId} ${score.toFixed(4)}`)
            .toSorted();
        expect(found(opened.index)).toEqual(found(loaded));
      }
    }
    return opened.index;
  }
}

async function shelf(shop: Workshop, files: number): Promise<Shelf> {
  const made = new Shelf(shop, await shop.store());
  await made.add(files);
  return made;
}

test("an index from an image answers as one that is read from the database, and says how much is new", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 7);
  await shelved.write();
  expect((await shelved.expectCaughtUp()).changes).toBe(0);
  expect(readdirSync(dirname(shelved.path))).toEqual([`gen-${shelved.generation.id}.image`]);
});

test("an image that was made in several rounds is the same, and leaves nothing of them", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 8);
  await shelved.write(2);
  expect((await shelved.expectCaughtUp()).changes).toBe(0);
  expect(readdirSync(dirname(shelved.path))).toEqual([`gen-${shelved.generation.id}.image`]);
});

test("what came, changed and went since is caught up with, and nothing else is read", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 9);
  await shelved.write();
  const [first = 0, second = 0, third = 0] = shelved.files.keys();
  await shelved.add(2);
  await shop.storage.storeFiles.setAttributes(TENANT, first, { kind: "new" });
  await shop.storage.storeFiles.remove(TENANT, second);
  shop.db.raw.run("UPDATE store_file SET filename = 'renamed.txt' WHERE seq = ?", [third]);
  const index = await shelved.expectCaughtUp();
  const named = { op: "eq", key: "filename", value: "renamed.txt" } as const;
  expect(index.search({ vector: null, terms: queryTerms("short"), filter: named, depth: 3 }).matched.files).toBe(1);
  expect(index.changes).toBeLessThan(index.stats.chunks);
});

test("chunks that were appended, and a file that is indexed anew, are read anew", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 6);
  await shelved.write();
  const [first = 0, second = 0] = shelved.files.keys();
  const row = await shop.storage.storeFiles.bySeq(TENANT, second);
  if (row === null) throw new Error("no such file");
  const owner = { storeFile: second, chunkSet: shelved.generation.chunk_set, revision: row.revision };
  const [chunk] = await shop.storage.chunks.forIndex(TENANT, owner, shelved.generation.id, 0, 1);
  if (chunk === undefined) throw new Error("no chunk");
  // As an append does: a chunk after the last, and the totals.
  shop.db.raw.run(
    `INSERT INTO chunk (tenant_id, store_id, chunk_set, store_file, revision, idx, text, tokens, start_cp, end_cp)
     SELECT tenant_id, store_id, chunk_set, store_file, revision, 1000, 'more', 1, 0, 1 FROM chunk WHERE id = ?`,
    [chunk.chunk_id],
  );
  shop.db.raw.run("INSERT INTO chunk_terms SELECT max(c.id), c.tenant_id, ?1 FROM chunk c", [chunk.terms]);
  shop.db.raw.run(
    "INSERT INTO vector (tenant_id, generation, chunk_id, data, shared) SELECT tenant_id, ?1, max(id), ?2, 0 FROM chunk",
    [shelved.generation.id, chunk.data],
  );
  await shop.storage.storeFiles.addContent(TENANT, second, 4);
  await shop.storage.storeFiles.reindex(TENANT, first, { maxTokens: 100, overlapTokens: 0 });
  const before = (await shelved.load()).stats.chunks;
  const index = await shelved.expectCaughtUp();
  expect(index.stats.chunks).toBe(before);
  expect(index.hasFile(first)).toBe(false);
});

describe("an image is not used", () => {
  const refusal = async (shelved: Shelf) => {
    const opened = await shelved.open();
    return opened.ok ? null : opened.reason;
  };

  test("where there is none, it is damaged, or of another generation", async () => {
    await using shop = new Workshop();
    const shelved = await shelf(shop, 3);
    expect(await refusal(shelved)).toBe("missing");
    await shelved.write();
    expect(await refusal(shelved)).toBeNull();
    const other = { ...shelved.generation, id: shelved.generation.id + 1 };
    copyFileSync(shelved.path, imagePath(shop.dir, STORE, other.id));
    expect(await refusal(new Shelf(shop, other))).toBe("other-identity");
    expect(await refusal(new Shelf(shop, { ...shelved.generation, model_revision: "another" }))).toBe("other-identity");
    writeFileSync(shelved.path, "");
    expect(await refusal(shelved)).toBe("damaged");
  });

  test("that is whole and of another shape, as another version may have written it", async () => {
    await using shop = new Workshop();
    const shelved = await shelf(shop, 1);
    await shelved.write();
    const opened = await openImage(shelved.path, null);
    if (!opened.ok) throw new Error(opened.detail);
    const { id, store_id, model, model_revision, dimensions, chunk_set, window_tokens } = shelved.generation;
    const identity = {
      generation: id,
      store: store_id,
      model,
      revision: model_revision,
      dimensions,
      chunkSet: chunk_set,
      windowTokens: window_tokens,
      analyzer: ANALYZER_VERSION,
    };
    const image = ImageFileWriter.create(shelved.path, identity);
    image.value("highest chunk", 0);
    image.finish();
    expect(await refusal(shelved)).toBe("other-identity");
  });

  test("that has chunks the database never had", async () => {
    await using shop = new Workshop();
    const shelved = await shelf(shop, 3);
    await shelved.write();
    shop.db.raw.run("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'chunk'");
    expect(await refusal(shelved)).toBe("outdated");
  });

  test("where most of it is not what it was", async () => {
    await using shop = new Workshop();
    const shelved = await shelf(shop, 4);
    await shelved.write();
    const chunk =
      "SELECT tenant_id, store_id, 'f' || value, 'n', 1, 1, 'completed', 1, 0 FROM store_file, json_each(?)";
    const columns =
      "tenant_id, store_id, file_id, filename, file_bytes, created_at, status, max_tokens, overlap_tokens";
    const numbers = JSON.stringify(Array.from({ length: 101 }, (_, i) => i));
    shop.db.raw.run(`INSERT INTO store_file (${columns}) ${chunk} WHERE seq = 1`, [numbers]);
    expect(await refusal(shelved)).toBe("outdated");
  });
});

test("an image with terms of an older analyzer is not written, nor is anything left", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 2);
  shop.db.raw.run("UPDATE chunk_terms SET terms = CAST(unhex('01') || substr(terms, 2) AS BLOB) WHERE chunk_id = 1");
  mkdirSync(dirname(shelved.path), { recursive: true });
  const { chunks, makeDurable } = shop.storage;
  const source = { chunks, generation: shelved.generation, dataDir: shop.dir, nowMs: 1, passed: () => {}, makeDurable };
  expect(await writeIndexImage(source)).toEqual({ ok: false, reason: "older-terms" });
  expect(readdirSync(dirname(shelved.path))).toEqual([]);
});

test("an image gets its name only once the rows that it was made of survive a power cut", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 2);
  mkdirSync(dirname(shelved.path), { recursive: true });
  const seen: boolean[] = [];
  const source = {
    ...{ chunks: shop.storage.chunks, generation: shelved.generation, dataDir: shop.dir, nowMs: 1, passed: () => {} },
    makeDurable: async () => void seen.push(existsSync(shelved.path)),
  };
  expect(await writeIndexImage(source)).toMatchObject({ ok: true });
  expect([seen, existsSync(shelved.path)]).toEqual([[false], true]);
  rmSync(shelved.path);
  const failing = { ...source, makeDurable: () => Promise.reject(new Error("EIO")) };
  expect(await writeIndexImage(failing).catch((error: unknown) => error)).toEqual(new Error("EIO"));
  expect(readdirSync(dirname(shelved.path))).toEqual([]);
});

test("a worker reads what a running server commits, and cannot write", async () => {
  await using shop = new Workshop();
  const shelved = await shelf(shop, 1);
  const path = join(shop.dir, "copy.sqlite");
  writeFileSync(path, shop.db.raw.serialize());
  using writer = new Database(path);
  using reader = openReader(path);
  const rows = () => reader.chunks.completedFiles(TENANT, STORE, 0, 10);
  expect(await rows()).toHaveLength(1);
  writer.run("DELETE FROM store_file");
  expect(await rows()).toEqual([]);
  const { generation } = shelved;
  expect(reader.chunks.marksOfCompleted(generation.tenant_id, STORE, 0, 1)).resolves.toEqual([]);
  expect(existsSync(`${path}-journal`)).toBe(false);
});
