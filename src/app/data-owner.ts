import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../platform/data-dir.ts";
import { replaceFile } from "../platform/replace-file.ts";

/**
 * Which database a data directory belongs to, where that is not the file in it. What lies in the directory (bytes of
 * uploads above all) is swept by what the database says; so none but its own may be opened over it.
 */
export interface Owner {
  /** The same for one database, always, and of no other. */
  id: string;
  /** For people: an address without a password. */
  shown: string;
}

const FILE = "database";

/** Notes the owner of a directory that has none. @throws StartError for the directory of another database */
export function ownDataDir(dataDir: string, owner: Owner): void {
  if (existsSync(join(dataDir, "meta.sqlite")))
    throw new StartError(
      `the data directory ${dataDir} holds a database of its own, which --database would leave aside; name another directory with --data`,
    );
  const before = readOwner(dataDir);
  if (before === null || before.id === owner.id) {
    if (before?.shown !== owner.shown) replaceFile(join(dataDir, FILE), `${owner.id}\n${owner.shown}\n`);
    return;
  }
  throw new StartError(
    `the data directory ${dataDir} belongs to the database ${before.shown}, and ${owner.shown} is another; name another directory with --data`,
  );
}

/** Before a file of the directory becomes its database. @throws StartError for the directory of a database elsewhere */
export function refuseOwned(dataDir: string): void {
  const owner = readOwner(dataDir);
  if (owner === null) return;
  throw new StartError(
    `the data directory ${dataDir} belongs to the database ${owner.shown}; name it with --database, or name another directory with --data`,
  );
}

function readOwner(dataDir: string): Owner | null {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return null;
  const [id = "", shown = ""] = readFileSync(path, "utf8").split("\n");
  return { id, shown };
}
