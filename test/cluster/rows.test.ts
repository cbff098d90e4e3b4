import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openPostgres } from "../../src/storage/postgres/open.ts";
import type { PostgresDatabase } from "../../src/storage/postgres/database.ts";
import type { Sql } from "../../src/storage/sql.ts";
import { lacks } from "../helpers/lacks.ts";
import { type SeededRandom, seededRandom } from "../helpers/random.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";

/** Operations in all; the full form, to be run at every new version of the driver, has 200,000. */
const OPERATIONS = Number(process.env["LECTERN_TEST_OPERATIONS"] ?? 6000);
const LANES = 40;
const TENANTS = 20;
const ITEMS = 50;

interface Item {
  tenant_id: string;
  id: number;
  text: string;
  bytes: Uint8Array;
  ratio: number | null;
}

const tenantOf = (t: number) => `ten_${String(t).padStart(3, "0")}`;
const itemOf = (t: number, id: number): Item => ({
  tenant_id: tenantOf(t),
  id,
  text: `${tenantOf(t)}/${id} `.repeat(1 + ((t * id) % 30)),
  bytes: new Uint8Array(((t * 7 + id) % 900) + 1).fill(t),
  ratio: id % 3 === 0 ? null : id / 8,
});

/**
 * Drivers have given the rows of one statement to another. So: many lanes at once, statements that were prepared before
 * and that never were, with errors, transactions and large answers in between; every answer is compared whole.
 */
describe.skipIf(lacks("postgres", hasPostgres))("every row comes to its own question", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each([
    ["one connection", 1, ""],
    ["four connections", 4, ""],
    ["eight connections, nothing prepared", 8, "?pool=transaction"],
  ])("%s", async (_, connections, how) => {
    const name = `rows_${connections}`;
    const address = await server.createDatabase(name);
    const db = await openPostgres(address + how, { connections, timeout: 60_000 });
    await fill(db);
    const each = Math.ceil(OPERATIONS / 3 / LANES);
    const lanes = Array.from({ length: LANES }, (_, lane) => work(db, lane, each));
    const wrong = (await Promise.all(lanes)).flat();
    expect(wrong).toEqual([]);
    const sums = "SELECT count(*) AS n, count(*) FILTER (WHERE times <> ?1) AS odd FROM tally";
    expect(await db.get(sums, [each])).toEqual({ n: LANES, odd: 0 });
    await db.close();
  });
});

async function fill(db: PostgresDatabase): Promise<void> {
  await db.run(
    "CREATE TABLE item (tenant_id text, id bigint, text text, bytes bytea, ratio float8, PRIMARY KEY (tenant_id, id))",
  );
  await db.run("CREATE TABLE tally (lane integer PRIMARY KEY, times integer)");
  await db.transaction(async (tx) => {
    for (let t = 0; t < TENANTS; t++) {
      const items = Array.from({ length: ITEMS }, (_, id) => itemOf(t, id));
      await Promise.all(
        items.map((item) => tx.run("INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5)", Object.values(item))),
      );
    }
  });
}

/** What came back and was not what was asked for. */
async function work(db: PostgresDatabase, lane: number, times: number): Promise<string[]> {
  const random = seededRandom(lane + 1);
  const wrong: string[] = [];
  await db.run("INSERT INTO tally VALUES (?1, 0)", [lane]);
  for (let n = 0; n < times; n++) {
    const problem = await db.transaction(async (tx) => {
      await tx.run("UPDATE tally SET times = times + 1 WHERE lane = ?1", [lane]);
      // Sent together, in one transaction, and answered in order.
      const asked = Array.from({ length: random.below(3) }, () => question(tx, random, `${lane}/${n}`));
      return (await Promise.all(asked)).find((found) => found !== null) ?? null;
    }, "work");
    const beside = await question(db, random, `${lane}.${n}`);
    for (const found of [problem, beside]) if (found !== null) wrong.push(found);
    // An error, which must be this lane's and leave the connection as it was.
    if (random.below(10) === 0) {
      const said = await db.get("SELECT 1 / ?1::int AS n", [0]).catch((error: Error) => error.message);
      if (said !== "division by zero") wrong.push(`no error: ${JSON.stringify(said)}`);
    }
  }
  return wrong;
}

/** Asks for something of a tenant; null when the answer is right. */
async function question(sql: Sql, random: SeededRandom, novel: string): Promise<string | null> {
  const t = random.below(TENANTS);
  const id = random.below(ITEMS);
  const mark = random.below(2 ** 31);
  // Some texts are always the same, some one of a few, some have never been seen.
  const comment = ["", `/* ${mark % 50} */`, `/* ${novel} ${mark} */`][random.below(3)] ?? "";
  const asks: (() => Promise<boolean>)[] = [
    async () => {
      const row = await sql.get<Item & { mark: number }>(
        `SELECT *, ?3::bigint AS mark ${comment} FROM item WHERE tenant_id = ?1 AND id = ?2`,
        [tenantOf(t), id, mark],
      );
      return Bun.deepEquals(row, { ...itemOf(t, id), mark });
    },
    async () => {
      const rows = await sql.all<Item>(`SELECT * ${comment} FROM item WHERE tenant_id = ?1 AND id >= ?2 ORDER BY id`, [
        tenantOf(t),
        id,
      ]);
      return Bun.deepEquals(
        rows,
        Array.from({ length: ITEMS - id }, (_, i) => itemOf(t, id + i)),
      );
    },
    async () => {
      const row = await sql.get(`SELECT ?2::text AS a, ?1::bigint AS b, ?3::bytea AS c ${comment}`, [
        mark,
        novel,
        new Uint8Array([t]),
      ]);
      return Bun.deepEquals(row, { a: novel, b: mark, c: new Uint8Array([t]) });
    },
    async () => (await sql.get(`SELECT 1 AS none ${comment} WHERE ?1::int = -1`, [mark])) === null,
  ];
  const ask = random.pick(asks);
  return (await ask()) ? null : `${ask.toString().slice(0, 80)} ${tenantOf(t)} ${id} ${mark}`;
}
