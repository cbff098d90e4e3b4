/** Libraries as their guides use them with their defaults, opened inside the process that searches (host.ts). */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DIMENSIONS } from "../corpus.ts";
import { attributesAt, conditionOf, type Data, K, type Share, vectorOf } from "./engine.ts";
import { positionsBetween } from "./served.ts";

export interface Library {
  load(name: string, data: Data): Promise<void>;
  find(name: string, query: Float32Array, share: Share): number[] | Promise<number[]>;
}

/** `modules` is the folder where npm put them, `dir` where their data is. */
export const LIBRARIES: Record<string, (modules: string, dir: string) => Promise<Library>> = {
  lancedb,
  usearch,
  "sqlite-vec": sqliteVec,
};

interface LanceQuery {
  where(filter: string): LanceQuery;
  limit(count: number): LanceQuery;
  select(columns: string[]): LanceQuery;
  toArray(): Promise<{ id: number }[]>;
}
interface LanceTable {
  vectorSearch(vector: Float32Array): LanceQuery;
}
interface Lance {
  connect(path: string): Promise<{
    createTable(name: string, rows: unknown): Promise<LanceTable>;
    openTable(name: string): Promise<LanceTable>;
  }>;
}

/** Without an index, which is what a table has unless one is asked for: every vector is compared. */
async function lancedb(modules: string, dir: string): Promise<Library> {
  const { connect } = (await import(join(modules, "@lancedb/lancedb/dist/index.js"))) as Lance;
  const database = await connect(join(dir, "data"));
  const tables = new Map<string, LanceTable>();
  return {
    async load(name, data) {
      const rows = positionsBetween(0, data.count).map((id) => {
        return { id, content: data.texts[id], ...attributesAt(id), vector: vectorOf(data, id) };
      });
      tables.set(name, await database.createTable(name, rows));
    },
    async find(name, query, share) {
      const table = tables.get(name) ?? (await database.openTable(name));
      tables.set(name, table);
      const condition = conditionOf(share);
      let asked = table.vectorSearch(query).select(["id", "content", "_distance"]).limit(K);
      if (condition !== null) asked = asked.where(`${condition.key} = ${condition.value}`);
      return (await asked.toArray()).map(({ id }) => id);
    },
  };
}

interface UsearchIndex {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(vector: Float32Array, k: number, threads: number): { keys: BigUint64Array };
  save(path: string): void;
  load(path: string): void;
}
interface Usearch {
  Index: new (options: Record<string, unknown>) => UsearchIndex;
}

/** An index and nothing else: no texts, no filters. Zero threads are as many as there are cores. */
async function usearch(modules: string, dir: string): Promise<Library> {
  const { Index } = (await import(join(modules, "usearch/javascript/dist/cjs/usearch.js"))) as Usearch;
  const indexes = new Map<string, UsearchIndex>();
  const make = (name: string) => {
    const index = new Index({ dimensions: DIMENSIONS, metric: "cos" });
    indexes.set(name, index);
    return index;
  };
  const opened = (name: string) => {
    const index = make(name);
    index.load(join(dir, "data", name));
    return index;
  };
  return {
    load(name, data) {
      const index = make(name);
      index.add(
        BigUint64Array.from({ length: data.count }, (_, i) => BigInt(i)),
        data.flat,
        0,
      );
      index.save(join(dir, "data", name));
      return Promise.resolve();
    },
    find: (name, query) => [...(indexes.get(name) ?? opened(name)).search(query, K, 1).keys].map(Number),
  };
}

/** A table of the extension: every vector is compared. */
function sqliteVec(modules: string, dir: string): Promise<Library> {
  const database = new Database(join(dir, "data/vectors.sqlite"), { create: true });
  const extension = join(modules, `sqlite-vec-${process.platform}-${process.arch}`, "vec0");
  if (!existsSync(`${extension}.so`) && !existsSync(`${extension}.dylib`)) throw new Error("no extension");
  database.loadExtension(extension);
  database.run("PRAGMA journal_mode = wal");
  const library: Library = {
    load(name, data) {
      database.run(
        `CREATE VIRTUAL TABLE ${name} USING vec0(id integer primary key, tenth integer, hundredth integer,
           +content text, embedding float[${DIMENSIONS}] distance_metric=cosine)`,
      );
      const insert = database.query(
        `INSERT INTO ${name} (id, tenth, hundredth, content, embedding) VALUES (?, ?, ?, ?, ?)`,
      );
      database.transaction(() => {
        for (const n of positionsBetween(0, data.count)) {
          const { tenth, hundredth } = attributesAt(n);
          insert.run(n, tenth, hundredth, data.texts[n] ?? "", bytesOf(vectorOf(data, n)));
        }
      })();
      return Promise.resolve();
    },
    find(name, query, share) {
      const condition = conditionOf(share);
      const where = condition === null ? "" : `AND ${condition.key} = ${condition.value}`;
      const rows = database
        .query<{ id: number }, [Uint8Array]>(
          `SELECT id, content, distance FROM ${name} WHERE embedding MATCH ? AND k = ${K} ${where}`,
        )
        .all(bytesOf(query));
      return rows.map(({ id }) => id);
    },
  };
  return Promise.resolve(library);
}

function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
