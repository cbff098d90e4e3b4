import type { Database } from "bun:sqlite";
import { MIGRATIONS, type Migration } from "./index.ts";

export type MigrationResult = { ok: true; from: number; to: number } | { ok: false; found: number; known: number };

/** One step of an upgrade, of a file that had tables before. */
export interface MigrationStep {
  /** Schema versions of the whole upgrade. */
  from: number;
  to: number;
  /** From 1 to `steps`. */
  step: number;
  steps: number;
}

/** Whoever tells people how an upgrade goes, and tests that end it in the middle. */
export interface MigrationWatch {
  begins?(step: MigrationStep): void;
  /** All is changed, nothing committed. */
  changed?(step: MigrationStep): void;
  committed?(step: MigrationStep): void;
}

/** What a file is that a newer Lectern wrote and this one must not open; null for any other. Changes nothing. */
export function newerSchema(
  db: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): { found: number; known: number } | null {
  if (db.query(/*sql*/ `SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'`).get() === null) return null;
  const row = db
    .query<{ version: number; min_safe_version: number }, []>(
      /*sql*/ `SELECT version, min_safe_version FROM schema_version`,
    )
    .get();
  const known = migrations.at(-1)?.version ?? 0;
  return row !== null && row.min_safe_version > known ? { found: row.version, known } : null;
}

/**
 * Brings the file to the newest schema version, each step in a transaction of its own, so that one that is interrupted goes
 * on where it was. A file written by a newer Lectern whose `min_safe_version` is above what this binary knows is refused
 * untouched.
 */
export function migrate(
  db: Database,
  migrations: readonly Migration[] = MIGRATIONS,
  watch: MigrationWatch = {},
): MigrationResult {
  const newer = newerSchema(db, migrations);
  if (newer !== null) return { ok: false, ...newer };
  db.run(/*sql*/ `CREATE TABLE IF NOT EXISTS schema_version (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    version          INTEGER NOT NULL,
    min_safe_version INTEGER NOT NULL
  ) STRICT`);
  const row = db.query<{ version: number }, []>(/*sql*/ `SELECT version FROM schema_version`).get();
  const from = row?.version ?? 0;
  const known = migrations.at(-1)?.version ?? 0;
  const due = migrations.filter(({ version }) => version > from);
  // A new file is no upgrade.
  const told = from === 0 ? {} : watch;
  for (const [i, migration] of due.entries()) {
    const step = { from, to: known, step: i + 1, steps: due.length };
    told.begins?.(step);
    db.transaction(() => {
      db.run(migration.sql);
      db.query(/*sql*/ `INSERT INTO schema_version (one, version, min_safe_version) VALUES (1, ?1, ?2)
                 ON CONFLICT (one) DO UPDATE SET version = ?1, min_safe_version = max(min_safe_version, ?2)`).run(
        migration.version,
        migration.minSafeVersion,
      );
      told.changed?.(step);
    }).immediate();
    told.committed?.(step);
  }
  return { ok: true, from, to: Math.max(from, known) };
}
