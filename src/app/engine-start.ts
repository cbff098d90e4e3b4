import type { Config } from "../config/config.ts";
import { StartError } from "../platform/data-dir.ts";
import { unpackNatives } from "../platform/native.ts";
import type { Log } from "../platform/log.ts";
import { NewerSchemaError, openSqlite, type SqliteDatabase } from "../storage/sqlite.ts";

/** The database of a data directory. A {@link StartError} where it cannot be used, with the way out. */
export function openDatabase(path: string, log: Log): SqliteDatabase {
  try {
    const onLong = (ms: number) => log.warn("a transaction was open for long", { ms: Math.round(ms) });
    return openSqlite(path, { onLong });
  } catch (error) {
    if (error instanceof NewerSchemaError) {
      throw new StartError(
        `the data directory was written by a newer Lectern (${error.message}); use that version, or another directory with --data`,
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

/** The addons of this machine, taken out of the executable into the data directory. */
export async function openNatives(dataDir: string, level: Config["nativeLevel"]) {
  try {
    return await (level === "auto" ? unpackNatives(dataDir) : unpackNatives(dataDir, level));
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
