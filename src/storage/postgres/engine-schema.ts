/**
 * Tables in which PostgreSQL itself searches large stores, by its extension `vector` (pgvector): six of each generation
 * that is searched so, and one that lists them. They lie in a schema of their own and are a cache like an index in memory:
 * made of the rows of the store, and made again from them when they are gone. So no migration knows them, no backup needs
 * them, and an operator may drop the schema at any time.
 *
 * - `file_N`: the files that are in, with their attributes. `chunk_N`: their chunks, with the hashes of their terms (found
 *   by a GIN index) and the terms' weights as a sparse vector. `own_N`: those chunks' own attributes, of which filters read
 *   many at a time, so that they lie close together. `term_N`: how many chunks have a term.
 * - `vector_N`: the windows of the chunks in halves, and, where there is a graph, what it is over. What came since the
 *   graph was built lies in `fresh_N` and is scanned, until it is moved in small steps: to put a vector into a graph takes
 *   milliseconds.
 * - `generation.version`: everything up to this version of the store (store-changes.ts) is in the tables. Whoever writes to
 *   them holds the lock of that row, so no two servers write at the same time, and a write that is cut off leaves nothing.
 */
import { sqlStateOf } from "./failures.ts";
import type { PostgresDatabase } from "./database.ts";
import type { Sql } from "../sql.ts";

/** Of the tables below: others are made anew. */
export const ENGINE_FORMAT = 2;
export const ENGINE_SCHEMA = "lectern_engine";
/** The first version of the extension with iterative scans, halves and sparse vectors. */
const LEAST_VERSION = [0, 8] as const;

/** A generation that is searched in the database. */
export interface EngineRow {
  id: number;
  tenant_id: string;
  store_id: string;
  format: number;
  dimensions: number;
  /** While it is `loading` it is not searched. */
  state: "loading" | "ready";
  version: number;
  files: number;
  chunks: number;
  vectors: number;
  /** Sum of the chunks' lengths in terms. */
  terms: number;
  /** Chunks with attributes of their own. */
  own: number;
  /** Windows that are not in the graph yet. */
  fresh: number;
  /** 1: it has a graph. */
  graph: number;
}

const MAKE_SCHEMA = /*sql*/ `CREATE SCHEMA IF NOT EXISTS ${ENGINE_SCHEMA}`;
const MAKE_LIST = /*sql*/ `CREATE TABLE IF NOT EXISTS ${ENGINE_SCHEMA}.generation (
  id BIGINT PRIMARY KEY, tenant_id TEXT COLLATE "C" NOT NULL, store_id TEXT COLLATE "C" NOT NULL,
  format BIGINT NOT NULL, dimensions BIGINT NOT NULL, state TEXT COLLATE "C" NOT NULL CHECK (state IN ('loading', 'ready')),
  version BIGINT NOT NULL, files BIGINT NOT NULL DEFAULT 0, chunks BIGINT NOT NULL DEFAULT 0,
  vectors BIGINT NOT NULL DEFAULT 0, terms BIGINT NOT NULL DEFAULT 0, own BIGINT NOT NULL DEFAULT 0,
  fresh BIGINT NOT NULL DEFAULT 0, graph BIGINT NOT NULL DEFAULT 0)`;
const EXTENSION = /*sql*/ `SELECT e.extversion AS version, quote_ident(n.nspname) AS place FROM pg_extension e
  JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'`;
/** Two that start at the same time make it once. */
const ALONE = /*sql*/ `SELECT pg_advisory_xact_lock(hashtext('${ENGINE_SCHEMA}'))::text AS held`;

export interface VectorExtension {
  readonly version: string;
  /** The schema in which its types and operators are, as it is written in statements. */
  readonly place: string;
}

/** The extension `vector` in this database; null where it is not there. */
export async function vectorExtension(db: Pick<Sql, "get">): Promise<VectorExtension | null> {
  return await db.get<VectorExtension>(EXTENSION);
}

/** Why the database cannot search large stores itself, as a sentence; null where it can. */
export function extensionProblem(extension: VectorExtension | null): string | null {
  if (extension === null)
    return "the extension vector (pgvector) is not in the database, so every store is searched in the memory of the servers: an administrator can add it with CREATE SCHEMA pgvector; CREATE EXTENSION vector SCHEMA pgvector";
  const { version } = extension;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_VERSION;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return null;
  return `the extension vector (pgvector) in the database is version ${version}, and ${LEAST_VERSION.join(".")} is needed, so every store is searched in the memory of the servers: update it with ALTER EXTENSION vector UPDATE`;
}

