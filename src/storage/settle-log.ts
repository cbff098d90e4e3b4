import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Database as Connection } from "bun:sqlite";
import { roomError } from "../platform/disk-reserve.ts";
import { isDiskFull } from "../platform/disk-trust.ts";
import { createAnew, syncPath, writeAll } from "../platform/replace-file.ts";

/** SQLite's extended code, which tells a failed sync from other failures. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/**
 * A commit that ends with one of these is perhaps in the log all the same, and found there by the next start: the sync
 * comes after the frames were written, and the log's index after that.
 */
const IN_DOUBT = /^SQLITE_IOERR_(?:FSYNC|DIR_FSYNC|SHM\w+)$/;

/** Whether it is not known, after this, what is on the disk. */
export function leavesDoubt(error: unknown): boolean {
  return IN_DOUBT.test(codeOf(error));
}

/**
 * SQLite tells ENOSPC at a write, and nothing else, from the failures of a device: a quota that is used up, and a file for
 * which there is no room in its directory, have these.
 */
const PERHAPS_FULL = /^SQLITE_(?:IOERR_(?:WRITE|TRUNCATE)|CANTOPEN(?:_\w+)?)$/;

/**
 * What a statement on `database` (its path) failed with, told as a full disk (the system's error, `code` and all, with
 * SQLite's as its cause) where a look at the disk says that it is one.
 */
export function namingFullDisk(error: unknown, database: string): unknown {
  if (!PERHAPS_FULL.test(codeOf(error))) return error;
  const why = roomError(dirname(database));
  return why === null ? error : Object.assign(why, { cause: error });
}

/**
 * What the log holds was perhaps written by a process whose sync failed: then the system shows it, and the disk does not
 * have it. So it is written anew, to a file of its own that then takes the log's place, before anything is brought from it
 * into the database: a power cut in the middle of that is mended from the log, and from nothing else. Called before the
 * database is opened.
 */
export function rewriteLog(database: string): void {
  const log = `${database}-wal`;
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  const temporary = `${log}.new`;
  try {
    copyBytes(log, temporary);
    renameSync(temporary, log);
  } catch (error) {
    rmSync(temporary, { force: true });
    // A full disk must still start, so that something can be deleted.
    if (isDiskFull(error)) return;
    throw error;
  }
  syncPath(dirname(log));
}

/** Read and written: a copy that the system makes may be the same blocks of the disk under another name. */
function copyBytes(from: string, to: string): void {
  const source = openSync(from, "r");
  const target = createAnew(to);
  try {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let read = readSync(source, piece); read > 0; read = readSync(source, piece))
      writeAll(target, piece.subarray(0, read));
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Makes what stands in the log durable, off the thread. What no longer stands there is durable in the database: it was
 * synced before the log began anew, or was removed. `onLost` is told when the disk did not keep it; rejects then, too.
 */
export async function syncLog(database: string, onLost: (cause: unknown) => void = () => {}): Promise<void> {
  const log = await open(`${database}-wal`, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  });
  if (log === null) return;
  try {
    await log.sync().catch((error: unknown) => {
      onLost(error);
      throw error;
    });
  } finally {
    await log.close();
  }
}

/** Brings the log into the database, so that what comes after it stands on something. */
export function settleLog(raw: Connection): void {
  try {
    raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    // As above.
    if (isDiskFull(namingFullDisk(error, raw.filename))) return;
    raw.close();
    throw error;
  }
}
