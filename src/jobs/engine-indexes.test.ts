/** Stores that PostgreSQL searches itself, against indexes in memory of the same rows: over a real server with pgvector. */
import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPgvector, PGVECTOR, vectorDatabase } from "../../test/cluster/servers/pgvector.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { runSeed, type SeededRandom, seededRandom } from "../../test/helpers/random.ts";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { queryTerms } from "../index/analyzer.ts";
import type { EngineAnswer, SearchEngine } from "../index/engine.ts";
import type { Filter } from "../index/filter.ts";
import type { IndexSearch } from "../index/store-index.ts";
import { createLog } from "../platform/log.ts";
import { migratePostgres } from "../storage/migrations/postgres/runner.ts";
import type { PostgresDatabase } from "../storage/postgres/database.ts";
import { openEngineSchema } from "../storage/postgres/engine-schema.ts";
import { EngineTables } from "../storage/postgres/engine-tables.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { openRemoteStorage, type RemoteStorage } from "../storage/postgres/storage.ts";
import type { Storage } from "../storage/storage.ts";
import { SERVER_STARTS_MS } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";
import { EngineIndexes } from "./engine-indexes.ts";
import { loadIndex } from "./load-index.ts";
import { DIMENSIONS, STORE as S, StoreWriter as Writer, TENANT as T, VALUES } from "./testing/store-writer.ts";

const NEVER = new AbortController().signal;
const LOG = createLog({ level: "error", format: "human", write: () => {} });
setDefaultTimeout(120_000);

