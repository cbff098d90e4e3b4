import { RepeatedLook } from "../../platform/repeated-look.ts";
import type { PostgresDatabase } from "./database.ts";

/** Between two looks. ms */
const EVERY_MS = 2000;
/** Rows beyond which it matters how a table is read. */
const MOST_UNKNOWN = 500;
/** Held by the server that looks. The number is made of letters of "lectern" and means nothing else. */
const LOCK = 0x6c_65_63_74_61;

const TAKE = /*sql*/ `SELECT pg_try_advisory_xact_lock(?1::bigint) AS is_taken`;
/** Twice as large, or changed as much, as when they were looked at last. `reltuples` is -1 for never. */
const GROWN = /*sql*/ `SELECT quote_ident(c.relname) AS name FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
  WHERE s.schemaname = current_schema() AND pg_has_role(c.relowner, 'USAGE')
    AND s.n_mod_since_analyze > ?1::bigint + greatest(c.reltuples, 0)`;

/**
 * Has PostgreSQL look at tables that have grown a lot. Its autovacuum does it too, but only once a minute or so; until then it
 * takes a table that was just filled for almost empty, and reads all of it for each search.
 */
export async function analyzeYoungTables(db: Pick<PostgresDatabase, "unhurried">): Promise<string[]> {
  return await db.unhurried(async (tx) => {
    const taken = await tx.get<{ is_taken: number }>(TAKE, [LOCK]);
    const grown = taken?.is_taken === 1 ? await tx.all<{ name: string }>(GROWN, [MOST_UNKNOWN]) : [];
    const names = grown.map(({ name }) => name);
    if (names.length > 0) await tx.run(/*sql*/ `ANALYZE ${names.join(", ")}`);
    return names;
  });
}

/** Does so again and again, as long as the server runs. A database that is away is looked at later. */
export function watchYoungTables(db: Pick<PostgresDatabase, "unhurried">): AsyncDisposable {
  const look = async () => void (await analyzeYoungTables(db));
  const repeated = new RepeatedLook(look, { everyMs: EVERY_MS, failedMs: 5 * EVERY_MS }, () => {});
  repeated.start();
  return repeated;
}
