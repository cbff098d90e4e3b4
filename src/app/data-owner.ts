import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../platform/data-dir.ts";
import { randomText } from "../platform/ids.ts";
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

interface Note extends Owner {
  /** Names the directory among those of other servers with the same database; "" where an earlier version wrote the note. */
  place: string;
}

const FILE = "database";
const PLACE_CHARACTERS = 24;

/**
 * Notes the owner of a directory that has none. Returns what names the directory among those of the database: the same at
 * every start, so that what a server has begun that was killed there is known to be nobody's.
 *
 * @throws StartError for the directory of another database
 */
export function ownDataDir(dataDir: string, owner: Owner): string {
  if (existsSync(join(dataDir, "meta.sqlite")))
    throw new StartError(
      `the data directory ${dataDir} holds a database of its own, which --database would leave aside; name another directory with --data`,
    );
  const before = readOwner(dataDir);
  if (before === null || before.id === owner.id) {
    const place = before?.place || randomText(PLACE_CHARACTERS);
    if (before?.shown !== owner.shown || before?.place !== place)
      replaceFile(join(dataDir, FILE), `${owner.id}\n${owner.shown}\n${place}\n`);
    return place;
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

function readOwner(dataDir: string): Note | null {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return null;
  const [id = "", shown = "", place = ""] = readFileSync(path, "utf8").split("\n");
  return { id, shown, place };
}
