/** How the databases go through their tables for the statements of this room: none through a whole table that grows. */
import { Database } from "bun:sqlite";
import { SQL } from "bun";
import { beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hasPostgres, testDatabase } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type * as Dialect from "./dialect.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { migratePostgres } from "./migrations/postgres/runner.ts";
import { migrate } from "./migrations/runner.ts";
import { openPostgres } from "./postgres/open.ts";
import { translate } from "./postgres/values.ts";
import { SERVER_STARTS_MS } from "./testing/kinds.ts";

const SRC = join(import.meta.dir, "..");

/** What goes through a whole table, and why that is no harm. */
const WHOLE: Readonly<Record<string, string>> = {
  "chunk-hits.ts ANY_OWN": "ends with the first row",
  "embedding-cache.ts REMOVE_OLDEST": "ends with the limit",
  "embedding-cache.ts SIZE": "a row",
  "query-log.ts OLDEST": "ends with the limit",
  "query-log.ts OLDEST_SIZES": "ends with the limit",
  "query-log.ts TRIM_OLD": "ends with the limit",
  "tenants.ts FIRST": "ends with the limit",
  "query-log.ts SIZE": "a row",
  "instance.ts GET": "a row",
  "shown-ids.ts SHOWN_ID_ROW": "a row",
  "job-table.ts DEPTH": "a row of each kind and tenant that has jobs",
  "files.ts ALL_IDS": "a backup has all",
  "uploads.ts ALL_PARTS": "a backup has all",
  "generations.ts IN_USE": "at a start; what is out of use is removed, so it asks for nearly all",
  "generations.ts LIVE_OF_OTHER_REVISION": "at a start",
  "generations.ts MODELS_IN_USE": "what is out of use is removed, so it counts nearly all",
  "chunk-removals.ts FILES_WITH_CHUNKS": "its own result, which is called `file` and has a limit",
};

/** Beginnings of statements, and those of a cache with a schema of its own. */
const NO_STATEMENT = new Set([
  "chunk-removals.ts NEXT_FILES",
  "chunk-removals.ts OF_GARBAGE",
  "generations.ts SELECT",
  "migration-table.ts SELECT",
  "job-table.ts INTO",
  "store-files.ts INTO",
  "responses.ts CHAIN",
  "chunk-terms.ts TELL",
]);
const OF_CACHE = /^index-cache\.ts /;
/** Said to PostgreSQL alone. */
const POSTGRES_ALONE =
  /lectern_now_ms|clock_timestamp|FOR (NO KEY )?(UPDATE|SHARE)|ON CONSTRAINT|::|RECURSIVE waiting|starts_with/;

/** The same on PostgreSQL, beside those of whole tables above. */
const WHOLE_THERE: Readonly<Record<string, string>> = {
  "asks.ts OF_SERVER": "rows for some seconds each",
  "embedding-cache.ts SIZE": "a row",
  "generations.ts IN_USE": "at a start",
  "generations.ts LIVE_OF_OTHER_REVISION": "at a start",
  "generations.ts MODELS_IN_USE": "nearly all of them are counted",
  "instance.ts GET": "a row",
  "keys.ts REMOVE_EVERY": "all of them",
  "query-log.ts SIZE": "a row",
  "rates.ts TRIM": "a row of each key that was used in the last minutes",
  "replicas.ts LIST": "a row of each server",
  "shown-ids.ts SHOWN_ID_ROW": "a row",
};
/** Said to SQLite alone. */
const SQLITE_ALONE = new Set([
  "chunk-hits.ts ANY_OWN",
  "chunk-hits.ts BARE_HITS",
  "job-leases.ts DUE_TENANTS",
  "own-schema.ts OBJECTS",
  "index-reads.ts TERMS",
  "index-reads.ts VECTORS",
]);

interface Statement {
  /** Of its file and its constant. */
  name: string;
  text: string;
  /** As PostgreSQL is to have it, but for its placeholders. */
  there: string;
}