function someFilter(writer: Writer, depth = 0): Filter {
  const { random } = writer;
  const key = random.pick(["a", "b", "n", "file_id", "filename", "none"]);
  const value = () => (key === "filename" ? "\u00e9tude.txt" : key === "file_id" ? "file-1" : random.pick(VALUES));
  const op = random.pick(["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "exists", "and", "or"] as const);
  if (op === "and" || op === "or") {
    if (depth > 2) return { op: "exists", key, value: true };
    return { op, filters: Array.from({ length: random.below(3) }, () => someFilter(writer, depth + 1)) };
  }
  if (op === "in" || op === "nin") return { op, key, value: Array.from({ length: random.below(4) }, value) };
  return op === "exists" ? { op, key, value: random.below(2) === 0 } : { op, key, value: value() };
}

describe.skipIf(lacks(PGVECTOR, hasPgvector))("a store that PostgreSQL searches", () => {
  let dir: TempDir;
  let db: PostgresDatabase;
  let remote: RemoteStorage;
  let storage: Storage;
  let tables: EngineTables;
  let engine: EngineIndexes;
  let random: SeededRandom;

  beforeAll(async () => void (await vectorDatabase()), SERVER_STARTS_MS);
  beforeEach(async () => {
    dir = tempDir();
    db = await openPostgres(await vectorDatabase(), { connections: 4 });
    await migratePostgres(db);
    remote = await openRemoteStorage(db, dir.join("index.sqlite"));
    ({ storage } = remote);
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    await insertStore(storage, { id: S, tenantId: T });
    const extension = await openEngineSchema(db);
    if ("problem" in extension) throw new Error(extension.problem);
    tables = new EngineTables(db, extension);
    engine = new EngineIndexes({ tables, storage, log: LOG, from: 0, graphFrom: 1_000_000 });
    random = seededRandom(runSeed("a store that PostgreSQL searches"));
  });
  afterEach(async () => {
    await engine[Symbol.asyncDispose]();
    remote[Symbol.dispose]();
    await db.close();
    dir[Symbol.dispose]();
  });

  async function newWriter(windowTokens: number | null = null): Promise<Writer> {
    const shape = { tenantId: T, storeId: S, dimensions: DIMENSIONS, windowTokens };
    const generation = await insertGeneration(storage, shape);
    await storage.stores.setLiveGeneration(T, S, generation.id);
    return new Writer(storage, generation, random);
  }

  async function acquired(id: number): Promise<SearchEngine> {
    const store = await storage.stores.get(T, S);
    const lease = store === null ? null : await engine.acquire(store, id);
    if (lease === null) throw new Error("it is searched in memory");
    return lease.index;
  }

  const question = (writer: Writer, filter: Filter | null, depth: number): IndexSearch => ({
    vector: random.below(5) === 0 ? null : writer.vector(),
    terms: random.below(5) === 0 ? null : queryTerms(writer.text(1 + random.below(4))),
    filter,
    depth,
  });

  const shownOf = ({ candidates, ...answer }: EngineAnswer) => ({
    candidates: candidates
      .map(({ chunkId, fileKey, vectorScore, keywordScore, evidence }) => ({
        chunkId,
        fileKey,
        vector: rounded(vectorScore),
        keyword: rounded(keywordScore),
        evidence: rounded(evidence),
      }))
      .toSorted((a, b) => a.chunkId - b.chunkId),
    most: [answer.maxKeywordScore, answer.attainableKeywordScore, answer.idfSum].map(rounded),
    known: answer.knownTerms,
    vector: answer.vector.map(({ score }) => rounded(score)),
    words: answer.keyword.map(({ score }) => rounded(score)),
  });
  const rounded = (score: number | null) => (score === null ? null : Math.round(score * 1e5) / 1e5);

  for (const windowTokens of [null, 32]) {
    test(`answers as in memory after each of many changes (windows: ${windowTokens})`, async () => {
      const writer = await newWriter(windowTokens);
      writer.hasOwn = false;
      for (let i = 0; i < 15; i++) await writer.add();
      for (let turn = 0; turn < 15; turn++) {
        writer.hasOwn = turn > 5;
        for (let i = random.below(4); i > 0; i--) await (random.below(3) === 0 ? writer.add() : writer.change());
        const index = await loadIndex({ storage }, writer.generation, NEVER);
        const other = await acquired(writer.generation.id);
        expect(other.chunkCount).toBe(index.chunkCount);
        for (let i = 0; i < 6; i++) {
          const filter = i % 2 === 0 ? null : someFilter(writer);
          // So many that nothing is left out: what is among the last of fewer is chance where scores are equal.
          const asked = question(writer, filter, 1000);
          expect({ asked, ...shownOf(await other.ask(asked)) }).toEqual({ asked, ...shownOf(index.search(asked)) });
          if (filter === null) continue;
          const page = { above: 5, below: 1e9, direction: random.pick(["ASC", "DESC"] as const), limit: 7 };
          expect(await other.chunksKept(filter, page)).toEqual(index.chunksKept(filter, page));
        }
        index.close();
      }
    });
  }

  test("finds the best of many, by a scan and by a graph, and what came since", async () => {
    const writer = await newWriter();
    await storage.stores.update(T, S, { indexMode: "hnsw" });
    for (let i = 0; i < 40; i++) await writer.add(20);
    await acquired(writer.generation.id);
    expect((await tables.state(writer.generation.id))?.graph).toBe(1);
    for (let i = 0; i < 3; i++) await writer.add(10);
    const index = await loadIndex({ storage }, writer.generation, NEVER);
    for (const from of ["beside the graph", "in it"]) {
      const other = await acquired(writer.generation.id);
      if (from === "in it") while ((await tables.moveFresh(writer.generation.id, 7)) > 0);
      let [found, wanted] = [0, 0];
      for (let i = 0; i < 30; i++) {
        const asked = { ...question(writer, null, 20), vector: writer.vector() };
        const best = new Set(index.search(asked).vector.map(({ chunkId }) => chunkId));
        const answer = await other.ask(asked);
        found += answer.vector.filter(({ chunkId }) => best.has(chunkId)).length;
        wanted += best.size;
      }
      expect(found / wanted).toBeGreaterThan(0.97);
    }
    expect((await tables.state(writer.generation.id))?.fresh).toBe(0);
    expect(engine.kindOf(writer.generation.id)).toBe("hnsw");
    await storage.stores.update(T, S, { indexMode: "exact" });
    expect((await (await acquired(writer.generation.id)).ask(question(writer, null, 20))).used).not.toBe("hnsw");
    index.close();
  });

  test("leaves nothing half done: a write that fails is as if it never began", async () => {
    const writer = await newWriter();
    for (let i = 0; i < 5; i++) await writer.add();
    const { id } = writer.generation;
    await acquired(id);
    const before = await tables.state(id);
    const failing = tables.write(id, true, async (own) => {
      for (const { seq } of writer.files) await own.removeFile(seq);
      throw new Error("killed");
    });
    expect(failing).rejects.toThrow("killed");
    await failing.catch(() => {});
    expect(await tables.state(id)).toEqual(before);
    const all = { ...question(writer, null, 100), vector: writer.vector() };
    expect((await (await acquired(id)).ask(all)).vector).toHaveLength(before?.chunks ?? 0);
  });

  test("is made anew where it is not known what changed, and gone with its store", async () => {
    const writer = await newWriter();
    for (let i = 0; i < 5; i++) await writer.add();
    const { id } = writer.generation;
    const old = await acquired(id);
    await writer.add();
    await db.run("DELETE FROM store_change");
    const store = await storage.stores.get(T, S);
    // Searched in memory once, while nobody knows what is in the tables.
    expect(store && (await engine.acquire(store, id))).toBeNull();
    const question = { vector: writer.vector(), terms: null, filter: null, depth: 100 };
    await expect(Promise.resolve(old.ask(question))).rejects.toThrow();
    expect(old.isIntact).toBeFalse();
    const anew = await acquired(id);
    expect((await anew.ask(question)).vector).toHaveLength(anew.chunkCount);
    expect([await engine.has(S, null), await engine.has(S, writer.files[0]!.seq)]).toEqual([true, true]);
    await storage.storeFiles.remove(T, writer.files[0]!.seq);
    await engine.bringStore(S);
    expect(await engine.has(S, writer.files[0]!.seq)).toBeFalse();
    await engine.dropStore(S);
    expect(await engine.has(S, null)).toBeFalse();
  });

  test("is found and dropped by a look, whoever made it", async () => {
    const writer = await newWriter();
    for (let i = 0; i < 5; i++) await writer.add(10);
    await using large = new EngineIndexes({ tables, storage, log: LOG, from: 40 });
    await large.look();
    const { id } = writer.generation;
    const until = async (what: () => Promise<boolean>) => {
      while (!(await what())) await large.look();
    };
    // A look that went by while the tables were filled knows of it later than they say so.
    const store = await storage.stores.get(T, S);
    await until(async () => store !== null && (await large.acquire(store, id)) !== null);
    expect((await tables.state(id))?.state).toBe("ready");
    await db.run(`UPDATE generation SET state = 'retired' WHERE id = ${id}`);
    await db.run("UPDATE store_change SET at = at - 1000");
    await until(async () => (await tables.state(id)) === null);
    expect(await tables.ofStore(S)).toEqual([]);
  });
});

describe.skipIf(lacks(PGVECTOR, hasPgvector))("a database that cannot search stores", () => {
  test("for its user may make no schema says so, and searches them once it may", async () => {
    const address = await vectorDatabase();
    const user = `plain_${process.pid}`;
    const owner = await openPostgres(address, { connections: 1 });
    await owner.run(`CREATE ROLE ${user} LOGIN`);
    const plain = await openPostgres(address.replace("postgres@", `${user}@`), { connections: 1 });
    try {
      expect(await openEngineSchema(plain)).toEqual({ problem: expect.stringContaining("GRANT CREATE ON DATABASE") });
      await owner.run(`GRANT CREATE ON DATABASE ${new URL(address).pathname.slice(1)} TO ${user}`);
      expect(await openEngineSchema(plain)).toMatchObject({ place: "pgvector" });
    } finally {
      await plain.close();
      await owner.close();
    }
  });
  test("for it lacks the extension says so, and what is to be done", async () => {
    const db = await openPostgres(await vectorDatabase(), { connections: 1 });
    try {
      await db.run("DROP EXTENSION vector");
      expect(await openEngineSchema(db)).toEqual({
        problem: expect.stringContaining("CREATE EXTENSION vector SCHEMA pgvector"),
      });
    } finally {
      await db.close();
    }
  });
});
