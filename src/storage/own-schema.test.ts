import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { databaseProblem } from "./inspect.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import { checkSchema } from "./own-schema.ts";
import { ForeignSchemaError } from "./connections.ts";
import { openSqlite } from "./sqlite.ts";

let temp: TempDir;
let path: string;
beforeEach(async () => {
  temp = tempDir();
  path = temp.join("meta.sqlite");
  const db = openSqlite(path, { flush: false });
  db.raw.run(/*sql*/ `INSERT INTO tenant (id, name, status, created_at) VALUES ('ten_a', 'a', 'active', 1)`);
  await db.close();
});
afterEach(() => temp[Symbol.dispose]());

function alter(...sql: string[]): void {
  using db = new Database(path);
  for (const text of sql) db.run(text);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
}

const file = (id: string) =>
  `INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at) VALUES (${id}, 'ten_a', 'x', 1, 'assistants', '00', 1)`;

test("a database of Lectern's own is opened again, and a look at it leaves nothing beside it", async () => {
  expect(databaseProblem(path)).toBeNull();
  expect(readdirSync(temp.path)).toEqual(["meta.sqlite"]);
  await openSqlite(path, { flush: false }).close();
});

test("a schema of every version is Lectern's, and of a file where nothing is yet", () => {
  using empty = new Database(":memory:");
  expect(checkSchema(empty)).toEqual({ ok: true, version: 0 });
  for (const { version } of MIGRATIONS) {
    using db = new Database(":memory:");
    migrate(
      db,
      MIGRATIONS.filter((migration) => migration.version <= version),
    );
    expect(checkSchema(db)).toEqual({ ok: true, version });
  }
});

const FOREIGN: [string, string[], string][] = [
  ["a trigger", ["CREATE TRIGGER t1 AFTER INSERT ON api_key BEGIN DELETE FROM tenant; END"], 'the trigger "t1" is not'],
  [
    "a trigger of Lectern's that does something else",
    ["DROP TRIGGER file_added", "CREATE TRIGGER file_added AFTER INSERT ON file BEGIN DELETE FROM tenant; END"],
    'the trigger "file_added" is not',
  ],
  ["a view", ["CREATE VIEW v AS SELECT 1"], 'the view "v" is not'],
  [
    "a view in place of a table",
    ["DROP TABLE query_hour", "CREATE VIEW query_hour AS SELECT 1 AS hour"],
    'the view "query_hour" is not',
  ],
  ["a table", ["CREATE TABLE more (a)"], 'the table "more" is not'],
  ["an index", ["CREATE INDEX more ON file (abs(bytes))"], 'the index "more" is not'],
  ["a column", ["ALTER TABLE file ADD COLUMN more TEXT DEFAULT 'x'"], 'the table "file" is not'],
  ["a full text index", ["CREATE VIRTUAL TABLE words USING fts5 (a)"], 'the table "words'],
  ["a table less", ["DROP TABLE query_hour"], 'the table "query_hour" is missing'],
  ["a trigger less", ["DROP TRIGGER file_added"], 'the trigger "file_added" is missing'],
  ["no version", ["DROP TABLE schema_version"], "it is no database of Lectern"],
  [
    "a version that never ends",
    [
      "DROP TABLE schema_version",
      "CREATE VIEW schema_version AS WITH RECURSIVE c (version) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT version, 1 AS min_safe_version FROM c",
    ],
    "it is no database of Lectern",
  ],
  [
    "a trigger, and says it is of a later version",
    [
      "UPDATE schema_version SET version = 99",
      "CREATE TRIGGER t1 AFTER INSERT ON api_key BEGIN DELETE FROM tenant; END",
    ],
    'the trigger "t1" is not',
  ],
];

describe("a database is not opened that has", () => {
  for (const [name, sql, problem] of FOREIGN) {
    test(name, () => {
      alter(...sql);
      expect(() => openSqlite(path, { flush: false })).toThrow(ForeignSchemaError);
      expect(databaseProblem(path)).toContain(problem);
    });
  }
});

test("a later version that says so may have more tables, columns and indexes", async () => {
  alter(
    "UPDATE schema_version SET version = 99",
    "CREATE TABLE more (a)",
    "CREATE INDEX more_by_a ON more (a)",
    "ALTER TABLE file ADD COLUMN more TEXT",
  );
  await openSqlite(path, { flush: false }).close();
  expect(databaseProblem(path)).toContain("it is of a newer Lectern");
});

const STRANGE: [string, string][] = [
  ["a way up", "'../../x'"],
  ["a slash", "'a/b'"],
  ["nothing", "''"],
  ["a zero byte", "'file-a' || char(0) || '/..'"],
  ["another script", "'file-ä'"],
  ["more than 128 characters", `'${"a".repeat(129)}'`],
  ["a dot", "'..'"],
];

describe("a database from elsewhere is refused where an identifier holds", () => {
  for (const [name, id] of STRANGE) {
    test(name, () => {
      alter(file(id));
      expect(databaseProblem(path)).toBe("file.id holds what is no identifier");
    });
  }

  test("such a thing in any table", () => {
    alter(
      "INSERT INTO vector_store (id, tenant_id, name, created_at, last_active_at, embedding_model) VALUES ('vs_a', '..', 'x', 1, 1, 'm')",
    );
    expect(databaseProblem(path)).toBe("vector_store.tenant_id holds what is no identifier");
  });
});

test("a database from elsewhere is refused that is none, is damaged, or is another program's", () => {
  alter("PRAGMA application_id = 7");
  expect(databaseProblem(path)).toBe("it carries the mark of another program");
  for (const content of ["", "hello", "SQLite format 3\0 and no more of it"]) {
    const other = temp.join("other.sqlite");
    writeFileSync(other, content);
    expect(databaseProblem(other)).toMatch(/no database of Lectern|cannot be read/);
    expect(existsSync(`${other}-wal`)).toBe(false);
  }
});
