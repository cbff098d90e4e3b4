import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { StartError } from "../platform/data-dir.ts";
import type { DiskTrust } from "../platform/disk-trust.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { Blobs } from "../storage/blobs.ts";
import { NewerSchemaError } from "../storage/migrations/newer-schema.ts";
import { migratePostgres } from "../storage/migrations/postgres/runner.ts";
import { halfMoved } from "../storage/move/marker.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { parseAddress } from "../storage/postgres/address.ts";
import type { PostgresDatabase } from "../storage/postgres/database.ts";
import { openEngineSchema } from "../storage/postgres/engine-schema.ts";
import { EngineTables } from "../storage/postgres/engine-tables.ts";
import { refuseEarlierHolder } from "../storage/postgres/earlier-holder.ts";
import { sqlStateOf } from "../storage/postgres/failures.ts";
import { Notices } from "../storage/postgres/notices.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { Replica } from "../storage/postgres/replica.ts";
import { openRemoteStorage } from "../storage/postgres/storage.ts";
import { watchYoungTables } from "../storage/postgres/young-tables.ts";
import { ratesTable } from "../storage/rates.ts";
import { ownDataDir } from "./data-owner.ts";
import type { OpenStorage } from "./open-storage.ts";

export type DatabaseSettings = Pick<
  Config,
  | "database"
  | "databasePassword"
  | "databaseTimeout"
  | "databaseConnections"
  | "pgvectorFrom"
  | "offline"
  | "testReplicaTerm"
>;

export interface RemoteOptions {
  blobs: Blobs;
  trust: DiskTrust;
  /** Told, in a line, what a start that takes long is doing. */
  onProgress: (text: string) => void;
}

/**
 * Opens, and upgrades, the database that `--database` names. The data directory keeps what can be made again. A
 * {@link StartError} where the database cannot be used, with the way out.
 */
export async function openRemote(
  settings: DatabaseSettings & { database: string },
  dataDir: string,
  log: Log,
  { blobs, trust, onProgress }: RemoteOptions,
): Promise<OpenStorage> {
  if (settings.offline)
    throw new StartError("--offline refuses every outbound connection, so --database cannot be used with it");
  const password = settings.databasePassword ?? undefined;
  await using stack = new AsyncDisposableStack();
  const database = stack.adopt(
    await openPostgres(settings.database, {
      password,
      timeout: settings.databaseTimeout * 1000,
      connections: settings.databaseConnections,
      onLong: (ms) => log.warn("a transaction was open for long", { ms: Math.round(ms) }),
      onAway: (reason) => log.error("the database is away", { reason }),
      onBack: (ms) => log.info("the database is back", { away_ms: Math.round(ms) }),
      onNotice: (text) => log.warn(text),
    }),
    (opened) => opened.close(),
  );
  const { shown, driver } = parseAddress(settings.database, password);
  const unfinished = await halfMoved(database);
  if (unfinished !== null) throw new StartError(`the database ${shown} ${unfinished}`);
  await refuseEarlierHolder(database, shown);
  await upgrade(database, onProgress);
  const engine = await openEngine(database, settings, log);
  const server = newId("req_");
  const { storage } = stack.use(await openRemoteStorage(database, join(dataDir, "cache", "index.sqlite"), server));
  // What no row is shown by names the database, for it is made with the database's secret.
  const id = storage.shownIds.chunks.idOf(0);
  const place = ownDataDir(dataDir, { id, shown });
  const replica = stack.use(await joined(database, { id: server, place, termMs: settings.testReplicaTerm }, log));
  if (replica.others.length > 0 && !blobs.isShared) log.warn(NOT_SHARED, { servers: replica.others.length + 1 });
  const bus = stack.use(new Notices({ driver }));
  stack.use(watchYoungTables(database));
  const opened = stack.move();
  return {
    database,
    embedded: null,
    bus,
    away: () => database.away,
    serverRuns: () => database.runs,
    replica,
    permits: ratesTable(database),
    engine,
    storage,
    blobs,
    parsed: createParsedCache(dataDir),
    trust,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const NOT_SHARED =
  "other servers have the same database, and the bytes of uploads lie in this one's data directory, where they cannot read them: name one place for all with --blobs";

/** Null where the database cannot search stores itself: then all are searched in memory. */
async function openEngine(
  database: PostgresDatabase,
  { pgvectorFrom }: Pick<DatabaseSettings, "pgvectorFrom">,
  log: Log,
): Promise<EngineTables | null> {
  const opened = await openEngineSchema(database);
  if (!("problem" in opened)) return new EngineTables(database, opened);
  const { problem } = opened;
  if (pgvectorFrom === 0) log.warn("--pgvector-from has no effect", { reason: problem });
  else log.debug("the database does not search stores itself", { reason: problem });
  return null;
}

/** Two that start at the same time upgrade it once. */
async function upgrade(database: PostgresDatabase, onProgress: (text: string) => void): Promise<void> {
  try {
    const { from, to } = await migratePostgres(database);
    if (from > 0 && from < to) onProgress(`upgraded the tables of the database from version ${from} to ${to}`);
  } catch (cause) {
    if (sqlStateOf(cause) === "42501") {
      const advice = "make it the owner of the database, or GRANT CREATE ON SCHEMA public to it";
      throw new StartError(`the user of --database may not make tables (${messageOf(cause)}); ${advice}`, { cause });
    }
    // Of a table and of a type of pgvector.
    if (sqlStateOf(cause) === "42710" && messageOf(cause).includes('type "vector" already exists')) {
      const advice = "CREATE SCHEMA pgvector; ALTER EXTENSION vector SET SCHEMA pgvector";
      throw new StartError(
        `the extension vector of the database is in the schema of its tables, where one has the name of a type of it; move it: ${advice}`,
        { cause },
      );
    }
    if (!(cause instanceof NewerSchemaError)) throw cause;
    const { found, known } = cause;
    const text = `the database is of a newer Lectern: its tables have version ${found}, this one knows up to ${known}; start the newer one`;
    throw new StartError(text, { cause });
  }
}

async function joined(
  database: PostgresDatabase,
  { id, place, termMs }: { id: string; place: string; termMs: number | null },
  log: Log,
): Promise<Replica> {
  return await Replica.join(database, {
    id,
    place,
    termMs: termMs ?? undefined,
    onFailure: (error) => log.error("the other servers could not be told that this one is there", { error }),
  });
}
