import { Database } from "bun:sqlite";
import { join } from "node:path";
import { MIGRATIONS } from "./migrations/index.ts";
import { checkSchema, distrust } from "./own-schema.ts";

/** How much of everything a data directory holds, and nothing of what it holds: for whoever helps from afar. */
export interface Census {
  schema: { found: number; known: number };
  pages: { count: number; bytes: number; free: number };
  /** Rows of each table, counted up to {@link COUNTED_ROWS}. */
  rows: Record<string, number>;
  /** Files in stores, by state and by what went wrong. */
  files: { status: string; error: string | null; count: number }[];
  jobs: { kind: string; attempt: number; is_leased: number; count: number }[];
  generations: { model: string; dimensions: number; state: string; windows: number; count: number }[];
}

/** Counting reads rows, and a large store has many. */
const COUNTED_ROWS = 100_000;

/** Reads only, and beside a running server too. Throws what SQLite throws, and an error for a schema that is not Lectern's. */
export function takeCensus(dataDir: string): Census {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  distrust(db);
  db.run("PRAGMA busy_timeout = 2000");
  const schema = checkSchema(db);
  if (!schema.ok) throw new Error(schema.problem);
  const tables = db
    .query<{ name: string }, []>(/*sql*/ `SELECT name FROM sqlite_schema
      WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`)
    .all();
  const number = (sql: string) => Object.values(db.query<Record<string, number>, []>(sql).get() ?? {})[0] ?? 0;
  const rows = tables.map(({ name }) => [
    name,
    number(/*sql*/ `SELECT count(*) FROM (SELECT 1 FROM "${name}" LIMIT ${COUNTED_ROWS})`),
  ]);
  return {
    schema: { found: schema.version, known: MIGRATIONS.at(-1)?.version ?? 0 },
    pages: {
      count: number("PRAGMA page_count"),
      bytes: number("PRAGMA page_size"),
      free: number("PRAGMA freelist_count"),
    },
    rows: Object.fromEntries(rows),
    files: db
      .query<Census["files"][number], []>(
        /*sql*/ `SELECT status, error_code AS error, count(*) AS count FROM store_file GROUP BY 1, 2 ORDER BY 3 DESC`,
      )
      .all(),
    jobs: db
      .query<
        Census["jobs"][number],
        []
      >(/*sql*/ `SELECT kind, attempt, lease_owner IS NOT NULL AS is_leased, count(*) AS count FROM job
          GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 100`)
      .all(),
    generations: schema.version < WINDOWS_SINCE ? [] : generationsIn(db),
  };
}

/** The schema version that brought `generation.window_tokens`. */
const WINDOWS_SINCE = 15;

function generationsIn(db: Database): Census["generations"] {
  return db
    .query<
      Census["generations"][number],
      []
    >(/*sql*/ `SELECT model, dimensions, state, window_tokens IS NOT NULL AS windows, count(*) AS count FROM generation
        GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 100`)
    .all();
}