/** The texts that modules keep to themselves: of a copy of the room whose constants are exported. */
async function statementsOfRoom(): Promise<Statement[]> {
  using dir = tempDir();
  for (const name of ["platform", "errors.ts", "stream-safe.ts"]) symlinkSync(join(SRC, name), dir.join(name));
  symlinkSync(join(SRC, "../node_modules"), dir.join("node_modules"));
  mkdirSync(dir.join("storage"));
  for (const file of readdirSync(import.meta.dir, { withFileTypes: true })) {
    const [from, to] = [join(import.meta.dir, file.name), dir.join("storage", file.name)];
    if (file.isDirectory()) symlinkSync(from, to);
    else if (!file.name.endsWith(".ts")) copyFileSync(from, to);
    else if (!file.name.endsWith(".test.ts"))
      writeFileSync(to, readFileSync(from, "utf8").replaceAll(/^const (?=[A-Z][A-Z0-9_]*\b)/gm, "export const "));
  }
  // Its own: it keeps what is said in two ways.
  const { toPostgres } = (await import(pathToFileURL(dir.join("storage", "dialect.ts")).href)) as typeof Dialect;
  const found: Statement[] = [];
  for (const file of readdirSync(dir.join("storage")).filter((name) => name.endsWith(".ts"))) {
    const module = (await import(pathToFileURL(dir.join("storage", file)).href)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module)) {
      const texts = typeof value === "string" ? [value] : isTexts(value) ? Object.values(value) : [];
      for (const text of texts)
        if (/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/.test(text))
          found.push({ name: `${file} ${name}`, text, there: toPostgres(text) });
    }
  }
  return found.filter(({ name }) => !NO_STATEMENT.has(name) && !OF_CACHE.test(name));
}

/** The same statement of two or three kinds of things. */
function isTexts(value: unknown): value is Record<string, string> {
  return value?.constructor === Object && Object.values(value).every((one) => typeof one === "string");
}

function newest(): Database {
  const db = new Database(":memory:");
  migrate(db, MIGRATIONS);
  return db;
}

/** Steps in which all rows of a table are gone through; not those of an index that has some of them alone. */
function walks(db: Database, text: string): string[] {
  const names = (where: string) =>
    db
      .query<{ name: string }, []>(`SELECT name FROM sqlite_schema WHERE ${where}`)
      .all()
      .map(({ name }) => name);
  const partial = new Set(names("type = 'index' AND sql LIKE '% WHERE %'"));
  const tables = names("type = 'table'");
  const isOfTable = (name: string) =>
    tables.some((table) => table === name || new RegExp(`\\b${table}( AS)? ${RegExp.escape(name)}\\b`).test(text));
  return db
    .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail)
    .filter((detail) => detail.startsWith("SCAN ") && isOfTable(/^SCAN (\S+)/.exec(detail)?.[1] ?? ""))
    .filter((detail) => !partial.has(/USING (?:COVERING )?INDEX (\w+)/.exec(detail)?.[1] ?? ""));
}

let statements: Statement[];
beforeAll(async () => {
  statements = await statementsOfRoom();
}, 60_000);

describe("on SQLite", () => {
  test("no statement goes through a table that grows, but for those that are named", () => {
    using db = newest();
    const asked = statements.filter(({ text }) => !POSTGRES_ALONE.test(text));
    const found = asked.filter(({ text }) => walks(db, text).length > 0).map(({ name }) => name);
    expect(asked.length).toBeGreaterThan(250);
    expect([...new Set(found)].toSorted()).toEqual(Object.keys(WHOLE).toSorted());
  });

  test("what goes with a row is found by an index", () => {
    using db = newest();
    const keys = db
      .query<{ child: string; column: string }, []>(
        `SELECT t.name AS child, k."from" AS "column" FROM sqlite_schema t, pragma_foreign_key_list(t.name) k
         WHERE t.type = 'table'`,
      )
      .all();
    expect(keys.length).toBeGreaterThan(15);
    const lost = keys.filter(({ child, column }) => walks(db, `DELETE FROM ${child} WHERE ${column} = ?1`).length > 0);
    expect(lost).toEqual([]);
  });
});

describe.skipIf(lacks("PostgreSQL", hasPostgres))("on PostgreSQL", () => {
  test(
    "a statement that goes through a table does so of its own choice, but for those that are named",
    async () => {
      const address = await testDatabase();
      const db = await openPostgres(address, { connections: 1 });
      await migratePostgres(db);
      await db.close();
      const sql = new SQL(address, { max: 1 });
      // Then a table is gone through where there is no other way, however small it is and whatever is asked for.
      await sql.unsafe("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").simple();
      const found = new Set<string>();
      for (const { name, there } of statements.filter((one) => !SQLITE_ALONE.has(one.name))) {
        const text = translate(there);
        const parameters = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
        const nothing = parameters === 0 ? "" : `(${Array(parameters).fill("NULL").join(", ")})`;
        await sql.unsafe(`PREPARE asked AS ${text}`).simple();
        const plan = await sql.unsafe<{ "QUERY PLAN": string }[]>(`EXPLAIN EXECUTE asked${nothing}`).simple();
        await sql.unsafe("DEALLOCATE asked").simple();
        if (plan.some((row) => /Seq Scan on (?!json)/.test(row["QUERY PLAN"]))) found.add(name);
      }
      await sql.close();
      expect([...found].toSorted()).toEqual(Object.keys(WHOLE_THERE).toSorted());
    },
    SERVER_STARTS_MS,
  );
});
