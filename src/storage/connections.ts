/** Connections to an SQLite file, as this program wants them. */
import { Database as Connection } from "bun:sqlite";
import { migrate, type MigrationWatch, newerSchema } from "./migrations/runner.ts";
import { NewerSchemaError } from "./migrations/newer-schema.ts";
import { checkSchema, distrustSchema } from "./own-schema.ts";
import { settleLog } from "./settle-log.ts";

/** The file holds what Lectern did not make; the message says what. */
export class ForeignSchemaError extends Error {
  override name = "ForeignSchemaError";
}

/** The connection that writes: its file made if need be, checked, and brought to the newest schema. */
export function openWriter(path: string, watch?: MigrationWatch): Connection {
  const raw = new Connection(path, { create: true, strict: true });
  try {
    tune(raw);
    const schema = checkSchema(raw);
    if (!schema.ok) throw new ForeignSchemaError(schema.problem);
  } catch (error) {
    raw.close();
    throw error;
  }
  // Takes effect in a new file only: lets `reclaim` give space back to the file system in small steps.
  raw.run("PRAGMA auto_vacuum = INCREMENTAL");
  raw.run("PRAGMA journal_mode = WAL");
  // FULL: an acknowledged upload or attach survives a power cut, not only a killed process.
  raw.run("PRAGMA synchronous = FULL");
  raw.run("PRAGMA foreign_keys = ON");
  // Before anything of the file is touched.
  const newer = newerSchema(raw);
  if (newer !== null) {
    raw.close();
    throw new NewerSchemaError(newer.found, newer.known);
  }
  settleLog(raw);
  // Ours tell when they fail; those that SQLite adds to a commit do not.
  raw.run("PRAGMA wal_autocheckpoint = 0");
  raw.run("PRAGMA journal_size_limit = 67108864");
  // Zeros where that costs no further write; see `Tx.erase` for the rest.
  raw.run("PRAGMA secure_delete = FAST");
  migrate(raw, undefined, watch);
  dropStatistics(raw);
  return raw;
}

/**
 * Earlier versions gathered statistics of the tables at each stop, and the planner went by them: after a first run with a
 * file or two it looked through whole tables of what had grown since. Without them it goes by the indexes.
 */
function dropStatistics(raw: Connection): void {
  if (raw.query("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").get() === null) return;
  raw.run("DELETE FROM sqlite_stat1");
  raw.run("ANALYZE sqlite_schema"); // read again what there is: nothing
}

function tune(connection: Connection): void {
  distrustSchema(connection);
  connection.run("PRAGMA busy_timeout = 2000");
  // KiB. Pages are read from the mapping; only those of the write-ahead log are copied, and more than this gains nothing.
  connection.run("PRAGMA cache_size = -16384");
  connection.run("PRAGMA mmap_size = 1073741824");
}

/** One that sees what is committed, and writes nothing. */
export function openReading(path: string): Connection {
  const reader = new Connection(path, { readonly: true, strict: true });
  tune(reader);
  return reader;
}
