import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MIGRATIONS } from "./migrations/index.ts";
import { checkSchema, distrust } from "./own-schema.ts";

/** What a look at a data directory that nobody uses found. */
export interface DatabaseReport {
  /** "ok", or what SQLite says is wrong. */
  integrity: string;
  schema: { found: number; known: number };
  /** Stores whose counts differ from their files' rows. */
  wrongCounts: number;
  /** Uploaded files whose bytes are not there. */
  missingBytes: number;
  stores: number;
  files: number;
}

/** Reads only. `pathOf`: where the bytes of a file are. Throws what SQLite throws for a file that is no database. */
export function checkDatabase(dataDir: string, pathOf: (fileId: string) => string): DatabaseReport {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  distrust(db);
  const schema = checkSchema(db);
  if (!schema.ok) throw new Error(schema.problem);
  const number = (sql: string) => db.query<{ n: number }, []>(sql).get()?.n ?? 0;
  const [verdict] = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").all();
  const files = db.query<{ id: string }, []>(/*sql*/ `SELECT id FROM file`).all();
  return {
    integrity: verdict?.quick_check ?? "no answer",
    schema: {
      found: number(/*sql*/ `SELECT version AS n FROM schema_version`),
      known: MIGRATIONS.at(-1)?.version ?? 0,
    },
    wrongCounts: number(/*sql*/ `SELECT count(*) AS n FROM vector_store s WHERE
      n_in_progress + n_completed + n_failed + n_cancelled <> (SELECT count(*) FROM store_file f WHERE f.store_id = s.id)`),
    missingBytes: files.filter(({ id }) => !existsSync(pathOf(id))).length,
    stores: number(/*sql*/ `SELECT count(*) AS n FROM vector_store`),
    files: files.length,
  };
}
