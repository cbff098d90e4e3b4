/** What `lectern doctor` says of the data directory as files: where it is, whose it is, what was left in it. */
import { accessSync, chmodSync, constants, existsSync, lstatSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { findPlace } from "../platform/data-place.ts";
import { isLeftBehind } from "../platform/process-alive.ts";
import { readUpgradeNote, UNDONE } from "../storage/upgrade-copy.ts";
import { type Check, counted, fail, ok, someOf, warn } from "./doctor-check.ts";

export function placeChecks(config: Config, named: string): Check[] {
  const path = resolve(config.dataDir);
  if (!existsSync(path)) {
    return [
      isWritable(nearestExisting(path))
        ? ok("data", `${path} will be made at the first start`)
        : fail("data", `${path} does not exist and cannot be made`),
    ];
  }
  if (!statSync(path).isDirectory()) return [fail("data", `${path} is not a directory`)];
  const checks = [isWritable(path) ? ok("data", path) : fail("data", `${path} cannot be written by this user`)];
  const place = findPlace(named);
  if (place.type === "refuse") return [...checks, fail("permissions", place.reason)];
  if (place.isTooOpen) return [...checks, warn("permissions", `others may write to ${path}; the next start sets 0700`)];
  const { open, foreign } = looseEntries(path);
  if (foreign.length > 0)
    checks.push(fail("permissions", `of another user: ${someOf(foreign)}; make them yours (chown), or remove them`));
  else if (open.length > 0)
    checks.push(warn("permissions", `others may read ${someOf(open)}: --fix, or chmod -R go-rwx ${path}`));
  else checks.push(ok("permissions", "only this user can read the data"));
  return checks;
}

/**
 * Files that others may read, and such as belong to others. Below a directory that only its owner enters, the modes of what
 * lies in its folders do not matter. Links are left as they are: what they lead to has its own mode.
 */
function looseEntries(path: string): { open: string[]; foreign: string[] } {
  const user = process.geteuid?.();
  const isClosed = (statSync(path).mode & 0o077) === 0;
  const [open, foreign]: [string[], string[]] = [[], []];
  const look = (one: string) => {
    const stat = lstatSync(one, { throwIfNoEntry: false });
    if (stat === undefined || stat.isSymbolicLink()) return;
    if (stat.uid !== user && stat.uid !== 0) foreign.push(one);
    else if ((stat.mode & 0o077) !== 0 && !(isClosed && dirname(one) !== path)) open.push(one);
  };
  look(path);
  for (const entry of readdirSync(path, { recursive: true })) look(join(path, String(entry)));
  return { open, foreign };
}

/** Takes away what others may do; how many were changed. */
export function closeModes(path: string): number {
  const { open } = looseEntries(path);
  for (const one of open) chmodSync(one, lstatSync(one).mode & 0o700);
  return open.length;
}

/** What an interrupted run may leave: written beside the file that it was to become. */
const TEMPORARY = /\.(?:tmp|partial)$/;
const MODEL_ON_ITS_WAY = /^\.(?:adding|removing)-(\d+)(?:-\d+)?$/;

/** Files and folders that nobody will finish; nobody uses the directory. */
export function leftovers(path: string): string[] {
  const names = (folder: string) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []);
  const models = names(join(path, "models"));
  return [
    ...names(path).filter((one) => TEMPORARY.test(one)),
    ...names(join(path, "tmp")),
    ...[...models, ...models.filter((one) => lstatSync(one).isDirectory()).flatMap(names)].filter((one) =>
      isLeftBehind(one.slice(dirname(one).length + 1), MODEL_ON_ITS_WAY),
    ),
  ];
}

export function leftoversCheck(path: string): Check {
  const found = leftovers(path).map((one) => relative(path, one));
  const kept = readUpgradeNote(path);
  const copies = [
    ...(kept === null ? [] : [`the database before the upgrade from schema ${kept.from} is kept in before-upgrade`]),
    ...(existsSync(join(path, UNDONE)) ? [`${UNDONE} holds what was undone and may be removed`] : []),
  ];
  if (found.length > 0)
    return warn("leftovers", [`of interrupted work: ${someOf(found)}; --fix removes them`, ...copies].join("; "));
  return ok("leftovers", copies.join("; ") || "none");
}

/** Mends what can be mended without a loss; what was done, in words. Nobody uses the directory. */
export function mend(path: string, caches: readonly string[]): string {
  const left = leftovers(path);
  for (const one of left) rmSync(one, { recursive: true, force: true });
  for (const name of caches) rmSync(join(path, name), { recursive: true, force: true });
  const closed = closeModes(path);
  return [
    `removed ${caches.join(", ")}: made again at the next start or use`,
    ...(left.length === 0 ? [] : [`removed ${counted(left.length, "leftover")}`]),
    ...(closed === 0 ? [] : [`took ${counted(closed, "file")} from the eyes of others`]),
  ].join("; ");
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function nearestExisting(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path));
}
