import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * Writes a small file of this user's own in one step: after a crash there is the old one or the new one, whole. What lies
 * under its temporary name is taken away and never written through, be it a link or somebody else's file.
 */
export function replaceFile(path: string, text: string): void {
  makeDirectory(dirname(path));
  const temporary = `${path}.tmp`;
  try {
    const file = createAnew(temporary);
    try {
      writeAll(file, new TextEncoder().encode(text));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncPath(dirname(path));
}

/** All of it: the system may take less than it is given, on a disk that is nearly full above all. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

/** Makes a directory, and the names of all that had to be made on the way survive a power cut. */
export function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = resolve(path); ; made = dirname(made)) {
    syncReadable(dirname(made));
    if (made === resolve(first)) return;
  }
}

/** A directory above ours may be another's, to pass through and not to look into. */
function syncReadable(path: string): void {
  try {
    syncPath(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EACCES") throw error;
  }
}

/** Makes a directory survive with all that is below it. */
export function syncTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else syncPath(path);
  }
  syncPath(directory);
}

/** Opens a file of this user's own for writing: one that was not there, in place of what was there under its name. */
export function createAnew(path: string): number {
  rmSync(path, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/** Makes what was renamed into a directory, or written to a file, survive a power cut. */
export function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
