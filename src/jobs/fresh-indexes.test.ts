/** What one server commits, another one's indexes have: two of them over one real PostgreSQL. */
import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { runSeed, seededRandom } from "../../test/helpers/random.ts";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import type { StoreIndex } from "../index/store-index.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { POSTGRES, readyPostgres, SERVER_STARTS_MS, type TestStorage } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";
import { S, Side, STRATEGY, T, Writer } from "./testing/two-sides.ts";

// Rows are written one by one, and a busy machine takes its time.
setDefaultTimeout(60_000);

const EVERYTHING = { above: 0, below: Infinity, direction: "ASC", limit: 100_000 } as const;

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

  test("is loaded anew where the database's server may have forgotten what it had not written to its disk", async () => {
    const kept = await writer.add(1, { n: 1 });
    const [before] = await open.storage.storeChanges.versions([S]);
    const lost = await writer.add(2, { n: 2 });
    using first = await side.acquire(generation);
    expectAll(first);
    // A crash: what came last was never there, and its version is given again.
    await writer.remove(lost);
    await open.db.run("DELETE FROM store_change WHERE version > ?1", [before?.version ?? 0]);
    await open.db.run("UPDATE vector_store SET version = ?1 WHERE id = ?2", [before?.version ?? 0, S]);
    await writer.describe(kept, { n: 3 });
    await writer.add(2, { n: 2 });
    side.runs++;
    const { loads } = side.registry.stats;
    using second = await side.acquire(generation);
    expect(side.registry.stats.loads).toBe(loads + 1);
    await side.fresh.look();
    expectAll(second);
    // Once for each run.
    using third = await side.acquire(generation);
    expect(third.index).toBe(second.index);
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
