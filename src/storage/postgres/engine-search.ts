/** What is asked of the tables of a generation that is searched in the database (engine-schema.ts). Changes nothing. */
import type { PostgresDatabase } from "./database.ts";
import { conditionOf, type EngineFilter, Parameters } from "./engine-filter.ts";
import { type EngineNames, type EngineRow, namesOf, type VectorExtension } from "./engine-schema.ts";
import type { Param } from "../sql.ts";
import { listText, sparsevecText, vectorText } from "./vector-format.ts";

/** A chunk that was found, with what its scores are made of. */
export interface EngineHit {
  readonly chunkId: number;
  readonly storeFile: number;
  readonly terms: Uint8Array;
  /** All its windows, one after another, as the rows of the store have them. */
  readonly vectors: Float32Array;
}

export interface NearestAsked {
  /** Of unit length. */
  readonly vector: Float32Array;
  /** Chunks to find. */
  readonly depth: number;
  readonly filter: EngineFilter | null;
  /** Through the graph, where there is one and it pays. */
  readonly byGraph: boolean;
}

export interface WordsAsked {
  /** Only chunks with one of these are looked at. */
  readonly rare: readonly number[];
  readonly hashes: readonly number[];
  readonly weights: readonly number[];
  readonly depth: number;
  readonly filter: EngineFilter | null;
}

/** Ids of chunks after and before which a page lies, exclusive. */
export interface KeptPage {
  readonly above: number;
  readonly below: number;
  readonly direction: "ASC" | "DESC";
  readonly limit: number;
}

/** Of so many chunks that a filter keeps at most each is looked at; of more a graph is walked, if there is one. */
const LISTED_CHUNKS = 5000;
/** The same where a filter is asked about each chunk's own attributes: a walk looks them up one by one. */
const LISTED_OWN = 20_000;
/** And where they are no more than this share of all, they are found by their keys. */
const LISTED_SHARE = 0.25;
/**
 * Candidates that a walk keeps at least: with fewer it misses more of the nearest than it saves in time. But no more than one in
 * so many vectors, or the server takes a look at all of them for less work.
 */
const LEAST_EF = 400;
const VECTORS_AN_EF = 100;
/** At most, by the extension. */
const MOST_EF = 1000;
/** Vectors that a walk with a filter looks at, as a multiple of those that would do if the filter kept them by chance. */
const PATIENCE = 4;
/** Halves round: so many more than asked for are found, of which the best by their own numbers are taken. */
const SPARE = 1.1;
/** Windows are asked for in steps of so many, so that the texts of statements, which a connection keeps, stay few. */
const WINDOW_STEP = 20;

export class EngineSearch {
  readonly #db: PostgresDatabase;
  readonly #row: EngineRow;
  readonly #names: EngineNames;

  constructor(db: PostgresDatabase, extension: VectorExtension, row: EngineRow) {
    this.#db = db;
    this.#row = row;
    this.#names = namesOf(row.id, extension);
  }

  /** How many chunks have each of these terms; those that none has are left out. */
  async counts(hashes: readonly number[]): Promise<Map<number, number>> {
    const text = /*sql*/ `SELECT hash, chunks FROM ${this.#names.term}
      WHERE hash = ANY(${listed("integer")}) AND chunks > 0`;
    const rows = await this.#db.all<{ hash: number; chunks: number }>(text, [listText(hashes)]);
    return new Map(rows.map(({ hash, chunks }) => [hash, chunks]));
  }

