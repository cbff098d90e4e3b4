import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { foundVersion, POSTGRES_MIGRATIONS } from "../storage/migrations/postgres/runner.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { type Check, fail, ok, warn } from "./doctor-check.ts";

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
      return [schemaCheck(await foundVersion(db)), ...notices];
    } finally {
      await db.close();
    }
  } catch (error) {
    return [fail("database", messageOf(error))];
  }
}

function schemaCheck({ version, minSafe }: { version: number; minSafe: number }): Check {
  const known = POSTGRES_MIGRATIONS.at(-1)?.version ?? 0;
  if (version === 0) return ok("database", "answers, and is empty: the first start makes its tables");
  if (minSafe > known)
    return fail("database", `of a newer Lectern: schema version ${version}, this one knows ${known}`);
  return version < known
    ? ok("database", `answers, schema version ${version}: the next start brings it to ${known}`)
    : ok("database", `answers, schema version ${version}`);
}
