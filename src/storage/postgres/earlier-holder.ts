import { StartError } from "../../platform/data-dir.ts";
import type { PostgresDatabase } from "./database.ts";

/**
 * Versions that had a database for one server alone say so in a row of their own, whose term they move on all the time. None
 * of them may be joined, and none may start again beside servers of this version: its row is taken for good.
 */
type Door = Pick<PostgresDatabase, "get" | "run">;

const IS_THERE = /*sql*/ `SELECT to_regclass('lectern_holder') IS NOT NULL AS is_there`;
const TAKE = /*sql*/ `UPDATE lectern_holder SET epoch = epoch + 1, token = 'replicas',
    name = 'several machines, of a newer version', has_session = false, held_until = 'infinity'
  WHERE token = 'replicas' OR held_until < clock_timestamp()`;
const WHO = /*sql*/ `SELECT name, held_until::text AS until FROM lectern_holder`;
/** It moves its term on several times meanwhile where it lives; where it was killed, the term passes. ms */
const LOOK_MS = 500;

/** Takes the row, when nobody has it any more. @throws StartError where an earlier version runs */
export async function refuseEarlierHolder(db: Door, shown: string): Promise<void> {
  if ((await db.get<{ is_there: number }>(IS_THERE))?.is_there !== 1) return;
  const first = await db.get<{ name: string; until: string }>(WHO);
  while ((await db.run(TAKE)) === 0) {
    const now = await db.get<{ name: string; until: string }>(WHO);
    if (now === null) return;
    if (first !== null && now.until !== first.until) throw new StartError(refusal(shown, now.name));
    await Bun.sleep(LOOK_MS);
  }
}

function refusal(shown: string, name: string): string {
  return `the database ${shown} is in use by a Lectern on ${name}, of a version that has a database for itself alone; stop it first: from this version on several servers may have one`;
}
