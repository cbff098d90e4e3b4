import { existsSync } from "node:fs";
import { join } from "node:path";
import { openBlobPlace } from "../app/open-blobs.ts";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { parseBlobPlace } from "../storage/blob-place.ts";
import type { Blobs } from "../storage/blobs.ts";
import { foundVersion, NEWEST_POSTGRES } from "../storage/migrations/postgres/runner.ts";
import { halfMoved } from "../storage/move/marker.ts";
import { type EngineReport, extensionProblem, inspectEngine } from "../storage/postgres/engine-schema.ts";
import { blobsOfRows, inspectServer, type ServerReport } from "../storage/postgres/inspect.ts";
import { parseAddress } from "../storage/postgres/address.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { isThere, replicasTable, type SeenReplica } from "../storage/replicas.ts";
import type { Database } from "../storage/sql.ts";
import { type BytesSettings, notMounted } from "./doctor-bytes.ts";
import { type Check, counted, fail, ok, someOf, warn } from "./doctor-check.ts";

export type DatabaseCheckSettings = BytesSettings &
  Pick<Config, "database" | "databasePassword" | "databaseTimeout" | "databaseConnections">;

/** Connections of a server beside those of `--database-connections`: one hears what other servers tell, one tells it. */
const BESIDE = 2;

/**
 * Whether the database that `--database` names can be used, which schema it has, what of its server's settings matters, and
 * whether the bytes of uploads are where they must be; nothing where it names none. Changes nothing, and keeps no server
 * from it.
 */
export async function databaseChecks(config: DatabaseCheckSettings): Promise<Check[]> {
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
      const unfinished = await halfMoved(db);
      const schema = unfinished === null ? schemaCheck(found) : fail("database", unfinished);
      const report = await inspectServer(db);
      const isPooled = parseAddress(config.database).isPooled;
      const servers = found.version === NEWEST_POSTGRES ? (await replicasTable(db).list()).map(replicaCheck) : [];
      return [
        schema,
        ...notices,
        ...serverChecks(report, isPooled ? null : config.databaseConnections),
        ...servers,
        engineCheck(await inspectEngine(db)),
        ...(found.version === 0 || unfinished !== null ? [] : await uploadChecks(db, config)),
      ];
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

/** Whether the database can search large stores itself, and which it does. */
export function engineCheck({ extension, ready, loading, bytes }: EngineReport): Check {
  const problem = extensionProblem(extension);
  if (problem !== null) return ok("pgvector", problem);
  const stores = `${counted(ready, "store")} searched in the database, ${loading} being prepared`;
  return ok("pgvector", `version ${extension?.version}: ${stores}; ${Math.ceil(bytes / 2 ** 20)} MiB`);
}

function schemaCheck({ version, minSafe }: { version: number; minSafe: number }): Check {
  if (version === 0) return ok("database", "answers, and is empty: the first start makes its tables");
  if (minSafe > NEWEST_POSTGRES)
    return fail("database", `of a newer Lectern: schema version ${version}, this one knows ${NEWEST_POSTGRES}`);
  return version < NEWEST_POSTGRES
    ? ok("database", `answers, schema version ${version}: the next start brings it to ${NEWEST_POSTGRES}`)
    : ok("database", `answers, schema version ${version}`);
}

/** `connections`: that each server may open; null where a pooler gives them out. What is told at a start too is not here. */
export function serverChecks(report: ServerReport, connections: number | null): Check[] {
  const { version, synchronousCommit, synchronousStandbys, standbys, clockAhead } = report;
  const clock = `its clock is ${Math.abs(clockAhead / 1000).toFixed(2)} s ${clockAhead < 0 ? "behind" : "ahead of"} this machine's`;
  const waits =
    synchronousStandbys === "" ? "a commit waits for no standby" : `a commit waits for ${synchronousStandbys}`;
  const checks = [
    ok("postgres", `PostgreSQL ${version}; synchronous_commit = ${synchronousCommit}, ${waits}; ${clock}`),
  ];
  const waitsForNone = synchronousStandbys === "" || ["off", "local"].includes(synchronousCommit);
  if (standbys > 0 && waitsForNone)
    checks.push(
      warn(
        "standbys",
        `${counted(standbys, "standby server")}, and a commit waits for none of them: a failover may lose what was acknowledged; let it wait for one (synchronous_mode in Patroni, synchronous_standby_names)`,
      ),
    );
  return connections === null ? checks : [...checks, connectionCheck(report.connections, connections + BESIDE)];
}

function connectionCheck({ most, ofDatabase, ofUser, used }: ServerReport["connections"], each: number): Check {
  const limits = [
    { name: "max_connections", n: most },
    { name: "the limit of the database", n: ofDatabase },
    { name: "the limit of the user", n: ofUser },
  ].filter((limit): limit is { name: string; n: number } => limit.n !== null);
  const least = limits.reduce((a, b) => (b.n < a.n ? b : a));
  const detail = `${least.n} by ${least.name}, ${used} in use now; a Lectern opens ${each} at most`;
  if (least.n >= each) return ok("connections", detail);
  return warn("connections", `${detail}: raise the limit, or lower --database-connections`);
}

/** Rows without bytes, and bytes without rows. */
async function uploadChecks(db: Database, settings: DatabaseCheckSettings): Promise<Check[]> {
  const { dataDir } = settings;
  // In the data directory too: what it holds moves to the place at a start.
  const own = existsSync(join(dataDir, "blobs")) ? createBlobs(dataDir) : null;
  let place: Blobs | null;
  try {
    const unmounted = notMounted(parseBlobPlace(settings.blobs));
    if (unmounted !== null) return [fail("uploads", unmounted)];
    place = (await openBlobPlace(settings, dataDir)) ?? own;
  } catch (error) {
    return [fail("uploads", messageOf(error))];
  }
  if (place === null)
    return [
      warn("uploads", `${dataDir} has no uploads in it; if they are elsewhere, say where with --blobs or --data`),
    ];
  const listed = new Set<string>();
  for await (const id of place.settled()) listed.add(id);
  let rows = 0;
  const missing: string[] = [];
  for await (const { id, bytes } of blobsOfRows(db)) {
    rows++;
    // One that has come in the last hour is not listed.
    if (listed.delete(id) || (await place.size(id)) === bytes || (await own?.size(id)) === bytes) continue;
    missing.push(id);
  }
  const orphans = listed.size === 0 ? "" : `; of ${listed.size} more there is no row: a server removes them in time`;
  if (missing.length > 0)
    return [
      fail("uploads", `the bytes of ${counted(missing.length, "file")} are missing: ${someOf(missing)}${orphans}`),
    ];
  return [ok("uploads", `the bytes of ${counted(rows, "file")} are there${orphans}`)];
}
