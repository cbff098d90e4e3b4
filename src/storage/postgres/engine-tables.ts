/** The generations that are searched in the database (engine-schema.ts): how their tables are made, written and dropped. */
import type { GenerationRow } from "../generations.ts";
import type { StoreRow } from "../stores.ts";
import { type Tables, tablesOf } from "../storage.ts";
import type { Tx } from "../sql.ts";
import { CopyEncoder, COPY_BEGIN, COPY_END, type CopyType } from "./copy-format.ts";
import type { PostgresDatabase, PostgresTx } from "./database.ts";
import { jsonText } from "./engine-filter.ts";
import {
  dropTexts,
  ENGINE_FORMAT,
  ENGINE_SCHEMA,
  type EngineNames,
  type EngineRow,
  finishTexts,
  namesOf,
  reopenTexts,
  tableTexts,
  type VectorExtension,
} from "./engine-schema.ts";
import { EngineSearch } from "./engine-search.ts";
import { sqlStateOf } from "./failures.ts";
import { halfvecBytes, int4ArrayBytes, jsonbBytes, listText, sparsevecBytes } from "./vector-format.ts";

export interface EngineFile {
  readonly storeFile: number;
  readonly revision: number;
  readonly fileId: string;
  /** In one spelling, as filters compare it. */
  readonly filename: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface EngineChunk {
  readonly chunkId: number;
  /** In terms. */
  readonly length: number;
  readonly hashes: ArrayLike<number>;
  /** Of each term, what it would add to a score at a weight of one: which chunks are candidates goes by it, no score does. */
  readonly weights: ArrayLike<number>;
  readonly own: Readonly<Record<string, unknown>> | null;
  readonly windows: readonly EngineWindow[];
}

/** A window of a chunk, and where its full numbers are kept: with the chunk that brought it. */
export interface EngineWindow {
  readonly source: number;
  readonly place: number;
  /** Of unit length. */
  readonly vector: Float32Array;
}

/** A listed generation, and what its store is by now. */
export interface EngineState extends EngineRow {
  store_version: number;
  n_chunks: number;
  index_mode: StoreRow["index_mode"];
}

const LISTED = `${ENGINE_SCHEMA}.generation`;
const LOCKED = /*sql*/ `SELECT * FROM ${LISTED} WHERE id = ?1 FOR UPDATE`;
/** Nothing where another has it: who builds a graph has it for longer than a statement may take. */
const LOCKED_NOW = /*sql*/ `${LOCKED} SKIP LOCKED`;
const STATE = /*sql*/ `SELECT e.*, s.version AS store_version, s.n_chunks, s.index_mode FROM ${LISTED} e
  JOIN vector_store s ON s.tenant_id = e.tenant_id AND s.id = e.store_id AND s.lifecycle <> 'deleting'
  WHERE e.format = ${ENGINE_FORMAT}`;
const STATES = /*sql*/ `${STATE} ORDER BY e.id`;
const ROW = /*sql*/ `${STATE} AND e.id = ?1`;
const OF_STORE = /*sql*/ `SELECT id FROM ${LISTED} WHERE store_id = ?1`;
const LARGE = /*sql*/ `SELECT g.id FROM vector_store s
  JOIN generation g ON g.tenant_id = s.tenant_id AND g.store_id = s.id AND g.id = s.live_generation
  WHERE s.n_chunks >= ?1 AND s.lifecycle <> 'deleting' AND NOT EXISTS (SELECT 1 FROM ${LISTED} e WHERE e.id = g.id) ORDER BY g.id LIMIT 100`;
/** Out of use for so long that no search reads it any more; or not there. s */
const REST_SECONDS = 120;
const STRAYS = /*sql*/ `SELECT e.id FROM ${LISTED} e
  LEFT JOIN vector_store s ON s.tenant_id = e.tenant_id AND s.id = e.store_id
  LEFT JOIN generation g ON g.tenant_id = e.tenant_id AND g.id = e.id
  WHERE s.id IS NULL OR s.lifecycle = 'deleting' OR g.id IS NULL OR e.format < ${ENGINE_FORMAT} OR s.n_chunks < ?1
    OR (g.state = 'retired' AND NOT EXISTS (SELECT 1 FROM store_change c WHERE c.generation = g.id AND c.kind = 'retired'
      AND c.at > extract(epoch FROM clock_timestamp()) - ${REST_SECONDS}))`;
const USABLE = /*sql*/ `SELECT 1 AS is_usable FROM generation g
  JOIN vector_store s ON s.tenant_id = g.tenant_id AND s.id = g.store_id AND s.lifecycle <> 'deleting'
  WHERE g.tenant_id = ?1 AND g.id = ?2 AND g.state <> 'retired'`;
const INSERT = /*sql*/ `INSERT INTO ${LISTED} (id, tenant_id, store_id, format, dimensions, state, version)
  VALUES (?1, ?2, ?3, ${ENGINE_FORMAT}, ?4, 'loading', ?5)`;
const REMOVE = /*sql*/ `DELETE FROM ${LISTED} WHERE id = ?1`;
const COUNT = /*sql*/ `UPDATE ${LISTED} SET files = files + ?2, chunks = chunks + ?3, vectors = vectors + ?4, terms = terms + ?5,
  own = own + ?6, fresh = fresh + ?7, version = coalesce(CAST(?8 AS BIGINT), version) WHERE id = ?1`;
const SET_STATE = /*sql*/ `UPDATE ${LISTED} SET state = ?2, graph = ?3 WHERE id = ?1`;

const CHUNK_TYPES: readonly CopyType[] = ["bigint", "bigint", "bigint", "bigint", "bytea", "bytea"];
const OWN_TYPES: readonly CopyType[] = ["bigint", "bigint", "bytea"];
const VECTOR_TYPES: readonly CopyType[] = ["bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bytea"];

export class EngineTables {
  readonly #db: PostgresDatabase;
  readonly #extension: VectorExtension;

