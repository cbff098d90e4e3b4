import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { takeDataDir } from "../platform/data-dir.ts";
import { dataPathOf } from "../platform/data-place.ts";
import { databaseProblem } from "../storage/inspect.ts";
import { putUpgradeCopyBack, readUpgradeNote, UNDONE, upgradeCopyPath } from "../storage/upgrade-copy.ts";
import { VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Caches that an older version may read otherwise. */
const CACHES = ["stores", "parsed", "native"];

/** `lectern restore --before-upgrade`: the database as it was before the last upgrade takes the place of today's. */
export function putBack(named: string, terminal: Terminal): number {
  const dataDir = dataPathOf(named);
  if (!existsSync(join(dataDir, "meta.sqlite"))) throw new VerbFailed(`${dataDir} holds no data of Lectern.`);
  using _held = takeDataDir(dataDir, "restore");
  const note = readUpgradeNote(dataDir);
  if (note === null)
    throw new VerbFailed(
      `${dataDir} holds no copy from before an upgrade: none was kept, or its time is over. Restore a backup instead.`,
    );
  const problem = databaseProblem(upgradeCopyPath(dataDir));
  if (problem !== null)
    throw new VerbFailed(`The copy from before the upgrade cannot be used, for ${problem}. Restore a backup instead.`);
  try {
    putUpgradeCopyBack(dataDir);
  } catch (error) {
    throw new VerbFailed(`The database of ${dataDir} cannot be put aside: ${messageOf(error)}.`);
  }
  for (const name of CACHES) rmSync(join(dataDir, name), { recursive: true, force: true });
  const when = new Date(note.at * 1000).toISOString();
  const writer = note.lectern === null ? "the version that you had before" : `Lectern ${note.lectern}`;
  terminal.err(`The database is that of ${when} again (schema ${note.from}); what came since is not in it.
Today's is kept in ${join(dataDir, UNDONE)} until you remove it.
Start it with ${writer}: this version would upgrade it again.
`);
  return 0;
}
