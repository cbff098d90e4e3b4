import { AppError } from "../errors.ts";

/**
 * Whether the disk can still be believed. When a sync fails, the system may have thrown away what it could not write, and
 * says so once: the next sync of the same file succeeds without it. So after one that failed nothing is written any more;
 * a restart finds what there is, and writes it anew.
 */
export interface DiskTrust {
  /** What was being synced when it failed first; null while everything was kept. */
  readonly lost: string | null;
  /** A sync failed. */
  lose(what: string, cause: unknown): void;
  /** @throws AppError `storage_unavailable` when it is lost */
  check(): void;
}

/** `onLost` is told of the first loss. */
export function createDiskTrust(onLost: (what: string, cause: unknown) => void = () => {}): DiskTrust {
  let lost: string | null = null;
  return {
    get lost() {
      return lost;
    },
    lose(what, cause) {
      if (lost !== null) return;
      lost = what;
      onLost(what, cause);
    },
    check() {
      if (lost === null) return;
      throw new AppError(
        "storage_unavailable",
        "The server's disk did not keep what was written to it, so nothing more is written until the server is started again. What is stored can be read.",
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    },
  };
}

/** Of the database and of the system: no space, over a quota, a device that fails. */
const REFUSALS = /^(SQLITE_FULL|SQLITE_IOERR.*|ENOSPC|EDQUOT|EIO)$/;
/** Those that end when something is deleted. */
const FULL: ReadonlySet<string> = new Set(["SQLITE_FULL", "ENOSPC", "EDQUOT"]);

/** Whether there was no room left for a write: on the disk, or within the quota of this server's user or directory. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && FULL.has(String(error.code));
}

/** Whether it is the disk that refused a write: what only reads can be done all the same. */
export function isDiskRefusal(error: unknown): boolean {
  if (error instanceof AppError) return error.code === "storage_unavailable";
  return error instanceof Error && "code" in error && REFUSALS.test(String(error.code));
}

const RETRY_AFTER_SECONDS = 60;
