import { Database as Connection } from "bun:sqlite";
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { ChunkOwner, IndexedChunk } from "./chunks.ts";
import type { ChunkId, ChunkSet, GenerationId, StoreFileSeq, TenantId } from "./ids.ts";
import { type IndexReads, indexReads, type KeptFile } from "./index-reads.ts";
import { Statements } from "./statements.ts";
import type { Param } from "./sql.ts";
import { STORE_FILE, type StoreFileRow } from "./store-files.ts";
import { encode } from "./table.ts";

/**
 * What indexes in memory read without waiting, on this machine, of a database elsewhere: of each chunk that an index has,
 * its terms, its vectors and its place; of each file that is entering one, its row.
 *
 * Whatever an index is made of comes through {@link IndexCache.keep} on its way, so what an index asks for is there, and is
 * what the database had when the index took it; what leaves the database leaves here too ({@link IndexCache.forget}). It
 * belongs to one run of one process: a new one begins with nothing, so that there is never a doubt about what is in it.
 */
export class IndexCache {
  readonly reads: Omit<IndexReads, "slice" | "bring" | "forget" | "forgetGeneration" | "kept">;
  readonly #path: string;
  readonly #connection: Connection;
  readonly #statements: Statements;

  /** `path`: of the file, which is made anew. */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#path = path;
    remove(path);
    this.#connection = new Connection(path, { create: true, strict: true });
    // Nothing here outlives the process; what was deleted is not to be found in it.
    for (const setting of ["journal_mode = OFF", "synchronous = OFF", "secure_delete = ON", "cache_size = -16384"])
      this.#connection.run(`PRAGMA ${setting}`);
    this.#connection.run(TABLES);
    const statements = (this.#statements = new Statements(this.#connection));
    this.reads = indexReads({
      all: <Row>(text: string, params: readonly Param[] = []) => statements.of(text).all(...params) as Row[],
      values: (text, params = []) => statements.of(text).values(...params),
    });
  }

  /** A slice of a file's chunks, from place `from` on, as an index is about to take it. */
  keep(
    tenantId: TenantId,
    { storeFile, chunkSet, revision }: ChunkOwner,
    generation: GenerationId,
    { from, chunks }: { from: number; chunks: readonly IndexedChunk[] },
  ): void {
    this.#once(() => {
      for (const [at, { chunk_id: id, terms, data, shared, attributes }] of chunks.entries()) {
        this.#run(KEEP_CHUNK, [id, tenantId, storeFile, chunkSet, revision, from + at]);
        this.#run(KEEP_TERMS, [id, terms]);
        this.#run(KEEP_VECTOR, [id, generation, data, shared]);
        if (attributes === null) this.#run(FORGET_ATTRIBUTES, [id]);
        else this.#run(KEEP_ATTRIBUTES, [id, JSON.stringify(attributes)]);
      }
    });
  }

  /** The row of a file as it is now; null: it is gone. */
  keepFile(tenantId: TenantId, seq: StoreFileSeq, row: StoreFileRow | null): void {
    if (row === null) return this.#run(FORGET_FILE, [tenantId, seq]);
    const names = Object.keys(STORE_FILE.columns) as (keyof StoreFileRow)[];
    this.#run(
      KEEP_FILE,
      names.map((name) => encode(STORE_FILE.columns[name], row[name])),
    );
  }

  keepTerms(chunks: readonly { id: ChunkId; terms: Uint8Array }[]): void {
    this.#once(() => {
      for (const { id, terms } of chunks) this.#run(CHANGE_TERMS, [id, terms]);
    });
  }

  /** Chunks of a file of revisions before this one. */
  forget(storeFile: StoreFileSeq, belowRevision: number): void {
    this.#once(() => {
      for (const table of OF_CHUNKS) this.#run(forgetOf(table, OF_OLD), [storeFile, belowRevision]);
      this.#run(/*sql*/ `DELETE FROM chunk WHERE ${OF_OLD}`, [storeFile, belowRevision]);
    });
  }

  /** Chunks of a file in one set. */
  forgetSet(storeFile: StoreFileSeq, chunkSet: ChunkSet): void {
    this.#once(() => {
      for (const table of OF_CHUNKS) this.#run(forgetOf(table, OF_SET), [storeFile, chunkSet]);
      this.#run(/*sql*/ `DELETE FROM chunk WHERE ${OF_SET}`, [storeFile, chunkSet]);
    });
  }

  /** A file's vectors in one generation. */
  forgetVectors(generation: GenerationId, storeFile: StoreFileSeq): void {
    this.#run(FORGET_VECTORS, [generation, storeFile]);
  }

  /** Files after `seq` of which chunks are here, in order. */
  kept(seq: StoreFileSeq, limit: number): KeptFile[] {
    return this.#statements.of(KEPT).all(seq, limit) as KeptFile[];
  }

  /** Vectors of a generation, and chunks that are of no other one; false when that was all of them. */
  forgetGeneration(generation: GenerationId): boolean {
    const ids = this.#statements.of(SOME_OF_GENERATION).values(generation, FORGOTTEN_AT_ONCE).flat();
    const list = JSON.stringify(ids);
    this.#once(() => {
      this.#run(FORGET_OF_GENERATION, [generation, list]);
      for (const table of ["chunk_terms", "chunk_attributes"]) this.#run(forgetUnused(table, "chunk_id"), [list]);
      this.#run(forgetUnused("chunk", "id"), [list]);
    });
    return ids.length === FORGOTTEN_AT_ONCE;
  }

  close(): void {
    this.#statements.finalize();
    this.#connection.close();
    remove(this.#path);
  }

  #run(text: string, params: readonly Param[]): void {
    this.#statements.of(text).run(...params);
  }

  #once(work: () => void): void {
    this.#connection.transaction(work)();
  }
}

