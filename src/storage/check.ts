import { Database } from "bun:sqlite";
import { statSync } from "node:fs";
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
  /** Uploaded files whose bytes are not there, or are not as many as were uploaded. */
  missingBytes: number;
  stores: number;
  files: number;
  /** Bytes that no row points to: of uploads that were interrupted, removed at the next start. */
  orphans: number;
  /** When the newest of the rows was written that say so, in Unix seconds; 0 where there is none. */
  newestAt: number;
  /** Hashes of the bytes of each file, for whoever has the time to compare them. */
  hashes: { id: string; sha256: string }[];
  /** Models of indexes that are searched, or may be again. */
  models: { model: string; revision: string }[];
}

export interface CheckOptions {
  /** Where the bytes of a file are. */
  pathOf: (fileId: string) => string;
  /** Ids of all bytes that are there. */
  blobs: readonly string[];
  /** Every row of every table and index, not only their pages. */
  full: boolean;
}

/** Reads only. Throws what SQLite throws for a file that is no database. */
export function checkDatabase(dataDir: string, { pathOf, blobs, full }: CheckOptions): DatabaseReport {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  distrust(db);
  const schema = checkSchema(db);
  if (!schema.ok) throw new Error(schema.problem);
  const number = (sql: string) => db.query<{ n: number }, []>(sql).get()?.n ?? 0;
  const [verdict] = db.query<Record<string, string>, []>(`PRAGMA ${full ? "integrity" : "quick"}_check(1)`).all();
  const files = db
    .query<{ id: string; bytes: number; sha256: string }, []>(/*sql*/ `SELECT id, bytes, sha256 FROM file`)
    .all();
  const parts = db.query<{ id: string }, []>(/*sql*/ `SELECT id FROM upload_part`).all();
  const owned = new Set([...files, ...parts].map(({ id }) => id));
  const sizeOf = (id: string) => statSync(pathOf(id), { throwIfNoEntry: false })?.size;
  return {
    integrity: Object.values(verdict ?? {})[0] ?? "no answer",
    schema: {
      found: number(/*sql*/ `SELECT version AS n FROM schema_version`),
      known: MIGRATIONS.at(-1)?.version ?? 0,
    },
    wrongCounts: number(/*sql*/ `SELECT count(*) AS n FROM vector_store s WHERE
      n_in_progress + n_completed + n_failed + n_cancelled <> (SELECT count(*) FROM store_file f WHERE f.store_id = s.id)`),
    missingBytes: files.filter(({ id, bytes }) => sizeOf(id) !== bytes).length,
    stores: number(/*sql*/ `SELECT count(*) AS n FROM vector_store`),
    files: files.length,
    orphans: blobs.filter((id) => !owned.has(id)).length,
    newestAt: number(/*sql*/ `SELECT max(at) AS n FROM (SELECT max(created_at) AS at FROM file
      UNION ALL SELECT max(created_at) FROM vector_store UNION ALL SELECT max(created_at) FROM job)`),
    hashes: files.map(({ id, sha256 }) => ({ id, sha256 })),
    models: db
      .query<{ model: string; revision: string }, []>(
        /*sql*/ `SELECT DISTINCT model, model_revision AS revision FROM generation WHERE state IN ('live', 'retained')`,
      )
      .all(),
  };
}
