import { Database } from "bun:sqlite";
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DAY_SECONDS } from "../platform/clock.ts";
import { replaceFile, syncPath } from "../platform/replace-file.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { checkSchema, distrust, givenVersion } from "./own-schema.ts";

/**
 * The way back from an upgrade: the database as it was before, in a folder of the data directory. It is written before the
 * first step and put in place in one rename, so there is a whole one or none. One is kept at a time, of the newest upgrade,
 * and not for ever: it holds the text of documents that are deleted later.
 */
export interface UpgradeNote {
  /** Schema versions. */
  from: number;
  to: number;
  /** The version of Lectern that had the directory before; null where none said so. */
  lectern: string | null;
  /** Unix seconds. */
  at: number;
}

/** Days that the copy is kept. */
export const COPY_DAYS = 14;

const FOLDER = "before-upgrade";
/** Where what was undone is put. */
export const UNDONE = "undone-upgrade";
const DATABASE = "meta.sqlite";
const NOTE = "note.json";

/** What an upgrade of the database of this directory would change; null where there is nothing to upgrade, or nothing to read. */
export function pendingUpgrade(dataDir: string): { from: number; to: number; bytes: number } | null {
  const path = join(dataDir, DATABASE);
  if (!existsSync(path)) return null;
  const to = MIGRATIONS.at(-1)?.version ?? 0;
  try {
    using db = new Database(path, { readonly: true });
    distrust(db);
    // At nearly every start there is none, and that costs next to nothing.
    if ((givenVersion(db) ?? to) >= to) return null;
    const schema = checkSchema(db);
    if (!schema.ok || schema.version === 0 || schema.version >= to) return null;
    return { from: schema.version, to, bytes: bytesOf(path) };
  } catch {
    // Whoever opens it to use it says what is wrong.
    return null;
  }
}

/**
 * `there`: the copy from before this very upgrade is there already, which was interrupted. `lacking`: so many bytes were
 * needed.
 */
export type Kept = { result: "kept" | "there" } | { result: "lacking"; bytes: number };

/** Keeps the database as it is now. Nobody else uses it. `room`: bytes that it may take. */
export function keepUpgradeCopy(dataDir: string, note: UpgradeNote, room: number): Kept {
  const before = readUpgradeNote(dataDir);
  if (before !== null && before.from < note.from && note.from < before.to) return { result: "there" };
  const source = join(dataDir, DATABASE);
  settle(source);
  const partial = join(dataDir, `${FOLDER}.partial`);
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { mode: 0o700 });
  try {
    const target = join(partial, DATABASE);
    const bytes = bytesOf(source);
    if (!cloneFile(source, target)) {
      if (bytes > room) return { result: "lacking", bytes };
      copyFileSync(source, target, constants.COPYFILE_EXCL);
    }
    syncPath(target);
    replaceFile(join(partial, NOTE), `${JSON.stringify(note)}\n`);
    rmSync(join(dataDir, FOLDER), { recursive: true, force: true });
    renameSync(partial, join(dataDir, FOLDER));
    syncPath(dataDir);
    return { result: "kept" };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

export function readUpgradeNote(dataDir: string): UpgradeNote | null {
  try {
    const note: unknown = JSON.parse(readFileSync(join(dataDir, FOLDER, NOTE), "utf8"));
    return isNote(note) && existsSync(join(dataDir, FOLDER, DATABASE)) ? note : null;
  } catch {
    return null;
  }
}

/** Where the kept database lies. */
export function upgradeCopyPath(dataDir: string): string {
  return join(dataDir, FOLDER, DATABASE);
}

/** Whether one was there that was kept long enough. */
export function removeOldUpgradeCopy(dataDir: string, nowSeconds: number): boolean {
  const note = readUpgradeNote(dataDir);
  if (note === null || nowSeconds - note.at < COPY_DAYS * DAY_SECONDS) return false;
  rmSync(join(dataDir, FOLDER), { recursive: true, force: true });
  return true;
}

/**
 * Puts the kept database back in one step; what was there goes to `undone-upgrade`. Nobody else uses the directory, and the
 * copy is there. Throws what SQLite throws where the database cannot be brought to rest.
 */
export function putUpgradeCopyBack(dataDir: string): void {
  const path = join(dataDir, DATABASE);
  settle(path);
  const undone = join(dataDir, UNDONE);
  rmSync(undone, { recursive: true, force: true });
  mkdirSync(undone, { mode: 0o700 });
  linkSync(path, join(undone, DATABASE));
  syncPath(undone);
  const partial = `${path}.partial`;
  rmSync(partial, { force: true });
  if (!cloneFile(upgradeCopyPath(dataDir), partial)) copyFileSync(upgradeCopyPath(dataDir), partial);
  syncPath(partial);
  renameSync(partial, path);
  syncPath(dirname(path));
}

/** Brings everything into the file itself; without a journal beside it, it can be copied. */
function settle(path: string): void {
  using db = new Database(path);
  distrust(db);
  db.run("PRAGMA journal_mode = WAL");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

/** By the file system, in no time and no space, where it can. */
function cloneFile(source: string, target: string): boolean {
  try {
    copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    rmSync(target, { force: true });
    return false;
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function isNote(value: unknown): value is UpgradeNote {
  if (typeof value !== "object" || value === null) return false;
  const { from, to, at, lectern } = { from: null, to: null, at: null, lectern: null, ...value };
  return [from, to, at].every((n) => typeof n === "number") && (lectern === null || typeof lectern === "string");
}