  constructor(db: PostgresDatabase, extension: VectorExtension) {
    this.#db = db;
    this.#extension = extension;
  }

  async state(id: number): Promise<EngineState | null> {
    return await this.#db.get<EngineState>(ROW, [id]);
  }

  /** For questions to its tables as they are listed. */
  searchOf(row: EngineRow): EngineSearch {
    return new EngineSearch(this.#db, this.#extension, row);
  }

  /** Of stores that are there. */
  async states(): Promise<EngineState[]> {
    return await this.#db.all<EngineState>(STATES);
  }

  /** Live generations of stores of so many chunks and more that have no tables. */
  async large(from: number): Promise<number[]> {
    return (await this.#db.all<{ id: number }>(LARGE, [from])).map(({ id }) => id);
  }

  /** Generations with tables that are out of use, or whose stores have fewer chunks than this. */
  async strays(least: number): Promise<number[]> {
    return (await this.#db.all<{ id: number }>(STRAYS, [least])).map(({ id }) => id);
  }

  async ofStore(storeId: string): Promise<number[]> {
    return (await this.#db.all<{ id: number }>(OF_STORE, [storeId])).map(({ id }) => id);
  }

  /** Whether anything of a file is in the tables of its store. */
  async hasFile(storeId: string, storeFile: number): Promise<boolean> {
    for (const id of await this.ofStore(storeId)) {
      const { file, chunk, own, vector, fresh } = this.#names(id);
      const tables = [file, chunk, own, vector, fresh];
      const any = tables.map((table) => /*sql*/ `EXISTS (SELECT 1 FROM ${table} WHERE store_file = ?1)`).join(" OR ");
      const row = await this.#orNull(() =>
        this.#db.get<{ n: number }>(/*sql*/ `SELECT CASE WHEN ${any} THEN 1 ELSE 0 END AS n`, [storeFile]),
      );
      if (row?.n === 1) return true;
    }
    return false;
  }

  /** Makes the tables of a generation, empty; does nothing where they are there, or it is out of use. */
  async prepare(generation: GenerationRow): Promise<void> {
    const { id, tenant_id: tenantId, store_id: storeId, dimensions } = generation;
    try {
      await this.#db.transaction(async (tx) => {
        const store = await tablesOf(tx).stores.get(tenantId, storeId);
        if (store === null || (await tx.get(USABLE, [tenantId, id])) === null) return;
        // Two that do it at the same time: one of them finds the key taken.
        await tx.run(INSERT, [id, tenantId, storeId, dimensions, store.version]);
        for (const text of tableTexts(this.#names(id), dimensions)) await tx.run(text);
      });
    } catch (error) {
      if (sqlStateOf(error) !== "23505") throw error;
    }
  }

  /**
   * Changes the tables of a generation in one transaction, under its row's lock; null, with nothing done, where they are
   * gone, or another has the lock and it is not waited for. `work` is of the same transaction: it awaits only what it is given.
   */
  async write<T>(id: number, waits: boolean, work: (writer: EngineWriter) => Promise<T>): Promise<T | null> {
    return await this.#db.transaction(async (tx) => {
      const row = await tx.get<EngineRow>(waits ? LOCKED : LOCKED_NOW, [id]);
      if (row === null) return null;
      const writer = new EngineWriter(tx, this.#names(id), row);
      const result = await work(writer);
      await writer.end();
      return result;
    }, "work");
  }

  /** Files that are completed and not in the tables of a generation, with the revision that they have now. */
  async missing(tables: { tx: Tx; row: EngineRow }, limit: number): Promise<number[]> {
    const { tx, row } = tables;
    const text = /*sql*/ `SELECT f.seq FROM store_file f LEFT JOIN ${this.#names(row.id).file} e
      ON e.store_file = f.seq AND e.revision = f.revision
      WHERE f.tenant_id = ?1 AND f.store_id = ?2 AND f.status = 'completed' AND e.store_file IS NULL ORDER BY f.seq LIMIT ?3`;
    return (await tx.all<{ seq: number }>(text, [row.tenant_id, row.store_id, limit])).map(({ seq }) => seq);
  }

  /**
   * The indexes over full tables; from then on they are searched. `hasGraph` of so many vectors: whether there is to be one.
   * May take as long as the server takes for a graph of all vectors.
   */
  async finish(id: number, hasGraph: (vectors: number) => boolean): Promise<void> {
    await this.#db.unhurried(async (tx) => {
      const row = await tx.get<EngineRow>(LOCKED, [id]);
      if (row === null || row.state === "ready" || (await this.missing({ tx, row }, 1)).length > 0) return;
      const withGraph = hasGraph(row.vectors);
      for (const text of finishTexts(this.#names(id), withGraph)) await tx.run(text);
      await tx.run(SET_STATE, [id, "ready", withGraph ? 1 : 0]);
    });
  }

  /** Takes the graph away, for another over everything; until it is finished again it is not searched. */
  async reopen(id: number): Promise<void> {
    await this.#db.unhurried(async (tx) => {
      const row = await tx.get<EngineRow>(LOCKED, [id]);
      if (row === null || row.state !== "ready") return;
      for (const text of reopenTexts(this.#names(id))) await tx.run(text);
      await tx.run(COUNT, [id, 0, 0, 0, 0, 0, -row.fresh, null]);
      await tx.run(SET_STATE, [id, "loading", 0]);
    });
  }

  /** Moves some windows into the graph; how many. */
  async moveFresh(id: number, limit: number): Promise<number> {
    const { vector, fresh } = this.#names(id);
    const text = /*sql*/ `WITH moved AS (DELETE FROM ${fresh} WHERE (chunk_id, place) IN
        (SELECT chunk_id, place FROM ${fresh} ORDER BY chunk_id, place LIMIT ?1) RETURNING *)
      INSERT INTO ${vector} SELECT * FROM moved`;
    const moved = await this.write(id, false, async (writer) => {
      const n = await writer.tx.run(text, [limit]);
      writer.counted({ fresh: -n });
      return n;
    });
    return moved ?? 0;
  }

  /** Does nothing where somebody writes to them just now: whoever drops tables looks again. */
  async drop(id: number): Promise<void> {
    await this.#db.transaction(async (tx) => {
      if ((await tx.get(LOCKED_NOW, [id])) === null) return;
      for (const text of dropTexts(this.#names(id))) await tx.run(text);
      await tx.run(REMOVE, [id]);
    });
  }

  #names(id: number): EngineNames {
    return namesOf(id, this.#extension);
  }

  /** Null where the tables were dropped meanwhile. */
  async #orNull<T>(read: () => Promise<T>): Promise<T | null> {
    try {
      return await read();
    } catch (error) {
      if (isDropped(error)) return null;
      throw error;
    }
  }
}

/** Whether a statement failed because a table is not there: it was dropped since it was looked for. */
export function isDropped(error: unknown): boolean {
  return sqlStateOf(error) === "42P01";
}

type Counts = Record<"files" | "chunks" | "vectors" | "terms" | "own" | "fresh", number>;

/** What a transaction does to the tables of a generation. */
export class EngineWriter {
  readonly tx: PostgresTx;
  readonly tables: Tables;
  /** As it was when the lock was taken. */
  readonly row: EngineRow;
  readonly #names: EngineNames;
  readonly #counts: Counts = { files: 0, chunks: 0, vectors: 0, terms: 0, own: 0, fresh: 0 };
  readonly #added = new Map<number, number>();
  #version: number | null = null;

