/**
 * Where a model's files are gathered before it is put in its place in one step. The folder has the same name for the same
 * commit of the same model, so that a pull that broke off goes on where it was; one process at a time is at it.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../../platform/process-alive.ts";
import { writeAll } from "../../platform/replace-file.ts";
import { HubError } from "./hub-failure.ts";

export interface Staging extends Disposable {
  path: string;
  /** Takes away all that is in it but these files and what is there of them. */
  keepOnly(names: readonly string[]): void;
  /** When everything is there. */
  moveTo(folder: string): void;
}

const STAGING = /^\.pulling-[0-9a-f]{16}$/;
/** Holds the number of the process that is at it. */
const OWNER = ".owner";

/** Parts of a file that is not whole yet. */
export const PART_SUFFIX = ".part";
export const TAG_SUFFIX = ".part-tag";

export interface Staged {
  endpoint: URL;
  name: string;
  commit: string;
}

/** Rejects with a HubError while another process pulls the same. What other pulls left behind is removed. */
export function openStaging(modelsDirectory: string, { endpoint, name, commit }: Staged): Staging {
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify([endpoint.href, name, commit])).digest("hex");
  const folder = `.pulling-${hash.slice(0, 16)}`;
  const path = join(modelsDirectory, folder);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  takeOwnership(path, name);
  removeLeft(modelsDirectory, folder);
  return {
    path,
    keepOnly: (names) => keepOnly(path, names),
    moveTo: (target) => {
      rmSync(target, { recursive: true, force: true });
      renameSync(path, target);
      rmSync(join(target, OWNER), { force: true });
    },
    [Symbol.dispose]: () => rmSync(join(path, OWNER), { force: true }),
  };
}

function takeOwnership(path: string, name: string): void {
  const owner = join(path, OWNER);
  if (existsSync(owner)) {
    const pid = ownerOf(path);
    if (pid !== null && pid !== process.pid && isAlive(pid))
      throw new HubError(
        `another process (${pid}) is pulling ${name} already; if it is none of that, remove ${owner}.`,
      );
    rmSync(owner, { force: true });
  }
  const file = openSync(owner, "wx", 0o600);
  try {
    writeAll(file, new TextEncoder().encode(String(process.pid)));
  } finally {
    closeSync(file);
  }
}

function ownerOf(path: string): number | null {
  try {
    const pid = Number(readFileSync(join(path, OWNER), "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** Of other pulls that nobody is at. */
function removeLeft(modelsDirectory: string, own: string): void {
  for (const name of readdirSync(modelsDirectory)) {
    if (name === own || !STAGING.test(name)) continue;
    const path = join(modelsDirectory, name);
    const pid = ownerOf(path);
    if (pid !== null && isAlive(pid)) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Another user's: in nobody's way.
    }
  }
}

function keepOnly(path: string, names: readonly string[]): void {
  const kept = new Set([OWNER, ...names.flatMap((name) => [name, name + PART_SUFFIX, name + TAG_SUFFIX])]);
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const full = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !kept.has(full.slice(path.length + 1))) rmSync(full, { force: true });
  }
}
