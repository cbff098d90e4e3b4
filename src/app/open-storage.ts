import { join } from "node:path";
import { StartError } from "../platform/data-dir.ts";
import type { Log } from "../platform/log.ts";
import { type Blobs, createBlobs } from "../storage/blobs.ts";
import { createParsedCache, type ParsedCache } from "../storage/parsed.ts";
import {
  ForeignSchemaError,
  NewerSchemaError,
  openSqlite,
  type SqliteDatabase,
  type SqliteOptions,
} from "../storage/sqlite.ts";
import { createStorage, type Storage } from "../storage/storage.ts";

/** What is kept: rows, the bytes of uploads, and the parsed forms of documents, which are made again when they are gone. */
export interface OpenStorage extends AsyncDisposable {
  readonly database: SqliteDatabase;
  /** Of the database. */
  readonly path: string;
  readonly storage: Storage;
  readonly blobs: Blobs;
  readonly parsed: ParsedCache;
}

/** Opens, and upgrades, what a data directory holds. A {@link StartError} where it cannot be used, with the way out. */
export function openStorage(dataDir: string, log: Log, options: SqliteOptions = {}): OpenStorage {
  const path = join(dataDir, "meta.sqlite");
  const database = openDatabase(path, log, options);
  return {
    database,
    path,
    storage: createStorage(database),
    blobs: createBlobs(dataDir),
    parsed: createParsedCache(dataDir),
    [Symbol.asyncDispose]: () => database.close(),
  };
}

function openDatabase(path: string, log: Log, options: SqliteOptions): SqliteDatabase {
  try {
    const onLong = (ms: number) => log.warn("a transaction was open for long", { ms: Math.round(ms) });
    return openSqlite(path, { onLong, ...options });
  } catch (error) {
    if (error instanceof NewerSchemaError) {
      throw new StartError(
        `the data directory was written by a newer Lectern (${error.message}); use that version, or another directory with --data`,
        { cause: error },
      );
    }
    if (error instanceof ForeignSchemaError) {
      throw new StartError(
        `the database ${path} was not left as Lectern makes it (${error.message}), so nothing in it is used; restore a backup of your own, or choose another directory with --data`,
        { cause: error },
      );
    }
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!code.startsWith("SQLITE_")) throw error;
    throw new StartError(
      `the database ${path} cannot be opened (${code}); restore it from a backup, or choose another directory with --data`,
      { cause: error },
    );
  }
}