  /** Ids of the nearest chunks, by their nearest window, best first; and whether the graph found them. */
  async nearest(asked: NearestAsked): Promise<{ ids: number[]; used: "exact" | "hnsw" }> {
    const { chunks, vectors } = this.#row;
    const mean = Math.max(1, vectors / Math.max(1, chunks));
    const windows = Math.ceil((asked.depth * SPARE * mean) / WINDOW_STEP) * WINDOW_STEP;
    const list = await this.#listOf(asked.filter);
    if (list !== null && list.length <= LISTED_OWN)
      return { ids: await this.#scannedOf(list, asked.vector, windows), used: "exact" };
    const kept = list?.length ?? (asked.filter === null ? chunks : await this.#kept(asked.filter));
    if (asked.byGraph && this.#row.graph === 1 && kept > LISTED_CHUNKS) {
      const ids = await this.#walked(asked, windows, kept);
      // Where a walk ended early, everything is looked at.
      if (ids.length >= Math.min(asked.depth, kept)) return { ids, used: "hnsw" };
    }
    const ids = await this.#scanned(asked, windows, kept);
    return { ids, used: "exact" };
  }

  /** Ids of the best chunks by words among those that have a rare one, best first. */
  async byWords({ rare, hashes, weights, depth, filter }: WordsAsked): Promise<number[]> {
    const { chunk, sparsevec, product } = this.#names;
    const query = sparsevecText(hashes, weights);
    const parameters = new Parameters(listText(rare), query, Math.ceil(depth * SPARE));
    // Another extension has an operator of the same name.
    const text = /*sql*/ `SELECT chunk_id FROM (
        SELECT c.chunk_id, c.weights ${product} ${once(`CAST(CAST(?2 AS TEXT) AS ${sparsevec})`)} AS away FROM ${chunk} c
        WHERE c.ids OPERATOR(pg_catalog.&&) ${listed("integer")} AND ${this.#tests(filter, "c", parameters)}) found
      WHERE away < 0 ORDER BY away, chunk_id LIMIT ?3`;
    return await this.#idsOf(text, parameters.values);
  }

  /** What the scores of these chunks are made of, of those that are there, in no particular order. */
  async read(ids: readonly number[]): Promise<EngineHit[]> {
    if (ids.length === 0) return [];
    const { id: generation, dimensions } = this.#row;
    const list = listText(ids);
    const [chunks, windows] = await Promise.all([
      this.#db.all<ChunkTermsRow>(this.#termsText(), [list]),
      this.#db.all<WindowRow>(this.#windowsText(), [list, generation, dimensions * Float32Array.BYTES_PER_ELEMENT]),
    ]);
    const ofChunk = Map.groupBy(windows, (row) => row.chunk_id);
    return chunks.map(({ chunk_id: chunkId, store_file: storeFile, terms }) => ({
      chunkId,
      storeFile,
      terms,
      vectors: joined(ofChunk.get(chunkId) ?? [], dimensions),
    }));
  }

  /** Ids of chunks that a filter keeps, those nearest to where the page begins. */
  async keptIds(filter: EngineFilter, { above, below, direction, limit }: KeptPage): Promise<number[]> {
    const parameters = new Parameters(above, below, limit);
    const text = /*sql*/ `SELECT chunk_id FROM ${this.#names.chunk} c
      WHERE c.chunk_id > ?1 AND c.chunk_id < ?2 AND ${this.#tests(filter, "c", parameters)} ORDER BY c.chunk_id ${direction} LIMIT ?3`;
    return await this.#idsOf(text, parameters.values);
  }

  /** How many chunks a filter keeps, where none has attributes of its own. */
  async #kept(filter: EngineFilter): Promise<number> {
    const parameters = new Parameters();
    const files = conditionOf(filter, ["f.attributes"], "f", parameters);
    const text = /*sql*/ `SELECT coalesce(sum(f.chunks), 0)::bigint AS kept FROM ${this.#names.file} f WHERE ${files}`;
    return (await this.#db.get<{ kept: number }>(text, parameters.values))?.kept ?? 0;
  }

  /** Which chunks a filter keeps where some have attributes of their own, up to one more than are listed; else null. */
  async #listOf(filter: EngineFilter | null): Promise<number[] | null> {
    const { own, chunks } = this.#row;
    if (filter === null || own === 0) return null;
    const parameters = new Parameters();
    const of = [this.#ownChunks(filter, parameters)];
    if (own < chunks)
      of.push(/*sql*/ `SELECT l.chunk_id FROM (${this.#files(filter, parameters)}) k CROSS JOIN LATERAL
        (SELECT c.chunk_id FROM ${this.#names.chunk} c WHERE c.store_file = k.store_file AND c.own = 0 OFFSET 0) l`);
    return await this.#idsOf(`${of.join(" UNION ALL ")} LIMIT ${LISTED_OWN + 1}`, parameters.values);
  }

  async #idsOf(text: string, values: readonly Param[]): Promise<number[]> {
    return (await this.#db.all<{ chunk_id: number }>(text, values)).map((row) => row.chunk_id);
  }

  async #walked({ vector, filter }: NearestAsked, windows: number, kept: number): Promise<number[]> {
    const { vectors, chunks } = this.#row;
    const share = kept / Math.max(1, chunks);
    const most = Math.min(vectors, Math.max(LISTED_CHUNKS, Math.ceil((PATIENCE * windows) / share)));
    const ef = Math.min(MOST_EF, Math.max(windows, Math.min(LEAST_EF, Math.floor(vectors / VECTORS_AN_EF))));
    const parameters = new Parameters(vectorText(vector));
    const text = this.#nearestText(windows, (table) => this.#tested(filter, table, parameters, "few"), "");
    return await this.#db.transaction(async (tx) => {
      const [, rows] = await Promise.all([
        tx.all(SETTINGS, [String(ef), String(most)]),
        tx.all<{ chunk_id: number }>(text, parameters.values),
      ]);
      return rows.map((row) => row.chunk_id);
    });
  }

  async #scanned({ vector, filter }: NearestAsked, windows: number, kept: number): Promise<number[]> {
    const isListed = kept <= LISTED_CHUNKS && kept <= this.#row.chunks * LISTED_SHARE;
    const parameters = new Parameters(vectorText(vector));
    const from = (table: string) =>
      filter !== null && isListed ? this.#listed(filter, table, parameters) : this.#tested(filter, table, parameters);
    return await this.#idsOf(this.#nearestText(windows, from, NO_INDEX), parameters.values);
  }

  /** All of these are looked at, by their keys. */
  async #scannedOf(ids: readonly number[], vector: Float32Array, windows: number): Promise<number[]> {
    if (ids.length === 0) return [];
    const from = (table: string) =>
      /*sql*/ `SELECT t.chunk_id, t.embedding FROM ${table} t WHERE t.chunk_id = ANY(${listed("bigint", 2)})`;
    return await this.#idsOf(this.#nearestText(windows, from, NO_INDEX), [vectorText(vector), listText(ids)]);
  }

  /** The number of windows is part of the text: with a parameter the server has to guess how far a walk will go. */
  #nearestText(windows: number, from: (table: string) => string, more: string): string {
    const { vector, fresh, halfvec, product } = this.#names;
    const query = once(`CAST(CAST(?1 AS TEXT) AS ${halfvec}(${this.#row.dimensions}))`);
    const of = (table: string) => /*sql*/ `(SELECT v.chunk_id, (v.embedding ${product} ${query})${more} AS away
      FROM (${from(table)}) v ORDER BY away LIMIT ${windows})`;
    return /*sql*/ `SELECT chunk_id FROM (${of(vector)} UNION ALL ${of(fresh)}) found
      GROUP BY chunk_id ORDER BY min(away), chunk_id`;
  }

  /** Windows of chunks that a filter keeps: each of the table is looked at. */
  #tested(filter: EngineFilter | null, table: string, parameters: Parameters, rows: "few" | "all" = "all"): string {
    return /*sql*/ `SELECT t.chunk_id, t.embedding FROM ${table} t WHERE ${this.#tests(filter, "t", parameters, rows)}`;
  }

  /**
   * The same, looked up one file after another. How many files a filter keeps the server cannot guess: it takes it for half of
   * them and reads the whole table, unless (OFFSET 0) it has no other way.
   */
  #listed(filter: EngineFilter, table: string, parameters: Parameters): string {
    return /*sql*/ `SELECT l.chunk_id, l.embedding FROM (${this.#files(filter, parameters)}) k
      CROSS JOIN LATERAL (SELECT t.chunk_id, t.embedding FROM ${table} t WHERE t.store_file = k.store_file OFFSET 0) l`;
  }

  /**
   * A condition that is asked of each row; the rows of files that are kept are looked up in a table of hashes, and so are chunks
   * with attributes of their own, unless only a `few` rows are asked about: then each is looked at by its key.
   */
  #tests(filter: EngineFilter | null, table: string, parameters: Parameters, rows: "few" | "all" = "all"): string {
    if (filter === null) return "TRUE";
    const files = `${table}.store_file IN (${this.#files(filter, parameters)})`;
    if (this.#row.own === 0) return `((${files}) IS TRUE)`;
    const own = this.#ownChunks(filter, parameters);
    const chunks =
      rows === "few" ? `EXISTS (${own} AND o.chunk_id = ${table}.chunk_id OFFSET 0)` : `${table}.chunk_id IN (${own})`;
    return `(CASE WHEN ${table}.own = 1 THEN ${chunks} ELSE ${files} END)`;
  }

  #files(filter: EngineFilter, parameters: Parameters): string {
    return /*sql*/ `SELECT f.store_file FROM ${this.#names.file} f WHERE ${conditionOf(filter, ["f.attributes"], "f", parameters)}`;
  }

  #ownChunks(filter: EngineFilter, parameters: Parameters): string {
    const { own, file } = this.#names;
    const kept = conditionOf(filter, ["o.attributes", "f.attributes"], "f", parameters);
    return /*sql*/ `SELECT o.chunk_id FROM ${own} o JOIN ${file} f ON f.store_file = o.store_file WHERE ${kept}`;
  }

  // Each by its key (OFFSET 0 leaves no other way), also where the server has not counted yet what was just written.
  #termsText(): string {
    return /*sql*/ `SELECT c.chunk_id, c.store_file, t.terms FROM ${this.#names.chunk} c
      CROSS JOIN LATERAL (SELECT o.terms FROM chunk_terms o WHERE o.chunk_id = c.chunk_id OFFSET 0) t
      WHERE c.chunk_id = ANY(${listed("bigint")})`;
  }

  #windowsText(): string {
    const { vector, fresh } = this.#names;
    const of = (table: string) =>
      /*sql*/ `SELECT chunk_id, place, source, source_place FROM ${table} WHERE chunk_id = ANY(${listed("bigint")})`;
    return /*sql*/ `SELECT w.chunk_id, substring(v.data FROM (1 + CAST(?3 AS BIGINT) * w.source_place)::integer FOR CAST(?3 AS BIGINT)::integer) AS data
      FROM (${of(vector)} UNION ALL ${of(fresh)}) w
      CROSS JOIN LATERAL (SELECT o.data FROM vector o WHERE o.chunk_id = w.source AND o.generation = ?2 OFFSET 0) v
      ORDER BY w.chunk_id, w.place`;
  }
}

