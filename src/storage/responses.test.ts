import { expect, test } from "bun:test";
import { responsesTable } from "./responses.ts";
import { openSqlite } from "./sqlite.ts";
import type { Sql } from "./sql.ts";

test("how many answers wait is asked without a look at all that were ever given", async () => {
  const db = openSqlite(":memory:");
  const asked: string[] = [];
  const heard: Sql = {
    dialect: db.dialect,
    all: (text, params) => db.all(text, params),
    run: (text, params) => db.run(text, params),
    atomic: (fn, durability) => db.atomic(fn, durability),
    get: (text, params) => {
      asked.push(text);
      return db.get(text, params);
    },
  };
  expect(await responsesTable(heard).queued()).toBe(0);
  const plan = await db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${asked[0]}`);
  expect(plan.map(({ detail }) => detail).join()).toContain("response_unfinished");
  await db.close();
});