  constructor(tx: PostgresTx, names: EngineNames, row: EngineRow) {
    this.tx = tx;
    this.tables = tablesOf(tx);
    this.row = row;
    this.#names = names;
  }

  /** Mean length of the chunks, with those of this transaction; 0 where there are none. */
  get averageLength(): number {
    const chunks = this.row.chunks + this.#counts.chunks;
    return chunks === 0 ? 0 : (this.row.terms + this.#counts.terms) / chunks;
  }

  counted(more: Partial<Counts>): void {
    for (const [what, n] of Object.entries(more)) this.#counts[what as keyof Counts] += n;
  }

  /** Everything up to this version of the store is in the tables when the transaction is done. */
  reaches(version: number): void {
    this.#version = version;
  }

  /** Which revision of a file is there, and how many chunks of it; null where it is not there. */
  async chunksOf(storeFile: number): Promise<{ revision: number; chunks: number } | null> {
    const text = /*sql*/ `SELECT revision, chunks FROM ${this.#names.file} WHERE store_file = ?1`;
    return await this.tx.get(text, [storeFile]);
  }

  /** Does nothing where the file is not there. */
  async removeFile(storeFile: number): Promise<void> {
    const { file, chunk, own, vector, fresh, term } = this.#names;
    const files = await this.tx.run(/*sql*/ `DELETE FROM ${file} WHERE store_file = ?1`, [storeFile]);
    if (files === 0) return;
    if (this.row.state === "ready") {
      const less = /*sql*/ `UPDATE ${term} t SET chunks = t.chunks - gone.n FROM
        (SELECT hash, count(*) AS n FROM ${chunk} c CROSS JOIN LATERAL unnest(c.ids) AS hash WHERE c.store_file = ?1 GROUP BY hash) gone
        WHERE t.hash = gone.hash`;
      await this.tx.run(less, [storeFile]);
    }
    const gone = /*sql*/ `WITH gone AS (DELETE FROM ${chunk} WHERE store_file = ?1 RETURNING length)
      SELECT count(*) AS chunks, coalesce(sum(length), 0)::bigint AS terms FROM gone`;
    const counts = await this.tx.get<Pick<Counts, "chunks" | "terms">>(gone, [storeFile]);
    const ownGone = await this.tx.run(/*sql*/ `DELETE FROM ${own} WHERE store_file = ?1`, [storeFile]);
    const fromGraph = await this.tx.run(/*sql*/ `DELETE FROM ${vector} WHERE store_file = ?1`, [storeFile]);
    const fromFresh = await this.tx.run(/*sql*/ `DELETE FROM ${fresh} WHERE store_file = ?1`, [storeFile]);
    const { chunks = 0, terms = 0 } = counts ?? {};
    this.counted({ files: -1, chunks: -chunks, terms: -terms, own: -ownGone });
    this.counted({ vectors: -fromGraph - fromFresh, fresh: -fromFresh });
  }

  /** A file that is not there, without chunks. */
  async addFile({ storeFile, revision, fileId, filename, attributes }: EngineFile): Promise<void> {
    const text = /*sql*/ `INSERT INTO ${this.#names.file} (store_file, revision, file_id, filename, attributes, chunks)
      VALUES (?1, ?2, ?3, ?4, CAST(CAST(?5 AS TEXT) AS JSONB), 0)`;
    await this.tx.run(text, [storeFile, revision, fileId, filename, jsonText(attributes)]);
    this.counted({ files: 1 });
  }

  /** Does nothing where the file is not there. */
  async setAttributes(storeFile: number, attributes: EngineFile["attributes"]): Promise<void> {
    const text = /*sql*/ `UPDATE ${this.#names.file} SET attributes = CAST(CAST(?2 AS TEXT) AS JSONB) WHERE store_file = ?1`;
    await this.tx.run(text, [storeFile, jsonText(attributes)]);
  }

  /** More chunks of a file that is there. */
  async addChunks(storeFile: number, chunks: readonly EngineChunk[]): Promise<void> {
    if (chunks.length === 0) return;
    const { file, chunk, own: ownTable, vector, fresh } = this.#names;
    const rows = new CopyEncoder(CHUNK_TYPES);
    const owns = new CopyEncoder(OWN_TYPES);
    const windows = new CopyEncoder(VECTOR_TYPES);
    for (const { chunkId, length, hashes, weights, own, windows: ofChunk } of chunks) {
      const hasOwn = own === null ? 0 : 1;
      rows.add([chunkId, storeFile, length, hasOwn, int4ArrayBytes(hashes), sparsevecBytes(hashes, weights)]);
      if (own !== null) owns.add([chunkId, storeFile, jsonbBytes(jsonText(own))]);
      ofChunk.forEach(({ source, place, vector: unit }, i) => {
        windows.add([chunkId, i, storeFile, source, place, hasOwn, halfvecBytes(unit)]);
      });
      this.counted({ chunks: 1, terms: length, vectors: ofChunk.length, own: hasOwn });
      if (this.row.state === "ready")
        for (const hash of new Set(Array.from(hashes))) this.#added.set(hash, (this.#added.get(hash) ?? 0) + 1);
    }
    const isFresh = this.row.state === "ready" && this.row.graph === 1;
    if (isFresh) this.counted({ fresh: chunks.reduce((sum, one) => sum + one.windows.length, 0) });
    await this.#copy(`${chunk} (chunk_id, store_file, length, own, ids, weights)`, rows);
    await this.#copy(`${ownTable} (chunk_id, store_file, attributes)`, owns);
    await this.#copy(
      `${isFresh ? fresh : vector} (chunk_id, place, store_file, source, source_place, own, embedding)`,
      windows,
    );
    await this.tx.run(/*sql*/ `UPDATE ${file} SET chunks = chunks + ?2 WHERE store_file = ?1`, [
      storeFile,
      chunks.length,
    ]);
  }

  /** What was counted is written down; the last of the transaction. */
  async end(): Promise<void> {
    if (this.#added.size > 0) {
      const { term, id } = this.#names;
      const text = /*sql*/ `INSERT INTO ${term} AS t (hash, chunks)
        SELECT * FROM unnest(string_to_array(?1, ',')::integer[], string_to_array(?2, ',')::bigint[])
        ON CONFLICT ON CONSTRAINT term_key_${id} DO UPDATE SET chunks = t.chunks + excluded.chunks`;
      await this.tx.run(text, [listText(this.#added.keys()), listText(this.#added.values())]);
    }
    const { files, chunks, vectors, terms, own, fresh } = this.#counts;
    await this.tx.run(COUNT, [this.row.id, files, chunks, vectors, terms, own, fresh, this.#version]);
  }

  async #copy(into: string, rows: CopyEncoder): Promise<void> {
    if (rows.bytes === 0) return;
    await this.tx.copyIn(`COPY ${into} FROM STDIN (FORMAT binary)`, [COPY_BEGIN, rows.take(), COPY_END]);
  }
}
