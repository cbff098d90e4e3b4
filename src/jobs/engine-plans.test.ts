/**
 * How PostgreSQL does what a search asks of it: by which indexes, how much it looks at, and that nothing is worked out anew for
 * each row; with the plan that it makes for the values of one question, and with the one that it makes for all.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { hasPgvector, PGVECTOR, vectorDatabase } from "../../test/cluster/servers/pgvector.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { runSeed, seededRandom } from "../../test/helpers/random.ts";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { queryTerms } from "../index/analyzer.ts";
import type { SearchEngine } from "../index/engine.ts";
import type { IndexSearch } from "../index/store-index.ts";
import { createLog } from "../platform/log.ts";
import { migratePostgres } from "../storage/migrations/postgres/runner.ts";
import { Connection } from "../storage/postgres/connection.ts";
import type { PostgresDatabase } from "../storage/postgres/database.ts";
import { openEngineSchema } from "../storage/postgres/engine-schema.ts";
import { EngineTables } from "../storage/postgres/engine-tables.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { openRemoteStorage, type RemoteStorage } from "../storage/postgres/storage.ts";
import { translate } from "../storage/postgres/values.ts";
import type { Param } from "../storage/sql.ts";
import { SERVER_STARTS_MS } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";
import { EngineIndexes } from "./engine-indexes.ts";
import { DIMENSIONS, STORE, StoreWriter, TENANT, WORDS } from "./testing/store-writer.ts";

setDefaultTimeout(120_000);

const FILES = 11;
const CHUNKS_A_FILE = 500;
const DEPTH = 200;
const LOG = createLog({ level: "error", format: "human", write: () => {} });

interface Sent {
  readonly text: string;
  readonly params: readonly Param[];
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Parent Relationship"?: string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly Plans?: readonly PlanNode[];
  readonly [more: string]: unknown;
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** Rows that a node gave, of all its loops. */
const rowsOf = (node: PlanNode) => node["Actual Rows"] * node["Actual Loops"];
const quoted = (value: Param) => (value === null ? "NULL" : `'${String(value).replaceAll("'", "''")}'`);

