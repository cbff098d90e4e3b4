import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { isDiskFull } from "./disk-trust.ts";

/** Room for a checkpoint of the database and for what says that there is no room. */
const RESERVE_BYTES = 8 * 1024 * 1024;
const PIECE = new Uint8Array(64 * 1024);

export interface DiskReserve extends Disposable {
  /** Gives the space to whoever writes next. */
  release(): void;
}

/**
 * Holds disk space back, as a file at `path`, for the moment when there is no more: the rows that say what failed, and
 * the deletion of what filled the disk, must be written too. Where there is too little for it, it holds none.
 */
export function holdDiskSpace(path: string): DiskReserve {
  const release = () => rmSync(path, { force: true });
  let file: number | null = null;
  try {
    file = openSync(path, "w", 0o600);
    for (let written = 0; written < RESERVE_BYTES;) written += writeSync(file, PIECE);
  } catch {
    release();
  } finally {
    if (file !== null) closeSync(file);
  }
  return { release, [Symbol.dispose]: release };
}

/** A write that failed needed a page of the database or two; what others gave back meanwhile is not to hide why. */
const TRIED_BYTES = 1024 * 1024;

/**
 * Tries whether a directory takes a megabyte more, and leaves nothing of it. The error (`ENOSPC`, `EDQUOT`) where there is
 * no room for it; null where there is, and where the disk refuses for another reason. Synced, for a file system on another
 * machine tells of a quota only then. Holds the thread: for the moment after a failure alone.
 */
export function roomError(directory: string): Error | null {
  const tmp = join(directory, "tmp");
  const path = join(existsSync(tmp) ? tmp : directory, `room-${process.pid}`);
  try {
    const file = openSync(path, "w", 0o600);
    try {
      for (let written = 0; written < TRIED_BYTES;) written += writeSync(file, PIECE);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    return error instanceof Error && isDiskFull(error) ? error : null;
  } finally {
    forget(path);
  }
}

function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The next start empties the directory.
  }
}

/** Bytes that this user may still write to the disk of a path. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** The same, for what runs before anything is served. */
export function freeBytesNow(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Throws, before the work that needs so many bytes rather than after it, where the disk of a directory has them not. */
export async function assertDiskRoom(directory: string, bytes: number): Promise<void> {
  const free = await freeBytes(directory);
  if (free >= bytes) return;
  const megabytes = (n: number) => `${Math.ceil(n / 1e6)} MB`;
  throw new Error(`it needs ${megabytes(bytes)} of disk space and ${megabytes(free)} are free`);
}
