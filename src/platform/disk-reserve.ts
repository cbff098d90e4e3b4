import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { statfs } from "node:fs/promises";

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