describe.skipIf(lacks(PGVECTOR, hasPgvector))("what a search asks of PostgreSQL", () => {
  let dir: TempDir;
  let db: PostgresDatabase;
  let remote: RemoteStorage;
  let engine: EngineIndexes;
  let writer: StoreWriter;
  let index: SearchEngine;

  beforeAll(async () => {
    dir = tempDir();
    db = await openPostgres(await vectorDatabase(), { connections: 4 });
    await migratePostgres(db);
    remote = await openRemoteStorage(db, dir.join("index.sqlite"));
    const { storage } = remote;
    await storage.tenants.insert({ id: TENANT, name: "a", createdAt: 1 });
    await insertStore(storage, { id: STORE, tenantId: TENANT });
    const generation = await insertGeneration(storage, {
      tenantId: TENANT,
      storeId: STORE,
      dimensions: DIMENSIONS,
      windowTokens: null,
    });
    await storage.stores.setLiveGeneration(TENANT, STORE, generation.id);
    await storage.stores.update(TENANT, STORE, { indexMode: "hnsw" });
    writer = new StoreWriter(storage, generation, seededRandom(runSeed("what a search asks of PostgreSQL")));
    writer.hasOwn = false;
    for (let i = 0; i < FILES; i++) await writer.add(CHUNKS_A_FILE);
    const extension = await openEngineSchema(db);
    if ("problem" in extension) throw new Error(extension.problem);
    engine = new EngineIndexes({ tables: new EngineTables(db, extension), storage, log: LOG, from: 0 });
    const store = await storage.stores.get(TENANT, STORE);
    const lease = store === null ? null : await engine.acquire(store, generation.id);
    if (lease === null) throw new Error("it is searched in memory");
    ({ index } = lease);
  }, 3 * SERVER_STARTS_MS);

  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    remote?.[Symbol.dispose]();
    await db?.close();
    dir?.[Symbol.dispose]();
  });

  const table = (what: string) => `${what}_${writer.generation.id}`;
  const nearest = (): IndexSearch => ({ vector: writer.vector(), terms: null, filter: null, depth: DEPTH });
  const words = (text: string): IndexSearch => ({ vector: null, terms: queryTerms(text), filter: null, depth: DEPTH });

  /** What a question sends, in the order in which it was sent. */
  async function sentBy(asked: IndexSearch, of = index): Promise<Sent[]> {
    const send = spyOn(Connection.prototype, "send");
    try {
      await of.ask(asked);
      return send.mock.calls.map(([text, params]) => ({ text, params }));
    } finally {
      send.mockRestore();
    }
  }

  /** The plans by which the server does that, with what it counted while it did. */
  async function plansOf(sent: readonly Sent[], mode: string): Promise<PlanNode[]> {
    return await db.transaction(async (tx) => {
      await tx.run(`SET LOCAL plan_cache_mode = force_${mode}_plan`);
      const plans: PlanNode[] = [];
      for (const [i, { text, params }] of sent.entries()) {
        if (text.includes("set_config")) {
          await tx.all(text, params);
          continue;
        }
        await tx.run(`PREPARE own_${i} AS ${translate(text)}`);
        const values = params.length === 0 ? "" : `(${params.map(quoted).join(", ")})`;
        const rows = await tx.all<Record<string, string>>(
          `EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) EXECUTE own_${i} ${values}`,
        );
        const [{ Plan }] = JSON.parse(rows[0]?.["QUERY PLAN"] ?? "") as [{ Plan: PlanNode }];
        plans.push(Plan);
        await tx.run(`DEALLOCATE own_${i}`);
      }
      return plans;
    });
  }

  for (const mode of ["custom", "generic"]) {
    test(`walks the graph, and looks at no other vector (${mode} plans)`, async () => {
      const nodes = (await plansOf(await sentBy(nearest()), mode)).flatMap(nodesOf);
      const walk = nodes.find((node) => node["Index Name"] === table("vector_graph"));
      expect(walk).toBeDefined();
      expect(rowsOf(walk!)).toBeLessThan(DEPTH * 1.5);
      expect(
        nodes.filter((node) => node["Node Type"] === "Seq Scan" && node["Relation Name"] === table("vector")),
      ).toEqual([]);
    });

    test(`reads candidates by their keys (${mode} plans)`, async () => {
      const nodes = (await plansOf(await sentBy({ ...nearest(), ...words("worta0 wortb27 wortz51") }), mode)).flatMap(
        nodesOf,
      );
      const scans = nodes.filter((node) => node["Node Type"] === "Seq Scan").map((node) => node["Relation Name"]);
      for (const read of ["chunk_terms", "vector", table("chunk"), table("vector")]) expect(scans).not.toContain(read);
    });

    test(`works nothing out anew for each row (${mode} plans)`, async () => {
      const filter = { op: "exists", key: "a", value: true } as const;
      const sent = await sentBy({ ...nearest(), ...words("worta0 wortz51"), filter });
      for (const node of (await plansOf(sent, mode)).flatMap(nodesOf)) {
        if (node["Parent Relationship"] === "InitPlan") continue;
        const { Plans: _, ...own } = node;
        // The text of a vector, or of a list.
        expect(JSON.stringify(own)).not.toMatch(/\(\$\d+\)?::(?:pgvector\.)?(?:halfvec|sparsevec)|string_to_array\(\$/);
      }
    });
  }

  test("looks at no more chunks for common words than a bound", async () => {
    const common = [...WORDS.slice(0, 4)];
    const nodes = (await plansOf(await sentBy(words(common.join(" "))), "custom")).flatMap(nodesOf);
    const looked = nodes.filter(
      (node) => node["Relation Name"] === table("chunk") && node["Node Type"].includes("Heap"),
    );
    expect(looked).toHaveLength(1);
    expect(rowsOf(looked[0]!)).toBeLessThanOrEqual(5000);
  });

  test("finds what a filter keeps of a large store by its files", async () => {
    const filter = { op: "eq", key: "file_id", value: "file-3" } as const;
    for (const mode of ["custom", "generic"]) {
      const plans = await plansOf(await sentBy({ ...nearest(), filter }), mode);
      const looked = plans.flatMap(nodesOf).filter((node) => node["Relation Name"] === table("vector"));
      expect(looked.map((node) => node["Node Type"])).not.toContain("Seq Scan");
      expect(Math.max(...looked.map(rowsOf))).toBeLessThanOrEqual(CHUNKS_A_FILE);
    }
  });

  test("finds what a filter keeps by chunks' own attributes beside the chunks, and those by their keys", async () => {
    writer.hasOwn = true;
    await writer.add(100);
    const store = await remote.storage.stores.get(TENANT, STORE);
    const lease = store === null ? null : await engine.acquire(store, writer.generation.id);
    expect(lease).not.toBeNull();
    const filter = { op: "eq", key: "file_id", value: `file-${FILES + 1}` } as const;
    for (const mode of ["custom", "generic"]) {
      const plans = await plansOf(await sentBy({ ...nearest(), filter }, lease!.index), mode);
      const nodes = plans.flatMap(nodesOf);
      for (const wide of [table("chunk"), table("vector")]) {
        const looked = nodes.filter((node) => node["Relation Name"] === wide);
        expect(looked.map((node) => node["Node Type"])).not.toContain("Seq Scan");
        expect(Math.max(0, ...looked.map(rowsOf))).toBeLessThanOrEqual(100);
      }
      expect(nodes.some((node) => node["Relation Name"] === table("own"))).toBe(true);
    }
  });

  test("asks as few statements as there are steps, whatever is found", async () => {
    expect((await sentBy(nearest())).length).toBeLessThanOrEqual(4);
    expect((await sentBy(words("worta0 wortz51"))).length).toBeLessThanOrEqual(4);
    expect((await sentBy({ ...words("worta0 wortz51"), vector: writer.vector() })).length).toBeLessThanOrEqual(6);
  });
});
