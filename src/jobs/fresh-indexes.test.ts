/** What one server commits, another one's indexes have: two of them over one real PostgreSQL. */
import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { runSeed, seededRandom } from "../../test/helpers/random.ts";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { encodeTerms } from "../index/analyzer.ts";
import { IndexRegistry } from "../index/registry.ts";
import type { StoreIndex } from "../index/store-index.ts";
import { createLog } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { PostgresDatabase } from "../storage/postgres/database.ts";
import { openRemoteStorage } from "../storage/postgres/storage.ts";
import type { Storage } from "../storage/storage.ts";
import type { FileAttributes } from "../storage/store-files.ts";
import { POSTGRES, readyPostgres, SERVER_STARTS_MS, type TestStorage } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";
import { FreshIndexes } from "./fresh-indexes.ts";
import { loadIndex, loadTurns } from "./load-index.ts";

const T = "ten_a";
const S = "vs_1";
const STRATEGY = { maxTokens: 800, overlapTokens: 400 };
// Rows are written one by one, and a busy machine takes its time.
setDefaultTimeout(60_000);

const EVERYTHING = { above: 0, below: Infinity, direction: "ASC", limit: 100_000 } as const;

/** What one server has in memory of the database. */
class Side implements AsyncDisposable {
  readonly storage: Storage;
  readonly registry: IndexRegistry;
  readonly fresh: FreshIndexes;
  readonly retired: number[] = [];
  readonly gone: string[] = [];
  /** Runs before each slice of chunks is read to bring an index up to date. */
  beforeSlice: () => Promise<void> = async () => {};
  looks = 0;
  readonly #close: () => void;

