import type { Param, Sql } from "./sql.ts";

/** Rows remembered of one statement; beyond it all are forgotten. */
const MOST = 1000;

/**
 * A read of one row whose answer is remembered until the next commit. What every request asks for (its key, its store,
 * the generation that answers) so costs a look into a map: a statement takes 10 microseconds of the serving thread.
 *
 * It can only be as true as a read: a row is given again while the database has committed nothing since it was read, and
 * nobody else writes to it; a transaction, and a database that others write to, are asked each time. That there is no
 * such row is not remembered, or strangers could fill the map. Rows are frozen, since several callers have the same one.
 */
export function untilCommit<A extends readonly Param[], Row extends object>(
  sql: Sql,
  read: (...params: A) => Promise<Row | null>,
): (...params: A) => Promise<Row | null> {
  const rows = new Map<string, Row>();
  let asOf = -1;
  return async (...params) => {
    const commits = sql.commits?.() ?? null;
    if (commits === null) return await read(...params);
    if (commits !== asOf || rows.size >= MOST) {
      rows.clear();
      asOf = commits;
    }
    const key = keyOf(params);
    const known = rows.get(key);
    if (known !== undefined) return known;
    // Executed at once; whether something is committed before its answer is here is looked at again.
    const row = await read(...params);
    if (row === null) return null;
    if (sql.commits?.() === commits && asOf === commits) rows.set(key, Object.freeze(row));
    return row;
  };
}

/** Of values of fixed kinds in a fixed order; no id holds a line feed. */
function keyOf(params: readonly Param[]): string {
  let key = "";
  for (const param of params)
    key += `${param instanceof Uint8Array ? Buffer.from(param).toString("latin1") : String(param)}\n`;
  return key;
}
