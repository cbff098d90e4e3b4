import type { Database } from "bun:sqlite";
import { MIGRATIONS, type Migration } from "./index.ts";

export type MigrationResult = { ok: true; from: number; to: number } | { ok: false; found: number; known: number };

/**
 * Brings the file to the newest schema version, each step in a transaction of its own.
 * A file written by a newer Lectern whose `min_safe_version` is above what this binary knows is refused untouched.
 */
export function migrate(db: Database, migrations: readonly Migration[] = MIGRATIONS): MigrationResult {
  db.run(/*sql*/ `CREATE TABLE IF NOT EXISTS schema_version (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    version          INTEGER NOT NULL,
    min_safe_version INTEGER NOT NULL
  ) STRICT`);
  const row = db
    .query<{ version: number; min_safe_version: number }, []>(
      /*sql*/ `SELECT version, min_safe_version FROM schema_version`,
    )
    .get();
  const from = row?.version ?? 0;
  const known = migrations.at(-1)?.version ?? 0;
  if (row && row.min_safe_version > known) return { ok: false, found: from, known };
  for (const migration of migrations) {
    if (migration.version <= from) continue;
    db.transaction(() => {
      db.run(migration.sql);
      db.query(/*sql*/ `INSERT INTO schema_version (one, version, min_safe_version) VALUES (1, ?1, ?2)
                 ON CONFLICT (one) DO UPDATE SET version = ?1, min_safe_version = max(min_safe_version, ?2)`).run(
        migration.version,
        migration.minSafeVersion,
      );
    }).immediate();
  }
  return { ok: true, from, to: Math.max(from, known) };
}
