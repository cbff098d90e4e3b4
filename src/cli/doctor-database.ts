import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { foundVersion, POSTGRES_MIGRATIONS } from "../storage/migrations/postgres/runner.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { isThere, replicasTable, type SeenReplica } from "../storage/replicas.ts";
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
      const found = await foundVersion(db);
      const known = POSTGRES_MIGRATIONS.at(-1)?.version ?? 0;
      const servers = found.version === known ? (await replicasTable(db).list()).map(replicaCheck) : [];
      return [schemaCheck(found), ...notices, ...servers];
    } finally {
      await db.close();
    }
  } catch (error) {
    return [fail("database", messageOf(error))];
  }
}

/** Either way. ms */
const MOST_OFFSET_MS = 5000;

/** A server that has the database. */
function replicaCheck(replica: SeenReplica): Check {
  const { name, version, silent_ms, clock_ms } = replica;
  const seconds = (ms: number) => `${Math.round(Math.abs(ms) / 1000)} s`;
  const seen = `${name}, version ${version}, seen ${seconds(silent_ms)} ago`;
  if (!isThere(replica)) return warn("replica", `${seen}: it went without a word; others go on with its work`);
  if (Math.abs(clock_ms) <= MOST_OFFSET_MS) return ok("replica", seen);
  const way = clock_ms > 0 ? "ahead of" : "behind";
  return warn(
    "replica",
    `${seen}; its clock is ${seconds(clock_ms)} ${way} the database's: set both by the same time server`,
  );
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
