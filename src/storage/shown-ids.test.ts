import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import { shownIds } from "./shown-ids.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite.ts";

let db: SqliteDatabase;
beforeEach(() => {
  db = openSqlite(":memory:");
});
afterEach(async () => await db.close());

const ROWS = [1, 2, 35, 36, 1_000_000, 2 ** 32, Number.MAX_SAFE_INTEGER];

test("an id stands for its row, always the same, and says nothing of the number", () => {
  const { chunks, queries } = shownIds(db.now);
  for (const row of ROWS) {
    const [chunk, query] = [chunks.idOf(row), queries.idOf(row)];
    expect([chunk, query]).toEqual([
      expect.stringMatching(/^chunk_[0-9a-f]{32}$/),
      expect.stringMatching(/^q_[0-9a-f]{32}$/),
    ]);
    expect(chunk.slice(6)).not.toBe(query.slice(2));
    expect([chunks.rowOf(chunk), queries.rowOf(query)]).toEqual([row, row]);
    expect([chunks.rowOf(`chunk_${query.slice(2)}`), queries.rowOf(`q_${chunk.slice(6)}`)]).toEqual([null, null]);
    // The secret is in the database, so that ids outlive the process.
    expect(shownIds(db.now).chunks.idOf(row)).toBe(chunk);
  }
  expect(new Set(ROWS.map((row) => chunks.idOf(row).slice(6, 14))).size).toBe(ROWS.length);
});

test("what was made up is no id", () => {
  const { chunks } = shownIds(db.now);
  const one = chunks.idOf(1);
  const changed = one.slice(0, -1) + (one.endsWith("0") ? "1" : "0");
  for (const id of [
    "",
    "chunk_",
    "chunk_1",
    "chunk_zz",
    "chunk_0",
    one.toUpperCase(),
    `${one}0`,
    one.slice(0, -1),
    changed,
    one.slice(6),
    `chunk_${"0".repeat(32)}`,
    `x${one}`,
  ])
    expect([id, chunks.rowOf(id)]).toEqual([id, null]);
});

test("two databases show a row under two ids", async () => {
  const other = openSqlite(":memory:");
  expect(shownIds(other.now).chunks.idOf(1)).not.toBe(shownIds(db.now).chunks.idOf(1));
  await other.close();
});

test("ids that were shown before as numbers stay good, and only those", () => {
  const raw = new Database(":memory:", { strict: true });
  migrate(raw, MIGRATIONS.slice(0, 8));
  raw.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('chunk', 40), ('query_log', 3)");
  migrate(raw);
  const { chunks, queries } = shownIds({ ...db.now, all: <Row>(text: string) => raw.query<Row, []>(text).all() });
  expect(["chunk_1", "chunk_14", "chunk_15", "chunk_0", "chunk_zzz"].map((id) => chunks.rowOf(id))).toEqual([
    1,
    40,
    null,
    null,
    null,
  ]);
  expect(["q_3", "q_4"].map((id) => queries.rowOf(id))).toEqual([3, null]);
  expect(chunks.rowOf(chunks.idOf(40))).toBe(40);
});
