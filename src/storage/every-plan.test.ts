/** How SQLite goes through the tables for every statement that stands in this room: none through a whole table that grows. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite.ts";

const SRC = join(import.meta.dir, "..");

/** Files whose statements are PostgreSQL's alone. */
const ELSEWHERE = new Set<string>([]);

/** What goes through a whole table, and why that is no harm. */
const WHOLE: Readonly<Record<string, string>> = {};

/** The texts that modules keep to themselves, by file and name: of a copy of the room whose constants are exported. */
async function statements(): Promise<{ name: string; text: string }[]> {
  using dir = tempDir();
  for (const name of ["platform", "errors.ts", "stream-safe.ts"]) symlinkSync(join(SRC, name), dir.join(name));
  symlinkSync(join(SRC, "../node_modules"), dir.join("node_modules"));
  const found: { name: string; text: string }[] = [];
  const files = readdirSync(import.meta.dir, { withFileTypes: true });
  mkdirSync(dir.join("storage"));
  for (const file of files) {
    const [from, to] = [join(import.meta.dir, file.name), dir.join("storage", file.name)];
    if (file.isDirectory()) symlinkSync(from, to);
    else if (!file.name.endsWith(".ts")) copyFileSync(from, to);
    else if (!file.name.endsWith(".test.ts"))
      writeFileSync(to, readFileSync(from, "utf8").replaceAll(/^const (?=[A-Z][A-Z0-9_]*\b)/gm, "export const "));
  }
  for (const file of readdirSync(dir.join("storage")).filter((name) => name.endsWith(".ts"))) {
    const module = (await import(pathToFileURL(dir.join("storage", file)).href)) as Record<string, unknown>;
    for (const [name, text] of Object.entries(module))
      if (typeof text === "string" && /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/.test(text))
        found.push({ name: `${file} ${name}`, text });
  }
  return found;
}

/** Steps in which a whole table, or a whole index of all its rows, is walked through. */
function walks(db: SqliteDatabase, text: string): string[] {
  const partial = new Set(
    db.raw
      .query<{ name: string }, []>(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'`)
      .all()
      .map(({ name }) => name),
  );
  return db.raw
    .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail)
    .filter((detail) => /^SCAN (?!json_each\b|CONSTANT ROW|[jv]\b VIRTUAL)/.test(detail))
    .filter((detail) => !detail.includes("VIRTUAL TABLE"))
    .filter((detail) => !partial.has(/USING (?:COVERING )?INDEX (\w+)/.exec(detail)?.[1] ?? ""));
}

test("no statement goes through a table that grows, but for those that are named", async () => {
  const db = openSqlite(":memory:");
  const found: Record<string, string> = {};
  for (const { name, text } of await statements()) {
    if (ELSEWHERE.has(name.split(" ")[0] ?? "")) continue;
    const steps = walks(db, text);
    if (steps.length > 0) found[name] = steps.join("; ");
  }
  await db.close();
  expect(Object.keys(found).toSorted()).toEqual(Object.keys(WHOLE).toSorted());
}, 60_000);

test("what goes with a row is found by an index", async () => {
  const db = openSqlite(":memory:");
  const keys = db.raw
    .query<{ child: string; column: string }, []>(
      `SELECT t.name AS child, k."from" AS "column" FROM sqlite_schema t, pragma_foreign_key_list(t.name) k
       WHERE t.type = 'table'`,
    )
    .all();
  expect(keys.length).toBeGreaterThan(20);
  const unfound = keys.filter(({ child, column }) => walks(db, `DELETE FROM ${child} WHERE ${column} = ?1`).length > 0);
  await db.close();
  expect(unfound).toEqual([]);
});
