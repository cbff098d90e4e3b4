import type { PostgresDatabase } from "../../postgres/database.ts";
import { IN_ORDER } from "../../postgres/one-writer.ts";
import type { Sql, Tx } from "../../sql.ts";
import { NewerSchemaError } from "../newer-schema.ts";
import { sql as init } from "./017-init.ts";
import { sql as replicas } from "./018-replicas.ts";
import { sql as versions } from "./019-store-versions.ts";
import { sql as shareState } from "./020-share-state.ts";
import { sql as findByIndex } from "./021-find-by-index.ts";
import { sql as markCommits } from "./022-mark-commits.ts";

/** A step of the schema on PostgreSQL. Versions are those of SQLite's: the same version is the same tables and columns. */
export interface PostgresMigration {
  version: number;
  sql: string;
  /** The oldest schema version whose binaries may still use the database after this migration. */
  minSafeVersion: number;
}

/** In order. Expand, then contract: the binary before must run on the schema after. */
export const POSTGRES_MIGRATIONS: readonly PostgresMigration[] = [
  { version: 17, sql: init, minSafeVersion: 17 },
  // Older binaries take the database for theirs alone.
  { version: 18, sql: replicas, minSafeVersion: 18 },
  { version: 19, sql: versions, minSafeVersion: 18 },
  { version: 20, sql: shareState, minSafeVersion: 18 },
  { version: 21, sql: findByIndex, minSafeVersion: 18 },
  { version: 22, sql: markCommits, minSafeVersion: 18 },
];

/** The version that this program brings a database to. */
export const NEWEST_POSTGRES = POSTGRES_MIGRATIONS.at(-1)?.version ?? 0;

/**
 * Held, in the database, by who looks at the schema and changes it: two that start at the same time upgrade it once. The
 * number is made of the word "lectern" and means nothing else.
 */
const LOCK = 0x6c65_6374;

const TABLE = /*sql*/ `CREATE TABLE IF NOT EXISTS schema_version (
  one              BIGINT PRIMARY KEY CHECK (one = 1),
  version          BIGINT NOT NULL,
  min_safe_version BIGINT NOT NULL
)`;
const IS_THERE = /*sql*/ `SELECT to_regclass('schema_version') IS NOT NULL AS is_there`;
const FOUND = /*sql*/ `SELECT version, min_safe_version FROM schema_version`;
const SET = /*sql*/ `INSERT INTO schema_version (one, version, min_safe_version) VALUES (1, ?1, ?2)
  ON CONFLICT ON CONSTRAINT schema_version_pkey DO UPDATE SET version = excluded.version,
    min_safe_version = greatest(schema_version.min_safe_version, excluded.min_safe_version)`;

/**
 * Brings the database to the newest schema version, each step in a transaction of its own, so that an upgrade that is
 * interrupted goes on where it was. Throws {@link NewerSchemaError}, with nothing changed, for a database of a newer Lectern
 * that this one must not use.
 */
export async function migratePostgres(
  db: Pick<PostgresDatabase, "unhurried">,
  migrations: readonly PostgresMigration[] = POSTGRES_MIGRATIONS,
): Promise<{ from: number; to: number }> {
  let from: number | null = null;
  for (;;) {
    const step = await db.unhurried((tx) => migrateOnce(tx, migrations));
    from ??= step.from;
    if (step.from === step.to) return { from, to: step.to };
  }
}

async function migrateOnce(tx: Tx, migrations: readonly PostgresMigration[]): Promise<{ from: number; to: number }> {
  await tx.all(/*sql*/ `SELECT pg_advisory_xact_lock(${LOCK})::text AS locked`);
  const found = await foundVersion(tx);
  const known = migrations.at(-1)?.version ?? 0;
  if (found.minSafe > known) throw new NewerSchemaError(found.version, known);
  const next = migrations.find(({ version }) => version > found.version);
  if (next === undefined) return { from: found.version, to: found.version };
  // Other servers go on meanwhile: none of them is in the middle of a write that has what the step needs.
  await tx.all(IN_ORDER);
  await tx.run(TABLE);
  // One statement that executes many: a transaction's statements come one at a time.
  await tx.run(/*sql*/ `DO $step$ BEGIN EXECUTE $statements$${next.sql}$statements$; END $step$`);
  await tx.run(SET, [next.version, next.minSafeVersion]);
  return { from: found.version, to: next.version };
}

/** Schema versions of a database: its own, and the oldest whose binaries may use it. 0: nothing of Lectern is in it. */
export async function foundVersion(sql: Pick<Sql, "get">): Promise<{ version: number; minSafe: number }> {
  if ((await sql.get<{ is_there: number }>(IS_THERE))?.is_there !== 1) return { version: 0, minSafe: 0 };
  const row = await sql.get<{ version: number; min_safe_version: number }>(FOUND);
  return { version: row?.version ?? 0, minSafe: row?.min_safe_version ?? 0 };
}
