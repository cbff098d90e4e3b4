import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import { SHOWN_ID_ROW, shownIds } from "./shown-ids.ts";
import type { Database as AnyDatabase } from "./sql.ts";
import { onEachDatabase, type TestStorage } from "./testing/kinds.ts";

const ROWS = [1, 2, 35, 36, 1_000_000, 2 ** 32, Number.MAX_SAFE_INTEGER];

const of = async (db: AnyDatabase) => shownIds(await db.all(SHOWN_ID_ROW));

onEachDatabase((kind) => {
  let open: TestStorage;
  let db: AnyDatabase;
  beforeEach(async () => {
    open = await kind.open();
    db = open.db;
  });
  afterEach(() => open[Symbol.asyncDispose]());

  test("an id stands for its row, always the same, and says nothing of the number", async () => {
    const { chunks, queries } = await of(db);
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
      expect((await of(db)).chunks.idOf(row)).toBe(chunk);
    }
    expect(new Set(ROWS.map((row) => chunks.idOf(row).slice(6, 14))).size).toBe(ROWS.length);
    expect([chunks.idsOf(ROWS), chunks.idsOf([])]).toEqual([ROWS.map((row) => chunks.idOf(row)), []]);
  });

  test("what was made up is no id", async () => {
    const { chunks } = await of(db);
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
    await using another = await kind.open();
    const other = another.db;
    expect((await of(other)).chunks.idOf(1)).not.toBe((await of(db)).chunks.idOf(1));
  });
});

test("ids that were shown before as numbers stay good, and only those", () => {
  const raw = new Database(":memory:", { strict: true });
  migrate(raw, MIGRATIONS.slice(0, 8));
  raw.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('chunk', 40), ('query_log', 3)");
  migrate(raw);
  const { chunks, queries } = shownIds(raw.query<Record<string, unknown>, []>(SHOWN_ID_ROW).all());
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
