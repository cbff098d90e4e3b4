import type { Database as Connection } from "bun:sqlite";

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
 * What the log holds was perhaps written by a process whose sync failed: then the system shows it, and the disk does not
 * have it. Brought into the database it is written once more, and what comes after it stands on something.
 */
export function settleLog(raw: Connection): void {
  try {
    raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    // A full disk must still start, so that something can be deleted.
    if (codeOf(error) === "SQLITE_FULL") return;
    raw.close();
    throw error;
  }
}
