import { Database } from "bun:sqlite";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";

/**
 * Whether a database's schema is Lectern's own. A schema is more than tables: a trigger or a view is SQL that runs by
 * itself, and a file may come from elsewhere. So every object must be there word for word as the migrations make it,
 * which are frozen, and no other. A later version that this one may still open may have more tables, columns and
 * indexes, never other triggers or views (see `minSafeVersion`).
 */
export type SchemaVerdict = { ok: true; /** 0: nothing in it yet. */ version: number } | { ok: false; problem: string };

interface SchemaObject {
  type: string;
  name: string;
  tbl_name: string;
  sql: string | null;
}

const OBJECTS = /*sql*/ `SELECT type, name, tbl_name, sql FROM sqlite_schema`;

/** SQLite's own, which `PRAGMA optimize` and AUTOINCREMENT make. */
const INTERNAL = new Map([
  ["sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"],
  ["sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"],
  ["sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"],
]);

/** Settings under which a file that others may have written is looked through: set before anything else is asked of it. */
export function distrust(connection: Database): void {
  distrustSchema(connection);
  // Every cell of a page, each time the page is taken up: a third more for every read of a search.
  connection.run("PRAGMA cell_size_check = ON");
}

/** No function with effects in triggers, views, defaults and indexes. */
export function distrustSchema(connection: Database): void {
  connection.run("PRAGMA trusted_schema = OFF");
}

/** Reads the schema alone, and costs a few milliseconds. Throws what SQLite throws for a file that is no database. */
export function checkSchema(connection: Database): SchemaVerdict {
  const found = connection.query<SchemaObject, []>(OBJECTS).all();
  if (found.length === 0) return { ok: true, version: 0 };
  const said = saidVersion(connection, found);
  if (said === null) return { ok: false, problem: "it is no database of Lectern" };
  const { version, safe } = said;
  const known = MIGRATIONS.at(-1)?.version ?? 0;
  // Refused by the migrations, untouched.
  if (safe > known) return { ok: true, version };
  const expected = new Map(schemaAt(version).map((object) => [object.name, object]));
  const isNewer = version > known;
  for (const object of found) {
    const same = expected.get(object.name);
    const isOwn = (same !== undefined && isSame(object, same)) || isInternal(object) || (isNewer && isPlain(object));
    if (!isOwn) return { ok: false, problem: `the ${object.type} ${quoted(object.name)} is not Lectern's` };
    expected.delete(object.name);
  }
  const [missing] = isNewer ? [] : expected.values();
  if (missing !== undefined) return { ok: false, problem: `the ${missing.type} ${quoted(missing.name)} is missing` };
  return { ok: true, version };
}

/**
 * The schema version that a database gives, in a hundredth of the time that it takes to look whether it is so. Null where
 * it gives none.
 */
export function givenVersion(connection: Database): number | null {
  return saidVersion(connection, connection.query<SchemaObject, []>(OBJECTS).all())?.version ?? null;
}

function saidVersion(connection: Database, found: readonly SchemaObject[]): { version: number; safe: number } | null {
  const [own] = schemaAt(0);
  const versions = found.filter(({ name }) => name === own?.name);
  // Only a table of the very form that is expected is read: another may be a view that never ends.
  if (own === undefined || versions.length !== 1 || !versions.every((object) => isSame(object, own))) return null;
  const row = connection
    .query<{ version: number; safe: number }, []>(
      /*sql*/ `SELECT version, min_safe_version AS safe FROM schema_version`,
    )
    .get();
  return row ?? { version: 0, safe: 0 };
}

/** What the migrations up to a version make. */
function schemaAt(version: number): SchemaObject[] {
  using db = emptyAt(version);
  return db
    .query<SchemaObject, []>(OBJECTS)
    .all()
    .filter((object) => !isInternal(object));
}

/** Text columns that hold identifiers, by table. */
export function idColumnsAt(version: number): { table: string; column: string }[] {
  using db = emptyAt(version);
  return db
    .query<
      { table: string; column: string },
      []
    >(/*sql*/ `SELECT s.name AS "table", c.name AS "column" FROM sqlite_schema s, pragma_table_info(s.name) c
        WHERE s.type = 'table' AND c.type = 'TEXT' AND (c.name = 'id' OR c.name GLOB '*_id')`)
    .all();
}

function emptyAt(version: number): Database {
  const db = new Database(":memory:");
  migrate(
    db,
    MIGRATIONS.filter((migration) => migration.version <= version),
  );
  return db;
}

function isSame(a: SchemaObject, b: SchemaObject): boolean {
  return a.type === b.type && a.name === b.name && a.tbl_name === b.tbl_name && a.sql === b.sql;
}

function isInternal({ type, name, sql }: SchemaObject): boolean {
  if (type === "index") return name.startsWith("sqlite_autoindex_") && sql === null;
  return type === "table" && sql !== null && INTERNAL.get(name) === sql;
}

function isPlain({ type, sql }: SchemaObject): boolean {
  return (type === "table" && sql?.startsWith("CREATE TABLE ") === true) || type === "index";
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 60).replace(/\p{Cc}/gu, " "));
}
