import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import type { ChangeBus } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import { noRoomText, StartError } from "../platform/data-dir.ts";
import { createDiskTrust, type DiskTrust, isDiskFull } from "../platform/disk-trust.ts";
import type { Log } from "../platform/log.ts";
import type { Blobs } from "../storage/blobs.ts";
import { NewerSchemaError } from "../storage/migrations/newer-schema.ts";
import { createParsedCache, type ParsedCache } from "../storage/parsed.ts";
import type { EngineTables } from "../storage/postgres/engine-tables.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import type { RatesTable } from "../storage/rates.ts";
import type { Database } from "../storage/sql.ts";
import { ForeignSchemaError } from "../storage/connections.ts";
import { openSqlite, type SqliteDatabase, type SqliteOptions } from "../storage/sqlite.ts";
import { createStorage, type Storage } from "../storage/storage.ts";
import { refuseOwned } from "./data-owner.ts";
import { dropOldCopies, newerText, prepareUpgrade, writeWriter } from "./upgrade.ts";

/** What is kept: rows, the bytes of uploads, and the parsed forms of documents, which are made again when they are gone. */
export interface OpenStorage extends AsyncDisposable {
  readonly database: Database;
  /** The database where it is a file of the data directory; null where `--database` names another. */
  readonly embedded: { readonly database: SqliteDatabase; readonly path: string } | null;
  /** Reaches other servers of the database; null where it is this server's alone. */
  readonly bus: ChangeBus | null;
  /** Why the database is not to be had just now; null while it is. */
  away(): string | null;
  /** How many runs of the database's server were seen; null where the database is a file. */
  readonly serverRuns: (() => number) | null;
  /** This server among those that have the database; null where it is this one's alone. */
  readonly replica: Replica | null;
  readonly storage: Storage;
  readonly blobs: Blobs;
  readonly parsed: ParsedCache;
  /** Of stores that the database itself searches; null where it cannot. */
  readonly engine: EngineTables | null;
  /** Requests a minute, where several servers answer them; null where they are counted in memory. */
  readonly permits: RatesTable | null;
  /** Once lost, nothing is written until the next start. */
  readonly trust: DiskTrust;
}

export interface StorageOptions extends Pick<SqliteOptions, "flush"> {
  blobs: Blobs;
  trust: DiskTrust;
  upgrade: {
    clock: Clock;
    config: Pick<Config, "upgradeCopy" | "minFreeDiskMb" | "testFailpoint">;
    /** Told, in a line, what is being done; the thread is held meanwhile. */
    onProgress: (text: string) => void;
  };
}

/** Nothing more is written after the first sync that fails; the log says so. */
export function diskTrust(log: Log): DiskTrust {
  return createDiskTrust((what, cause) =>
    log.error("the disk did not keep what was written: nothing more is written until the server is started again", {
      what,
      error: messageOf(cause),
    }),
  );
}

/** Opens, and upgrades, what a data directory holds. A {@link StartError} where it cannot be used, with the way out. */
export function openStorage(dataDir: string, log: Log, { blobs, trust, flush, upgrade }: StorageOptions): OpenStorage {
  if (!existsSync(join(dataDir, "meta.sqlite"))) refuseOwned(dataDir);
  const watch = prepareUpgrade({ dataDir, log, ...upgrade });
  const database = openDatabase(dataDir, log, { flush, watch, trust });
  const path = join(dataDir, "meta.sqlite");
  writeWriter(dataDir);
  const copies = dropOldCopies({ dataDir, log, clock: upgrade.clock });
  return {
    database,
    embedded: { database, path },
    bus: null,
    away: () => null,
    serverRuns: null,
    replica: null,
    permits: null,
    engine: null,
    storage: createStorage(database),
    blobs,
    parsed: createParsedCache(dataDir),
    trust,
    async [Symbol.asyncDispose]() {
      copies[Symbol.dispose]();
      await database.close();
    },
  };
}

function openDatabase(dataDir: string, log: Log, options: SqliteOptions): SqliteDatabase {
  const path = join(dataDir, "meta.sqlite");
  try {
    const onLong = (ms: number) => log.warn("a transaction was open for long", { ms: Math.round(ms) });
    return openSqlite(path, { onLong, ...options });
  } catch (error) {
    if (error instanceof NewerSchemaError) throw new StartError(newerText(dataDir, error), { cause: error });
    if (error instanceof ForeignSchemaError) {
      throw new StartError(
        `the database ${path} was not left as Lectern makes it (${error.message}), so nothing in it is used; restore a backup of your own, or choose another directory with --data`,
        { cause: error },
      );
    }
    if (isDiskFull(error)) throw new StartError(noRoomText(dataDir), { cause: error });
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!code.startsWith("SQLITE_")) throw error;
    throw new StartError(
      `the database ${path} cannot be opened (${code}); restore it from a backup, or choose another directory with --data`,
      { cause: error },
    );
  }
}
