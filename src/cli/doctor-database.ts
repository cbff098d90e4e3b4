import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { POSTGRES_MIGRATIONS } from "../storage/migrations/postgres/runner.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { type Check, fail, ok, warn } from "./doctor-check.ts";

const VERSION = /*sql*/ `SELECT version, min_safe_version FROM schema_version`;
const IS_THERE = /*sql*/ `SELECT to_regclass('schema_version') IS NOT NULL AS is_there`;

/**
 * Whether the database that `--database` names can be used, and which schema it has; nothing where it names none. Changes
 * nothing, and keeps no server from it.
 */
export async function databaseChecks(
  config: Pick<Config, "database" | "databasePassword" | "databaseTimeout">,
): Promise<Check[]> {
  if (config.database === null) return [];
  const notices: Check[] = [];
  try {
    const db = await openPostgres(config.database, {
      password: config.databasePassword ?? undefined,
      timeout: config.databaseTimeout * 1000,
      connections: 1,
      onNotice: (text) => notices.push(warn("database", text)),
    });
    try {
      const isThere = (await db.get<{ is_there: number }>(IS_THERE))?.is_there === 1;
      const row = isThere ? await db.get<{ version: number; min_safe_version: number }>(VERSION) : null;
      return [schemaCheck(row), ...notices];
    } finally {
      await db.close();
    }
  } catch (error) {
    return [fail("database", messageOf(error))];
  }
}

function schemaCheck(row: { version: number; min_safe_version: number } | null): Check {
  const known = POSTGRES_MIGRATIONS.at(-1)?.version ?? 0;
  if (row === null) return ok("database", "answers, and is empty: the first start makes its tables");
  if (row.min_safe_version > known)
    return fail("database", `of a newer Lectern: schema version ${row.version}, this one knows ${known}`);
  return row.version < known
    ? ok("database", `answers, schema version ${row.version}: the next start brings it to ${known}`)
    : ok("database", `answers, schema version ${row.version}`);
}