  private constructor(storage: Storage, close: () => void) {
    this.storage = storage;
    this.#close = close;
    this.registry = new IndexRegistry({ budgetBytes: 2 ** 30, load: (...asked) => this.#load(...asked) });
    this.fresh = new FreshIndexes({
      storage: {
        ...storage,
        storeChanges: {
          ...storage.storeChanges,
          since: (...asked) => {
            this.looks++;
            return storage.storeChanges.since(...asked);
          },
        },
        chunks: {
          ...storage.chunks,
          forIndex: async (...asked) => {
            const slice = await storage.chunks.forIndex(...asked);
            await this.beforeSlice();
            return slice;
          },
        },
      },
      registry: this.registry,
      log: createLog({ level: "error", format: "human", write: () => {} }),
      turns: loadTurns(new AbortController().signal),
      grew: () => {},
      modeChanged: () => {},
      retired: async ({ store_id, id }) => {
        await this.registry.retire(store_id, id);
        this.retired.push(id);
      },
      storeGone: async (id) => {
        await this.registry.retireStore(id);
        this.gone.push(id);
      },
    });
  }

  static async open(open: TestStorage, path: string): Promise<Side> {
    const remote = await openRemoteStorage(open.db as PostgresDatabase, path);
    return new Side(remote.storage, () => remote[Symbol.dispose]());
  }

  async #load(storeId: string, id: number, signal: AbortSignal): Promise<StoreIndex> {
    const generation = await this.storage.generations.byId(id);
    const store = await this.storage.stores.ofAnyTenant(storeId);
    if (generation === null || store === null) throw new Error("gone");
    const index = await loadIndex({ storage: this.storage }, generation, signal);
    this.fresh.loaded(index, generation, store.version);
    return index;
  }

  /** As a search does. */
  async acquire(generation: GenerationRow) {
    const store = await this.storage.stores.get(T, S);
    if (store === null) throw new Error("gone");
    return await this.fresh.acquire(store, generation.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fresh[Symbol.asyncDispose]();
    this.registry.close();
    this.#close();
  }
}

/** What the other server does, and what is to be found then. */
class Writer {
  readonly #storage: Storage;
  readonly #generation: GenerationRow;
  /** Of completed files: their chunks, and what they say of themselves. */
  readonly files = new Map<number, { revision: number; chunks: number[]; attributes: FileAttributes }>();
  readonly gone: number[] = [];
  #made = 0;

  constructor(storage: Storage, generation: GenerationRow) {
    this.#storage = storage;
    this.#generation = generation;
  }

  async add(count: number, attributes: FileAttributes = {}): Promise<number> {
    const fileId = `file-${++this.#made}`;
    const { seq } = await insertStoreFile(this.#storage, { tenantId: T, storeId: S, fileId, attributes });
    await this.#fill(seq, 1, count);
    this.files.set(seq, { revision: 1, chunks: await this.#complete(seq, 1, count), attributes });
    return seq;
  }

  async remove(seq: number): Promise<void> {
    await this.#storage.storeFiles.remove(T, seq);
    this.#leave(seq);
  }

  async replace(seq: number, count: number): Promise<void> {
    const { revision, attributes } = this.files.get(seq) ?? { revision: 0, attributes: {} };
    await this.#storage.storeFiles.reindex(T, seq, STRATEGY);
    this.#leave(seq);
    await this.#fill(seq, revision + 1, count);
    const chunks = await this.#complete(seq, revision + 1, count);
    this.files.set(seq, { revision: revision + 1, chunks, attributes });
  }

  async describe(seq: number, attributes: FileAttributes): Promise<void> {
    await this.#storage.storeFiles.setAttributes(T, seq, attributes);
    const file = this.files.get(seq);
    if (file !== undefined) file.attributes = attributes;
  }

  async grow(seq: number, count: number): Promise<void> {
    const file = this.files.get(seq);
    if (file === undefined) return;
    await this.#storage.transaction(async ({ chunks, storeFiles }) => {
      const at = { ...this.#owner(seq, file.revision), tenantId: T, storeId: S };
      const ids = await chunks.add(at, chunksOf(file.chunks.length, count, seq));
      await chunks.addVectors(T, this.#generation.id, vectorsOf(ids));
      await storeFiles.addContent(T, seq, count);
      await storeFiles.addTotals(T, seq, { chunks: count, vectors: count, usageBytes: count });
      file.chunks.push(...ids);
    });
  }

  #leave(seq: number): void {
    this.gone.push(...(this.files.get(seq)?.chunks ?? []));
    this.files.delete(seq);
  }

  #owner(seq: number, revision: number) {
    return { storeFile: seq, chunkSet: this.#generation.chunk_set, revision };
  }

  #ids: number[] = [];

  async #fill(seq: number, revision: number, count: number): Promise<void> {
    const { chunks } = this.#storage;
    const at = { ...this.#owner(seq, revision), tenantId: T, storeId: S };
    this.#ids = await chunks.add(at, chunksOf(0, count, seq));
    await chunks.addVectors(T, this.#generation.id, vectorsOf(this.#ids));
  }

  async #complete(seq: number, revision: number, count: number): Promise<number[]> {
    await this.#storage.storeFiles.complete(T, seq, revision, { chunks: count, vectors: count, usageBytes: count });
    return this.#ids;
  }
}

function chunksOf(from: number, count: number, seq: number) {
  const place = { tokens: 1, start: 0, end: 1, page: null, pageEnd: null, line: null, lineEnd: null, heading: [] };
  return Array.from({ length: count }, (_, i) => {
    const text = `word${seq} place${from + i}`;
    return { ...place, idx: from + i, text, terms: encodeTerms({ text, heading: [], title: "" }) };
  });
}

function vectorsOf(ids: readonly number[]) {
  return ids.map((chunkId) => ({ chunkId, data: Float32Array.of(Math.sin(chunkId), Math.cos(chunkId)) }));
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("an index that other servers write for", () => {
  let open: TestStorage;
  let dir: TempDir;
  let side: Side;
  let generation: GenerationRow;
  let writer: Writer;

  beforeAll(readyPostgres, SERVER_STARTS_MS);
  beforeEach(async () => {
    open = await POSTGRES.open();
    dir = tempDir();
    side = await Side.open(open, dir.join("index.sqlite"));
    await open.storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    await insertStore(open.storage, { id: S, tenantId: T });
    generation = await insertGeneration(open.storage, { tenantId: T, storeId: S });
    await open.storage.stores.setLiveGeneration(T, S, generation.id);
    writer = new Writer(open.storage, generation);
  });
  afterEach(async () => {
    await side[Symbol.asyncDispose]();
    await open[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  /** Holds the index against what was written, with what it reads of it beside. */
  function expectAll({ index }: { index: StoreIndex }, of = side): void {
    const wanted = [...writer.files.values()];
    for (const n of new Set([1, 2, 3, ...wanted.map(({ attributes }) => Number(attributes["n"]))])) {
      const chunks = wanted.filter(({ attributes }) => attributes["n"] === n).flatMap((file) => file.chunks);
      const found = index.chunksKept({ op: "eq", key: "n", value: n }, EVERYTHING);
      expect(found.toSorted((a, b) => a - b)).toEqual(chunks.toSorted((a, b) => a - b));
    }
    const all = wanted.flatMap(({ chunks }) => chunks);
    expect(index.chunkCount).toBe(all.length);
    expect(of.storage.indexReads.terms(all)).not.toContain(null);
    expect(of.storage.indexReads.vectors(all, generation.id)).not.toContain(null);
    expect(of.storage.indexReads.terms(writer.gone)).toEqual(writer.gone.map(() => null));
  }

  test("has after each of hundreds of changes what was committed, and nothing else", async () => {
    const random = seededRandom(runSeed("changes of another server"));
    const before = side.registry.stats.loads;
    for (let turn = 0; turn < 300; turn++) {
      const seqs = [...writer.files.keys()];
      const seq = seqs.length === 0 ? 0 : random.pick(seqs);
      const what = seqs.length < 4 ? 0 : random.below(6);
      if (what <= 1) await writer.add(1 + random.below(3), { n: 1 + random.below(3) });
      else if (what === 2) await writer.remove(seq);
      else if (what === 3) await writer.replace(seq, 1 + random.below(3));
      else if (what === 4) await writer.describe(seq, { n: 1 + random.below(3) });
      else await writer.grow(seq, 1 + random.below(3));
      if (random.below(3) === 0) continue;
      using lease = await side.acquire(generation);
      expectAll(lease);
    }
    expect(side.registry.stats.loads).toBe(before + 1);
  }, 120_000);

  test("takes large files by slices, and as a whole where it had them", async () => {
    using first = await side.acquire(generation);
    const seq = await writer.add(300, { n: 1 });
    using second = await side.acquire(generation);
    expect(second.index).toBe(first.index);
    expectAll(second);
    await writer.replace(seq, 290);
    await writer.grow(seq, 150);
    expectAll(await side.acquire(generation));
    await open.storage.chunkTerms.replace([], { tenantId: T, seq });
    // Nobody finds half of it meanwhile.
    const counts = new Set<number>();
    side.beforeSlice = async () => void counts.add(first.index.chunkCount);
    expectAll(await side.acquire(generation));
    expect([...counts]).toEqual([440]);
  });

  test("is brought up to date once for all who wait", async () => {
    using _first = await side.acquire(generation);
    for (let i = 0; i < 5; i++) await writer.add(1, { n: 1 });
    side.looks = 0;
    const leases = await Promise.all(Array.from({ length: 8 }, () => side.acquire(generation)));
    expect(side.looks).toBe(1);
    for (const lease of leases) {
      expectAll(lease);
      lease.release();
    }
  });

  test("is loaded anew where too much changed, or what changed is known no more", async () => {
    for (let i = 0; i < 4; i++) await writer.add(1, { n: 1 });
    using _first = await side.acquire(generation);
    const { loads } = side.registry.stats;
    for (let i = 0; i < 101; i++) await writer.add(1, { n: 2 });
    {
      using lease = await side.acquire(generation);
      expectAll(lease);
    }
    expect(side.registry.stats.loads).toBe(loads + 1);
    await writer.add(1, { n: 3 });
    await open.db.run("UPDATE store_change SET at = 0");
    await open.storage.storeChanges.trim(3600, 1_000_000);
    const [seq = 0] = writer.files.keys();
    await writer.remove(seq);
    using lease = await side.acquire(generation);
    await side.fresh.look();
    expectAll(lease);
    expect(side.registry.stats.loads).toBe(loads + 2);
  });

  test("does not undo what this server commits while it reads", async () => {
    using first = await side.acquire(generation);
    const seq = await writer.add(300, { n: 1 });
    let isFirst = true;
    side.beforeSlice = async () => {
      if (!isFirst) return;
      isFirst = false;
      // Its own request removes the file: from the database, and in the turn of that commit from the index.
      await writer.remove(seq);
      first.index.removeFile(seq);
      side.fresh.of(first.index)?.wrote(seq);
    };
    using lease = await side.acquire(generation);
    expectAll(lease);
    expect(isFirst).toBe(false);
  });

  test("leaves what this server is about to complete, and reads it where that is in doubt", async () => {
    using lease = await side.acquire(generation);
    const seq = await writer.add(3, { n: 1 });
    const fresh = side.fresh.of(lease.index);
    // Another server sent it back; this one indexes it.
    await open.storage.storeFiles.reindex(T, seq, STRATEGY);
    lease.index.addFile({ fileKey: seq, fileId: "file-1", filename: "", attributes: { n: 1 }, chunks: [] });
    fresh?.enters(seq, 2);
    using second = await side.acquire(generation);
    expect(second.index.hasFile(seq)).toBe(true);
    lease.index.removeFile(seq);
    fresh?.left(seq);
    await open.db.run("UPDATE store_file SET revision = 1, status = 'completed', n_chunks = 3");
    using third = await side.acquire(generation);
    expectAll(third);
  });

  test("is looked at now and then, without a search", async () => {
    using lease = await side.acquire(generation);
    await writer.add(2, { n: 1 });
    side.fresh.start();
    await waitFor("the index has the file", () => (lease.index.chunkCount === 2 ? true : undefined));
    expectAll(lease);
  });

  test("of the next generation is loaded ahead, and what is retired leaves memory and this machine's copy", async () => {
    const seq = await writer.add(2, { n: 1 });
    {
      using _lease = await side.acquire(generation);
    }
    const next = await insertGeneration(open.storage, { tenantId: T, storeId: S, state: "building" });
    const { db } = open;
    const say = (kind: string) =>
      db.run(
        `DO $$ BEGIN PERFORM store_changed('${T}', '${S}', ARRAY['${kind}'], ARRAY[NULL::bigint], ${next.id}); END $$`,
      );
    await say("next");
    await side.fresh.look();
    await waitFor("it is loaded", () => side.registry.peek(S, next.id) ?? undefined);
    await open.storage.generations.setState(T, generation.id, "retired");
    await side.fresh.look();
    await waitFor("it is out of memory", () => (side.registry.has(S, generation.id) ? undefined : true));
    const chunks = writer.files.get(seq)?.chunks ?? [];
    await waitFor("it is forgotten", () => (side.storage.indexReads.terms(chunks)[0] === null ? true : undefined));
    expect(side.retired).toEqual([generation.id]);
    await open.storage.stores.setLifecycle(T, S, "deleting");
    await side.fresh.look();
    expect([side.gone, side.registry.has(S, next.id)]).toEqual([[S], false]);
  });

  test("that left memory leaves nothing of what is removed later", async () => {
    const seq = await writer.add(2, { n: 1 });
    await writer.add(2, { n: 1 });
    {
      using _lease = await side.acquire(generation);
    }
    side.registry.invalidate(S, generation.id);
    const chunks = writer.files.get(seq)?.chunks ?? [];
    expect(side.storage.indexReads.terms(chunks)).not.toContain(null);
    await writer.remove(seq);
    await side.fresh.look();
    expect(side.storage.indexReads.terms(chunks)).toEqual([null, null]);
    expect(side.storage.indexReads.terms([...writer.files.values()].flatMap((file) => file.chunks))).not.toContain(
      null,
    );
  });
});