/** Makes the schema where it is not there. The extension that its tables are of, or why that cannot be, as a sentence. */
export async function openEngineSchema(db: PostgresDatabase): Promise<VectorExtension | { problem: string }> {
  const extension = await vectorExtension(db);
  const problem = extensionProblem(extension);
  if (extension === null || problem !== null) return { problem: problem ?? "" };
  try {
    await db.transaction(async (tx) => {
      await tx.get(ALONE);
      await tx.run(MAKE_SCHEMA);
      await tx.run(MAKE_LIST);
    });
    return extension;
  } catch (error) {
    if (sqlStateOf(error) !== "42501") throw error;
    const problem = `the user of --database may not make the schema ${ENGINE_SCHEMA}, so every store is searched in the memory of the servers: GRANT CREATE ON DATABASE to it`;
    return { problem };
  }
}

/** What an operator should know of the searches in the database. */
export interface EngineReport {
  readonly extension: VectorExtension | null;
  /** Generations of stores with tables that are searched, and that are being filled. */
  readonly ready: number;
  readonly loading: number;
  /** Of all tables and their indexes. */
  readonly bytes: number;
}

const MADE = /*sql*/ `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes,
  count(*) FILTER (WHERE c.relname = 'generation') AS is_made FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '${ENGINE_SCHEMA}' AND c.relkind = 'r'`;
const STATES = /*sql*/ `SELECT count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'loading') AS loading
  FROM ${ENGINE_SCHEMA}.generation`;

/** Asks the database, and changes nothing. */
export async function inspectEngine(db: Pick<Sql, "get">): Promise<EngineReport> {
  const extension = await vectorExtension(db);
  const made = await db.get<{ bytes: number; is_made: number }>(MADE);
  const none = { ready: 0, loading: 0 };
  const states = made?.is_made === 1 ? await db.get<typeof none>(STATES) : none;
  return { extension, ...(states ?? none), bytes: made?.bytes ?? 0 };
}

/**
 * The names of a generation's tables, and those of the extension: it may lie in any schema but that of the rows, where a
 * table has the name of one of its types.
 */
export interface EngineNames {
  readonly file: string;
  readonly chunk: string;
  readonly own: string;
  readonly vector: string;
  readonly fresh: string;
  readonly term: string;
  /** Its own number, for the names of indexes and constraints. */
  readonly id: number;
  readonly halfvec: string;
  readonly sparsevec: string;
  /** The operator for the negative inner product. */
  readonly product: string;
  readonly graphClass: string;
}

export function namesOf(id: number, { place }: Pick<VectorExtension, "place">): EngineNames {
  const name = (what: string) => `${ENGINE_SCHEMA}.${what}_${id}`;
  return {
    file: name("file"),
    chunk: name("chunk"),
    own: name("own"),
    vector: name("vector"),
    fresh: name("fresh"),
    term: name("term"),
    id,
    halfvec: `${place}.halfvec`,
    sparsevec: `${place}.sparsevec`,
    product: `OPERATOR(${place}.<#>)`,
    graphClass: `${place}.halfvec_ip_ops`,
  };
}

