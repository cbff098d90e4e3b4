import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { StartError } from "../platform/data-dir.ts";
import type { DiskTrust } from "../platform/disk-trust.ts";
import type { Log } from "../platform/log.ts";
import type { Blobs } from "../storage/blobs.ts";
import { NewerSchemaError } from "../storage/migrations/newer-schema.ts";
import { migratePostgres } from "../storage/migrations/postgres/runner.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { parseAddress } from "../storage/postgres/address.ts";
import { Notices } from "../storage/postgres/notices.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { openRemoteStorage } from "../storage/postgres/storage.ts";
import { ownDataDir } from "./data-owner.ts";
import type { OpenStorage } from "./open-storage.ts";

export type DatabaseSettings = Pick<
  Config,
  "database" | "databasePassword" | "databaseTimeout" | "databaseConnections" | "offline"
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
  const taken = new AbortController();
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
      onTaken: (sentence) => {
        log.error(sentence);
        taken.abort();
      },
    }),
    (opened) => opened.close(),
  );
  try {
    const { from, to } = await migratePostgres(database);
    if (from > 0 && from < to) onProgress(`upgraded the tables of the database from version ${from} to ${to}`);
  } catch (cause) {
    if (!(cause instanceof NewerSchemaError)) throw cause;
    const { found, known } = cause;
    const text = `the database is of a newer Lectern: its tables have version ${found}, this one knows up to ${known}; start the newer one`;
    throw new StartError(text, { cause });
  }
  const { storage } = stack.use(await openRemoteStorage(database, join(dataDir, "cache", "index.sqlite")));
  // What no row is shown by names the database, for it is made with the database's secret.
  const id = storage.shownIds.chunks.idOf(0);
  ownDataDir(dataDir, { id, shown: parseAddress(settings.database).shown });
  const bus = stack.use(new Notices({ driver: parseAddress(settings.database, password).driver }));
  const opened = stack.move();
  return {
    database,
    embedded: null,
    bus,
    away: () => database.away,
    taken: taken.signal,
    storage,
    blobs,
    parsed: createParsedCache(dataDir),
    trust,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