interface ChunkTermsRow {
  chunk_id: number;
  store_file: number;
  terms: Uint8Array;
}

interface WindowRow {
  chunk_id: number;
  data: Uint8Array;
}

/** Behind a distance: an expression that no index is over. */
const NO_INDEX = " + 0";

/** For the transaction alone. Candidates of a walk; and that with a filter it goes on until enough are kept. */
const SETTINGS = /*sql*/ `SELECT set_config('hnsw.ef_search', ?1, TRUE), set_config('hnsw.max_scan_tuples', ?2, TRUE),
  set_config('hnsw.iterative_scan', 'strict_order', TRUE)`;

/**
 * A value that is worked out once for a statement. A plan that the server makes for all values of its parameters, as it does
 * from the sixth time on where it looks as cheap, otherwise reads the text of a vector anew for every row.
 */
function once(value: string): string {
  return `(SELECT ${value})`;
}

/**
 * The numbers of a parameter. The server does not see how many they are, and takes them for a few: it looks each up by
 * its key, and starts no workers, which on a busy machine take longer to come than all of them to read.
 */
function listed(type: "integer" | "bigint", parameter = 1): string {
  return `CAST(${once(`string_to_array(?${parameter}, ',')::${type}[]`)} AS ${type}[])`;
}

function joined(rows: readonly WindowRow[], dimensions: number): Float32Array {
  const all = new Float32Array(rows.length * dimensions);
  const bytes = new Uint8Array(all.buffer);
  rows.forEach(({ data }, i) => bytes.set(data.subarray(0, dimensions * 4), i * dimensions * 4));
  return all;
}