/** Statements that make a generation's tables. What is only needed once they are full comes last ({@link finishTexts}). */
export function tableTexts(names: EngineNames, dimensions: number): string[] {
  const { file, chunk, own, vector, fresh, term, halfvec, sparsevec } = names;
  return [
    /*sql*/ `CREATE TABLE ${file} (store_file BIGINT PRIMARY KEY, revision BIGINT NOT NULL, file_id TEXT COLLATE "C" NOT NULL,
      filename TEXT COLLATE "C" NOT NULL, attributes JSONB NOT NULL, chunks BIGINT NOT NULL)`,
    // Hashes and weights stay in the row as long as it fits its page.
    /*sql*/ `CREATE TABLE ${chunk} (chunk_id BIGINT PRIMARY KEY, store_file BIGINT NOT NULL, length BIGINT NOT NULL, own BIGINT NOT NULL,
      ids INTEGER[] NOT NULL, weights ${sparsevec} NOT NULL) WITH (toast_tuple_target = 8160)`,
    /*sql*/ `CREATE TABLE ${own} (chunk_id BIGINT PRIMARY KEY, store_file BIGINT NOT NULL, attributes JSONB NOT NULL)`,
    /*sql*/ `CREATE INDEX ON ${own} (store_file)`,
    /*sql*/ `CREATE TABLE ${vector} (chunk_id BIGINT NOT NULL, place BIGINT NOT NULL, store_file BIGINT NOT NULL,
      source BIGINT NOT NULL, source_place BIGINT NOT NULL, own BIGINT NOT NULL, embedding ${halfvec}(${dimensions}) NOT NULL,
      PRIMARY KEY (chunk_id, place))`,
    /*sql*/ `ALTER TABLE ${vector} ALTER COLUMN embedding SET STORAGE ${dimensions <= 3500 ? "PLAIN" : "EXTERNAL"}`,
    /*sql*/ `CREATE TABLE ${fresh} (LIKE ${vector} INCLUDING ALL)`,
    /*sql*/ `CREATE INDEX ON ${fresh} (store_file)`,
    /*sql*/ `CREATE TABLE ${term} (hash INTEGER NOT NULL, chunks BIGINT NOT NULL) WITH (fillfactor = 70)`,
  ];
}

/** The most dimensions that a graph of halves can have, by the extension. */
const MOST_GRAPH_DIMENSIONS = 4000;
const GRAPH_SHAPE = { m: 16, efConstruction: 64 } as const;

export function canHaveGraph(dimensions: number): boolean {
  return dimensions <= MOST_GRAPH_DIMENSIONS;
}

/** Statements after which the full tables can be searched; each does nothing where it was done. */
export function finishTexts({ chunk, own, vector, term, id, graphClass }: EngineNames, hasGraph: boolean): string[] {
  const index = (what: string) => `${what}_${id}`;
  const graph = /*sql*/ `CREATE INDEX IF NOT EXISTS ${index("vector_graph")} ON ${vector}
    USING hnsw (embedding ${graphClass}) WITH (m = ${GRAPH_SHAPE.m}, ef_construction = ${GRAPH_SHAPE.efConstruction})`;
  return [
    /*sql*/ `TRUNCATE ${term}`,
    /*sql*/ `ALTER TABLE ${term} DROP CONSTRAINT IF EXISTS ${index("term_key")}`,
    /*sql*/ `INSERT INTO ${term} (hash, chunks) SELECT hash, count(*) FROM ${chunk} CROSS JOIN LATERAL unnest(ids) AS hash GROUP BY hash`,
    /*sql*/ `ALTER TABLE ${term} ADD CONSTRAINT ${index("term_key")} PRIMARY KEY (hash)`,
    /*sql*/ `CREATE INDEX IF NOT EXISTS ${index("chunk_file")} ON ${chunk} (store_file)`,
    /*sql*/ `CREATE INDEX IF NOT EXISTS ${index("vector_file")} ON ${vector} (store_file)`,
    /*sql*/ `CREATE INDEX IF NOT EXISTS ${index("chunk_terms")} ON ${chunk} USING gin (ids)`,
    ...(hasGraph ? [graph] : []),
    /*sql*/ `ANALYZE ${chunk}`,
    /*sql*/ `ANALYZE ${own}`,
    /*sql*/ `ANALYZE ${vector}`,
    /*sql*/ `ANALYZE ${term}`,
  ];
}

/** Statements after which there is no graph, and nothing beside it. */
export function reopenTexts({ vector, fresh, id }: EngineNames): string[] {
  return [
    /*sql*/ `DROP INDEX IF EXISTS ${ENGINE_SCHEMA}.vector_graph_${id}`,
    /*sql*/ `INSERT INTO ${vector} SELECT * FROM ${fresh}`,
    /*sql*/ `TRUNCATE ${fresh}`,
  ];
}

export function dropTexts({ file, chunk, own, vector, fresh, term }: EngineNames): string[] {
  return [/*sql*/ `DROP TABLE IF EXISTS ${file}, ${chunk}, ${own}, ${vector}, ${fresh}, ${term}`];
}
