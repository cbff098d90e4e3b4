import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasPostgres, STARTING_MS, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { waitFor } from "../../../test/helpers/wait.ts";
import type { PostgresDatabase } from "./database.ts";
import { openPostgres } from "./open.ts";
import { analyzeYoungTables } from "./young-tables.ts";

describe.skipIf(lacks("postgres", hasPostgres))("tables that were just filled", () => {
  let db: PostgresDatabase;
  beforeAll(async () => {
    db = await openPostgres(await testDatabase(), { connections: 2 });
    // Nobody else does it meanwhile.
    const how = "WITH (autovacuum_enabled = off)";
    await db.run(`CREATE TABLE thing (id bigint) ${how}; CREATE TABLE few (id bigint) ${how}`);
  }, STARTING_MS);
  afterAll(() => db.close());

  const fill = (table: string, rows: number) => db.run(`INSERT INTO ${table} SELECT generate_series(1, ${rows})`);
  const rowsKnown = async () =>
    (await db.get<{ n: number }>("SELECT reltuples::bigint AS n FROM pg_class WHERE relname = 'thing'"))?.n;
  // The server counts what was written about once a second.
  const analyzed = () =>
    waitFor("it is looked at", async () => {
      const names = await analyzeYoungTables(db);
      return names.length > 0 ? names : undefined;
    });

  test("are looked at, and again when they have doubled; small ones and what changed little are not", async () => {
    await fill("few", 400);
    await fill("thing", 1000);
    expect(await analyzed()).toEqual(["thing"]);
    expect(await rowsKnown()).toBe(1000);
    await fill("thing", 1200);
    await fill("few", 150);
    expect(await analyzed()).toEqual(["few"]);
    expect(await rowsKnown()).toBe(1000);
    await fill("thing", 500);
    expect(await analyzed()).toEqual(["thing"]);
    expect(await rowsKnown()).toBe(2700);
  });

  test("by one server at a time", async () => {
    await fill("thing", 10_000);
    const [first, second] = await waitFor("one looks at it", async () => {
      const both = await Promise.all([analyzeYoungTables(db), analyzeYoungTables(db)]);
      return both.some((names) => names.length > 0) ? both : undefined;
    });
    expect(first.length + second.length).toBe(1);
  });
});
