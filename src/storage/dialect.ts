/**
 * Statements are written once, in SQL that SQLite and PostgreSQL both understand; where SQLite has a function that
 * PostgreSQL has not, the schema there makes it (migrations/postgres). What is left of their differences is here:
 *
 * - forms with one word for each (the functions below that return a piece of a text);
 * - statements that are better, or can only be, said in another way, of which {@link twin} keeps both;
 * - what PostgreSQL's door changes in every text ({@link toPostgres}).
 *
 * SQLite's texts are executed as they are written. To be minded in those for both: a parameter that is only held against
 * NULL has no type (`CAST(?1 AS TEXT) IS NULL`), a sum is wider than what it sums (`CAST(sum(x) AS BIGINT)`), a truth is
 * no number (`CASE WHEN … THEN 1 ELSE 0 END`), the column of an upsert is named with its table, and a name with capitals
 * stands in quotes.
 */
const twins = new Map<string, string>();

/** A statement, and how it is said to PostgreSQL. Both have the same parameters and give the same rows. */
export function twin(sqlite: string, postgres: string): string {
  twins.set(sqlite, postgres);
  return sqlite;
}

/** The numbers of a JSON array that is a parameter: `seq IN ${numbers(2)}`. */
export function numbers(parameter: number): string {
  return /*sql*/ `(SELECT CAST(value AS BIGINT) FROM json_each(?${parameter}))`;
}

/** The texts of a JSON array that is a parameter. */
export function texts(parameter: number): string {
  return /*sql*/ `(SELECT value FROM json_each(?${parameter}))`;
}

/** SQLite's word to its planner, which PostgreSQL has no use for. */
const PLANNER_HINT = / INDEXED BY \w+/g;
/** There every key begins with the tenant. */
const KEY_OF_CONFLICT = /ON CONFLICT \((?!tenant_id\b)/g;

/** The statement as PostgreSQL is to have it, but for its placeholders. Doors keep what they asked. */
export function toPostgres(text: string): string {
  return twins.get(text) ?? text.replace(PLANNER_HINT, "").replace(KEY_OF_CONFLICT, "ON CONFLICT (tenant_id, ");
}

/** Unix time by the clock of a database elsewhere, which several servers go by; with PostgreSQL alone. */
export const DATABASE_MS = /*sql*/ `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`;
export const DATABASE_SECONDS = /*sql*/ `CAST(extract(epoch FROM clock_timestamp()) AS BIGINT)`;
