import { beforeEach, describe, expect, test } from "bun:test";
import type { FileId, StoreId } from "./ids.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite.ts";
import { blob, boolean, id, integer, json, nullable, rowid, Selection, table, text } from "./table.ts";

const THING = table("thing", {
  seq: integer(),
  id: id<FileId>(),
  isDone: boolean(),
  mayBe: nullable(boolean()),
  tags: json<string[]>(),
  more: nullable(json<{ a: number }>()),
  limits: json<{ most: number | null; least: number | null }>({ most: null, least: null }),
  data: nullable(blob()),
});

let db: SqliteDatabase;

beforeEach(() => {
  db = openSqlite(":memory:");
  db.raw
    .run(`CREATE TABLE thing (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, isDone INTEGER NOT NULL,
    mayBe INTEGER, tags TEXT NOT NULL, more TEXT, limits TEXT NOT NULL DEFAULT '{}', data BLOB) STRICT`);
});

const plain = { isDone: false, tags: [] };

describe("a row", () => {
  test("comes back as it was given, whatever form it is kept in", async () => {
    const given = {
      id: "file-1",
      isDone: true,
      mayBe: false,
      tags: ["a", 'quote " and \u2028'],
      more: { a: 1 },
      limits: { most: 3, least: null },
      data: new Uint8Array([1, 0, 255]),
    };
    expect(await THING.insert(db, given)).toEqual({ seq: 1, ...given });
    const kept = db.raw.query("SELECT isDone, mayBe, tags, more FROM thing").get();
    expect(kept).toEqual({ isDone: 1, mayBe: 0, tags: JSON.stringify(given.tags), more: '{"a":1}' });
  });

  test("has null where nothing is kept, and defaults where the JSON says nothing", async () => {
    await THING.insert(db, { id: "file-1", ...plain });
    db.raw.run(`UPDATE thing SET limits = '{"least":2}'`);
    expect(await THING.get(db, `SELECT ${THING.list} FROM thing`)).toEqual({
      seq: 1,
      id: "file-1",
      isDone: false,
      mayBe: null,
      tags: [],
      more: null,
      limits: { most: null, least: 2 },
      data: null,
    });
    expect(await THING.get(db, `SELECT ${THING.list} FROM thing WHERE seq = ?1`, [9])).toBeNull();
  });

  test("has null for JSON's own null, and no undefined value is kept", async () => {
    await THING.insert(db, { id: "file-1", ...plain, more: null, mayBe: undefined });
    expect(db.raw.query("SELECT more, mayBe FROM thing").get()).toEqual({ more: null, mayBe: null });
  });
});

describe("a selection", () => {
  test("reads some columns, of several tables, and what is computed", async () => {
    await THING.insert(db, { id: "file-1", ...plain, tags: ["x"] });
    const some = THING.pick("id", "tags")
      .as("t")
      .and(new Selection({ isFirst: boolean() }, "t.seq = 1 AS isFirst"));
    expect(some.list).toBe("t.id, t.tags, t.seq = 1 AS isFirst");
    expect(await some.all(db, `SELECT ${some.list} FROM thing t`)).toEqual([
      { id: "file-1", tags: ["x"], isFirst: true },
    ]);
  });

  test("reads the place of a row where no column holds it", () => {
    const { list } = table("other", { seq: rowid(), name: text() });
    expect(list).toBe("rowid AS seq, name");
  });

  test("pages both ways", async () => {
    for (const n of [1, 2, 3, 4]) await THING.insert(db, { id: `file-${n}`, ...plain, isDone: n !== 2 });
    const page = async (order: "asc" | "desc", at: { after?: number; before?: number }) => {
      const source = { from: "thing WHERE isDone = ?1", params: [1] };
      const { rows, hasMore } = await THING.page(db, source, { limit: 2, order, ...at });
      return [rows.map((row) => row.seq), hasMore];
    };
    expect(await page("asc", {})).toEqual([[1, 3], true]);
    expect(await page("asc", { after: 3 })).toEqual([[4], false]);
    expect(await page("desc", { before: 1 })).toEqual([[4, 3], false]);
  });
});

describe("a change", () => {
  test("is of what is given, where the columns have these values", async () => {
    for (const n of [1, 2]) await THING.insert(db, { id: `file-${n}`, ...plain, tags: ["a"] });
    expect(await THING.update(db, { id: "file-1", isDone: false }, { isDone: true, tags: undefined })).toBe(1);
    expect(await THING.update(db, { id: "file-1", isDone: false }, { tags: [] })).toBe(0);
    expect(await THING.update(db, { id: "file-2" }, {})).toBe(0);
    const rows = await THING.all(db, `SELECT ${THING.list} FROM thing ORDER BY seq`);
    expect(rows.map(({ isDone, tags }) => [isDone, tags])).toEqual([
      [true, ["a"]],
      [false, ["a"]],
    ]);
  });

  test("is of columns only: a name from elsewhere never gets into a statement", async () => {
    await THING.insert(db, { id: "file-1", ...plain });
    const foreign = { "isDone = 1 --": 1, tags: ["b"] } as object;
    await THING.update(db, { id: "file-1" }, foreign);
    expect(db.raw.query("SELECT isDone, tags FROM thing").get()).toEqual({ isDone: 0, tags: '["b"]' });
  });
});

test("an id of one kind is refused where another is meant, a plain string is not", () => {
  const take = (store: StoreId) => store;
  const file: FileId = "file-1";
  // @ts-expect-error: a file's id where a store's is meant
  take(file);
  expect(take("vs_1")).toBe("vs_1");
});
