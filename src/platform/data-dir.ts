import { Database } from "bun:sqlite";
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { findPlace } from "./data-place.ts";
import { roomError } from "./disk-reserve.ts";
import { isDiskFull } from "./disk-trust.ts";
import { isAlive } from "./process-alive.ts";
import { makeDirectory, replaceFile } from "./replace-file.ts";

/** Something a person must mend before the server can start; `message` is the one line that is shown. */
export class StartError extends Error {
  override name = "StartError";
}

export interface DataDir extends Disposable {
  /** Absolute. */
  readonly path: string;
  /** What a person should know of it. */
  readonly notice: string | null;
}

/**
 * Makes the data directory if need be and takes it for this process alone, until disposed or until the process ends in
 * whatever way: the lock is the operating system's, so nothing stale is ever left. `<path>/tmp` is emptied.
 * Throws StartError when the directory is not this user's alone (see data-place.ts), cannot be written, or another
 * process holds it.
 *
 * @param verb of the command line that takes it, for those who find it taken
 */
export function takeDataDir(directory: string, verb?: string): DataDir {
  // Whatever this process writes from here on is its user's alone, also in a directory that others can enter.
  process.umask(0o077);
  const { path, notice } = makePlace(resolve(directory));
  const lock = takeLock(path);
  try {
    rmSync(join(path, "tmp"), { recursive: true, force: true });
    mkdirSync(join(path, "tmp"), { recursive: true, mode: 0o700 });
    const holder = { pid: process.pid, started_ms: performance.timeOrigin, verb };
    replaceFile(holderPath(path), `${JSON.stringify(holder)}\n`);
  } catch (error) {
    lock.close();
    throw notWritable(path, error);
  }
  return { path, notice, [Symbol.dispose]: () => lock.close() };
}

function makePlace(named: string): { path: string; notice: string | null } {
  try {
    makeDirectory(named);
    const place = findPlace(named);
    if (place.type === "refuse") throw new StartError(`the data directory ${named} cannot be used: ${place.reason}`);
    const { path, isTooOpen, notice } = place;
    makeDirectory(path);
    if (isTooOpen) chmodSync(path, 0o700);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return { path, notice };
  } catch (error) {
    throw error instanceof StartError ? error : notWritable(named, error);
  }
}

/** What a start says where its disk, or the quota of its user or directory, has no room left. */
export function noRoomText(path: string): string {
  return `there is no room left for the data directory ${path}, on the disk or within a quota; free some, then start again`;
}

function notWritable(path: string, error: unknown): StartError {
  if (isDiskFull(error)) return new StartError(noRoomText(path), { cause: error });
  return new StartError(`the data directory ${path} cannot be written (${codeOf(error)}); choose another with --data`, {
    cause: error,
  });
}

/**
 * SQLite's exclusive lock on a file of its own stands in for flock, which Bun does not offer. The file must not be
 * opened elsewhere in this process: closing any other descriptor of it would drop the lock.
 */
function takeLock(path: string): Database {
  let lock: Database | undefined;
  const file = join(path, "lock");
  if (lstatSync(file, { throwIfNoEntry: false })?.isFile() === false)
    throw new StartError(`${file} is not the file that Lectern makes there; remove it`);
  try {
    lock = new Database(file, { create: true });
    lock.run("PRAGMA busy_timeout = 0");
    // Nothing in the file is worth waiting for the disk: only that it is locked counts.
    lock.run("PRAGMA synchronous = OFF");
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
    lock.run("CREATE TABLE IF NOT EXISTS held (pid INTEGER)");
    lock.run("COMMIT");
    return lock;
  } catch (error) {
    lock?.close();
    const code = codeOf(error);
    const message = code.startsWith("SQLITE_BUSY")
      ? `another Lectern${holderText(path)} is using the data directory ${path}; stop it, or choose another directory with --data`
      : notWritable(path, roomError(path) ?? error).message;
    throw new StartError(message, { cause: error });
  }
}

/** Beside the lock: SQLite lets nobody read a file that it holds exclusively. */
const holderPath = (path: string) => join(path, "holder.json");

/** Which process holds the lock, what it does as far as it said so, and since when; empty where that cannot be told. */
function holderText(path: string): string {
  try {
    const holder: unknown = JSON.parse(readFileSync(holderPath(path), "utf8"));
    if (typeof holder !== "object" || holder === null || !("pid" in holder) || !("started_ms" in holder)) return "";
    const { pid, started_ms: startedMs } = holder;
    // An earlier version leaves no note: then this one is of a process that ended.
    if (typeof pid !== "number" || typeof startedMs !== "number" || !isAlive(pid)) return "";
    const said = "verb" in holder && typeof holder.verb === "string" && /^[a-z]+$/.test(holder.verb);
    const verb = said ? `, lectern ${holder.verb}` : "";
    return ` (process ${pid}${verb}, since ${new Date(startedMs).toISOString().slice(0, 19)}Z)`;
  } catch {
    return "";
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown error";
}