function remove(path: string): void {
  for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}

const FILE_COLUMNS = Object.keys(STORE_FILE.columns);
/** Of the database's tables what {@link indexReads} asks for, by the same names. */
const TABLES = /*sql*/ `
CREATE TABLE store_file (${FILE_COLUMNS.map((name) => (name === "seq" ? "seq INTEGER PRIMARY KEY" : name)).join(", ")});
CREATE TABLE chunk (id INTEGER PRIMARY KEY, tenant_id, store_file, chunk_set, revision, idx);
CREATE UNIQUE INDEX chunk_by_file ON chunk (store_file, chunk_set, revision, idx);
CREATE TABLE chunk_terms (chunk_id INTEGER PRIMARY KEY, terms);
CREATE TABLE chunk_attributes (chunk_id INTEGER PRIMARY KEY, attributes);
CREATE TABLE vector (id INTEGER PRIMARY KEY, chunk_id INTEGER, generation INTEGER, data, shared);
CREATE UNIQUE INDEX vector_by_chunk ON vector (chunk_id, generation);
CREATE INDEX vector_by_generation ON vector (generation);
`;
const KEEP_FILE = /*sql*/ `INSERT OR REPLACE INTO store_file (${FILE_COLUMNS.join(", ")})
  VALUES (${FILE_COLUMNS.map((_, i) => `?${i + 1}`).join(", ")})`;
const FORGET_FILE = /*sql*/ `DELETE FROM store_file WHERE tenant_id = ?1 AND seq = ?2`;
const KEEP_CHUNK = /*sql*/ `INSERT OR REPLACE INTO chunk (id, tenant_id, store_file, chunk_set, revision, idx)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6)`;
const KEEP_TERMS = /*sql*/ `INSERT OR REPLACE INTO chunk_terms (chunk_id, terms) VALUES (?1, ?2)`;
const CHANGE_TERMS = /*sql*/ `UPDATE chunk_terms SET terms = ?2 WHERE chunk_id = ?1`;
const KEEP_ATTRIBUTES = /*sql*/ `INSERT OR REPLACE INTO chunk_attributes (chunk_id, attributes) VALUES (?1, ?2)`;
const FORGET_ATTRIBUTES = /*sql*/ `DELETE FROM chunk_attributes WHERE chunk_id = ?1`;
const KEEP_VECTOR = /*sql*/ `INSERT INTO vector (chunk_id, generation, data, shared) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (chunk_id, generation) DO UPDATE SET data = excluded.data, shared = excluded.shared`;
const OF_CHUNKS = ["vector", "chunk_terms", "chunk_attributes"];
const OF_OLD = "store_file = ?1 AND revision < ?2";
const OF_SET = "store_file = ?1 AND chunk_set = ?2";
const forgetOf = (table: string, which: string) => /*sql*/ `DELETE FROM ${table} WHERE chunk_id IN
  (SELECT id FROM chunk WHERE ${which})`;
const FORGET_VECTORS = /*sql*/ `DELETE FROM vector WHERE generation = ?1 AND chunk_id IN
  (SELECT id FROM chunk WHERE store_file = ?2)`;
const KEPT = /*sql*/ `SELECT tenant_id, store_file FROM chunk WHERE store_file > ?1 GROUP BY store_file ORDER BY store_file LIMIT ?2`;
const FORGOTTEN_AT_ONCE = 500;
const SOME_OF_GENERATION = /*sql*/ `SELECT chunk_id FROM vector WHERE generation = ?1 LIMIT ?2`;
const FORGET_OF_GENERATION = /*sql*/ `DELETE FROM vector WHERE generation = ?1
  AND chunk_id IN (SELECT value FROM json_each(?2))`;
/** Of chunks that have no vector here any more, in whatever generation. */
const forgetUnused = (table: string, chunk: string) => /*sql*/ `DELETE FROM ${table}
  WHERE ${chunk} IN (SELECT value FROM json_each(?1) j
    WHERE NOT EXISTS (SELECT 1 FROM vector v WHERE v.chunk_id = j.value))`;
